"""What the loss layers share."""

from __future__ import annotations

from typing import Any

from fastdl.functional._arguments import loss_reduction
from fastdl.nn.module import Module


class Loss(Module):
    """A module with a reduction: 'none', 'mean' or 'sum'."""

    reduction: str

    def __init__(
        self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
    ) -> None:
        super().__init__()
        self.reduction = loss_reduction(size_average, reduce, reduction)


class WeightedLoss(Loss):
    """A loss with a factor for each class, kept as a buffer."""

    weight: Any

    def __init__(
        self,
        weight: Any = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)
