from __future__ import annotations

import argparse
import importlib
from pathlib import Path

import fastdl

from bench import harness

OPS = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Times the ops beside PyTorch.")
    parser.add_argument(
        "ops", nargs="*", metavar="OP", help=f"some of: {', '.join(OPS)}; all if none is named"
    )
    arguments = parser.parse_args()
    unknown = set(arguments.ops) - set(OPS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    print(fastdl.show_config())
    if harness.torch is None:
        print("PyTorch is not installed: only fastdl's times, in ms (forward; forward and backward)")
    else:
        print(f"torch {harness.torch.__version__}")
        print("ms: fastdl, torch, torch / fastdl [spread], for forward; the same for forward and backward")
    for op in arguments.ops or OPS:
        module = importlib.import_module(f"bench.bench_{op}")
        for case in module.CASES:
            print(harness.compare(module, case), flush=True)


if __name__ == "__main__":
    main()
