"""Adaptive average pooling, a window at a time (K. He et al., arXiv:1406.4729, section 2.2)."""

from __future__ import annotations

import numpy as np

from fastdl.reference._pooling import adaptive, pair, positions

Array = np.ndarray


def forward(input, output_size) -> Array:
    """y[p, q] = the mean of rows [floor(p H / P), ceil((p + 1) H / P)), columns likewise."""
    rows, columns = map(adaptive, input.shape[-2:], pair(output_size))
    y = np.zeros((*input.shape[:-2], len(rows), len(columns)), input.dtype)
    for p, q, (h, w) in positions(rows, columns):
        y[..., p, q] = input[..., h, w].mean(axis=(-2, -1))
    return y


def backward(grad_output, input, output_size) -> dict[str, Array]:
    """Each element gets its share of the windows that it is in."""
    rows, columns = map(adaptive, input.shape[-2:], pair(output_size))
    grad = np.zeros(input.shape, grad_output.dtype)
    for p, q, (h, w) in positions(rows, columns):
        grad[..., h, w] += grad_output[..., p, q][..., None, None] / (h.size * w.size)
    return {"input": grad}
