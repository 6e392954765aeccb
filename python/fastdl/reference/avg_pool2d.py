"""Average pooling, a window at a time (V. Dumoulin and F. Visin, arXiv:1603.07285, chapter 3)."""

from __future__ import annotations

import numpy as np

from fastdl.reference._pooling import pair, positions, sliding

Array = np.ndarray


def _windows(input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override):
    """(p, q, elements, divisor) for each window, and the output's shape."""
    stride = kernel_size if stride is None else stride
    geometry = zip(input.shape[-2:], pair(kernel_size), pair(stride), pair(padding), strict=True)
    rows, columns = (sliding(*axis, 1, ceil_mode) for axis in geometry)

    def windows():
        for p, q, index in positions([h for h, _ in rows], [w for w, _ in columns]):
            inside, padded = len(rows[p][0]) * len(columns[q][0]), rows[p][1] * columns[q][1]
            yield p, q, index, divisor_override or (padded if count_include_pad else inside)

    return windows(), (*input.shape[:-2], len(rows), len(columns))


def forward(
    input,
    kernel_size,
    stride=None,
    padding=0,
    ceil_mode=False,
    count_include_pad=True,
    divisor_override=None,
) -> Array:
    """y[p, q] = sum_{r, s} x[p u - a + r, q v - b + s] / divisor."""
    windows, shape = _windows(
        input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )
    y = np.zeros(shape, input.dtype)
    for p, q, (h, w), divisor in windows:
        y[..., p, q] = input[..., h, w].sum(axis=(-2, -1)) / divisor
    return y


def backward(
    grad_output,
    input,
    kernel_size,
    stride=None,
    padding=0,
    ceil_mode=False,
    count_include_pad=True,
    divisor_override=None,
) -> dict[str, Array]:
    """Each element gets its share of the windows that it is in."""
    windows, _ = _windows(input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    grad = np.zeros(input.shape, grad_output.dtype)
    for p, q, (h, w), divisor in windows:
        grad[..., h, w] += grad_output[..., p, q][..., None, None] / divisor
    return {"input": grad}
