"""Changes of the limits: proposals, and when a temporary raise ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

__all__ = ["Proposal", "expiry_ns", "time_ns"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change of the limits that somebody proposed.

    A tightening is in force at once; anything else waits for a second person.
    """

    id: int
    #: The version that it is, or becomes if it is approved before any other change.
    version: int
    direction: Literal["tighten", "raise"]
    #: Whether it came into force.
    active: bool
    maker: str
    #: Who agreed; ``None`` where nobody did.
    checker: str | None
    reason: str
    #: When what it raises goes back, UTC epoch nanoseconds; ``None`` for never.
    expires_ns: int | None
    #: SHA-256 of the file.
    sha256: str
    #: Whether those who said yes signed it; not where no operators are listed.
    authenticated: bool

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Proposal:
        """Build it from a row of the core."""
        return cls(
            id=int(row["id"]),
            version=int(row["version"]),
            direction="raise" if row["direction"] == "raise" else "tighten",
            active=bool(row["active"]),
            maker=str(row["maker"]),
            checker=None if row["checker"] is None else str(row["checker"]),
            reason=str(row["reason"]),
            expires_ns=None if row["expires_ns"] is None else int(row["expires_ns"]),
            sha256=str(row["sha256"]),
            authenticated=bool(row["authenticated"]),
        )


def expiry_ns(expires: str | datetime | None) -> int:
    """Give the time at which a raise ends in UTC epoch nanoseconds; 0 for never. As `time_ns`."""
    if expires is None:
        return 0
    whole = time_ns(expires, "expires")
    if whole <= 0:
        raise ValueError(f"expires {expires!r} is in the past")
    return whole


def time_ns(at: str | datetime, name: str) -> int:
    """Give a time in UTC epoch nanoseconds.

    Parameters
    ----------
    at : str or datetime
        ISO 8601 with an offset, as in ``"2026-11-23T21:00Z"``, or a datetime that has one.
    name : str
        What to call it in an error.

    Raises
    ------
    ValueError
        It is no time, or names no offset: a time without one is another time elsewhere.
    """
    try:
        time = datetime.fromisoformat(at) if isinstance(at, str) else at
    except ValueError:
        raise ValueError(f'{name} {at!r} is no time such as "2026-11-23T21:00Z"') from None
    if time.tzinfo is None:
        raise ValueError(f'{name} {at!r} needs an offset, as in "2026-11-23T21:00Z"')
    since = time - _EPOCH
    # A float would lose nanoseconds.
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1_000
