"""Arguments in the forms that people write them, turned into the one form that `_core` takes."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastdl import _core

Pair = tuple[int, int]
_LIMIT = 2**63  # of what 64 bits hold


def operand(op: str, name: str, value: Any) -> Any:
    """An array with a shape to look at: `value`, or a NumPy array of what __array_interface__ or DLPack tell of."""
    if hasattr(value, "shape"):
        return value
    return _core.as_array(op, name, value)


def integer(op: str, name: str, value: Any, expected: str = "an int") -> int:
    """What acts as an int, of 64 bits."""
    try:
        number = value if type(value) is int else operator.index(value)
    except TypeError:
        raise TypeError(f"[{op}] {name}: expected {expected}, got {value!r}") from None
    if not -_LIMIT <= number < _LIMIT:
        raise ValueError(f"[{op}] {name}: expected {expected} of 64 bits, got {value!r}")
    return number


def flag(op: str, name: str, value: Any) -> bool:
    """True or False, also NumPy's."""
    if value is True or value is False:
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    raise TypeError(f"[{op}] {name}: expected a bool, got {value!r}")


def number(op: str, name: str, value: Any) -> float:
    """What acts as a float."""
    if type(value) is float:
        return value
    if hasattr(value, "__float__"):  # strings have it not
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            pass
    raise TypeError(f"[{op}] {name}: expected a number, got {value!r}")


def numbers(op: str, **values: Any) -> list[Any]:
    """Each as `number`."""
    return [number(op, name, value) for name, value in values.items()]


def flags(op: str, **values: Any) -> list[Any]:
    """Each as `flag`."""
    return [flag(op, name, value) for name, value in values.items()]


def probability(op: str, name: str, value: Any) -> float:
    """A number in [0, 1]."""
    p = number(op, name, value)
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"[{op}] {name}: expected a value in [0, 1], got {value}")
    return p


def pair(op: str, name: str, value: int | Sequence[int]) -> Pair:
    """An int, or one or two of them, as (height, width)."""
    if type(value) is int and -_LIMIT <= value < _LIMIT:
        return value, value
    if type(value) is tuple and len(value) == 2:
        first, second = value
        if type(first) is type(second) is int and -_LIMIT <= first < _LIMIT and -_LIMIT <= second < _LIMIT:
            return value
    expected = "an int or a pair of ints"
    if not isinstance(value, tuple | list):
        single = integer(op, name, value, expected)
        return single, single
    if len(value) == 2:
        return integer(op, name, value[0], expected), integer(op, name, value[1], expected)
    if len(value) == 1:
        single = integer(op, name, value[0], expected)
        return single, single
    raise ValueError(f"[{op}] {name}: expected {expected}, got {value!r}")


_FIXED = frozenset((int, bool, float, str, type(None)))
"""Types whose objects never change."""
Remembered = dict[tuple[int, ...], tuple[Any, Any]]
"""Normalised arguments by the identities of what was given: equal objects are not the same, for 1.0, which is
refused, equals 1. It holds the objects, so that no others get their identities."""


def remember(known: Remembered, key: tuple[int, ...], given: tuple[Any, ...], normalised: Any) -> Any:
    """`normalised`, from now on to be found in `known`, unless one of what was given can change."""
    if all(
        type(value) in _FIXED or (type(value) is tuple and all(type(item) in _FIXED for item in value))
        for value in given
    ):
        if len(known) >= 256:  # somebody makes a new tuple for every call
            known.clear()
        known[key] = normalised, given
    return normalised


def shape(op: str, name: str, value: Any) -> tuple[int, ...]:
    """A sequence of ints."""
    expected = "a sequence of ints"
    try:
        items = tuple(value)
    except TypeError:
        raise TypeError(f"[{op}] {name}: expected {expected}, got {value!r}") from None
    return tuple(
        [
            item if type(item) is int and -_LIMIT <= item < _LIMIT else integer(op, name, item, expected)
            for item in items
        ]
    )


def pooling_window(op: str, kernel_size: Any, stride: Any, padding: Any) -> tuple[Pair, Pair, Pair]:
    """The three as pairs; without a stride windows stand side by side."""
    kernel = pair(op, "kernel_size", kernel_size)
    given = stride is not None and not (isinstance(stride, tuple | list) and len(stride) == 0)
    return kernel, pair(op, "stride", stride) if given else kernel, pair(op, "padding", padding)


_known_sizes: Remembered = {}


def adaptive_output_size(op: str, output_size: Any) -> tuple[int | None, int | None]:
    """An int for both, or an int or None for each."""
    found = _known_sizes.get((id(output_size),))
    if found is not None:
        return found[0]
    expected = "an int or a pair of ints or None"
    both = output_size if isinstance(output_size, tuple | list) else (output_size, output_size)
    if len(both) != 2:
        raise ValueError(f"[{op}] output_size: expected {expected}, got {output_size!r}")
    height, width = (
        None if size is None and both is output_size else integer(op, "output_size", size, expected)
        for size in both
    )
    return remember(_known_sizes, (id(output_size),), (output_size,), (height, width))


def convolution_padding(
    op: str, padding: int | Sequence[int] | str, kernel: Pair, stride: Pair, dilation: Pair
) -> tuple[Pair, Pair]:
    """Zeros before and behind the image. For 'same' an odd total leaves the extra one behind, as in PyTorch."""
    if not isinstance(padding, str):
        both = pair(op, "padding", padding)
        return both, both
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding != "same":
        raise ValueError(f"[{op}] padding: expected ints, 'same' or 'valid', got {padding!r}")
    if stride != (1, 1):
        raise ValueError(f"[{op}] padding: 'same' takes stride 1, got stride {stride}")
    total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    before = total[0] // 2, total[1] // 2
    return before, (total[0] - before[0], total[1] - before[1])


def convolution_kernel(op: str, weight: Any) -> Pair:
    """The height and the width of a convolution's weight."""
    extents = operand(op, "weight", weight).shape
    if len(extents) != 4:
        raise ValueError(f"[{op}] weight: expected (K, C / groups, R, S), got {tuple(extents)}")
    return extents[2], extents[3]


def loss_reduction(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """PyTorch's two older arguments, where given, decide."""
    if size_average is None and reduce is None:
        return reduction
    if reduce is False:
        return "none"
    return "sum" if size_average is False else "mean"


def known_reduction(op: str, reduction: Any) -> str:
    if not isinstance(reduction, str) or reduction not in ("none", "mean", "sum"):
        raise ValueError(f"[{op}] reduction: expected 'none', 'mean' or 'sum', got {reduction!r}")
    return reduction
