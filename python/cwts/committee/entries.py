"""The list of a ceremony on disk: what was delivered, in order; a torn end is cut off.

Who is restarted goes on from its own copy. A fresh one from the sequencer could be another list,
and a member that follows two lists says two things.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from pathlib import Path
from typing import Final, Self

from cwts.errors import input_error

__all__ = ["ENTRIES_MAX", "EntryFile"]

#: Entries and bytes of one ceremony's list.
ENTRIES_MAX: Final = 4_096
_BYTES_MAX: Final = 64 << 20
_HEAD: Final = struct.Struct("<II")


class EntryFile:
    """A ceremony's list in a file of its own.

    Parameters
    ----------
    path : Path
        The file; made if it is absent.

    Attributes
    ----------
    entries : list of bytes
        What the file holds.

    Raises
    ------
    InputError
        An entry before the last is damaged, the file is above its bound, or in use.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self.entries: list[bytes] = []
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.close()
            raise input_error(f"list {path}: another process takes this part already") from None
        try:
            self._length = self._read()
            os.ftruncate(self._file, self._length)
            os.fsync(self._file)
            folder = os.open(path.parent, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
        except BaseException:
            self.close()
            raise

    def _read(self) -> int:
        size = os.fstat(self._file).st_size
        if size > _BYTES_MAX:
            raise input_error(f"list {self._path}: has {size} bytes, at most {_BYTES_MAX}")
        data, at = os.pread(self._file, size, 0), 0
        while at + _HEAD.size <= size:
            length, check = _HEAD.unpack_from(data, at)
            entry = data[at + _HEAD.size : at + _HEAD.size + length]
            end = at + _HEAD.size + length
            if len(entry) < length or zlib.crc32(entry) != check:
                if end < size:
                    raise input_error(f"list {self._path}: byte {at}: the entry is damaged")
                break
            self.entries.append(entry)
            at = end
        return at

    def append(self, entry: bytes) -> None:
        """Put an entry behind the others; `sync` puts it on disk."""
        if len(self.entries) >= ENTRIES_MAX or self._length + len(entry) > _BYTES_MAX:
            raise input_error(f"list {self._path}: is full")
        row = _HEAD.pack(len(entry), zlib.crc32(entry)) + entry
        os.pwrite(self._file, row, self._length)
        self._length += len(row)
        self.entries.append(entry)

    def sync(self) -> None:
        """Return when all is on disk."""
        os.fdatasync(self._file)

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_how: object) -> None:
        self.close()
