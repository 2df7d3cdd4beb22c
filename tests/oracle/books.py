"""What is owned and what works: positions with their cost, orders with all their terms."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from oracle.rules import Unit

__all__ = ["Cell", "Term", "Watch", "Working"]


@dataclass(frozen=True)
class Term:
    """One price and quantity that an order has, or will have if the venue says so."""

    name: int
    """The id under which these terms were sent."""
    counted: int
    """The price that credit is reserved at; never negative."""
    qty: int
    px: int | None
    """The sender's price; None if it gave none."""


@dataclass
class Working:
    """An accepted order."""

    account: int
    instrument: int
    strategy: int
    side: int
    unit: Unit
    term: Term
    pending: list[Term] = field(default_factory=list)
    cum: int = 0

    @property
    def is_buy(self) -> bool:
        return self.side == 1

    @property
    def is_short(self) -> bool:
        return self.side > 2

    def terms(self) -> list[Term]:
        """All terms under which the venue may fill it."""
        return [self.term, *self.pending]

    def leaves(self, more: Iterable[Term] = ()) -> int:
        """The quantity that may still fill."""
        return max(max(0, term.qty - self.cum) for term in [*self.terms(), *more])

    def money(self, more: Iterable[Term] = ()) -> int:
        """The most that its fills may cost, whichever terms the venue fills it under.

        The dearest terms fill first, to their quantity; then the next ones what they have more.
        """
        raw = covered = 0
        for term in sorted([*self.terms(), *more], key=lambda term: -term.counted):
            beyond = max(0, term.qty - self.cum - covered)
            raw += term.counted * beyond
            covered += beyond
        return self.unit.money(raw)


@dataclass
class Cell:
    """What somebody holds of one instrument."""

    pos: int = 0
    cost: int = 0
    realised: int = 0

    def trade(self, signed: int, px: int, unit: Unit) -> None:
        """A fill of so many (negative: sold) at a price."""
        closing = min(abs(signed), abs(self.pos)) if signed * self.pos < 0 else 0
        if closing:
            left = -(-self.cost * (abs(self.pos) - closing) // abs(self.pos))
            gain = unit.money(abs(px) * closing) - (self.cost - left)
            self.realised += gain if self.pos > 0 else -gain
            self.cost = left
            self.pos += closing if signed > 0 else -closing
        opening = abs(signed) - closing
        if opening:
            self.cost += unit.money(abs(px) * opening)
            self.pos += opening if signed > 0 else -opening

    def result(self, mark: int | None, unit: Unit) -> int:
        """Profit and loss since ever, at a reference price."""
        if mark is None or not self.pos:
            return self.realised
        value = unit.money(abs(mark * self.pos)) - self.cost
        return self.realised + (value if self.pos > 0 else -value)


@dataclass
class Watch:
    """The latches of a node or strategy on its day's result."""

    loss: int | None
    loss_confirm: int
    fall: int | None
    fall_confirm: int
    base: int = 0
    peak: int = 0
    loss_marks: int = 0
    fall_marks: int = 0
    loss_since: int | None = None
    """The last hold before it latched; None while it has not."""
    fall_since: int | None = None

    def see(self, result: int, last_hold: int, *, is_fill: bool) -> None:
        """The result after a fill, or at a mark."""
        today = result - self.base
        self.peak = max(self.peak, today)
        if self.loss is not None:
            breach = today < -self.loss
            self.loss_marks = self.loss_marks + 1 if breach and not is_fill else 0
            found = breach and (is_fill or self.loss_marks >= self.loss_confirm)
            if found and self.loss_since is None:
                self.loss_since = last_hold
        if self.fall is not None:
            breach = self.peak - today > self.fall
            self.fall_marks = self.fall_marks + 1 if breach and not is_fill else 0
            found = breach and (is_fill or self.fall_marks >= self.fall_confirm)
            if found and self.fall_since is None:
                self.fall_since = last_hold

    def lift(self, hold: int) -> None:
        """The hold that was made of it is lifted."""
        if self.loss_since is not None and self.loss_since < hold:
            self.loss_since = None
        if self.fall_since is not None and self.fall_since < hold:
            self.fall_since = None

    def roll(self, result: int) -> None:
        """A new day."""
        self.base, self.peak = result, 0
        self.loss_marks = self.fall_marks = 0
        self.loss_since = self.fall_since = None
