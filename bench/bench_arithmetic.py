"""Sums: residuals, scales, biases."""

from fastdl.functional.arithmetic import add

from tests.cases.arithmetic import BENCH as CASES

NAME = "arithmetic"
FASTDL = add

__all__ = ["CASES", "FASTDL", "NAME", "torch_function"]


def torch_function():
    import torch

    return torch.add
