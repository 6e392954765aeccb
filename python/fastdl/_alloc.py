"""Where results of NumPy glue live: the large ones in the pool, so that steady state has no page fault."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastdl import _core

_COPY = 0
_OPERATIONS = {np.negative: 1, np.add: 2, np.subtract: 3, np.multiply: 4, np.divide: 5}  # of _core.arithmetic
POOLED_BYTES = 16384
"""From this size on the pool serves; below it NumPy's own allocation is quicker, and reuses memory too."""


def empty(shape: Sequence[int], dtype: Any) -> np.ndarray:
    """An uninitialised array in C order."""
    dtype = np.dtype(dtype)
    shape = tuple(shape)
    size = dtype.itemsize
    for extent in shape:
        size *= extent
    return _core.empty(shape, dtype) if size >= POOLED_BYTES else np.empty(shape, dtype)


def zeros(shape: Sequence[int], dtype: Any) -> np.ndarray:
    """An array of zeros in C order."""
    array = empty(shape, dtype)
    array.fill(0)
    return array


def empty_like(array: np.ndarray, dtype: Any = None) -> np.ndarray:
    """An uninitialised dense array with the axes of `array` in the same order in memory."""
    dtype = array.dtype if dtype is None else dtype
    if array.flags.c_contiguous or 0 in array.strides:
        return empty(array.shape, dtype)
    return empty_ordered(array.shape, array.strides, dtype)


def empty_ordered(shape: Sequence[int], strides: Sequence[int], dtype: Any) -> np.ndarray:
    """An uninitialised dense array whose axes lie in memory in the order that `strides` has them in."""
    order = sorted(range(len(shape)), key=lambda axis: -abs(strides[axis]))
    dense = empty([shape[axis] for axis in order], dtype)
    inverse = [0] * len(shape)
    for position, axis in enumerate(order):
        inverse[axis] = position
    return dense.transpose(inverse)


def copy_like(array: np.ndarray, like: np.ndarray) -> np.ndarray:
    """A copy of `array`, in the dtype and memory order of `like`."""
    out = empty_like(like) if like.shape == array.shape else empty(array.shape, like.dtype)
    return copy_to(out, array)


def copy_to(out: np.ndarray, array: np.ndarray) -> np.ndarray:
    """`out`, with the values of `array`, which broadcasts."""
    if out.nbytes < POOLED_BYTES or not _core.arithmetic(_COPY, out, array):
        np.copyto(out, array, casting="same_kind")
    return out


def out_for(*arrays: Any, dtype: Any = None) -> np.ndarray | None:
    """An `out=` for a ufunc on `arrays` (all of one dtype), None where NumPy may as well allocate it."""
    first = arrays[0]
    dtype = first.dtype if dtype is None else np.dtype(dtype)
    for other in arrays[1:]:
        if other.shape != first.shape:
            shape = np.broadcast_shapes(*(array.shape for array in arrays))
            for array in arrays:
                if array.shape == shape:
                    first = array
                    break
            else:
                return empty(shape, dtype)
            break
    if first.size * dtype.itemsize < POOLED_BYTES:
        return None
    return empty_like(first, dtype)


def into(ufunc: Any, *arrays: Any) -> np.ndarray:
    """`ufunc(*arrays)`, as an array even where it has no axes; the arrays have one floating dtype."""
    out = out_for(*arrays)
    if out is not None:
        return over(ufunc, out, *arrays)
    result = ufunc(*arrays)
    return np.asarray(result) if isinstance(result, np.generic) else result


def over(ufunc: Any, out: np.ndarray, *arrays: Any) -> np.ndarray:
    """`ufunc(*arrays, out=out)`, by the library's threads where `out` is large and they know how."""
    operation = _OPERATIONS.get(ufunc)
    if operation is None or out.nbytes < POOLED_BYTES or not _core.arithmetic(operation, out, *arrays):
        ufunc(*arrays, out=out)
    return out
