"""Shapes of conv_transpose2d: every parameter, sizes round the vector widths and tiles, and layers of DCGAN."""

from __future__ import annotations

from tests.cases.case import Case


def case(name: str, x: tuple, weight: tuple, bias: bool = True, **options) -> Case:
    operands = {"input": x, "weight": weight}
    if bias:
        operands["bias"] = (weight[1] * options.get("groups", 1),)
    return Case(name, operands, options)


PARAMETERS = [
    case("plain", (2, 3, 7, 9), (3, 8, 3, 3)),
    case("no_bias", (2, 3, 7, 9), (3, 5, 3, 3), bias=False),
    case("padding", (2, 3, 7, 9), (3, 8, 3, 4), padding=(1, 2)),
    case("stride", (2, 3, 5, 6), (3, 8, 4, 4), stride=(2, 3), padding=(1, 1)),
    case("stride_over_kernel", (2, 3, 4, 5), (3, 4, 2, 1), stride=(3, 4)),
    case("output_padding", (2, 3, 5, 6), (3, 4, 3, 3), stride=(2, 3), padding=(1, 1), output_padding=(1, 2)),
    case("output_padding_below_dilation", (2, 3, 5, 6), (3, 4, 2, 3), dilation=(3, 2), output_padding=(2, 1)),
    case(
        "output_padding_behind_every_window", (2, 3, 4, 5), (3, 4, 1, 1), stride=(3, 2), output_padding=(2, 1)
    ),
    case("dilation", (2, 3, 6, 5), (3, 4, 3, 2), dilation=(2, 3), padding=(2, 1)),
    case("stride_and_dilation", (2, 3, 5, 4), (3, 4, 3, 3), stride=(2, 3), dilation=(2, 2), padding=(3, 1)),
    case("groups", (2, 6, 5, 5), (6, 3, 3, 3), groups=3, stride=(2, 2), padding=(1, 1)),
    case("depthwise", (2, 5, 5, 5), (5, 1, 4, 4), groups=5, stride=(2, 2), padding=(1, 1)),
    case("pointwise", (3, 17, 7, 7), (17, 19, 1, 1)),
    case("from_one_pixel", (4, 7, 1, 1), (7, 6, 4, 4)),
    case("only_the_middle", (2, 3, 3, 3), (3, 4, 5, 5), padding=(3, 2)),
]

# Sizes that straddle vectors, register tiles and the blocks of the packed product.
SIZES = [
    *(case(f"width_{w}", (2, 3, 3, w), (3, 5, 3, 3)) for w in (1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65, 97)),
    *(
        case(f"channels_{k}", (1, k, 5, 5), (k, k, 4, 4), stride=(2, 2), padding=(1, 1))
        for k in (1, 5, 6, 7, 14, 15, 29)
    ),
    case("deep", (2, 67, 5, 4), (67, 9, 2, 2)),  # more taps than one block of depth holds
    case("many_rows", (1, 8, 4, 4), (8, 130, 3, 3)),
]

EMPTY = [case("empty_batch", (0, 3, 5, 6), (3, 8, 3, 3), stride=(2, 2))]

ALL = PARAMETERS + SIZES

# More chunks of work than the threads of the determinism test.
THREADED = [
    case("threaded", (7, 16, 17, 19), (16, 24, 4, 4), stride=(2, 2), padding=(1, 1)),
    case("threaded_stride_1", (3, 16, 33, 35), (16, 24, 3, 3), padding=(1, 1)),
]

# The generator of DCGAN for 64 x 64 images (A. Radford, L. Metz and S. Chintala, arXiv:1511.06434).
BENCH = [
    case("dcgan_project", (64, 100, 1, 1), (100, 1024, 4, 4), bias=False),
    case("dcgan_conv1", (64, 1024, 4, 4), (1024, 512, 4, 4), bias=False, stride=(2, 2), padding=(1, 1)),
    case("dcgan_conv2", (64, 512, 8, 8), (512, 256, 4, 4), bias=False, stride=(2, 2), padding=(1, 1)),
    case("dcgan_conv3", (64, 256, 16, 16), (256, 128, 4, 4), bias=False, stride=(2, 2), padding=(1, 1)),
    case("dcgan_conv4", (64, 128, 32, 32), (128, 3, 4, 4), bias=False, stride=(2, 2), padding=(1, 1)),
]
