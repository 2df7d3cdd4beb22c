"""Changing one entry of a copied log by hand, as somebody would who has the disk."""

from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path
from typing import Final

__all__ = ["copy_of", "flip_bit_of_entry"]

# The frame: rust/audit/src/frame.rs. Header fields: count, index of the first entry, key epoch,
# payload length; entries follow, each behind a big-endian length.
_HEADER: Final = struct.Struct("<12xIQQI28x")
_LENGTH: Final = struct.Struct(">H")
_TRAILER_BYTES: Final = 96
_ALIGN_BYTES: Final = 512


def copy_of(log: Path, target: Path) -> Path:
    """Copy a log; files that nobody will change are linked where the file system can."""
    for source in sorted(log.rglob("*")):
        place = target / source.relative_to(log)
        if source.is_dir():
            place.mkdir(parents=True, exist_ok=True)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.parent.name != "wal":
            try:
                os.link(source, place)
            except OSError:
                shutil.copyfile(source, place)
        else:
            shutil.copyfile(source, place)
    return target


def flip_bit_of_entry(log: Path, index: int) -> None:
    """Flip the lowest bit of the middle byte of an entry."""
    segments = sorted((log / "wal").glob("*.wal"))
    segment = max(path for path in segments if int(path.stem) <= index)
    with segment.open("r+b") as file:
        place = _place(file.read(), index)
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1]))


def _place(segment: bytes, index: int) -> int:
    """Give the offset of the middle byte of an entry."""
    at = 0
    while True:
        count, first, _, payload_bytes = _HEADER.unpack_from(segment, at)
        if index < first + count:
            break
        frame_bytes = _HEADER.size + payload_bytes + _TRAILER_BYTES
        at += -(-frame_bytes // _ALIGN_BYTES) * _ALIGN_BYTES
    at += _HEADER.size
    for _ in range(index - first):
        at += _LENGTH.size + _entry_bytes(segment, at)
    return at + _LENGTH.size + _entry_bytes(segment, at) // 2


def _entry_bytes(segment: bytes, at: int) -> int:
    return int(_LENGTH.unpack_from(segment, at)[0])
