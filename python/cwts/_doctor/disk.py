"""The disk under a log: what kind it is, what a durable write costs, what the kill page needs."""

from __future__ import annotations

import fcntl
import mmap
import os
import tempfile
import time
from pathlib import Path
from typing import BinaryIO, Final

from cwts._doctor.row import Row, missing, ok, text_of, warn

__all__ = ["percentile", "rows"]

_AREA: Final = "disk"
_MIB: Final = 1 << 20
_PAGE_BYTES: Final = 16 * 1024
#: Writes that are timed, and how long they may take together.
_WRITES: Final = 64
_WRITES_MIN: Final = 50
_SECONDS_MAX: Final = 10.0
#: What a frame of the log takes at least.
_WRITE_BYTES: Final = 4_096
#: A durable order waits for one of these, nanoseconds.
_SLOW_P99_NS: Final = 20_000_000
_FREE_WANTED: Final = 4 << 30
_FREE_NEEDED: Final = 64 * _MIB
#: Kept in memory: a power cut takes the log, whatever fsync says.
_IN_MEMORY: Final = ("tmpfs", "ramfs", "devtmpfs")
#: Shared with other hosts: locks and the shared page are then somebody else's promise.
_REMOTE: Final = ("nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph", "glusterfs")


def rows(directory: Path) -> list[Row]:
    """Give the rows of this area, for this directory."""
    where = _existing(directory)
    if not os.access(where, os.W_OK | os.X_OK):
        value = f"{where}: cannot be written"
        return [missing(_AREA, "directory", value, "pass a directory that this user may write")]
    shown = f"{where}" if where == directory else f"{where} (for {directory})"
    return [
        ok(_AREA, "directory", shown),
        _kind(where),
        _free(where),
        _fdatasync(where),
        _kill_page(where),
        _lock(where),
    ]


def percentile(values: list[int], share: float) -> int:
    """Give the value that this share of all values does not exceed."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def _existing(directory: Path) -> Path:
    """Give the nearest folder that is there: a log that is to be made has none yet."""
    place = directory.absolute()
    while not place.is_dir() and place != place.parent:
        place = place.parent
    return place


def _kind(where: Path) -> Row:
    kind = _filesystem(where)
    if kind in _IN_MEMORY:
        return warn(_AREA, "file system", f"{kind}: memory", "a power cut takes a log that is here")
    if kind in _REMOTE:
        todo = "keep a log on a disk of this host: locks and the kill page are shared memory"
        return warn(_AREA, "file system", f"{kind}: of another host", todo)
    return ok(_AREA, "file system", kind)


def _filesystem(where: Path) -> str:
    """Type of the file system, from the mount whose device the folder has."""
    device = where.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    best, kind = -1, "not told"
    for line in (text_of("/proc/self/mountinfo") or "").splitlines():
        left, _, right = line.partition(" - ")
        words = left.split()
        if len(words) < 5 or not right:  # noqa: PLR2004 - a line of the kernel's has at least ten
            continue
        point = words[4].encode().decode("unicode_escape")
        is_over = where == Path(point) or Path(point) in where.parents
        # Overlay mounts tell another device than their files do: then the path decides.
        rank = len(point) + (10_000 if words[2] == wanted else 0)
        if is_over and rank > best:
            best, kind = rank, right.split()[0]
    return kind


def _free(where: Path) -> Row:
    told = os.statvfs(where)
    free = told.f_bavail * told.f_frsize
    value = f"{free // _MIB:,} MiB free"
    if free < _FREE_NEEDED:
        return missing(_AREA, "space", value, "free some: a log that cannot grow halts its gateway")
    if free < _FREE_WANTED:
        todo = f"{_FREE_WANTED >> 30} GiB hold about ten million orders"
        return warn(_AREA, "space", value, todo)
    return ok(_AREA, "space", value)


def _fdatasync(where: Path) -> Row:
    name = "fdatasync"
    try:
        with tempfile.TemporaryFile(dir=where, buffering=0) as file:
            times = _timed(file)
    except OSError as error:
        return missing(_AREA, name, f"{error.strerror}", "a log needs a disk that can be forced")
    p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
    value = f"p50 {p50 / 1e6:.2f} ms, p99 {p99 / 1e6:.2f} ms over {len(times)} writes"
    if len(times) < _WRITES_MIN or p99 > _SLOW_P99_NS:
        todo = 'release="durable" waits this long for each batch; use a local SSD, or "async"'
        return warn(_AREA, name, value, todo)
    return ok(_AREA, name, value)


def _timed(file: BinaryIO) -> list[int]:
    """Nanoseconds of each write that was forced to the disk."""
    block = bytes(range(256)) * (_WRITE_BYTES // 256)
    until = time.monotonic() + _SECONDS_MAX
    times: list[int] = []
    while len(times) < _WRITES and time.monotonic() < until:
        began = time.perf_counter_ns()
        file.write(block)
        os.fdatasync(file.fileno())
        times.append(time.perf_counter_ns() - began)
    return times


def _kill_page(where: Path) -> Row:
    name = "kill page"
    todo = "put the log on a file system that maps files: without it no other process can halt"
    try:
        with tempfile.NamedTemporaryFile(dir=where, prefix=".cwts-doctor-") as file:
            file.truncate(_PAGE_BYTES)
            # Two openings of one file, as halter and gateway have it.
            with (
                Path(file.name).open("r+b") as other,
                mmap.mmap(file.fileno(), _PAGE_BYTES) as ours,
                mmap.mmap(other.fileno(), _PAGE_BYTES) as theirs,
            ):
                ours[64:72] = b"CWTSKILL"
                seen = theirs[64:72] == b"CWTSKILL"
                theirs.flush()
    except (OSError, ValueError) as error:
        return missing(_AREA, name, f"cannot be mapped: {error}", todo)
    if not seen:
        return missing(_AREA, name, "two maps of one file differ", todo)
    return ok(_AREA, name, "mapped, shared, forced")


def _lock(where: Path) -> Row:
    name, todo = "lock", "put the log on a file system with locks: else two gateways could write"
    try:
        with tempfile.NamedTemporaryFile(dir=where, prefix=".cwts-doctor-") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            with Path(file.name).open("rb") as other:
                try:
                    fcntl.flock(other.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return ok(_AREA, name, "one writer at a time")
    except OSError as error:
        return missing(_AREA, name, f"{error.strerror}", todo)
    return missing(_AREA, name, "a second writer gets it, too", todo)
