"""Shapes of cross_entropy: every option, and class counts round the vector widths."""

from __future__ import annotations

import numpy as np

from tests.cases.case import Case


def case(name: str, shape: tuple, weighted=False, probabilities=False, ignore=False, **options) -> Case:
    rows = shape[:1] + shape[2:]

    def indices(rng: np.random.Generator) -> np.ndarray:
        drawn = rng.integers(0, shape[1], rows)
        if ignore:
            drawn[rng.random(rows) < 0.3] = options["ignore_index"]
        return drawn

    def distribution(rng: np.random.Generator) -> np.ndarray:
        drawn = rng.random(shape)
        return drawn / drawn.sum(axis=1, keepdims=True)

    others = {"target": distribution if probabilities else indices}
    if weighted:
        others["weight"] = lambda rng: rng.random(shape[1]) + 0.5
    return Case(name, {"input": shape}, options, others)


OPTIONS = [
    *(case(f"{r}", (9, 10), reduction=r) for r in ("none", "mean", "sum")),
    *(case(f"pixels_{r}", (2, 5, 3, 7), reduction=r) for r in ("none", "mean", "sum")),
    *(case(f"weighted_{r}", (9, 10), weighted=True, reduction=r) for r in ("none", "mean", "sum")),
    *(case(f"smoothed_{r}", (9, 10), label_smoothing=0.1, reduction=r) for r in ("none", "mean")),
    case("ignored", (40, 6), ignore=True, ignore_index=-100),
    case("ignored_class", (40, 6), ignore=True, ignore_index=3, weighted=True),
    case("smoothed_weighted_ignored", (40, 6), True, False, True, ignore_index=-1, label_smoothing=0.2),
    case("fully_smoothed", (9, 10), label_smoothing=1.0),
    *(case(f"probabilities_{r}", (9, 10), probabilities=True, reduction=r) for r in ("none", "mean", "sum")),
    case("probabilities_weighted", (9, 10), True, True, label_smoothing=0.1),
    case("probabilities_pixels", (2, 5, 3, 7), True, True),
    case("pixels_weighted_ignored", (2, 5, 3, 7), True, False, True, ignore_index=255),
]
SIZES = [
    *(case(f"classes_{c}", (3, c)) for c in (1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 97, 1000)),
    *(case(f"pixels_of_{w}", (2, 3, w)) for w in (1, 7, 8, 9, 15, 16, 17, 33)),
]
EMPTY = [case("empty_batch", (0, 10), reduction="sum"), case("empty_batch_none", (0, 10), reduction="none")]

ALL = OPTIONS + SIZES
THREADED = [case("threaded", (700, 300)), case("threaded_pixels", (3, 11, 90, 91))]

BENCH = [
    case("digits", (128, 10)),
    case("digits_65536_rows", (65536, 10)),
    case("classes_100", (1024, 100)),
    case("imagenet", (256, 1000)),
    case("imagenet_4096_rows", (4096, 1000)),
    case("classes_10000", (1024, 10000)),
    case("words", (1024, 32000)),
    case("words_4096_rows", (4096, 32000)),
    case("classes_128000", (256, 128000)),
    case("smoothed", (1024, 1000), label_smoothing=0.1),
    case("segmentation", (8, 21, 256, 256)),
]
QUICK = ("digits", "imagenet", "words", "segmentation")
