"""Rows of a table by index."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def forward(input, weight, padding_idx=None, scale_grad_by_freq=False) -> Array:
    """y[i] = w[x[i]]."""
    return weight[input]


def backward(grad_output, input, weight, padding_idx=None, scale_grad_by_freq=False) -> dict[str, Array]:
    """dw[v] = sum of g[i] over the i with x[i] == v, divided by their number where scale_grad_by_freq."""
    grad = np.zeros_like(weight)
    np.add.at(grad, input, grad_output)
    if scale_grad_by_freq:
        grad /= np.maximum(np.bincount(input.reshape(-1), minlength=len(weight)), 1)[:, None]
    if padding_idx is not None:
        grad[padding_idx] = 0
    return {"weight": grad}
