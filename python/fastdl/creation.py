"""Tensors from data, filled with a value, or drawn at random."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastdl import random
from fastdl._alloc import empty as _empty
from fastdl._alloc import empty_like as _empty_like
from fastdl._memory_format import MemoryFormat, contiguous_format, empty_in, preserve_format
from fastdl.functional._operands import check_unmasked
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
        check_unmasked("tensor", "data", data)
        return data if dtype is None else data.astype(dtype, copy=False)
    if hasattr(data, "__dlpack__") and not hasattr(data, "__array__"):
        data = np.from_dlpack(data)
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
    given = size[0] if len(size) == 1 and isinstance(size[0], Sequence) else size
    try:
        found = tuple(operator.index(extent) for extent in given)
    except TypeError:
        got = size[0] if len(size) == 1 else size
        raise TypeError(f"[empty] size: expected integers, got {got!r}") from None
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


def eye(
    n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A matrix with ones on the diagonal."""
    _check_device("eye", device)
    if n < 0 or (m is not None and m < 0):
        raise ValueError(f"[eye] n, m: expected non-negative sizes, got {n} and {m}")
    return _made(np.eye(n, m, dtype=dtype or _FLOAT32), requires_grad)


def arange(
    start: Any, end: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Numbers from `start` (0 where only `end` is given) up to and without `end`."""
    _check_device("arange", device)
    if end is None:
        start, end = 0, start
    if step == 0:
        raise ValueError("[arange] step: expected a non-zero number, got 0")
    if not (math.isfinite(start) and math.isfinite(end)):
        raise ValueError(f"[arange] start, end: expected finite numbers, got {start} and {end}")
    if (end - start) * step < 0:
        raise ValueError(f"[arange] step: expected the sign of end - start, got {step} for {start} to {end}")
    if dtype is None:
        dtype = (
            np.int64 if all(isinstance(value, int | np.integer) for value in (start, end, step)) else _FLOAT32
        )
    if np.dtype(dtype).kind in "iu":  # PyTorch rounds before it counts
        start, end, step = int(start), int(end), int(step)
    return _made(np.arange(start, end, step).astype(dtype), requires_grad)


def linspace(
    start: Any, end: Any, steps: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """`steps` numbers at equal distances from `start` to `end`, both included."""
    _check_device("linspace", device)
    for name, bound in (("start", start), ("end", end)):
        if np.ndim(bound.data if isinstance(bound, Tensor) else bound):
            raise ValueError(f"[linspace] {name}: expected a number, got shape {tuple(bound.shape)}")
    steps = operator.index(steps)
    if steps < 0:
        raise ValueError(f"[linspace] steps: expected a non-negative number, got {steps}")
    first, last = float(start), float(end)
    if np.dtype(dtype or _FLOAT32).kind in "iu":
        first, last = float(int(start)), float(int(end))
    # from both ends, as PyTorch: the second half is exact at the end, where integers are cut
    at, step = np.arange(steps), (last - first) / (steps - 1) if steps > 1 else 0.0
    values = np.where(at < (steps + 1) // 2, first + step * at, last - step * (steps - 1 - at))
    return _made(values.astype(dtype or _FLOAT32), requires_grad)


def _like(input: Any, dtype: Any, memory_format: MemoryFormat) -> np.ndarray:
    array = input.data if isinstance(input, Tensor) else input
    if memory_format is preserve_format:
        return _empty_like(array, None if dtype is None else np.dtype(dtype))
    return empty_in(array.shape, np.dtype(dtype or array.dtype), memory_format)


def empty_like(
    input: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: MemoryFormat = preserve_format,
) -> Tensor:
    """An uninitialised Tensor of the shape, dtype and memory format of `input`."""
    _check_device("empty_like", device)
    return _made(_like(input, dtype, memory_format), requires_grad)


def full_like(
    input: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False,
    memory_format: MemoryFormat = preserve_format,
) -> Tensor:  # fmt: skip
    """A Tensor of one value, like `input`."""
    _check_device("full_like", device)
    out = _like(input, dtype, memory_format)
    out[...] = fill_value
    return _made(out, requires_grad)


def zeros_like(
    input: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False,
    memory_format: MemoryFormat = preserve_format,
) -> Tensor:  # fmt: skip
    """A Tensor of zeros, like `input`."""
    return full_like(
        input, 0, dtype=dtype, device=device, requires_grad=requires_grad, memory_format=memory_format
    )


def ones_like(
    input: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False,
    memory_format: MemoryFormat = preserve_format,
) -> Tensor:  # fmt: skip
    """A Tensor of ones, like `input`."""
    return full_like(
        input, 1, dtype=dtype, device=device, requires_grad=requires_grad, memory_format=memory_format
    )


def rand(
    *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, generator: Any = None
) -> Tensor:
    """Numbers drawn evenly from [0, 1)."""
    _check_device("rand", device)
    return _made(random.uniform(_size(size), dtype=dtype or _FLOAT32, generator=generator), requires_grad)


def randn(
    *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, generator: Any = None
) -> Tensor:
    """Numbers of the standard normal distribution."""
    _check_device("randn", device)
    return _made(random.normal(_size(size), dtype=dtype or _FLOAT32, generator=generator), requires_grad)


def rand_like(
    input: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, generator: Any = None,
    memory_format: MemoryFormat = preserve_format,
) -> Tensor:  # fmt: skip
    """`rand` of the shape, dtype and memory format of `input`."""
    drawn = rand(tuple(input.shape), dtype=dtype or input.dtype, device=device, generator=generator)
    return _drawn_like(input, drawn, requires_grad, memory_format)


def randn_like(
    input: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, generator: Any = None,
    memory_format: MemoryFormat = preserve_format,
) -> Tensor:  # fmt: skip
    """`randn` of the shape, dtype and memory format of `input`."""
    drawn = randn(tuple(input.shape), dtype=dtype or input.dtype, device=device, generator=generator)
    return _drawn_like(input, drawn, requires_grad, memory_format)


def _drawn_like(input: Any, drawn: Tensor, requires_grad: bool, memory_format: MemoryFormat) -> Tensor:
    out = _like(input, drawn.dtype, memory_format)
    np.copyto(out, drawn.data)
    return _made(out, requires_grad)


def randint(
    low: int, high: Any = None, size: Any = None, *, dtype: Any = np.int64, device: Any = None,
    requires_grad: bool = False, generator: Any = None,
) -> Tensor:  # fmt: skip
    """Integers from `low` (0 where it is left out) up to and without `high`."""
    _check_device("randint", device)
    if size is None:
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    if not low < high:
        raise ValueError(f"[randint] low, high: expected low < high, got {low} and {high}")
    drawn = (generator or random.default_generator).draw().integers(low, high, _size((size,)))
    return _made(drawn.astype(dtype, copy=False), requires_grad)


def randperm(n: int, *, dtype: Any = np.int64, device: Any = None, generator: Any = None) -> Tensor:
    """The integers from 0 to ``n - 1`` in random order."""
    _check_device("randperm", device)
    return Tensor((generator or random.default_generator).draw().permutation(n).astype(dtype, copy=False))


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
