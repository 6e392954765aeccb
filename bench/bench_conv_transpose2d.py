"""conv_transpose2d: generators, decoders, upsampling."""

from bench.op import Case, Op, cut
from bench.work import transposed_convolution
from tests.cases import conv_transpose2d as cases


def _smaller(case: Case) -> Case:
    _, C, H, W = case.operands["input"]
    return cut(case, input=(1, C, min(H, 12), min(W, 12)))


BENCH = Op(
    "conv_transpose2d",
    "conv_transpose2d",
    cases.BENCH,
    transposed_convolution,
    quick=cases.QUICK,
    cut=_smaller,
    channels_last=True,
)
