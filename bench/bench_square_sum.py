"""The norm of all gradients, as clipping takes it: a thousand small tensors to one of 25 million numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.library import LAYOUTS, Library
from bench.op import STEP, Bench, Prepared, Work
from bench.work import steps
from tests.cases import square_sum as cases
from tests.cases.step_case import StepCase


def _gradients(case: StepCase) -> list[np.ndarray]:
    rng = np.random.default_rng(len(case.shapes))
    return [rng.standard_normal(shape, np.float32) for shape in case.shapes]


@dataclass(frozen=True)
class Norm(Bench):
    name: str = "square_sum"
    group: str = "optim"
    cases: Sequence[StepCase] = tuple(cases.BENCH)
    quick: Sequence[str] = ()
    modes: tuple[str, ...] = (STEP,)

    def work(self, case: StepCase, mode: str) -> Work:
        return steps(case.shapes, 1)

    def describe(self, case: StepCase) -> str:
        return f"{len(case.shapes)} tensors, {sum(int(np.prod(shape)) for shape in case.shapes):,} numbers"

    def prepare(self, library: Library, case: StepCase, layout: str = LAYOUTS[0]) -> Prepared:
        gradients = [library.tensor(array) for array in _gradients(case)]

        def norm():
            return library.nn.utils.get_total_norm(gradients)

        return Prepared({STEP: norm}, lambda: {"norm": norm().numpy()})

    def smaller(self, case: StepCase) -> StepCase:
        return case

    def expected(self, case: StepCase) -> dict[str, np.ndarray]:
        from fastdl.reference.square_sum import square_sum  # not where torch is asked to prepare

        return {"norm": np.sqrt(np.asarray(square_sum(_gradients(case))))}


BENCH = Norm()
