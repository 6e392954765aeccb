"""How much of the CPUs others took while the contenders ran: other processes, and a virtual machine's host."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

TOLERATED = 0.1
"""Share of all CPUs; timings that were disturbed more are marked."""


class Watch:
    """From its making to share(); Linux only."""

    def __init__(self, pids: Iterable[int]) -> None:
        self.pids = [os.getpid(), *pids]
        self.begin = time.perf_counter(), _busy(), self._own()

    def share(self) -> float | None:
        """CPU seconds of others over those that there were; None where the system does not tell."""
        since, busy, own = self.begin
        elapsed = (time.perf_counter() - since) * (os.cpu_count() or 1)
        now, own_now = _busy(), self._own()
        if busy is None or now is None:
            return None
        return max(0.0, (now - busy) - (own_now - own)) / elapsed

    def _own(self) -> float:
        return sum(map(_of_process, self.pids))


def _ticks(fields: Iterable[str]) -> float:
    return sum(map(int, fields)) / os.sysconf("SC_CLK_TCK")


def _busy() -> float | None:
    """CPU seconds of the whole system; stolen ones too."""
    try:
        user, nice, system, _idle, _wait, *rest = (
            Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
        )
    except (OSError, ValueError):
        return None
    return _ticks([user, nice, system, *rest])


def _of_process(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return _ticks(fields[11:13])
