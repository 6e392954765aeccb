"""What recurrent networks share: layers over layers, in one direction or two, and the form of their arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastdl.functional._arguments import operand
from fastdl.functional.dropout import dropout as drop
from fastdl.functional.indexing import getitem
from fastdl.functional.shape import cat, transpose

Layer = Callable[[Any, tuple[Any, ...], tuple[Any, ...]], tuple[Any, ...]]


def layer_parameters(
    op: str, params: Sequence[Any], has_biases: bool, num_layers: int, bidirectional: bool
) -> list[tuple[Any, ...]]:
    """`params` by layer: for each direction weight_ih, weight_hh and, with `has_biases`, bias_ih, bias_hh."""
    if not isinstance(params, tuple | list):
        raise TypeError(f"[{op}] params: expected a list of arrays, got {type(params).__name__}")
    if num_layers < 1:
        raise ValueError(f"[{op}] num_layers: expected at least 1, got {num_layers}")
    each = (4 if has_biases else 2) * (2 if bidirectional else 1)
    if len(params) != num_layers * each:
        raise ValueError(
            f"[{op}] params: expected {num_layers * each} arrays for num_layers={num_layers}, has_biases="
            f"{has_biases} and bidirectional={bidirectional}, got {len(params)}"
        )
    params = [operand(op, f"params[{i}]", param) for i, param in enumerate(params)]
    return [tuple(params[first : first + each]) for first in range(0, len(params), each)]


def check_state(op: str, name: str, state: Any, expected: tuple[int, ...]) -> None:
    """ValueError unless an initial state holds all layers and directions of the batch."""
    state = operand(op, name, state)
    if tuple(state.shape) != expected:
        raise ValueError(f"[{op}] {name}: expected {expected}, got {tuple(state.shape)}")


def run_layers(
    layer: Layer,
    input: Any,
    states: tuple[Any, ...],
    params: Sequence[tuple[Any, ...]],
    directions: int,
    dropout: float,
    train: bool,
    batch_first: bool,
) -> tuple[Any, ...]:
    """The last layer's output, and the final states of all layers, stacked as the initial ones were.

    `layer(input, states, params)` gives (output, *states) for time-major input; initial states may be None.
    Dropout comes between layers, in training.
    """
    output = transpose(input, 0, 1) if batch_first else input
    finals: list[tuple[Any, ...]] = []
    for index, own in enumerate(params):
        if index > 0:
            output = drop(output, dropout, train)
        first = index * directions
        initial = tuple(
            state if state is None or len(params) == 1 else getitem(state, slice(first, first + directions))
            for state in states
        )
        output, *final = layer(output, initial, own)
        finals.append(tuple(final))
    stacked = tuple(parts[0] if len(parts) == 1 else cat(parts, 0) for parts in zip(*finals, strict=True))
    return transpose(output, 0, 1) if batch_first else output, *stacked
