"""mse_loss: a few numbers a sample, and images."""

from bench.op import Op, floats
from bench.work import loss
from tests.cases import mse_loss as cases

BENCH = Op(
    "mse_loss",
    "other",
    cases.BENCH,
    lambda case, mode: loss(*(2 * floats(case.operands["input"]),) * 2)(mode),
    channels_last=True,
)
