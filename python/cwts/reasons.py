"""The controls, as the flags that a decision's mask is made of."""

from __future__ import annotations

from enum import IntFlag
from functools import cache
from typing import Any

from cwts import _core

__all__ = ["RejectReason"]


class RejectReason(IntFlag):
    """Why an order was refused: one flag a control, by the bit that it has for ever.

    ``RejectReason(decision.mask)`` is the set of all violated controls. A single member knows
    the rule that it enforces; so that an editor can complete them, the members are written out,
    and a test compares them with the core's table.
    """

    LIMIT_NOT_SET = 1 << 0
    UNKNOWN_HANDLE = 1 << 1
    MALFORMED = 1 << 2
    ARITHMETIC_OVERFLOW = 1 << 3
    MAX_ORDER_QTY = 1 << 4
    MIN_ORDER_QTY = 1 << 5
    LOT_SIZE = 1 << 6
    TICK_SIZE = 1 << 7
    MAX_ORDER_NOTIONAL = 1 << 8
    MIN_ORDER_NOTIONAL = 1 << 9
    PRICE_COLLAR = 1 << 10
    REFERENCE_MISSING = 1 << 11
    REFERENCE_STALE = 1 << 12
    PRICE_MOVE = 1 << 13
    LULD_BAND = 1 << 14
    INSTRUMENT_HALTED = 1 << 15
    MARKET_WIDE_HALT = 1 << 16
    SESSION_CLOSED = 1 << 17
    AUCTION_RULE = 1 << 18
    ORDER_TYPE_NOT_ALLOWED = 1 << 19
    RESTRICTED_INSTRUMENT = 1 << 20
    NOT_PERMITTED = 1 << 21
    SHORT_MARK = 1 << 22
    SHORT_SALE_RESTRICTION = 1 << 23
    LOCATE = 1 << 24
    UNKNOWN_ORDER = 1 << 25
    MESSAGE_RATE = 1 << 26
    ATTEMPT_RATE = 1 << 27
    DUPLICATE_ID = 1 << 28
    DUPLICATE_ORDER = 1 << 29
    REPEATED_EXECUTION = 1 << 30
    WINDOW_NOTIONAL = 1 << 31
    MAX_POSITION = 1 << 32
    MAX_OPEN_ORDERS = 1 << 33
    MAX_OPEN_NOTIONAL = 1 << 34
    CREDIT_LIMIT = 1 << 35
    NET_EXPOSURE = 1 << 36
    CONCENTRATION = 1 << 37
    DAILY_NOTIONAL = 1 << 38
    DAILY_QTY = 1 << 39
    DAILY_ORDERS = 1 << 40
    BUYING_POWER = 1 << 41
    LOSS_LIMIT = 1 << 42
    DRAWDOWN = 1 << 43
    SELF_TRADE = 1 << 44
    REDUCE_ONLY_WOULD_INCREASE = 1 << 45
    KILL_REDUCE_ONLY = 1 << 46
    KILL_HALTED = 1 << 47
    SLOW_DOWN = 1 << 48
    RECONCILING = 1 << 49
    AUDIT_BACKPRESSURE = 1 << 50

    @property
    def citation(self) -> str:
        """The rule that asks for the control."""
        return str(self._row()["citation"])

    @property
    def fix103(self) -> int:
        """The FIX OrdRejReason (103) that a session answers with."""
        return int(self._row()["fix103"])

    @property
    def text(self) -> str:
        """The control in one sentence."""
        return str(self._row()["text"])

    def _row(self) -> dict[str, Any]:
        row = _rows().get(int(self))
        if row is None:
            names = [member.name for member in self]
            raise ValueError(f"{names} is not one control; iterate over the set")
        return row


@cache
def _rows() -> dict[int, dict[str, Any]]:
    return {1 << int(row["bit"]): row for row in _core.controls()}
