"""conv2d: layers of known networks."""

from collections.abc import Mapping

import numpy as np

from bench.op import Case, Op, cut
from bench.work import convolution
from tests.cases import conv2d as cases


def _smaller(case: Case) -> Case:
    """One image, and of it a corner that the kernel fits in a few times."""
    _, C, H, W = case.operands["input"]
    return cut(case, input=(1, C, min(H, 24), min(W, 24)))


def _variants(case: Case) -> Mapping[str, str]:
    from fastdl import _core

    options = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1, **case.options}
    padding = options["padding"]
    return _core.conv2d_variants(
        case.operands["input"],
        case.operands["weight"],
        np.dtype(np.float32),
        options["stride"],
        padding,
        padding,
        options["dilation"],
        options["groups"],
    )


BENCH = Op(
    "conv2d",
    "conv2d",
    cases.BENCH,
    convolution,
    quick=cases.QUICK,
    cut=_smaller,
    channels_last=True,
    variants=_variants,
)
