"""A moment of the log as people and machines read it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from . import text

_SECOND_NS: Final = 10**9
#: The last second that `datetime` knows.
_LAST_S: Final = 253_402_300_799


def instant(ns: object) -> str:
    """UTC nanoseconds as RFC 3339 with all nine digits; what is no time of the calendar, as it is.

    `datetime` has microseconds only: the digits are written from the integer.
    """
    whole = text.whole(ns)
    if whole is None:
        return text.MISSING
    seconds, rest = divmod(whole, _SECOND_NS)
    if not 0 <= seconds <= _LAST_S:
        return f"{whole} ns"
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def trading_day(ends_ns: object) -> str:
    """The date of a trading day: that on which it ends, in UTC; at midnight the one before."""
    whole = text.whole(ends_ns)
    if whole is None or not 0 < whole <= _LAST_S * _SECOND_NS:
        return text.MISSING
    return datetime.fromtimestamp((whole - 1) // _SECOND_NS, UTC).date().isoformat()
