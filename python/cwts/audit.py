"""Reading a log: is it intact, what does it say of an order, what is the state."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

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
    #: Of a run of several files: the verdict on each log, in the run's order. `size` counts the
    #: entries of all, `root` is the run's own, over their checkpoints.
    logs: list[Verdict] = field(default_factory=list, repr=False)

    @property
    def first_broken(self) -> int | None:
        """Index of the first entry that is not what was written, if one can be named."""
        if self.logs:
            # Which log's? The findings say.
            return None
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
        } | ({"logs": [verdict.to_json() for verdict in self.logs]} if self.logs else {})


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
        The log's directory, or a run's that holds ``log/``. It is only read. Of a run of several
        files all logs are verified, and the root over them.
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
    directory, keys = log_directory(log), list(keys)
    check = _verify_run if is_run(directory) else _verify
    return check(directory, keys, level)


def _verify(log: Path, keys: list[str], level: Literal["roots", "full"]) -> Verdict:
    found = _core.verify(os.fspath(log), keys, level)
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


def _verify_run(run: Path, keys: list[str], level: Literal["roots", "full"]) -> Verdict:
    """Verify the logs of a run each for itself, then what binds them."""
    found = _core.check_run(os.fspath(run), keys)
    logs = [Path(log) for log in found["logs"]]
    verdicts = [_verify(log, _keys_of(log, keys), level) for log in logs]
    findings, notes = list(found["findings"]), list[str]()
    not_checked = list(found["not_checked"])
    counts: Counter[str] = Counter()
    for log, verdict in zip(logs, verdicts, strict=True):
        findings += [_in_log(log.name, finding) for finding in verdict.findings]
        notes += [f"log {log.name}: {note}" for note in verdict.notes]
        not_checked += [f"log {log.name}: {what}" for what in verdict.not_checked]
        counts.update(verdict.counts)
    head = found["checkpoint"]
    if head is None:
        notes.append("the run did not finish: it has no root over its logs")
    return Verdict(
        ok=not findings,
        clean=head is not None and all(verdict.clean for verdict in verdicts),
        origin="" if head is None else str(head["origin"]),
        size=sum(verdict.size for verdict in verdicts),
        root="" if head is None else str(head["root"]),
        findings=findings,
        not_checked=not_checked,
        notes=notes,
        counts=dict(counts),
        logs=verdicts,
    )


def _keys_of(log: Path, keys: list[str]) -> list[str]:
    """Pick the key that is named after a log; none of another name can have signed it."""
    origin = _checkpoint_origin(log)
    named = [key for key in keys if key.strip().split("+", 1)[0] == origin]
    return named[:1] or keys[:1]


def _checkpoint_origin(log: Path) -> str:
    try:
        with (log / "checkpoint").open("rb") as file:
            return file.readline(_ORIGIN_BYTES_MAX).decode(errors="replace").rstrip("\n")
    except OSError:
        return ""


def _in_log(name: str, finding: dict[str, Any]) -> dict[str, Any]:
    return finding | {
        "file": f"{name}/{finding['file']}",
        "text": f"log {name}: {finding['text']}",
    }


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


def is_run(path: str | os.PathLike[str]) -> bool:
    """Tell whether a directory holds the logs of a run of several files."""
    given = Path(path)
    return not (given / "wal").is_dir() and (given / "0001").is_dir()


def log_directory(path: str | os.PathLike[str]) -> Path:
    """Give the log of a directory: itself, or the ``log/`` in a run's directory."""
    given = Path(path)
    inner = given / "log"
    is_log = (inner / "wal").is_dir() or is_run(inner)
    return inner if is_log and not (given / "wal").is_dir() else given


#: A longer first line is no origin.
_ORIGIN_BYTES_MAX: Final = 1_024
