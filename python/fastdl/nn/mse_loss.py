"""The mean squared error as a layer."""

from __future__ import annotations

from typing import Any

from fastdl.functional.mse_loss import mse_loss
from fastdl.nn._loss import Loss


class MSELoss(Loss):
    """Squares of the differences of two arrays, which should have one shape.

    See `fastdl.functional.mse_loss`, whose arguments these are.
    """

    def forward(self, input: Any, target: Any) -> Any:
        return mse_loss(input, target, reduction=self.reduction)
