"""Whole training steps, from the same weights in both libraries."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.library import LAYOUTS, Library
from bench.op import STEP, Bench, Prepared, Work
from tests.cases.train import BENCH as CASES
from tests.cases.train import QUICK, WARM_UP, TrainCase

LOSSES = 3
"""Steps whose losses are compared."""


def _flops(module: Any, inputs: Any, output: Any) -> float:
    """Of one layer's forward pass; 0 for layers that multiply no matrices."""
    kind = type(module).__name__
    if kind == "LSTM":
        weights = [tuple(weight.shape) for weight in module.parameters() if weight.ndim == 2]
        return 2.0 * math.prod(inputs[0].shape[:2]) * sum(map(math.prod, weights))
    if kind not in ("Conv2d", "ConvTranspose2d", "Linear"):
        return 0.0
    weight = tuple(module.weight.shape)
    positions = inputs[0] if kind == "ConvTranspose2d" else output
    return 2.0 * math.prod(positions.shape) * math.prod(weight[1:])


def count_flops(library: Library, case: TrainCase) -> float:
    """Of a forward pass, by hooks on the layers."""
    model, total = case.network(library.nn), []
    for module in model.modules():
        module.register_forward_hook(lambda *call: total.append(_flops(*call)))
    model(library.tensor(case.batch()[0]))
    return sum(total)


@dataclass(frozen=True)
class Train(Bench):
    name: str = "train"
    group: str = "train"
    cases: tuple[TrainCase, ...] = tuple(CASES)
    quick: tuple[str, ...] = QUICK
    modes: tuple[str, ...] = (STEP,)
    warm_up: str = WARM_UP.name

    def case(self, name: str) -> TrainCase:
        return next(case for case in (*self.cases, WARM_UP) if case.name == name)

    def layouts(self, case: TrainCase) -> tuple[str, ...]:
        return LAYOUTS if case.images else LAYOUTS[:1]

    def work(self, case: TrainCase, mode: str) -> Work:
        """Backward takes twice forward's operations; how many bytes a network moves is its own business."""
        flops = count_flops(Library("fastdl"), case)
        return Work({"forward": flops, "grad_input": flops, "grad_weight": flops})

    def describe(self, case: TrainCase) -> str:
        return f"input {'x'.join(map(str, case.input))}, {case.optimizer}"

    def prepare(self, library: Library, case: TrainCase, layout: str = LAYOUTS[0]) -> Prepared:
        model = case.network(library.nn)
        shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
        state = {name: library.tensor(array) for name, array in case.state(shapes).items()}
        model.load_state_dict({**model.state_dict(), **state})
        if layout == "channels_last":
            model.to(memory_format=library.module.channels_last)
        fused = library.fused
        optimizer = getattr(library.optim, case.optimizer)(model.parameters(), **case.options, **fused)
        x, target = (library.tensor(array, layout=layout) for array in case.batch())
        criterion = library.F.mse_loss if case.reconstructs else library.F.cross_entropy

        def step() -> Any:
            optimizer.zero_grad()
            loss = criterion(model(x), target)
            loss.backward()
            optimizer.step()
            return loss

        def results() -> dict[str, np.ndarray]:
            return {"losses of the first steps": np.array([step().item() for _ in range(LOSSES)])}

        return Prepared({STEP: step}, results)


BENCH = Train()
