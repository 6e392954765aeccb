"""Dropout as layers, which do nothing after `eval()`."""

from __future__ import annotations

from typing import Any

from fastdl.functional._arguments import probability
from fastdl.functional.dropout import dropout, dropout2d
from fastdl.nn.module import Module


class _Dropout(Module):
    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        probability(type(self).__name__, "p", p)
        self.p = p
        self.inplace = inplace

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """Zeroes elements with probability p and scales the others by 1 / (1 - p)."""

    def forward(self, input: Any) -> Any:
        return dropout(input, self.p, self.training, self.inplace)


class Dropout2d(_Dropout):
    """Zeroes channels of (N, C, H, W) with probability p and scales the others by 1 / (1 - p)."""

    def forward(self, input: Any) -> Any:
        return dropout2d(input, self.p, self.training, self.inplace)
