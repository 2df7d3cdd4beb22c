"""Changes of the limits: proposals, and when a temporary raise ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

__all__ = ["Proposal", "expiry_ns"]

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
    """Give the time at which a raise ends in UTC epoch nanoseconds; 0 for never.

    Parameters
    ----------
    expires : str, datetime or None
        ISO 8601 with an offset, as in ``"2026-11-23T21:00Z"``, or a datetime that has one.

    Raises
    ------
    ValueError
        It is no time, or names no offset: a time without one is another time elsewhere.
    """
    if expires is None:
        return 0
    try:
        at = datetime.fromisoformat(expires) if isinstance(expires, str) else expires
    except ValueError:
        raise ValueError(f'expires {expires!r} is no time such as "2026-11-23T21:00Z"') from None
    if at.tzinfo is None:
        raise ValueError(f'expires {expires!r} needs an offset, as in "2026-11-23T21:00Z"')
    since = at - _EPOCH
    # A float would lose nanoseconds.
    whole = (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1_000
    if whole <= 0:
        raise ValueError(f"expires {expires!r} is in the past")
    return whole
