"""One call of an op, described by shapes: what tests check and the bench times."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Case:
    """`operands` are floating arrays by argument name and shape; `others` make the remaining arrays."""

    name: str
    operands: Mapping[str, Shape]
    options: Mapping[str, Any] = field(default_factory=dict)
    others: Mapping[str, Callable[[np.random.Generator], Array]] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    def generator(self) -> np.random.Generator:
        return np.random.default_rng(zlib.crc32(self.name.encode()))

    def arrays(self, dtype: Any, integers: bool = False) -> dict[str, Array]:
        """Normally distributed operands, the same every time; small integers where `integers`."""
        rng = self.generator()
        made = {name: _draw(rng, shape, dtype, integers) for name, shape in self.operands.items()}
        for name, make in self.others.items():
            other = make(rng)
            made[name] = other.astype(dtype) if other.dtype.kind == "f" else other
        return made


def _draw(rng: np.random.Generator, shape: Shape, dtype: Any, integers: bool) -> Array:
    drawn = rng.integers(-4, 5, shape) if integers else rng.standard_normal(shape)
    return np.asarray(drawn).astype(dtype)
