"""Compiles .cu files as host C++ against the SIMT emulation, into a shared library.

`python tests/simt/build.py [--sanitize address] [--output DIRECTORY] [SOURCE …]` prints the library's path.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

SIMT = Path(__file__).resolve().parent
ROOT = SIMT.parents[1]
CSRC = ROOT / "csrc"
EMULATOR = sorted(SIMT.glob("*.cpp"))
# -fno-strict-aliasing: kernels view shared memory through other vector types, as CUDA lets them.
FLAGS = [
    "-std=c++20",
    "-O2",
    "-g",
    "-fPIC",
    "-fvisibility=hidden",
    "-fno-strict-aliasing",
    "-ffp-contract=off",
]
FLAGS += ["-Wall", "-Wextra", "-Wno-unknown-pragmas", "-DFASTDL_SIMT"]


def find_compiler() -> str | None:
    """The C++ compiler: $CXX, or the first of g++, clang++, c++ on the path."""
    for name in (os.environ.get("CXX"), "g++", "clang++", "c++"):
        if name and (path := shutil.which(name)):
            return path
    return None


def backend_sources() -> list[Path]:
    """Every op's SIMT kernels. Tensor-core files (`*_cuda_tc.cu`) are nvcc's alone."""
    return sorted(CSRC.glob("ops/*/*_cuda.cu"))


def build_backend(directory: Path, **options: Any) -> Path:
    """The CUDA backend, every op that has kernels, for ``_core.use_host_backend``."""
    return build_library([*backend_sources(), CSRC / "backends" / "cuda.cu"], directory, **options)


def _run(command: Sequence[str | Path]) -> str:
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def _digest(*parts: str | bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()[:20]


def _finish(command: list[str | Path], output: Path) -> Path:
    """Runs a command that writes `output`, so that an interrupted or a parallel run leaves a whole file."""
    if not output.exists():
        partial = output.with_suffix(f".{os.getpid()}")
        _run([*command, "-o", partial])
        partial.replace(output)
    return output


def build_library(
    sources: Sequence[Path],
    directory: Path,
    *,
    name: str = "fastdl_simt",
    sanitize: str | None = None,
    extra_flags: Sequence[str] = (),
) -> Path:
    """`lib<name>.so` of `sources` and the emulator, in `directory`, which also caches the objects by content.

    Raises RuntimeError with the compiler's output where one does not compile.
    """
    compiler = find_compiler()
    if compiler is None:
        raise RuntimeError("no C++ compiler: set CXX, or install g++")
    flags = [*FLAGS, *extra_flags, *shlex.split(os.environ.get("CXXFLAGS", ""))]
    if sanitize:
        flags += [f"-fsanitize={sanitize}", "-fno-omit-frame-pointer"]
    headers = sorted([*CSRC.rglob("*.h"), *SIMT.glob("*.h")])
    common = _digest(_run([compiler, "--version"]), *flags, *(h.read_bytes() for h in headers))
    directory.mkdir(parents=True, exist_ok=True)

    def compile_one(source: Path) -> Path:
        key = _digest(common, str(source), source.read_bytes())
        command: list[str | Path] = [compiler, *flags, f"-I{CSRC}", f"-I{SIMT}", "-x", "c++", "-c", source]
        return _finish(command, directory / f"{source.stem}-{key}.o")

    with ThreadPoolExecutor(max(1, os.cpu_count() or 1)) as pool:
        objects = list(pool.map(compile_one, [*sources, *EMULATOR]))
    folder = directory / _digest(common, *map(str, objects))
    folder.mkdir(exist_ok=True)
    return _finish([compiler, *flags, "-shared", *objects], folder / f"lib{name}.so")


def sanitizer_environment() -> dict[str, str]:
    """What a Python process must have set before it loads a library with `sanitize="address"`.

    Raises RuntimeError where the compiler is not g++ with its sanitizer libraries.
    """
    compiler = find_compiler()
    if compiler is None:
        raise RuntimeError("no C++ compiler: set CXX, or install g++")
    # libstdc++ too: else the sanitizer looks for __cxa_throw before Python has loaded it.
    preload = [_run([compiler, f"-print-file-name={lib}"]).strip() for lib in ("libasan.so", "libstdc++.so")]
    if not all(map(os.path.isabs, preload)):
        raise RuntimeError(f"{compiler} has no shared AddressSanitizer")
    return {"LD_PRELOAD": ":".join(preload), "ASAN_OPTIONS": "detect_leaks=0"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sources", nargs="*", type=Path, help="default: every csrc/ops/*/*_cuda.cu")
    parser.add_argument("--sanitize", help="as in -fsanitize=…, e.g. address")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "simt")
    arguments = parser.parse_args()
    sources = arguments.sources or backend_sources()
    try:
        print(build_library(sources, arguments.output, sanitize=arguments.sanitize))
    except RuntimeError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
