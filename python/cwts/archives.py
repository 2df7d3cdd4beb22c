"""Archives: a cold copy of what a log has published, and the way back."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cwts import _core, audit
from cwts.limits import time_ns

__all__ = ["Drill", "archive", "archive_before", "drill", "is_archive", "verify_archive"]

#: A day's events, by which a drill is measured.
DAY_EVENTS: Final = 10_000_000


def archive(log: str | os.PathLike[str], output: str | os.PathLike[str]) -> dict[str, Any]:
    """Write a cold copy of a log: columns of up to 65,536 entries a file, under its checkpoint.

    Parameters
    ----------
    log : path-like
        The log's directory. A live log is read without its lock, up to its checkpoint. It stays.
    output : path-like
        An absent or empty directory, outside the log.

    Returns
    -------
    dict
        ``blocks``, ``entries``, ``bytes``. What was written was read back, and gave the signed
        root.

    Raises
    ------
    LogError
        The log cannot be read, or `output` is not empty.
    """
    source = audit.one_log(log)
    return _core.archive(os.fspath(source), os.fspath(output))


def archive_before(log: str | os.PathLike[str], before: str | datetime) -> dict[str, Any]:
    """Move a log's older entries into cold blocks of its own folder, where they are read as before.

    Whole segments whose entries all lie before `before` are packed, read back to the signed root,
    logged as ARCHIVE entries, and only then removed. No process may own the log;
    `cwts.AuditLog.archive` does it in one that is open.

    Parameters
    ----------
    log : path-like
        The log's directory; its keys are needed.
    before : str or datetime
        With an offset, as in ``"2026-11-01T00:00Z"``.

    Returns
    -------
    dict
        ``blocks``, ``entries``, ``bytes`` written and ``freed``; ``end``, entries archived now, and
        ``before``, entries that lie before the time, both counted from the log's first.

    Raises
    ------
    LogInUseError
        A gateway runs on it.
    LogError
        A key is missing; what was written does not give the log back: nothing is removed then.
    """
    source = audit.one_log(log)
    return _core.archive_before(os.fspath(source), time_ns(before, "before"))


def is_archive(path: Path) -> bool:
    """Tell whether a directory is an archive."""
    return (path / "archive").is_dir() and _core.is_archive_dir(os.fspath(path))


def verify_archive(path: Path, keys: list[str]) -> audit.Verdict:
    """Verify an archive: make a log of it in a scratch folder, and verify that.

    The scratch folder is in the folder of temporary files (``TMPDIR``), and takes about twenty
    times the archive's space.
    """
    verdict = drill(path, keys).verdict
    return replace(verdict, notes=["an archive: its log was made again", *verdict.notes])


def _differs(error: Exception) -> audit.Verdict:
    # The message is `log DIR: tampering: `FILE` at byte N: WHAT`.
    _, _, told = str(error).partition("tampering: ")
    file = told.partition("`")[2].partition("`")[0]
    what = told.partition(" at byte 0: ")[2] or told
    finding = {
        "kind": "ARCHIVE_DIFFERS",
        "file": file,
        "offset": None,
        "index": None,
        "index_end": None,
        "expected": "the block that was written",
        "got": what,
        "proved_by": "the block's checksum, its manifest, or the signed root",
        "text": f"ARCHIVE_DIFFERS in `{file}`: {what}",
    }
    return audit.Verdict(
        ok=False,
        clean=None,
        origin="",
        size=0,
        root="",
        findings=[finding],
        not_checked=["everything behind the block that differs"],
        notes=[],
        counts={},
    )


@dataclass(frozen=True, slots=True)
class Drill:
    """What a restore drill found."""

    verdict: audit.Verdict
    #: Making the log again, and verifying it, in seconds.
    restore_s: float
    verify_s: float

    @property
    def day_s(self) -> float:
        """Seconds that a day of 10 million events (20 million entries) would take at this pace."""
        return (self.restore_s + self.verify_s) / max(self.verdict.size, 1) * 2 * DAY_EVENTS

    def to_json(self) -> dict[str, Any]:
        """Give it as an object for JSON."""
        return {
            "ok": self.verdict.ok,
            "entries": self.verdict.size,
            "root": self.verdict.root,
            "findings": self.verdict.findings,
            "restore_wall_s": self.restore_s,
            "verify_wall_s": self.verify_s,
            "day_wall_s": self.day_s,
        }


def drill(path: str | os.PathLike[str], keys: list[str]) -> Drill:
    """Restore an archive into a scratch folder, verify the log that it gives, and take the time.

    Parameters
    ----------
    path : path-like
        The archive. It is only read; the scratch folder is removed.
    keys : list of str
        As for `cwts.audit.verify`.
    """
    given = Path(path)
    if not is_archive(given):
        error = _core.LogError(f"{given}: is no archive; `cwts log archive` makes one")
        error.code = "LOG"
        raise error
    with tempfile.TemporaryDirectory(prefix="cwts-drill-") as scratch:
        plain = Path(scratch) / "log"
        began = time.perf_counter()
        try:
            _core.unpack(os.fspath(given), os.fspath(plain))
        except _core.TamperError as error:
            return Drill(_differs(error), time.perf_counter() - began, 0.0)
        restored = time.perf_counter()
        verdict = audit.verify(plain, keys)
        return Drill(verdict, restored - began, time.perf_counter() - restored)
