"""Softmax and its logarithm as layers."""

from __future__ import annotations

from typing import Any

from fastdl.functional.softmax import log_softmax, softmax
from fastdl.nn.module import Module


class Softmax(Module):
    """exp(x) divided by its sum over the axis `dim`; see `fastdl.functional.softmax`."""

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Any) -> Any:
        return softmax(input, self.dim, _stacklevel=5)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """The logarithm of `Softmax`, without overflow or cancellation."""

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Any) -> Any:
        return log_softmax(input, self.dim, _stacklevel=5)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmax2d(Module):
    """Softmax over the channels of (N, C, H, W) or (C, H, W)."""

    def forward(self, input: Any) -> Any:
        if len(input.shape) not in (3, 4):
            raise ValueError(
                f"[Softmax2d] input: expected (N, C, H, W) or (C, H, W), got {tuple(input.shape)}"
            )
        return softmax(input, -3)
