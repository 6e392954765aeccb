"""Benches of optimisers: a step through the optimiser's class, over a list of parameters."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bench.library import LAYOUTS, Library
from bench.op import STEP, Bench, Prepared, Work
from bench.work import steps
from tests.cases import step_case
from tests.cases.step_case import StepCase

COMPARED = 5
"""Parameters of a list whose values after a step are compared; all of a list of one."""


@dataclass(frozen=True)
class Optimizer(Bench):
    """One optimiser, by the name of its class; `arrays` are read or written by a step, for each parameter."""

    name: str
    optimizer: str
    arrays: int
    options: Mapping[str, Any] = field(default_factory=dict)
    fused: bool = True
    """Whether PyTorch has a fused step."""
    lr: float = 1e-2
    group: str = "optim"
    cases: Sequence[StepCase] = tuple(step_case.BENCH)
    quick: Sequence[str] = step_case.QUICK
    modes: tuple[str, ...] = (STEP,)

    def work(self, case: StepCase, mode: str) -> Work:
        return steps(case.shapes, self.arrays)

    def describe(self, case: StepCase) -> str:
        numbers = sum(int(np.prod(shape)) for shape in case.shapes)
        return f"{len(case.shapes)} tensors, {numbers:,} numbers"

    def prepare(self, library: Library, case: StepCase, layout: str = LAYOUTS[0]) -> Prepared:
        rng = np.random.default_rng(len(case.shapes))
        params = []
        for shape in case.shapes:
            param = library.tensor(rng.standard_normal(shape, np.float32), requires_grad=True)
            param.grad = library.tensor(rng.standard_normal(shape, np.float32))
            params.append(param)
        fused = library.fused if self.fused else {}
        optimizer = getattr(library.optim, self.optimizer)(params, self.lr, **self.options, **fused)

        def results() -> dict[str, np.ndarray]:
            before = [param.detach().numpy().copy() for param in params[:COMPARED]]
            optimizer.step()
            after = [param.detach().numpy() for param in params[:COMPARED]]
            return {
                f"change of parameter {i}": a - b for i, (a, b) in enumerate(zip(after, before, strict=True))
            }

        return Prepared({STEP: optimizer.step}, results)

    def smaller(self, case: StepCase) -> StepCase:
        """Five parameters of at most 64 rows and columns."""
        shapes = tuple(tuple(min(size, 64) for size in shape) for shape in case.shapes[:COMPARED])
        return StepCase(case.name, shapes)

    def expected(self, case: StepCase) -> dict[str, np.ndarray]:
        """The change that the reference makes in its first step, from states of zeros."""
        step = importlib.import_module(f"tests.cases.{self.name}").STEP
        rng = np.random.default_rng(len(case.shapes))
        options = {**step.required, **self.options, "lr": self.lr}
        counted = {step.counted.removesuffix("s"): 1} if step.counted else {}
        found = {}
        for i, shape in enumerate(case.shapes):
            param = rng.standard_normal(shape, np.float32).astype(np.float64)
            grad = rng.standard_normal(shape, np.float32).astype(np.float64)
            states = [np.zeros(shape) for _ in step.states]
            found[f"change of parameter {i}"] = (
                step.reference(param, grad, *states, **counted, **options)[0] - param
            )
        return found
