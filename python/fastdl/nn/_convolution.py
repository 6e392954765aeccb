"""Parameters, initialisation and repr of the convolution layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import fastdl
from fastdl.functional._arguments import pair
from fastdl.nn import init
from fastdl.nn._activated import Activated
from fastdl.nn.parameter import Parameter


class Convolution(Activated):
    """What Conv2d and ConvTranspose2d have in common; `weight_shape` says where they differ."""

    op: str
    padding: Any
    padding_modes: Sequence[str] = ("zeros",)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int],
        padding: int | Sequence[int] | str,
        dilation: int | Sequence[int],
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any,
        dtype: Any,
        activation: str | None,
        negative_slope: float,
    ) -> None:
        super().__init__()
        self._set_activation(activation, negative_slope)
        if groups < 1:
            raise ValueError(f"[{self.op}] groups: expected at least 1, got {groups}")
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels < 1 or channels % groups != 0:
                raise ValueError(
                    f"[{self.op}] {name}: expected a positive multiple of groups={groups}, got {channels}"
                )
        if padding_mode not in self.padding_modes:
            raise ValueError(
                f"[{self.op}] padding_mode: expected one of {', '.join(map(repr, self.padding_modes))}, "
                f"got {padding_mode!r}"
            )
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size = self._positive("kernel_size", kernel_size)
        self.stride = self._positive("stride", stride)
        self.dilation = self._positive("dilation", dilation)
        self.padding = padding if isinstance(padding, str) else pair(self.op, "padding", padding)
        self.groups = groups
        self.padding_mode = padding_mode
        dtype = fastdl.float32 if dtype is None else dtype
        self.weight = Parameter(fastdl.empty(self.weight_shape(), device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(fastdl.empty((out_channels,), device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def _positive(self, name: str, value: int | Sequence[int]) -> tuple[int, int]:
        values = pair(self.op, name, value)
        if min(values) < 1:
            raise ValueError(f"[{self.op}] {name}: expected values of at least 1, got {values}")
        return values

    def weight_shape(self) -> tuple[int, ...]:
        """The shape of the parameter `weight`."""
        return (self.out_channels, self.in_channels // self.groups, *self.kernel_size)

    def reset_parameters(self) -> None:
        """Uniform in ±1 / sqrt(fan_in), weight and bias alike, as PyTorch."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in = math.prod(self.weight.shape[1:])
            bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        parts = [
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        ]
        if self.padding != (0, 0):
            parts.append(f"padding={self.padding}")
        if self.dilation != (1, 1):
            parts.append(f"dilation={self.dilation}")
        parts += self._more_repr()
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode}")
        return ", ".join(parts + self._activation_repr())

    def _more_repr(self) -> list[str]:
        return []
