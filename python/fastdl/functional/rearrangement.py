"""Elements in another order, or several times over: always copies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastdl.autograd import Op
from fastdl.functional._operands import normalize_axes, normalize_axis
from fastdl.functional.shape import _copied, _sizes, flatten


class Flip(Op):
    @staticmethod
    def forward(ctx: Any, input: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        ctx.axes = axes
        return _copied(np.flip(np.asarray(input), axes))

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        return np.flip(grad, ctx.axes), None


class Roll(Op):
    @staticmethod
    def forward(ctx: Any, input: np.ndarray, shifts: Any, axes: Any) -> np.ndarray:
        ctx.shifts, ctx.axes = shifts, axes
        return np.roll(np.asarray(input), shifts, axes)

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        shifts = ctx.shifts
        back = tuple(-shift for shift in shifts) if isinstance(shifts, tuple) else -shifts
        return np.roll(grad, back, ctx.axes), None, None


class Tile(Op):
    @staticmethod
    def forward(ctx: Any, input: np.ndarray, repeats: tuple[int, ...]) -> np.ndarray:
        x = np.asarray(input)
        if len(repeats) < x.ndim:
            raise ValueError(
                f"[repeat] repeats: expected at least {x.ndim} for shape {x.shape}, got {repeats}"
            )
        shape = (1,) * (len(repeats) - x.ndim) + x.shape
        ctx.shape, ctx.padded, ctx.repeats = x.shape, shape, repeats
        return np.tile(x, repeats)

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        split = [extent for pair in zip(ctx.repeats, ctx.padded, strict=True) for extent in pair]
        total = grad.reshape(split).sum(axis=tuple(range(0, len(split), 2)), dtype=grad.dtype)
        return np.asarray(total).reshape(ctx.shape), None


class RepeatInterleave(Op):
    @staticmethod
    def forward(ctx: Any, input: np.ndarray, repeats: Any, axis: int) -> np.ndarray:
        x = np.asarray(input)
        counts = np.broadcast_to(np.asarray(repeats, dtype=np.int64), x.shape[axis : axis + 1])
        ctx.shape, ctx.axis = x.shape, axis
        ctx.save(np.repeat(np.arange(x.shape[axis]), counts))
        return np.repeat(x, counts, axis)

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        out = np.zeros(ctx.shape, grad.dtype)
        np.add.at(np.moveaxis(out, ctx.axis, 0), ctx.saved[0], np.moveaxis(grad, ctx.axis, 0))
        return out, None, None


def flip(input: Any, *axes: Any, dims: Any = None) -> Any:
    """A copy with the order along some axes reversed, given one by one or as `dims`."""
    given = _sizes("flip", axes if dims is None else (dims,))
    return Flip.apply(input, normalize_axes("flip", given, len(input.shape)) if given else ())


def roll(input: Any, shifts: Any, dims: Any = None) -> Any:
    """A copy with elements shifted round along `dims` (None: in the flattened array)."""
    by = tuple(shifts) if isinstance(shifts, Sequence) else (shifts,)
    given = () if dims is None else tuple(dims) if isinstance(dims, Sequence) else (dims,)
    if len(by) != len(given) and not (len(by) == 1 and not given):
        raise ValueError(f"[roll] shifts, dims: expected one shift for each of dims, got {shifts} and {dims}")
    if not given:
        return Roll.apply(input, by[0], None)
    return Roll.apply(input, by, tuple(normalize_axis("roll", axis, len(input.shape)) for axis in given))


def repeat(input: Any, *repeats: Any) -> Any:
    """`input` tiled `repeats` times along each axis, new ones in front."""
    return Tile.apply(input, _sizes("repeat", repeats))


def tile(input: Any, *dims: Any) -> Any:
    """As `repeat`, with missing counts taken as 1."""
    counts = _sizes("tile", dims)
    return Tile.apply(input, (1,) * (len(input.shape) - len(counts)) + counts)


def repeat_interleave(
    input: Any, repeats: Any, dim: int | None = None, *, output_size: int | None = None
) -> Any:
    """Each element along `dim` (None: of the flattened array) repeated on the spot; one count or one each.

    `output_size`, where given, must be what the counts add up to.
    """
    if dim is None:
        input, dim = flatten(input), 0
    out = RepeatInterleave.apply(input, repeats, normalize_axis("repeat_interleave", dim, len(input.shape)))
    if output_size is not None and out.shape[dim] != output_size:
        raise ValueError(f"[repeat_interleave] output_size: expected {out.shape[dim]}, got {output_size}")
    return out


__all__ = [
    "flip", "repeat", "repeat_interleave", "roll", "tile",
]  # fmt: skip
