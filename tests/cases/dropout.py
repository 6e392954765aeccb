"""Shapes of dropout: sizes round the vector widths and the groups of 64 random words."""

from __future__ import annotations

from tests.cases.case import Case


def case(name: str, shape: tuple, **options) -> Case:
    return Case(name, {"input": shape}, options)


PROBABILITIES = [case(f"p_{p}", (7, 97), p=p) for p in (0.1, 0.5, 0.9, 1.0, 2.0**-40, 1 - 2.0**-40)]
SIZES = [
    *(case(f"elements_{n}", (n,)) for n in (1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 97, 127, 129)),
    case("scalar", ()),
    case("chunks", (3, 33000), p=0.3),
]

ALL = PROBABILITIES + SIZES
THREADED = [case("threaded", (11, 7, 90, 91))]
BENCH = [case("hidden", (64, 1024)), case("attention", (8, 12, 256, 256), p=0.1)]
