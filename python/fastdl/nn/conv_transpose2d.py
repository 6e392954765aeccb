"""Two-dimensional transposed convolution as a layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastdl.functional._arguments import pair
from fastdl.functional.conv_transpose2d import conv_transpose2d
from fastdl.nn._activated import Activation
from fastdl.nn._convolution import Convolution


class ConvTranspose2d(Convolution):
    """Takes (N, C, H, W) or (C, H, W) back through a convolution whose `weight` is (in_channels, out_channels / groups,
    R, S).

    See `fastdl.functional.conv_transpose2d`, for `activation` and `negative_slope` too. The call's `output_size`
    (height and width, or the whole shape) picks output_padding by the size that is wanted.
    """

    op = "ConvTranspose2d"
    padding: tuple[int, int]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        output_padding: int | Sequence[int] = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | Sequence[int] = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
        *,
        activation: str | None = None,
        negative_slope: float = 0.01,
    ) -> None:
        padding = pair(self.op, "padding", padding)  # refuses 'same' and 'valid'
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
        self.output_padding = pair(self.op, "output_padding", output_padding)

    def weight_shape(self) -> tuple[int, ...]:
        return (self.in_channels, self.out_channels // self.groups, *self.kernel_size)

    def forward(self, input: Any, output_size: Sequence[int] | None = None) -> Any:
        return self._run(input, self._activation, output_size)

    def _run(
        self, input: Any, activation: Activation | None, output_size: Sequence[int] | None = None
    ) -> Any:
        weight, bias = self._weight_and_bias()
        options = (
            self.stride,
            self.padding,
            self.output_padding if output_size is None else self._output_padding_for(input, output_size),
            self.groups,
            self.dilation,
        )
        if activation is None:
            return conv_transpose2d(input, weight, bias, *options)
        name, slope = activation
        return conv_transpose2d(input, weight, bias, *options, activation=name, negative_slope=slope)

    def _output_padding_for(self, input: Any, output_size: Sequence[int]) -> tuple[int, int]:
        if len(output_size) not in (2, input.ndim):
            raise ValueError(
                f"[{self.op}] output_size: expected (height, width) or {input.ndim} sizes, got {tuple(output_size)}"
            )
        wanted = tuple(output_size[-2:])
        least = [
            (size - 1) * u - 2 * a + d * (kernel - 1) + 1
            for size, u, a, d, kernel in zip(
                input.shape[-2:], self.stride, self.padding, self.dilation, self.kernel_size, strict=True
            )
        ]
        missing = wanted[0] - least[0], wanted[1] - least[1]
        if not all(0 <= extra < u for extra, u in zip(missing, self.stride, strict=True)):
            most = [size + u - 1 for size, u in zip(least, self.stride, strict=True)]
            raise ValueError(
                f"[{self.op}] output_size: expected from {tuple(least)} to {tuple(most)} for input of shape "
                f"{tuple(input.shape)}, got {wanted}"
            )
        return missing

    def _more_repr(self) -> list[str]:
        return [f"output_padding={self.output_padding}"] if self.output_padding != (0, 0) else []
