"""max_pool2d: layers of known networks."""

from bench.op import Op, cut_batch
from bench.work import pooling, window
from tests.cases import max_pool2d as cases

BENCH = Op(
    "max_pool2d",
    "pool2d",
    cases.BENCH,
    lambda case, mode: pooling(case, mode, window(case)),
    quick=cases.QUICK,
    cut=cut_batch,
    channels_last=True,
)
