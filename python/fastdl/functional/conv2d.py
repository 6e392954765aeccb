"""Two-dimensional convolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastdl import _core
from fastdl.autograd import Op
from fastdl.functional._arguments import (
    Remembered,
    convolution_kernel,
    convolution_padding,
    integer,
    pair,
    remember,
)
from fastdl.functional._fused import activated_op, fused


class Conv2d(Op):
    fresh = True

    @staticmethod
    def forward(ctx: Any, input: Any, weight: Any, bias: Any, geometry: tuple[Any, ...]) -> Any:
        ctx.saved = (input, weight)
        ctx.geometry = geometry
        return _core.conv2d_forward(input, weight, bias, *geometry)

    @staticmethod
    def backward(ctx: Any, grad_output: Any) -> Any:
        grads = _core.conv2d_backward(grad_output, *ctx.saved, *ctx.geometry, *ctx.needs_input_grad[:3])
        return *grads, None


ActivatedConv2d = activated_op("ActivatedConv2d", _core.conv2d_activated_forward, _core.conv2d_backward)


_known: Remembered = {}


def _geometry(weight: Any, stride: Any, padding: Any, dilation: Any, groups: Any) -> tuple[Any, ...]:
    key = (id(stride), id(padding), id(dilation), id(groups))
    found = _known.get(key)
    if found is not None:
        return found[0]
    op, given = "conv2d", (stride, padding, dilation, groups)
    stride, dilation = pair(op, "stride", stride), pair(op, "dilation", dilation)
    by_kernel = isinstance(padding, str)
    kernel = convolution_kernel(op, weight) if by_kernel else (1, 1)
    before, after = convolution_padding(op, padding, kernel, stride, dilation)
    geometry = stride, before, after, dilation, integer(op, "groups", groups)
    return geometry if by_kernel else remember(_known, key, given, geometry)


def conv2d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    *,
    activation: str | None = None,
    negative_slope: float = 0.01,
) -> Any:
    """Cross-correlates `input` with `weight` and adds `bias`.

    Args:
        input: (N, C, H, W) or (C, H, W), float32, float64 or bfloat16.
        weight: (K, C / groups, R, S).
        bias: (K), or None.
        stride, dilation: an int, or one for the height and one for the width.
        padding: the same, or 'same' (stride 1 only) or 'valid'.
        groups: divides C and K; each group of input channels meets its own kernels.
        activation: None, or 'relu', 'leaky_relu', 'sigmoid' or 'tanh': applied to the results while they are written,
            to the bits that the function of that name gives. Not with bfloat16.
        negative_slope: of 'leaky_relu', at least 0.

    Returns:
        (N, K, P, Q) or (K, P, Q) with P = (H + 2 padding - dilation (R - 1) - 1) // stride + 1, Q likewise;
        channels_last where the strides of `input` or `weight` are (bfloat16: contiguous always).

    Where it costs less, a 3 x 3 kernel with stride 1 runs as Winograd's F(2 x 2, 3 x 3); an infinity or a NaN in the
    input then shows one pixel further than the windows that hold it. After fastdl.set_float32_precision("high"),
    float32 may run as F(4 x 4, 3 x 3): faster, with an error of a few 1e-6 of the largest result, also for integers;
    infinities and NaNs show up to three pixels further.

    bfloat16 is that of ml_dtypes: storage alone, for sums are float32 and rounded once, to nearest even. With
    AVX512_BF16, subnormal numbers count as zero.

    Raises:
        ValueError: shapes that do not fit together, a kernel larger than the padded input, stride or dilation
            below 1, negative padding, an unknown activation, a slope below 0.
        TypeError: dtypes that differ or are not floating, bfloat16 with an activation.

    Source: V. Dumoulin and F. Visin, A guide to convolution arithmetic for deep learning, arXiv:1603.07285.
    """
    geometry = _geometry(weight, stride, padding, dilation, groups)
    if activation is None:
        return Conv2d.apply(input, weight, bias, geometry)
    return ActivatedConv2d.apply(input, weight, bias, geometry, fused("conv2d", activation, negative_slope))


def conv2d_backward(
    grad_output: Any,
    input: Any,
    weight: Any,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    output_mask: Sequence[bool] = (True, True, True),
) -> tuple[Any, Any, Any]:
    """The gradients of conv2d with respect to input, weight and bias, on arrays; None where not asked for.

    grad_output is shaped like conv2d's result, the rest is as conv2d had it.
    """
    geometry = _geometry(weight, stride, padding, dilation, groups)
    return _core.conv2d_backward(grad_output, input, weight, *geometry, *output_mask)
