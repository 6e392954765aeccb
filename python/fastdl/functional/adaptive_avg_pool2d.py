"""The mean of each of a given number of windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastdl import _core
from fastdl.autograd import Op
from fastdl.functional._arguments import adaptive_output_size, shape


class AdaptiveAvgPool2d(Op):
    fresh = True

    @staticmethod
    def forward(ctx: Any, input: Any, output_size: Any) -> Any:
        output = _core.adaptive_avg_pool2d_forward(input, output_size)
        if ctx.needs_input_grad[0]:
            ctx.sizes = input.shape, input.strides, output_size
        return output

    @staticmethod
    def backward(ctx: Any, grad_output: Any) -> Any:
        return _core.adaptive_avg_pool2d_backward(grad_output, *ctx.sizes), None


def adaptive_avg_pool2d(input: Any, output_size: int | Sequence[int | None]) -> Any:
    """The means of P by Q windows that cover the image: rows [floor(p H / P), ceil((p + 1) H / P)), columns likewise.

    Args:
        input: (N, C, H, W) or (C, H, W), float32 or float64.
        output_size: an int for P and Q, or one for each, None for the input's. 1 gives the mean of each plane.

    Returns:
        (N, C, P, Q) or (C, P, Q), channels_last where the input is.

    Raises:
        ValueError: an empty axis other than the batch, a negative size.
        TypeError: a dtype that is not floating, sizes that are not ints.

    Source: K. He et al., Spatial pyramid pooling in deep convolutional networks, arXiv:1406.4729.
    """
    return AdaptiveAvgPool2d.apply(input, adaptive_output_size("adaptive_avg_pool2d", output_size))


def adaptive_avg_pool2d_backward(
    grad_output: Any, input_size: Sequence[int], output_size: int | Sequence[int | None]
) -> Any:
    """The gradient of adaptive_avg_pool2d with respect to its input of shape `input_size`, on arrays."""
    sizes = adaptive_output_size("adaptive_avg_pool2d", output_size)
    size = shape("adaptive_avg_pool2d", "input_size", input_size)
    return _core.adaptive_avg_pool2d_backward(grad_output, size, None, sizes)
