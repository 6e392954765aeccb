"""One library's process: takes a request a line on its standard input, answers a line of JSON each.

It computes only while it is asked; between requests it waits for input, and its threads sleep.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
import traceback
from typing import Any

import numpy as np

from bench import memory, registry
from bench.library import Library
from bench.op import Prepared
from tests import tolerances

SLEEP_SECONDS = 0.005
"""After timing: pools that spin for their next job go to sleep before the other library runs."""
PATIENCE = 10
"""So many times longer than planned may a repetition take."""
LONG_CALL = 0.2
"""Seconds; a call that takes longer is warm after one."""
SETTLE_CALLS, SETTLE_LIMIT, FEW_FAULTS = 12, 1.0, 64
"""At most so many calls and about so many seconds; a call with fewer page faults than the last is quiet."""
SAMPLE = 1 << 20
"""Elements of an array that are compared, evenly spaced, if it has more."""


def sample(array: np.ndarray) -> np.ndarray:
    flat = np.asarray(array).reshape(-1)
    return flat[:: max(1, flat.size // SAMPLE) | 1]


def agreement(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> tuple[float, str]:
    """The largest relative error, and which array has it; infinite where shapes differ."""
    worst = (0.0, "")
    if found.keys() != expected.keys():
        return np.inf, f"{sorted(found)} for {sorted(expected)}"
    for key, array in expected.items():
        same = found[key].shape == array.shape and np.isfinite(found[key]).all()
        error = tolerances.relative_error(found[key], array) if same else np.inf
        worst = max(worst, (error, key))
    return worst


def settle(call: Any) -> None:
    """Calls until memory is at rest. An allocator that keeps its pages may take ten calls to find places for all
    arrays of a case."""
    begin, quiet = time.perf_counter(), 0
    for _ in range(SETTLE_CALLS):
        before = memory.page_faults()
        call()
        quiet = quiet + 1 if memory.page_faults() - before < FEW_FAULTS else 0
        if quiet == 2 or time.perf_counter() - begin > SETTLE_LIMIT:
            return


class Worker:
    def __init__(self, name: str, threads: int | None) -> None:
        self.library = Library(name.removesuffix("-best"), best=name.endswith("-best"))
        self.keeps_pages = name != "torch"
        if threads:
            self.library.module.set_num_threads(threads)
        self.prepared: dict[str, Prepared] = {}

    def hello(self) -> dict[str, Any]:
        module = self.library.module
        found = {
            "library": self.library.name,
            "version": module.__version__,
            "threads": module.get_num_threads(),
            "numpy": np.__version__,
            "python": platform.python_version(),
            "environment": {
                key: value
                for key, value in os.environ.items()
                if key.startswith(("MALLOC_", "OMP_", "KMP_", "FASTDL_", "ATEN_", "ONEDNN_", "MKL_"))
            },
        }
        if self.library.name == "fastdl":
            from fastdl import _core

            found |= {"isa": _core.active_isa(), "cpu": _core.cpu_model()}
        return found

    def limits(self) -> dict[str, Any]:
        from bench import limits

        return limits.measure()

    def prepare(self, op: str, case: str, layout: str, results: str | None = None) -> dict[str, Any]:
        """Builds a case and runs it; its results go to the file `results`."""
        bench = registry.bench(op)
        self.prepared[layout] = prepared = bench.prepare(self.library, bench.case(case), layout)
        if results is not None:
            np.savez(results, **{key: sample(array) for key, array in prepared.results().items()})
        return {}

    def variant(self, op: str, case: str) -> dict[str, Any]:
        bench = registry.bench(op)
        return {"variant": dict(bench.variant(bench.case(case)))}

    def work(self, op: str, case: str) -> dict[str, Any]:
        bench = registry.bench(op)
        works = {mode: bench.work(bench.case(case), mode) for mode in bench.modes}
        return {mode: vars(work) for mode, work in works.items()}

    def compare(self, found: str, expected: str) -> dict[str, Any]:
        """How far the results in two files are apart."""
        with np.load(found) as a, np.load(expected) as b:
            error, where = agreement(dict(a), dict(b))
        return {"error": error, "where": where, "ok": error <= tolerances.BENCH_AGREEMENT}

    def check(self, op: str, case: str) -> dict[str, Any]:
        """The case against the reference, cut down where the op says how."""
        bench = registry.bench(op)
        whole = bench.case(case)
        smaller = bench.smaller(whole)
        if smaller is None:
            return {"against": "nothing", "ok": True}
        found = bench.prepare(self.library, smaller).results()
        error, where = agreement(found, bench.expected(smaller))
        against = "the reference" if smaller is whole else f"the reference, on {bench.describe(smaller)}"
        ok = error <= tolerances.BENCH_AGREEMENT
        return {"against": against, "error": error, "where": where, "ok": ok}

    def time(self, mode: str, layout: str, seconds: float, count: int = 0) -> dict[str, Any]:
        """Seconds a call; without a count, also how many calls fill `seconds`, after warming up."""
        call = self.prepared[layout].calls[mode]
        if count == 0:
            once = _seconds(call, 1)
            if self.keeps_pages:
                settle(call)
            for trial in (1, 10):  # the first call is slow, and a tiny one is not timed by one alone
                if once < LONG_CALL / trial:
                    once = _seconds(call, trial)
            time.sleep(SLEEP_SECONDS)
            return {"seconds": once, "count": max(1, round(seconds / max(once, 1e-7)))}
        if count > 1:
            call()  # brings the caches back from the other library
        taken = repeated(call, count, PATIENCE * seconds)
        time.sleep(SLEEP_SECONDS)
        return {"seconds": taken}

    def release(self) -> dict[str, Any]:
        self.prepared.clear()
        self.library.empty_cache()
        return {}

    def memory(self, op: str, case: str, warm_up: str, steps: int) -> dict[str, Any]:
        """The growth of peak memory over `steps` calls, from after a warm-up. For a new process."""
        bench = registry.bench(op)
        for call in bench.prepare(self.library, bench.case(warm_up)).calls.values():
            call()
        before = memory.resident()
        memory.reset_peak()
        for call in bench.prepare(self.library, bench.case(case)).calls.values():
            for _ in range(steps):
                call()
        return {"growth": memory.peak() - before}


def _seconds(call: Any, count: int) -> float:
    begin = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - begin) / count


def repeated(call: Any, count: int, limit: float) -> float:
    """Seconds a call, of `count` calls, or of fewer if these take longer than `limit`: beside a busy process a spinning
    team of threads can be a thousand times slower than it was when the calls were counted."""
    share = max(1, count // 16)
    done, taken = 0, 0.0
    while done < count and (done == 0 or taken < limit):
        calls = min(share if done else 1, count - done)
        taken += calls * _seconds(call, calls)
        done += calls
    return taken / done


def serve(worker: Any, requests: Any, answers: Any) -> None:
    for line in requests:
        request = json.loads(line)
        try:
            answer = getattr(worker, request.pop("do"))(**request)
        except Exception:
            answer = {"failure": traceback.format_exc()}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def main() -> None:
    name, threads = sys.argv[1], int(sys.argv[2])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    if name.startswith("beside"):
        from bench.beside import Beside

        serve(Beside(name, threads), sys.stdin, answers)
    else:
        serve(Worker(name, threads), sys.stdin, answers)


if __name__ == "__main__":
    main()
