"""The mean squared error."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from fastdl import _core
from fastdl.autograd import Op
from fastdl.functional._arguments import known_reduction, loss_reduction, operand
from fastdl.functional.elementwise import div, mul
from fastdl.functional.reduction import sum as sum_of
from fastdl.functional.shape import broadcast_to


class MseLoss(Op):
    fresh = True

    @staticmethod
    def forward(ctx: Any, input: Any, target: Any, reduction: str) -> Any:
        ctx.saved = (input, target)
        ctx.reduction = reduction
        return _core.mse_loss_forward(input, target, reduction)

    @staticmethod
    def backward(ctx: Any, grad_output: Any) -> Any:
        grads = _core.mse_loss_backward(grad_output, *(*ctx.saved, ctx.reduction, *ctx.needs_input_grad[:2]))
        return *grads, None


def mse_loss(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Any = None,
) -> Any:
    """The squares of `input` - `target`.

    Args:
        input, target: float32 or float64. Shapes that differ are broadcast, with a UserWarning: mostly they are
            a mistake.
        weight: a factor for each element, shaped like `input`, or None.
        reduction: 'none', 'mean' (with `weight`: over the weights) or 'sum'.
        size_average, reduce: PyTorch's older form of `reduction`.

    Returns:
        A scalar; with reduction='none' the loss of each element.

    Raises:
        ValueError: shapes that do not fit, an unknown reduction.
        TypeError: dtypes that differ or are not floating.

    Source: `torch.nn.functional.mse_loss`.
    """
    reduction = known_reduction("mse_loss", loss_reduction(size_average, reduce, reduction))
    input_shape, target_shape = getattr(input, "shape", None), getattr(target, "shape", None)
    if input_shape is not None and target_shape is not None and tuple(input_shape) != tuple(target_shape):
        warnings.warn(
            f"[mse_loss] target of shape {tuple(target_shape)} is broadcast with input of shape "
            f"{tuple(input_shape)}; this is likely a mistake",
            stacklevel=2,
        )
        input, target = _broadcast(input, target)
    if weight is None:
        return MseLoss.apply(input, target, reduction)
    weight, input = operand("mse_loss", "weight", weight), operand("mse_loss", "input", input)
    _check_weight(weight, input.shape, input.dtype)
    loss = mul(MseLoss.apply(input, target, "none"), weight)
    if reduction == "none":
        return loss
    return sum_of(loss) if reduction == "sum" else div(sum_of(loss), sum_of(weight))


def _broadcast(input: Any, target: Any) -> tuple[Any, Any]:
    try:
        shape = np.broadcast_shapes(tuple(input.shape), tuple(target.shape))
    except ValueError:
        raise ValueError(
            f"[mse_loss] target: expected a shape that broadcasts with {tuple(input.shape)}, "
            f"got {tuple(target.shape)}"
        ) from None
    return broadcast_to(input, shape), broadcast_to(target, shape)


def _check_weight(weight: Any, shape: Any, dtype: Any) -> None:
    if tuple(weight.shape) != tuple(shape):
        raise ValueError(
            f"[mse_loss] weight: expected {tuple(shape)}, the shape of input, got {tuple(weight.shape)}"
        )
    if weight.dtype != dtype:
        raise TypeError(f"[mse_loss] weight: expected {dtype} as the other arguments, got {weight.dtype}")


def mse_loss_backward(grad_output: Any, input: Any, target: Any, reduction: str = "mean") -> tuple[Any, Any]:
    """The gradients with respect to `input` and `target`, arrays of one shape; grad_output is shaped like the loss."""
    reduction = known_reduction("mse_loss", reduction)
    return _core.mse_loss_backward(grad_output, input, target, reduction, True, True)
