"""Sigmoid and binary cross entropy in one as a layer."""

from __future__ import annotations

from typing import Any

from fastdl.functional.binary_cross_entropy_with_logits import binary_cross_entropy_with_logits
from fastdl.nn._loss import WeightedLoss


class BCEWithLogitsLoss(WeightedLoss):
    """Binary cross entropy of logits and probabilities, which have one shape.

    See `fastdl.functional.binary_cross_entropy_with_logits`, whose arguments these are.
    """

    pos_weight: Any

    def __init__(
        self,
        weight: Any = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        pos_weight: Any = None,
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Any, target: Any) -> Any:
        return binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )
