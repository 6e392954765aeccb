"""The largest element of each window of an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastdl import _core
from fastdl.autograd import Op
from fastdl.functional._arguments import Remembered, flag, pair, pooling_window, remember, shape


class MaxPool2d(Op):
    fresh = True

    @staticmethod
    def forward(ctx: Any, input: Any, with_indices: bool, geometry: tuple[Any, ...]) -> Any:
        recorded = ctx.needs_input_grad[0]
        output, found = _core.max_pool2d_forward(input, *(*geometry, with_indices, recorded))
        if recorded:
            ctx.saved = (found,)
            ctx.with_indices = with_indices
            ctx.geometry = input.shape, input.strides, *geometry
        return (output, found) if with_indices else output

    @staticmethod
    def backward(ctx: Any, grad_output: Any, grad_indices: Any = None) -> Any:
        backward = _core.max_pool2d_backward if ctx.with_indices else _core.max_pool2d_taps_backward
        return backward(grad_output, *ctx.saved, *ctx.geometry), None, None


_known: Remembered = {}


def _geometry(kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: Any) -> tuple[Any, ...]:
    key = (id(kernel_size), id(stride), id(padding), id(dilation), id(ceil_mode))
    found = _known.get(key)
    if found is not None:
        return found[0]
    op, given = "max_pool2d", (kernel_size, stride, padding, dilation, ceil_mode)
    window = pooling_window(op, kernel_size, stride, padding)
    geometry = *window, pair(op, "dilation", dilation), flag(op, "ceil_mode", ceil_mode)
    return remember(_known, key, given, geometry)


def max_pool2d(
    input: Any,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maximum of each window; NaN where a window holds one.

    Args:
        input: (N, C, H, W) or (C, H, W), float32 or float64.
        kernel_size, stride, padding, dilation: an int, or one for the height and one for the width. A stride that is
            not given is kernel_size; padding is at most half of kernel_size and never the maximum.
        ceil_mode: lets the last window hang over the end, so long as it starts inside.
        return_indices: also returns where in its plane each maximum is, as h W + w (int64): the first of equal
            elements, the last NaN. A window that dilation makes miss every element gives -infinity at -1.

    Returns:
        (N, C, P, Q) or (C, P, Q) with P = (H + 2 padding - dilation (R - 1) - 1) // stride + 1, rounded up in ceil
        mode, Q likewise; with return_indices a tuple of it and the indices. channels_last where the input is.

    Raises:
        ValueError: an empty axis other than the batch, a window that does not fit, values out of range.
        TypeError: a dtype that is not floating, values that are not ints.

    Source: D. Scherer, A. Müller and S. Behnke, Evaluation of pooling operations in convolutional architectures for
    object recognition, ICANN 2010.
    """
    geometry = _geometry(kernel_size, stride, padding, dilation, ceil_mode)
    return MaxPool2d.apply(input, flag("max_pool2d", "return_indices", return_indices), geometry)


def max_pool2d_with_indices(
    input: Any,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Any, Any]:
    """`max_pool2d` with return_indices=True, whatever is passed for it."""
    return max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


def max_pool2d_backward(
    grad_output: Any,
    indices: Any,
    input_size: Sequence[int],
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
) -> Any:
    """The gradient of max_pool2d with respect to its input of shape `input_size`, on arrays.

    `indices` are max_pool2d's; raises ValueError for one outside [-1, H W).
    """
    geometry = _geometry(kernel_size, stride, padding, dilation, ceil_mode)
    size = shape("max_pool2d", "input_size", input_size)
    return _core.max_pool2d_backward(grad_output, indices, size, None, *geometry)
