"""What a small call costs between Python and the kernel, counted in instructions, which no noise shakes.

A regression guard: a program calls ops on tiny arrays under Callgrind, and the instructions that it spends inside
`_core` (binding, array bridge, allocator, kernel) are set against those of the simplest call there is, so that the
figures hold for other compilers and Pythons too.
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
import os
import numpy as np
import fastdl
import fastdl.functional as F
from fastdl import _core, nn

def array(*shape):
    return np.ones(shape, np.float32)

x, rows, weight, bias = array(16), array(2, 8), array(4, 8), array(4)
scores, classes = array(4, 10), np.arange(4)
param = fastdl.tensor(array(64), requires_grad=True)
param.grad = fastdl.tensor(array(64))
step = fastdl.optim.Adam([param]).step
program = [
    _core.get_num_threads,
    lambda: F.relu(x),
    lambda: F.linear(rows, weight, bias),
    lambda: F.softmax(scores, 1),
    lambda: F.cross_entropy(scores, classes),
    step,
]
mark = os.getppid  # Callgrind writes a file when this is called
for call in program:
    for _ in range(10):
        call()
for call in program:
    mark()
    for _ in range({CALLS}):
        call()
mark()
"""

# Times the instructions of get_num_threads().
RECORDED = {"relu": 7.2, "linear": 17.3, "softmax": 11.6, "cross_entropy": 24.2, "adam": 27.7}
MARGIN = 1.25  # other compilers and C++ libraries; what slips in is mostly more, a lock or a string


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


@pytest.fixture(scope="module")
def instructions(tmp_path_factory):
    """Instructions inside _core by phase of PROGRAM."""
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
    name = Path(_core.__file__).name
    counts = [
        sum(cost for path, cost in self_costs(folder / f"out.{part}") if path.endswith(name))
        for part in range(2, len(RECORDED) + 3)
    ]
    return dict(zip(["get_num_threads", *RECORDED], counts, strict=True))


@pytest.mark.parametrize("op", RECORDED)
def test_instructions_of_a_small_call(instructions, op):
    ratio = instructions[op] / instructions["get_num_threads"]
    assert ratio <= MARGIN * RECORDED[op], (
        f"{instructions[op] / CALLS:.0f} instructions a call, {ratio:.1f} times"
    )
