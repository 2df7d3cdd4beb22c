"""Every error that cwts raises; each has a stable ``code``.

A refused order is an answer, not an error: it never raises.
"""

from __future__ import annotations

from typing import Any, Final

from cwts._core import (
    AuditBackpressureError,
    CeremonyFailedError,
    CwtsError,
    EncodingError,
    EntryTooLongError,
    InputError,
    LimitsError,
    LogError,
    LogFailedError,
    LogInUseError,
    NotEnoughSharesError,
    PermissionDeniedError,
    ProducerError,
    ProofError,
    QueueFullError,
    RetentionError,
    RollbackError,
    ScopeError,
    TamperError,
    ThresholdError,
)

__all__ = [
    "AuditBackpressureError",
    "CeremonyFailedError",
    "CwtsError",
    "EncodingError",
    "EntryTooLongError",
    "FilesFailedError",
    "InputError",
    "LimitsError",
    "LogError",
    "LogFailedError",
    "LogInUseError",
    "NotEnoughSharesError",
    "PermissionDeniedError",
    "ProducerError",
    "ProofError",
    "QueueFullError",
    "RetentionError",
    "RollbackError",
    "ScopeError",
    "TamperError",
    "ThresholdError",
]


#: Files that a message names; the error has all.
_NAMED: Final = 3


class FilesFailedError(CwtsError):
    """Some files of a run failed; what the others gave stands.

    `failed` has an object a file, with number, path, code, message and whether it was the input's
    fault. `result` is the others' `ReplayResult`, ``None`` if there are none.
    """

    def __init__(self, failed: list[dict[str, Any]], result: Any, total: int) -> None:
        named = "; ".join(str(file["message"]) for file in failed[:_NAMED])
        more = f"; and {len(failed) - _NAMED:,} more" if len(failed) > _NAMED else ""
        super().__init__(f"{len(failed)} of {total} files failed: {named}{more}")
        self.code = "FILES_FAILED"
        self.failed = failed
        self.total = total
        self.result = result


def input_error(message: str) -> InputError:
    """Build the error of an input that is wrong before the core sees it."""
    error = InputError(message)
    error.code = "INPUT"
    return error
