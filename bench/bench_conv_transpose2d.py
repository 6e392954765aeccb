"""conv_transpose2d: the layers of a generator."""

import fastdl.functional as F

from tests.cases.conv_transpose2d import BENCH as CASES

NAME = "conv_transpose2d"
FASTDL = F.conv_transpose2d

__all__ = ["CASES", "FASTDL", "NAME", "torch_function"]


def torch_function():
    import torch.nn.functional

    return torch.nn.functional.conv_transpose2d
