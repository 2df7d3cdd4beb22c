"""What goes into a gateway beside orders: prices, execution reports, holds."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal, SupportsIndex

__all__ = ["ExecReport", "Hold", "Price", "price_e9"]

#: Text, a Decimal, or an int of whole currency units. Never a float: 0.1 + 0.2 is not 0.3.
Price = str | Decimal | int

_SCALE: Final = 9
_I64_MAX: Final = 2**63 - 1
# 2^63 has 19 digits: whatever is larger than this many is outside, and need not be computed.
_DIGITS_MAX: Final = 19


def price_e9(value: object, name: str = "price") -> int:
    """Turn a price into units of 1e-9, exactly.

    Parameters
    ----------
    value : str, Decimal or int
        ``"585.33"``, ``Decimal("585.33")``; an int means whole currency units.
    name : str
        What to call it in an error.

    Raises
    ------
    TypeError
        A float, or anything else that does not say exactly what it means.
    ValueError
        Not a finite number, more than nine digits after the point, or outside 64 bits.
    """
    if isinstance(value, str):
        try:
            exact = Decimal(value.strip())
        except InvalidOperation:
            raise ValueError(f"{name} {value[:64]!r} is not a decimal number") from None
    elif isinstance(value, Decimal):
        exact = value
    elif isinstance(value, float):
        raise TypeError(
            f"{name} {value!r} is a float, and floats are not exact; write {str(value)!r}"
        )
    elif isinstance(value, SupportsIndex) and not isinstance(value, bool):
        exact = Decimal(operator.index(value))
    else:
        raise TypeError(
            f"{name} is a {type(value).__name__}; give text, a Decimal or whole units as an int"
        )
    return _scaled(exact, name)


def _scaled(exact: Decimal, name: str) -> int:
    if not exact.is_finite():
        raise ValueError(f"{name} {exact} is not a finite number")
    if exact.is_zero():
        return 0
    sign, digits, exponent = exact.as_tuple()
    shift = int(exponent) + _SCALE
    # Bounded before anything is computed: `1e999999999` must not become an integer.
    if exact.adjusted() + _SCALE >= _DIGITS_MAX:
        raise ValueError(f"{name} {exact} is outside 64 bits in units of 1e-9")
    if shift < 0 and (-shift >= len(digits) or any(digits[shift:])):
        raise ValueError(f"{name} {exact} has more than {_SCALE} digits after the point")
    kept = digits[:shift] if shift < 0 else digits
    magnitude = int("".join(map(str, kept))) * int(10 ** max(shift, 0))
    if magnitude > _I64_MAX:
        raise ValueError(f"{name} {exact} is outside 64 bits in units of 1e-9")
    return -magnitude if sign else magnitude


@dataclass(frozen=True, slots=True)
class Hold:
    """A halt, or a restriction to reducing orders, that stands until two people lift it."""

    id: int
    scope: str
    state: str
    actor: str
    reason: str
    #: Index of its entry in the log.
    seq: int
    #: A lower rank cannot lift a higher rank's hold.
    rank: int
    #: Whether reducing orders pass although the scope is halted.
    allow_reduce: bool
    #: Cancels that the call which made it sent; 0 of a hold that is only listed.
    cancels: int = 0

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Hold:
        """Build it from a row of the core."""
        return cls(
            id=int(row["id"]),
            scope=str(row["scope"]),
            state=str(row["state"]),
            actor=str(row["actor"]),
            reason=str(row["reason"]),
            seq=int(row["seq"]),
            rank=int(row["rank"]),
            allow_reduce=bool(row["allow_reduce"]),
        )


@dataclass(frozen=True, slots=True)
class ExecReport:
    """What the venue says of an order.

    `cum_qty`, the quantity filled so far, decides a fill: a report that comes twice, or late,
    books nothing twice.
    """

    order_id: int
    kind: Literal["new", "fill", "canceled", "replaced", "rejected", "expired", "done"]
    last_px: Price = 0
    last_qty: int = 0
    cum_qty: int = 0
    exec_id: str = ""
