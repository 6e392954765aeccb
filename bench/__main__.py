"""The command: ``python -m bench [GROUP or OP or OP/CASE ...]``."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import limits, race, registry, report, results

SCHEMA = 1
"""Of the JSON file: raised when a field changes its meaning."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Races fastdl against PyTorch, and both against the machine's limits.",
    )
    names = sorted({*registry.GROUPS, *registry.NAMES})
    parser.add_argument(
        "what",
        nargs="*",
        default=["all"],
        metavar="WHAT",
        help=f"all, or some of: {', '.join(names)}; or OP/CASE",
    )
    parser.add_argument("--quick", action="store_true", help="few cases and repetitions: two minutes for all")
    parser.add_argument("--threads", type=int, default=0, help="for each library; as many as fastdl takes")
    parser.add_argument("--isa", default="", help="baseline, avx2 or avx512, for both libraries")
    parser.add_argument("--no-torch", action="store_true", help="fastdl alone, against the machine's limits")
    parser.add_argument(
        "--out", type=Path, default=Path("bench-results"), help="folder for the JSON and the PNG"
    )
    parsed = parser.parse_args()
    unknown = [name for name in parsed.what if name not in ("all", *names) and "/" not in name]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}")
    return parsed


def settings(parsed: argparse.Namespace) -> race.Settings:
    chosen: dict[str, Any] = {"threads": parsed.threads, "isa": parsed.isa}
    if parsed.quick:
        chosen |= {"seconds": 0.01, "repetitions": (3, 5), "budget": 0.3}
    if parsed.no_torch:
        chosen["torch"] = False
    return race.Settings(**chosen)


def commit() -> str:
    command = ["git", "-C", str(race.ROOT), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def about(runner: race.Race) -> dict[str, Any]:
    """The head of the JSON file."""
    ours = runner.hellos["fastdl"]
    versions = {hello["library"]: hello["version"] for hello in runner.hellos.values()}
    libc = os.confstr("CS_GNU_LIBC_VERSION") if "CS_GNU_LIBC_VERSION" in os.confstr_names else ""
    return {
        "schema": SCHEMA,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": {"cpu": ours["cpu"], "cores": os.cpu_count(), "libc": libc},
        "isa": ours["isa"],
        "threads": runner.threads,
        "versions": {**versions, "numpy": ours["numpy"], "python": ours["python"]},
        "environment": {name: hello["environment"] for name, hello in runner.hellos.items()},
    }


def run_cases(
    runner: race.Race, chosen: Sequence[tuple[Any, Any]], once: bool, document: dict[str, Any]
) -> None:
    """Prints a row as soon as a case is timed. The limits are measured before each group, or once."""
    measured, records = document["limits"], document["cases"]
    bounds = None
    for bench, case in progress(chosen):
        if bounds is None or (bench.group not in measured and not once):
            bounds = runner.limits()
            measured[bench.group] = vars(bounds)
            say(limits.describe(bounds))
        for record in runner.case(bench, case):
            if "failure" not in record:
                record["derived"] = results.derive(record, bounds)
            records.append(record)
            say(report.row(record))


def progress(items: Sequence[Any]) -> Any:
    try:
        from tqdm import tqdm
    except ImportError:
        return items
    return tqdm(items, unit="case", file=sys.stderr, dynamic_ncols=True)


def say(text: str) -> None:
    try:
        from tqdm import tqdm
    except ImportError:
        print(text, flush=True)
    else:
        tqdm.write(text, file=sys.stdout)
        sys.stdout.flush()


def write(out: Path, document: dict[str, Any]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "bench.json").write_text(json.dumps(document, indent=1))
    print(f"\n{document['seconds']} s; {out / 'bench.json'}")
    if not document["cases"]:
        return
    try:
        from bench import plots

        bounds = limits.Limits(**next(iter(document["limits"].values())))
        versions = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
        title = f"{document['machine']['cpu']}, {document['isa']}, {document['threads']} threads; {versions}"
        plots.draw(out / "bench.png", document["cases"], bounds, title)
        print(out / "bench.png")
    except ImportError as missing:
        print(f"no picture: {missing}")


def main() -> int:
    parsed = arguments()
    begin = time.monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a run that is stopped reports what it has
    chosen = registry.select(parsed.what, parsed.quick)
    with race.start(settings(parsed)) as runner:
        document = about(runner)
        print(f"{document['machine']['cpu']}, {document['isa']}, {document['threads']} threads; ", end="")
        print(", ".join(f"{name} {version}" for name, version in document["versions"].items()))
        print(f"\n{report.LEGEND}\n\n{report.HEADER}", flush=True)
        document |= {"limits": {}, "cases": [], "memory": [], "beside": []}
        try:
            run_cases(runner, chosen, parsed.quick, document)
            document["memory"] += [
                runner.memory(bench, case) for bench, case in chosen if bench.group == "train"
            ]
            if runner.settings.torch and any(name in ("all", "beside") for name in parsed.what):
                document["beside"] += runner.beside()
        except KeyboardInterrupt:
            print("interrupted: what follows is of the cases so far")
    document["seconds"] = round(time.monotonic() - begin)
    document["summary"] = results.summarise(document["cases"])
    for line in report.ending(document):
        print(f"\n{line}")
    write(parsed.out, document)
    return 1 if any("failure" in record for record in document["cases"]) else 0


if __name__ == "__main__":
    sys.exit(main())
