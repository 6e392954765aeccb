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
    case("pointwise_expand", (3, 20, 9, 11), (70, 20, 1, 1)),
    case("pointwise_groups", (2, 12, 7, 9), (70, 6, 1, 1), groups=2),
    case("pointwise_stride_expand", (2, 18, 9, 10), (36, 18, 1, 1), stride=(2, 2)),
    case("flat_kernel", (2, 5, 11, 12), (6, 5, 1, 3), stride=(3, 2), padding=(1, 1)),
    case("flat_kernel_stride_4", (2, 3, 13, 25), (5, 3, 1, 4), stride=(4, 4), padding=(2, 1)),
    case("kernel_is_image", (4, 3, 5, 6), (7, 3, 5, 6)),
    case("kernel_is_image_of_one", (1, 3, 5, 6), (7, 3, 5, 6)),
    case("kernel_is_image_in_groups", (4, 6, 3, 3), (4, 3, 3, 3), groups=2),
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
    case("deep_pointwise", (2, 301, 5, 7), (40, 301, 1, 1)),
    case("many_rows", (1, 8, 6, 6), (130, 8, 3, 3)),
    case("many_small_images", (9, 24, 4, 5), (36, 24, 3, 3), padding=(1, 1)),
    case("small_images_in_groups", (37, 6, 3, 5), (70, 3, 2, 2), groups=2, stride=(1, 2)),
]

NETWORKS = [
    case("resnet20", (4, 16, 32, 32), (16, 16, 3, 3), padding=(1, 1)),
    case("lenet", (4, 1, 32, 32), (6, 1, 5, 5)),
]

# 3 x 3 with stride 1 from 16 channels on: Winograd's tiles of 2 x 2, whose last row or column may be half outside.
WINOGRAD = [
    case("winograd_few_tiles", (1, 37, 9, 11), (33, 37, 3, 3), padding=(1, 2)),
    case("winograd_many_tiles", (4, 16, 63, 65), (20, 16, 3, 3), padding=(1, 1)),
    case("winograd_groups", (2, 40, 12, 13), (36, 20, 3, 3), groups=2),
    case("winograd_flat", (2, 16, 3, 300), (17, 16, 3, 3), padding=(0, 1)),
    case("winograd_images_together", (9, 32, 6, 7), (48, 32, 3, 3), padding=(1, 1)),
]


def depthwise(name: str, x: tuple, kernel: tuple, multiplier: int = 1, bias: bool = True, **options) -> Case:
    return case(f"depthwise_{name}", x, (multiplier * x[1], 1, *kernel), bias, groups=x[1], **options)


# One channel to a group: taps in a line of 3, 5 and 7 or in a list, tiles of 1 to 8 outputs, rows narrower and wider
# than a vector, blocks of planes that a vector of channels does not fill.
DEPTHWISE = [
    depthwise("3x3", (2, 21, 7, 7), (3, 3), padding=(1, 1)),
    depthwise("3x3_wide", (1, 3, 17, 45), (3, 3), padding=(1, 1), bias=False),
    depthwise("3x3_inside", (2, 17, 9, 18), (3, 3)),
    depthwise("3x3_stride", (2, 18, 15, 15), (3, 3), stride=(2, 2), padding=(1, 1)),
    depthwise("3x3_stride_wide", (1, 2, 12, 71), (3, 3), stride=(2, 2), padding=(0, 1), bias=False),
    depthwise("3x3_strides", (2, 5, 13, 14), (3, 3), stride=(1, 2), padding=(1, 1)),
    depthwise("3x3_dilation", (2, 6, 12, 13), (3, 3), dilation=(2, 3), padding=(2, 3)),
    depthwise("3x3_stride_dilation", (2, 4, 13, 14), (3, 3), stride=(2, 2), dilation=(2, 2), padding=(2, 2)),
    depthwise("3x3_stride_3", (2, 19, 13, 22), (3, 3), stride=(3, 3), padding=(1, 1)),
    depthwise("5x5", (2, 16, 14, 14), (5, 5), padding=(2, 2)),
    depthwise("5x5_stride", (1, 33, 11, 12), (5, 5), stride=(2, 2), padding=(2, 2)),
    depthwise("7x7", (1, 20, 8, 9), (7, 7), padding=(3, 3)),
    depthwise("7x7_stride", (1, 4, 16, 35), (7, 7), stride=(2, 2), padding=(3, 3)),
    depthwise("kernel_9x4", (2, 3, 12, 11), (9, 4), padding=(4, 1)),
    depthwise("kernel_2x6", (1, 18, 5, 20), (2, 6), stride=(1, 2), padding=(1, 3)),
    depthwise("one_row", (2, 9, 1, 50), (1, 15), padding=(0, 7)),
    depthwise("padding_over_kernel", (2, 5, 3, 4), (3, 3), padding=(5, 4)),
    depthwise("one_pixel", (3, 17, 1, 1), (3, 3), padding=(1, 1)),
    depthwise("multiplier_2", (2, 5, 9, 18), (3, 3), 2, padding=(1, 1)),
    depthwise("multiplier_3_stride", (1, 6, 9, 9), (3, 3), 3, stride=(2, 2), padding=(1, 1)),
    depthwise("many_channels", (1, 150, 7, 6), (3, 3), padding=(1, 1)),
    depthwise("pointwise", (2, 7, 5, 6), (1, 1)),
]

# Kernels that do not fit the second-level cache: each panel of Winograd's is transformed by who multiplies it, and very
# small images meet the others together.
LARGE_KERNELS = [
    case("winograd_large_kernel", (2, 196, 5, 6), (258, 196, 3, 3), padding=(1, 1)),
    case("small_images_large_kernel", (7, 130, 5, 4), (140, 130, 4, 4), stride=(2, 2), padding=(1, 1)),
    case("small_images_large_pointwise", (11, 520, 3, 2), (530, 520, 1, 1)),
]

EMPTY = [case("empty_batch", (0, 3, 9, 11), (8, 3, 3, 3))]

ALL = PARAMETERS + SIZES + WINOGRAD + DEPTHWISE + NETWORKS

# More chunks of work than the threads of the determinism test.
THREADED = [
    case("threaded", (3, 16, 33, 35), (24, 16, 3, 3), padding=(1, 1)),
    case("threaded_stride", (7, 16, 33, 35), (24, 16, 3, 3), stride=(2, 2)),
    case("threaded_pointwise", (5, 24, 29, 31), (96, 24, 1, 1)),
    case("threaded_kernel_is_image", (70, 16, 5, 5), (200, 16, 5, 5)),
    depthwise("threaded", (3, 40, 20, 21), (3, 3), padding=(1, 1)),
    depthwise("threaded_wide", (6, 5, 33, 70), (3, 3), stride=(2, 2), padding=(1, 1)),
]

# ---- for the bench: layers of known networks

# The distinct convolutions of ResNet-50 (K. He et al., arXiv:1512.03385; the stride in the 3 x 3): channels, size of
# the image, outputs, kernel, stride.
RESNET50 = {
    "conv1": (3, 224, 64, 7, 2),
    "conv2_first": (64, 56, 64, 1, 1),
    "conv2_3x3": (64, 56, 64, 3, 1),
    "conv2_expand": (64, 56, 256, 1, 1),
    "conv2_reduce": (256, 56, 64, 1, 1),
    "conv3_first": (256, 56, 128, 1, 1),
    "conv3_3x3_stride": (128, 56, 128, 3, 2),
    "conv3_shortcut": (256, 56, 512, 1, 2),
    "conv3_expand": (128, 28, 512, 1, 1),
    "conv3_reduce": (512, 28, 128, 1, 1),
    "conv3_3x3": (128, 28, 128, 3, 1),
    "conv4_first": (512, 28, 256, 1, 1),
    "conv4_3x3_stride": (256, 28, 256, 3, 2),
    "conv4_shortcut": (512, 28, 1024, 1, 2),
    "conv4_expand": (256, 14, 1024, 1, 1),
    "conv4_reduce": (1024, 14, 256, 1, 1),
    "conv4_3x3": (256, 14, 256, 3, 1),
    "conv5_first": (1024, 14, 512, 1, 1),
    "conv5_3x3_stride": (512, 14, 512, 3, 2),
    "conv5_shortcut": (1024, 14, 2048, 1, 2),
    "conv5_expand": (512, 7, 2048, 1, 1),
    "conv5_reduce": (2048, 7, 512, 1, 1),
    "conv5_3x3": (512, 7, 512, 3, 1),
}
# The distinct convolutions of VGG-19 (K. Simonyan and A. Zisserman, arXiv:1409.1556).
VGG19 = {
    "conv1_1": (3, 224, 64, 3, 1),
    "conv1_2": (64, 224, 64, 3, 1),
    "conv2_1": (64, 112, 128, 3, 1),
    "conv2_2": (128, 112, 128, 3, 1),
    "conv3_1": (128, 56, 256, 3, 1),
    "conv3_2": (256, 56, 256, 3, 1),
    "conv4_1": (256, 28, 512, 3, 1),
    "conv4_2": (512, 28, 512, 3, 1),
    "conv5": (512, 14, 512, 3, 1),
}


def _layers(network: str, layers: dict[str, tuple], batch: int, bias: bool) -> list[Case]:
    return [
        case(
            f"{network}_{layer}_n{batch}",
            (batch, C, H, H),
            (K, C, R, R),
            bias,
            stride=(stride, stride),
            padding=(R // 2, R // 2),
        )
        for layer, (C, H, K, R, stride) in layers.items()
    ]


# Few channels at one end: first layers.
FIRST_LAYERS = [
    case("lenet_conv1", (64, 1, 28, 28), (6, 1, 5, 5), padding=(2, 2)),
    case("lenet_conv2", (64, 6, 14, 14), (16, 6, 5, 5)),
    case("digits_conv1", (64, 1, 8, 8), (32, 1, 3, 3), padding=(1, 1)),
    case("alexnet_conv1", (32, 3, 224, 224), (64, 3, 11, 11), stride=(4, 4), padding=(2, 2)),
    case("resnet20_conv1", (128, 3, 32, 32), (16, 3, 3, 3), bias=False, padding=(1, 1)),
    case("resnet20_conv2", (128, 16, 32, 32), (16, 16, 3, 3), bias=False, padding=(1, 1)),
    case("resnet20_conv3", (128, 32, 16, 16), (32, 32, 3, 3), bias=False, padding=(1, 1)),
    case("resnet20_conv4", (128, 64, 8, 8), (64, 64, 3, 3), bias=False, padding=(1, 1)),
]


def _grouped(name: str, batch: int, C: int, H: int, groups: int, stride: int = 1) -> Case:
    weight = (C, C // groups, 3, 3)
    strides = (stride, stride)
    return case(name, (batch, C, H, H), weight, bias=False, stride=strides, padding=(1, 1), groups=groups)


# MobileNet (A. Howard et al., arXiv:1704.04861) and ResNeXt-50 32x4d (S. Xie et al., arXiv:1611.05431).
GROUPED = [
    _grouped("mobilenet_depthwise1", 8, 32, 112, 32),
    _grouped("mobilenet_depthwise2_stride", 8, 64, 112, 64, 2),
    _grouped("mobilenet_depthwise7", 8, 512, 14, 512),
    _grouped("resnext50_conv2", 8, 128, 56, 32),
    _grouped("resnext50_conv4", 8, 512, 14, 32),
]

BENCH = [
    *(layer for n in (1, 8, 32) for layer in _layers("resnet50", RESNET50, n, False)),
    *(layer for n in (1, 8, 32) for layer in _layers("vgg19", VGG19, n, True)),
    *FIRST_LAYERS,
    *GROUPED,
]
QUICK = (
    "resnet50_conv1_n8",
    "resnet50_conv2_3x3_n8",
    "resnet50_conv3_reduce_n8",
    "resnet50_conv5_3x3_n1",
    "vgg19_conv4_2_n1",
    "lenet_conv1",
    "mobilenet_depthwise7",
)
