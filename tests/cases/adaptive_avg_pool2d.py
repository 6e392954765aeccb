"""Shapes of adaptive_avg_pool2d: even and uneven windows, sizes round the vector widths."""

from __future__ import annotations

from tests.cases.case import Case


def case(name: str, x: tuple, *args, **options) -> Case:
    return Case(name, {"input": x}, dict(zip(("output_size",), args, strict=False)) | options)


PARAMETERS = [
    case("divides", (2, 3, 8, 9), (4, 3)),
    case("does_not_divide", (2, 3, 7, 11), (3, 4)),
    case("one", (2, 3, 7, 9), 1),
    case("one_large", (2, 3, 33, 41), 1),
    case("one_row", (2, 3, 7, 9), (1, 4)),
    case("one_column", (2, 3, 8, 9), (4, 1)),
    case("same", (2, 3, 5, 6), (None, None)),
    case("height_given", (2, 3, 7, 9), (3, None)),
    case("width_given", (2, 3, 7, 9), (None, 4)),
    case("more_than_there_are", (2, 3, 3, 4), (7, 5)),
    case("wide_windows", (2, 3, 5, 101), (2, 3)),
    case("none", (2, 3, 5, 6), (0, 2)),
    case("unbatched", (3, 7, 9), (3, 2)),
]

WIDTHS = [1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 97]
SIZES = [
    *(case(f"global_{w}", (2, 3, 3, w), 1) for w in WIDTHS),
    *(case(f"outputs_{w}", (2, 2, 5, 2 * w + 1), (2, w)) for w in WIDTHS),
]

EMPTY = [case("empty_batch", (0, 3, 7, 9), (3, 2)), case("empty_batch_global", (0, 3, 7, 9), 1)]

ALL = PARAMETERS + SIZES

# Windows of 1, 2, 4, ... elements, whose means are exact on integers.
EXACT = [
    case("exact_halves", (2, 3, 8, 12), (4, 6)),
    case("exact_same", (2, 3, 5, 6), (None, None)),
    case("exact_rows", (2, 3, 16, 9), (2, None)),
    case("exact_overlapping", (2, 3, 9, 11), (8, 10)),  # two by two, a row and a column apart
    *(case(f"exact_outputs_{w}", (2, 2, 4, 2 * w), (2, w)) for w in WIDTHS),
    *(case(f"exact_global_{w}", (2, 3, 2, w), 1) for w in (1, 2, 8, 16, 32, 64)),
]

# More chunks of work than the threads of the determinism test.
THREADED = [case("threaded", (3, 16, 66, 67), (7, 5)), case("threaded_global", (3, 64, 66, 67), 1)]

BENCH = [
    case("resnet_head", (32, 2048, 7, 7), 1),
    case("large_head", (8, 64, 112, 112), 1),
    case("alexnet_head", (32, 256, 13, 13), 6),
]
QUICK = ("resnet_head",)
