"""The tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.results import disturbed

HEADER = (
    f"{'case':46} {'mode':8} {'fastdl':>10} {'torch':>10} {'its best':>11} {'rate':>11} {'of limit':>10} "
    f"{'ratio':>6} {'spread':13} variant"
)
LEGEND = """times in ms, medians; "torch" as it comes, "its best" with its pages kept, fused optimisers and, marked "c",
channels_last where that is faster; rate of the direct algorithm's operations, or of the compulsory bytes; share of the
limit that binds: FMA peak (by executed operations), copying or reading a set of that size; ratio: its best / fastdl;
mode "layer": forward through a layer and the tape"""
MODES = {"forward": "fwd", "forward+backward": "fwd+bwd", "step": "step", "layer": "layer"}


def row(record: Mapping[str, Any]) -> str:
    name = f"{record['op']}/{record['case']}"
    if "failure" in record:
        return f"{name:46} FAILED: {record['failure'].strip().splitlines()[-1]}"
    derived = record["derived"]
    ms, operations = derived["ms"], derived["flops_per_second"]
    rate = f"{operations / 1e9:6.0f} GF/s" if operations else f"{derived['bytes_per_second'] / 1e9:6.1f} GB/s"
    reached = f"{rate} {derived['share_of_limit']:5.0%} {derived['limit']:4} "
    line = f"{name:46} {MODES[record['mode']]:8} {_ms(ms['fastdl'])} "
    if "ratio" in derived:
        mark = "c" if "channels_last" in derived["best"] else " "
        line += f"{_ms(ms['torch'])} {_ms(ms[derived['best']])}{mark} "
    else:
        line += " " * 23
    line += reached if derived["limit"] else " " * len(reached)
    if "ratio" in derived:
        low, high = derived["ratio_range"]
        line += f"{derived['ratio']:6.2f} [{low:.2f}-{high:.2f}]".ljust(21)
    line += f" {derived['variant']}"
    if disturbed(record):
        line += f" ! others took {record['disturbance']:.0%} of the CPUs"
    return line.rstrip()


def _ms(value: float) -> str:
    digits = 5 if value < 0.1 else 4 if value < 1 else 2
    return f"{value:10.{digits}f}"


def summary(rows: Sequence[Mapping[str, Any]]) -> str:
    """Geometric means and worst cases, by group and mode."""
    lines = [
        f"{'group':18} {'mode':8} {'cases':>5} {'ratio':>7} {'worst':>7} {'as it comes':>12} {'of limit':>9}"
    ]
    for each in rows:
        line = f"{each['group']:18} {MODES[each['mode']]:8} {each['cases']:5}"
        if "ratio" in each:
            line += f" {each['ratio']:7.2f} {each['worst_ratio']:7.2f} {each['ratio_as_it_comes']:12.2f}"
        else:
            line += " " * 29
        line += f" {each['share_of_limit']:9.0%}" if "share_of_limit" in each else " " * 10
        lines.append(line + (f"  worst: {each['worst_case']}" if "worst_case" in each else ""))
    return "\n".join(lines)


def memory(records: Sequence[Mapping[str, Any]]) -> str:
    lines = ["growth of peak memory over training steps, after import and warm-up, in MiB"]
    for record in records:
        growth = ", ".join(f"{name} {value / 2**20:.0f}" for name, value in record["growth"].items())
        lines.append(f"{record['op']}/{record['case']:20} {growth}")
    return "\n".join(lines)


def beside(records: Sequence[Mapping[str, Any]]) -> str:
    lines = ["fastdl and torch in one process: alternating calls over the sum of the times alone, less 1"]
    for record in records:
        name = f"{record['op']}/{record['case']}"
        order = record["order"].removeprefix("beside-").replace("-", " ")
        lines.append(f"{name:46} {MODES[record['mode']]:8} {order:13} {record['loss']:+.0%}")
    return "\n".join(lines)


def check(records: Sequence[Mapping[str, Any]]) -> str:
    """What the results were held against."""
    against = {record["check"]["against"].partition(",")[0] for record in records if "check" in record}
    reference = "the reference" in against
    held = " or ".join(sorted(against)) or "nothing"
    note = " (cut-down copies of the cases: a few rows, one image; the JSON says which)" if reference else ""
    count = sum(map(disturbed, records))
    if count:
        note += (
            f"\n{count} of {len(records)} timings were disturbed by other processes: left out of the means"
        )
    return f"before its timing, every case's results were checked against {held}{note}"


def ending(document: Mapping[str, Any]) -> Iterator[str]:
    """What follows the rows."""
    if document["cases"]:
        yield f"{summary(document['summary'])}\n{check(document['cases'])}"
    if document["memory"]:
        yield memory(document["memory"])
    if document["beside"]:
        yield beside(document["beside"])
