"""The mean squared error."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def forward(input, target, reduction="mean") -> Array:
    """l = (x - t)^2, then its mean, sum, or all of it."""
    loss = (input - target) ** 2
    return loss if reduction == "none" else loss.mean() if reduction == "mean" else loss.sum()


def backward(grad_output, input, target, reduction="mean") -> dict[str, Array]:
    """dl/dx = 2 (x - t) = -dl/dt"""
    divisor = input.size if reduction == "mean" else 1
    grad = 2 * (input - target) * grad_output / divisor
    return {"input": grad, "target": -grad}
