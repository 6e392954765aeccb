"""pad: images before a convolution, and channels of a shortcut."""

import fastdl.functional as F

from tests.cases.pad import BENCH as CASES

NAME = "pad"
FASTDL = F.pad

__all__ = ["CASES", "FASTDL", "NAME", "torch_function"]


def torch_function():
    import torch.nn.functional

    return torch.nn.functional.pad
