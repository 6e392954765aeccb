"""From the raw repetitions of a case to what is said of it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from bench import variants
from bench.disturbance import TOLERATED
from bench.limits import Limits
from bench.op import Work


def derive(record: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    """Medians, rates, the share of the limit that is reached, and the ratio to PyTorch at its best.

    A ratio is the median over repetitions of PyTorch's time over ours; `ratio_range` is its least and greatest.
    """
    seconds: Mapping[str, Sequence[float]] = record["seconds"]
    work = Work(**record["work"])
    medians = {label: statistics.median(times) for label, times in seconds.items()}
    ours = medians["fastdl"]
    flops = sum(work.flops.values())
    executed = variants.executed_flops(work.flops, record["variant"])
    least, limit = limits.of(work, executed)
    derived: dict[str, Any] = {
        "ms": {label: value * 1e3 for label, value in medians.items()},
        "flops_per_second": flops / ours,
        "executed_flops_per_second": executed / ours,
        "bytes_per_second": (work.bytes + work.reads) / ours,
        "limit": limit,
        "share_of_limit": least / ours,
        "variant": variants.describe(record["variant"], work.flops),
    }
    others = {label: value for label, value in medians.items() if label != "fastdl"}
    if others:
        best = min(others, key=lambda label: others[label])
        ratios = [theirs / own for theirs, own in zip(seconds[best], seconds["fastdl"], strict=True)]
        derived |= {
            "best": best,
            "ratio": statistics.median(ratios),
            "ratio_range": [min(ratios), max(ratios)],
            "ratio_as_it_comes": others["torch"] / ours,
        }
    return derived


def summarise(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each group and mode, the geometric mean and the worst of the ratios, and of the shares of the limit; without
    the timings that others disturbed."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for record in records:
        if "derived" in record and not disturbed(record):
            groups.setdefault((record["group"], record["mode"]), []).append(record)
    summary = []
    for (group, mode), members in groups.items():
        row = {"group": group, "mode": mode, "cases": len(members)}
        shares = [record["derived"]["share_of_limit"] for record in members]
        if min(shares) > 0:
            row |= {"share_of_limit": geometric_mean(shares), "least_share": min(shares)}
        if all("ratio" in record["derived"] for record in members):
            worst = min(members, key=lambda record: record["derived"]["ratio"])
            row |= {
                "ratio": geometric_mean([record["derived"]["ratio"] for record in members]),
                "worst_ratio": worst["derived"]["ratio"],
                "worst_case": f"{worst['op']}/{worst['case']}",
                "ratio_as_it_comes": geometric_mean(
                    [record["derived"]["ratio_as_it_comes"] for record in members]
                ),
            }
        summary.append(row)
    return summary


def disturbed(record: Mapping[str, Any]) -> bool:
    return (record.get("disturbance") or 0) > TOLERATED


def geometric_mean(values: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))
