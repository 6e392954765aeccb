"""Tensors from data, filled with a value, or drawn at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastdl import random
from fastdl._alloc import empty as _empty
from fastdl._alloc import empty_like as _empty_like
from fastdl._memory_format import MemoryFormat, contiguous_format, empty_in, preserve_format
from fastdl.tensor import Tensor

_FLOAT32 = np.dtype(np.float32)


def _check_device(op: str, device: Any) -> None:
    if device is not None and str(device).partition(":")[0] != "cpu":
        raise ValueError(f"[{op}] device: expected cpu, got {device}")


def _to_array(data: Any, dtype: Any) -> np.ndarray:
    """An array that may share memory; Python floats become float32, arrays keep their dtype."""
    if isinstance(data, Tensor):
        data = data.data
    if isinstance(data, np.ndarray):
        return data if dtype is None else data.astype(dtype, copy=False)
    if isinstance(data, list | tuple):
        data = [_unwrapped(item) for item in data]
    keep = isinstance(data, np.generic) or hasattr(data, "__array__")
    if isinstance(data, list) and data and isinstance(_first(data), np.ndarray):
        keep = True
    array = np.asarray(data)
    if dtype is None and not keep:
        if array.dtype == np.float64:
            dtype = _FLOAT32
        elif array.dtype.kind in "iu":
            dtype = np.int64
    if array.dtype.kind not in "biufV":
        raise TypeError(f"[tensor] data: expected numbers, got {array.dtype}")
    return array if dtype is None else array.astype(dtype, copy=False)


def _unwrapped(item: Any) -> Any:
    if isinstance(item, Tensor):
        return item.data
    return [_unwrapped(part) for part in item] if isinstance(item, list | tuple) else item


def _first(data: Any) -> Any:
    while isinstance(data, list) and data:
        data = data[0]
    return data


def _made(array: np.ndarray, requires_grad: bool) -> Tensor:
    result = Tensor(array)
    return result.requires_grad_() if requires_grad else result


def tensor(data: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A Tensor with a copy of `data`: numbers, nested lists of them, arrays.

    Python floats make float32, integers int64; arrays keep their dtype.
    """
    _check_device("tensor", device)
    array = _to_array(data, dtype)
    out = _empty_like(array)
    np.copyto(out, array)
    return _made(out, requires_grad)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """`data` as a Tensor: a Tensor of the dtype itself, an array of the dtype shared, all else copied."""
    _check_device("as_tensor", device)
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(dtype)
    return Tensor(_to_array(data, dtype))


def from_numpy(array: np.ndarray) -> Tensor:
    """A Tensor that shares the memory of a NumPy array."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"[from_numpy] array: expected np.ndarray, got {type(array).__name__}")
    return Tensor(array)


def from_dlpack(source: Any) -> Tensor:
    """A Tensor that shares the memory of an object that speaks DLPack on the CPU."""
    return Tensor(np.from_dlpack(source))


def _size(size: tuple[Any, ...]) -> tuple[int, ...]:
    given = tuple(size[0]) if len(size) == 1 and isinstance(size[0], Sequence) else size
    found = tuple(int(extent.__index__()) for extent in given)
    if min(found, default=0) < 0:
        raise ValueError(f"[empty] size: expected non-negative extents, got {found}")
    return found


def empty(
    *size: Any, dtype: Any = _FLOAT32, device: Any = None, requires_grad: bool = False,
    memory_format: MemoryFormat = contiguous_format,
) -> Tensor:  # fmt: skip
    """An uninitialised Tensor."""
    _check_device("empty", device)
    return _made(
        empty_in(_size(size), np.dtype(_FLOAT32 if dtype is None else dtype), memory_format), requires_grad
    )


def full(
    size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A Tensor of one value; its dtype is that of the value."""
    _check_device("full", device)
    value = _to_array(fill_value, dtype)
    out = _empty(_size((size,)), value.dtype)
    out[...] = value
    return _made(out, requires_grad)


def zeros(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A Tensor of zeros."""
    return full(_size(size), 0.0, dtype=dtype or _FLOAT32, device=device, requires_grad=requires_grad)


def ones(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A Tensor of ones."""
    return full(_size(size), 1.0, dtype=dtype or _FLOAT32, device=device, requires_grad=requires_grad)


def eye(n: int, m: int | None = None, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A matrix with ones on the diagonal."""
    return _made(np.eye(n, m, dtype=dtype or _FLOAT32), requires_grad)


def arange(
    start: Any, end: Any = None, step: Any = 1, *, dtype: Any = None, requires_grad: bool = False
) -> Tensor:
    """Numbers from `start` (0 where only `end` is given) up to and without `end`."""
    if end is None:
        start, end = 0, start
    if step == 0:
        raise ValueError("[arange] step: expected a non-zero number, got 0")
    if dtype is None:
        dtype = (
            np.int64 if all(isinstance(value, int | np.integer) for value in (start, end, step)) else _FLOAT32
        )
    return _made(np.arange(start, end, step).astype(dtype), requires_grad)


def linspace(
    start: float, end: float, steps: int, *, dtype: Any = None, requires_grad: bool = False
) -> Tensor:
    """`steps` numbers at equal distances from `start` to `end`, both included."""
    return _made(np.linspace(start, end, steps).astype(dtype or _FLOAT32), requires_grad)


def _like(input: Any, dtype: Any, memory_format: MemoryFormat) -> np.ndarray:
    array = input.data if isinstance(input, Tensor) else input
    if memory_format is preserve_format:
        return _empty_like(array, None if dtype is None else np.dtype(dtype))
    return empty_in(array.shape, np.dtype(dtype or array.dtype), memory_format)


def empty_like(
    input: Any,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
    memory_format: MemoryFormat = preserve_format,
) -> Tensor:
    """An uninitialised Tensor of the shape, dtype and memory format of `input`."""
    return _made(_like(input, dtype, memory_format), requires_grad)


def full_like(
    input: Any, fill_value: Any, *, dtype: Any = None, requires_grad: bool = False,
    memory_format: MemoryFormat = preserve_format,
) -> Tensor:  # fmt: skip
    """A Tensor of one value, like `input`."""
    out = _like(input, dtype, memory_format)
    out[...] = fill_value
    return _made(out, requires_grad)


def zeros_like(input: Any, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A Tensor of zeros, like `input`."""
    return full_like(input, 0, dtype=dtype, requires_grad=requires_grad)


def ones_like(input: Any, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A Tensor of ones, like `input`."""
    return full_like(input, 1, dtype=dtype, requires_grad=requires_grad)


def rand(*size: Any, dtype: Any = None, requires_grad: bool = False, generator: Any = None) -> Tensor:
    """Numbers drawn evenly from [0, 1)."""
    return _made(random.uniform(_size(size), dtype=dtype or _FLOAT32, generator=generator), requires_grad)


def randn(*size: Any, dtype: Any = None, requires_grad: bool = False, generator: Any = None) -> Tensor:
    """Numbers of the standard normal distribution."""
    return _made(random.normal(_size(size), dtype=dtype or _FLOAT32, generator=generator), requires_grad)


def rand_like(input: Any, *, dtype: Any = None, generator: Any = None) -> Tensor:
    """`rand` of the shape and dtype of `input`."""
    return rand(tuple(input.shape), dtype=dtype or input.dtype, generator=generator)


def randn_like(input: Any, *, dtype: Any = None, generator: Any = None) -> Tensor:
    """`randn` of the shape and dtype of `input`."""
    return randn(tuple(input.shape), dtype=dtype or input.dtype, generator=generator)


def randint(
    low: int, high: Any = None, size: Any = None, *, dtype: Any = np.int64, generator: Any = None
) -> Tensor:
    """Integers from `low` (0 where it is left out) up to and without `high`."""
    if size is None:
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    if not low < high:
        raise ValueError(f"[randint] low, high: expected low < high, got {low} and {high}")
    drawn = (generator or random.default_generator).draw().integers(low, high, _size((size,)))
    return Tensor(drawn.astype(dtype, copy=False))


def randperm(n: int, *, generator: Any = None) -> Tensor:
    """The integers from 0 to ``n - 1`` in random order."""
    return Tensor((generator or random.default_generator).draw().permutation(n).astype(np.int64, copy=False))


def allclose(
    input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> bool:
    """Whether ``|input - other| <= atol + rtol * |other|`` everywhere."""
    left, right = (value.data if isinstance(value, Tensor) else value for value in (input, other))
    return bool(np.allclose(left, right, rtol=rtol, atol=atol, equal_nan=equal_nan))


def equal(input: Any, other: Any) -> bool:
    """Whether shapes and all values are equal."""
    left, right = (value.data if isinstance(value, Tensor) else value for value in (input, other))
    return bool(np.array_equal(left, right))


def is_tensor(obj: Any) -> bool:
    """Whether `obj` is a Tensor."""
    return isinstance(obj, Tensor)
