"""The thread pool: how many threads, who runs, and what fork, signals and exit do to it."""

import os
import threading

import fastdl
import numpy as np
import pytest
from fastdl.functional import conv2d, lstm

from tests.processes import linux, output_of

# A convolution with many chunks, and the names of this process's threads.
PREPARE = """
import os, signal, sys, threading, time
import numpy as np, fastdl
from fastdl.functional import conv2d
rng = np.random.default_rng(0)
x = rng.standard_normal((8, 8, 24, 24)).astype(np.float32)
w = rng.standard_normal((16, 8, 3, 3)).astype(np.float32)
def work():
    return conv2d(x, w).tobytes()
def workers():
    tasks = [f"/proc/self/task/{task}/" for task in os.listdir("/proc/self/task")]
    return [task for task in tasks if open(task + "comm").read() == "fastdl\\n"]
"""


@pytest.fixture(autouse=True)
def restore_num_threads():
    before = fastdl.get_num_threads()
    yield
    fastdl.set_num_threads(before)


def operands(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((8, 8, 24, 24)).astype(np.float32)
    return x, rng.standard_normal((16, 8, 3, 3)).astype(np.float32)


def sequence(seed=0):
    rng = np.random.default_rng(seed)
    shapes = [(60, 3, 40), (4 * 96, 40), (4 * 96, 96)]
    return [rng.standard_normal(shape).astype(np.float32) / 8 for shape in shapes]


def run_sequence(x, *weights):
    return lstm(x, None, weights, False, 1, 0.0, False, False, False)[0]


def test_steps_of_threads_at_the_same_time():
    """Only one of them has the pool; more threads than CPUs; members that come late."""
    fastdl.set_num_threads(5)
    inputs = [sequence(seed) for seed in range(4)]
    expected = [run_sequence(*arrays) for arrays in inputs]
    failures = []

    def repeat(arrays, want):
        for _ in range(50):
            if not np.array_equal(run_sequence(*arrays), want):
                failures.append(arrays)

    threads = [threading.Thread(target=repeat, args=pair) for pair in zip(inputs, expected, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_set_num_threads(threads):
    fastdl.set_num_threads(threads)
    assert fastdl.get_num_threads() == threads


@pytest.mark.parametrize("threads", [0, -1])
def test_set_num_threads_refuses_less_than_one(threads):
    fastdl.set_num_threads(3)
    with pytest.raises(ValueError, match=rf"\[set_num_threads\] threads: expected at least 1, got {threads}"):
        fastdl.set_num_threads(threads)
    assert fastdl.get_num_threads() == 3


@pytest.mark.parametrize(("value", "threads"), [("1", 1), ("3", 3), ("5,2", 5), (" 4 ", 4), ("4 , 2", 4)])
def test_omp_num_threads(value, threads):
    assert output_of("import fastdl; print(fastdl.get_num_threads())", OMP_NUM_THREADS=value) == str(threads)


@linux
@pytest.mark.parametrize("value", ["", "0", "-2", "two", "3x", "99999999999999999999"])
def test_omp_num_threads_that_is_no_number_of_threads_is_ignored(value):
    count = "import fastdl; print(fastdl.get_num_threads())"
    threads = int(output_of(count, OMP_NUM_THREADS=value))
    assert threads == int(output_of(count))
    assert 1 <= threads <= len(os.sched_getaffinity(0))


@linux
def test_affinity_limits_the_default():
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    assert output_of(code + "import fastdl; print(fastdl.get_num_threads())") == "1"


def test_same_bits_for_any_number_of_threads():
    x, w = operands()
    results = []
    for threads in (1, 2, 3, 5):
        fastdl.set_num_threads(threads)
        results.append(conv2d(x, w).tobytes())
    assert all(result == results[0] for result in results)


def test_python_threads_share_the_library():
    fastdl.set_num_threads(3)
    cases = [operands(seed) for seed in range(4)]
    expected = [conv2d(*case).tobytes() for case in cases]
    wrong = []

    def run(index):
        wrong.extend(index for _ in range(100) if conv2d(*cases[index]).tobytes() != expected[index])

    callers = [threading.Thread(target=run, args=(index,)) for index in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
        assert not caller.is_alive()
    assert wrong == []


@linux
def test_workers_start_when_they_are_needed():
    code = """
fastdl.set_num_threads(1)
work()
print(len(workers()))
fastdl.set_num_threads(4)
print(len(workers()))
work()
print(len(workers()))
"""
    assert output_of(PREPARE + code).split() == ["0", "0", "3"]


@linux
def test_signals_are_left_to_python():
    code = """
fastdl.set_num_threads(3)
work()
time.sleep(0.1)
masks = [line for task in workers() for line in open(task + "status") if line.startswith("SigBlk")]
for mask in masks:
    blocked = int(mask.split()[1], 16)
    print(*(blocked >> (number - 1) & 1 for number in (signal.SIGINT, signal.SIGTERM, signal.SIGSEGV)))
"""
    assert output_of(PREPARE + code).splitlines() == ["1 1 0", "1 1 0"]


FORK = """
def fork_and_work(expected):
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        os._exit(0 if work() == expected and len(workers()) == 2 else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""


@linux
def test_pool_works_on_both_sides_of_a_fork():
    code = """
fastdl.set_num_threads(3)
expected = work()
print(fork_and_work(expected), work() == expected, fork_and_work(expected))
"""
    assert output_of(PREPARE + FORK + code) == "0 True 0"


@linux
def test_fork_while_another_thread_is_in_the_pool():
    code = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 and later warn of such a fork
fastdl.set_num_threads(3)
expected = work()
stop = threading.Event()
def keep_busy():
    while not stop.is_set():
        work()
busy = threading.Thread(target=keep_busy)
busy.start()
codes = {fork_and_work(expected) for _ in range(20)}
stop.set()
busy.join()
print(codes)
"""
    assert output_of(PREPARE + FORK + code) == "{0}"


def test_exit_while_a_daemon_thread_works():
    code = """
fastdl.set_num_threads(3)
def forever():
    while True:
        work()
threading.Thread(target=forever, daemon=True).start()
time.sleep(0.2)
print("done")
"""
    assert output_of(PREPARE + code) == "done"


def test_import_does_not_load_threadpoolctl():
    assert output_of("import sys, fastdl; print('threadpoolctl' in sys.modules)") == "False"


@pytest.mark.parametrize("first", ["fastdl, threadpoolctl", "threadpoolctl, fastdl"])
def test_threadpoolctl_limits_the_pool(first):
    pytest.importorskip("threadpoolctl", reason="threadpoolctl is not installed")
    code = f"""
import {first}
fastdl.set_num_threads(3)
with threadpoolctl.threadpool_limits(1):
    print(fastdl.get_num_threads())
print(fastdl.get_num_threads())
with threadpoolctl.threadpool_limits(2, user_api="fastdl"):
    print(fastdl.get_num_threads())
versions = [info["version"] for info in threadpoolctl.threadpool_info() if info["user_api"] == "fastdl"]
print(versions == [fastdl.__version__])
"""
    assert output_of(code).split("\n") == ["1", "3", "2", "True"]


TORCH = """
import torch
torch.set_num_threads(3)
fastdl.set_num_threads(3)
"""


# On a busy machine the team is left alone from the first loss of time on: its threads have then come all the same.
OTHERS = """
def others():
    return len(os.listdir("/proc/self/task")) - len(workers())
"""


@linux
@pytest.mark.parametrize("first", ["torch", "fastdl"])
def test_beside_torch_its_threads_do_the_work(first):
    pytest.importorskip("torch", reason="torch is not installed")
    code = f"""
import {first}
{PREPARE}
{OTHERS}
fastdl.set_num_threads(1)
expected = work()
{TORCH}
before = others()
print(all(work() == expected for _ in range(3)), others() - before)
fastdl.set_num_threads(2)  # another number than torch's: its team would have to be made anew
print(work() == expected, len(workers()) > 0, others() - before)
"""
    assert output_of(code).split() == ["True", "2", "True", "True", "2"]


@linux
def test_torch_that_is_imported_later_is_found():
    pytest.importorskip("torch", reason="torch is not installed")
    code = f"""
fastdl.set_num_threads(3)
work()
print(len(workers()))
{TORCH}
before = others()
for _ in range(300):
    work()
print(others() - before)
"""
    assert output_of(PREPARE + OTHERS + code).split() == ["2", "2"]


@linux
def test_forked_child_of_a_process_with_torch_has_workers_of_its_own():
    pytest.importorskip("torch", reason="torch is not installed")
    code = """
expected = work()
print(fork_and_work(expected), work() == expected, fork_and_work(expected))
"""
    assert output_of(PREPARE + FORK + TORCH + code) == "0 True 0"


def test_python_threads_beside_torch():
    pytest.importorskip("torch", reason="torch is not installed")
    code = """
expected = work()
right = []
def repeat():
    right.append(all(work() == expected for _ in range(50)))
callers = [threading.Thread(target=repeat) for _ in range(4)]
for caller in callers:
    caller.start()
for caller in callers:
    caller.join()
print(right)
"""
    assert output_of(PREPARE + TORCH + code) == "[True, True, True, True]"
