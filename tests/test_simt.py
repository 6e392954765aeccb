"""The SIMT emulation itself: right kernels give right results, and each planted fault is named."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.simt import build
from tests.simt.schedule import SCHEDULES, scheduled

SELFTEST = build.SIMT / "selftest.cu"
LAUNCH_FAILED = 2  # Status::launch_failed
pytestmark = pytest.mark.skipif(build.find_compiler() is None, reason="no C++ compiler")


@pytest.fixture(scope="session")
def cache(pytestconfig) -> Path:
    return pytestconfig.cache.mkdir("simt")


@pytest.fixture(scope="session")
def loaded(cache) -> ctypes.CDLL:
    library = ctypes.CDLL(str(build.build_library([SELFTEST], cache, name="selftest")))
    library.selftest_error.restype = ctypes.c_char_p
    return library


@pytest.fixture(params=SCHEDULES, ids=lambda schedule: f"{schedule[0]}-{schedule[1]}")
def library(request, loaded):
    with scheduled(loaded, *request.param):
        yield loaded


def pointer(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def check(library, status: int) -> None:
    assert status == 0, library.selftest_error().decode()


def fault(library, name: str) -> str:
    y = np.zeros(65, np.float32)
    assert library.selftest_fault(name.encode(), pointer(y)) == LAUNCH_FAILED
    return library.selftest_error().decode()


def test_grid_stride_loop(library):
    x, y = np.arange(100_003, dtype=np.float32), np.ones(100_003, np.float32)
    check(library, library.selftest_axpy(ctypes.c_int64(x.size), ctypes.c_float(2), pointer(x), pointer(y)))
    np.testing.assert_array_equal(y, 2 * x + 1)


@pytest.mark.parametrize("shape", [(1, 1), (16, 16), (37, 50)])
def test_transpose(library, shape):
    x, y = np.random.default_rng(0).random(shape, np.float32), np.zeros(shape[::-1], np.float32)
    check(library, library.selftest_transpose(*shape, pointer(x), pointer(y), 1))
    np.testing.assert_array_equal(y, x.T)


@pytest.mark.parametrize("threads", [32, 128, 1024])
def test_softmax_of_rows_with_an_exact_result(library, threads):
    x, expected = np.full((4, 256), -300, np.float32), np.zeros((4, 256), np.float32)
    x[0], expected[0] = 7, 1 / 256
    for row, ones in ((1, [255]), (2, [0, 130]), (3, [1, 31, 32, 200])):
        x[row, ones], expected[row, ones] = 200, 1 / len(ones)
    y = np.zeros_like(x)
    check(library, library.selftest_softmax(*x.shape, pointer(x), pointer(y), threads))
    np.testing.assert_array_equal(y, expected)


def test_softmax_gives_the_same_bits_in_every_schedule(loaded):
    x = np.random.default_rng(0).normal(size=(5, 300)).astype(np.float32)
    results = set()
    for kind, seed in SCHEDULES:
        y = np.zeros_like(x)
        with scheduled(loaded, kind, seed):
            check(loaded, loaded.selftest_softmax(*x.shape, pointer(x), pointer(y), 128))
        results.add(y.tobytes())
    assert len(results) == 1


@pytest.mark.parametrize("n", [32, 256, 1024])
def test_scan(library, n):
    x, y = np.random.default_rng(0).integers(-9, 9, n, np.int32), np.zeros(n, np.int32)
    check(library, library.selftest_scan(n, pointer(x), pointer(y)))
    np.testing.assert_array_equal(y, np.cumsum(x))


def test_integer_atomics(library):
    x = np.random.default_rng(0).integers(0, 7, 1000, np.int32)
    counts, distinct = np.zeros(8, np.uint32), np.zeros(1, np.uint32)
    check(library, library.selftest_histogram(x.size, pointer(x), pointer(counts), pointer(distinct)))
    np.testing.assert_array_equal(counts, np.bincount(x, minlength=8))
    assert distinct[0] == 7


def test_warp_intrinsics(library):
    x, out = np.random.default_rng(0).normal(size=64), np.zeros((8, 64))
    check(library, library.selftest_intrinsics(pointer(x), pointer(out)))
    t = np.arange(64)
    np.testing.assert_array_equal(out[0], x[t // 8 * 8 + 5])
    np.testing.assert_array_equal(out[1], np.where(t % 16 >= 3, x[t - 3], x))
    np.testing.assert_array_equal(out[2], np.where(t % 16 < 13, x[(t + 3) % 64], x))
    np.testing.assert_array_equal(out[3], x[t ^ 9])
    ballots = [sum(1 << i for i in range(32) if x[warp * 32 + i] > 0) for warp in (0, 1)]
    np.testing.assert_array_equal(out[4], np.repeat(ballots, 32))
    np.testing.assert_array_equal(out[5:7], [[0] * 64, [1] * 64])
    np.testing.assert_array_equal(out[7], x[np.where(t % 2, t ^ 2, t ^ 4)])


def test_exchange_within_a_warp(library):
    x, y = np.arange(64, dtype=np.float32), np.zeros(64, np.float32)
    check(library, library.selftest_neighbours(pointer(x), pointer(y), 3))
    np.testing.assert_array_equal(y, x[np.arange(64) ^ 1] + 1)


@pytest.mark.parametrize("syncs", [0, 1, 2])
def test_missing_syncwarp_is_a_race(library, syncs):
    x, y = np.arange(64, dtype=np.float32), np.zeros(64, np.float32)
    assert library.selftest_neighbours(pointer(x), pointer(y), syncs) == LAUNCH_FAILED
    assert re.match("kernel neighbours: block .*, thread .*(race|nobody)", library.selftest_error().decode())


def test_missing_barrier_is_a_race(library):
    x, y = np.zeros((32, 32), np.float32), np.zeros((32, 32), np.float32)
    assert library.selftest_transpose(32, 32, pointer(x), pointer(y), 0) == LAUNCH_FAILED
    assert "shared tile[" in library.selftest_error().decode()


@pytest.mark.parametrize("name", ["reused_scratch", "write_after_read_of_warps"])
def test_write_before_a_slow_reader_is_a_race(library, name):
    assert "in a race with" in fault(library, name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("write_after_read", ["is written in a race with a reader, thread ("]),
        ("divergent_barrier", ["waits at the barrier selftest.cu:", "has exited"]),
        ("two_barriers", ["reaches the barrier selftest.cu:", "waits at the barrier selftest.cu:"]),
        ("foreign_lane", ["__shfl_sync", "takes lane", "which its mask leaves out"]),
        ("left_out", ["mask 0xff leaves out the calling lane"]),
        (
            "exited_lane",
            ["waits in __shfl_xor_sync with mask 0xffffffff", "lane 5, thread (37, 0, 0), has exited"],
        ),
        ("lane_at_barrier", ["waits in __shfl_xor_sync", "lane 3, thread (3, 0, 0), waits at the barrier"]),
        ("out_of_bounds", ["thread (63, 0, 0): shared cells[64] is out of bounds"]),
        ("dynamic_forgotten", ["takes dynamic shared memory in a launch without any"]),
        (
            "uninitialised",
            ["thread (54, 0, 0): shared cells[9] after selftest.cu:", "nobody has written it yet"],
        ),
    ],
)
def test_fault_is_named(library, name, words):
    message = fault(library, name)
    assert message.startswith(f"kernel {name}: block (")
    for word in words:
        assert word in message
    test_grid_stride_loop(library)  # the emulator is as good as new afterwards


def test_race_in_global_memory_shows_in_some_schedule(loaded):
    results = set()
    for kind, seed in SCHEDULES:
        y = np.zeros(64, np.float32)
        with scheduled(loaded, kind, seed):
            check(loaded, loaded.selftest_fault(b"global_race", pointer(y)))
        results.add(y.tobytes())
    assert len(results) > 1


@pytest.mark.parametrize(
    ("grid", "block", "shared_bytes", "words"),
    [
        (1 << 31, 32, 0, "is no launch"),
        (1, 1025, 0, "is no launch"),
        (1, 0, 0, "is no launch"),
        (1, 32, 100 << 10, "more dynamic shared memory"),
    ],
)
def test_launch_beyond_the_device(loaded, grid, block, shared_bytes, words):
    sizes = [ctypes.c_int64(size) for size in (grid, block, shared_bytes)]
    assert loaded.selftest_launch(*sizes, None) == LAUNCH_FAILED
    assert words in loaded.selftest_error().decode()


def test_launches_of_two_threads_take_turns(loaded):
    x = np.random.default_rng(0).integers(-9, 9, (2, 256), np.int32)
    y = np.zeros_like(x)

    def launch(i: int) -> None:
        for _ in range(50):
            check(loaded, loaded.selftest_scan(256, pointer(x[i]), pointer(y[i])))
            assert "has exited" in fault(loaded, "exited_lane")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(launch, range(2)))
    np.testing.assert_array_equal(y, np.cumsum(x, axis=1))


def test_empty_grid_is_no_launch(loaded):
    assert loaded.selftest_launch(ctypes.c_int64(0), ctypes.c_int64(32), ctypes.c_int64(0), None) == 0


def test_schedule_of_another_name_is_refused(loaded):
    with pytest.raises(ValueError, match="schedule: expected"), scheduled(loaded, "random"):
        pass


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("__global__ void k() {}", "__global__"),
        ("FASTDL_KERNEL void k(float* p) { atomicAdd(p, 1.0f); }", "no float atomics"),
        ("FASTDL_KERNEL void k(unsigned* p) { *p = __activemask(); }", "deleted"),
    ],
)
def test_refused_at_compile_time(cache, tmp_path, code, words):
    source = tmp_path / "refused.cu"
    source.write_text(f'#include "core/cuda_launch.h"\n{code}\n')
    with pytest.raises(RuntimeError, match=words):
        build.build_library([source], cache)


def run_in_a_process(library: Path, code: str, **environment: str) -> subprocess.CompletedProcess:
    prelude = f"import ctypes; l = ctypes.CDLL({str(library)!r}); y = (ctypes.c_float * 64)()\n"
    prelude += "l.selftest_error.restype = ctypes.c_char_p\n"
    return subprocess.run(
        [sys.executable, "-c", prelude + code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="session")
def sanitized(cache) -> Path:
    try:
        build.sanitizer_environment()
        return build.build_library([SELFTEST], cache, name="selftest", sanitize="address")
    except RuntimeError as error:
        pytest.skip(f"the compiler has no AddressSanitizer: {error}")


def test_address_sanitizer_sees_a_shared_overrun_through_a_raw_pointer(sanitized):
    done = run_in_a_process(
        sanitized, "l.selftest_fault(b'raw_out_of_bounds', y)", **build.sanitizer_environment()
    )
    assert done.returncode != 0
    assert "AddressSanitizer: use-after-poison" in done.stderr
    assert "raw_out_of_bounds" in done.stderr


def test_address_sanitizer_follows_the_fibers(sanitized):
    faults = (b"exited_lane", b"two_barriers", b"uninitialised") * 3
    code = f"for fault in {faults}: assert l.selftest_fault(fault, y) == {LAUNCH_FAILED}\n"
    code += "x = (ctypes.c_float * 3072)(); assert l.selftest_softmax(3, 1024, x, x, 256) == 0; print(x[0])"
    done = run_in_a_process(sanitized, code, **build.sanitizer_environment())
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == 1 / 1024


def test_schedule_from_the_environment(loaded):
    library = Path(loaded._name)
    code = "print(l.selftest_fault(b'global_race', y), list(y))"
    in_order = run_in_a_process(library, code, FASTDL_SIMT_SCHEDULE="in_order")
    greedy = run_in_a_process(library, code, FASTDL_SIMT_SCHEDULE="warp_greedy:1")
    assert in_order.stdout.startswith("0 ") and greedy.stdout.startswith("0 ")
    assert in_order.stdout != greedy.stdout
    refused = run_in_a_process(
        library, "l.selftest_fault(b'global_race', y); print(l.selftest_error())", FASTDL_SIMT_SCHEDULE="x"
    )
    assert "FASTDL_SIMT_SCHEDULE: expected" in refused.stdout


def test_ucontext_fallback(cache):
    library = ctypes.CDLL(
        str(build.build_library([SELFTEST], cache, name="selftest", extra_flags=["-DSIMT_UCONTEXT"]))
    )
    library.selftest_error.restype = ctypes.c_char_p
    test_scan(library, 256)
    assert "has exited" in fault(library, "exited_lane")


def test_nvcc_compiles_the_same_file(tmp_path):
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        pytest.skip("no nvcc")
    command = [
        nvcc,
        "-arch=sm_90a",
        "-std=c++20",
        "--expt-relaxed-constexpr",
        "-Xcompiler=-Wall,-Wextra",
        "-c",
    ]
    done = subprocess.run(
        [*command, f"-I{build.CSRC}", SELFTEST, "-o", tmp_path / "selftest.o"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
