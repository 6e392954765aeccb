"""Arguments in the forms that people write them, turned into the one form that `_core` takes."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

Pair = tuple[int, int]


def pair(op: str, name: str, value: int | Sequence[int]) -> Pair:
    """An int, or one or two of them, as (height, width)."""
    try:
        if isinstance(value, tuple | list):
            values = [operator.index(item) for item in value]
            if len(values) == 1:
                values *= 2
            if len(values) == 2:
                return values[0], values[1]
            raise ValueError(f"[{op}] {name}: expected an int or a pair of ints, got {value!r}")
        single = operator.index(value)  # type: ignore[arg-type]
        return single, single
    except TypeError:
        raise TypeError(f"[{op}] {name}: expected an int or a pair of ints, got {value!r}") from None


def shape(op: str, name: str, value: Any) -> tuple[int, ...]:
    """A sequence of ints."""
    try:
        return tuple(operator.index(item) for item in value)
    except TypeError:
        raise TypeError(f"[{op}] {name}: expected a sequence of ints, got {value!r}") from None


def pooling_window(op: str, kernel_size: Any, stride: Any, padding: Any) -> tuple[Pair, Pair, Pair]:
    """The three as pairs; without a stride windows stand side by side."""
    kernel = pair(op, "kernel_size", kernel_size)
    given = stride is not None and not (isinstance(stride, tuple | list) and len(stride) == 0)
    return kernel, pair(op, "stride", stride) if given else kernel, pair(op, "padding", padding)


def adaptive_output_size(op: str, output_size: Any) -> tuple[int | None, int | None]:
    """An int for both, or an int or None for each."""
    try:
        if isinstance(output_size, tuple | list):
            height, width = (None if size is None else operator.index(size) for size in output_size)
            return height, width
        both = operator.index(output_size)
        return both, both
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"[{op}] output_size: expected an int or a pair of ints or None, got {output_size!r}"
        ) from None


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


def loss_reduction(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """PyTorch's two older arguments, where given, decide."""
    if size_average is None and reduce is None:
        return reduction
    if reduce is False:
        return "none"
    return "sum" if size_average is False else "mean"


def probability(op: str, name: str, value: float) -> float:
    """A number in [0, 1]."""
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"[{op}] {name}: expected a value in [0, 1], got {value}")
    return float(value)
