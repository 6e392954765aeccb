"""Batch normalisation as layers."""

from __future__ import annotations

from typing import Any

import fastdl
from fastdl._interop import write_
from fastdl.functional.batch_norm import batch_norm
from fastdl.nn import init
from fastdl.nn._activated import Activated, Activation
from fastdl.nn.parameter import Parameter


class _BatchNorm(Activated):
    """What the layers have in common; `dimensions` are the numbers of axes that they take."""

    dimensions: tuple[int, ...]

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
        activation: str | None = None,
        negative_slope: float = 0.01,
    ) -> None:
        super().__init__()
        self._set_activation(activation, negative_slope)
        if num_features < 0:
            raise ValueError(f"[{type(self).__name__}] num_features: expected at least 0, got {num_features}")
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        dtype = fastdl.float32 if dtype is None else dtype
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            parameter = (
                Parameter(fastdl.empty((num_features,), device=device, dtype=dtype)) if wanted else None
            )
            self.register_parameter(name, parameter)
        for name in ("running_mean", "running_var"):
            self.register_buffer(
                name,
                fastdl.empty((num_features,), device=device, dtype=dtype) if track_running_stats else None,
            )
        self.register_buffer(
            "num_batches_tracked",
            fastdl.tensor(0, device=device, dtype=fastdl.int64) if track_running_stats else None,
        )
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Sets the mean to 0, the variance to 1 and the count of batches to 0."""
        if self.track_running_stats:
            write_(self.running_mean, 0)
            write_(self.running_var, 1)
            write_(self.num_batches_tracked, 0)

    def reset_parameters(self) -> None:
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def _run(self, input: Any, activation: Activation | None) -> Any:
        if len(input.shape) not in self.dimensions:
            expected = " or ".join(f"{ndim}D" for ndim in self.dimensions)
            raise ValueError(
                f"[{type(self).__name__}] input: expected {expected} input (got {len(input.shape)}D input)"
            )
        training, momentum = self.training, self.momentum
        running_mean, running_var = self._buffer("running_mean"), self._buffer("running_var")
        counter = self._buffer("num_batches_tracked") if training and self.track_running_stats else None
        batches = 0 if counter is None else counter.item() + 1
        if momentum is None:  # the average over all batches so far
            momentum = 1.0 / batches if batches else 0.0
        tracked = not training or self.track_running_stats
        operands = (
            input,
            running_mean if tracked else None,
            running_var if tracked else None,
            *self._weight_and_bias(),
            training or (running_mean is None and running_var is None),
            momentum,
            self.eps,
        )
        if activation is None:
            y = batch_norm(*operands)
        else:
            y = batch_norm(*operands, activation=activation[0], negative_slope=activation[1])
        if counter is not None:
            write_(counter, batches)
        return y

    def extra_repr(self) -> str:
        parts = [
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        ]
        return ", ".join(parts + self._activation_repr())


class BatchNorm1d(_BatchNorm):
    """Normalises the channels of (N, C) or (N, C, L); see `fastdl.functional.batch_norm`.

    With momentum=None the running statistics are the average over all batches; without track_running_stats
    the batch's are taken in evaluation mode too. `activation` and `negative_slope` are the function's.
    """

    dimensions = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Normalises the channels of (N, C, H, W); otherwise as `BatchNorm1d`."""

    dimensions = (4,)


class BatchNorm3d(_BatchNorm):
    """Normalises the channels of (N, C, D, H, W); otherwise as `BatchNorm1d`."""

    dimensions = (5,)
