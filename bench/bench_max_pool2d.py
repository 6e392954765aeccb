"""max_pool2d: layers of known networks."""

import fastdl.functional as F

from tests.cases.max_pool2d import BENCH as CASES

NAME = "max_pool2d"
FASTDL = F.max_pool2d

__all__ = ["CASES", "FASTDL", "NAME", "torch_function"]


def torch_function():
    import torch.nn.functional

    return torch.nn.functional.max_pool2d
