"""Softmax and cross entropy in one."""

from __future__ import annotations

from typing import Any

from fastdl import _core
from fastdl.autograd import Op
from fastdl.functional._arguments import (
    Remembered,
    integer,
    known_reduction,
    loss_reduction,
    number,
    remember,
)


class CrossEntropy(Op):
    fresh = True

    @staticmethod
    def forward(ctx: Any, input: Any, target: Any, weight: Any, options: tuple[Any, ...]) -> Any:
        loss, row_statistics, total_weight, ctx.gradient = _core.cross_entropy_forward(
            input, target, weight, *(*options, ctx.needs_input_grad[0])
        )
        ctx.saved = (input, target, weight, row_statistics, total_weight)
        ctx.options = options
        return loss

    @staticmethod
    def backward(ctx: Any, grad_output: Any) -> Any:
        # Once: whoever gets it may keep it, and write to it.
        ready, ctx.gradient = ctx.gradient, None
        if ready is not None and grad_output == 1 and not ctx.needs_input_grad[1]:
            return ready, None, None, None
        del ready
        grads = _core.cross_entropy_backward(grad_output, *ctx.saved, *ctx.options, *ctx.needs_input_grad[:2])
        return *grads, None, None


_known: Remembered = {}


def _options(reduction: Any, ignore_index: Any, label_smoothing: Any) -> tuple[str, int, float]:
    key = (id(reduction), id(ignore_index), id(label_smoothing))
    found = _known.get(key)
    if found is not None:
        return found[0]
    op, given = "cross_entropy", (reduction, ignore_index, label_smoothing)
    smoothing = number(op, "label_smoothing", label_smoothing)
    options = known_reduction(op, reduction), integer(op, "ignore_index", ignore_index), smoothing
    return remember(_known, key, given, options)


def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """The cross entropy of `target` and the softmax of the logits `input`, in nats.

    Args:
        input: (C), (N, C) or (N, C, d1, ...), float32 or float64.
        target: integers in [0, C), shaped like `input` without C; or probabilities, shaped like `input`.
        weight: (C), a factor for each class, or None.
        ignore_index: rows with this target count nothing.
        reduction: 'none', 'mean' (over the rows' target weights, or over N d1 ... with probabilities) or 'sum'.
        label_smoothing: in [0, 1]; the share of the target that is spread evenly over the classes.
        size_average, reduce: PyTorch's older form of `reduction`.

    Returns:
        A scalar; with reduction='none' the loss of each row.

    Raises:
        ValueError: shapes that do not fit, a class outside [0, C), an unknown reduction, label_smoothing
            outside [0, 1].
        TypeError: dtypes that differ or are not floating.

    Source: C. Szegedy et al., Rethinking the Inception Architecture, arXiv:1512.00567 (label smoothing).
    """
    reduction = loss_reduction(size_average, reduce, reduction)
    return CrossEntropy.apply(input, target, weight, _options(reduction, ignore_index, label_smoothing))


def cross_entropy_backward(
    grad_output: Any,
    input: Any,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """The gradient of cross_entropy with respect to `input`, on arrays; grad_output is shaped like the loss."""
    options = _options(reduction, ignore_index, label_smoothing)
    _, row_statistics, total_weight, _ = _core.cross_entropy_forward(input, target, weight, *options, False)
    return _core.cross_entropy_backward(
        grad_output, input, target, weight, row_statistics, total_weight, *options, True, False
    )[0]
