"""Layers that only change the shape, and the one that changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from fastdl.nn.module import Module


class Identity(Module):
    """Returns its input. Takes any arguments, so that it can stand in for another layer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        return input


class Flatten(Module):
    """Merge the axes `start_dim` to `end_dim`, both included, into one."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Any) -> Any:
        rank = max(len(input.shape), 1)  # a scalar flattens to one element
        start = _axis("Flatten", "start_dim", self.start_dim, rank)
        end = _axis("Flatten", "end_dim", self.end_dim, rank)
        if start > end:
            raise ValueError(
                f"[Flatten] start_dim: expected an axis not after end_dim={self.end_dim}, "
                f"got {self.start_dim}"
            )
        shape = tuple(input.shape)
        return input.reshape((*shape[:start], prod(shape[start : end + 1]), *shape[end + 1 :]))

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Split the axis `dim` into axes of the sizes `unflattened_size`, one of which may be −1."""

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        if not isinstance(dim, int):
            raise TypeError(f"[Unflatten] dim: expected an int, got {type(dim).__name__}")
        if not isinstance(unflattened_size, (tuple, list)) or not all(
            isinstance(size, int) for size in unflattened_size
        ):
            raise TypeError(
                f"[Unflatten] unflattened_size: expected a tuple of ints, got {unflattened_size!r}"
            )
        self.dim = dim
        self.unflattened_size = tuple(unflattened_size)

    def forward(self, input: Any) -> Any:
        shape = tuple(input.shape)
        axis = _axis("Unflatten", "dim", self.dim, len(shape))
        sizes = list(self.unflattened_size)
        if sizes.count(-1) == 1 and (known := -prod(sizes)) and shape[axis] % known == 0:
            sizes[sizes.index(-1)] = shape[axis] // known
        if any(size < 0 for size in sizes) or prod(sizes) != shape[axis]:
            raise ValueError(
                f"[Unflatten] unflattened_size: expected sizes with the product {shape[axis]} "
                f"for x of shape {shape} and dim={self.dim}, got {self.unflattened_size}"
            )
        return input.reshape(shape[:axis] + tuple(sizes) + shape[axis + 1 :])

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


def _axis(op: str, argument: str, dim: int, rank: int) -> int:
    if not -rank <= dim < rank:
        raise ValueError(f"[{op}] {argument}: expected an axis of an array with {rank} axes, got {dim}")
    return dim % rank
