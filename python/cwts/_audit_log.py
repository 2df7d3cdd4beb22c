"""A tamper-evident log for anyone's records: what `cwts.Gateway` keeps, without the orders."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from cwts import _core, audit, receipts
from cwts._checks import LogChecks
from cwts._clock import ClockSync, watch
from cwts._closing import Closing, close, rounds
from cwts._subjects import SubjectCalls
from cwts.audit import Amend, Note
from cwts.limits import time_ns

if TYPE_CHECKING:
    from cwts.witnesses import Witness, WitnessRounds

__all__ = ["AuditLog"]

#: How often a wait looks, seconds.
_LOOK_S: Final = 0.0002
#: A live log signs a checkpoint 100 ms after the first entry that none covers.
_CHECKPOINT_WAIT_S: Final = 10.0
#: The end of time, for a hold that has none.
_NEVER_NS: Final = 2**63 - 1


class AuditLog(LogChecks, SubjectCalls, Closing):
    """An open log; `open` makes or continues one. One process writes it at a time.

    Every call but `close` has an async twin with an ``a`` in front, which runs on a thread.
    """

    def __init__(
        self,
        core: _core.Gateway,
        directory: Path,
        durability: Literal["async", "durable"],
        asked: WitnessRounds | None = None,
    ) -> None:
        self._core = core
        #: The log's directory.
        self.directory = self._log = directory
        self._is_durable = durability == "durable"
        self._rounds = asked
        if asked is not None:
            asked.watch(self)

    @classmethod
    def open(
        cls,
        directory: str | os.PathLike[str],
        *,
        origin: str | None = None,
        durability: Literal["async", "durable"] = "durable",
        keys: str | os.PathLike[str] | None = None,
        anchor: str | os.PathLike[str] | None = None,
        witnesses: Iterable[Witness] = (),
        clock: ClockSync | None = None,
        retention_years: int | None = None,
        retention_rule: str | None = None,
    ) -> Self:
        """Open the log in `directory`, or make one there.

        Parameters
        ----------
        directory : path-like
            Where the log is; made if absent.
        origin : str, optional
            Name of a new log, as in ``"cwts.example/gw1"``. Default: made up.
        durability : {"durable", "async"}
            Whether `append` returns when the entry is on disk, or when it is on its way; in the
            latter case `wait_durable` waits. There is no mode without a forced write.
        keys : path-like, optional
            Folder of the secret keys. Default: ``$CWTS_KEYS``, else the user's state folder.
        anchor : path-like, optional
            A file on another disk or host that keeps the newest checkpoint; docs/witnesses.md.
        witnesses : iterable of Witness
            Who cosigns the checkpoints, asked once a second at most.
        clock : ClockSync, optional
            Log what the kernel says of its clock, once a second. Default: not.
        retention_years : int, optional
            How long the records are kept; a new log promises it in its GENESIS, 7 by default. One
            that is there must have promised the same.
        retention_rule : {"17a-4(a)", "17a-4(b)", "rts6"}, optional
            Whose minimum the years must meet: 6, 3, 5. Goes with `retention_years`.

        Raises
        ------
        RetentionError
            Fewer years than the rule asks for, or others than the log promises.
        LogInUseError
            Another process writes it.
        TamperError, RollbackError
            It is not what was written, or less than was signed, or than the anchor keeps.
        """
        if durability not in ("async", "durable"):
            raise ValueError(f'durability is {durability!r}, must be "async" or "durable"')
        if retention_rule is not None and retention_years is None:
            raise ValueError("retention_rule goes with retention_years")
        asked = rounds(directory, witnesses)
        core = _core.open_records(
            os.fspath(directory),
            keys=None if keys is None else os.fspath(keys),
            origin=origin,
            anchor=None if anchor is None else os.fspath(anchor),
            retention_years=retention_years,
            rule=retention_rule,
        )
        log = cls(core, Path(directory), durability, asked)
        if clock is not None:
            watch(log, clock)
        return log

    # Writing.

    def append(self, entry: Note | Amend) -> int:
        """Append a record and give its index.

        Raises
        ------
        EntryTooLongError, AuditBackpressureError, LogError
            It does not fit an entry; the queue is full; it corrects what is not there. Nothing
            was written.
        PermissionDeniedError
            It is about a code that the log does not know, or whose key was destroyed.
        LogFailedError
            A write failed: the log is at its end.
        """
        match entry:
            case Note(text, actor, about) if about:
                index = _core.append_sealed(self._core, "note", about, text, actor)
            case Note(text, actor):
                index = _core.append_note(self._core, text, actor)
            case Amend(corrected, field, value, reason, actor):
                index = _core.append_amend(self._core, corrected, field, value, reason, actor)
        if self._is_durable:
            self._core.sync()
        return index

    def wait_durable(self, index: int, timeout: float | None = None) -> None:
        """Return when entry `index` is on disk.

        Raises
        ------
        TimeoutError
            It is not after `timeout` seconds; it may still come to be.
        IndexError
            There is no such entry.
        """
        if index >= self._core.next_index:
            raise IndexError(f"entry {index} was not appended: the log has {len(self)} entries")
        if timeout is None:
            self._core.sync()
            return
        _until(lambda: self._core.durable > index, timeout, f"entry {index} is not durable")

    def __len__(self) -> int:
        """Entries appended, durable or not."""
        return self._core.next_index

    # Keeping.

    def hold(
        self,
        case: str,
        *,
        actor: str,
        approver: str,
        reason: str,
        account: str = "",
        instrument: str = "",
        person: str = "",
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> None:
        """Open a case: what it selects may not be deleted until `release`. It is durable then.

        Parameters
        ----------
        case : str
            Its name, used once in a log.
        actor, approver : str
            Who asks and who agrees, never the same. Where the log's limits list operators, both
            sign with their keys.
        reason : str
            Why; it stands in the log.
        account, instrument, person : str
            Names that the log knows; empty for any.
        start, end : datetime, optional
            From when on and before when; with an offset. Default: always.

        Raises
        ------
        PermissionDeniedError
            One person, a name that was used or is not known, a missing key or right.
        """
        _core.hold_case(
            self._core,
            case,
            account=account,
            instrument=instrument,
            person=person,
            from_ns=0 if start is None else time_ns(start, "start"),
            to_ns=_NEVER_NS if end is None else time_ns(end, "end"),
            actor=actor,
            approver=approver,
            reason=reason,
        )

    def release(self, case: str, *, actor: str, approver: str, reason: str) -> None:
        """Close a case, by two people as for `hold`.

        Raises
        ------
        PermissionDeniedError
            It is not open; one person; a missing key or right.
        """
        _core.release_case(self._core, case, actor=actor, approver=approver, reason=reason)

    def holds(self) -> list[dict[str, Any]]:
        """Give the open cases: what each selects, since when, by whom and why."""
        return _core.cases(self._core)

    def record_access(
        self, kind: Literal["export", "receipt", "query", "report"], *, who: str, what: str
    ) -> int:
        """Append an ACCESS entry: who got what out of the log as it is now. Gives its index."""
        index = _core.append_access(self._core, kind, len(self), who, what)
        if self._is_durable:
            self._core.sync()
        return index

    def archive(self, before: str | datetime) -> dict[str, Any]:
        """Move whole segments before a time into cold blocks; see `cwts.archives.archive_before`.

        The segment that is being written stays: a log begins one with each day.
        """
        return _core.archive_open(self._core, time_ns(before, "before"))

    # Reading: only what is signed, so that what is given can be proved.

    def checkpoint(self) -> dict[str, Any]:
        """Give the newest signed checkpoint: origin, size, root, the note's text, who signed."""
        return _core.checkpoint(os.fspath(self.directory))

    def entry(self, index: int) -> dict[str, Any]:
        """Give an entry by the log's schema: index, type, header, body."""
        self._covered(index)
        return _core.read_entries(os.fspath(self.directory), index, index + 1)[0]

    def tail(self, entries: int = 10) -> list[dict[str, Any]]:
        """Give the last entries under the checkpoint, oldest first."""
        size = int(self.checkpoint()["size"])
        return _core.read_entries(os.fspath(self.directory), max(0, size - entries), size)

    def receipt(self, index: int, *, who: str | None = None) -> bytes:
        """Give the receipt of an entry, the content of a ``.tlog-proof``.

        Waits until a checkpoint covers the entry, a tenth of a second as a rule. With `who`, an
        ACCESS entry says first that they got it.
        """
        self._covered(index)
        if who is not None:
            self.record_access("receipt", who=who, what=f"entry {index}")
        return receipts.receipt(self.directory, index)

    def inclusion_proof(self, index: int, size: int | None = None) -> dict[str, Any]:
        """Give the hashes from an entry to the root of the first `size` entries, in base64."""
        self._covered(index if size is None else size - 1)
        return _core.inclusion(os.fspath(self.directory), index, size)

    def consistency_proof(self, old: int, new: int | None = None) -> dict[str, Any]:
        """Give the proof that the first `old` entries are the beginning of the first `new`."""
        if new:
            self._covered(new - 1)
        return _core.consistency(os.fspath(self.directory), old, new)

    def verify(
        self, keys: Iterable[str] = (), *, level: Literal["roots", "full", "replay"] = "full"
    ) -> audit.Verdict:
        """Verify the log up to its checkpoint; see `cwts.audit.verify`."""
        return audit.verify(self.directory, keys, level=level)

    def _covered(self, index: int) -> None:
        if index >= self._core.next_index:
            raise IndexError(f"entry {index} was not appended: the log has {len(self)} entries")
        what = f"no checkpoint covers entry {index}"
        _until(lambda: int(self.checkpoint()["size"]) > index, _CHECKPOINT_WAIT_S, what)

    # The end.

    def close(self) -> dict[str, Any] | None:
        """End the log with a signed checkpoint, and give it. A second call does nothing."""
        return close(self._core, self._rounds)

    # Async twins.

    async def aappend(self, entry: Note | Amend) -> int:
        """As `append`."""
        return await asyncio.to_thread(self.append, entry)

    async def await_durable(
        self,
        index: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the twin has it
    ) -> None:
        """As `wait_durable`."""
        await asyncio.to_thread(self.wait_durable, index, timeout)

    async def ahold(self, case: str, **said: Any) -> None:
        """As `hold`."""
        await asyncio.to_thread(lambda: self.hold(case, **said))

    async def arelease(self, case: str, **said: Any) -> None:
        """As `release`."""
        await asyncio.to_thread(lambda: self.release(case, **said))

    async def aholds(self) -> list[dict[str, Any]]:
        """As `holds`."""
        return await asyncio.to_thread(self.holds)

    async def acheckpoint(self) -> dict[str, Any]:
        """As `checkpoint`."""
        return await asyncio.to_thread(self.checkpoint)

    async def aentry(self, index: int) -> dict[str, Any]:
        """As `entry`."""
        return await asyncio.to_thread(self.entry, index)

    async def areceipt(self, index: int) -> bytes:
        """As `receipt`."""
        return await asyncio.to_thread(self.receipt, index)

    async def averify(
        self, keys: Iterable[str] = (), *, level: Literal["roots", "full", "replay"] = "full"
    ) -> audit.Verdict:
        """As `verify`."""
        return await asyncio.to_thread(lambda: self.verify(keys, level=level))


def _until(holds: Any, timeout: float, what: str) -> None:
    deadline = time.monotonic() + timeout
    while not holds():
        if time.monotonic() >= deadline:
            raise TimeoutError(f"{what} after {timeout} s")
        time.sleep(_LOOK_S)
