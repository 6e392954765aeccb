"""Padding as an index for each axis."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def _source(size: int, before: int, after: int, mode: str) -> Array:
    """For each output position the position it reads; -1 for the constant."""
    position = np.arange(size + before + after) - before
    if mode == "constant":
        return np.where((position >= 0) & (position < size), position, -1)
    if mode == "reflect":  # a triangle wave of period 2 (size - 1)
        return (size - 1) - np.abs((size - 1) - np.abs(position))
    if mode == "replicate":
        return np.clip(position, 0, size - 1)
    first, last = max(0, -before), size + min(0, after)
    return first + (position - first) % max(1, last - first)


def _axes(input: Array, pad, mode: str):
    for i in range(len(pad) // 2):
        axis = input.ndim - 1 - i
        yield axis, _source(input.shape[axis], pad[2 * i], pad[2 * i + 1], mode)


def forward(input, pad, mode="constant", value=None) -> Array:
    """y[..., o] = x[..., source(o)], axis by axis."""
    y = input
    for axis, source in _axes(input, pad, mode):
        fill_shape = [*y.shape[:axis], 1, *y.shape[axis + 1 :]]
        fill = np.full(fill_shape, 0 if value is None else value, y.dtype)
        y = np.take(np.concatenate([y, fill], axis), source, axis)
    return y


def backward(grad_output, input, pad, mode="constant", value=None) -> dict[str, Array]:
    """Each element of x gets the sum over the outputs that read it."""
    grad = grad_output
    for axis, source in reversed(list(_axes(input, pad, mode))):
        shape = [*grad.shape[:axis], input.shape[axis] + 1, *grad.shape[axis + 1 :]]
        summed = np.zeros(shape, grad.dtype)
        np.add.at(np.moveaxis(summed, axis, 0), source, np.moveaxis(grad, axis, 0))
        grad = np.delete(summed, -1, axis)
    return {"input": grad}
