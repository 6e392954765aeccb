"""Shapes of mse_loss: sizes round the vector widths, the blocks and the chunks."""

from __future__ import annotations

from tests.cases.case import Case

REDUCTIONS = ("none", "mean", "sum")


def case(name: str, shape: tuple, **options) -> Case:
    return Case(name, {"input": shape, "target": shape}, options)


OPTIONS = [*(case(r, (5, 3, 4), reduction=r) for r in REDUCTIONS), case("scalar", ())]
SIZES = [
    case(f"size_{n}", (n,)) for n in (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 97, 1023, 1025, 16383, 16385)
]
EMPTY = [case("empty", (0, 3), reduction="sum"), case("empty_none", (0, 3), reduction="none")]

ALL = OPTIONS + SIZES
THREADED = [case("threaded", (7, 11, 1301)), case("threaded_none", (100_001,), reduction="none")]
BENCH = [case("regression", (4096, 16)), case("image", (16, 3, 256, 256))]
