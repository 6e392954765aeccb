"""Shapes of max_pool2d: every parameter, strides that load differently, sizes round the vector widths."""

from __future__ import annotations

from tests.cases.pooling_case import ROWS, case

PARAMETERS = [
    case("side_by_side", (2, 3, 8, 10), 2),
    case("one_by_one", (2, 3, 5, 6), 1),
    case("overlapping", (2, 3, 9, 11), 3, 1),
    case("resnet_stem", (2, 3, 13, 18), 3, 2, 1),
    case("oblong", (2, 3, 12, 15), (2, 3), (3, 1), (1, 0)),
    case("stride_3", (2, 3, 14, 41), 3, 3, 1),
    case("stride_over_kernel", (2, 3, 17, 19), 2, (5, 4)),
    case("dilation", (2, 3, 14, 15), 3, 2, 1, dilation=(2, 3)),
    case("ceil", (2, 3, 8, 9), 3, 2, ceil_mode=True),
    case("ceil_padding", (2, 3, 7, 10), 3, 3, 1, ceil_mode=True),
    case("ceil_window_over_the_end", (2, 3, 2, 3), 4, 3, 1, ceil_mode=True),
    case("unused_border", (2, 3, 11, 12), 3, 4),
    case("whole_image", (2, 3, 7, 6), (7, 6)),
    case("whole_large_image", (2, 3, 13, 37), (13, 37)),
    case("wide_window", (2, 3, 6, 50), (3, 33), (2, 5), (1, 16)),
    case("wide_dilated_window", (2, 3, 6, 80), (2, 20), (1, 3), (0, 10), dilation=(1, 3)),
    case("small_image", (2, 3, 3, 3), 3, 2, 1),
    case("unbatched", (3, 8, 10), 2),
]

# A window whose taps all lie outside the image.
MISSING = case("misses_the_image", (1, 2, 3, 1), 2, 1, 1, dilation=2)

WIDTHS = [1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 97]
SIZES = [
    *(case(f"width_{w}_stride_1", (2, 2, 4, w + 2), 3, 1) for w in WIDTHS),
    *(case(f"width_{w}_stride_2", (2, 2, 4, 2 * w), 2) for w in WIDTHS),
    *(case(f"width_{w}_stride_3", (2, 2, 4, 3 * w), (2, 3), 3, (1, 1)) for w in WIDTHS),
    *(case(f"window_{w}", (2, 2, 3, w), (2, w)) for w in WIDTHS),
]

EMPTY = [case("empty_batch", (0, 3, 8, 10), 2)]

ALL = PARAMETERS + SIZES + ROWS

# More chunks of work than the threads of the determinism test.
THREADED = [case("threaded", (3, 16, 66, 67), 3, 2, 1)]

# More than caches keep: written past them.
STREAMED = [
    case("streamed_pairs", (5, 1, 1920, 1920), 2),
    case("streamed_threes", (5, 1, 1920, 1920), 3, 2, 1),
]

BENCH = [
    case("vgg_pool1_n8", (8, 64, 224, 224), 2),
    case("vgg_pool3_n8", (8, 256, 56, 56), 2),
    case("vgg_pool5_n8", (8, 512, 14, 14), 2),
    case("vgg_pool2_n32", (32, 128, 112, 112), 2),
    case("vgg_pool1_n1", (1, 64, 224, 224), 2),
    case("resnet_stem_pool_n8", (8, 64, 112, 112), 3, 2, 1),
    case("resnet_stem_pool_n32", (32, 64, 112, 112), 3, 2, 1),
    case("alexnet_pool1", (32, 64, 55, 55), 3, 2),
    case("lenet_pool1", (64, 6, 28, 28), 2),
    case("digits_pool", (64, 64, 8, 8), 2),
    case("inception_pool", (8, 192, 28, 28), 3, 1, 1),
    case("spatial_pyramid_pool", (8, 512, 13, 13), 5, 1, 2),
]
QUICK = ("vgg_pool1_n8", "resnet_stem_pool_n8", "lenet_pool1")
