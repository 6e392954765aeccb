"""Trains a small convolutional network on scikit-learn's handwritten digits (1,797 images of 8 × 8 pixels).

    python examples/digits.py

Prints loss and accuracy per epoch and, last, the accuracy on images that training never saw. Writes the weights to
digits.safetensors and a picture of the loss curve and the misclassified digits to digits.png.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import fastdl
import matplotlib
import numpy as np
from fastdl import nn, optim
from fastdl.data import DataLoader, TensorDataset
from fastdl.io import save_model
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

matplotlib.use("Agg")  # before pyplot: there may be no display
import matplotlib.pyplot as plt


def load(seed: int) -> tuple[np.ndarray, ...]:
    """Images (N, 1, 8, 8) in [0, 1] and labels, a fifth of them for the test: x_train, x_test, y_train, y_test."""
    digits = load_digits()
    images = (digits.images[:, None] / 16).astype(np.float32)
    return tuple(
        train_test_split(images, digits.target, test_size=0.2, stratify=digits.target, random_state=seed)
    )


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(64 * 4 * 4, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
    )


def shifted(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Every image moved by up to a pixel each way, so that the network sees more handwriting than there is."""
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, images.shape[2:], axis=(2, 3))
    row, column = rng.integers(0, 3, (2, len(images)))
    return windows[np.arange(len(images)), :, row, column]


def predict(model: nn.Module, images: np.ndarray) -> np.ndarray:
    model.eval()
    with fastdl.no_grad():
        return model(fastdl.tensor(images)).numpy().argmax(axis=1)


def train_epoch(
    model: nn.Module, loader: DataLoader, optimizer: optim.Optimizer, rng: np.random.Generator, epoch: int
) -> float:
    """One pass over the training images; the mean loss."""
    criterion = nn.CrossEntropyLoss()
    model.train()
    total, count = 0.0, 0
    for images, labels in tqdm(loader, desc=f"epoch {epoch}", leave=False, unit="batch"):
        optimizer.zero_grad()
        loss = criterion(model(fastdl.tensor(shifted(images, rng))), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
        count += len(labels)
    return total / count


def draw(
    path: Path, losses: list[float], images: np.ndarray, labels: np.ndarray, guesses: np.ndarray
) -> None:
    """The loss curve above the misclassified digits."""
    wrong = np.flatnonzero(guesses != labels)
    columns = max(6, len(wrong))
    figure = plt.figure(figsize=(8, 5.5), layout="constrained")
    grid = figure.add_gridspec(2, columns, height_ratios=(3, 1))
    curve = figure.add_subplot(grid[0, :])
    curve.plot(range(1, len(losses) + 1), losses, marker="o")
    curve.set(xlabel="epoch", ylabel="training loss", yscale="log", title="handwritten digits")
    for column, index in enumerate(wrong):
        panel = figure.add_subplot(grid[1, column])
        panel.imshow(images[index, 0], cmap="gray_r")
        panel.set_title(f"{labels[index]} as {guesses[index]}", fontsize=8)
        panel.set_axis_off()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the weights and the picture")
    arguments = parser.parse_args()

    fastdl.manual_seed(arguments.seed)
    x_train, x_test, y_train, y_test = load(arguments.seed)
    loader = DataLoader(TensorDataset(x_train, y_train), batch_size=arguments.batch_size, shuffle=True)
    model = network()
    optimizer = optim.Adam(model.parameters(), lr=arguments.lr)
    scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=arguments.epochs)

    losses, rng = [], np.random.default_rng(arguments.seed)
    print("epoch     loss  training accuracy")
    for epoch in range(1, arguments.epochs + 1):
        losses.append(train_epoch(model, loader, optimizer, rng, epoch))
        scheduler.step()
        accuracy = np.mean(predict(model, x_train) == y_train)
        print(f"{epoch:5d}  {losses[-1]:7.4f}  {accuracy:17.4f}", flush=True)

    arguments.out.mkdir(parents=True, exist_ok=True)
    save_model(model, arguments.out / "digits.safetensors")
    guesses = predict(model, x_test)
    draw(arguments.out / "digits.png", losses, x_test, y_test, guesses)
    print(f"weights: {arguments.out / 'digits.safetensors'}, picture: {arguments.out / 'digits.png'}")
    print(f"test accuracy: {np.mean(guesses == y_test):.4f}")


if __name__ == "__main__":
    main()
