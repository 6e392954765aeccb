"""matmul: one large product, many small ones, and a vector."""

import fastdl

from tests.cases.matmul import BENCH as CASES

NAME = "matmul"
FASTDL = fastdl.matmul

__all__ = ["CASES", "FASTDL", "NAME", "torch_function"]


def torch_function():
    import torch

    return torch.matmul
