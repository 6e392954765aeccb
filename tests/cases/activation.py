"""Shapes of the activation functions: sizes round the vector widths, and the maps of known networks."""

from __future__ import annotations

from tests.cases.case import Case


def case(name: str, shape: tuple, **options) -> Case:
    return Case(name, {"input": shape}, options)


SIZES = [case(f"elements_{n}", (n,)) for n in (1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 97)]
SHAPES = [case("scalar", ()), case("image", (2, 3, 5, 7)), case("chunks", (3, 33000))]
SLOPES = [case(f"slope_{slope}", (97,), negative_slope=slope) for slope in (0.25, 0.0, 1.0, -0.5, 2.0)]
EMPTY = [case("empty", (0,)), case("empty_batch", (0, 3, 4, 4))]

ALL = SIZES + SHAPES
THREADED = [case("threaded", (11, 7, 90, 91))]
BENCH = [
    case("hidden", (64, 1024)),
    case("resnet_stem", (32, 64, 112, 112)),
    case("resnet_last", (32, 512, 7, 7)),
]
