"""batch_norm: layers of known networks, and rows."""

from bench.op import Case, Op, Work, floats
from bench.work import moved
from tests.cases import batch_norm as cases


def _work(case: Case, mode: str) -> Work:
    """Training meets the input twice, for its statistics and its values, forward and (with the gradient) backward."""
    size = floats(case.operands["input"])
    again = size if case.options["training"] else 0
    return moved(size + again, size, size + 2 * again)(mode)


BENCH = Op("batch_norm", "other", cases.BENCH, _work, channels_last=True)
