"""Sigmoid and binary cross entropy in one."""

from __future__ import annotations

from typing import Any

from fastdl import _core
from fastdl.autograd import Op
from fastdl.functional._arguments import known_reduction, loss_reduction


class BinaryCrossEntropyWithLogits(Op):
    fresh = True

    @staticmethod
    def forward(ctx: Any, input: Any, target: Any, weight: Any, pos_weight: Any, reduction: str) -> Any:
        ctx.save(input, target, weight, pos_weight)
        ctx.reduction = reduction
        return _core.binary_cross_entropy_with_logits_forward(input, target, weight, pos_weight, reduction)

    @staticmethod
    def backward(ctx: Any, grad_output: Any) -> Any:
        grads = _core.binary_cross_entropy_with_logits_backward(
            grad_output, *(*ctx.saved, ctx.reduction, *ctx.needs_input_grad[:2])
        )
        return *grads, None, None, None


def binary_cross_entropy_with_logits(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Any = None,
) -> Any:
    """The binary cross entropy of `target` and sigmoid(`input`), in nats, for logits of any size.

    Args:
        input, target: of one shape, float32 or float64.
        weight: a factor for each element, of any shape that broadcasts to that of `input`, or None.
        reduction: 'none', 'mean' (over the elements, whatever their weights) or 'sum'.
        pos_weight: the same for the part of the loss that `target` multiplies: of positive examples.
        size_average, reduce: PyTorch's older form of `reduction`.

    Returns:
        A scalar; with reduction='none' the loss of each element. The weights get no gradient.

    Raises:
        ValueError: shapes that do not fit, an unknown reduction.
        TypeError: dtypes that differ or are not floating.

    Source: `torch.nn.functional.binary_cross_entropy_with_logits`.
    """
    reduction = known_reduction(
        "binary_cross_entropy_with_logits", loss_reduction(size_average, reduce, reduction)
    )
    return BinaryCrossEntropyWithLogits.apply(input, target, weight, pos_weight, reduction)


def binary_cross_entropy_with_logits_backward(
    grad_output: Any,
    input: Any,
    target: Any,
    weight: Any = None,
    reduction: str = "mean",
    pos_weight: Any = None,
) -> tuple[Any, Any]:
    """The gradients with respect to `input` and `target`, on arrays; grad_output is shaped like the loss."""
    reduction = known_reduction("binary_cross_entropy_with_logits", reduction)
    return _core.binary_cross_entropy_with_logits_backward(
        grad_output, input, target, weight, pos_weight, reduction, True, True
    )
