"""The fully connected layer."""

from __future__ import annotations

import math
from typing import Any

import fastdl
from fastdl.functional.linear import linear
from fastdl.nn import init
from fastdl.nn._activated import Activated, Activation
from fastdl.nn.parameter import Parameter


class Linear(Activated):
    """Maps (*, in_features) to (*, out_features) with its `weight` (out_features, in_features) and `bias`.

    `activation` and `negative_slope` are as of `fastdl.functional.linear`.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        activation: str | None = None,
        negative_slope: float = 0.01,
    ) -> None:
        super().__init__()
        self._set_activation(activation, negative_slope)
        for name, features in (("in_features", in_features), ("out_features", out_features)):
            if features < 0:
                raise ValueError(f"[Linear] {name}: expected at least 0, got {features}")
        self.in_features, self.out_features = in_features, out_features
        dtype = fastdl.float32 if dtype is None else dtype
        self.weight = Parameter(fastdl.empty((out_features, in_features), device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(fastdl.empty((out_features,), device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform in ±1 / sqrt(in_features), weight and bias alike, as PyTorch."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def _run(self, input: Any, activation: Activation | None) -> Any:
        weight, bias = self._weight_and_bias()
        if activation is None:
            return linear(input, weight, bias)
        return linear(input, weight, bias, activation=activation[0], negative_slope=activation[1])

    def extra_repr(self) -> str:
        parts = [
            f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
        ]
        return ", ".join(parts + self._activation_repr())
