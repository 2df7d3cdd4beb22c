"""What a gateway tells unasked, whom it lets pass, and what went in and out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from cwts import _core
from cwts._core import Decision
from cwts.limits import expiry_ns
from cwts.reasons import RejectReason

__all__ = ["Alert", "InOut", "Override", "OversightCalls"]


@dataclass(frozen=True, slots=True)
class Alert:
    """Somebody should look; nothing was refused for it."""

    #: Log index of its entry.
    seq: int
    #: When, in UTC epoch nanoseconds.
    utc_ns: int
    #: ``"violated"``: a control of severity alert; ``"overridden"``: a soft one, by an override;
    #: ``"stage"``: an aggregate near its limit; ``"in_out"``: messages out are not messages in;
    #: ``"clock"``: the clock is not shown to be near enough to UTC.
    kind: str
    #: The control, if it is about one.
    control: str | None
    level: str
    scope: str
    symbol: str | None
    #: The percentage of the limit that a stage stands at.
    percent: int | None
    order_id: int | None
    order_seq: int | None
    observed: str
    limit: str

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        """Make it out of a row of the core."""
        return cls(**row)


@dataclass(frozen=True, slots=True)
class Override:
    """What two people said of one blocked order."""

    order_id: int
    #: Log index of the order that was blocked.
    order_seq: int
    #: Names of the soft controls that it may violate.
    controls: list[str]
    #: When it counts no longer, in UTC epoch nanoseconds.
    expires_ns: int
    actor: str
    approver: str
    reason: str
    #: Whether both signed with their keys.
    authenticated: bool


@dataclass(frozen=True, slots=True)
class InOut:
    """Messages since the gateway was opened: orders, replaces and cancels."""

    accepted: int
    released: int
    #: Accepted, and held back at the last gate.
    held_back: int
    #: What left, by the word of whoever has the session; ``None`` if nobody said.
    sent: int | None


class OversightCalls:
    """The calls of `cwts.Gateway` about alerts, overrides, and messages in and out."""

    _core: _core.Gateway

    def override(
        self,
        order_id: int,
        *,
        actor: str,
        approver: str,
        reason: str,
        controls: Iterable[RejectReason | str] = (),
        expires: str | datetime | None = None,
    ) -> Override:
        """Let one softly blocked order pass, once; `resubmit` then sends it.

        Parameters
        ----------
        order_id : int
            ``order_id`` of the decision whose verdict is ``"soft_block"``.
        actor, approver : str
            Two people; operators, who sign with their keys, if any are listed.
        reason : str
            Why; it stands in the log.
        controls : iterable of RejectReason or str, optional
            The soft controls that it may violate. Default: those that block it now.
        expires : str or datetime, optional
            When it counts no longer, at most 24 hours from now. Default: in 15 minutes.

        Raises
        ------
        PermissionDeniedError
            No such block is remembered, a control is always hard, one person, or no right.

        Notes
        -----
        RTS 6 Art. 15(6). Only an order that is equal to the blocked one in every field passes.
        """
        row = _core.override_order(
            self._core,
            order_id,
            controls=control_names(controls),
            actor=actor,
            approver=approver,
            reason=reason,
            expires_ns=expiry_ns(expires),
        )
        return Override(**row)

    def resubmit(self, order_id: int) -> Decision:
        """Send a softly blocked order again, exactly as it was.

        Raises
        ------
        PermissionDeniedError
            No block of this id is remembered; the last 4,096 are.
        """
        return _core.resubmit(self._core, order_id)

    def alerts(self) -> list[Alert]:
        """The newest alerts since the gateway was opened, oldest first: 1,024 at most.

        The log has all of them; ``cwts status`` shows the newest.
        """
        return [Alert.from_row(row) for row in _core.alerts(self._core)]

    def in_out(self, sent: int | None = None) -> InOut:
        """Give the messages that came in and went out.

        Parameters
        ----------
        sent : int, optional
            How many messages left for the venue since the gateway was opened: whoever has the
            session says so now and then. If it is more than were released, the firm is halted at
            the next comparison, within about a second.
        """
        return InOut(*_core.in_out(self._core, sent))

    async def aoverride(
        self,
        order_id: int,
        *,
        actor: str,
        approver: str,
        reason: str,
        controls: Iterable[RejectReason | str] = (),
        expires: str | datetime | None = None,
    ) -> Override:
        """As `override`, on a thread."""
        return await asyncio.to_thread(
            self.override,
            order_id,
            actor=actor,
            approver=approver,
            reason=reason,
            controls=controls,
            expires=expires,
        )

    async def aresubmit(self, order_id: int) -> Decision:
        """As `resubmit`, on a thread."""
        return await asyncio.to_thread(self.resubmit, order_id)

    async def aalerts(self) -> list[Alert]:
        """As `alerts`."""
        return self.alerts()

    async def ain_out(self, sent: int | None = None) -> InOut:
        """As `in_out`."""
        return self.in_out(sent)


def control_names(controls: Iterable[RejectReason | str]) -> list[str]:
    """Give the names of controls, each by itself."""
    out: list[str] = []
    for control in controls:
        if isinstance(control, RejectReason):
            out += [str(member.name) for member in RejectReason if member in control]
        else:
            out.append(control)
    return out
