"""The mean of each window of an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastdl import _core
from fastdl.autograd import Op
from fastdl.functional._arguments import Remembered, flag, integer, pooling_window, remember, shape


class AvgPool2d(Op):
    fresh = True

    @staticmethod
    def forward(ctx: Any, input: Any, options: tuple[Any, ...]) -> Any:
        output = _core.avg_pool2d_forward(input, *options)
        if ctx.needs_input_grad[0]:
            ctx.options = input.shape, input.strides, *options
        return output

    @staticmethod
    def backward(ctx: Any, grad_output: Any) -> Any:
        return _core.avg_pool2d_backward(grad_output, *ctx.options), None


_known: Remembered = {}


def _options(
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: Any,
    count_include_pad: Any,
    divisor: Any,
) -> tuple[Any, ...]:
    key = (id(kernel_size), id(stride), id(padding), id(ceil_mode), id(count_include_pad), id(divisor))
    found = _known.get(key)
    if found is not None:
        return found[0]
    op, given = "avg_pool2d", (kernel_size, stride, padding, ceil_mode, count_include_pad, divisor)
    if divisor is not None:
        divisor = integer(op, "divisor_override", divisor, "an int or None")
    window = pooling_window(op, kernel_size, stride, padding)
    flags = flag(op, "ceil_mode", ceil_mode), flag(op, "count_include_pad", count_include_pad)
    return remember(_known, key, given, (*window, *flags, divisor))


def avg_pool2d(
    input: Any,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    """The mean of each window.

    Args:
        input: (N, C, H, W) or (C, H, W), float32 or float64.
        kernel_size, stride, padding: an int, or one for the height and one for the width. A stride that is not given
            is kernel_size; padding is at most half of kernel_size.
        ceil_mode: lets the last window hang over the end, so long as it starts inside.
        count_include_pad: whether the zeros of the padding count in the divisor; what hangs over them never does.
        divisor_override: divides the sums instead of the number of elements.

    Returns:
        (N, C, P, Q) or (C, P, Q) with P = (H + 2 padding - R) // stride + 1, rounded up in ceil mode, Q likewise;
        channels_last where the input is.

    Raises:
        ValueError: an empty axis other than the batch, a window that does not fit, values out of range, a
            divisor_override of 0.
        TypeError: a dtype that is not floating, values that are not ints.

    Source: Y. LeCun et al., Gradient-based learning applied to document recognition, Proc. IEEE 86(11), 1998.
    """
    options = _options(kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    return AvgPool2d.apply(input, options)


def avg_pool2d_backward(
    grad_output: Any,
    input_size: Sequence[int],
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    """The gradient of avg_pool2d with respect to its input of shape `input_size`, on arrays."""
    options = _options(kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    size = shape("avg_pool2d", "input_size", input_size)
    return _core.avg_pool2d_backward(grad_output, size, None, *options)
