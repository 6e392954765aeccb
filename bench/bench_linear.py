"""linear: layers of known networks."""

from bench.op import Case, Op, Work, cut
from bench.work import product
from tests.cases import linear as cases


def _work(case: Case, mode: str) -> Work:
    (N, I), (O, _) = case.operands["input"], case.operands["weight"]
    return product(case, 2.0 * N * I * O, (N, O))(mode)


def _smaller(case: Case) -> Case:
    """Two rows to 64 outputs."""
    (N, I), (O, _) = case.operands["input"], case.operands["weight"]
    outputs = min(O, 64)
    return cut(case, input=(min(N, 2), I), weight=(outputs, I), bias=(outputs,))


BENCH = Op("linear", "other", cases.BENCH, _work, cut=_smaller)
