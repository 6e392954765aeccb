"""Threads, memory, instruction sets: what runs the kernels."""

from __future__ import annotations

from fastdl import _core, _threadpoolctl
from fastdl.functional._arguments import integer

_threadpoolctl.register_when_imported()


def set_num_threads(threads: int) -> None:
    """Sets how many threads share the work of a call. ValueError below 1. The results' bits do not change."""
    _core.set_num_threads(integer("set_num_threads", "threads", threads))


def get_num_threads() -> int:
    """How many threads share the work of a call: OMP_NUM_THREADS, or the CPUs that the process may use."""
    return _core.get_num_threads()


def memory_stats() -> dict[str, int]:
    """Bytes that arrays of the library hold (`allocated_bytes`), that wait for reuse (`cached_bytes`), the peak of the
    first, and counts of allocations, of those served from the cache, and of requests to the system."""
    return _core.memory_stats()


def reset_peak_memory_stats() -> None:
    """Sets `peak_allocated_bytes` to what is allocated now."""
    _core.reset_peak_memory_stats()


def empty_cache() -> None:
    """Returns memory that waits for reuse to the system."""
    _core.empty_cache()


def force_isa(name: str) -> None:
    """Runs the CPU kernels of one instruction set: 'baseline', 'avx2', 'avx512' or 'neon'.

    Raises ValueError for a level that this build or this CPU has not. The environment variable FASTDL_ISA does the
    same at import, which fails with an ImportError then.
    """
    _core.force_isa(name)


def show_config() -> str:
    """The version, instruction sets, threads and devices of this installation, a line each."""
    from fastdl import __version__

    pairs = _core.active_isa() == "avx512" and _core.bf16_dot()
    built, usable = _core.built_isas(), _core.supported_isas()
    return "\n".join(
        [
            f"fastdl {__version__}",
            f"CPU: {_core.cpu_model()}",
            f"instruction sets built: {', '.join(built)}; supported here: {', '.join(usable)}; "
            f"in use: {_core.active_isa()}",
            f"bfloat16: {'products of pairs (AVX512_BF16)' if pairs else 'computed as float32'}",
            f"threads: {_core.get_num_threads()}",
            "CUDA: not in this build",
        ]
    )
