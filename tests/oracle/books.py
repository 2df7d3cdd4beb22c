"""What is owned and what works: positions with their cost, orders with all their terms."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from oracle.rules import Unit

__all__ = ["Bound", "Cell", "Latch", "Term", "Watch", "Working"]


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
    cash: int = 0
    """Sales less purchases."""
    last: int = 0
    """The price of the last fill."""

    def trade(self, signed: int, px: int, unit: Unit) -> None:
        """A fill of so many (negative: sold) at a price."""
        self.last = px
        self.cash -= unit.signed(px * signed)
        closing = min(abs(signed), abs(self.pos)) if signed * self.pos < 0 else 0
        if closing:
            self.cost = -(-self.cost * (abs(self.pos) - closing) // abs(self.pos))
        self.cost += unit.money(abs(px) * (abs(signed) - closing))
        self.pos += signed

    def result(self, mark: int | None, unit: Unit) -> int:
        """Profit and loss since ever, at a reference price, or at the last fill without one."""
        return self.cash + unit.signed((self.last if mark is None else mark) * self.pos)


@dataclass
class Latch:
    """Refuses from a breach on, until the hold that stands for it is lifted."""

    is_set: bool = False
    hold: int | None = None

    def catch(self, hold: int) -> None:
        """A hold of rank 2 or higher: it stands for a latch that has none."""
        if self.is_set and self.hold is None:
            self.hold = hold

    def lift(self, hold: int) -> None:
        """A hold is lifted, and the latch if it stood for that."""
        if self.is_set and self.hold == hold:
            self.is_set, self.hold = False, None


@dataclass
class Bound:
    """The most that a day's result may lose, and its latch."""

    most: int
    confirm: int
    in_row: int = 0
    latch: Latch = field(default_factory=Latch)

    def see(self, lost: int, *, is_fill: bool) -> None:
        """A fill beyond the bound is enough; marks must be so many in a row."""
        self.in_row = self.in_row + 1 if lost > self.most else 0
        if lost > self.most and (is_fill or self.in_row >= self.confirm):
            self.latch.is_set = True


@dataclass
class Watch:
    """The bounds of a node or strategy on its day's result."""

    loss: Bound | None
    fall: Bound | None
    base: int = 0
    peak: int = 0

    def see(self, result: int, *, is_fill: bool) -> None:
        """The result after a fill, or at a mark."""
        today = result - self.base
        self.peak = max(self.peak, today)
        if self.loss is not None:
            self.loss.see(-today, is_fill=is_fill)
        if self.fall is not None:
            self.fall.see(self.peak - today, is_fill=is_fill)

    def latches(self) -> list[Latch]:
        """Its latches, set or not."""
        return [bound.latch for bound in (self.loss, self.fall) if bound is not None]

    def roll(self, result: int) -> None:
        """A new day."""
        self.base, self.peak = result, 0
        for bound in (self.loss, self.fall):
            if bound is not None:
                bound.in_row, bound.latch = 0, Latch()
