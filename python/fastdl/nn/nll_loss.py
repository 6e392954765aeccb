"""The negative log likelihood loss as a layer."""

from __future__ import annotations

from typing import Any

from fastdl.functional.nll_loss import nll_loss
from fastdl.nn._loss import WeightedLoss


class NLLLoss(WeightedLoss):
    """Negative log likelihood of log-probabilities (N, C, ...) and classes (N, ...).

    See `fastdl.functional.nll_loss`, whose arguments these are.
    """

    def __init__(
        self,
        weight: Any = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Any, target: Any) -> Any:
        return nll_loss(input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction)
