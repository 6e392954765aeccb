"""Tests of what belongs to a whole process (threads, signals, page faults) run code in a Python of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import fastdl
import pytest

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and calls what only Linux has")


def run_python(code: str, *, timeout: float = 60, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs `code` with the fastdl under test, without the suite's memory poison, and with `environment` added."""
    inherited = {k: v for k, v in os.environ.items() if k not in {"FASTDL_POISON_MEMORY", "OMP_NUM_THREADS"}}
    path = os.pathsep.join([str(Path(fastdl.__file__).parents[1]), inherited.pop("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**inherited, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def output_of(code: str, **environment: str) -> str:
    """What `code` prints; fails if it fails."""
    done = run_python(code, **environment)
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stderr}"
    assert done.stderr == ""
    return done.stdout.strip()
