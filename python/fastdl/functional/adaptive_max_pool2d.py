"""The largest element of each of a given number of windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastdl import _core
from fastdl.autograd import Op
from fastdl.functional._arguments import adaptive_output_size, flag, shape


class AdaptiveMaxPool2d(Op):
    fresh = True

    @staticmethod
    def forward(ctx: Any, input: Any, output_size: Any, with_indices: bool) -> Any:
        recorded = ctx.needs_input_grad[0]
        output, found = _core.adaptive_max_pool2d_forward(input, output_size, with_indices, recorded)
        if recorded:
            ctx.saved = (found,)
            ctx.with_indices = with_indices
            ctx.sizes = input.shape, input.strides, output_size
        return (output, found) if with_indices else output

    @staticmethod
    def backward(ctx: Any, grad_output: Any, grad_indices: Any = None) -> Any:
        backward = (
            _core.adaptive_max_pool2d_backward
            if ctx.with_indices
            else _core.adaptive_max_pool2d_taps_backward
        )
        return backward(grad_output, *ctx.saved, *ctx.sizes), None, None


def adaptive_max_pool2d(
    input: Any, output_size: int | Sequence[int | None], return_indices: bool = False
) -> Any:
    """The maxima of P by Q windows that cover the image: rows [floor(p H / P), ceil((p + 1) H / P)), columns likewise.

    Args:
        input: (N, C, H, W) or (C, H, W), float32 or float64.
        output_size: an int for P and Q, or one for each, None for the input's.
        return_indices: also returns where in its plane each maximum is, as h W + w (int64): the first of equal
            elements, the last NaN.

    Returns:
        (N, C, P, Q) or (C, P, Q), NaN where a window holds one; with return_indices a tuple of it and the indices.
        channels_last where the input is.

    Raises:
        ValueError: an empty axis other than the batch, a negative size.
        TypeError: a dtype that is not floating, sizes that are not ints.

    Source: K. He et al., Spatial pyramid pooling in deep convolutional networks, arXiv:1406.4729.
    """
    sizes = adaptive_output_size("adaptive_max_pool2d", output_size)
    return AdaptiveMaxPool2d.apply(
        input, sizes, flag("adaptive_max_pool2d", "return_indices", return_indices)
    )


def adaptive_max_pool2d_with_indices(
    input: Any, output_size: int | Sequence[int | None], return_indices: bool = False
) -> tuple[Any, Any]:
    """`adaptive_max_pool2d` with return_indices=True, whatever is passed for it."""
    return adaptive_max_pool2d(input, output_size, True)


def adaptive_max_pool2d_backward(
    grad_output: Any, indices: Any, input_size: Sequence[int], output_size: int | Sequence[int | None]
) -> Any:
    """The gradient of adaptive_max_pool2d with respect to its input of shape `input_size`, on arrays.

    `indices` are adaptive_max_pool2d's; raises ValueError for one outside [-1, H W).
    """
    sizes = adaptive_output_size("adaptive_max_pool2d", output_size)
    size = shape("adaptive_max_pool2d", "input_size", input_size)
    return _core.adaptive_max_pool2d_backward(grad_output, indices, size, None, sizes)
