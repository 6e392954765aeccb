"""Layers that can apply an activation to their own results."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from fastdl.functional._fused import fused
from fastdl.nn.module import Module

Activation = tuple[str, float]
"""The name, and the slope of leaky_relu."""


class Activated(Module):
    """What such layers have in common: the arguments `activation` and `negative_slope` of their functions.

    They are kept under one private name, for people who derive from a layer call attributes `activation`.
    """

    _activation: Activation | None = None

    def _set_activation(self, activation: str | None, negative_slope: float) -> None:
        self._activation = None
        if activation is not None:  # refused here, not at the first call
            _, slope = fused(type(self).__name__, activation, negative_slope)
            self._activation = activation, slope

    def forward(self, input: Any) -> Any:
        return self._run(input, self._activation)

    @abstractmethod
    def _run(self, input: Any, activation: Activation | None) -> Any:
        """`forward` with that activation in place of the layer's own."""

    def _activation_repr(self) -> list[str]:
        if self._activation is None:
            return []
        name, slope = self._activation
        return [f"activation={name}"] + ([f"negative_slope={slope}"] if name == "leaky_relu" else [])
