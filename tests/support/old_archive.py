"""An archive of entries as they would be if they had been written at the epoch."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path

from cwts import _core


def old_archive(log: str | Path, root: Path) -> Path:
    """Take a log's entries, set their times to 1970, and give a cold copy of them."""
    size = int(_core.checkpoint(str(log))["size"])
    raw, ends, _ = _core.entries_raw(str(log), 0, size, 1 << 24)
    at = struct.unpack(f"<{size + 1}I", ends)
    entries = [raw[a:b] for a, b in itertools.pairwise(at)]
    plain, cold = root / "then", root / "then-cold"
    then = [entry[:16] + bytes(8) + entry[24:] for entry in entries]
    _core.write_tlog(str(plain), "cwts.example/then", bytes(32), then)
    _core.archive(str(plain), str(cold))
    return cold
