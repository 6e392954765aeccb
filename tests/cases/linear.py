"""Shapes of linear: every form of the operands, sizes round vectors and register tiles, layers of networks."""

from __future__ import annotations

from tests.cases.case import Case


def case(name: str, input: tuple, weight: tuple, bias: bool = True) -> Case:
    operands = {"input": input, "weight": weight}
    if bias:
        operands["bias"] = weight[:-1]
    return Case(name, operands)


SHAPES = [
    case("batch", (5, 7), (4, 7)),
    case("no_bias", (5, 7), (4, 7), bias=False),
    case("one_row", (7,), (4, 7)),
    case("sequence", (3, 5, 7), (4, 7)),
    case("many_axes", (2, 1, 3, 7), (4, 7)),
    case("one_output", (5, 7), (1, 7)),
    case("output_without_axis", (5, 7), (7,)),
    case("output_without_axis_or_bias", (3, 5, 7), (7,), bias=False),
    case("one_row_output_without_axis", (7,), (7,)),
    case("one_input", (5, 1), (4, 1)),
]
WIDTHS = [1, 2, 5, 6, 7, 8, 9, 13, 14, 15, 16, 17, 31, 32, 33, 65, 97]
SIZES = [
    *(case(f"in_{w}", (6, w), (5, w)) for w in WIDTHS),
    *(case(f"out_{w}", (6, 5), (w, 5)) for w in WIDTHS),
    *(case(f"rows_{w}", (w, 5), (6, 5)) for w in WIDTHS),
    case("deep", (7, 523), (18, 523)),
    case("many_rows", (1300, 5), (37, 5)),
]
EMPTY = [case("empty_batch", (0, 7), (4, 7)), case("empty_sequence", (3, 0, 7), (4, 7))]

ALL = SHAPES + SIZES

# More chunks of work than the threads of the determinism test.
THREADED = [case("threaded", (600, 130), (270, 130)), case("threaded_rows", (9000, 20), (12, 20))]
BENCH = [
    case("digits", (64, 1024), (64, 1024)),
    case("vgg_classifier", (32, 25088), (4096, 25088)),
    case("transformer", (4096, 512), (2048, 512)),
    case("one_row", (1, 4096), (4096, 4096)),
]
