"""Padding: a border of constants, or of what the array itself holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastdl import _core
from fastdl.autograd import Op
from fastdl.functional._arguments import shape


class Pad(Op):
    fresh = True

    @staticmethod
    def forward(ctx: Any, input: Any, pad: tuple[int, ...], mode: str, value: Any) -> Any:
        output = _core.pad_forward(input, pad, mode, value)
        if ctx.needs_input_grad[0]:
            ctx.geometry = tuple(input.shape), pad, mode
        return output

    @staticmethod
    def backward(ctx: Any, grad_output: Any) -> Any:
        return _core.pad_backward(grad_output, *ctx.geometry), None, None, None


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
        An array with each named axis longer by its two values.

    Raises:
        ValueError: an odd number of values, more of them than the axes take, values that mode does not allow
            for the axis, an unknown mode, a value outside the dtype's range or one given to another mode.
        TypeError: other dtypes, values of pad that are not ints.
    """
    sizes = shape("pad", "pad", pad)
    if mode != "constant" and value:
        raise ValueError(f"[pad] value: expected None with mode {mode!r}, got {value!r}")
    return Pad.apply(input, sizes, mode, value)


def pad_backward(
    grad_output: Any, input_size: Sequence[int], pad: Sequence[int], mode: str = "constant"
) -> Any:
    """The gradient of `pad` with respect to its input of shape `input_size`, on arrays."""
    size = shape("pad", "input_size", input_size)
    return _core.pad_backward(grad_output, size, shape("pad", "pad", pad), mode)
