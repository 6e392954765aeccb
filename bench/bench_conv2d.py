"""conv2d: layers of known networks."""

import fastdl.functional as F

from tests.cases.conv2d import BENCH as CASES

NAME = "conv2d"
FASTDL = F.conv2d

__all__ = ["CASES", "FASTDL", "NAME", "torch_function"]


def torch_function():
    import torch.nn.functional

    return torch.nn.functional.conv2d
