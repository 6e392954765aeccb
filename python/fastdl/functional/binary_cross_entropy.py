"""Binary cross entropy of probabilities."""

from __future__ import annotations

from typing import Any

from fastdl import _core
from fastdl.autograd import Op
from fastdl.functional._arguments import known_reduction, loss_reduction


class BinaryCrossEntropy(Op):
    fresh = True

    @staticmethod
    def forward(ctx: Any, input: Any, target: Any, weight: Any, reduction: str) -> Any:
        ctx.save(input, target, weight)
        ctx.reduction = reduction
        return _core.binary_cross_entropy_forward(input, target, weight, reduction)

    @staticmethod
    def backward(ctx: Any, grad_output: Any) -> Any:
        grads = _core.binary_cross_entropy_backward(
            grad_output, *(*ctx.saved, ctx.reduction, *ctx.needs_input_grad[:2])
        )
        return *grads, None, None


def binary_cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """The binary cross entropy of the probabilities `target` and `input`, in nats; logarithms are at least -100.

    Args:
        input, target: of one shape, float32 or float64, values in [0, 1].
        weight: a factor for each element, of any shape that broadcasts to that of `input`, or None.
        reduction: 'none', 'mean' (over the elements, whatever their weights) or 'sum'.
        size_average, reduce: PyTorch's older form of `reduction`.

    Returns:
        A scalar; with reduction='none' the loss of each element. `weight` gets no gradient.

    Raises:
        ValueError: shapes that do not fit, a value outside [0, 1], an unknown reduction.
        TypeError: dtypes that differ or are not floating.

    Source: `torch.nn.functional.binary_cross_entropy`.
    """
    reduction = known_reduction("binary_cross_entropy", loss_reduction(size_average, reduce, reduction))
    return BinaryCrossEntropy.apply(input, target, weight, reduction)


def binary_cross_entropy_backward(
    grad_output: Any, input: Any, target: Any, weight: Any = None, reduction: str = "mean"
) -> tuple[Any, Any]:
    """The gradients with respect to `input` and `target`, on arrays; grad_output is shaped like the loss."""
    reduction = known_reduction("binary_cross_entropy", reduction)
    return _core.binary_cross_entropy_backward(grad_output, input, target, weight, reduction, True, True)
