"""The process's resident memory, now and at its peak, in bytes."""

from __future__ import annotations

import contextlib
import resource
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def _status(field: str) -> int | None:
    if not STATUS.exists():
        return None
    for line in STATUS.read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return None


def peak() -> int:
    """The most that was resident since reset_peak(), where the system has such a mark; else since the start."""
    marked = _status("VmHWM")
    if marked is not None:
        return marked
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def reset_peak() -> None:
    # Without it (not Linux, or not allowed) the growth over the peak so far is what can be told.
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def resident() -> int:
    now = _status("VmRSS")
    return peak() if now is None else now


def page_faults() -> int:
    """Pages that the process has met for the first time, so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
