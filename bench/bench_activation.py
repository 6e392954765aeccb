"""tanh, for all activation functions: the one that computes the most."""

import fastdl.functional as F

from tests.cases.activation import BENCH as CASES

NAME = "activation"
FASTDL = F.tanh

__all__ = ["CASES", "FASTDL", "NAME", "torch_function"]


def torch_function():
    import torch

    return torch.tanh
