"""binary_cross_entropy: labels, masks, and classes with weights."""

import fastdl.functional as F

from tests.cases.binary_cross_entropy import BENCH as CASES

NAME = "binary_cross_entropy"
FASTDL = F.binary_cross_entropy

__all__ = ["CASES", "FASTDL", "NAME", "torch_function"]


def torch_function():
    import torch.nn.functional

    return torch.nn.functional.binary_cross_entropy
