"""Adaptive max pooling as a layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastdl.functional.adaptive_max_pool2d import adaptive_max_pool2d
from fastdl.nn.module import Module


class AdaptiveMaxPool2d(Module):
    """Maxima of (N, C, H, W) or (C, H, W) over windows of the number `output_size` says.

    See `fastdl.functional.adaptive_max_pool2d`.
    """

    def __init__(self, output_size: int | Sequence[int | None], return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input: Any) -> Any:
        return adaptive_max_pool2d(input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"
