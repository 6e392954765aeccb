"""Calls so small that only their way from Python to the kernel takes time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class CallCase:
    """The same call as a function on arrays, and as a layer on a recorded input."""

    name: str
    input: tuple[int, ...]
    function: Callable[[Any], Callable]
    """Takes functional, returns what is called with the input and the weights."""
    layer: Callable[[Any], Any]
    """Takes nn."""
    weights: tuple[tuple[int, ...], ...] = ()

    def __str__(self) -> str:
        return self.name


BENCH = [
    CallCase("relu", (16,), lambda F: F.relu, lambda nn: nn.ReLU()),
    CallCase("sigmoid", (16,), lambda F: lambda x: F.sigmoid(x), lambda nn: nn.Sigmoid()),
    CallCase("softmax", (4, 10), lambda F: lambda x: F.softmax(x, 1), lambda nn: nn.Softmax(1)),
    CallCase("linear", (2, 4), lambda F: F.linear, lambda nn: nn.Linear(4, 4), ((4, 4), (4,))),
    CallCase("conv2d", (1, 1, 4, 4), lambda F: F.conv2d, lambda nn: nn.Conv2d(1, 1, 3), ((1, 1, 3, 3), (1,))),
    CallCase(
        "conv_transpose2d",
        (1, 1, 4, 4),
        lambda F: F.conv_transpose2d,
        lambda nn: nn.ConvTranspose2d(1, 1, 3),
        ((1, 1, 3, 3), (1,)),
    ),
    CallCase("max_pool2d", (1, 1, 4, 4), lambda F: lambda x: F.max_pool2d(x, 2), lambda nn: nn.MaxPool2d(2)),
    CallCase("avg_pool2d", (1, 1, 4, 4), lambda F: lambda x: F.avg_pool2d(x, 2), lambda nn: nn.AvgPool2d(2)),
]
QUICK = ("relu", "conv2d")
