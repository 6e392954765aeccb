"""Shapes of embedding: every option, and widths round the vector widths."""

from __future__ import annotations

import numpy as np

from tests.cases.case import Case


def case(name: str, indices: tuple, weight: tuple, **options) -> Case:
    def draw(rng: np.random.Generator) -> np.ndarray:
        return rng.integers(0, weight[0], indices)

    return Case(name, {"weight": weight}, options, {"input": draw})


OPTIONS = [
    case("sentence", (9,), (7, 5)),
    case("batch", (3, 4), (7, 5)),
    case("one_index", (), (7, 5)),
    case("many_axes", (2, 3, 2), (7, 5)),
    case("one_row", (6,), (1, 5)),
    case("unused_rows", (4,), (30, 5)),
    case("padding", (3, 8), (5, 4), padding_idx=2),
    case("padding_from_the_end", (3, 8), (5, 4), padding_idx=-5),
    case("frequency", (3, 8), (5, 4), scale_grad_by_freq=True),
    case("frequency_and_padding", (3, 8), (5, 4), scale_grad_by_freq=True, padding_idx=0),
]
SIZES = [case(f"width_{w}", (20,), (6, w)) for w in (1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 97)]
EMPTY = [case("empty_batch", (0,), (7, 5)), case("empty_sentences", (3, 0), (7, 5))]

ALL = OPTIONS + SIZES
THREADED = [case("threaded", (6000,), (6000, 40))]
BENCH = [
    case("words", (64, 256), (32000, 512)),
    case("characters", (128, 512), (96, 128)),
    case("large_table", (32, 64), (200000, 256)),
]
