"""Two-dimensional transposed convolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastdl import _core
from fastdl.autograd import Op
from fastdl.functional._arguments import Remembered, integer, pair, remember
from fastdl.functional._fused import activated_op, fused


class ConvTranspose2d(Op):
    @staticmethod
    def forward(ctx: Any, input: Any, weight: Any, bias: Any, geometry: tuple[Any, ...]) -> Any:
        ctx.saved = (input, weight)
        ctx.geometry = geometry
        return _core.conv_transpose2d_forward(input, weight, bias, *geometry)

    @staticmethod
    def backward(ctx: Any, grad_output: Any) -> Any:
        grads = _core.conv_transpose2d_backward(
            grad_output, *ctx.saved, *ctx.geometry, *ctx.needs_input_grad[:3]
        )
        return *grads, None


ActivatedConvTranspose2d = activated_op(
    "ActivatedConvTranspose2d", _core.conv_transpose2d_activated_forward, _core.conv_transpose2d_backward
)


_known: Remembered = {}


def _geometry(stride: Any, padding: Any, output_padding: Any, groups: Any, dilation: Any) -> tuple[Any, ...]:
    key = (id(stride), id(padding), id(output_padding), id(groups), id(dilation))
    found = _known.get(key)
    if found is not None:
        return found[0]
    op, given = "conv_transpose2d", (stride, padding, output_padding, groups, dilation)
    geometry = (
        pair(op, "stride", stride),
        pair(op, "padding", padding),
        pair(op, "output_padding", output_padding),
        integer(op, "groups", groups),
        pair(op, "dilation", dilation),
    )
    return remember(_known, key, given, geometry)


def conv_transpose2d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
    *,
    activation: str | None = None,
    negative_slope: float = 0.01,
) -> Any:
    """The gradient of a convolution with respect to its input, as a function in its own right.

    Args:
        input: (N, C, H, W) or (C, H, W), float32 or float64.
        weight: (C, K / groups, R, S).
        bias: (K), or None.
        stride, dilation: an int, or one for the height and one for the width.
        padding: the same; the convolution's, hence what the result is cropped by on each side.
        output_padding: the same, below stride or dilation; rows and columns added behind, which tells apart the
            sizes that a strided convolution maps to one.
        groups: divides C and K; each group of input channels meets its own kernels.
        activation: None, or 'relu', 'leaky_relu', 'sigmoid' or 'tanh': applied to the results while they are written,
            to the bits that the function of that name gives.
        negative_slope: of 'leaky_relu', at least 0.

    Returns:
        (N, K, P, Q) or (K, P, Q) with P = (H - 1) stride - 2 padding + dilation (R - 1) + output_padding + 1,
        Q likewise.

    Kernels of 3 x 3 with stride 1 may run as conv2d's do, with its notes on infinities and float32 precision.

    Raises:
        ValueError: shapes that do not fit together, an empty result, stride or dilation below 1, negative
            padding, output_padding out of range, an unknown activation, a slope below 0.
        TypeError: dtypes that differ or are not floating.

    Source: V. Dumoulin and F. Visin, A guide to convolution arithmetic for deep learning, arXiv:1603.07285.
    """
    geometry = _geometry(stride, padding, output_padding, groups, dilation)
    if activation is None:
        return ConvTranspose2d.apply(input, weight, bias, geometry)
    epilogue = fused("conv_transpose2d", activation, negative_slope)
    return ActivatedConvTranspose2d.apply(input, weight, bias, geometry, epilogue)


def conv_transpose2d_backward(
    grad_output: Any,
    input: Any,
    weight: Any,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
    output_mask: Sequence[bool] = (True, True, True),
) -> tuple[Any, Any, Any]:
    """The gradients of conv_transpose2d with respect to input, weight and bias, on arrays; None where not asked for.

    grad_output is shaped like conv_transpose2d's result, the rest is as conv_transpose2d had it.
    """
    geometry = _geometry(stride, padding, output_padding, groups, dilation)
    return _core.conv_transpose2d_backward(grad_output, input, weight, *geometry, *output_mask)
