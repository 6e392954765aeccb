"""Max pooling, a window at a time (V. Dumoulin and F. Visin, arXiv:1603.07285, chapter 3)."""

from __future__ import annotations

import numpy as np

from fastdl.reference._pooling import maxima, pair, sliding, to_maxima

Array = np.ndarray


def _maxima(input, kernel_size, stride, padding, dilation, ceil_mode) -> tuple[Array, Array]:
    geometry = zip(
        input.shape[-2:],
        pair(kernel_size),
        pair(kernel_size if stride is None else stride),
        pair(padding),
        pair(dilation),
        strict=True,
    )
    rows, columns = ([inside for inside, _ in sliding(*axis, ceil_mode)] for axis in geometry)
    return maxima(input, rows, columns)


def forward(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False) -> Array:
    """y[p, q] = max_{r, s} x[p u - a + r d, q v - b + s e]."""
    return _maxima(input, kernel_size, stride, padding, dilation, ceil_mode)[0]


def indices(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False) -> Array:
    """Where in its plane each maximum is."""
    return _maxima(input, kernel_size, stride, padding, dilation, ceil_mode)[1]


def backward(
    grad_output, input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False
) -> dict[str, Array]:
    """Only the maximum moves the output."""
    where = indices(input, kernel_size, stride, padding, dilation, ceil_mode)
    return {"input": to_maxima(grad_output, where, input)}
