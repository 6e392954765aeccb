"""pad: images before a convolution, and channels of a shortcut."""

from bench.op import Case, Op, Work, cut_batch, floats
from bench.work import moved
from tests.cases import pad as cases


def _work(case: Case, mode: str) -> Work:
    shape, pad = case.operands["input"], case.options["pad"]
    padded = list(shape)
    for i in range(len(pad) // 2):
        padded[-1 - i] += pad[2 * i] + pad[2 * i + 1]
    return moved(floats(shape), floats(padded))(mode)


BENCH = Op("pad", "other", cases.BENCH, _work, cut=cut_batch, channels_last=True)
