"""A tamper-evident log for anyone's records: what `cwts.Gateway` keeps, without the orders."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from cwts import _core, audit, receipts
from cwts._checks import LogChecks
from cwts._clock import ClockSync, watch
from cwts._closing import Closing, close, rounds
from cwts.audit import Amend, Note

if TYPE_CHECKING:
    from cwts.witnesses import Witness, WitnessRounds

__all__ = ["AuditLog"]

#: How often a wait looks, seconds.
_LOOK_S: Final = 0.0002
#: A live log signs a checkpoint 100 ms after the first entry that none covers.
_CHECKPOINT_WAIT_S: Final = 10.0


class AuditLog(LogChecks, Closing):
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
        self.directory = directory
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

        Raises
        ------
        LogInUseError
            Another process writes it.
        TamperError, RollbackError
            It is not what was written, or less than was signed, or than the anchor keeps.
        """
        if durability not in ("async", "durable"):
            raise ValueError(f'durability is {durability!r}, must be "async" or "durable"')
        asked = rounds(directory, witnesses)
        core = _core.open_records(
            os.fspath(directory),
            keys=None if keys is None else os.fspath(keys),
            origin=origin,
            anchor=None if anchor is None else os.fspath(anchor),
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
        LogFailedError
            A write failed: the log is at its end.
        """
        match entry:
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

    def receipt(self, index: int) -> bytes:
        """Give the receipt of an entry, the content of a ``.tlog-proof``.

        Waits until a checkpoint covers the entry, a tenth of a second as a rule.
        """
        self._covered(index)
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

    def _log_directory(self) -> Path:
        return self.directory

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
