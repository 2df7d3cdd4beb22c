"""Every error that cwts raises; each has a stable ``code``.

A refused order is an answer, not an error: it never raises.
"""

from cwts._core import (
    CwtsError,
    InputError,
    LimitsError,
    LogError,
    LogFailedError,
    LogInUseError,
    PermissionDeniedError,
    ProducerError,
    QueueFullError,
    ScopeError,
    TamperError,
)

__all__ = [
    "CwtsError",
    "InputError",
    "LimitsError",
    "LogError",
    "LogFailedError",
    "LogInUseError",
    "PermissionDeniedError",
    "ProducerError",
    "QueueFullError",
    "ScopeError",
    "TamperError",
]


def input_error(message: str) -> InputError:
    """Build the error of an input that is wrong before the core sees it."""
    error = InputError(message)
    error.code = "INPUT"
    return error
