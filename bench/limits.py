"""What the machine reaches with the library's vector type and thread pool, and how near to it a call comes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.op import Work

MIB = 1 << 20
SIZES = tuple(MIB << i for i in range(9))
"""Working sets of the bandwidths; the last is beyond the caches."""


@dataclass(frozen=True)
class Limits:
    """Operations per second, and bytes per second by working set (as strings in JSON)."""

    fma: Mapping[str, Mapping[str, float]]
    """By ISA level and number of threads."""
    isa: str
    threads: int
    copy: Mapping[str, float]
    """Bytes read plus bytes written."""
    read: Mapping[str, float]

    @property
    def peak(self) -> float:
        return self.fma[self.isa][str(self.threads)]

    @property
    def copy_bandwidth(self) -> float:
        return self.copy[str(SIZES[-1])]

    def of(self, work: Work, executed: float) -> tuple[float, str]:
        """The seconds that a call cannot take less than, and which limit says so: "peak", "copy" or "read"; 0 and ""
        for a call without work."""
        bounds = {
            "peak": executed / self.peak,
            "copy": work.bytes / _bandwidth(self.copy, work.bytes),
            "read": work.reads / _bandwidth(self.read, work.read_set),
        }
        name = max(bounds, key=lambda key: bounds[key])
        return bounds[name], name if bounds[name] else ""


def _bandwidth(by_size: Mapping[str, float], working_set: float) -> float:
    """That of the largest measured set that is no larger."""
    sizes = [size for size in SIZES if size <= working_set] or SIZES[:1]
    return by_size[str(sizes[-1])]


def measure() -> dict[str, Any]:
    """The fields of Limits, in fastdl's process; a few seconds."""
    import fastdl
    from fastdl import _core

    isa, threads = _core.active_isa(), fastdl.get_num_threads()
    fma: dict[str, dict[str, float]] = {}
    for level in _core.supported_isas():
        fastdl.force_isa(level)
        fma[level] = {}
        for count in sorted({1, threads}):
            fastdl.set_num_threads(count)
            fma[level][str(count)] = _core.measure_fma_peak()
    fastdl.force_isa(isa)
    fastdl.set_num_threads(threads)
    return {
        "fma": fma,
        "isa": isa,
        "threads": threads,
        "copy": {str(size): _core.measure_copy_bandwidth(size // 2) for size in SIZES},
        "read": {str(size): _core.measure_read_bandwidth(size) for size in SIZES},
    }


def describe(limits: Limits) -> str:
    peaks = ", ".join(
        f"{level} " + " / ".join(f"{value / 1e9:.0f}" for value in by_threads.values())
        for level, by_threads in limits.fma.items()
    )
    counts = " / ".join(next(iter(limits.fma.values())))
    return (
        f"FMA peak in GFLOP/s on {counts} threads: {peaks}\n"
        f"GB/s in sets of {', '.join(str(size // MIB) for size in SIZES)} MiB: "
        f"copy {_list(limits.copy)}; read {_list(limits.read)}"
    )


def _list(by_size: Mapping[str, float]) -> str:
    return ", ".join(f"{by_size[str(size)] / 1e9:.0f}" for size in SIZES)
