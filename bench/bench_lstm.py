"""lstm: batch 1 to 64 and 128 to 1024 hidden units; the sum of the output is what backward starts from."""

import fastdl.functional as F

from tests.cases.lstm import BENCH as CASES

NAME = "lstm"

__all__ = ["CASES", "FASTDL", "NAME", "torch_function"]


def _output_of(lstm):
    def run(input, h_0, c_0, num_layers=1, bidirectional=False, **weights):
        params = [*weights.values()]
        return lstm(input, (h_0, c_0), params, True, num_layers, 0.0, True, bidirectional, False)[0]

    return run


FASTDL = _output_of(F.lstm)


def torch_function():
    import torch

    return _output_of(torch.lstm)
