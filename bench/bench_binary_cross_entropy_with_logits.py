"""binary_cross_entropy_with_logits: labels, masks, and classes with weights, from logits."""

import fastdl.functional as F

from tests.cases.binary_cross_entropy_with_logits import BENCH as CASES

NAME = "binary_cross_entropy_with_logits"
FASTDL = F.binary_cross_entropy_with_logits

__all__ = ["CASES", "FASTDL", "NAME", "torch_function"]


def torch_function():
    import torch.nn.functional

    return torch.nn.functional.binary_cross_entropy_with_logits
