"""Negative log likelihood of classes."""

from __future__ import annotations

from typing import Any

from fastdl import _core
from fastdl.autograd import Op
from fastdl.functional._arguments import integer, known_reduction, loss_reduction


class NllLoss(Op):
    fresh = True

    @staticmethod
    def forward(ctx: Any, input: Any, target: Any, weight: Any, *options: Any) -> Any:
        loss, total_weight = _core.nll_loss_forward(input, target, weight, *options)
        ctx.save(input, target, weight, total_weight)
        ctx.options = options
        return loss

    @staticmethod
    def backward(ctx: Any, grad_output: Any) -> Any:
        grad = _core.nll_loss_backward(grad_output, *ctx.saved, *ctx.options)
        return grad, None, None, *(None,) * len(ctx.options)


def _options(ignore_index: Any, reduction: Any) -> tuple[int, str]:
    op = "nll_loss"
    return integer(op, "ignore_index", ignore_index), known_reduction(op, reduction)


def nll_loss(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """The negative log likelihood of the classes `target` under the log-probabilities `input`.

    Args:
        input: (C), (N, C) or (N, C, d1, ...), float32 or float64, as log_softmax gives them.
        target: integers in [0, C), shaped like `input` without C.
        weight: (C), a factor for each class, or None.
        ignore_index: rows with this target count nothing.
        reduction: 'none', 'mean' (over the rows' weights) or 'sum'.
        size_average, reduce: PyTorch's older form of `reduction`.

    Returns:
        A scalar; with reduction='none' the loss of each row. `weight` gets no gradient.

    Raises:
        ValueError: shapes that do not fit, a class outside [0, C), an unknown reduction.
        TypeError: dtypes that differ or are not floating, a target that is not of integers.

    Source: `torch.nn.functional.nll_loss`.
    """
    reduction = loss_reduction(size_average, reduce, reduction)
    return NllLoss.apply(input, target, weight, *_options(ignore_index, reduction))


def nll_loss_backward(
    grad_output: Any,
    input: Any,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Any:
    """The gradient of nll_loss with respect to `input`, on arrays; grad_output is shaped like the loss."""
    options = _options(ignore_index, reduction)
    _, total_weight = _core.nll_loss_forward(input, target, weight, *options)
    return _core.nll_loss_backward(grad_output, input, target, weight, total_weight, *options)
