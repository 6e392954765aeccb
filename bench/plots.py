"""The picture: a roofline with a dot for each case, and bars of the ratios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.limits import Limits

SHORT = {"forward+backward": " ↔"}
ROOFLINE_INCHES = 8.0
TICKS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)


def draw(path: Path, records: Sequence[Mapping[str, Any]], limits: Limits, title: str) -> None:
    import matplotlib

    matplotlib.use("Agg")  # before pyplot: there may be no display
    import matplotlib.pyplot as plt

    records = [record for record in records if "derived" in record]
    raced = [record for record in records if "ratio" in record["derived"]]
    height = min(max(ROOFLINE_INCHES, 0.14 * len(raced)), 60)
    figure = plt.figure(figsize=(18, height), layout="constrained")
    figure.suptitle(title)
    rows = [ROOFLINE_INCHES, max(height - ROOFLINE_INCHES, 0.01)]
    grid = figure.add_gridspec(2, 2, height_ratios=rows)
    _roofline(figure.add_subplot(grid[0, 0]), records, limits, plt.get_cmap("tab10"))
    if raced:
        _bars(figure.add_subplot(grid[:, 1]), raced, plt.get_cmap("tab10"))
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _groups(records: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(record["group"] for record in records))


def _roofline(axes: Any, records: Sequence[Mapping[str, Any]], limits: Limits, colours: Any) -> None:
    """Executed operations per second over operations per compulsory byte; ops without operations count elements
    moved as one each, at a quarter of an operation a byte."""
    intensity = np.logspace(-2, 4, 200)
    roof = np.minimum(limits.peak, intensity * limits.copy_bandwidth)
    axes.loglog(intensity, roof / 1e9, "k-", label="FMA peak, copy bandwidth")
    for number, group in enumerate(_groups(records)):
        points = [p for r in records if r["group"] == group and (p := _point(r)) is not None]
        if points:
            x, y = np.array(points).T
            axes.loglog(x, y / 1e9, "o", ms=4, alpha=0.7, color=colours(number % 10), label=group)
    axes.set(xlabel="operations per compulsory byte", ylabel="executed GFLOP/s")
    axes.set_title("fastdl beside the machine's limits")
    axes.legend(loc="lower right", fontsize=8)
    axes.grid(alpha=0.3)


def _point(record: Mapping[str, Any]) -> tuple[float, float] | None:
    derived, moved = record["derived"], record["work"]["bytes"]  # networks and tiny calls count none
    if not moved:
        return None
    per_second = moved / (derived["ms"]["fastdl"] / 1e3)
    operations = derived["executed_flops_per_second"] or per_second / 4
    return operations / per_second, operations


def _bars(axes: Any, records: Sequence[Mapping[str, Any]], colours: Any) -> None:
    groups = _groups(records)
    names = [f"{r['op']}/{r['case']}{SHORT.get(r['mode'], '')}" for r in records]
    ratios = np.array([r["derived"]["ratio"] for r in records])
    low, high = np.array([r["derived"]["ratio_range"] for r in records]).T
    spread = [np.maximum(ratios - low, 0), np.maximum(high - ratios, 0)]
    y = np.arange(len(records))
    tints = [colours(groups.index(r["group"]) % 10) for r in records]
    axes.barh(y, ratios - 1, left=1, xerr=spread, color=tints, error_kw={"lw": 0.8})
    axes.axvline(1, color="black", lw=1)
    axes.set_yticks(y, names, fontsize=6)
    axes.set_ylim(len(records) - 0.5, -0.5)
    axes.set_xscale("log")
    axes.set_xticks(TICKS, map(str, TICKS))
    axes.set_xlim(min(0.5, low.min()) / 1.1, max(2, high.max()) * 1.1)
    axes.set(xlabel="time of PyTorch at its best / time of fastdl (↔: forward and backward)")
    axes.grid(axis="x", alpha=0.3, which="both")
