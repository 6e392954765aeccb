"""What the arithmetic glue shares: PyTorch's type promotion, and the gradient of broadcasting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastdl._alloc import empty
from fastdl.functional._arguments import integer

FLOAT32 = np.dtype(np.float32)
silent: Any = np.errstate(all="ignore")
"""A decorator for what may meet infinities, on which PyTorch does not warn either."""


def _category(dtype: Any) -> int:
    return "biufV".index(dtype.kind.replace("u", "i")) if dtype.kind in "biufV" else 9


def result_type(*operands: Any) -> Any:
    """The dtype of arithmetic on arrays and Python numbers, as PyTorch has it.

    Floating beats integer beats boolean whatever their widths; within a kind, arrays with axes beat those
    without, which beat Python numbers.
    """
    ranked: list[tuple[int, int, Any]] = []
    for operand in operands:
        if isinstance(operand, np.ndarray | np.generic) and not isinstance(operand, float):
            check_unmasked("result_type", "operand", operand)
            ranked.append((2 if operand.ndim else 1, _category(operand.dtype), operand.dtype))
        elif isinstance(operand, bool):
            ranked.append((0, 0, np.dtype(bool)))
        elif isinstance(operand, int):
            ranked.append((0, 1, np.dtype(np.int64)))
        elif isinstance(operand, float):
            ranked.append((0, 3, FLOAT32))
        else:
            raise TypeError(
                f"[result_type] operand: expected an array or a number, got {type(operand).__name__}"
            )
    category = max(rank[1] for rank in ranked)
    best = max(rank[0] for rank in ranked if rank[1] == category)
    found = None
    for strength, kind, dtype in ranked:
        if strength == best and kind == category:
            found = dtype if found is None or found == dtype else np.promote_types(found, dtype)
    return found


def operands(*values: Any) -> tuple[np.ndarray, ...]:
    """Arrays of one dtype from arrays and Python numbers, which wrap round in a dtype that they do not fit."""
    first = values[0]
    if type(first) is np.ndarray and all(
        type(other) is np.ndarray and other.dtype is first.dtype for other in values[1:]
    ):
        return values
    dtype = result_type(*values)
    try:
        return tuple([np.asarray(value, dtype=dtype) for value in values])
    except OverflowError:
        return tuple(_wrapped(value, dtype) for value in values)


def _wrapped(value: Any, dtype: np.dtype) -> np.ndarray:
    if type(value) is int and dtype.kind in "iu" and -(2**63) <= value < 2**64:
        value = np.asarray(value % 2**64, np.uint64).astype(dtype)
    return np.asarray(value, dtype=dtype)


def exact_operands(op: str, *values: Any) -> tuple[np.ndarray, ...]:
    """As `operands`, but ValueError where a Python number does not fit: what is chosen keeps its value."""
    arrays = operands(*values)
    for value, array in zip(values, arrays, strict=True):
        if type(value) is int and array.dtype.kind in "iu" and array != value:
            raise ValueError(f"[{op}] expected numbers in the range of {array.dtype}, got {value}")
    return arrays


def to_float(array: Any) -> np.ndarray:
    """`array`, or a float32 copy of an integer or boolean one."""
    check_unmasked("to_float", "input", array)
    array = np.asarray(array)
    if array.dtype.kind in "fV":
        return array
    if array.dtype.kind not in "biu":
        raise TypeError(f"[to_float] input: expected numbers, got {array.dtype}")
    return array.astype(FLOAT32)


def check_unmasked(op: str, name: str, array: Any) -> None:
    """TypeError for numpy.ma's arrays, whose mask no op looks at."""
    if type(array) is not np.ndarray and hasattr(array, "mask") and hasattr(array, "fill_value"):
        raise TypeError(f"[{op}] {name}: expected an array without a mask, got {type(array).__name__}")


def is_number(value: Any) -> bool:
    """Whether `value` is a Python number, which has no shape and no dtype of its own."""
    return type(value) in (bool, int, float)


def check_arrays(op: str, **arguments: Any) -> None:
    """TypeError where one of the arguments is a Python number."""
    for name, value in arguments.items():
        if is_number(value):
            raise TypeError(f"[{op}] {name}: expected an array, got the number {value}")


def check_divisor(op: str, divisor: np.ndarray) -> None:
    """ValueError where an integer divisor is zero."""
    if divisor.dtype.kind in "biu" and not divisor.all():
        raise ValueError(f"[{op}] other: expected non-zero integers, got a zero")


def spec(value: Any) -> Any:
    """What backward must know of an operand to give its gradient the right shape and dtype."""
    return (value.shape, value.dtype) if isinstance(value, np.ndarray) else ((), None)


def sum_to(grad: np.ndarray, target: tuple[tuple[int, ...], Any]) -> np.ndarray:
    """Adds up a gradient over the axes that broadcasting made, and casts it to the operand's dtype."""
    shape, dtype = target
    if grad.shape != shape:
        lead = grad.ndim - len(shape)
        axes = tuple(range(lead)) + tuple(
            axis + lead for axis, extent in enumerate(shape) if extent == 1 and grad.shape[axis + lead] != 1
        )
        grad = np.asarray(grad.sum(axis=axes, keepdims=True, dtype=grad.dtype)).reshape(shape)
    if dtype is not None and grad.dtype != dtype:
        grad = grad.astype(dtype)
    return grad


class ValuesIndices(NamedTuple):
    """What max, min, sort and topk along an axis return."""

    values: Any
    indices: Any


def normalize_axis(op: str, axis: int, ndim: int) -> int:
    """`axis` counted from the front. Raises IndexError, as PyTorch does."""
    axis, bound = integer(op, "dim", axis), max(ndim, 1)
    if not -bound <= axis < bound:
        raise IndexError(f"[{op}] dim: expected a value in [{-bound}, {bound - 1}], got {axis}")
    return axis % bound


def normalize_axes(op: str, dim: Any, ndim: int) -> tuple[int, ...]:
    """Sorted axes from None (all), an int or a sequence of ints."""
    if dim is None or (isinstance(dim, Sequence) and len(dim) == 0):
        return tuple(range(ndim))
    given = (dim,) if isinstance(dim, int | np.integer) else tuple(dim)
    axes = tuple(normalize_axis(op, axis, ndim) for axis in given)
    if len(set(axes)) != len(axes):
        raise ValueError(f"[{op}] dim: expected distinct axes, got {tuple(dim)}")
    return tuple(sorted(axes)) if ndim else ()


def reduce_into(
    ufunc: Any, array: np.ndarray, axes: tuple[int, ...], keepdim: bool, dtype: Any = None
) -> np.ndarray:
    """`ufunc.reduce` over `axes`, its result in the pool where it is large."""
    shape = tuple(1 if axis in axes else extent for axis, extent in enumerate(array.shape))
    out = empty(shape, array.dtype if dtype is None else dtype)
    ufunc.reduce(array, axis=axes, keepdims=True, out=out, dtype=dtype)
    return (
        out
        if keepdim
        else out.reshape([extent for axis, extent in enumerate(array.shape) if axis not in axes])
    )


def restore_axes(array: np.ndarray, axes: tuple[int, ...], keepdim: bool) -> np.ndarray:
    """A reduction's gradient with the reduced axes put back as axes of extent 1."""
    return array if keepdim else np.expand_dims(array, axes)
