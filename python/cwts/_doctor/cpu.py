"""Which code paths this processor runs, and how many of it there are."""

from __future__ import annotations

import os
import platform
from typing import Final

from cwts._doctor.row import Row, ok, text_of, warn

__all__ = ["rows", "vector_path"]

_AREA: Final = "cpu"
#: What the widest kernel needs, all of them.
_AVX512: Final = frozenset({"avx512f", "avx512dq", "avx512bw", "avx512vl"})
#: One core decides, another writes the log.
_CORES_WANTED: Final = 2


def rows() -> list[Row]:
    """Give the rows of this area."""
    info = text_of("/proc/cpuinfo") or ""
    flags = _flags(info)
    return [_vector(info, flags), _hashing(flags), _cores()]


def vector_path(flags: frozenset[str]) -> str:
    """Name the widest instructions that the batch kernels may take on such a processor."""
    if flags >= _AVX512:
        return "AVX-512"
    return "AVX2" if "avx2" in flags else "scalar"


def _vector(info: str, flags: frozenset[str]) -> Row:
    path = vector_path(flags)
    value = f"{path}, {_model(info)}"
    if path == "scalar":
        todo = "nothing is wrong; batches are checked one order at a time here"
        return warn(_AREA, "vector instructions", value, todo)
    return ok(_AREA, "vector instructions", value)


def _hashing(flags: frozenset[str]) -> Row:
    if "sha_ni" in flags or "sha2" in flags:
        return ok(_AREA, "SHA-256 instructions", "yes")
    todo = "nothing is wrong; the log's hashes cost several times as much without them"
    return warn(_AREA, "SHA-256 instructions", "no SHA-NI", todo)


def _cores() -> Row:
    usable = len(os.sched_getaffinity(0))
    value = f"{usable} usable of {os.cpu_count() or usable}"
    quota = _quota()
    if quota is not None:
        value += f", cgroup allows {quota:.1f}"
        usable = min(usable, int(quota))
    if usable < _CORES_WANTED:
        todo = "give it 2 cores: one decides, one writes the log"
        return warn(_AREA, "cores", value, todo)
    return ok(_AREA, "cores", value)


def _quota() -> float | None:
    """Cores that the cgroup allows, where it bounds them."""
    words = (text_of("/sys/fs/cgroup/cpu.max") or "").split()
    quota, _, period = " ".join(words).partition(" ")
    if not quota.isdigit() or not period.isdigit():
        return None
    return int(quota) / max(int(period), 1)


def _flags(info: str) -> frozenset[str]:
    for line in info.splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            return frozenset(value.split())
    return frozenset()


def _model(info: str) -> str:
    for line in info.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.machine()
