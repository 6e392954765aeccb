"""What a small call costs between Python and the kernel, counted in instructions, which no noise shakes.

A regression guard: a program calls ops on tiny arrays under Callgrind. The instructions inside `_core` (binding, array
bridge, allocator, kernel) are set against those of the simplest call that there is, and all others (the interpreter on
the library's Python, NumPy, the C library) against those of a small Python function, so that the figures hold for other
compilers too. The kernels are the baseline's, whatever the CPU has; with one thread nobody waits or is woken.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import fastdl
import pytest
from fastdl import _core

CALLS = 50

PROGRAM = f"""
import gc
import os
import numpy as np
import fastdl
import fastdl.functional as F
from fastdl import _core, nn

class Node:
    saved = None

    @classmethod
    def make(cls, *args):
        node = cls()
        node.saved = [arg for arg in args if isinstance(arg, Node)]
        return node

def array(*shape):
    return np.ones(shape, np.float32)

x, rows, weight, bias = array(16), array(1, 8), array(8, 8), array(8)
image, kernel, offset = array(1, 1, 5, 5), array(1, 1, 3, 3), array(1)
scores, classes = array(4, 10), np.arange(4)
param = fastdl.tensor(array(64), requires_grad=True)
param.grad = fastdl.tensor(array(64))
step = fastdl.optim.Adam([param]).step
dense, convolution = nn.Linear(8, 8), nn.Conv2d(1, 1, 3)
program = [
    _core.get_num_threads,
    lambda: Node.make(x, rows, weight),
    lambda: F.relu(x),
    lambda: F.linear(rows, weight, bias),
    lambda: F.conv2d(image, kernel, offset),
    lambda: F.max_pool2d(image, 2),
    lambda: F.softmax(scores, 1),
    lambda: F.cross_entropy(scores, classes),
    lambda: dense(rows),
    lambda: convolution(image),
    step,
]
mark = os.getppid  # Callgrind writes a file when this is called
for call in program:
    for _ in range(10):
        call()
gc.collect()
gc.disable()  # a collection costs what is alive, not what was called
for call in program:
    mark()
    for _ in range({CALLS}):
        call()
mark()
"""
YARDSTICKS = ("get_num_threads", "python")

# Instructions in _core, in calls of get_num_threads; and all others, in calls of Node.make. To record them anew, run
# FASTDL_RECORD=1 pytest -s tests/test_call_cost.py, which prints them.
RECORDED = {
    "relu": (7.4, 1.61),
    "linear": (12.9, 1.52),
    "conv2d": (36.2, 2.45),
    "max_pool2d": (33.4, 2.64),
    "softmax": (11.7, 2.24),
    "cross_entropy": (24.8, 2.83),
    "Linear": (12.9, 4.37),
    "Conv2d": (36.2, 5.82),
    "adam": (31.8, 8.23),
}
# What slips in is mostly more than a tenth: a lock, a string, a search for an attribute by way of an exception. The
# figures are those of the compiler and of the Python that are named here; others spread the cost another way.
CORE_MARGIN = {"GCC 12": 1.10}
PYTHON_MARGIN = {(3, 11): 1.10}
OTHER_MARGIN = 1.35


def compiler() -> str:
    """What _core says of its making."""
    found = re.search(rb"GCC: \([^)]*\) (\d+)", Path(_core.__file__).read_bytes())
    return f"GCC {int(found[1])}" if found else "unknown"


def self_costs(dump: Path) -> Iterator[tuple[str, int]]:
    """(object file, instructions) for every line of cost in a Callgrind file, calls' inclusive costs left out."""
    names: dict[str, str] = {}
    current = ""
    inclusive = False
    for line in dump.read_text().splitlines():
        if found := re.fullmatch(r"ob=(\(\d+\))(?: (.*))?", line):
            number, name = found.groups()
            current = names.setdefault(number, name) if name else names[number]
        elif found := re.fullmatch(r"cob=(\(\d+\)) (.*)", line):
            names[found[1]] = found[2]
        elif line.startswith("calls="):
            inclusive = True
        elif re.match(r"[+\-*\d]\S* \d+$", line):
            if not inclusive:
                yield current, int(line.split()[1])
            inclusive = False


def count(dump: Path) -> tuple[float, float]:
    """Instructions of a call inside _core, and outside."""
    inside = outside = 0
    for path, cost in self_costs(dump):
        if path.endswith(Path(_core.__file__).name):
            inside += cost
        else:
            outside += cost
    return inside / CALLS, outside / CALLS


@pytest.fixture(scope="module")
def instructions(tmp_path_factory):
    """Instructions by phase of PROGRAM, as `count` has them."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        pytest.skip("no valgrind on this machine")
    if _core.built_isas()[0] != "baseline" or platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("the figures are those of x86-64's baseline")
    folder = tmp_path_factory.mktemp("callgrind")
    package = Path(fastdl.__file__).resolve().parents[1]  # the one under test, installed or not
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(package), os.environ.get("PYTHONPATH", "")]),
        "PYTHONHASHSEED": "0",
        "FASTDL_ISA": "baseline",
        "FASTDL_POISON_MEMORY": "0",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    subprocess.run(
        [
            *(valgrind, "--tool=callgrind", "--dump-before=getppid"),
            *(f"--callgrind-out-file={folder}/out", sys.executable, "-c", PROGRAM),
        ],
        env=environment,
        check=True,
        capture_output=True,
        timeout=600,
    )
    phases = [*YARDSTICKS, *RECORDED]
    return {phase: count(folder / f"out.{part}") for part, phase in enumerate(phases, start=2)}


def relative(instructions, op: str) -> tuple[float, float]:
    core, _ = instructions["get_num_threads"]
    _, python = instructions["python"]
    return instructions[op][0] / core, instructions[op][1] / python


@pytest.mark.parametrize("op", RECORDED)
def test_instructions_of_a_small_call(instructions, op):
    found, recorded = relative(instructions, op), RECORDED[op]
    if os.environ.get("FASTDL_RECORD"):
        print(f'\n    "{op}": ({found[0]:.1f}, {found[1]:.2f}),')
        return
    margins = (
        CORE_MARGIN.get(compiler(), OTHER_MARGIN),
        PYTHON_MARGIN.get(sys.version_info[:2], OTHER_MARGIN),
    )
    places = "_core", "Python and the libraries"
    for place, ratio, limit, margin, cost in zip(
        places, found, recorded, margins, instructions[op], strict=True
    ):
        assert ratio <= margin * limit, f"{place}: {cost:.0f} instructions, {ratio:.2f} for {limit} recorded"
