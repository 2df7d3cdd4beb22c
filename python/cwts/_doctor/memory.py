"""Memory, huge pages, and what this shell may take of either."""

from __future__ import annotations

import resource
from typing import Final

from cwts._doctor.row import Row, missing, ok, text_of, warn

__all__ = ["rows"]

_AREA: Final = "memory"
_MIB: Final = 1 << 20
#: A gateway with a few thousand names and its rings takes about this.
_NEEDED_BYTES: Final = 512 * _MIB
#: A log, its page, its tiles, and the files of a wide replay.
_FILES_WANTED: Final = 1_024
_FILES_NEEDED: Final = 64


def rows() -> list[Row]:
    """Give the rows of this area."""
    return [_free(), _huge_pages(), _files(), _locked(), _file_size()]


def _free() -> Row:
    sizes = _meminfo()
    available, total = sizes.get("MemAvailable", 0), sizes.get("MemTotal", 0)
    value = f"{available // _MIB:,} MiB free of {total // _MIB:,} MiB"
    bound = text_of("/sys/fs/cgroup/memory.max")
    if bound is not None and bound.isdigit():
        value += f", cgroup allows {int(bound) // _MIB:,} MiB"
        available = min(available, int(bound))
    if available < _NEEDED_BYTES:
        todo = f"free {_NEEDED_BYTES // _MIB} MiB: a gateway must not be the one that is killed"
        return warn(_AREA, "memory", value, todo)
    return ok(_AREA, "memory", value)


def _huge_pages() -> Row:
    setting = text_of("/sys/kernel/mm/transparent_hugepage/enabled") or ""
    chosen = setting.partition("[")[2].partition("]")[0]
    if chosen in ("always", "madvise"):
        return ok(_AREA, "huge pages", f"transparent: {chosen}")
    value = f"transparent: {chosen or 'not told'}"
    todo = "optional; large tables cost more TLB misses without: set it to madvise"
    return ok(_AREA, "huge pages", value, todo)


def _files() -> Row:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    value = f"{_limit(soft)} (at most {_limit(hard)})"
    if soft != resource.RLIM_INFINITY and soft < _FILES_NEEDED:
        return missing(_AREA, "open files", value, f"ulimit -n {_FILES_WANTED}")
    if soft != resource.RLIM_INFINITY and soft < _FILES_WANTED:
        return warn(_AREA, "open files", value, f"ulimit -n {_FILES_WANTED}")
    return ok(_AREA, "open files", value)


def _locked() -> Row:
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    value = "no limit" if soft == resource.RLIM_INFINITY else f"{soft // 1024:,} KiB"
    # This release locks no memory: it is told so that a later limit surprises nobody.
    return ok(_AREA, "locked memory", value)


def _file_size() -> Row:
    soft, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if soft == resource.RLIM_INFINITY:
        return ok(_AREA, "file size", "no limit")
    value = f"{soft:,} bytes"
    return warn(_AREA, "file size", value, "ulimit -f unlimited: a log that cannot grow halts")


def _limit(value: int) -> str:
    return "no limit" if value == resource.RLIM_INFINITY else f"{value:,}"


def _meminfo() -> dict[str, int]:
    """Sizes of /proc/meminfo, bytes."""
    sizes = {}
    for line in (text_of("/proc/meminfo") or "").splitlines():
        key, _, value = line.partition(":")
        words = value.split()
        if words and words[0].isdigit():
            sizes[key] = int(words[0]) * (1024 if words[-1] == "kB" else 1)
    return sizes
