"""Shapes of avg_pool2d: every parameter, strides that load differently, sizes round the vector widths."""

from __future__ import annotations

from tests.cases.case import Case
from tests.cases.pooling_case import ROWS, case

PARAMETERS = [
    case("side_by_side", (2, 3, 8, 10), 2),
    case("one_by_one", (2, 3, 5, 6), 1),
    case("overlapping", (2, 3, 9, 11), 3, 1),
    case("padding", (2, 3, 13, 18), 3, 2, 1),
    case("padding_not_counted", (2, 3, 13, 18), 3, 2, 1, count_include_pad=False),
    case("oblong", (2, 3, 12, 15), (2, 3), (3, 1), (1, 0)),
    case("stride_3", (2, 3, 14, 41), 3, 3, 1),
    case("stride_over_kernel", (2, 3, 17, 19), 2, (5, 4)),
    case("ceil", (2, 3, 8, 9), 3, 2, ceil_mode=True),
    case("ceil_padding", (2, 3, 7, 10), 3, 3, 1, ceil_mode=True),
    case("ceil_padding_not_counted", (2, 3, 7, 10), 3, 3, 1, ceil_mode=True, count_include_pad=False),
    case("ceil_window_over_the_end", (2, 3, 2, 3), 4, 3, 2, ceil_mode=True),
    case("ceil_window_beside_the_padding", (1, 1, 1, 3), (1, 2), (1, 3), (0, 1), ceil_mode=True),
    case("divisor", (2, 3, 9, 11), 3, 2, 1, divisor_override=7),
    case("negative_divisor", (2, 3, 9, 11), 3, 2, divisor_override=-2),
    case("unused_border", (2, 3, 11, 12), 3, 4),
    case("whole_image", (2, 3, 7, 6), (7, 6)),
    case("whole_image_divisor", (2, 3, 7, 6), (7, 6), divisor_override=5),
    case("whole_image_in_padding", (2, 3, 4, 4), 6, 6, 1),
    case("wide_window", (2, 3, 6, 50), (3, 33), (2, 5), (1, 16)),
    case("small_image", (2, 3, 3, 3), 3, 2, 1),
    case("unbatched", (3, 8, 10), 2),
]

WIDTHS = [1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 97]
SIZES = [
    *(case(f"width_{w}_stride_1", (2, 2, 4, w + 2), 3, 1) for w in WIDTHS),
    *(case(f"width_{w}_stride_2", (2, 2, 4, 2 * w), 2) for w in WIDTHS),
    *(case(f"width_{w}_stride_3", (2, 2, 4, 3 * w), (2, 3), 3, (1, 1)) for w in WIDTHS),
    # More columns than are added up at a time, and a window that wide.
    case("several_tiles", (1, 2, 3, 4500), (2, 5), (1, 3), (0, 2)),
    case("window_over_a_tile", (1, 1, 2, 4600), (2, 2100), (1, 1300), (0, 3)),
]

AVERAGED = [
    case("rows_threes_ceil", (2, 2, 9, 34), 3, 2, 1, ceil_mode=True),
    case("global_7", (5, 11, 7, 7), 7),
    case("global_large", (5, 11, 9, 13), (9, 13)),
]

EMPTY = [case("empty_batch", (0, 3, 8, 10), 2)]

ALL = PARAMETERS + SIZES + ROWS + AVERAGED

# Sums alone, which are exact on integers.
EXACT = [
    Case(each.name, each.operands, {**each.options, "divisor_override": 1})
    for each in ALL
    if "count_include_pad" not in each.options
]

# More chunks of work than the threads of the determinism test; a plane of several.
THREADED = [
    case("threaded", (3, 16, 66, 67), 3, 2, 1),
    case("threaded_plane", (1, 1, 600, 610), 3, 2, 1),
]

# More than caches keep: written past them.
STREAMED = [
    case("streamed_pairs", (5, 1, 1920, 1920), 2),
    case("streamed_fives", (5, 1, 1920, 1920), 5, 2, 2),
]

BENCH = [
    case("halved", (8, 64, 112, 112), 2),
    case("densenet_transition", (8, 256, 56, 56), 2),
    case("lenet_pool1", (64, 6, 28, 28), 2),
    case("inception_pool", (8, 192, 28, 28), 3, 1, 1),
    case("resnet_head", (32, 2048, 7, 7), 7),
]
QUICK = ("halved", "inception_pool")
