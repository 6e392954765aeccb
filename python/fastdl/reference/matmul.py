"""The matrix product as its defining sum."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def _matrices(input: Array, other: Array) -> tuple[Array, Array]:
    """Vectors as a row on the left and as a column on the right."""
    return input[None] if input.ndim == 1 else input, other[:, None] if other.ndim == 1 else other


def _added_up(grad: Array, shape: tuple[int, ...]) -> Array:
    """Sums over the axes along which an operand was broadcast."""
    grad = grad.sum(axis=tuple(range(grad.ndim - len(shape))))
    axes = tuple(axis for axis, extent in enumerate(shape) if extent == 1)
    return grad.sum(axis=axes, keepdims=True)


def forward(input, other) -> Array:
    """z[..., i, j] = sum_k x[..., i, k] y[..., k, j]."""
    z = np.einsum("...ik,...kj->...ij", *_matrices(input, other))
    if input.ndim == 1:
        z = z[..., 0, :]
    return z[..., 0] if other.ndim == 1 else z


def backward(grad_output, input, other) -> dict[str, Array]:
    """dx = g y^T and dy = x^T g, summed over the axes that were broadcast."""
    x, y = _matrices(input, other)
    g = np.asarray(grad_output)
    g = g[..., None] if other.ndim == 1 else g
    g = g[..., None, :] if input.ndim == 1 else g
    return {
        "input": _added_up(np.einsum("...ij,...kj->...ik", g, y), x.shape).reshape(input.shape),
        "other": _added_up(np.einsum("...ik,...ij->...kj", x, g), y.shape).reshape(other.shape),
    }
