"""Receipts: proofs that an entry is in a log, for somebody who has no log."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cwts import _core
from cwts.audit import Verdict, one_log

__all__ = ["is_receipts", "order_receipts", "receipt", "verdict_of", "verify_receipts"]

SUFFIX: Final = ".tlog-proof"
_HEAD: Final = b"c2sp.org/tlog-proof@"
#: Receipts of a folder that are read together; an order's are a few dozen.
FILES_MAX: Final = 10_000
#: A receipt holds one entry and one note, and neither is longer than 64 KiB.
BYTES_MAX: Final = 1 << 20


def receipt(log: str | os.PathLike[str], index: int, *, all_lines: bool = False) -> bytes:
    """Give the receipt of one entry: the entry, the way from it to the root, the signed root.

    Parameters
    ----------
    log : path-like
        The log's directory. A live log is read without its lock, up to its checkpoint.
    index : int
        The entry.
    all_lines : bool
        Keep every signature line of the checkpoint. Else only the strongest is kept, the
        committee's or the log's, so that one key verifies the receipt.

    Returns
    -------
    bytes
        A C2SP tlog-proof: the content of a ``.tlog-proof`` file.

    Raises
    ------
    CwtsError
        There is no such entry under the checkpoint.
    """
    return _core.receipt(os.fspath(one_log(log)), index, all_lines=all_lines)


def order_receipts(log: str | os.PathLike[str], order_id: int) -> dict[str, bytes]:
    """Give the receipts of an order, its decision and what names their numbers, by file name.

    Raises
    ------
    CwtsError
        The log has no decided order with this id under its checkpoint.
    """
    return dict(_core.order_receipts(os.fspath(one_log(log)), order_id))


def is_receipts(path: Path) -> bool:
    """Tell whether a path is a receipt, or a folder of receipts and no log."""
    if path.is_file():
        with path.open("rb") as file:
            return path.suffix == SUFFIX or file.read(len(_HEAD)) == _HEAD
    if not path.is_dir() or (path / "checkpoint").exists() or (path / "wal").exists():
        return False
    return any(path.glob(f"*{SUFFIX}"))


def verify_receipts(path: str | os.PathLike[str], keys: Iterable[str]) -> Verdict:
    """Verify a receipt, or a folder of them, with no log at hand.

    Parameters
    ----------
    path : path-like
        A ``.tlog-proof`` file, or a folder of them, which are read together: an order's say who,
        what, which limit and which version, in ``Verdict.text``.
    keys : iterable of str
        Verification keys in the C2SP form, one for each signature line.

    Raises
    ------
    ValueError
        No key was given, or one is none.
    LogError
        There is no receipt, or it is too long to be one.
    """
    given, keys = Path(path), list(keys)
    if not keys:
        why = "a receipt holds no key of its own: pass the log's key, --vkey KEY or its log.vkey"
        raise ValueError(why)
    paths = [given] if given.is_file() else sorted(given.glob(f"*{SUFFIX}"))
    if not 0 < len(paths) <= FILES_MAX:
        raise _log_error(f"{given}: {len(paths)} receipts, where 1 to {FILES_MAX} are read")
    files = []
    for one in paths:
        with one.open("rb") as file:
            # A byte more than the bound tells a file that is longer.
            content = file.read(BYTES_MAX + 1)
        if len(content) > BYTES_MAX:
            raise _log_error(f"{one}: longer than {BYTES_MAX:,} bytes, so it is no receipt")
        files.append((one.name, content))
    return verdict_of(files, keys)


def verdict_of(files: list[tuple[str, bytes]], keys: Iterable[str]) -> Verdict:
    """Verify receipts that were read, each a name and its content."""
    found = _core.verify_receipts(files, list(keys))
    return Verdict(
        ok=bool(found["ok"]),
        clean=None,
        origin=str(found["origin"]),
        size=int(found["size"]),
        root=str(found["root"]),
        findings=list(found["findings"]),
        not_checked=list(found["not_checked"]),
        notes=[],
        counts=dict(Counter(str(entry["type"]) for entry in found["entries"])),
        text=list(found["text"]),
        entries=list(found["entries"]),
    )


def _log_error(message: str) -> _core.LogError:
    error = _core.LogError(message)
    error.code = "LOG"
    return error
