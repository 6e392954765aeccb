"""The benchmark harness: its arithmetic, its case lists, and a race on tiny cases."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import fastdl
import numpy as np
import pytest
from fastdl import _core

from bench import beside, disturbance, memory, plots, race, registry, report, results, variants, work, worker
from bench.library import Library
from bench.limits import SIZES, Limits
from bench.op import BOTH, FORWARD, Work
from tests.cases.train import BENCH as NETWORKS

ROOT = Path(__file__).resolve().parents[1]
HAS_TORCH = importlib.util.find_spec("torch") is not None
BENCHES = [registry.bench(name) for name in registry.NAMES]
TINY = ("conv2d/digits_conv1", "cross_entropy/digits", "sgd/biases_200")

LIMITS = Limits(
    fma={"avx2": {"1": 50e9, "2": 100e9}},
    isa="avx2",
    threads=2,
    copy={str(size): 10e9 for size in SIZES},
    read={str(size): 40e9 if size <= 4 << 20 else 20e9 for size in SIZES},
)


# ---- arithmetic


def record(ours, best, flops=None, variant=None, **moved):
    return {
        "group": "conv2d",
        "op": "conv2d",
        "case": "made_up",
        "mode": FORWARD,
        "check": {"against": "torch"},
        "work": vars(Work(flops or {}, **moved)),
        "variant": variant or {},
        "seconds": {"fastdl": ours, "torch": [9.0, 9.0, 9.0], "torch-best": best},
    }


def test_ratio_is_the_median_of_pairs_against_the_best():
    derived = results.derive(record([1.0, 2.0, 1.0], [2.0, 3.0, 1.5], {"forward": 1e9}), LIMITS)
    assert derived["best"] == "torch-best"
    assert derived["ratio"] == 1.5
    assert derived["ratio_range"] == [1.5, 2.0]
    assert derived["ratio_as_it_comes"] == 9.0
    assert derived["ms"]["fastdl"] == 1000.0


def test_share_of_the_peak_counts_what_was_executed():
    flops = {"forward": 9e9}
    direct = results.derive(record([0.1] * 3, [1.0] * 3, flops), LIMITS)
    assert direct["limit"] == "peak"
    assert direct["flops_per_second"] == pytest.approx(90e9)
    assert direct["share_of_limit"] == pytest.approx(0.9)
    winograd = results.derive(record([0.1] * 3, [1.0] * 3, flops, {"forward": "winograd2x2 tile 6"}), LIMITS)
    assert winograd["flops_per_second"] == direct["flops_per_second"]
    assert winograd["share_of_limit"] == pytest.approx(0.9 * 16 / 36)
    assert winograd["variant"] == "winograd2x2 tile 6"


def test_share_of_a_bandwidth():
    copied = results.derive(record([0.2] * 3, [1.0] * 3, bytes=1e9), LIMITS)
    assert (copied["limit"], copied["share_of_limit"]) == ("copy", pytest.approx(0.5))
    assert copied["bytes_per_second"] == pytest.approx(5e9)
    small = results.derive(record([0.2] * 3, [1.0] * 3, reads=4e9, read_set=1e6), LIMITS)
    large = results.derive(record([0.2] * 3, [1.0] * 3, reads=4e9, read_set=1e9), LIMITS)
    assert small["limit"] == large["limit"] == "read"
    assert large["share_of_limit"] == pytest.approx(2 * small["share_of_limit"])


def test_parts_with_their_own_variants():
    flops = {"forward": 36.0, "grad_input": 36.0, "grad_weight": 36.0}
    ran = {"forward": "winograd2x2", "grad_weight": "direct"}
    assert variants.executed_flops(flops, ran) == 16 + 36 + 36
    assert variants.describe(ran, flops) == "winograd2x2 - direct"
    assert variants.describe({}, flops) == ""


@pytest.mark.parametrize("op", ["conv2d", "conv_transpose2d"])
def test_convolutions_name_what_runs(op):
    bench = registry.bench(op)
    for name in bench.quick:
        case = bench.case(name)
        assert bench.variant(case).keys() == bench.work(case, bench.modes[-1]).flops.keys()


def test_summary():
    records = [record([1.0] * 3, [best] * 3, {"forward": 1e9}) for best in (1.0, 4.0)]
    for each in records:
        each["derived"] = results.derive(each, LIMITS)
    others = [{"group": "conv2d", "failure": "no"}, {**records[0], "disturbance": 0.5}]
    (row,) = results.summarise([*records, *others])
    assert (row["cases"], row["ratio"], row["worst_ratio"]) == (2, pytest.approx(2.0), 1.0)
    assert "2.00" in report.summary([row])


def test_loss_beside_torch():
    samples = {"fastdl": [1.0, 9.0, 1.0], "torch": [2.0] * 3, "alternating": [3.3] * 3}
    assert beside.loss(samples) == pytest.approx(0.1)


def test_agreement():
    one = {"output": np.ones(4, np.float32)}
    assert worker.agreement(one, {"output": np.ones(4)}) == (0.0, "output")
    assert worker.agreement({"output": np.array([1, 1, 1, 0.5])}, {"output": np.ones(4)})[0] == 0.5
    for wrong in (np.ones(3), np.full(4, np.nan)):
        assert worker.agreement({"output": wrong}, one)[0] == np.inf
    assert worker.agreement({}, one)[0] == np.inf


def test_sample_is_even_and_small():
    large = np.arange(5 * worker.SAMPLE + 3)
    taken = worker.sample(large)
    assert worker.SAMPLE // 2 <= taken.size <= 2 * worker.SAMPLE
    assert len(set(np.diff(taken))) == 1
    np.testing.assert_array_equal(worker.sample(large[:100]), large[:100])


# ---- cases


@pytest.mark.parametrize("bench", BENCHES, ids=lambda bench: bench.name)
def test_cases(bench):
    """Names are unique, the quick ones exist, and the work of the smallest case is known."""
    assert bench.group in registry.GROUPS
    names = [case.name for case in bench.cases]
    assert len(set(names)) == len(names)
    assert set(bench.quick) <= set(names)
    for case in bench.cases[:2]:
        for mode in bench.modes:
            made = bench.work(case, mode)
            assert sum(made.flops.values()) + made.bytes > 0 or bench.name == "calls"
        assert bench.describe(case)


@pytest.mark.parametrize("bench", BENCHES, ids=lambda bench: bench.name)
def test_reference(bench):
    """What stands in for torch: the first case, cut down, beside the reference."""
    checked = worker.Worker("fastdl", 0).check(bench.name, bench.cases[0].name)
    assert checked["ok"], checked


def test_work_of_a_convolution():
    """A 3 x 3 over 8 x 8 images, padded by 1: 64 outputs of 9 products, for each of 64 images and 32 kernels."""
    bench = registry.bench("conv2d")
    case = bench.case("digits_conv1")
    forward, both = (work.convolution(case, mode) for mode in (FORWARD, BOTH))
    assert sum(forward.flops.values()) == 2 * 64 * 32 * 64 * 9
    assert sum(both.flops.values()) == 3 * sum(forward.flops.values())
    x, w, b, y = 64 * 64, 32 * 9, 32, 64 * 32 * 64
    assert forward.bytes == 4 * (x + w + b + y)
    assert both.bytes == 4 * (3 * (x + w + b) + 2 * y)


def test_work_of_a_transposed_convolution():
    bench = registry.bench("conv_transpose2d")
    for case in bench.cases:
        arrays = {
            key: np.zeros((1, *shape[1:]) if key == "input" else shape, np.float32)
            for key, shape in case.operands.items()
        }
        if arrays["weight"].size < 1 << 20:
            y = fastdl.functional.conv_transpose2d(**arrays, **case.options)
            N = case.operands["input"][0]
            moved = sum(a.size for key, a in arrays.items() if key != "input") + arrays["input"].size * N
            assert bench.work(case, FORWARD).bytes == 4 * (moved + y.size * N)


@pytest.mark.parametrize("case", NETWORKS, ids=str)
def test_operations_of_a_network(case):
    assert registry.bench("train").work(case, "step").flops["forward"] > 1e6


@pytest.mark.skipif(not HAS_TORCH, reason="compares with torch")
@pytest.mark.parametrize("name", ["mlp", "lenet", "autoencoder"])
def test_networks_of_torch_start_equal(name):
    bench = registry.bench("train")
    ours, theirs = (
        bench.prepare(Library(library), bench.case(name)).results() for library in ("fastdl", "torch")
    )
    error, where = worker.agreement(ours, theirs)
    assert error <= worker.tolerances.BENCH_AGREEMENT, where


def test_select():
    chosen = registry.select(["pool2d", "adam/small_1000"], quick=True)
    assert {bench.group for bench, _ in chosen} == {"pool2d", "optim"}
    assert ("adam", "small_1000") in [(bench.name, case.name) for bench, case in chosen]
    everything = registry.select(["all"], quick=False)
    assert {bench.name for bench, _ in everything} == set(registry.NAMES)
    assert set(registry.NAMES) >= set(_core.op_names())


# ---- the machine


def test_probe(isa):
    assert _core.measure_fma_peak() > 1e8
    assert _core.measure_copy_bandwidth(1) > 1e7
    assert _core.measure_read_bandwidth(1 << 20) > 1e7


def test_memory_marks():
    memory.reset_peak()
    before = memory.peak()
    np.ones(1 << 25).sum()
    assert memory.peak() - before > 1 << 27
    assert memory.page_faults() > 0


def test_disturbance_does_not_count_ourselves():
    watch = disturbance.Watch([])
    share = watch.share()
    assert share is None or share >= 0


# ---- a race


def run(out: Path, *arguments: str) -> tuple[dict, str]:
    path = os.pathsep.join([str(Path(fastdl.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "bench", *TINY, "--quick", "--threads", "1", "--out", str(out), *arguments],
        env={**os.environ, "PYTHONPATH": path},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((out / "bench.json").read_text()), done.stdout


HEAD = {
    "schema",
    "date",
    "commit",
    "machine",
    "isa",
    "threads",
    "versions",
    "environment",
    "limits",
    "seconds",
}
PARTS = {"cases", "memory", "beside", "summary"}
DERIVED = {
    "ms",
    "flops_per_second",
    "executed_flops_per_second",
    "bytes_per_second",
    "limit",
    "share_of_limit",
}


def check_document(document: dict, contenders: set[str]) -> None:
    assert document.keys() == HEAD | PARTS
    assert document["threads"] == 1
    assert document["versions"].keys() >= {"fastdl", "numpy", "python"}
    assert [f"{r['op']}/{r['case']}" for r in document["cases"]] == [TINY[0]] * 2 + [TINY[1]] * 2 + [TINY[2]]
    for each in document["cases"]:
        assert each["check"]["ok"]
        assert each["derived"].keys() >= DERIVED
        assert contenders <= each["seconds"].keys()
        assert all(len(times) >= 3 and min(times) > 0 for times in each["seconds"].values())
        assert 0 < each["derived"]["share_of_limit"] <= 1.2


def test_race_without_torch(tmp_path):
    document, printed = run(tmp_path, "--no-torch")
    check_document(document, {"fastdl"})
    assert "checked against the reference (cut-down" in printed
    assert all("ratio" not in each["derived"] for each in document["cases"])


@pytest.mark.skipif(not HAS_TORCH, reason="races torch")
def test_race_with_torch(tmp_path):
    document, printed = run(tmp_path)
    check_document(document, set(race.CONTENDERS))
    assert document["environment"]["torch-best"]["MALLOC_TOP_PAD_"] == race.KEEPS_ITS_PAGES["MALLOC_TOP_PAD_"]
    assert all(each["derived"]["ratio"] > 0 for each in document["cases"])
    assert all(row["ratio"] > 0 for row in document["summary"])
    assert "checked against torch" in printed


def test_a_wrong_result_is_not_timed(monkeypatch):
    """A case that fails its check gives a record of the failure, and the next one runs."""
    ours = {"check": {"against": "the reference", "error": 1.0, "ok": False}}

    class Stub:
        def ended(self):
            return False

        def ask(self, do, **_):
            return ours.get(do, {})

    runner = race.Race.__new__(race.Race)
    runner.settings, runner.processes, runner.folder = race.Settings(), {"fastdl": Stub()}, Path()
    bench = registry.bench("conv2d")
    (failed,) = runner.case(bench, bench.cases[0])
    assert "results differ" in failed["failure"]
    assert "FAILED" in report.row(failed)


def test_a_process_that_ended_is_started_again():
    bench = registry.bench("conv2d")
    with race.start(race.Settings(threads=1, seconds=1e-3, torch=False)) as runner:
        runner.processes["fastdl"].process.kill()
        (failed,) = runner.case(bench, bench.case("digits_conv1"))
        assert "fastdl ended" in failed["failure"]
        assert len([r for r in runner.case(bench, bench.case("digits_conv1")) if "seconds" in r]) == 2


def test_torch_runs_in_a_process_without_fastdl():
    code = (
        "import sys, bench.worker; [bench.worker.registry.bench(n) for n in bench.worker.registry.NAMES]; "
        "print('fastdl' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_picture(tmp_path):
    pytest.importorskip("matplotlib")
    records = [record([1.0] * 3, [best] * 3, {"forward": 1e9}, bytes=1e6) for best in (1.0, 4.0)]
    for each in records:
        each["derived"] = results.derive(each, LIMITS)
    plots.draw(tmp_path / "bench.png", [*records, {"failure": "no"}], LIMITS, "made up")
    assert (tmp_path / "bench.png").stat().st_size > 10_000


def test_a_repetition_that_takes_too_long_is_cut_short():
    calls = []
    assert worker.repeated(lambda: calls.append(0), 100, 10.0) > 0
    assert len(calls) == 100
    calls.clear()
    worker.repeated(lambda: (calls.append(0), time.sleep(0.01)), 100, 0.005)
    assert len(calls) == 1
