"""Damage to kill files between two lives: a torn write, a bad disk, a careless hand."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Final

__all__ = ["damage", "must_halt"]

#: Magic and version of the kill page.
_PAGE_HEAD_BYTES: Final = 16


def damage(log: Path, name: str, how: str, draw: random.Random) -> str:
    """Damage a file of a log that nobody writes, and say what was done."""
    path = log / name
    raw = path.read_bytes() if path.is_file() else b""
    if how == "gone" or not raw:
        path.unlink(missing_ok=True)
        return f"{name}: removed"
    if how == "empty":
        path.write_bytes(b"")
        return f"{name}: emptied"
    if how == "torn":
        kept = draw.randrange(len(raw))
        path.write_bytes(raw[:kept])
        return f"{name}: cut to {kept} of {len(raw)} bytes"
    # A cell of the page that is garbled is another state, not an unreadable page.
    at = draw.randrange(_PAGE_HEAD_BYTES if name == "kill.page" else len(raw))
    changed = bytearray(raw)
    changed[at] ^= 1 << draw.randrange(8)
    path.write_bytes(bytes(changed))
    return f"{name}: a bit of byte {at} is flipped"


def must_halt(name: str) -> bool:
    """Tell whether a start that finds this file damaged must halt the firm.

    Names of scopes are written again from the log, which nobody damaged: they decide nothing.
    """
    return name in ("kill.state", "kill.page")
