"""tanh, for all activation functions: the one that computes the most."""

from bench.op import Op, cut_batch
from bench.work import elementwise
from tests.cases import activation as cases

BENCH = Op(
    "activation",
    "other",
    cases.BENCH,
    elementwise,
    call=lambda library: library.module.tanh,
    reference="tanh",
    cut=cut_batch,
    channels_last=True,
)
