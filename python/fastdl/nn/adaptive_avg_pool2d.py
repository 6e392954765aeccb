"""Adaptive average pooling as a layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastdl.functional.adaptive_avg_pool2d import adaptive_avg_pool2d
from fastdl.nn.module import Module


class AdaptiveAvgPool2d(Module):
    """Means of (N, C, H, W) or (C, H, W) over windows of the number `output_size` says; 1 is the mean of each plane.

    See `fastdl.functional.adaptive_avg_pool2d`.
    """

    def __init__(self, output_size: int | Sequence[int | None]) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Any) -> Any:
        return adaptive_avg_pool2d(input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"
