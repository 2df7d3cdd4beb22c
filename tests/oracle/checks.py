"""Whether an order violates a control: one function a row of ``docs/controls.md``.

``decide`` gives the mask of all of them, and lets the model accept what has none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from oracle.books import Term, Working
from oracle.entries import (
    AUCTION,
    BUY,
    CANCEL,
    LIMIT,
    MARKET,
    MASS_CANCEL,
    NEW,
    ODD_LOT,
    REPLACE,
    SHORT,
    STOP,
    STOP_LIMIT,
    Order,
)
from oracle.market import Market
from oracle.model import KINDS, PENDING_MAX, Model, Scope, is_priced
from oracle.severity import weigh

__all__ = ["Ask", "decide", "is_malformed"]

I64_MAX = 2**63 - 1
UNKNOWN_HANDLE, MALFORMED, UNKNOWN_ORDER, ATTEMPT_RATE = 1, 2, 25, 27
RESERVED = 64 | 128


def is_malformed(model: Model, order: Order, target: Working | None) -> bool:
    """Whether the record contradicts itself."""
    keys = {}
    if ("instrument", order.instrument) in model.names:
        keys = model.rules.section("instrument", model.names[("instrument", order.instrument)])
    if (
        order.qty <= 0
        or order.flags & RESERVED
        or order.kind not in (NEW, REPLACE)
        or order.side not in (1, 2, 5, 6)
        or order.type not in (1, 2, 3, 4, 5)
        or order.tif > 9
        or (order.kind == NEW and order.ref_id != 0)
    ):
        return True
    if target is not None and (
        (order.account, order.instrument, order.strategy, order.side == BUY)
        != (target.account, target.instrument, target.strategy, target.is_buy)
        or order.qty <= target.cum
    ):
        return True
    if order.type in (MARKET, STOP):
        return order.px != 0
    if keys.get("allow_nonpositive", False):
        return order.px == -(2**63)
    return order.px < 0 or (order.px == 0 and order.type in (LIMIT, STOP_LIMIT))


@dataclass
class Ask:
    """An order that names known things, and what it comes to."""

    model: Model
    order: Order
    target: Working | None
    live: bool

    @property
    def t(self) -> int:
        return self.model.t

    @property
    def account(self) -> Scope:
        return ("account", self.order.account)

    @property
    def strategy(self) -> Scope:
        return ("strategy", self.order.strategy)

    @property
    def instrument(self) -> Scope:
        return ("instrument", self.order.instrument)

    @property
    def at(self) -> tuple[int, int]:
        return (self.order.account, self.order.instrument)

    @cached_property
    def nodes(self) -> list[Scope]:
        return self.model.chain(self.order.account)

    @cached_property
    def market(self) -> Market:
        return self.model.markets[self.order.instrument]

    @property
    def symbol(self) -> str:
        return self.model.names[self.instrument]

    @property
    def is_buy(self) -> bool:
        return self.order.side == BUY

    @property
    def is_new(self) -> bool:
        return self.order.kind == NEW

    @cached_property
    def priced(self) -> bool:
        return is_priced(self.order)

    @cached_property
    def counted(self) -> int | None:
        return self.model.counted(self.order)

    @cached_property
    def n(self) -> int:
        """The order's whole notional; 0 if there is nothing to count it at."""
        unit = self.model.rules.unit(self.symbol)
        return unit.money((self.counted or 0) * self.order.qty)

    @cached_property
    def term(self) -> Term:
        return Term(self.order.order_id, self.counted or 0, self.order.qty, None)

    @cached_property
    def added(self) -> int:
        """Notional that it adds to what is reserved."""
        if self.target is None:
            return self.n
        return self.target.money([self.term]) - self.target.money()

    @cached_property
    def added_qty(self) -> int:
        """Quantity that it adds to what is reserved."""
        if self.target is None:
            return self.order.qty
        return self.target.leaves([self.term]) - self.target.leaves()

    @cached_property
    def pos(self) -> int:
        return self.model.cells[self.at].pos

    @cached_property
    def work(self) -> int:
        """The quantity that works on the order's side."""
        return self.model.work(*self.at, buys=self.is_buy)

    @cached_property
    def reduces(self) -> bool:
        """Whether it cannot take the position across zero, or only makes an order smaller."""
        total = self.work + self.added_qty
        if self.target is not None and not self.added:
            left = self.order.qty - self.target.cum
            if left < self.target.leaves():
                return True
        return total <= -self.pos if self.is_buy else total <= self.pos

    def open_money(self, node: Scope) -> int:
        return sum(order.money() for order in self.model.works(node))

    def cost(self, node: Scope) -> int:
        return sum(cell.cost for _, cell in self.model.held(node))

    def phases(self) -> list[int]:
        """The known phases of the instrument and its venue."""
        venue = ("venue", self.model.venue(self.order.instrument))
        found = (self.model.phases.get(scope) for scope in (self.instrument, venue))
        return [phase for phase in found if phase is not None]


Check = Callable[[Ask], bool]


def decide(
    model: Model, order: Order, checks: dict[int, Check], exempt: set[int], *, replayed: bool
) -> int:
    """All violated controls of an order; without any it is accepted."""
    model.pass_time(order.ts)
    if order.kind in (CANCEL, MASS_CANCEL):
        known = model.cancel(order, replayed=replayed)
        model.count_attempt(order)
        return 0 if known else 1 << UNKNOWN_ORDER
    target = model.target(order.ref_id) if order.kind == REPLACE else None
    mask = 1 << UNKNOWN_ORDER if order.kind == REPLACE and target is None else 0
    wanted: list[Scope] = [
        ("account", order.account),
        ("instrument", order.instrument),
        ("strategy", order.strategy),
    ]
    if any(scope not in model.names for scope in wanted):
        mask |= 1 << UNKNOWN_HANDLE
    if is_malformed(model, order, target):
        mask |= 1 << MALFORMED
    if mask & (1 << UNKNOWN_HANDLE | 1 << MALFORMED):
        mask |= lost(model, order)
    else:
        ask = Ask(model, order, target, live=not replayed)
        for bit, check in checks.items():
            if not (bit in exempt and ask.reduces) and check(ask):
                mask |= 1 << bit
        if mask:
            mask = weigh(model, order, mask, replayed=replayed)
        if not mask:
            model.accept(order, ask.added, replayed=replayed)
    model.count_attempt(order)
    return mask


def lost(model: Model, order: Order) -> int:
    """What is still told to an order that names nobody or makes no sense: what is held."""
    scopes = (
        ("account", order.account),
        ("instrument", order.instrument),
        ("strategy", order.strategy),
    )
    if any(scope not in model.names for scope in scopes):
        order = Order(order.ts)  # it has no scopes but the firm
    mask = 0
    for state, _ in holds(model, order):
        mask |= 1 << (46 if state == 1 else 47)
    return mask


def holds(model: Model, order: Order) -> list[tuple[int, bool]]:
    """States and exits of the holds that an order is under."""
    mine: list[Scope] = [("firm", 0)]
    if ("account", order.account) in model.names:
        mine = [*model.chain(order.account)]
    if ("strategy", order.strategy) in model.names:
        mine += [("strategy", order.strategy), ("session", model.session(order.strategy))]
    if ("instrument", order.instrument) in model.names:
        mine += [("instrument", order.instrument), ("venue", model.venue(order.instrument))]
    return [
        (kill.state, kill.allow_reduce)
        for kill in model.holds.values()
        if (KINDS[kill.scope_kind], kill.scope) in mine
    ]


def is_full(ask: Ask) -> bool:
    """Whether too many replaces of the order are unanswered."""
    return ask.target is not None and len(ask.target.pending) >= PENDING_MAX


def in_auction(ask: Ask) -> bool:
    """Whether the order is for an auction, or comes in one."""
    return (
        any(phase in (4, 5) for phase in ask.phases())
        or bool(ask.order.flags & AUCTION)
        or ask.order.tif in (2, 7)
    )


def is_odd_lot(ask: Ask) -> bool:
    return bool(ask.order.flags & ODD_LOT)


def is_marked_short(ask: Ask) -> bool:
    return ask.order.side >= SHORT


def is_watched_sale(ask: Ask) -> bool:
    """Whether the rules on short sales look at it."""
    return not ask.is_buy and ask.model.limit(ask.instrument, "reg_sho") is True
