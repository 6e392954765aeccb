"""Binary cross entropy as a layer."""

from __future__ import annotations

from typing import Any

from fastdl.functional.binary_cross_entropy import binary_cross_entropy
from fastdl.nn._loss import WeightedLoss


class BCELoss(WeightedLoss):
    """Binary cross entropy of two arrays of probabilities, which have one shape.

    See `fastdl.functional.binary_cross_entropy`, whose arguments these are.
    """

    def forward(self, input: Any, target: Any) -> Any:
        return binary_cross_entropy(input, target, self.weight, reduction=self.reduction)
