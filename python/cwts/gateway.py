"""The live gateway: orders in, decisions out, every one of them in the log."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from cwts import _core
from cwts._batches import decided
from cwts._checks import LogChecks
from cwts._clock import ClockSync, watch
from cwts._closing import Closing, close, rounds
from cwts._core import Decision, Order
from cwts._market import MarketCalls
from cwts._oversight import OversightCalls
from cwts._subjects import SubjectCalls
from cwts.limits import Proposal, expiry_ns
from cwts.orders import ExecReport, Hold, price_e9

if TYPE_CHECKING:
    import numpy.typing as npt

    from cwts.producer import Producer
    from cwts.witnesses import Witness

__all__ = ["Gateway"]

_T = TypeVar("_T")
_CLOCK = ClockSync()


class Gateway(MarketCalls, OversightCalls, LogChecks, SubjectCalls, Closing):
    """Decides every order against the limits, reserves what it takes, and logs it.

    Parameters
    ----------
    limits : path-like or None
        The limits file. ``None`` keeps the limits that are in force in an existing `log`.
    log : path-like, optional
        Directory of the log; made if absent, continued otherwise, with its positions and holds.
        Without one, decisions leave no trace.
    release : {"async", "durable"}
        Whether an accepted order leaves once its entry is appended, or once it is on disk.
    origin : str, optional
        Name of a new log. Default: made up.
    keys : path-like, optional
        Folder of the log's secret keys. Default: ``$CWTS_KEYS``, else the user's state folder.
    anchor : path-like, optional
        A file on another disk or host that keeps the log's newest checkpoint. A log that was set
        back, and a second writer on a copy of it, are refused by it; docs/witnesses.md.
    witnesses : iterable of Witness
        Who cosigns the log's checkpoints, asked aside of the orders, once a second at most.
    clock : ClockSync, optional
        How near to UTC the clock must be shown to be. Readings stand in the log, one a second;
        ``None`` logs none.
    retention_years : int, optional
        How long the log is kept, which a new one promises in its GENESIS: 7 by default.
    retention_rule : {"17a-4(a)", "17a-4(b)", "rts6"}, optional
        Whose minimum the years must meet: 6, 3, 5. Goes with `retention_years`.

    Raises
    ------
    RetentionError
        Fewer years than the rule asks for, or others than the log promises.
    LimitsError
        The limits file is wrong; nothing was made or changed.
    LogInUseError
        Another gateway runs on this log.
    TamperError
        The log is not what it was when it was written.
    RollbackError
        Less is left of it than was signed, or than its anchor keeps.

    Notes
    -----
    Every call has an async twin with an ``a`` in front. A twin runs on a thread where the call
    may wait for the disk, else directly; cancelling it does not take back an order that it sent.
    ``check`` and ``submit`` are the core's own methods, so that an order costs no Python frame.
    """

    #: Decide `order` and change nothing; it is not logged.
    check: Callable[[Order], Decision]
    #: Decide `order`, reserve for it and log it. A refusal is an answer: it does not raise.
    submit: Callable[[Order], Decision]
    #: Pass the cancel of a working order on. It is never refused, and never throttled.
    cancel: Callable[[int], Decision]

    def __init__(
        self,
        limits: str | os.PathLike[str] | None,
        log: str | os.PathLike[str] | None = None,
        *,
        release: Literal["async", "durable"] = "async",
        origin: str | None = None,
        keys: str | os.PathLike[str] | None = None,
        anchor: str | os.PathLike[str] | None = None,
        witnesses: Iterable[Witness] = (),
        clock: ClockSync | None = _CLOCK,
        retention_years: int | None = None,
        retention_rule: Literal["17a-4(a)", "17a-4(b)", "rts6"] | None = None,
    ) -> None:
        if release not in ("async", "durable"):
            raise ValueError(f'release is {release!r}, must be "async" or "durable"')
        if retention_rule is not None and retention_years is None:
            raise ValueError("retention_rule goes with retention_years")
        text = None if limits is None else Path(limits).read_bytes()
        self._rounds = rounds(log, witnesses)
        self._core = _core.Gateway(
            text,
            "" if limits is None else os.fspath(limits),
            None if log is None else os.fspath(log),
            keys=None if keys is None else os.fspath(keys),
            origin=origin,
            anchor=None if anchor is None else os.fspath(anchor),
            release=release,
            retention_years=retention_years,
            rule=retention_rule,
        )
        self._log = None if log is None else Path(log)
        self._waits = log is not None
        self._is_durable = self._waits and release == "durable"
        self.check = self._core.check
        self.submit = self._core.submit
        self.cancel = self._core.cancel
        if self._waits and clock is not None:
            watch(self, clock)
        if self._rounds is not None:
            self._rounds.watch(self)

    # One order.

    async def acheck(self, order: Order) -> Decision:
        """Decide `order` and change nothing."""
        return self._core.check(order)

    async def asubmit(self, order: Order) -> Decision:
        """Decide, reserve, log and release `order`."""
        if self._is_durable:
            return await asyncio.to_thread(self._core.submit, order)
        return self._core.submit(order)

    async def acancel(self, order_id: int) -> Decision:
        """Pass the cancel of a working order on."""
        return await self._off_loop(self._core.cancel, order_id)

    # Many orders.

    def check_batch(self, orders: Any) -> npt.NDArray[Any]:
        """Decide orders as if they were submitted one after the other, then undo it.

        Parameters
        ----------
        orders : numpy.ndarray or table
            An array of `ORDER_DTYPE`, or a table with ``__arrow_c_stream__`` (pyarrow, polars,
            pandas) that has the columns of the CWTS file format.

        Returns
        -------
        numpy.ndarray
            `DECISION_DTYPE`, one row an order, in the same order.

        Raises
        ------
        TypeError, ValueError
            The array is not of that layout; the message names the field.
        """
        return decided(orders, self._core.check_batch, self._core.check_table)

    def submit_batch(self, orders: Any) -> npt.NDArray[Any]:
        """Submit orders one after the other; see `check_batch` for what goes in and out."""
        return decided(orders, self._core.submit_batch, self._core.submit_table)

    async def acheck_batch(self, orders: Any) -> npt.NDArray[Any]:
        """As `check_batch`, on a thread."""
        return await asyncio.to_thread(self.check_batch, orders)

    async def asubmit_batch(self, orders: Any) -> npt.NDArray[Any]:
        """As `submit_batch`, on a thread."""
        return await asyncio.to_thread(self.submit_batch, orders)

    # Many senders.

    def producer(self, name: str) -> Producer:
        """Open a named sender whose orders go through a queue of their own, without a lock.

        Parameters
        ----------
        name : str
            Who sends, at most 64 bytes. The log numbers its orders under an id of its own, and goes
            on with the same id and number after a restart.

        Raises
        ------
        ProducerError
            The name is unfit, or open already, or 64 producers are open.
        """
        from cwts.producer import Producer

        return Producer(self._core.producer(name), self._core)

    # What the world says: see MarketCalls.

    def on_execution_report(self, report: ExecReport) -> str:
        """Book what the venue says of an order, and give what it changed."""
        return self._core.on_execution_report(
            report.order_id,
            report.kind,
            price_e9(report.last_px, "last_px"),
            report.last_qty,
            report.cum_qty,
            report.exec_id,
        )

    async def aon_execution_report(self, report: ExecReport) -> str:
        """As `on_execution_report`."""
        return self.on_execution_report(report)

    # The kill switch.

    def halt(
        self,
        scope: str = "firm",
        *,
        reason: str,
        actor: str,
        allow_reduce: bool = False,
        cancel_working: bool = False,
    ) -> Hold:
        """Stop a scope: from now on only its cancels pass. It returns when that is durable.

        Parameters
        ----------
        scope : str
            ``"firm"``, or a kind and a name: ``"account:ACC1"``, ``"instrument:AAPL"``.
        reason, actor : str
            Why, and who; both stand in the log.
        allow_reduce : bool
            Whether orders that reduce a position still pass.
        cancel_working : bool
            Whether the gateway then cancels what works in the scope; ``cancels`` of the hold says
            how many, and `take_cancels` gives them to whoever has the session. A crash in between
            leaves the wish: the next start keeps it.

        Raises
        ------
        ScopeError
            There is no such scope; ``nearest`` is what may have been meant. Nothing was halted.
        """
        return self._stop(
            scope, cancel_working, reason=reason, actor=actor, allow_reduce=allow_reduce
        )

    def reduce(
        self, scope: str = "firm", *, reason: str, actor: str, cancel_working: bool = False
    ) -> Hold:
        """Restrict a scope to orders that reduce a position, and to cancels. See `halt`."""
        return self._stop(scope, cancel_working, reason=reason, actor=actor, reduce_only=True)

    def take_cancels(self) -> list[Decision]:
        """Give the decisions on cancels that came with halts, and that nobody took yet.

        ``order_id`` says which order each of them cancels. They come from `halt` and `reduce` of
        this program, from ``cwts halt --cancel-working``, and from a start that found such a
        request: whoever has the session to the venue asks for them now and then, and sends them.
        """
        return _core.take_cancels(self._core)

    def resume(self, hold: Hold | int, *, actor: str, approver: str, reason: str) -> None:
        """Lift a hold. It takes two people, and their keys where operators are listed.

        Raises
        ------
        PermissionDeniedError
            `actor` and `approver` are one person, or the hold does not stand.
        """
        number = hold.id if isinstance(hold, Hold) else hold
        self._core.resume(number, actor=actor, approver=approver, reason=reason)

    async def ahalt(
        self,
        scope: str = "firm",
        *,
        reason: str,
        actor: str,
        allow_reduce: bool = False,
        cancel_working: bool = False,
    ) -> Hold:
        """As `halt`; it works before it is durable."""
        return await self._kill_lane(
            lambda: self.halt(
                scope,
                reason=reason,
                actor=actor,
                allow_reduce=allow_reduce,
                cancel_working=cancel_working,
            )
        )

    async def areduce(
        self, scope: str = "firm", *, reason: str, actor: str, cancel_working: bool = False
    ) -> Hold:
        """As `reduce`."""
        return await self._kill_lane(
            lambda: self.reduce(scope, reason=reason, actor=actor, cancel_working=cancel_working)
        )

    async def atake_cancels(self) -> list[Decision]:
        """As `take_cancels`."""
        return self.take_cancels()

    async def aresume(self, hold: Hold | int, *, actor: str, approver: str, reason: str) -> None:
        """As `resume`."""
        await self._off_loop(
            lambda: self.resume(hold, actor=actor, approver=approver, reason=reason)
        )

    def holds(self) -> list[Hold]:
        """The holds that stand, oldest first."""
        return [Hold.from_row(row) for row in self._core.holds()]

    # The limits.

    def propose_limits(
        self,
        limits: str | os.PathLike[str],
        *,
        maker: str,
        reason: str,
        expires: str | datetime | None = None,
    ) -> Proposal:
        """Propose a limits file. A pure tightening is in force when this returns.

        Parameters
        ----------
        limits : path-like
            The new file, whole.
        maker : str
            Who proposes; an operator, who signs with the key in the key store, if any are listed.
        reason : str
            Why; it stands in the log.
        expires : str or datetime, optional
            When what it raises goes back to its standing values, as in ``"2026-11-23T21:00Z"``.

        Returns
        -------
        Proposal
            `active` says whether it is in force; if not, `approve_limits` is next.

        Raises
        ------
        LimitsError
            The file is wrong, by line and key, or cannot follow what is in force.
        PermissionDeniedError
            `maker` may not, or the signature does not count. Nothing has changed.
        """
        path = Path(limits)
        row = _core.propose_limits(
            self._core,
            path.read_bytes(),
            os.fspath(limits),
            maker=maker,
            reason=reason,
            expires_ns=expiry_ns(expires),
        )
        return Proposal.from_row(row)

    def approve_limits(self, proposal: Proposal | int, *, checker: str) -> Proposal:
        """Agree to a proposal: it is in force when this returns.

        Raises
        ------
        PermissionDeniedError
            `checker` is the maker, or may not; or the proposal waits no longer.
        """
        number = proposal.id if isinstance(proposal, Proposal) else proposal
        return Proposal.from_row(_core.approve_limits(self._core, number, checker=checker))

    async def apropose_limits(
        self,
        limits: str | os.PathLike[str],
        *,
        maker: str,
        reason: str,
        expires: str | datetime | None = None,
    ) -> Proposal:
        """As `propose_limits`, on a thread."""
        return await asyncio.to_thread(
            self.propose_limits, limits, maker=maker, reason=reason, expires=expires
        )

    async def aapprove_limits(self, proposal: Proposal | int, *, checker: str) -> Proposal:
        """As `approve_limits`, on a thread."""
        return await asyncio.to_thread(self.approve_limits, proposal, checker=checker)

    # What it holds.

    @property
    def limits_version(self) -> int:
        """The version of the limits in force; every decision names one."""
        return self._core.limits_version

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._core.is_closed

    def handle(self, kind: str, name: str) -> int | None:
        """Give the handle of a name, as `ORDER_DTYPE` wants it: kind is ``"account"`` etc."""
        return self._core.handle(kind, name)

    def position(self, account: str, symbol: str) -> int:
        """Give an account's position in a symbol, negative if short."""
        return self._core.position(account, symbol)

    def witnessed(self) -> list[dict[str, Any]]:
        """Tell of each witness: ``name``, ``url``, ``size`` cosigned, ``trouble``, ``is_alert``."""
        return [] if self._rounds is None else self._rounds.state()

    def state(self) -> dict[str, Any]:
        """Counts, holds, limit use and the state of the log, to read."""
        return self._core.state()

    def flush(self) -> None:
        """Wait until everything so far is on disk."""
        self._core.sync()

    async def aflush(self) -> None:
        """As `flush`."""
        await self._off_loop(self._core.sync)

    # The end.

    def close(self) -> dict[str, Any] | None:
        """End the log with a signed checkpoint and give it; ``None`` without a log.

        A second call does nothing. Where there are witnesses, they are asked a last time.
        """
        return close(self._core, self._rounds)

    async def aclose(self) -> dict[str, Any] | None:
        """As `close`."""
        return await self._off_loop(self.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        if self._core.is_closed:
            return "<cwts.Gateway, closed>"
        state = self._core.state()
        return (
            f"<cwts.Gateway: {state['orders']:,} orders, {state['accepted']:,} accepted, "
            f"limits version {state['limits_version']}, {len(state['holds'])} holds>"
        )

    def _stop(self, scope: str, cancel_working: bool, **how: Any) -> Hold:
        if not cancel_working:
            return self._hold(self._core.halt(scope, **how))
        number, cancels = _core.halt_and_cancel(self._core, scope, **how)
        return self._hold(number, cancels)

    def _hold(self, number: int, cancels: int = 0) -> Hold:
        for hold in self.holds():
            if hold.id == number:
                return replace(hold, cancels=cancels)
        raise LookupError(f"hold {number} was made and is already lifted by another thread")

    async def _off_loop(self, call: Callable[..., _T], *args: Any) -> _T:
        """Run what may wait for the disk on a thread, so that the loop goes on."""
        if self._waits:
            return await asyncio.to_thread(call, *args)
        return call(*args)

    async def _kill_lane(self, call: Callable[[], _T]) -> _T:
        """Run a halt on a thread of its own: it must not queue behind anybody's long work."""
        if not self._waits:
            return call()
        return await asyncio.get_running_loop().run_in_executor(_kill_thread(), call)


@cache
def _kill_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="cwts-kill")
