"""conv_transpose2d: generators, decoders, upsampling."""

from collections.abc import Mapping

import numpy as np

from bench.op import Case, Op, cut
from bench.work import transposed_convolution
from tests.cases import conv_transpose2d as cases


def _smaller(case: Case) -> Case:
    _, C, H, W = case.operands["input"]
    return cut(case, input=(1, C, min(H, 12), min(W, 12)))


def _variants(case: Case) -> Mapping[str, str]:
    from fastdl import _core

    names = ("stride", "padding", "output_padding", "groups", "dilation")
    defaults = {
        "stride": (1, 1),
        "padding": (0, 0),
        "output_padding": (0, 0),
        "groups": 1,
        "dilation": (1, 1),
    }
    options = {**defaults, **case.options}
    return _core.conv_transpose2d_variants(
        case.operands["input"],
        case.operands["weight"],
        np.dtype(np.float32),
        *(options[name] for name in names),
    )


BENCH = Op(
    "conv_transpose2d",
    "conv_transpose2d",
    cases.BENCH,
    transposed_convolution,
    quick=cases.QUICK,
    cut=_smaller,
    channels_last=True,
    variants=_variants,
)
