"""Contenders for an optimiser's step: ours and PyTorch's fused one, through the optimiser classes."""

from __future__ import annotations

from typing import Any

import fastdl
import numpy as np

from bench.harness import Contender, torch
from tests.cases.step_case import Step, StepCase


def contenders(name: str, step: Step, case: StepCase) -> list[Contender]:
    lists = case.lists(step, np.float32)

    def contender(library: str, optimizer: Any, params: list[Any], tensor: Any) -> Contender:
        for param, grad in zip(params, lists["grads"], strict=True):
            param.grad = tensor(grad)

        def result() -> np.ndarray:
            optimizer.step()
            return params[0].detach().numpy()

        return Contender(library, optimizer.step, None, result)

    ours = [fastdl.tensor(array.copy(), requires_grad=True) for array in lists["params"]]
    found = [
        contender("fastdl", getattr(fastdl.optim, name)(ours, 1e-2, **case.options), ours, fastdl.tensor)
    ]
    if torch is not None:
        theirs = [torch.from_numpy(array.copy()).requires_grad_() for array in lists["params"]]
        fused = {} if name == "RMSprop" else {"fused": True}
        optimizer = getattr(torch.optim, name)(theirs, 1e-2, **case.options, **fused)
        found.append(contender("torch", optimizer, theirs, torch.from_numpy))
    return found
