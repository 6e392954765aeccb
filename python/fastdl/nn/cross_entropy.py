"""The cross entropy loss as a layer."""

from __future__ import annotations

from typing import Any

from fastdl.functional.cross_entropy import cross_entropy
from fastdl.nn._loss import WeightedLoss


class CrossEntropyLoss(WeightedLoss):
    """Softmax and cross entropy of logits (N, C, ...) and classes (N, ...) or probabilities (N, C, ...).

    See `fastdl.functional.cross_entropy`, whose arguments these are.
    """

    def __init__(
        self,
        weight: Any = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input: Any, target: Any) -> Any:
        return cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )
