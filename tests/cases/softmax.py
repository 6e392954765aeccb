"""Shapes of softmax: every axis, and class counts and neighbouring rows round the vector widths."""

from __future__ import annotations

from tests.cases.case import Case

WIDTHS = (1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 97)


def case(name: str, shape: tuple, dim: int) -> Case:
    return Case(name, {"input": shape}, {"dim": dim})


AXES = [
    case("scalar", (), 0),
    case("vector", (5,), -1),
    *(case(f"axis_{dim}", (2, 3, 4, 5), dim) for dim in (0, 1, 2, 3, -4, -2)),
]
SIZES = [
    *(case(f"classes_{c}", (3, c), 1) for c in (*WIDTHS, 1000)),
    *(case(f"rows_{w}", (2, 3, w), 1) for w in (*WIDTHS, 64, 65, 127, 129, 200)),
    *(case(f"wide_{w}", (500, w), 0) for w in (3, 130)),
]
EMPTY = [
    case("empty_batch", (0, 10), 1),
    case("no_classes", (3, 0), 1),
    case("no_neighbours", (3, 4, 0), 1),
    case("empty_first", (0, 3), 0),
]

ALL = AXES + SIZES
THREADED = [
    case("threaded", (700, 300), 1),
    case("threaded_pixels", (3, 11, 90, 91), 1),
    case("threaded_small", (3000, 11, 7), 1),
]
BENCH = [
    case("attention", (8, 12, 256, 256), -1),
    case("words", (1024, 32000), 1),
    case("segmentation", (8, 21, 256, 256), 1),
]
