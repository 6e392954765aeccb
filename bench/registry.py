"""The benches, by op and by group: every bench_<op>.py of this folder."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

GROUPS = (
    "conv2d",
    "conv_transpose2d",
    "pool2d",
    "recurrent",
    "cross_entropy",
    "optim",
    "train",
    "other",
    "calls",
    "beside",
)
"""In the order of the report. `beside` is PyTorch and fastdl in one process (bench/beside.py)."""

NAMES = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))


def bench(name: str) -> Any:
    return importlib.import_module(f"bench.bench_{name}").BENCH


def select(wanted: Sequence[str], quick: bool) -> list[tuple[Any, Any]]:
    """(bench, case) for groups, ops and single cases as "op/case"; all for "all"."""
    benches = sorted((bench(name) for name in NAMES), key=lambda b: GROUPS.index(b.group))
    chosen = []
    for each in benches:
        whole = any(name in ("all", each.name, each.group) for name in wanted)
        for case in each.cases:
            named = f"{each.name}/{case.name}" in wanted
            if named or (whole and (not quick or case.name in each.quick)):
                chosen.append((each, case))
    return chosen
