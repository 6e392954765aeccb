"""One step of an optimiser over a list of parameters, described by shapes: what tests check and the bench times."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.cases.case import Shape

Array = np.ndarray
Lists = dict[str, list[Array]]


@dataclass(frozen=True)
class Step:
    """A step function, its reference, and the names of its state lists, with the option that each takes."""

    function: Callable
    reference: Callable
    required: Mapping[str, Any]
    states: Mapping[str, str | None]
    squares: tuple[str, ...] = ()
    counted: str | None = None
    """An argument with one value a parameter, called the same in the singular by the reference."""


@dataclass(frozen=True)
class StepCase:
    name: str
    shapes: tuple[Shape, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    counts: tuple[Any, ...] = ()
    """Values of Step.counted; repeated as often as there are parameters."""

    def __str__(self) -> str:
        return self.name

    def lists(self, step: Step, dtype: Any) -> Lists:
        """Parameters, gradients and states, the same every time; an empty list for a state that is not used."""
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        made = {}
        for name in ("params", "grads", *step.states):
            option = step.states.get(name)
            if option and not self.options.get(option):
                made[name] = []
                continue
            made[name] = [np.array(rng.standard_normal(shape), dtype) for shape in self.shapes]
            if name in step.squares:  # above the square of any mean gradient
                made[name] = [np.asarray(25 + array**2) for array in made[name]]
        return made

    def arguments(self, step: Step) -> dict[str, Any]:
        """All that is not an array."""
        arguments = {**step.required, **self.options}
        if step.counted and self.counts:
            repeated = self.counts * len(self.shapes)
            arguments[step.counted] = list(repeated[: len(self.shapes)])
        return arguments


SIZES = tuple((n,) for n in (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 97))
"""Round the vector widths, one after another in one list."""

MIXED = ((37,), (), (5, 3, 2), (0, 4), (1000,), (0,))
LARGE = ((3, 11), (50000,), (16384,), (0,), (16383,), (7, 5000), (1,))
"""Parameters of many chunks, and some that share one."""


def cases(step_options: Mapping[str, Mapping[str, Any]], counts: tuple[Any, ...]) -> list[StepCase]:
    return [StepCase(name, MIXED, options, counts) for name, options in step_options.items()]


# ---- for the bench: the same lists for every optimiser

_LANGUAGE_MODEL = ((32000, 512), *((2048, 512), (2048,), (512, 2048), (512,)) * 4)
_RESNET50_STAGE = ((64, 64, 3, 3), (256, 64, 1, 1), (256,)) * 8 + ((512, 512, 3, 3),) * 3

BENCH = [
    StepCase("small_1000", ((64,),) * 1000),
    StepCase("biases_200", ((256,),) * 200),
    StepCase("resnet50_stage", _RESNET50_STAGE),
    StepCase("language_model", _LANGUAGE_MODEL),
    StepCase("large_25M", ((25_000_000,),)),
]
QUICK = ("small_1000", "resnet50_stage")
