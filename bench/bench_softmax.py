"""softmax: attention, words and pixels."""

from bench.op import Op, cut_batch
from bench.work import elementwise
from tests.cases import softmax as cases

BENCH = Op(
    "softmax",
    "other",
    cases.BENCH,
    elementwise,
    reference="softmax",
    cut=cut_batch,
    channels_last=True,
)
