"""Parameters, initialisation, checks and repr of the recurrent layers and cells."""

from __future__ import annotations

import math
import warnings
from typing import Any

import fastdl
from fastdl.nn import init
from fastdl.nn.module import Module
from fastdl.nn.parameter import Parameter


def _check_type(op: str, name: str, value: Any, expected: type) -> None:
    if not isinstance(value, expected):
        raise TypeError(f"[{op}] {name}: expected {expected.__name__}, got {type(value).__name__}")


def check_array(op: str, name: str, value: Any) -> None:
    """TypeError for what is no Tensor or array: a packed sequence, for one."""
    if not hasattr(value, "shape") or not hasattr(value, "dtype"):
        raise TypeError(f"[{op}] {name}: expected a Tensor or an array, got {type(value).__name__}")


def _fill_uniform(module: Module, hidden_size: int) -> None:
    bound = 1 / math.sqrt(hidden_size) if hidden_size > 0 else 0
    for parameter in module.parameters():
        init.uniform_(parameter, -bound, bound)


class Recurrent(Module):
    """Layers over sequences; `gates` is how many sums a hidden unit has."""

    op: str
    gates: int

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if not isinstance(dropout, int | float) or isinstance(dropout, bool) or not 0 <= dropout <= 1:
            raise ValueError(f"[{self.op}] dropout: expected a number in [0, 1], got {dropout!r}")
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                f"[{self.op}] dropout: it acts between layers, so that dropout={dropout} does nothing with "
                "num_layers=1",
                stacklevel=2,
            )
        for name, flag in (("bias", bias), ("batch_first", batch_first)):
            _check_type(self.op, name, flag, bool)
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
            _check_type(self.op, name, size, int)
        for name, size in (
            ("input_size", input_size),
            ("hidden_size", hidden_size),
            ("num_layers", num_layers),
        ):
            if size <= 0:
                raise ValueError(f"[{self.op}] {name}: expected at least 1, got {size}")
        if proj_size != 0:
            raise ValueError(
                f"[{self.op}] proj_size: expected 0, as projections are not offered, got {proj_size}"
            )
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.bidirectional = bias, batch_first, bidirectional
        self.dropout = float(dropout)
        self.proj_size = proj_size
        self._weight_names: list[list[str]] = []
        for layer in range(num_layers):
            for suffix in ("", "_reverse") if bidirectional else ("",):
                self._add_parameters(layer, suffix, device, dtype)
        self.reset_parameters()

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    def _add_parameters(self, layer: int, suffix: str, device: Any, dtype: Any) -> None:
        dtype = fastdl.float32 if dtype is None else dtype
        sums = self.gates * self.hidden_size
        features = self.input_size if layer == 0 else self.directions * self.hidden_size
        shapes: dict[str, tuple[int, ...]] = {
            "weight_ih": (sums, features),
            "weight_hh": (sums, self.hidden_size),
        }
        if self.bias:
            shapes.update(bias_ih=(sums,), bias_hh=(sums,))
        names = []
        for kind, shape in shapes.items():
            names.append(f"{kind}_l{layer}{suffix}")
            setattr(self, names[-1], Parameter(fastdl.empty(shape, device=device, dtype=dtype)))
        self._weight_names.append(names)

    def reset_parameters(self) -> None:
        """Uniform in ±1 / sqrt(hidden_size), as PyTorch."""
        _fill_uniform(self, self.hidden_size)

    def flatten_parameters(self) -> None:
        """Nothing: it is cuDNN that wants its weights side by side. Here for code written for PyTorch."""

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._weight_names]

    def check_input(self, input: Any) -> None:
        """ValueError unless `input` is (T, N, I), (N, T, I) or (T, I) with I of `input_size`."""
        check_array(self.op, "input", input)
        if len(input.shape) not in (2, 3):
            raise ValueError(f"[{self.op}] input: expected 2 or 3 axes, got shape {tuple(input.shape)}")
        if input.shape[-1] != self.input_size:
            raise ValueError(
                f"[{self.op}] input: expected {self.input_size} features in its last axis, got shape "
                f"{tuple(input.shape)}"
            )

    def check_state(self, name: str, state: Any, input: Any) -> None:
        """ValueError unless an initial state has the shape that the layers and `input` ask for."""
        check_array(self.op, name, state)
        expected: tuple[int, ...] = (self.num_layers * self.directions, self.hidden_size)
        if len(input.shape) == 3:
            expected = (expected[0], input.shape[0 if self.batch_first else 1], expected[1])
        if tuple(state.shape) != expected:
            raise ValueError(
                f"[{self.op}] {name}: expected {expected} for input of shape {tuple(input.shape)}, got "
                f"{tuple(state.shape)}"
            )

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if self.num_layers != 1:
            text += f", num_layers={self.num_layers}"
        if not self.bias:
            text += ", bias=False"
        if self.batch_first:
            text += ", batch_first=True"
        if self.dropout != 0:
            text += f", dropout={self.dropout}"
        if self.bidirectional:
            text += ", bidirectional=True"
        return text


class RecurrentCell(Module):
    """One step; `gates` is how many sums a hidden unit has."""

    op: str
    gates: int

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
            if size < 1:
                raise ValueError(f"[{self.op}] {name}: expected at least 1, got {size}")
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        dtype = fastdl.float32 if dtype is None else dtype
        sums = self.gates * hidden_size
        self.weight_ih = Parameter(fastdl.empty((sums, input_size), device=device, dtype=dtype))
        self.weight_hh = Parameter(fastdl.empty((sums, hidden_size), device=device, dtype=dtype))
        if bias:
            self.bias_ih = Parameter(fastdl.empty((sums,), device=device, dtype=dtype))
            self.bias_hh = Parameter(fastdl.empty((sums,), device=device, dtype=dtype))
        else:
            self.register_parameter("bias_ih", None)
            self.register_parameter("bias_hh", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform in ±1 / sqrt(hidden_size), as PyTorch."""
        _fill_uniform(self, self.hidden_size)

    def check_axes(self, name: str, value: Any) -> None:
        """ValueError unless `value` is a batch or one item of it."""
        check_array(self.op, name, value)
        if len(value.shape) not in (1, 2):
            raise ValueError(f"[{self.op}] {name}: expected 1 or 2 axes, got shape {tuple(value.shape)}")

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")
