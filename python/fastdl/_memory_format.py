"""Memory formats as PyTorch has them: an order of axes in memory, told from the strides."""

from __future__ import annotations

import numpy as np

from fastdl._alloc import empty

_NHWC = (0, 2, 3, 1)


class MemoryFormat:
    """One of `contiguous_format`, `channels_last` and `preserve_format`."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"fastdl.{self.name}"

    def __reduce__(self) -> str:
        return self.name


contiguous_format: MemoryFormat = MemoryFormat("contiguous_format")
channels_last: MemoryFormat = MemoryFormat("channels_last")
preserve_format: MemoryFormat = MemoryFormat("preserve_format")


def is_contiguous(array: np.ndarray, memory_format: MemoryFormat = contiguous_format) -> bool:
    """Whether `array` is dense in the given format; the strides of axes of extent 1 do not count."""
    if memory_format is contiguous_format:
        return bool(array.flags.c_contiguous)
    if memory_format is not channels_last:
        raise ValueError(
            f"[is_contiguous] memory_format: expected contiguous_format or channels_last, got {memory_format}"
        )
    if array.ndim != 4:
        return False
    expected = array.itemsize
    for axis in (1, 3, 2, 0):
        extent = array.shape[axis]
        if extent != 1:
            if array.strides[axis] != expected:
                return False
            expected *= extent
    return True


def suggest_memory_format(array: np.ndarray) -> MemoryFormat:
    """The format for what is computed from `array`: channels_last only where the strides leave no doubt.

    Extents of 1 can fit both formats (C = 1, or H = W = 1). They go by their strides, and are contiguous
    where these do not tell either: the rule of `is_channels_last_strides_2d` in PyTorch's MemoryFormat.h.
    """
    strides = array.strides
    if len(strides) != 4 or strides[1] == 0 or 0 < strides[3] < strides[1]:
        return contiguous_format
    shape, least = array.shape, 0
    for axis in (1, 3, 2, 0):
        extent, stride = shape[axis], strides[axis]
        if extent == 0 or stride < least or (axis == 0 and least == strides[1]):
            return contiguous_format
        least = stride * max(extent, 1)
    return channels_last


def is_in(array: np.ndarray, memory_format: MemoryFormat) -> bool:
    """Whether `array` is dense in the format and its strides tell it. channels_last takes 4 axes: ValueError."""
    if memory_format is channels_last and array.ndim != 4:
        raise ValueError(f"[to] memory_format: expected 4 axes for channels_last, got shape {array.shape}")
    return is_contiguous(array, memory_format) and suggest_memory_format(array) is memory_format


def copy_in(array: np.ndarray, memory_format: MemoryFormat) -> np.ndarray:
    """A copy in the format, with strides that tell it."""
    out = empty_in(array.shape, array.dtype, memory_format)
    np.copyto(out, array)
    return out


def empty_in(shape: tuple[int, ...], dtype: np.dtype, memory_format: MemoryFormat) -> np.ndarray:
    """An uninitialised array in the given format."""
    if memory_format is not channels_last:
        return empty(shape, dtype)
    if len(shape) != 4:
        raise ValueError(f"[empty] memory_format: expected 4 axes for channels_last, got shape {shape}")
    return empty([shape[axis] for axis in _NHWC], dtype).transpose(0, 3, 1, 2)
