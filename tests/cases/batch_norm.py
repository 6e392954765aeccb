"""Shapes of batch_norm: every option, and channels and planes round the vector widths."""

from __future__ import annotations

from tests.cases.case import Case


def case(name: str, shape: tuple, weight=True, bias=True, training=True, **options) -> Case:
    channels = shape[1:2]
    operands = {"input": shape}
    if weight:
        operands["weight"] = channels
    if bias:
        operands["bias"] = channels
    options["training"] = training
    if training:
        return Case(name, operands, {**options, "running_mean": None, "running_var": None})
    others = {
        "running_mean": lambda rng: rng.standard_normal(channels),
        "running_var": lambda rng: rng.random(channels) + 0.5,
    }
    return Case(name, operands, options, others)


OPTIONS = [
    *(case(f"rows{tag}", (9, 5), training=training) for tag, training in (("", True), ("_eval", False))),
    *(case(f"sequence{tag}", (4, 5, 7), training=t) for tag, t in (("", True), ("_eval", False))),
    *(case(f"image{tag}", (3, 5, 4, 6), training=t) for tag, t in (("", True), ("_eval", False))),
    *(case(f"volume{tag}", (3, 2, 3, 2, 4), training=t) for tag, t in (("", True), ("_eval", False))),
    case("no_weight", (9, 5), weight=False),
    case("no_bias", (9, 5), bias=False),
    case("plain", (3, 5, 4, 6), weight=False, bias=False),
    case("plain_eval", (3, 5, 4, 6), weight=False, bias=False, training=False),
    case("eps", (9, 5), eps=0.5),
    case("eps_eval", (9, 5), eps=0.0, training=False),
    case("one_image", (1, 3, 5, 7)),
]
WIDTHS = [1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65, 97]
SIZES = [
    *(case(f"channels_{w}", (11, w)) for w in WIDTHS),
    *(case(f"plane_{w}", (5, 3, w)) for w in WIDTHS),
    case("channel_groups", (70, 300)),  # more channels than one chunk takes
    case("segments_of_rows", (3000, 9)),
    case("segments_of_planes", (3, 2, 150, 151)),  # their ends do not fall on the planes'
]
EMPTY = [
    case("empty_batch", (0, 5)),
    case("empty_images", (0, 5, 4, 6)),
    case("empty_planes", (3, 5, 0, 6)),
    case("empty_batch_eval", (0, 5, 4), training=False),
]

ALL = OPTIONS + SIZES

# More chunks of work than the threads of the determinism test.
THREADED = [
    case("threaded", (5, 12, 70, 70)),
    case("threaded_rows", (900, 300)),
    case("threaded_segments", (4, 2, 200, 200)),
    case("threaded_eval", (5, 12, 70, 70), training=False),
]
BENCH = [
    case("resnet50_layer1", (16, 256, 56, 56)),
    case("resnet50_layer4", (16, 2048, 7, 7)),
    case("rows", (1024, 1024)),
    case("resnet50_layer1_eval", (16, 256, 56, 56), training=False),
]
