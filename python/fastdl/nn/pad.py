"""Padding as layers."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from fastdl.functional.pad import pad
from fastdl.nn.module import Module


class _Pad(Module):
    """Pads the last `axes` axes; `padding` is an int for all sides, or as `fastdl.functional.pad` has it."""

    axes: int
    mode = "constant"
    value: float | None = None

    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__()
        name = type(self).__name__
        try:
            if isinstance(padding, Sequence):
                sides = tuple(operator.index(side) for side in padding)
            else:
                sides = (operator.index(padding),) * (2 * self.axes)
        except TypeError:
            raise TypeError(
                f"[{name}] padding: expected an int or {2 * self.axes}, got {padding!r}"
            ) from None
        if len(sides) != 2 * self.axes:
            raise ValueError(f"[{name}] padding: expected an int or {2 * self.axes}, got {padding!r}")
        self.padding = sides

    def forward(self, input: Any) -> Any:
        return pad(input, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """Pads the last axis with `value`."""

    axes = 1


class ConstantPad2d(_ConstantPad):
    """Pads the last two axes with `value`."""

    axes = 2


class ConstantPad3d(_ConstantPad):
    """Pads the last three axes with `value`."""

    axes = 3


class _ZeroPad(_Pad):
    value = 0.0


class ZeroPad1d(_ZeroPad):
    """Pads the last axis with zeros."""

    axes = 1


class ZeroPad2d(_ZeroPad):
    """Pads the last two axes with zeros."""

    axes = 2


class ZeroPad3d(_ZeroPad):
    """Pads the last three axes with zeros."""

    axes = 3


class _ReflectionPad(_Pad):
    mode = "reflect"


class ReflectionPad1d(_ReflectionPad):
    """Mirrors (N, C, W) or (C, W) at its edges, which are not repeated."""

    axes = 1


class ReflectionPad2d(_ReflectionPad):
    """Mirrors (N, C, H, W) or (C, H, W) at its edges, which are not repeated."""

    axes = 2


class ReflectionPad3d(_ReflectionPad):
    """Mirrors (N, C, D, H, W) or (C, D, H, W) at its edges, which are not repeated."""

    axes = 3


class _ReplicationPad(_Pad):
    mode = "replicate"


class ReplicationPad1d(_ReplicationPad):
    """Repeats the edges of (N, C, W) or (C, W)."""

    axes = 1


class ReplicationPad2d(_ReplicationPad):
    """Repeats the edges of (N, C, H, W) or (C, H, W)."""

    axes = 2


class ReplicationPad3d(_ReplicationPad):
    """Repeats the edges of (N, C, D, H, W) or (C, D, H, W)."""

    axes = 3


class _CircularPad(_Pad):
    mode = "circular"


class CircularPad1d(_CircularPad):
    """Goes on at the other side of (N, C, W) or (C, W)."""

    axes = 1


class CircularPad2d(_CircularPad):
    """Goes on at the other side of (N, C, H, W) or (C, H, W)."""

    axes = 2


class CircularPad3d(_CircularPad):
    """Goes on at the other side of (N, C, D, H, W) or (C, D, H, W)."""

    axes = 3
