"""matmul: one large product, many small ones, and a vector."""

import math

from bench.op import Case, Op, Work
from bench.work import product
from tests.cases import matmul as cases


def _work(case: Case, mode: str) -> Work:
    """`other` is a matrix or a vector for all rows of `input`, or as many matrices as `input`."""
    input, other = case.operands["input"], case.operands["other"]
    columns = other[-1:] if len(other) > 1 else ()
    return product(case, 2.0 * math.prod(input) * math.prod(columns), (*input[:-1], *columns))(mode)


BENCH = Op("matmul", "other", cases.BENCH, _work, call=lambda library: library.module.matmul)
