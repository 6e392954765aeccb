"""Sums: residuals, scales, biases."""

from bench.op import Case, Op, cut_batch, floats
from bench.work import moved
from tests.cases import arithmetic as cases


def _work(case: Case, mode: str):
    size, other = floats(case.operands["input"]), floats(case.others["other"](case.generator()).shape)
    return moved(size + other, size)(mode)


BENCH = Op(
    "arithmetic",
    "other",
    cases.BENCH,
    _work,
    call=lambda library: library.module.add,
    reference="add",
    gradients=("input",),
    cut=cut_batch,
)
