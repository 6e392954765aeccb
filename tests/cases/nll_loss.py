"""Shapes of nll_loss: every option, and rows on both sides of a chunk."""

from __future__ import annotations

import numpy as np

from tests.cases.case import Case


def case(name: str, shape: tuple, weighted=False, ignore=False, **options) -> Case:
    rows = shape[:1] + shape[2:]

    def indices(rng: np.random.Generator) -> np.ndarray:
        drawn = rng.integers(0, shape[1], rows)
        if ignore:
            drawn[rng.random(rows) < 0.3] = options["ignore_index"]
        return drawn

    others = {"target": indices}
    if weighted:
        others["weight"] = lambda rng: rng.integers(1, 5, shape[1]) / 4
    return Case(name, {"input": shape}, options, others)


OPTIONS = [
    *(case(f"{r}", (9, 10), reduction=r) for r in ("none", "mean", "sum")),
    *(case(f"pixels_{r}", (2, 5, 3, 7), reduction=r) for r in ("none", "mean", "sum")),
    *(case(f"weighted_{r}", (9, 10), weighted=True, reduction=r) for r in ("none", "mean", "sum")),
    case("ignored", (40, 6), ignore=True, ignore_index=-100),
    case("ignored_class", (40, 6), weighted=True, ignore=True, ignore_index=3),
    case("pixels_weighted_ignored", (2, 5, 3, 7), True, True, ignore_index=255, reduction="none"),
    case("volume", (2, 3, 2, 3, 2), True),
    case("one_class", (5, 1)),
]
EMPTY = [
    case("empty_batch", (0, 10), reduction="sum"),
    case("empty_batch_none", (0, 10), reduction="none"),
    case("empty_image", (2, 3, 0, 4), reduction="sum"),
]
EXACT = [c for c in OPTIONS if c.options.get("reduction") in ("none", "sum")]

THREADED = [case("threaded", (9000, 7)), case("threaded_pixels", (3, 11, 90, 91), weighted=True)]
ALL = OPTIONS + THREADED
BENCH = [
    case("imagenet", (256, 1000)),
    case("words", (1024, 32000)),
    case("segmentation", (8, 21, 256, 256)),
]
