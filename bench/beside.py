"""fastdl and PyTorch in one process: what alternating calls cost over the sum of the times alone."""

from __future__ import annotations

import statistics
from typing import Any

from bench import registry
from bench.library import Library
from bench.worker import _seconds

ORDERS = ("beside-fastdl-first", "beside-torch-first")
CASES = (
    ("conv2d", "resnet50_conv4_3x3_n1", "forward"),
    ("conv2d", "resnet20_conv2", "forward+backward"),
    ("linear", "digits", "forward"),
    ("max_pool2d", "lenet_pool1", "forward"),
)
"""Calls of 10 µs to some ms, where waiting threads are in each other's way."""


class Beside:
    def __init__(self, order: str, threads: int) -> None:
        names = ["fastdl", "torch"] if order == ORDERS[0] else ["torch", "fastdl"]
        made = {name: Library(name) for name in names}
        for library in made.values():
            library.module.set_num_threads(threads)
        self.libraries = made["fastdl"], made["torch"]

    def race(self, op: str, case: str, mode: str, seconds: float, repetitions: int) -> dict[str, Any]:
        """Seconds of a pair of calls, for each repetition: fastdl's alone, torch's alone, and alternating."""
        bench = registry.bench(op)
        ours, theirs = (bench.prepare(library, bench.case(case)).calls[mode] for library in self.libraries)

        def alternating() -> None:
            ours()
            theirs()

        alternating()
        count = max(3, round(seconds / max(_seconds(alternating, 3), 1e-7)))
        samples: dict[str, list[float]] = {"fastdl": [], "torch": [], "alternating": []}
        for _ in range(repetitions):
            for name, call in zip(samples, (ours, theirs, alternating), strict=True):
                call()
                samples[name].append(_seconds(call, count))
        return {"seconds": samples, "loss": loss(samples)}


def loss(samples: dict[str, list[float]]) -> float:
    """The time of alternating calls over the sum of the times alone, less 1."""
    middle = {name: statistics.median(values) for name, values in samples.items()}
    return middle["alternating"] / (middle["fastdl"] + middle["torch"]) - 1
