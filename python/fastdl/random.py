"""Random numbers from a counter-based generator (Philox): the same seed, the same numbers, on any machine."""

from __future__ import annotations

import operator
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastdl._alloc import empty

_MASK = (1 << 64) - 1


class Generator:
    """A seed and a count of the draws so far; every draw is a stream of its own. Threads may share it."""

    def __init__(self, seed: int = 0) -> None:
        self._lock = threading.Lock()
        self.manual_seed(seed)

    def manual_seed(self, seed: int) -> Generator:
        """Starts again from `seed`, an integer from -2**63 to 2**64 - 1."""
        try:
            seed = operator.index(seed)
        except TypeError:
            raise TypeError(f"[manual_seed] seed: expected an integer, got {seed!r}") from None
        if not -(1 << 63) <= seed <= _MASK:
            raise ValueError(f"[manual_seed] seed: expected an integer in [-2**63, 2**64), got {seed}")
        with self._lock:
            self._seed, self._offset = seed & _MASK, 0
        return self

    def initial_seed(self) -> int:
        return self._seed

    def next_seed(self) -> tuple[int, int]:
        """The seed and an offset never given out before: what a kernel needs to draw numbers of its own."""
        with self._lock:
            offset = self._offset
            self._offset = (offset + 1) & _MASK
            return self._seed, offset

    def get_state(self) -> np.ndarray:
        """Seed and offset, as uint64."""
        with self._lock:
            return np.array([self._seed, self._offset], np.uint64)

    def set_state(self, state: Any) -> Generator:
        """Goes on from where `get_state` was called."""
        values = np.asarray(state)
        if values.shape != (2,) or values.dtype != np.uint64:
            raise ValueError(
                f"[set_state] state: expected 2 uint64, got shape {values.shape} of {values.dtype}"
            )
        with self._lock:
            self._seed, self._offset = int(values[0]), int(values[1])
        return self

    def draw(self) -> np.random.Generator:
        """NumPy's generator on the next stream."""
        return np.random.Generator(np.random.Philox(key=np.array(self.next_seed(), np.uint64)))

    def __getstate__(self) -> np.ndarray:
        return self.get_state()

    def __setstate__(self, state: np.ndarray) -> None:
        self._lock = threading.Lock()
        self.set_state(state)


default_generator = Generator()
"""What everything draws from that is not given a generator; its seed is 0 until `manual_seed`."""


def manual_seed(seed: int) -> Generator:
    """Seeds the default generator."""
    return default_generator.manual_seed(seed)


def initial_seed() -> int:
    """The seed of the default generator."""
    return default_generator.initial_seed()


def next_seed() -> tuple[int, int]:
    """The next (seed, offset) of the default generator."""
    return default_generator.next_seed()


def get_rng_state() -> np.ndarray:
    """The state of the default generator."""
    return default_generator.get_state()


def set_rng_state(state: Any) -> None:
    """Puts the default generator back to a state."""
    default_generator.set_state(state)


def _float(op: str, dtype: Any) -> np.dtype:
    found = np.dtype(dtype)
    if found not in (np.float32, np.float64):
        raise TypeError(f"[{op}] dtype: expected float32 or float64, got {found}")
    return found


def uniform(
    shape: Sequence[int], low: float = 0.0, high: float = 1.0, dtype: Any = np.float32, generator: Any = None
) -> np.ndarray:
    """An array drawn evenly from [low, high)."""
    out = empty(shape, _float("rand", dtype))
    (generator or default_generator).draw().random(out=out, dtype=out.dtype)
    if (low, high) != (0, 1):
        out *= out.dtype.type(high - low)
        out += out.dtype.type(low)
    return out


def normal(
    shape: Sequence[int], mean: float = 0.0, std: float = 1.0, dtype: Any = np.float32, generator: Any = None
) -> np.ndarray:
    """An array of normally distributed numbers."""
    out = empty(shape, _float("randn", dtype))
    (generator or default_generator).draw().standard_normal(out=out, dtype=out.dtype)
    if std != 1:
        out *= out.dtype.type(std)
    if mean != 0:
        out += out.dtype.type(mean)
    return out
