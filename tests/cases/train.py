"""Whole networks and a batch for each: written once, against the names that fastdl and PyTorch share."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray
Network = Callable[[Any], Any]
"""Takes fastdl.nn or torch.nn, returns a module."""


@dataclass(frozen=True)
class TrainCase:
    """A training step: zero the gradients, forward, loss, backward, optimiser."""

    name: str
    network: Network
    input: tuple[int, ...]
    classes: int = 10
    optimizer: str = "SGD"
    options: Mapping[str, Any] = field(default_factory=lambda: {"lr": 1e-3, "momentum": 0.9})
    tokens: int = 0
    """The input holds so many kinds of integers, and the target is one class for each of them."""
    reconstructs: bool = False
    """The target is the input itself, under the mean squared error."""
    images: bool = False

    def __str__(self) -> str:
        return self.name

    def batch(self) -> tuple[Array, Array]:
        """The input and the target, the same every time."""
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        if self.tokens:
            x = rng.integers(0, self.tokens, self.input)
            return x, rng.integers(0, self.tokens, x.size)
        x = rng.random(self.input, np.float32)
        return x, x if self.reconstructs else rng.integers(0, self.classes, self.input[0])

    def state(self, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
        """Weights in ±1 / sqrt(fan in) and biases of zero, for those entries of a state_dict."""
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        state = {}
        for name, shape in shapes.items():
            if len(shape) > 1:
                bound = np.float32(1 / np.sqrt(np.prod(shape[1:])))
                state[name] = (2 * rng.random(shape, np.float32) - 1) * bound
            elif "bias" in name:
                state[name] = np.zeros(shape, np.float32)
        return state


def mlp(nn: Any) -> Any:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)
    )


def lenet(nn: Any) -> Any:
    """LeNet-5 (Y. LeCun et al., 1998), with max pooling and ReLU."""
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
    )


def vgg_like(nn: Any) -> Any:
    """Three stages of two convolutions for 32 x 32 images."""
    layers, channels = [], 3
    for outputs in (64, 128, 256):
        for _ in range(2):
            layers += [nn.Conv2d(channels, outputs, 3, padding=1), nn.ReLU()]
            channels = outputs
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(256 * 16, 256), nn.ReLU(), nn.Linear(256, 10))


def resnet20(nn: Any) -> Any:
    """For 32 x 32 images (K. He et al., arXiv:1512.03385, 4.2), its shortcuts 1 x 1 convolutions."""

    class Block(nn.Module):
        def __init__(self, channels: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(channels, outputs, 3, stride, 1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
                nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
                nn.BatchNorm2d(outputs),
            )
            self.shortcut = nn.Identity()
            if channels != outputs:
                convolution = nn.Conv2d(channels, outputs, 1, stride, bias=False)
                self.shortcut = nn.Sequential(convolution, nn.BatchNorm2d(outputs))
            self.relu = nn.ReLU()

        def forward(self, x: Any) -> Any:
            return self.relu(self.body(x) + self.shortcut(x))

    layers = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    channels = 16
    for outputs in (16, 32, 64):
        for _ in range(3):
            layers.append(Block(channels, outputs, 2 if outputs > channels else 1))
            channels = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def autoencoder(nn: Any) -> Any:
    """Convolutions down to 7 x 7, transposed convolutions back."""
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU()),
        *(nn.ConvTranspose2d(32, 16, 3, 2, 1, 1), nn.ReLU()),
        *(nn.ConvTranspose2d(16, 1, 3, 2, 1, 1), nn.Sigmoid()),
    )


def character_lstm(nn: Any) -> Any:
    """Two layers of 256 units; the next of 96 characters at every place."""

    class Characters(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(96, 128)
            self.lstm = nn.LSTM(128, 256, num_layers=2)
            self.head = nn.Linear(256, 96)

        def forward(self, x: Any) -> Any:
            output, _ = self.lstm(self.embedding(x))
            return self.head(output.reshape(-1, 256))

    return Characters()


def tiny(nn: Any) -> Any:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))


_ADAM = {"optimizer": "Adam", "options": {"lr": 1e-4}}

BENCH = [
    TrainCase("mlp", mlp, (128, 1, 28, 28), **_ADAM),
    TrainCase("lenet", lenet, (128, 1, 28, 28), **_ADAM, images=True),
    TrainCase("vgg_like", vgg_like, (64, 3, 32, 32), images=True),
    TrainCase("resnet20", resnet20, (128, 3, 32, 32), images=True),
    TrainCase("autoencoder", autoencoder, (128, 1, 28, 28), **_ADAM, reconstructs=True, images=True),
    TrainCase("character_lstm", character_lstm, (50, 32), **_ADAM, tokens=96),
]
WARM_UP = TrainCase("warm_up", tiny, (2, 1, 8, 8), **_ADAM)
"""Not timed: what a process has run before its memory is measured."""
QUICK = ("lenet", "character_lstm")
