"""Shapes of binary_cross_entropy: every option, weights of every shape that broadcasts, sizes round the blocks."""

from __future__ import annotations

from tests.cases.case import Case

REDUCTIONS = ("none", "mean", "sum")
SHAPE = (4, 3, 5, 7)
WEIGHTS = [SHAPE, (7,), (5, 1), (3, 1, 1), (4, 1, 1, 1), (4, 1, 5, 1), (3, 1, 7), (1, 3, 5, 7), (1,), ()]
SIZES_1D = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 97, 1023, 1025, 16383, 16385)


def case(name: str, shape: tuple, weight: tuple | None = None, **options) -> Case:
    others = {
        "input": lambda rng: rng.uniform(0.01, 0.99, shape),
        "target": lambda rng: rng.uniform(0.0, 1.0, shape),
    }
    if weight is not None:
        others["weight"] = lambda rng: rng.uniform(0.5, 2.0, weight)
    return Case(name, {}, options, others)


OPTIONS = [
    *(case(r, (4, 5), reduction=r) for r in REDUCTIONS),
    *(case(f"weighted_{r}", (4, 5), (4, 5), reduction=r) for r in REDUCTIONS),
    *(case(f"weight_{'x'.join(map(str, w))}", SHAPE, w) for w in WEIGHTS),
    case("scalar", ()),
]
SIZES = [case(f"size_{n}", (n,), (1,)) for n in SIZES_1D]
EMPTY = [case("empty", (0, 3), (3,), reduction="sum"), case("empty_none", (0, 3), reduction="none")]

ALL = OPTIONS + SIZES
THREADED = [
    case("threaded", (150, 1001), (1001,)),
    case("threaded_rows", (15000, 9), (15000, 1), reduction="none"),
]
BENCH = [
    case("labels", (256, 80)),
    case("masks", (16, 1, 256, 256)),
    case("weighted", (16, 19, 128, 128), (19, 1, 1)),
]
