"""csrc/core/simd.h and simd_math.h, compiled here for every ISA level: operations lane by lane, functions in ULP.

A strided sample of the floats; with FASTDL_EXHAUSTIVE=1 all 2^32 of them, which takes a core a minute or two for each
function and level. Then `pytest -s` shows the worst error of each.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import platform
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests import tolerances
from tests.simt import build

SWEEP = Path(__file__).resolve().parent / "sweep"
FLAGS = ["-std=c++20", "-O2", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math", "-pthread"]
FLAGS += ["-Wall", "-Wextra", "-Werror", "-Wno-psabi", f"-I{build.CSRC}"]
UNSUPPORTED = 77
EXHAUSTIVE = os.environ.get("FASTDL_EXHAUSTIVE", "0") not in ("", "0")
FUNCTIONS = {"exp", "expm1", "log", "log1p", "tanh", "sigmoid", "softplus", "log1p_exp_neg_abs"}

# name: bytes of a vector, flags. "lowered" has the width of AVX-512, which the compiler splits into AVX2's.
LEVELS: dict[str, tuple[int, list[str]]] = {"neon": (16, [])}
if platform.machine() in ("x86_64", "AMD64"):
    LEVELS = {
        "baseline": (16, ["-march=x86-64-v2"]),
        "avx2": (32, ["-march=x86-64-v3"]),
        "avx512": (64, ["-march=x86-64-v4", "-mprefer-vector-width=512"]),
        "lowered": (64, ["-march=x86-64-v3"]),
    }
elif platform.machine() not in ("aarch64", "arm64"):
    LEVELS = {"baseline": (16, [])}

pytestmark = pytest.mark.skipif(build.find_compiler() is None, reason="no C++ compiler")


@pytest.fixture(scope="session")
def cache(pytestconfig: pytest.Config) -> Path:
    return pytestconfig.cache.mkdir("simd")


def compiled(level: str, program: str, cache: Path) -> Path:
    """tests/sweep/<program>.cpp for a level; kept in `cache` under a digest of all that goes into it."""
    width, flags = LEVELS[level]
    source = SWEEP / f"{program}.cpp"
    compiler = [str(build.find_compiler()), *FLAGS, *flags]
    compiler += [f"-DFASTDL_ISA={level}", f"-DFASTDL_VECTOR_BYTES={width}", str(source)]
    version = subprocess.run([compiler[0], "--version"], capture_output=True, check=True).stdout
    digest = hashlib.sha256(repr((compiler, version)).encode())
    for path in (source, *sorted(SWEEP.glob("*.h")), *sorted((build.CSRC / "core").glob("*.h"))):
        digest.update(path.read_bytes())
    binary = cache / f"{program}-{level}-{digest.hexdigest()[:16]}"
    if not binary.exists():
        partial = binary.with_suffix(f".{os.getpid()}")
        done = subprocess.run([*compiler, "-o", str(partial)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        partial.replace(binary)
    return binary


def run(binary: Path, *arguments: str) -> str:
    """What it prints; skips the test where this CPU lacks the level."""
    done = subprocess.run([str(binary), *arguments], capture_output=True, text=True)
    if done.returncode == UNSUPPORTED:
        pytest.skip("this CPU does not run this level; it compiles")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("level", LEVELS)
def test_operations(level, cache):
    run(compiled(level, "simd_operations", cache))


@pytest.mark.parametrize("level", LEVELS)
def test_functions(level, cache):
    stride = 1 if EXHAUSTIVE else 1021
    lines = [line.split() for line in run(compiled(level, "simd_sweep", cache), str(stride)).splitlines()]
    dtypes = ("float", "double") if np.finfo(np.longdouble).nmant > np.finfo(np.float64).nmant else ("float",)
    assert {(dtype, name) for dtype, name, *_ in lines} == set(itertools.product(dtypes, FUNCTIONS))
    for dtype, name, ulp, worst, wrong in lines:
        print(f"{level} {dtype} {name}: {ulp} ULP at {worst}")
        assert int(wrong) == 0, (
            f"{dtype} {name}: {wrong} results wrong in kind or unsteady, the first at {worst}"
        )
        assert float(ulp) <= tolerances.ELEMENTARY_FUNCTION_ULP, f"{dtype} {name}: {ulp} ULP at {worst}"
