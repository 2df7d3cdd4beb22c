"""Reading a log: is it intact, what does it say of an order, what is the state."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from cwts import _core

__all__ = ["Verdict", "averify", "explain", "log_directory", "status", "verify"]


@dataclass(frozen=True)
class Verdict:
    """What a verification found."""

    ok: bool
    #: Whether the log was closed; one that is still written, or whose writer died, is not.
    clean: bool
    origin: str
    size: int
    root: str
    #: What is wrong, each with kind, file, offset, index, expected and got.
    findings: list[dict[str, Any]] = field(repr=False)
    #: What the given keys or the level did not allow to check.
    not_checked: list[str]
    #: What is worth knowing and not wrong.
    notes: list[str]
    #: Entries by type.
    counts: dict[str, int] = field(repr=False)

    @property
    def first_broken(self) -> int | None:
        """Index of the first entry that is not what was written, if one can be named."""
        named = (finding["index"] for finding in self.findings)
        return min((int(index) for index in named if index is not None), default=None)

    def __bool__(self) -> bool:
        return self.ok

    def to_json(self) -> dict[str, Any]:
        """Give it as an object for JSON."""
        return {
            "ok": self.ok,
            "clean": self.clean,
            "origin": self.origin,
            "size": self.size,
            "root": self.root,
            "first_broken": self.first_broken,
            "findings": self.findings,
            "not_checked": self.not_checked,
            "notes": self.notes,
            "counts": self.counts,
        }


def verify(
    log: str | os.PathLike[str],
    keys: Iterable[str] = (),
    *,
    level: Literal["roots", "full"] = "full",
) -> Verdict:
    """Check every byte of every file of a log.

    Parameters
    ----------
    log : path-like
        The log's directory, or a run's that holds ``log/``. It is only read.
    keys : iterable of str
        Verification keys in the C2SP form. Without one the log's own ``log.vkey`` is used: that
        proves that the log is consistent, and not who wrote it.
    level : {"full", "roots"}
        ``"roots"`` checks signatures and the stored tree only.

    Raises
    ------
    LogError
        The directory is not a log.
    """
    found = _core.verify(os.fspath(log_directory(log)), list(keys), level)
    return Verdict(
        ok=bool(found["ok"]),
        clean=bool(found["clean"]),
        origin=str(found["origin"]),
        size=int(found["size"]),
        root=str(found["root"]),
        findings=list(found["findings"]),
        not_checked=list(found["not_checked"]),
        notes=list(found["notes"]),
        counts=dict(found["counts"]),
    )


async def averify(
    log: str | os.PathLike[str],
    keys: Iterable[str] = (),
    *,
    level: Literal["roots", "full"] = "full",
) -> Verdict:
    """As `verify`, on a thread."""
    return await asyncio.to_thread(verify, log, list(keys), level=level)


def explain(log: str | os.PathLike[str], order_id: int) -> dict[str, Any]:
    """Tell an order's whole story out of a log: what came, what was decided, and why."""
    return _core.explain(os.fspath(log_directory(log)), order_id)


def status(log: str | os.PathLike[str]) -> dict[str, Any]:
    """Tell the state of a log's gateway: whether it runs, holds, limit use, rejections."""
    return _core.status(os.fspath(log_directory(log)))


def log_directory(path: str | os.PathLike[str]) -> Path:
    """Give the log of a directory: itself, or the ``log/`` in a run's directory."""
    given = Path(path)
    inner = given / "log"
    return inner if (inner / "wal").is_dir() and not (given / "wal").is_dir() else given
