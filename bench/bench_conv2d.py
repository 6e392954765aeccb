"""conv2d: layers of known networks."""

from bench.op import Case, Op, cut
from bench.work import convolution
from tests.cases import conv2d as cases


def _smaller(case: Case) -> Case:
    """One image, and of it a corner that the kernel fits in a few times."""
    _, C, H, W = case.operands["input"]
    return cut(case, input=(1, C, min(H, 24), min(W, 24)))


BENCH = Op("conv2d", "conv2d", cases.BENCH, convolution, quick=cases.QUICK, cut=_smaller, channels_last=True)
