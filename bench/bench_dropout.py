"""dropout: a hidden layer and attention. Random masks differ, so that only shapes are compared."""

from __future__ import annotations

import dataclasses
import sys

import fastdl.functional as F
import numpy as np

from bench import harness
from tests.cases.case import Case
from tests.cases.dropout import BENCH as CASES

NAME = "dropout"
FASTDL = F.dropout

__all__ = ["CASES", "FASTDL", "NAME", "contenders", "torch_function"]


def contenders(case: Case) -> list[harness.Contender]:
    both = harness.op_contenders(sys.modules[__name__], case)
    return [
        dataclasses.replace(each, result=lambda each=each: np.array(each.result().shape)) for each in both
    ]


def torch_function():
    import torch.nn.functional

    return torch.nn.functional.dropout
