"""What a call costs before any arithmetic: array in and array out, and through a layer and the tape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.library import LAYOUTS, Library
from bench.op import FORWARD, Bench, Prepared, Work
from tests.cases.calls import BENCH as CASES
from tests.cases.calls import QUICK, CallCase

LAYER = "layer"


@dataclass(frozen=True)
class Calls(Bench):
    name: str = "calls"
    group: str = "calls"
    cases: Sequence[CallCase] = tuple(CASES)
    quick: Sequence[str] = QUICK
    modes: tuple[str, ...] = (FORWARD, LAYER)

    def work(self, case: CallCase, mode: str) -> Work:
        return Work()

    def describe(self, case: CallCase) -> str:
        return f"input {'x'.join(map(str, case.input))}"

    def prepare(self, library: Library, case: CallCase, layout: str = LAYOUTS[0]) -> Prepared:
        rng = np.random.default_rng(0)
        arrays = [rng.standard_normal(shape, np.float32) for shape in (case.input, *case.weights)]
        function, layer = case.function(library.F), case.layer(library.nn)
        operands: list[Any] = arrays
        if library.name == "torch":
            operands = [library.tensor(array) for array in arrays]
        recorded = library.tensor(arrays[0], requires_grad=True)
        return Prepared(
            {FORWARD: lambda: function(*operands), LAYER: lambda: layer(recorded)},
            lambda: {"output": np.asarray(function(*operands))},
        )


BENCH = Calls()
