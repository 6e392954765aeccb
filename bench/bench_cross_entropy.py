"""cross_entropy: from 10 to 128,000 classes."""

from bench.op import Case, Op, floats
from bench.work import loss
from tests.cases import cross_entropy as cases


def _smaller(case: Case) -> Case:
    """Two rows, or a corner of one image."""
    N, C, *pixels = case.operands["input"]
    return cases.case(case.name, (min(N, 2), C, *(min(size, 16) for size in pixels)), **case.options)


def _work(case: Case, mode: str):
    logits = floats(case.operands["input"])
    return loss(logits, logits)(mode)


BENCH = Op(
    "cross_entropy",
    "cross_entropy",
    cases.BENCH,
    _work,
    quick=cases.QUICK,
    cut=_smaller,
    channels_last=True,
)
