"""cross_entropy: classifiers of images, words and pixels."""

import fastdl.functional as F

from tests.cases.cross_entropy import BENCH as CASES

NAME = "cross_entropy"
FASTDL = F.cross_entropy

__all__ = ["CASES", "FASTDL", "NAME", "torch_function"]


def torch_function():
    import torch.nn.functional

    return torch.nn.functional.cross_entropy
