"""The affine map of a fully connected layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastdl import _core
from fastdl.autograd import Op
from fastdl.functional._fused import activated_op, fused


class Linear(Op):
    fresh = True

    @staticmethod
    def forward(ctx: Any, input: Any, weight: Any, bias: Any) -> Any:
        ctx.saved = (input, weight)
        return _core.linear_forward(input, weight, bias)

    @staticmethod
    def backward(ctx: Any, grad_output: Any) -> Any:
        return _core.linear_backward(grad_output, *ctx.saved, *ctx.needs_input_grad)


ActivatedLinear = activated_op("ActivatedLinear", _core.linear_activated_forward, _core.linear_backward)


def linear(
    input: Any,
    weight: Any,
    bias: Any = None,
    *,
    activation: str | None = None,
    negative_slope: float = 0.01,
) -> Any:
    """``input @ weight.T + bias``.

    Args:
        input: (*, in_features), float32, float64 or bfloat16.
        weight: (out_features, in_features), or (in_features) for one output without an axis.
        bias: (out_features), or () with a weight of one axis, or None.
        activation: None, or 'relu', 'leaky_relu', 'sigmoid' or 'tanh': applied to the results while they are written,
            to the bits that the function of that name gives. Not with bfloat16.
        negative_slope: of 'leaky_relu', at least 0.

    Returns:
        (*, out_features), or (*).

    bfloat16 is that of ml_dtypes: storage alone, for sums are float32 and rounded once, to nearest even. With
    AVX512_BF16, subnormal numbers count as zero.

    Raises:
        ValueError: shapes that do not fit together, an unknown activation, a slope below 0.
        TypeError: dtypes that differ or are not floating, bfloat16 with an activation.
    """
    if activation is None:
        return Linear.apply(input, weight, bias)
    return ActivatedLinear.apply(input, weight, bias, (), fused("linear", activation, negative_slope))


def linear_backward(
    grad_output: Any, input: Any, weight: Any, output_mask: Sequence[bool] = (True, True, True)
) -> tuple[Any, Any, Any]:
    """The gradients of linear with respect to input, weight and bias, on arrays; None where not asked for.

    grad_output is shaped like linear's result.
    """
    return _core.linear_backward(grad_output, input, weight, *output_mask)
