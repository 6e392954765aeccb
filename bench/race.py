"""Runs the contenders' processes by turns. This process computes nothing itself: it only asks, and waits."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import beside
from bench.disturbance import TOLERATED, Watch
from bench.limits import Limits

ROOT = Path(__file__).resolve().parents[1]

KEEPS_ITS_PAGES = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 33),
    "MALLOC_TOP_PAD_": str(1 << 28),
}
"""glibc's malloc neither maps large blocks one by one nor trims its heap, so that no call faults in fresh pages."""

CONTENDERS: Mapping[str, Mapping[str, str]] = {
    "fastdl": {},
    "torch": {},
    "torch-best": KEEPS_ITS_PAGES,
}
"""By name, with what their environments add; bench/library.py says what else torch-best does."""

SAME_LEVEL = {
    "baseline": {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
    },
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
}
"""What keeps PyTorch to the ISA level that fastdl is told to use."""


OVERTIME = 2
"""Budgets after which a disturbed timing ends with fewer repetitions."""
TRIES = 3
"""Of timings that others disturb."""


class Failure(Exception):
    """A contender could not do what it was asked."""


class Process:
    """A contender in a process of its own; see bench/worker.py."""

    def __init__(self, name: str, threads: int, environment: Mapping[str, str]) -> None:
        self.name = name
        environment = {**os.environ, **environment}
        environment["PYTHONPATH"] = os.pathsep.join(
            [str(ROOT), *(str(Path(p).resolve()) for p in sys.path if p)]
        )
        command = [sys.executable, "-m", "bench.worker", name, str(threads)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
        )

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps({"do": do, **request}) + "\n")
            self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise Failure(f"{self.name} ended with status {self.process.wait()}")
        answer = json.loads(line)
        if "failure" in answer:
            raise Failure(f"{self.name}: {answer['failure']}")
        return answer

    def ended(self) -> bool:
        return self.process.poll() is not None

    def close(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        with suppress(BrokenPipeError):  # it may have ended with a request unread
            self.process.stdin.close()
        self.process.stdout.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass(frozen=True)
class Settings:
    threads: int = 0
    """0: as many as fastdl takes on its own."""
    isa: str = ""
    seconds: float = 0.03
    """Of calls in one repetition."""
    repetitions: tuple[int, int] = (3, 7)
    """As many as fit the budget, between these."""
    budget: float = 1.5
    """Seconds that the repetitions of a case should take, in each mode."""
    torch: bool = field(default_factory=lambda: importlib.util.find_spec("torch") is not None)

    def environment(self, contender: str) -> dict[str, str]:
        own = dict(CONTENDERS.get(contender, {}))
        if self.threads:
            own["OMP_NUM_THREADS"] = str(self.threads)
        if self.isa:
            own["FASTDL_ISA"] = self.isa
            own |= SAME_LEVEL.get(self.isa, {})
        return own


class Race:
    """The contenders, started."""

    def __init__(self, settings: Settings, stack: ExitStack) -> None:
        self.settings, self.stack = settings, stack
        ours = self._start("fastdl", settings.threads, stack)
        self.hellos = {"fastdl": ours.ask("hello")}
        self.threads = self.hellos["fastdl"]["threads"]
        self.processes = {"fastdl": ours}
        for name in CONTENDERS if settings.torch else ():
            if name != "fastdl":
                self.processes[name] = self._start(name, self.threads, stack)
                self.hellos[name] = self.processes[name].ask("hello")
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))

    def _start(self, name: str, threads: int, stack: ExitStack) -> Process:
        environment = self.settings.environment(name)
        if threads:
            environment["OMP_NUM_THREADS"] = str(threads)
        process = Process(name, threads, environment)
        stack.callback(process.close)
        return process

    def limits(self) -> Limits:
        """Measured now, in fastdl's process: on a shared machine they change with the hour."""
        return Limits(**self.processes["fastdl"].ask("limits"))

    def case(self, bench: Any, case: Any) -> Iterator[dict[str, Any]]:
        """A record for each mode of a case, or one of its failure."""
        ours = self.processes["fastdl"]
        named = {"op": bench.name, "case": case.name}
        about = {"group": bench.group, **named, "what": bench.describe(case)}
        try:
            runs = self._prepare(bench, case)
            about["check"] = self._check(named)
            if not about["check"]["ok"]:
                raise Failure(f"results differ: {about['check']}")
            works, variant = ours.ask("work", **named), ours.ask("variant", **named)["variant"]
            for mode in bench.modes:
                timed = self._time_undisturbed(runs, mode)
                yield {**about, "mode": mode, "work": works[mode], "variant": variant, **timed}
        except Failure as failure:
            yield {**about, "failure": str(failure)}
        self._release()

    def _prepare(self, bench: Any, case: Any) -> list[tuple[str, Process, str]]:
        """(label, process, layout) of all that will be timed."""
        runs = []
        for name, process in self.processes.items():
            for layout in bench.layouts(case) if name == "torch-best" else ("contiguous",):
                results = str(self.folder / f"{name}.npz") if name in ("fastdl", "torch") else None
                if len(self.processes) == 1:
                    results = None
                process.ask("prepare", op=bench.name, case=case.name, layout=layout, results=results)
                runs.append((name if layout == "contiguous" else f"{name} {layout}", process, layout))
        return runs

    def _check(self, named: Mapping[str, str]) -> dict[str, Any]:
        ours = self.processes["fastdl"]
        if "torch" not in self.processes:
            return ours.ask("check", **named)
        files = {"found": str(self.folder / "fastdl.npz"), "expected": str(self.folder / "torch.npz")}
        return {"against": "torch", **ours.ask("compare", **files)}

    def _time_undisturbed(self, runs: list[tuple[str, Process, str]], mode: str) -> dict[str, Any]:
        """The least disturbed of a few tries; nearly always the first."""
        tries = []
        for _ in range(TRIES):
            watch = Watch(process.process.pid for process in self.processes.values())
            seconds = self._time(runs, mode)
            tries.append({"seconds": seconds, "disturbance": watch.share()})
            if (tries[-1]["disturbance"] or 0) <= TOLERATED:
                break
        return min(tries, key=lambda each: each["disturbance"] or 0)

    def _time(self, runs: list[tuple[str, Process, str]], mode: str) -> dict[str, list[float]]:
        settings, counts, total = self.settings, {}, 0.0
        for label, process, layout in runs:
            tried = process.ask("time", mode=mode, layout=layout, seconds=settings.seconds)
            counts[label] = tried["count"]
            total += tried["count"] * tried["seconds"]
        least, most = settings.repetitions
        seconds: dict[str, list[float]] = {label: [] for label, _, _ in runs}
        begin = time.monotonic()
        for done in range(min(most, max(least, round(settings.budget / total)))):
            if done >= least and time.monotonic() - begin > OVERTIME * settings.budget:
                break
            for label, process, layout in runs:
                answer = process.ask(
                    "time", mode=mode, layout=layout, seconds=settings.seconds, count=counts[label]
                )
                seconds[label].append(answer["seconds"])
        return seconds

    def _release(self) -> None:
        for name, process in self.processes.items():
            if process.ended():
                self.processes[name] = self._start(name, self.threads, self.stack)
            else:
                process.ask("release")

    def memory(self, bench: Any, case: Any, steps: int = 5) -> dict[str, Any]:
        """The growth of each contender's peak memory, in processes that have run nothing but a warm-up."""
        growth = {}
        for name in self.processes:
            with ExitStack() as stack:
                process = self._start(name, self.threads, stack)
                request = {"op": bench.name, "case": case.name, "warm_up": bench.warm_up, "steps": steps}
                growth[name] = process.ask("memory", **request)["growth"]
        return {"op": bench.name, "case": case.name, "steps": steps, "growth": growth}

    def beside(self) -> Iterator[dict[str, Any]]:
        """Alternating calls in one process, for both orders of import."""
        for order in beside.ORDERS:
            with ExitStack() as stack:
                process = self._start(order, self.threads, stack)
                for op, case, mode in beside.CASES:
                    request = {"op": op, "case": case, "mode": mode}
                    answer = process.ask("race", **request, seconds=self.settings.seconds * 3, repetitions=7)
                    yield {"order": order, **request, **answer}


@contextmanager
def start(settings: Settings) -> Iterator[Race]:
    with ExitStack() as stack:
        yield Race(settings, stack)
