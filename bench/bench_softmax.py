"""softmax: attention, words and pixels."""

import fastdl.functional as F

from tests.cases.softmax import BENCH as CASES

NAME = "softmax"
FASTDL = F.softmax

__all__ = ["CASES", "FASTDL", "NAME", "torch_function"]


def torch_function():
    import torch.nn.functional

    return torch.nn.functional.softmax
