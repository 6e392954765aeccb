"""nll_loss: classes of images, words and pixels, from their log-probabilities."""

import math

from bench.op import Case, Op, Work, floats
from bench.work import passes
from tests.cases import nll_loss as cases


def _work(case: Case, mode: str) -> Work:
    """One number and its class (int64) of each row; the gradient is mostly zeros."""
    shape = case.operands["input"]
    rows = math.prod(shape) / shape[1]
    return passes(Work({}, 12 * rows), Work({}, floats(shape) + 8 * rows))(mode)


BENCH = Op("nll_loss", "other", cases.BENCH, _work)
