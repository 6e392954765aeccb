"""Windows over planes: what the shapes of max_pool2d and avg_pool2d share."""

from __future__ import annotations

from tests.cases.case import Case


def case(name: str, x: tuple, *args, **options) -> Case:
    return Case(
        name, {"input": x}, dict(zip(("kernel_size", "stride", "padding"), args, strict=False)) | options
    )


# Vectors along a row: windows that share rows or do not, of every width that this takes, with lanes that
# leave the row on either side, in more rows than are worked on at a time.
ROWS = [
    *(
        case(f"rows_{k}_stride_{s}_width_{w}", (2, 2, 30, w), k, s, k // 2)
        for k in (1, 2, 3, 4, 5)
        for s in (1, 2)
        for w in (29, 66)
    ),
    *(case(f"rows_{k}_stride_2_unpadded_{w}", (2, 2, 12, w), k, 2) for k in (3, 5) for w in (40, 67)),
    case("rows_pairs_oblong", (3, 2, 9, 34), (3, 2)),
    case("rows_pairs_ceil", (3, 2, 9, 33), 2, ceil_mode=True),
    case("rows_pairs_overlapping", (2, 2, 9, 34), (3, 2), (1, 2)),
    case("rows_apart", (2, 2, 19, 34), (2, 3), (5, 1), (1, 1)),
    case("rows_tall", (2, 2, 30, 34), (15, 3), (2, 2), (7, 1)),
    *(case(f"rows_pairs_{q}", (3, 2, 6, 2 * q), 2) for q in (6, 7, 8, 16, 17)),
]
