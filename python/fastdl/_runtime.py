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


def set_float32_precision(precision: str) -> None:
    """How exact float32 results must be, in PyTorch's words (torch.set_float32_matmul_precision), for the process.

    'highest', the default: max|out - exact| / max|exact| is at most twice that of the plain formula in float32.
    'high': 3 x 3 convolutions with stride 1, transposed or not, and their gradients by the input may run as Winograd's
    F(4 x 4, 3 x 3), with a quarter of the products, where that is faster. The error is a few 1e-6 then instead of a
    few 1e-7, and small integers are not exact. float64 and everything else stay as they are.

    The results' bits depend on shapes and on this setting alone. A call keeps the setting that it began with.

    Raises:
        ValueError: another word.
        TypeError: no str.
    """
    if not isinstance(precision, str):
        raise TypeError(f"[set_float32_precision] precision: expected a str, got {type(precision).__name__}")
    _core.set_float32_precision(precision)


def get_float32_precision() -> str:
    """'highest' or 'high'; see set_float32_precision."""
    return _core.get_float32_precision()


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
            f"float32 precision: {_core.get_float32_precision()}",
            "CUDA: not in this build",
        ]
    )
