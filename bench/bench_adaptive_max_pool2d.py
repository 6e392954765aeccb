"""adaptive_max_pool2d: heads of classifiers."""

from bench.op import Op, cut_batch
from bench.work import pooling
from tests.cases import adaptive_max_pool2d as cases

BENCH = Op(
    "adaptive_max_pool2d",
    "pool2d",
    cases.BENCH,
    lambda case, mode: pooling(case, mode, (case.options["output_size"],) * 2),
    cut=cut_batch,
    channels_last=True,
)
