"""The norm of all gradients: biases, the weights of convolutions, a language model."""

import fastdl
import numpy as np
from fastdl.nn import utils

from bench.harness import Contender, torch
from tests.cases.square_sum import BENCH as CASES

NAME = "square_sum"

__all__ = ["CASES", "NAME", "contenders"]


def contenders(case):
    arrays = list(case.arrays(np.float32).values())
    ours = [fastdl.tensor(array) for array in arrays]
    found = [
        Contender(
            "fastdl", lambda: utils.get_total_norm(ours), None, lambda: utils.get_total_norm(ours).numpy()
        )
    ]
    if torch is not None:
        norm, theirs = torch.nn.utils.get_total_norm, [torch.from_numpy(array) for array in arrays]
        found.append(Contender("torch", lambda: norm(theirs), None, lambda: norm(theirs).numpy()))
    return found
