"""Shapes of pad: every mode, signs of either side, one to three axes, sizes round the vector widths."""

from __future__ import annotations

from tests.cases.case import Case


def case(name: str, shape: tuple, *pad: int, mode: str = "constant", **options) -> Case:
    return Case(name, {"input": shape}, {"pad": pad, "mode": mode, **options})


PARAMETERS = [
    case("last_axis", (3, 4, 5), 1, 2),
    case("value", (3, 4, 5), 1, 2, value=-1.5),
    case("value_two_axes", (3, 4, 5), 1, 2, 0, 1, value=3),
    case("two_axes", (2, 3, 4, 5), 1, 2, 3, 0),
    case("outer_only", (2, 3, 4, 5), 0, 0, 0, 0, 2, 1),
    case("every_axis", (2, 3, 4, 5), 1, 2, 0, 3, 2, 1, 1, 1),
    case("crop", (2, 3, 6, 7), -1, -2, -3, -1),
    case("crop_and_pad", (2, 3, 6, 7), -4, 3, 2, -5),
    case("crop_outer", (4, 3, 6), 0, 0, -1, 1, 1, -2),
    case("crop_to_nothing", (2, 3, 6), -4, -2),
    case("nothing", (2, 3), 0, 0),
    case("no_values", (2, 3)),
    case("one_axis", (9,), 2, 3),
    case("six_axes", (2, 1, 3, 2, 2, 3), 1, 0, 0, 0, 1, 1, 0, 0, 2, 0),
    *(
        variant
        for mode in ("reflect", "replicate", "circular")
        for variant in (
            case(f"{mode}_1d", (2, 3, 7), 3, 2, mode=mode),
            case(f"{mode}_2d", (2, 3, 6, 7), 1, 2, 3, 4, mode=mode),
            case(f"{mode}_3d", (2, 3, 4, 5, 6), 1, 2, 3, 4, 2, 0, mode=mode),
            case(f"{mode}_2d_unbatched", (3, 6, 7), 2, 1, 0, 5, mode=mode),
            case(f"{mode}_widest", (1, 2, 5, 6), 5, 5, 4, 4, mode=mode),
            case(f"{mode}_crop", (2, 3, 8, 9), -2, 3, 4, -3, mode=mode),
            case(f"{mode}_crop_both", (2, 3, 8), -2, -3, mode=mode),
        )
    ),
    case("replicate_wide", (1, 2, 3, 4), 9, 11, 7, 5, mode="replicate"),
    case("replicate_one", (2, 2, 1), 3, 4, mode="replicate"),
    case("replicate_past_the_end", (2, 2, 8), -9, 3, mode="replicate"),
    case("replicate_before_the_begin", (2, 2, 3, 1), 3, -3, 5, -6, mode="replicate"),
    case("reflect_before_the_begin", (2, 2, 4), 3, -5, mode="reflect"),
    case("reflect_past_the_end", (2, 2, 8), -9, 3, mode="reflect"),
    case("circular_whole", (2, 2, 5), 5, 5, mode="circular"),
]

WIDTHS = [1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 97]
SIZES = [
    *(case(f"constant_width_{w}", (2, 3, w), 1, 2) for w in WIDTHS),
    *(case(f"replicate_width_{w}", (2, 3, w), 2, 1, mode="replicate") for w in WIDTHS),
    *(case(f"reflect_width_{w}", (2, 3, w), 2, 1, mode="reflect") for w in WIDTHS if w > 2),
]

EMPTY = [
    case("empty", (0, 3, 4), 1, 1),
    case("empty_reflect", (0, 3, 4, 5), 1, 1, 2, 2, mode="reflect"),
    case("empty_replicate", (0, 3, 4), 1, 1, mode="replicate"),
    case("empty_circular", (0, 3, 4), 1, 1, mode="circular"),
]

ALL = PARAMETERS + SIZES

THREADED = [
    case("threaded", (9, 16, 40, 41), 1, 2, 3, 4),
    case("threaded_reflect", (9, 16, 40, 41), 1, 2, 3, 4, mode="reflect"),
]

BENCH = [
    case("image", (8, 64, 112, 112), 1, 1, 1, 1),
    case("image_reflect", (8, 64, 112, 112), 1, 1, 1, 1, mode="reflect"),
    case("image_circular", (8, 64, 112, 112), 3, 3, 3, 3, mode="circular"),
    case("shortcut_channels", (32, 64, 16, 16), 0, 0, 0, 0, 32, 32),
]
