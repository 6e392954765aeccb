"""lstm: batch 1 to 128 and 32 to 2048 hidden units; the gradient comes in at the output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bench.library import Library
from bench.op import Case, Op, Work, cut, floats
from bench.work import passes
from tests.cases import lstm as cases


def _sizes(case: Case) -> tuple[int, ...]:
    """T, N, I, H, layers, directions."""
    layers, N, H = case.operands["h_0"]
    directions = 2 if case.options.get("bidirectional") else 1
    T, _, I = case.operands["input"]
    return T, N, I, H, layers // directions, directions


def _weight_names(case: Case) -> dict[str, tuple[int, ...]]:
    _, _, I, H, layers, directions = _sizes(case)
    return cases.weights(I, H, layers, True, directions == 2)


def work(case: Case, mode: str) -> Work:
    """The products with all weights; each step meets the recurrent ones again, forward and backward."""
    T, N, _, H, layers, directions = _sizes(case)
    weights = [shape for shape in _weight_names(case).values() if len(shape) == 2]
    flops = sum(2.0 * T * N * rows * columns for rows, columns in weights)
    operands, output = floats(case.operands["input"], *weights), floats((T, N, directions * H))
    recurrent = floats((4 * H, H))
    reads = (T - 1) * directions * layers * recurrent
    forward = Work({"forward": flops}, operands + output, reads, recurrent)
    gradients = {"grad_input": flops, "grad_weight": flops}
    return passes(forward, Work(gradients, output + 2 * operands, reads, recurrent))(mode)


def _output_of(library: Library) -> Callable:
    """The output of the last layer, of both libraries' lstm, with the weights by name."""
    lstm = library.module.lstm

    def run(input, h_0, c_0, num_layers=1, bidirectional=False, **weights):
        params = [*weights.values()]
        return lstm(input, (h_0, c_0), params, True, num_layers, 0.0, False, bidirectional, False)[0]

    return run


def _smaller(case: Case) -> Case:
    """Two steps of two sequences."""
    T, N, I, H, layers, directions = _sizes(case)
    state, batch = (layers * directions, min(N, 2), H), min(N, 2)
    return cut(case, input=(min(T, 2), batch, I), h_0=state, c_0=state)


class Lstm(Op):
    def differentiable(self, case: Case) -> list[str]:
        return [*case.operands, *_weight_names(case)]

    def reference_gradients(self, reference: Any, grad: Any, arrays: Any, case: Case) -> Mapping[str, Any]:
        zeros = np.zeros(arrays["h_0"].shape)
        return reference.backward((grad, zeros, zeros), **arrays, **case.options)


BENCH = Lstm("lstm", "recurrent", cases.BENCH, work, quick=cases.QUICK, call=_output_of, cut=_smaller)
