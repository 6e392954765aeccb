"""The orders in which the emulation runs blocks and threads. A right kernel gives the same bits in each."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator

SCHEDULES = [
    ("in_order", 0),
    ("reverse", 0),
    ("shuffled", 1),
    ("shuffled", 2),
    ("warp_greedy", 0),
    ("warp_greedy", 3),
]


@contextlib.contextmanager
def scheduled(library: ctypes.CDLL, kind: str, seed: int = 0) -> Iterator[None]:
    """Launches of `library` within the context follow this schedule. ValueError for an unknown kind."""
    if library.simt_set_schedule(kind.encode(), ctypes.c_uint64(seed)) != 0:
        raise ValueError(f"schedule: expected one of {sorted({k for k, _ in SCHEDULES})}, got {kind!r}")
    try:
        yield
    finally:
        library.simt_set_schedule(b"in_order", ctypes.c_uint64(0))
