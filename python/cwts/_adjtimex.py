"""What the kernel says of its clock: adjtimex(2) with ``modes`` 0, which only reads."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

__all__ = ["STA_UNSYNC", "Reading", "read"]

#: Kernel's own mark of a clock that nobody disciplines.
STA_UNSYNC: Final = 0x40
_STA_NANO: Final = 0x2000


class _Timeval(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("fraction", ctypes.c_long))


class _Timex(ctypes.Structure):
    """The kernel's struct timex, with its spare words."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("time", _Timeval),
        ("tick", ctypes.c_long),
        ("ppsfreq", ctypes.c_long),
        ("jitter", ctypes.c_long),
        ("shift", ctypes.c_int),
        ("stabil", ctypes.c_long),
        ("jitcnt", ctypes.c_long),
        ("calcnt", ctypes.c_long),
        ("errcnt", ctypes.c_long),
        ("stbcnt", ctypes.c_long),
        ("tai", ctypes.c_int),
        ("spare", ctypes.c_int * 11),
    )


@dataclass(frozen=True, slots=True)
class Reading:
    """One answer of the kernel."""

    #: What the call returned: 0 (``TIME_OK``) to 5 (``TIME_ERROR``).
    status: int
    #: ``timex.status``.
    flags: int
    #: The most that the clock may be off UTC, and the estimate, microseconds.
    maxerror_us: int
    esterror_us: int
    #: What is still to be slewed, nanoseconds.
    offset_ns: int
    #: The frequency correction, 2**-16 parts per million.
    freq: int
    #: TAI less UTC, seconds; 0 if the kernel was not told.
    tai: int


@cache
def _call() -> Any:
    try:
        return ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None


def read() -> Reading | None:
    """Ask the kernel; ``None`` where it does not say."""
    call, told = _call(), _Timex()
    status = -1 if call is None else int(call(ctypes.byref(told)))
    if status < 0:
        return None
    offset = int(told.offset)
    return Reading(
        status=status,
        flags=int(told.status),
        maxerror_us=int(told.maxerror),
        esterror_us=int(told.esterror),
        offset_ns=offset if told.status & _STA_NANO else offset * 1_000,
        freq=int(told.freq),
        tai=int(told.tai),
    )
