"""Every test of an op runs once for each ISA level that this CPU has, and on the SIMT emulation where the op has
a CUDA kernel. A test module says which op it is about with ``OP = "..."``; its tests ask for `device`."""

from __future__ import annotations

import os
from pathlib import Path

# Before fastdl is loaded: outputs start as NaN, and a write past a block's end aborts.
os.environ.setdefault("FASTDL_POISON_MEMORY", "1")

import fastdl
import pytest
from fastdl import _core

from tests.simt import build

ROOT = Path(__file__).resolve().parents[1]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "isa" in metafunc.fixturenames:
        metafunc.parametrize("isa", _core.supported_isas(), indirect=True)
    if "device" not in metafunc.fixturenames:
        return
    devices = list(_core.supported_isas())
    op = getattr(metafunc.module, "OP", None)
    if op and (ROOT / "csrc" / "ops" / op / f"{op}_cuda.cu").exists():
        devices.append("simt")
    metafunc.parametrize("device", devices, indirect=True)


@pytest.fixture(scope="session")
def simt_backend(pytestconfig: pytest.Config) -> str:
    """The path of the CUDA kernels, compiled for the SIMT emulation."""
    if build.find_compiler() is None:
        pytest.skip("the SIMT emulation takes a C++ compiler, and there is none")
    return str(build.build_backend(pytestconfig.cache.mkdir("simt")))


@pytest.fixture
def device(request: pytest.FixtureRequest):
    """Runs the test on one ISA level, or on the SIMT emulation."""
    if request.param == "simt":
        _core.use_host_backend(request.getfixturevalue("simt_backend"))
        yield "simt"
        _core.use_host_backend("")
        return
    yield from _forced(request.param)


@pytest.fixture
def isa(request: pytest.FixtureRequest):
    """Runs the test on one ISA level of the CPU: for what only the CPU kernels have, such as threads."""
    yield from _forced(request.param)


def _forced(level: str):
    before = _core.active_isa()
    fastdl.force_isa(level)
    yield level
    fastdl.force_isa(before)
