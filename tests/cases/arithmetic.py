"""Pairs of shapes for the four operations, larger than what NumPy does by itself: equal ones and broadcast ones."""

from __future__ import annotations

import numpy as np

from tests.cases.case import Case


def case(name: str, shape: tuple, other: tuple) -> Case:
    away_from_zero = {"other": lambda rng: np.asarray(rng.random(other) + 0.5)}
    return Case(name, {"input": shape}, {}, away_from_zero)


SIZES = [case(f"elements_{n}", (n,), (n,)) for n in (1, 7, 16, 4095, 4096, 4097, 32769)]
BROADCAST = [
    case("scalar", (5000,), ()),
    case("one", (7, 1000), (1, 1)),
    case("rows", (33, 257), (257,)),
    case("columns", (257, 33), (257, 1)),
    case("channels", (3, 5, 17, 31), (1, 5, 1, 1)),
    case("pixels", (3, 5, 17, 31), (17, 31)),
    case("both", (97, 1), (1, 97)),
    case("outer", (3, 1, 53), (1, 41, 1)),
    case("larger_other", (53,), (97, 53)),
    case("short_rows", (4099, 3), (4099, 1)),
]
EMPTY = [case("empty", (0,), (0,)), case("empty_rows", (0, 5), (5,))]

ALL = SIZES + BROADCAST
THREADED = [case("threaded", (7, 11, 60, 61), (11, 1, 61))]
BENCH = [
    case("residual", (32, 64, 56, 56), (32, 64, 56, 56)),
    case("scale", (32, 64, 56, 56), ()),
    case("bias", (4096, 1024), (1024,)),
    case("channels", (32, 64, 56, 56), (64, 1, 1)),
]
