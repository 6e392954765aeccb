"""What a variant's name says of the operations that it executes."""

from __future__ import annotations

from collections.abc import Mapping

EXECUTED = {
    # 16 products for the 4 outputs of a 2 x 2 tile, of which a direct 3 x 3 convolution takes 36 (A. Lavin and S. Gray,
    # arXiv:1509.09308); 36 for the 16 of a 4 x 4 tile, instead of 144.
    "winograd2x2": 16 / 36,
    "winograd4x4": 36 / 144,
}
"""Multiply-adds of a variant over those of the direct algorithm, by how its name begins; 1 for all others."""


def executed_share(variant: str) -> float:
    return next((share for name, share in EXECUTED.items() if variant.startswith(name)), 1.0)


def executed_flops(flops: Mapping[str, float], variants: Mapping[str, str]) -> float:
    """Of the parts of a call, each by the variant that ran it."""
    return sum(count * executed_share(variants.get(part, "")) for part, count in flops.items())


def describe(variants: Mapping[str, str], parts: Mapping[str, float]) -> str:
    """One name where all parts share it, else one for each part."""
    names = [variants.get(part, "") for part in parts]
    return names[0] if len(set(names)) == 1 else " ".join(name or "-" for name in names)
