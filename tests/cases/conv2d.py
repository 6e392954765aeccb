"""Shapes of conv2d: every parameter, sizes round the vector widths and tiles, and layers of known networks."""

from __future__ import annotations

from tests.cases.case import Case


def case(name: str, x: tuple, weight: tuple, bias: bool = True, **options) -> Case:
    operands = {"input": x, "weight": weight}
    if bias:
        operands["bias"] = weight[:1]
    return Case(name, operands, options)


PARAMETERS = [
    case("plain", (2, 3, 9, 11), (8, 3, 3, 3)),
    case("no_bias", (2, 3, 9, 11), (5, 3, 3, 3), bias=False),
    case("padding", (2, 3, 9, 11), (8, 3, 3, 3), padding=(1, 2)),
    case("stride", (2, 3, 13, 12), (8, 3, 3, 3), stride=(2, 3), padding=(1, 1)),
    case("stride_over_kernel", (2, 3, 13, 12), (4, 3, 2, 1), stride=(3, 4)),
    case("dilation", (2, 3, 13, 12), (4, 3, 3, 2), dilation=(2, 3), padding=(2, 2)),
    case("stride_and_dilation", (2, 3, 15, 14), (4, 3, 3, 3), stride=(2, 3), dilation=(2, 2), padding=(3, 1)),
    case("groups", (2, 6, 9, 9), (9, 2, 3, 3), groups=3, padding=(1, 1)),
    case("depthwise", (2, 5, 9, 9), (10, 1, 3, 3), groups=5, stride=(2, 2), padding=(1, 1)),
    case("pointwise", (3, 17, 7, 7), (19, 17, 1, 1)),
    case("pointwise_stride", (2, 8, 9, 9), (6, 8, 1, 1), stride=(2, 2)),
    case("kernel_is_image", (4, 3, 5, 6), (7, 3, 5, 6)),
    case("padding_over_kernel", (2, 2, 4, 4), (3, 2, 1, 1), padding=(2, 1)),
    case("wide_kernel", (1, 2, 4, 40), (3, 2, 1, 31), padding=(0, 15)),
    case("stride_over_image", (2, 2, 5, 5), (3, 2, 3, 3), stride=(2**31 - 1, 10**8 + 7), dilation=(2, 2)),
    case("unused_border", (1, 2, 10, 10), (3, 2, 3, 3), stride=(4, 4)),
]

# Sizes that straddle vectors, register tiles and the blocks of the packed product.
WIDTHS = [1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 97]
SIZES = [
    *(case(f"width_{w}", (2, 3, 3, w + 2), (5, 3, 3, 3)) for w in WIDTHS),
    *(
        case(f"channels_{k}", (1, k, 6, 6), (k, k, 3, 3), padding=(1, 1))
        for k in (1, 5, 6, 7, 13, 14, 15, 29)
    ),
    case("deep", (2, 67, 6, 5), (9, 67, 2, 2)),  # more taps than one block of depth holds
    case("many_rows", (1, 8, 6, 6), (130, 8, 3, 3)),
]

NETWORKS = [
    case("resnet20", (4, 16, 32, 32), (16, 16, 3, 3), padding=(1, 1)),
    case("lenet", (4, 1, 32, 32), (6, 1, 5, 5)),
]

EMPTY = [case("empty_batch", (0, 3, 9, 11), (8, 3, 3, 3))]

ALL = PARAMETERS + SIZES + NETWORKS

# More chunks of work than the threads of the determinism test.
THREADED = [
    case("threaded", (3, 16, 33, 35), (24, 16, 3, 3), padding=(1, 1)),
    case("threaded_stride", (7, 16, 33, 35), (24, 16, 3, 3), stride=(2, 2)),
]

BENCH = [
    case("vgg_conv2_1", (8, 64, 112, 112), (128, 64, 3, 3), padding=(1, 1)),
    case("resnet50_conv1", (8, 3, 224, 224), (64, 3, 7, 7), bias=False, stride=(2, 2), padding=(3, 3)),
    case("resnet50_conv3_3x3", (8, 128, 28, 28), (128, 128, 3, 3), bias=False, padding=(1, 1)),
    case("resnet50_conv3_1x1", (8, 512, 28, 28), (128, 512, 1, 1), bias=False),
]
