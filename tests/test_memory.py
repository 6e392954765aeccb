"""The allocator that owns every output: statistics, reuse, exhaustion, fork, and the checks of poisoned memory."""

import gc
import itertools
import threading
from pathlib import Path

import fastdl
import numpy as np
import pytest
from fastdl import _core

from tests.processes import linux, output_of, run_python

MiB = 1 << 20
MAPS = Path("/proc/self/maps")
pooled = pytest.mark.skipif(
    MAPS.exists() and "libasan" in MAPS.read_text(),
    reason="under AddressSanitizer every block is a malloc of its own",
)


# The allocation alone, in this process and in those that the tests start.
EMPTY = """
import numpy as np
from fastdl import _core
def empty(shape, dtype):
    return _core.empty(shape, np.dtype(dtype))
"""


def empty(shape, dtype):
    return _core.empty(shape, np.dtype(dtype))


def bytes_of(mebibytes):
    return empty((int(mebibytes * MiB),), np.uint8)


def allocated():
    return fastdl.memory_stats()["allocated_bytes"]


def test_statistics_count_what_arrays_hold():
    before = fastdl.memory_stats()
    gc.disable()
    try:
        a = empty((3, 1000), np.float32)
        b = empty((1 << 20,), np.float64)
        held = fastdl.memory_stats()
        assert held["allocated_bytes"] - before["allocated_bytes"] == a.nbytes + b.nbytes
        assert held["allocations"] - before["allocations"] == 2
        assert held["allocations"] == held["cache_hits"] + held["system_allocations"]
        view = b[5:7]
        del a, b
        assert allocated() - before["allocated_bytes"] == 8 << 20  # the view keeps its base
        del view
        assert allocated() == before["allocated_bytes"]
    finally:
        gc.enable()


def test_peak():
    fastdl.reset_peak_memory_stats()
    start = fastdl.memory_stats()
    assert start["peak_allocated_bytes"] == start["allocated_bytes"]
    first = bytes_of(3)
    second = bytes_of(2)
    del first
    third = bytes_of(1)
    peak = fastdl.memory_stats()["peak_allocated_bytes"] - start["allocated_bytes"]
    assert peak == 5 * MiB
    assert second.nbytes + third.nbytes == 3 * MiB
    fastdl.reset_peak_memory_stats()
    assert fastdl.memory_stats()["peak_allocated_bytes"] == allocated()


@pytest.mark.parametrize("size", [0, 1, 7, 63, 64, 65, 4095, 4096, 16384, 16385, 100_000, 5_000_000])
def test_blocks_are_aligned_and_apart(size):
    arrays = [empty((size,), np.uint8) for _ in range(5)]
    addresses = sorted(array.ctypes.data for array in arrays)
    assert all(address % 64 == 0 for address in addresses)
    assert all(low + max(size, 1) <= high for low, high in itertools.pairwise(addresses))


@pooled
def test_reuse_needs_no_system_memory():
    sizes = [0.001, 0.01, 1, 3.3, 0.7, 12, 0.2]

    def step():
        kept = [bytes_of(size) for size in sizes]
        return len([bytes_of(size / 2) for size in sizes]) + len(kept)

    step()
    before = fastdl.memory_stats()
    for _ in range(20):
        step()
    after = fastdl.memory_stats()
    assert after["allocations"] - before["allocations"] == 20 * 2 * len(sizes)
    assert after["system_allocations"] == before["system_allocations"]
    assert after["cached_bytes"] == before["cached_bytes"]


@pooled
def test_many_sizes_share_the_same_memory():
    """One after the other, arrays of a hundred sizes need no more than the largest."""
    fastdl.empty_cache()
    held = fastdl.memory_stats()["cached_bytes"]
    for size in np.linspace(20, 1, 100):
        bytes_of(size)
    assert fastdl.memory_stats()["cached_bytes"] - held < 32 * MiB


@pooled
def test_empty_cache_beside_arrays_in_use():
    arrays = [bytes_of(size) for size in (1, 0.001, 2, 0.002, 3)]
    for value, array in enumerate(arrays):
        array[:] = value
    del arrays[2], arrays[1]
    assert fastdl.memory_stats()["cached_bytes"] > 2 * MiB
    fastdl.empty_cache()
    assert fastdl.memory_stats()["cached_bytes"] == 0
    for value, array in zip((0, 3, 4), arrays, strict=True):
        assert (array == value).all()
    fresh = bytes_of(2)
    fresh[:] = 9
    assert all((array == value).all() for value, array in zip((0, 3, 4), arrays, strict=True))


@pytest.mark.parametrize("shape", [(1 << 46,), (1 << 60,), (1 << 62,), (1 << 31, 1 << 31)])
def test_exhaustion_raises_memory_error(shape):
    before = allocated()
    with pytest.raises(MemoryError):
        empty(shape, np.float64)
    assert allocated() == before
    assert bytes_of(1).nbytes == MiB


@pooled
@linux
def test_exhaustion_gives_idle_memory_back_first():
    code = """
import resource
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (200 << 20), -1))
take = lambda mebibytes: empty((mebibytes << 20,), np.uint8)
pieces = [take(8) for _ in range(16)]
del pieces[::2]        # what is idle now is in pieces
try:
    take(150)
except MemoryError as error:
    print(error)
del pieces
print(take(150).nbytes >> 20, _core.memory_stats()["allocated_bytes"])
"""
    assert output_of(EMPTY + code).splitlines() == [
        f"out of memory: could not allocate {150 * MiB} bytes",
        "150 0",
    ]


STEPS = """
import resource
def step():
    for size in (40 << 20, 100_000, 9 << 20, 3 << 20):
        array = empty((size,), np.uint8)
        array[:] = 1
        half = empty((size // 2,), np.uint8)
        half[:] = 1
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3): step()
before = faults()
for _ in range(20): step()
print(faults() - before)
"""


@pooled
@linux
def test_steady_state_takes_no_page_faults():
    # A step touches 20,000 pages; the interpreter itself may fault now and then.
    assert int(output_of(EMPTY + STEPS)) < 20


@pooled
@linux
def test_empty_cache_returns_pages():
    code = """
import os
resident = lambda: int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGESIZE") >> 20
start = resident()
big, small = empty((80 << 20,), np.uint8), empty((1 << 20,), np.uint8)
big[:] = small[:] = 1
del big
full = resident() - start
_core.empty_cache()
print(full >= 80, resident() - start < 10, small.sum() == small.size)
"""
    assert output_of(EMPTY + code) == "True True True"


def test_threads_allocate_at_once():
    failures = []

    def churn(seed):
        rng = np.random.default_rng(seed)
        held = []
        for _ in range(1500):
            if len(held) < 20 and rng.random() < 0.6:
                value = int(rng.integers(255))
                array = empty((int(2 ** rng.uniform(0, 19)),), np.uint8)
                array[:] = value
                held.append((array, value))
            elif held:
                array, value = held.pop(int(rng.integers(len(held))))
                if not (array == value).all():
                    failures.append(array.size)

    before = allocated()
    threads = [threading.Thread(target=churn, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert allocated() == before


@linux
def test_fork_while_another_thread_allocates():
    code = """
import os, signal, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 and later warn of such a fork
stop = threading.Event()
def churn():
    while not stop.is_set():
        empty((100_000,), np.uint8)
thread = threading.Thread(target=churn)
thread.start()
kept = empty((1000,), np.uint8)
kept[:] = 7
codes = set()
for _ in range(30):
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        empty((3_000_000,), np.uint8)[:] = 1
        os._exit(0 if (kept == 7).all() else 1)
    codes.add(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
stop.set()
thread.join()
print(codes)
"""
    assert output_of(EMPTY + code) == "{0}"


def test_poison_fills_new_memory():
    code = """
for size in (1, 1000, 1_000_000):
    empty((size,), np.float32)[:] = 0
    print(np.isnan(empty((size,), np.float32)).all(), np.isnan(empty((size,), np.float64)).all())
"""
    assert output_of(EMPTY + code, FASTDL_POISON_MEMORY="1").split() == ["True"] * 6


WRITE = """
import ctypes
array = empty(({size},), np.uint8)
ctypes.memset(array.ctypes.data + {offset}, 1, {count})
del array
print("not noticed")
"""


@pooled
@pytest.mark.parametrize(("size", "distance"), [(0, 0), (1, 0), (64, 0), (1000, 63), (100_000, 1)])
def test_poison_notices_a_write_past_the_end(size, distance):
    done = run_python(
        EMPTY + WRITE.format(size=size, offset=size + distance, count=1), FASTDL_POISON_MEMORY="1"
    )
    assert done.returncode != 0
    assert f"byte {size + distance} of a block of {size} bytes was written" in done.stderr
    assert "not noticed" not in done.stdout


@pooled
@linux
def test_a_write_in_front_is_noticed():
    done = run_python(EMPTY + WRITE.format(size=100, offset=-64, count=64), FASTDL_POISON_MEMORY="1")
    assert done.returncode != 0
    assert "wrote in front of it" in done.stderr
