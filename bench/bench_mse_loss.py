"""mse_loss: a few numbers a sample, and images."""

import fastdl.functional as F

from tests.cases.mse_loss import BENCH as CASES

NAME = "mse_loss"
FASTDL = F.mse_loss

__all__ = ["CASES", "FASTDL", "NAME", "torch_function"]


def torch_function():
    import torch.nn.functional

    return torch.nn.functional.mse_loss
