"""embedding: tables of words and of characters."""

import fastdl.functional as F

from tests.cases.embedding import BENCH as CASES

NAME = "embedding"
FASTDL = F.embedding

__all__ = ["CASES", "FASTDL", "NAME", "torch_function"]


def torch_function():
    import torch.nn.functional

    return torch.nn.functional.embedding
