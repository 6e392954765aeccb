"""nll_loss: classes of images, words and pixels, from their log-probabilities."""

import fastdl.functional as F

from tests.cases.nll_loss import BENCH as CASES

NAME = "nll_loss"
FASTDL = F.nll_loss

__all__ = ["CASES", "FASTDL", "NAME", "torch_function"]


def torch_function():
    import torch.nn.functional

    return torch.nn.functional.nll_loss
