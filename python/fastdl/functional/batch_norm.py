"""Batch normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastdl import _core
from fastdl._writes import writes
from fastdl.autograd import Op
from fastdl.functional._arguments import flag, number
from fastdl.functional._fused import Fused, before_activation, fused


class BatchNorm(Op):
    fresh = True

    @staticmethod
    def forward(
        ctx: Any,
        input: Any,
        running_mean: Any,
        running_var: Any,
        weight: Any,
        bias: Any,
        training: bool,
        momentum: float,
        eps: float,
        fused: Fused | None,
    ) -> Any:
        if ctx.needs_input_grad[1] or ctx.needs_input_grad[2]:
            raise ValueError("[batch_norm] running_mean, running_var: expected no requires_grad, got True")
        if fused is None:
            y, mean, invstd = _core.batch_norm_forward(
                input, running_mean, running_var, weight, bias, training, momentum, eps
            )
        else:
            y, mean, invstd = _core.batch_norm_activated_forward(
                *fused, input, running_mean, running_var, weight, bias, training, momentum, eps
            )
        if training:
            if running_mean is not None:
                writes.note(running_mean)
            if running_var is not None:
                writes.note(running_var)
        # not the running statistics, which the next batch changes
        ctx.saved = (input, weight, mean, invstd, None if fused is None else y)
        ctx.options = training, eps, fused
        return y

    @staticmethod
    def backward(ctx: Any, grad_output: Any) -> Any:
        needs = ctx.needs_input_grad
        wanted = needs[0], needs[3], needs[4]
        *saved, y = ctx.saved
        *options, fused = ctx.options
        grad = grad_output if fused is None else before_activation(fused, grad_output, y)
        grad_input, grad_weight, grad_bias = _core.batch_norm_backward(grad, *(*saved, *options, *wanted))
        return grad_input, None, None, grad_weight, grad_bias, None, None, None, None


def batch_norm(
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    *,
    activation: str | None = None,
    negative_slope: float = 0.01,
) -> Any:
    """``(input - mean) / sqrt(variance + eps) * weight + bias``, mean and variance taken for each channel.

    Args:
        input: (N, C) or (N, C, ...), float32 or float64.
        running_mean, running_var: (C), both or None for neither. Without `training` they are the statistics;
            with it the batch's are, and these move in place by `momentum` towards the batch's mean and
            unbiased variance.
        weight, bias: (C), or None.
        momentum: the share of the new batch in the running statistics.
        eps: added to the variance.
        activation: None, or 'relu', 'leaky_relu', 'sigmoid' or 'tanh': applied to the results while they are written,
            to the bits that the function of that name gives.
        negative_slope: of 'leaky_relu', at least 0.

    Returns:
        An array shaped like `input`, channels_last where the input is.

    Raises:
        ValueError: shapes that do not fit, one value per channel with `training`, no statistics without it,
            eps not positive with `training` or negative without, an unknown activation, a slope below 0.
        TypeError: dtypes that differ or are not floating.

    Source: S. Ioffe and C. Szegedy, Batch normalization, arXiv:1502.03167.
    """
    op = "batch_norm"
    options = flag(op, "training", training), number(op, "momentum", momentum), number(op, "eps", eps)
    epilogue = None if activation is None else fused(op, activation, negative_slope)
    return BatchNorm.apply(input, running_mean, running_var, weight, bias, *options, epilogue)


def batch_norm_backward(
    grad_output: Any,
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    training: bool = False,
    eps: float = 1e-5,
    output_mask: Sequence[bool] = (True, True, True),
) -> tuple[Any, Any, Any]:
    """The gradients of batch_norm with respect to input, weight and bias, on arrays; None where not asked for.

    grad_output is shaped like `input`. With `training` the running statistics are neither read nor changed.
    """
    training, eps = flag("batch_norm", "training", training), number("batch_norm", "eps", eps)
    if training:
        running_mean = running_var = None
    _, mean, invstd = _core.batch_norm_forward(
        input, running_mean, running_var, weight, None, training, 0.0, eps
    )
    return _core.batch_norm_backward(grad_output, input, weight, mean, invstd, training, eps, *output_mask)
