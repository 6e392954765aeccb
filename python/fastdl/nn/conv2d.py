"""Two-dimensional convolution as a layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastdl.functional._arguments import convolution_padding
from fastdl.functional.conv2d import conv2d
from fastdl.functional.pad import pad
from fastdl.nn._activated import Activation
from fastdl.nn._convolution import Convolution


class Conv2d(Convolution):
    """Convolves (N, C, H, W) or (C, H, W) with its `weight` (out_channels, in_channels / groups, R, S).

    padding_mode says what lies beyond the image's edge: 'zeros', 'reflect', 'replicate' or 'circular'. See
    `fastdl.functional.conv2d` for the rest, `activation` and `negative_slope` too.
    """

    op = "Conv2d"
    padding_modes = ("zeros", "reflect", "replicate", "circular")

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] | str = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
        *,
        activation: str | None = None,
        negative_slope: float = 0.01,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
            activation,
            negative_slope,
        )
        # Wrong words, and 'same' with a stride, are refused here and not at the first call.
        before, after = convolution_padding(
            self.op, self.padding, self.kernel_size, self.stride, self.dilation
        )
        self._edges = (before[1], after[1], before[0], after[0])

    def _run(self, input: Any, activation: Activation | None) -> Any:
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            input, padding = pad(input, self._edges, mode=self.padding_mode), 0
        weight, bias = self._weight_and_bias()
        if activation is None:
            return conv2d(input, weight, bias, self.stride, padding, self.dilation, self.groups)
        options = self.stride, padding, self.dilation, self.groups
        return conv2d(input, weight, bias, *options, activation=activation[0], negative_slope=activation[1])
