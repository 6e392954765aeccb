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
    case("pointwise_stride", (2, 36, 5, 6), (36, 18, 1, 1), stride=(2, 2), output_padding=(1, 0)),
    case("from_one_pixel", (4, 7, 1, 1), (7, 6, 4, 4)),
    case("from_one_pixel_of_one", (1, 7, 1, 1), (7, 6, 4, 4)),
    case("from_one_pixel_in_groups", (4, 6, 1, 1), (6, 5, 3, 2), groups=2),
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

# One channel to a group.
DEPTHWISE = [
    case("depthwise_3x3", (2, 21, 7, 7), (21, 1, 3, 3), groups=21, padding=(1, 1)),
    case(
        "depthwise_3x3_stride",
        (2, 5, 8, 19),
        (5, 1, 3, 3),
        groups=5,
        stride=(2, 2),
        padding=(1, 1),
        output_padding=(1, 1),
    ),
    case("depthwise_2x2_stride", (1, 18, 5, 6), (18, 1, 2, 2), groups=18, stride=(2, 2)),
    case("depthwise_stride_over_kernel", (2, 4, 5, 6), (4, 1, 1, 2), groups=4, stride=(2, 3)),
    case("depthwise_stride_5", (1, 3, 4, 5), (3, 1, 4, 6), groups=3, stride=(3, 5), padding=(1, 2)),
    case("depthwise_multiplier_2", (2, 6, 7, 18), (6, 2, 3, 3), groups=6, stride=(2, 1), padding=(1, 1)),
    case("depthwise_dilation", (2, 17, 6, 7), (17, 1, 3, 3), groups=17, dilation=(2, 2), padding=(2, 1)),
]

EMPTY = [case("empty_batch", (0, 3, 5, 6), (3, 8, 3, 3), stride=(2, 2))]

ALL = PARAMETERS + SIZES + DEPTHWISE

# More chunks of work than the threads of the determinism test.
THREADED = [
    case("threaded", (7, 16, 17, 19), (16, 24, 4, 4), stride=(2, 2), padding=(1, 1)),
    case("threaded_stride_1", (3, 16, 33, 35), (16, 24, 3, 3), padding=(1, 1)),
]


# ---- for the bench


def _doubling(name: str, batch: int, C: int, H: int, K: int, R: int = 4, bias: bool = False) -> Case:
    """Twice the height and the width: kernel 2, 3 or 4."""
    options = {"stride": (2, 2), "padding": ((R - 1) // 2,) * 2, "output_padding": (R % 2,) * 2}
    return case(name, (batch, C, H, H), (C, K, R, R), bias, **options)


def _dcgan(batch: int) -> list[Case]:
    """The generator of DCGAN for 64 x 64 images (A. Radford, L. Metz and S. Chintala, arXiv:1511.06434)."""
    return [
        case(f"dcgan_project_n{batch}", (batch, 100, 1, 1), (100, 1024, 4, 4), bias=False),
        _doubling(f"dcgan_conv1_n{batch}", batch, 1024, 4, 512),
        _doubling(f"dcgan_conv2_n{batch}", batch, 512, 8, 256),
        _doubling(f"dcgan_conv3_n{batch}", batch, 256, 16, 128),
        _doubling(f"dcgan_conv4_n{batch}", batch, 128, 32, 3),
    ]


# Decoders of autoencoders, the up-convolutions of U-Net (arXiv:1505.04597), and the upsampling by 8 of FCN
# (arXiv:1411.4038).
DECODERS = [
    case("decoder_project", (64, 128, 1, 1), (128, 64, 7, 7)),
    _doubling("decoder_3x3_first", 64, 64, 7, 32, 3, bias=True),
    _doubling("decoder_3x3_last", 64, 32, 14, 1, 3, bias=True),
    _doubling("decoder_4x4", 32, 64, 32, 32, bias=True),
    _doubling("decoder_rgb", 32, 32, 64, 3, bias=True),
    case("decoder_stride_1", (32, 64, 32, 32), (64, 64, 3, 3), padding=(1, 1)),
    case("unet_up1", (4, 512, 28, 28), (512, 256, 2, 2), stride=(2, 2)),
    case("unet_up3", (4, 128, 112, 112), (128, 64, 2, 2), stride=(2, 2)),
    case("fcn_upsample8", (1, 21, 34, 34), (21, 21, 16, 16), bias=False, stride=(8, 8), padding=(4, 4)),
]

BENCH = [*(layer for n in (1, 16, 64) for layer in _dcgan(n)), *DECODERS]
QUICK = ("dcgan_project_n64", "dcgan_conv2_n16", "dcgan_conv4_n64", "decoder_3x3_last")
