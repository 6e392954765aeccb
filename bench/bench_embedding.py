"""embedding: tables of words and of characters."""

from bench.op import Case, Op, Work, floats
from bench.work import passes
from tests.cases import embedding as cases


def _work(case: Case, mode: str) -> Work:
    """Rows read and written; the gradient is as large as the table."""
    table = case.operands["weight"]
    indices = case.others["input"](case.generator()).size
    rows = floats((indices, table[1]))
    return passes(Work({}, 8.0 * indices + 2 * rows), Work({}, 8.0 * indices + rows + floats(table)))(mode)


BENCH = Op("embedding", "other", cases.BENCH, _work)
