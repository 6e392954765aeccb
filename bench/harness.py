"""Runs a case of an op in fastdl and in PyTorch by turns, once both agree on the result."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import fastdl
import numpy as np

from tests.cases.case import Case

try:
    import torch
except ImportError:
    torch = None

REPETITIONS = 9
SECONDS_PER_REPETITION = 0.05
AGREEMENT = 1e-3  # only tells the same op from another one; accuracy is the tests' business


@dataclass(frozen=True)
class Contender:
    """One library's forward and backward of a case, called again and again; an optimiser's step has no backward."""

    name: str
    forward: Callable[[], Any]
    both: Callable[[], Any] | None
    result: Callable[[], np.ndarray]


def _contender(
    name: str, function: Callable, arrays: dict[str, np.ndarray], options: Any, tensor: Callable
) -> Contender:
    operands = {key: tensor(array) for key, array in arrays.items()}

    def forward() -> Any:
        return function(**operands, **options)

    def both() -> None:
        for operand in operands.values():
            operand.grad = None
        forward().sum().backward()

    return Contender(name, forward, both, lambda: forward().detach().numpy())


def fastdl_contender(function: Callable, case: Case) -> Contender:
    def tensor(array: np.ndarray) -> Any:
        return fastdl.tensor(array, requires_grad=array.dtype.kind == "f")

    return _contender("fastdl", function, case.arrays(np.float32), case.options, tensor)


def torch_contender(function: Callable, case: Case) -> Contender:
    def tensor(array: np.ndarray) -> Any:
        return torch.from_numpy(array).requires_grad_(array.dtype.kind == "f")

    return _contender("torch", function, case.arrays(np.float32), case.options, tensor)


def _seconds(call: Callable[[], Any], count: int) -> float:
    begin = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - begin) / count


def time_in_turn(calls: list[Callable[[], Any]]) -> list[list[float]]:
    """Seconds a call, REPETITIONS of each, the contenders interleaved so that drift meets all alike."""
    counts = [max(1, int(SECONDS_PER_REPETITION / max(_seconds(call, 1), 1e-9))) for call in calls]
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(REPETITIONS):
        for call, count, samples in zip(calls, counts, times, strict=True):
            samples.append(_seconds(call, count))
    return times


def op_contenders(module: ModuleType, case: Case) -> list[Contender]:
    contenders = [fastdl_contender(module.FASTDL, case)]
    if torch is not None:
        contenders.append(torch_contender(module.torch_function(), case))
    return contenders


def compare(module: ModuleType, case: Any) -> str:
    """A line of the table: medians in milliseconds, and PyTorch's time over ours with its spread."""
    if torch is not None:
        torch.set_num_threads(fastdl.get_num_threads())
    special = getattr(module, "contenders", None)
    contenders = special(case) if special else op_contenders(module, case)
    if len(contenders) == 2:
        np.testing.assert_allclose(
            contenders[0].result(), contenders[1].result(), rtol=AGREEMENT, atol=AGREEMENT
        )
    line = f"{module.NAME:15} {case.name:20}"
    for attribute in ("forward", "both"):
        calls = [getattr(contender, attribute) for contender in contenders]
        if calls[0] is None:
            continue
        times = time_in_turn(calls)
        line += "".join(f" {statistics.median(samples) * 1e3:9.3f}" for samples in times)
        if len(times) == 2:
            ratios = sorted(other / ours for ours, other in zip(*times, strict=True))
            line += f" {statistics.median(ratios):6.2f} [{ratios[0]:.2f}-{ratios[-1]:.2f}]"
    return line
