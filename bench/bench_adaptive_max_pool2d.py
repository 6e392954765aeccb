"""adaptive_max_pool2d: heads of classifiers."""

import fastdl.functional as F

from tests.cases.adaptive_max_pool2d import BENCH as CASES

NAME = "adaptive_max_pool2d"
FASTDL = F.adaptive_max_pool2d

__all__ = ["CASES", "FASTDL", "NAME", "torch_function"]


def torch_function():
    import torch.nn.functional

    return torch.nn.functional.adaptive_max_pool2d
