"""Adaptive max pooling, a window at a time (K. He et al., arXiv:1406.4729, section 2.2)."""

from __future__ import annotations

import numpy as np

from fastdl.reference._pooling import adaptive, maxima, pair, to_maxima

Array = np.ndarray


def _maxima(input, output_size) -> tuple[Array, Array]:
    rows, columns = map(adaptive, input.shape[-2:], pair(output_size))
    return maxima(input, rows, columns)


def forward(input, output_size) -> Array:
    """y[p, q] = the maximum of rows [floor(p H / P), ceil((p + 1) H / P)), columns likewise."""
    return _maxima(input, output_size)[0]


def indices(input, output_size) -> Array:
    """Where in its plane each maximum is."""
    return _maxima(input, output_size)[1]


def backward(grad_output, input, output_size) -> dict[str, Array]:
    """Only the maximum moves the output."""
    return {"input": to_maxima(grad_output, indices(input, output_size), input)}
