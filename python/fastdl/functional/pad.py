"""Padding: a border of constants, or of what the array itself holds."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastdl import _core
from fastdl._memory_format import channels_last, suggest_memory_format
from fastdl.autograd import Op
from fastdl.functional._arguments import Remembered, remember, shape

_NHWC = (0, 2, 3, 1)
_NCHW = (0, 3, 1, 2)


def _channels_behind(image: Any, pad: tuple[int, ...], mode: str) -> tuple[int, ...] | None:
    """`pad` for an image in channels_last taken as (N, H, W, C), None where it is padded as it stands.

    An edge mode then finds the three axes behind N that it takes without a batch.
    """
    if mode not in ("constant", "reflect", "replicate") or len(pad) not in (2, 4, 6, 8):
        return None
    if not isinstance(image, np.ndarray) or suggest_memory_format(image) is not channels_last:
        return None
    if mode != "constant" and len(pad) not in (4, 6):
        return None
    every = pad + (0,) * (8 - len(pad))
    moved = every[4:6] + every[:4]
    return moved + every[6:] if any(every[6:]) else moved


def _padded(input: Any, pad: tuple[int, ...], mode: str, value: Any) -> Any:
    moved = _channels_behind(input, pad, mode)
    if moved is not None:
        with contextlib.suppress(ValueError):  # the call below tells it in the shapes that were given
            return _core.pad_forward(input.transpose(_NHWC), moved, mode, value).transpose(_NCHW)
    return _core.pad_forward(input, pad, mode, value)


class Pad(Op):
    fresh = True

    @staticmethod
    def forward(ctx: Any, input: Any, pad: tuple[int, ...], mode: str, value: Any) -> Any:
        output = _padded(input, pad, mode, value)
        if ctx.needs_input_grad[0]:
            ctx.geometry = tuple(input.shape), pad, mode
        return output

    @staticmethod
    def backward(ctx: Any, grad_output: Any) -> Any:
        size, pad, mode = ctx.geometry
        moved = _channels_behind(grad_output, pad, mode)
        if moved is None:
            return _core.pad_backward(grad_output, size, pad, mode), None, None, None
        behind = tuple(size[axis] for axis in _NHWC)
        grad = _core.pad_backward(grad_output.transpose(_NHWC), behind, moved, mode)
        return grad.transpose(_NCHW), None, None, None


_known: Remembered = {}


def pad(input: Any, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Any:
    """Adds a border to the last axes of `input`, or, where `pad` is negative, takes one away.

    Args:
        input: float32, float64, int64, int32, uint8 or bool. With mode 'constant' any shape; otherwise
            (N, C, d...) or (C, d...) with one to three axes d, all of which `pad` names.
        pad: how much before and behind the last axis, then the last but one, and so on.
        mode: 'constant'; 'reflect', which mirrors at the edge without repeating it and takes less than the
            axis has; 'replicate', which repeats the edge; 'circular', which goes on at the other side and
            takes at most what the axis has.
        value: what mode 'constant' fills in; None is 0.

    Returns:
        An array with each named axis longer by its two values; of an image in channels_last, in that format,
        but for mode 'circular'.

    Raises:
        ValueError: an odd number of values, more of them than the axes take, values that mode does not allow
            for the axis, an unknown mode, a value outside the dtype's range or one given to another mode.
        TypeError: other dtypes, values of pad that are not ints.
    """
    found = _known.get((id(pad),))
    sizes = remember(_known, (id(pad),), (pad,), shape("pad", "pad", pad)) if found is None else found[0]
    if mode != "constant" and value:
        raise ValueError(f"[pad] value: expected None with mode {mode!r}, got {value!r}")
    return Pad.apply(input, sizes, mode, value)


def pad_backward(
    grad_output: Any, input_size: Sequence[int], pad: Sequence[int], mode: str = "constant"
) -> Any:
    """The gradient of `pad` with respect to its input of shape `input_size`, on arrays."""
    size = shape("pad", "input_size", input_size)
    return _core.pad_backward(grad_output, size, shape("pad", "pad", pad), mode)
