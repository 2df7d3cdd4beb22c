"""Reading a log: is it intact, what does it say of an order, what is the state."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from cwts import _core
from cwts._live import Seen, watch

__all__ = [
    "REGISTERS",
    "REPORTS",
    "Amend",
    "Note",
    "Seen",
    "Verdict",
    "averify",
    "explain",
    "export",
    "log_directory",
    "query",
    "registers",
    "reports",
    "status",
    "trigger_counts",
    "verify",
    "verify_receipt",
    "watch",
]

#: The registers that `registers` gives, in its order.
REGISTERS: Final = ("limits", "kills", "triggers")
#: The reports that `reports` gives.
REPORTS: Final = ("orders", "overrides", "clock", "annual", "cat", "rts24")


@dataclass(frozen=True)
class Note:
    """Free text, and who is responsible for it; at most 65,535 bytes as an entry.

    With `about`, as in ``"account:ACME-77"``, it is sealed as by `identify`: at most 32,768.
    """

    text: str
    actor: str = ""
    about: str = ""


@dataclass(frozen=True)
class Amend:
    """A correction of an earlier entry, which stays as it is.

    SEC Rule 17a-4(f)(2)(i)(A): both versions, when, and who.
    """

    index: int
    field: str
    value: str
    reason: str
    actor: str = ""


@dataclass(frozen=True)
class Verdict:
    """What a verification found."""

    ok: bool
    #: Whether the log was closed; one that is still written, or whose writer died, is not. Only
    #: its last entry tells, so with ``level="roots"`` it is ``None``.
    clean: bool | None
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
    #: Of receipts: what they prove, in sentences.
    text: list[str] = field(default_factory=list, repr=False)
    #: Of receipts: the entries, by the log's schema.
    entries: list[dict[str, Any]] = field(default_factory=list, repr=False)

    @property
    def first_broken(self) -> int | None:
        """Index of the first entry that is not what was written, if one can be named."""
        if self.logs:
            # Which log's? The findings say.
            return None
        named = (finding["index"] for finding in self.findings)
        return min((int(index) for index in named if index is not None), default=None)

    @property
    def index(self) -> int | None:
        """Of one receipt: the index of its entry."""
        return int(self.entries[0]["index"]) if len(self.entries) == 1 else None

    def __bool__(self) -> bool:
        return self.ok

    def to_json(self) -> dict[str, Any]:
        """Give it as an object for JSON."""
        receipts = {"text": self.text, "entries": self.entries} if self.text else {}
        return (
            {
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
            | receipts
            | ({"logs": [verdict.to_json() for verdict in self.logs]} if self.logs else {})
        )


def verify(
    log: str | os.PathLike[str],
    keys: Iterable[str] = (),
    *,
    level: Literal["roots", "full", "replay"] = "full",
    since: bytes | None = None,
    k0: str | os.PathLike[str] | None = None,
) -> Verdict:
    """Check every byte of every file of a log; or a receipt, with no log at hand.

    Parameters
    ----------
    log : path-like
        The log's directory, or a run's that holds ``log/``. It is only read. Of a run of several
        files all logs are verified, and the root over them. A plain C2SP tlog-tiles directory, of
        whatever maker, is verified too: checkpoint, tiles, entry bundles. A ``.tlog-proof`` file,
        a folder of them, or an export's folder or Parquet file is verified by itself, and an
        archive by the log that comes of it.
    keys : iterable of str
        Verification keys in the C2SP form. Without one the log's own ``log.vkey`` is used: that
        proves that the log is consistent, and not who wrote it. A run's own key checks its logs
        too: one key has signed all of them, each under its own name. A receipt or an export needs
        one. Keys of a committee or of witnesses may stand beside the log's: each must have signed.
    level : {"full", "roots", "replay"}
        ``"roots"`` checks signatures and the stored tree only. ``"replay"`` also makes every
        decision again, from the entries before it and the limits in force, and compares it bit
        for bit.

    since : bytes, optional
        A checkpoint of the log that was kept elsewhere. The log must still begin with what it
        signs: less is ``ROLLBACK``, something else ``INCONSISTENT``.
    k0 : path-like, optional
        The file of the log's first frame key, as `cwts log init` gave it to its keeper. With it the
        MAC of every frame in every key epoch is checked, and every epoch's seal.

    Raises
    ------
    LogError
        The directory is not a log.
    CwtsError
        `k0` cannot be read, or holds no key.
    ValueError
        `since` or `k0` was given for what is not one log.
    """
    from cwts import _export_verify, archives, receipts

    other = (receipts.is_receipts, _export_verify.is_export, archives.is_archive)
    if since is not None and any(kind(Path(log)) for kind in other):
        why = f"{os.fspath(log)}: a kept checkpoint is held against a log, and this is none"
        raise ValueError(why)
    if k0 is not None and (any(kind(Path(log)) for kind in other) or is_run(_existing(log))):
        why = f"{os.fspath(log)}: K_0 checks the frames of one live log, and this is none"
        raise ValueError(why)
    if receipts.is_receipts(Path(log)):
        return receipts.verify_receipts(log, keys)
    if _export_verify.is_export(Path(log)):
        return _export_verify.verify_export(log, keys)
    if archives.is_archive(Path(log)):
        return archives.verify_archive(Path(log), list(keys))
    directory, keys = _existing(log), list(keys)
    if is_run(directory):
        verdict = _verify_run(directory, keys, level)
    else:
        verdict = _verify(directory, keys, level, k0)
    return verdict if since is None else _since(directory, verdict, keys, since)


def _since(log: Path, verdict: Verdict, keys: list[str], kept: bytes) -> Verdict:
    """Hold a log against a checkpoint that somebody kept."""
    keys = keys or [(log / "log.vkey").read_text(encoding="utf-8").strip()]
    found = _core.consistency(os.fspath(one_log(log)), 0, None, kept=kept, keys=keys)
    if found["ok"]:
        note = f"it goes on from the checkpoint that was kept, of {found['old']:,} entries"
        return replace(verdict, notes=[*verdict.notes, note])
    finding = {
        "kind": found["kind"],
        "file": "checkpoint",
        "offset": None,
        "index": None,
        "index_end": None,
        "expected": f"{found['old']} entries, root {found['old_root']}",
        "got": f"{found['new']} entries, root {found['new_root']}",
        "proved_by": "the checkpoint that was kept",
        "text": f"{found['kind']} in `checkpoint`: {found['why']}",
    }
    return replace(verdict, ok=False, findings=[*verdict.findings, finding])


def verify_receipt(receipt: bytes, keys: Iterable[str]) -> Verdict:
    """Verify a receipt that is at hand as bytes, with no log.

    Parameters
    ----------
    receipt : bytes
        The content of a ``.tlog-proof``.
    keys : iterable of str
        Verification keys, each as text in the C2SP form or as the path of a file that holds it;
        one for each signature line.

    Returns
    -------
    Verdict
        `index` is the entry's, `entries` has it by the log's schema, `text` says it in words.
    """
    from cwts import receipts

    texts = (
        Path(key).read_text(encoding="utf-8").strip() if Path(key).is_file() else key
        for key in keys
    )
    return receipts.verdict_of([("receipt", receipt)], texts)


def _verify(
    log: Path,
    keys: list[str],
    level: Literal["roots", "full", "replay"],
    k0: str | os.PathLike[str] | None = None,
) -> Verdict:
    found = _core.verify(os.fspath(log), keys, level, None if k0 is None else os.fspath(k0))
    return Verdict(
        ok=bool(found["ok"]),
        clean=None if level == "roots" else bool(found["clean"]),
        origin=str(found["origin"]),
        size=int(found["size"]),
        root=str(found["root"]),
        findings=list(found["findings"]),
        not_checked=list(found["not_checked"]),
        notes=list(found["notes"]),
        counts=dict(found["counts"]),
    )


def _verify_run(run: Path, keys: list[str], level: Literal["roots", "full", "replay"]) -> Verdict:
    """Verify the logs of a run each for itself, then what binds them."""
    found = _core.check_run(os.fspath(run), keys)
    logs = [Path(log) for log in found["logs"]]
    given = [[] if key is None else [key] for key in found["log_keys"]]
    verdicts = [_verify(log, own, level) for log, own in zip(logs, given, strict=True)]
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
        clean=None if level == "roots" else head is not None and all(map(_is_clean, verdicts)),
        origin="" if head is None else str(head["origin"]),
        size=sum(verdict.size for verdict in verdicts),
        root="" if head is None else str(head["root"]),
        findings=findings,
        not_checked=not_checked,
        notes=notes,
        counts=dict(counts),
        logs=verdicts,
    )


def _is_clean(verdict: Verdict) -> bool:
    return bool(verdict.clean)


def _in_log(name: str, finding: dict[str, Any]) -> dict[str, Any]:
    return finding | {
        "file": f"{name}/{finding['file']}",
        "text": f"log {name}: {finding['text']}",
    }


async def averify(
    log: str | os.PathLike[str],
    keys: Iterable[str] = (),
    *,
    level: Literal["roots", "full", "replay"] = "full",
    since: bytes | None = None,
    k0: str | os.PathLike[str] | None = None,
) -> Verdict:
    """As `verify`, on a thread."""
    # Here, or a halt from a shell would wait for it.
    import asyncio

    return await asyncio.to_thread(verify, log, list(keys), level=level, since=since, k0=k0)


def explain(log: str | os.PathLike[str], order_id: int, keys: Iterable[str] = ()) -> dict[str, Any]:
    """Tell an order's whole story out of a log: what came, what was decided, and why.

    Parameters
    ----------
    log : path-like
        As for `verify`, but of one log.
    order_id : int
        The gateway's id; of a replay the file's.
    keys : iterable of str
        As for `verify`: with one the log is verified first. Without one it is read as it lies
        there, and ``authenticated`` is false.

    Raises
    ------
    TamperError
        Keys were given, and the log is not what they say.
    """
    directory = one_log(log)
    read = _authenticated(directory, keys)
    return _core.explain(os.fspath(directory), order_id) | read


def registers(
    log: str | os.PathLike[str], *kinds: str, keys: Iterable[str] = ()
) -> list[dict[str, Any]]:
    """Give registers of a log: the records that a risk officer or a supervisor asks for.

    Each row names in ``sources`` the entry (log index and type) that each field was read from.

    Parameters
    ----------
    log, keys
        As for `explain`.
    *kinds : {"limits", "kills", "triggers"}
        Which: versions of the limits; holds; refusals by control and trading day. All if none is
        named.

    Returns
    -------
    list of dict
        One object a kind, schemas ``cwts/report/<kind>/v1``; docs/registers.md has the fields.

    Raises
    ------
    TamperError
        Keys were given, and the log is not what they say.
    """
    directory = one_log(log)
    read = _authenticated(directory, keys)
    found = _core.registers(os.fspath(directory), list(kinds or REGISTERS))
    return [dated(register | read) for register in found]


def dated(register: dict[str, Any]) -> dict[str, Any]:
    """Give a register whose trading days have their dates: those on which they end, in UTC."""
    # Here, or a halt from a shell would wait for it.
    from cwts._report.instant import trading_day

    out = dict(register)
    for key in ("rows", "days"):
        rows = register.get(key, [])
        if any("day_ends_ns" in row for row in rows):
            out[key] = [{"day": trading_day(row["day_ends_ns"]), **row} for row in rows]
    if "day_ends_ns" in register["fields"]:
        out["fields"] = ["day", *register["fields"]]
    return out


def export(log: str | os.PathLike[str], output: str | os.PathLike[str], **options: Any) -> Any:
    """Write a log's views as files, and a manifest that proves them complete: `_export.export`."""
    # Here, or a halt from a shell would wait for it.
    from cwts._export import export as write

    return write(log, output, **options)


def reports(
    log: str | os.PathLike[str], *kinds: str, keys: Iterable[str] = ()
) -> list[dict[str, Any]]:
    """Give reports of a log order by order, each column with its rule: `_answers.reports`.

    Each is an object of ``kind``, ``columns`` (field, rule, source), ``notes``, ``log``,
    ``authenticated``, ``how`` and ``table``, an Arrow table; `cat` has ``events``, a table each.
    """
    from cwts._answers import reports as give

    return give(log, kinds or REPORTS, keys)


def query(log: str | os.PathLike[str], sql: str, **options: Any) -> Any:
    """Run one SELECT over a log's views and give DuckDB's relation: `_query.query`."""
    from cwts._query import query as run

    return run(log, sql, **options)


def _authenticated(log: Path, keys: Iterable[str]) -> dict[str, Any]:
    """Verify a log with the keys that were given, and say what that proved."""
    given = list(keys)
    if not given:
        how = (
            "the log was read and not verified: no key was given. With --vkey KEY every byte is "
            "checked first, and who signed it"
        )
        return {"authenticated": False, "how": how}
    verdict = verify(log, given)
    if not verdict.ok:
        what = verdict.findings[0]["text"] if verdict.findings else "it is not intact"
        error = _core.TamperError(f"{log}: {what}")
        error.code = "TAMPER"
        raise error
    names = ", ".join(key.split("+", 1)[0] for key in given)
    return {"authenticated": True, "how": f"every byte was verified with the key of {names}"}


def status(log: str | os.PathLike[str]) -> dict[str, Any]:
    """Tell the state of a log's gateway: whether it runs, holds, limit use, rejections."""
    return _core.status(os.fspath(one_log(log)))


def trigger_counts(log: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Tell what each control triggered, day by day, by the log's TRIGGER_COUNTS alone.

    Returns
    -------
    list of dict
        One a day in which something was decided: ``from_ns`` and ``to_ns`` (UTC epoch
        nanoseconds), ``orders``, ``accepted``, ``cancels``, and ``controls``, a row a control:
        ``control``, ``refused`` (alone or with others), ``soft`` (of those, by soft controls
        alone), ``alerts`` (passed with an alert), ``overridden``. A day that still goes on is as
        it was when the gateway was last closed; `status` has it as it is, under ``today``.

    Notes
    -----
    What the yearly review of SEC Rule 15c3-5(e) and ESMA's supervisory briefing (Feb 2026) ask for.
    """
    return list(_core.trigger_counts(os.fspath(one_log(log))))


def is_run(path: str | os.PathLike[str]) -> bool:
    """Tell whether a directory holds the logs of a run of several files."""
    given = Path(path)
    return not (given / "wal").is_dir() and (given / "0001").is_dir()


def log_directory(path: str | os.PathLike[str]) -> Path:
    """Give the log of a directory: itself, its ``log/``, or the one that it is the ``.run`` of."""
    given = Path(path)
    inner = given / "log"
    if (given / "wal").is_dir():
        return given
    if (inner / "wal").is_dir() or is_run(inner):
        return inner
    beside = given.with_suffix("") if given.suffix == ".run" else given
    return beside if (beside / "wal").is_dir() or is_run(beside) else given


def one_log(path: str | os.PathLike[str]) -> Path:
    """Give the log of a directory, which must not be a run's with several."""
    log = _existing(path)
    if is_run(log):
        raise _log_error(f"{log}: holds a log for each file of a run; name one, as {log / '0001'}")
    return log


def _existing(path: str | os.PathLike[str]) -> Path:
    given = Path(path)
    if not given.is_dir():
        what = "is a file" if given.exists() else "does not exist"
        raise _log_error(f"{given}: {what}; pass the folder of a log, or of a run's logs")
    return log_directory(given)


def _log_error(message: str) -> _core.LogError:
    error = _core.LogError(message)
    error.code = "LOG"
    return error
