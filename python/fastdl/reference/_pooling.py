"""The windows of pooling, one output position at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

Array = np.ndarray


def pair(value) -> tuple:
    return tuple(value) if isinstance(value, (tuple, list)) else (value, value)


def sliding(
    size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool
) -> list[tuple[list[int], int]]:
    """For each window the positions inside the axis, and how many taps the padded axis has."""
    span = size + 2 * padding - dilation * (kernel - 1) - 1
    count = (math.ceil if ceil_mode else math.floor)(span / stride) + 1
    windows = []
    for o in range(count):
        start = o * stride - padding
        if ceil_mode and start >= size:
            break
        taps = [start + dilation * i for i in range(kernel)]
        windows.append(([t for t in taps if 0 <= t < size], sum(t < size + padding for t in taps)))
    return windows


def adaptive(size: int, outputs: int | None) -> list[list[int]]:
    """[floor(o size / outputs), ceil((o + 1) size / outputs)) for each o."""
    outputs = size if outputs is None else outputs
    return [
        list(range(math.floor(o * size / outputs), math.ceil((o + 1) * size / outputs)))
        for o in range(outputs)
    ]


def positions(rows: list, columns: list) -> Iterator[tuple[int, int, tuple[Array, Array]]]:
    """(p, q, index of the window's elements in the last two axes)."""
    for p, h in enumerate(rows):
        for q, w in enumerate(columns):
            yield p, q, np.ix_(h, w)


def maxima(x: Array, rows: list, columns: list) -> tuple[Array, Array]:
    """The maximum of each window and its flat position: the first of equals, the last NaN; -inf and -1 for none."""
    shape = (*x.shape[:-2], len(rows), len(columns))
    y, where = np.full(shape, -np.inf, x.dtype), np.full(shape, -1, np.int64)
    flat = np.arange(x.shape[-2] * x.shape[-1]).reshape(x.shape[-2:])
    for p, q, (h, w) in positions(rows, columns):
        inside = flat[h, w].ravel()
        if inside.size == 0:
            continue
        window = x[..., h, w].reshape(*x.shape[:-2], inside.size)
        nan = np.isnan(window)
        first = np.argmax(window, axis=-1)
        last_nan = window.shape[-1] - 1 - np.argmax(nan[..., ::-1], axis=-1)
        chosen = np.where(nan.any(axis=-1), last_nan, first)
        y[..., p, q] = np.take_along_axis(window, chosen[..., None], -1)[..., 0]
        where[..., p, q] = inside[chosen]
    return y, where


def to_maxima(grad_output: Array, where: Array, x: Array) -> Array:
    """Each gradient where its maximum was."""
    grad = np.zeros(
        (x.size // max(1, x.shape[-2] * x.shape[-1]), x.shape[-2] * x.shape[-1]), grad_output.dtype
    )
    for plane, (to, g) in enumerate(
        zip(where.reshape(len(grad), -1), grad_output.reshape(len(grad), -1), strict=True)
    ):
        np.add.at(grad[plane], to[to >= 0], g[to >= 0])
    return grad.reshape(x.shape)
