"""Shapes of binary_cross_entropy_with_logits: every option, weights of every shape that broadcasts."""

from __future__ import annotations

import numpy as np

from tests.cases.binary_cross_entropy import REDUCTIONS, SHAPE, SIZES_1D, WEIGHTS
from tests.cases.case import Case


def case(
    name: str,
    shape: tuple,
    weight: tuple | None = None,
    pos_weight: tuple | None = None,
    scale=1.0,
    **options,
) -> Case:
    others = {
        "input": lambda rng: np.asarray(scale * rng.standard_normal(shape)),
        "target": lambda rng: rng.uniform(0.0, 1.0, shape),
    }
    if weight is not None:
        others["weight"] = lambda rng: rng.uniform(0.5, 2.0, weight)
    if pos_weight is not None:
        others["pos_weight"] = lambda rng: rng.uniform(0.5, 20.0, pos_weight)
    return Case(name, {}, options, others)


OPTIONS = [
    *(case(r, (4, 5), reduction=r) for r in REDUCTIONS),
    *(case(f"weighted_{r}", (4, 5), (4, 5), (5,), reduction=r) for r in REDUCTIONS),
    *(case(f"weight_{'x'.join(map(str, w))}", SHAPE, w, WEIGHTS[-1 - i]) for i, w in enumerate(WEIGHTS)),
    *(case(f"pos_weight_{'x'.join(map(str, w))}", SHAPE, None, w) for w in WEIGHTS),
    case("large_logits", (40, 5), None, (5,), 50.0),
    case("scalar", ()),
]
SIZES = [case(f"size_{n}", (n,), None, (1,)) for n in SIZES_1D]
EMPTY = [case("empty", (0, 3), (3,), reduction="sum"), case("empty_none", (0, 3), reduction="none")]

ALL = OPTIONS + SIZES
THREADED = [
    case("threaded", (150, 1001), (150, 1), (1001,)),
    case("threaded_rows", (15000, 9), (15000, 1), (9,), reduction="none"),
]
BENCH = [
    case("labels", (256, 80), None, (80,)),
    case("masks", (16, 1, 256, 256)),
    case("classes", (16, 19, 128, 128), None, (19, 1, 1)),
]
