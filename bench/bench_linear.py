"""linear: layers of known networks."""

import fastdl.functional as F

from tests.cases.linear import BENCH as CASES

NAME = "linear"
FASTDL = F.linear

__all__ = ["CASES", "FASTDL", "NAME", "torch_function"]


def torch_function():
    import torch.nn.functional

    return torch.nn.functional.linear
