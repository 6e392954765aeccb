"""batch_norm: layers of known networks, and rows."""

from typing import Any

import fastdl.functional as F

from tests.cases.batch_norm import BENCH as CASES

NAME = "batch_norm"

__all__ = ["CASES", "FASTDL", "NAME", "torch_function"]


def _without_gradient(statistics: Any) -> Any:
    return None if statistics is None else statistics.detach()


def FASTDL(input: Any, running_mean: Any, running_var: Any, **options: Any) -> Any:
    """The harness asks for the gradient of every floating operand; the statistics have none."""
    return F.batch_norm(input, _without_gradient(running_mean), _without_gradient(running_var), **options)


def torch_function():
    import torch.nn.functional

    def function(input: Any, running_mean: Any, running_var: Any, **options: Any) -> Any:
        statistics = _without_gradient(running_mean), _without_gradient(running_var)
        return torch.nn.functional.batch_norm(input, *statistics, **options)

    return function
