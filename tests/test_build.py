"""What the build leaves behind: per-ISA objects, the size of the import, old processors, the CUDA compiler."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import fastdl
import pytest
from fastdl import _core

from tests.simt import build

ROOT = Path(__file__).resolve().parents[1]


def isa_objects(level: str) -> list[Path]:
    """Of the tree under build/ that was built last: others may be left from older sources."""
    trees: dict[Path, list[Path]] = {}
    for path in sorted(ROOT.glob(f"build/**/fastdl_{level}.dir/**/*.o")):
        trees.setdefault(path.relative_to(ROOT).parents[-3], []).append(path)
    return max(trees.values(), key=lambda tree: max(path.stat().st_mtime for path in tree), default=[])


@pytest.mark.parametrize(("level", "registers"), [("baseline", "ymm|zmm"), ("avx2", "zmm")])
def test_no_wider_registers(level, registers):
    """An object of one level holds no instruction of the next."""
    objdump = shutil.which("objdump")
    if objdump is None:
        pytest.skip("objdump (binutils) is not installed")
    if level not in _core.built_isas():
        pytest.skip(f"this build has no {level} level")
    objects = isa_objects(level)
    if not objects:
        pytest.skip("the build tree is not here: fastdl was not built in this checkout")
    assert len({path.name for path in objects}) >= len(_core.op_names())
    for path in objects:
        code = subprocess.run([objdump, "-d", path], capture_output=True, text=True, check=True).stdout
        assert not re.search(rf"%(?:{registers})\d", code), path.name


def test_unsupported_isas_are_refused():
    missing = set(_core.built_isas()) - set(_core.supported_isas())
    for level in [*missing, "sse9"]:
        with pytest.raises(ValueError, match=rf"expected one of .*, got '{level}'"):
            fastdl.force_isa(level)


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}
    )


@pytest.mark.parametrize("level", _core.supported_isas())
def test_environment_picks_the_level(level):
    done = run_python("import fastdl; print(fastdl.show_config())", FASTDL_ISA=level)
    assert f"in use: {level}" in done.stdout


def test_environment_with_an_unknown_level_fails_with_a_message():
    done = run_python("import fastdl", FASTDL_ISA="sse9")
    assert done.returncode != 0 and "ImportError: FASTDL_ISA: expected one of" in done.stderr


def test_import_is_quick():
    """Under 0.15 s of processor time beyond NumPy's own import; the least of several runs, with bytecode cached."""
    code = (
        "import time, numpy, json, threading\n"
        "begin = time.process_time()\n"
        "import fastdl\n"
        "print(time.process_time() - begin)"
    )
    environment = {"PYTHONDONTWRITEBYTECODE": ""}
    assert min(float(run_python(code, **environment).stdout) for _ in range(7)) < 0.15


def test_import_loads_no_framework():
    code = (
        "import sys, fastdl\n"
        "print([m for m in ('torch', 'cupy', 'scipy', 'matplotlib', 'ml_dtypes') if m in sys.modules])"
    )
    assert run_python(code).stdout.strip() == "[]"


def test_digits_on_an_old_processor(tmp_path):
    """An epoch of the example on x86-64-v2: no instruction of a higher level slips in."""
    qemu = shutil.which("qemu-x86_64")
    if qemu is None:
        pytest.skip("qemu-x86_64 (Debian's qemu-user) is not installed")
    for package in ("sklearn", "matplotlib", "tqdm"):
        pytest.importorskip(package, reason="the example takes the extra [examples]")
    command = [qemu, "-cpu", "Nehalem", sys.executable, str(ROOT / "examples" / "digits.py")]
    # NumPy's OpenBLAS may have been told which kernels fit this machine: they need not fit the emulated one.
    openblas = {"OPENBLAS_NUM_THREADS": "1", "OPENBLAS_CORETYPE": "Nehalem"}
    done = subprocess.run(
        [*command, "--epochs", "1", "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, **openblas, "OMP_NUM_THREADS": "2", "FASTDL_POISON_MEMORY": "0"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert re.search(r"^test accuracy: 0\.\d+$", done.stdout, re.MULTILINE)


CUDA_SOURCES = [*build.backend_sources(), ROOT / "csrc" / "backends" / "cuda.cu"]


@pytest.mark.parametrize("source", CUDA_SOURCES, ids=lambda path: path.name)
def test_nvcc_compiles(source, tmp_path):
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        pytest.skip("nvcc is not installed")
    flags = ["-std=c++20", "-arch=sm_90a", "-Werror=all-warnings", f"-I{ROOT / 'csrc'}"]
    done = subprocess.run(
        [nvcc, *flags, "-c", source, "-o", tmp_path / "object.o"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
