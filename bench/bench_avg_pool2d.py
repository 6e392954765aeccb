"""avg_pool2d: layers of known networks."""

import fastdl.functional as F

from tests.cases.avg_pool2d import BENCH as CASES

NAME = "avg_pool2d"
FASTDL = F.avg_pool2d

__all__ = ["CASES", "FASTDL", "NAME", "torch_function"]


def torch_function():
    import torch.nn.functional

    return torch.nn.functional.avg_pool2d
