"""Scheduled checks of a log by the process that writes it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal

from cwts import _core, audit

__all__ = ["LogChecks"]

Level = Literal["roots", "full", "replay"]
#: As they stand in an entry.
_LEVELS: Final[dict[str, int]] = {"roots": 0, "full": 1, "replay": 2}


class LogChecks:
    """What a gateway and a log of records share: both have a log that can be looked at."""

    _core: _core.Gateway
    _log: Path | None

    def check_log(
        self, keys: Iterable[str] = (), *, level: Level = "full", actor: str = ""
    ) -> audit.Verdict:
        """Verify the log up to its checkpoint, and put the outcome into it as an FSCK entry.

        For a timer, a night's job say: whoever reads the log later sees that it was looked at, how
        deep, and what came of it (SEC Rule 17a-4(f)(2)(ii)). Orders are decided meanwhile.

        Parameters
        ----------
        keys : iterable of str
            As for `cwts.audit.verify`.
        level : {"full", "roots", "replay"}
            How deep.
        actor : str
            Who asked for it, if somebody did.

        Raises
        ------
        LogError
            There is no log.
        LogFailedError, AuditBackpressureError
            The outcome cannot be written.
        """
        if self._log is None:
            error = _core.LogError("log: there is none to check")
            error.code = "LOG"
            raise error
        verdict = audit.verify(self._log, keys, level=level)
        root = bytes.fromhex(verdict.root) if verdict.root else bytes(32)
        _core.record_check(
            self._core, verdict.size, root, len(verdict.findings), _LEVELS[level], actor
        )
        return verdict

    async def acheck_log(
        self, keys: Iterable[str] = (), *, level: Level = "full", actor: str = ""
    ) -> audit.Verdict:
        """As `check_log`, on a thread."""
        return await asyncio.to_thread(self.check_log, keys, level=level, actor=actor)
