"""The gateway's pure state, in exact Python integers, and what each entry does to it.

Written from ``docs/controls.md``. Sums are not kept but added up anew from what works and what is
held, each time: slow, and without a way to drift. :mod:`oracle.checks` judges an order against it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

from oracle.books import Bound, Cell, Latch, Term, Watch, Working
from oracle.entries import (
    CANCEL,
    LIMIT,
    MASS_CANCEL,
    NEW,
    PEGGED,
    STOP_LIMIT,
    Entry,
    Exec,
    Kill,
    Locate,
    Order,
    Override,
    Reference,
    Register,
    Resume,
    Session,
)
from oracle.market import Market
from oracle.rules import Rules, duration, micros

__all__ = ["DAY", "KINDS", "PENDING_MAX", "Model", "Scope", "equal_key", "is_priced"]

DAY = 86_400 * 10**9
KINDS = ("firm", "desk", "customer", "account", "strategy", "instrument", "venue", "", "session")
PENDING_MAX = 64
LATCH_RANK = 2
"""A hold of this rank or a higher one stands for the latches of its scope."""

Scope = tuple[str, int]
"""A kind (a section of the limits file) and a handle; 0 for the firm."""


class Model:
    """State under one limits file."""

    def __init__(self, text: str) -> None:
        self.rules = Rules(text)
        self.t = 0
        self.day: int | None = None
        self.names: dict[Scope, str] = {("firm", 0): ""}
        self.parents: dict[Scope, int] = {}
        self.chains: dict[int, list[Scope]] = {}
        self.markets: dict[int, Market] = {}
        self.phases: dict[Scope, int] = {}
        self.reconciling: set[int] = set()
        self.holds: dict[int, Kill] = {}
        self.working: list[Working] = []
        self.orders: dict[int, Working] = {}
        self.ended: set[int] = set()
        self.known: set[int] = set()
        self.execs: set[int] = set()
        self.cells: dict[tuple[int, int], Cell] = defaultdict(Cell)
        self.own: dict[tuple[int, int], Cell] = defaultdict(Cell)
        self.watches: dict[Scope, Watch] = {}
        self.located: dict[tuple[int, int], int] = {}
        self.filled_money: dict[Scope, int] = defaultdict(int)
        self.filled: dict[tuple[int, int], int] = defaultdict(int)
        self.filled_short: dict[tuple[int, int], int] = defaultdict(int)
        self.orders_today: dict[Scope, int] = defaultdict(int)
        self.accepted_today = 0
        self.messages: dict[Scope, list[int]] = defaultdict(list)
        self.attempts: dict[Scope, list[int]] = defaultdict(list)
        self.fills: dict[int, list[int]] = defaultdict(list)
        self.repeated: dict[int, Latch] = defaultdict(Latch)
        self.accepted: dict[Scope, list[tuple[int, int]]] = defaultdict(list)
        self.equal: dict[tuple[int, int, int, int, int], list[int]] = defaultdict(list)
        self.last_accepted: dict[int, int] = {}
        self.blocked: dict[int, Order] = {}
        self.granted: dict[int, tuple[Override, Order]] = {}

    # Names and places.

    def register(self, entry: Register) -> None:
        """A handle gets its name."""
        scope = (KINDS[entry.kind], entry.handle)
        self.names[scope] = entry.name
        self.parents[scope] = entry.parent
        if scope[0] == "instrument":
            keys = self.rules.section("instrument", entry.name)
            move = keys.get("price_move")
            period = None if move is None else duration(move["period"])
            self.markets[entry.handle] = Market(keys.get("price_collar"), period)

    def limit(self, scope: Scope, key: str) -> Any:
        """What the file says of a place."""
        return self.rules.get(scope[0], self.names[scope], key)

    def money(self, scope: Scope, key: str) -> int | None:
        """The same, as money."""
        return self.rules.money(scope[0], self.names[scope], key)

    def chain(self, account: int) -> list[Scope]:
        """The nodes of an account, from itself to the firm."""
        if account in self.chains:
            return self.chains[account]
        nodes: list[Scope] = [("account", account)]
        for kind, above in (("account", "customer"), ("customer", "desk")):
            parent = self.parents[(kind, nodes[-1][1])] if nodes[-1][0] == kind else 0
            if parent:
                nodes.append((above, parent))
        self.chains[account] = [*nodes, ("firm", 0)]
        return self.chains[account]

    def is_under(self, account: int, node: Scope) -> bool:
        return node in self.chain(account)

    def session(self, strategy: int) -> int:
        """The session over which a strategy sends; 0 if none is written."""
        name = self.limit(("strategy", strategy), "session")
        found = [h for (kind, h), n in self.names.items() if kind == "session" and n == name]
        return found[0] if name is not None and found else 0

    def venue(self, instrument: int) -> int:
        return self.parents[("instrument", instrument)]

    def tick(self, instrument: int) -> int:
        return self.rules.tick(self.names[("instrument", instrument)])

    # Sums.

    def works(self, node: Scope) -> list[Working]:
        """The working orders of a node or strategy."""
        if node[0] == "strategy":
            return [order for order in self.working if order.strategy == node[1]]
        return [order for order in self.working if self.is_under(order.account, node)]

    def held(self, node: Scope) -> list[tuple[int, Cell]]:
        """The instruments and positions of a node or strategy."""
        if node[0] == "strategy":
            return [(i, cell) for (s, i), cell in self.own.items() if s == node[1]]
        return [(i, cell) for (a, i), cell in self.cells.items() if self.is_under(a, node)]

    def work(self, account: int, instrument: int, *, buys: bool) -> int:
        """The quantity that works on one side."""
        return sum(
            order.leaves()
            for order in self.working
            if (order.account, order.instrument, order.is_buy) == (account, instrument, buys)
        )

    def result(self, node: Scope) -> int:
        """Profit and loss since ever."""
        return sum(
            cell.result(self.markets[i].px, self.rules.unit(self.names[("instrument", i)]))
            for i, cell in self.held(node)
        )

    # Time.

    def pass_time(self, t: int) -> None:
        """The clock of the fold; it never steps back."""
        self.t = max(self.t, t)
        day = (self.t - self.rules.roll) // DAY
        if self.day is not None and day > self.day:
            self.roll_day()
        self.day = day

    def roll_day(self) -> None:
        for daily in (self.filled_money, self.filled, self.filled_short, self.orders_today):
            daily.clear()
        self.located.clear()
        self.accepted_today = 0
        if self.rules.duplicate_id is not None:
            self.known.clear()
        for node, watch in self.watches.items():
            watch.roll(self.result(node))

    def watch(self, node: Scope) -> Watch | None:
        """The latches of a node, if the file sets any."""
        if node not in self.watches:
            loss, fall = self.limit(node, "loss_limit"), self.limit(node, "drawdown")
            if loss is None and fall is None:
                return None
            self.watches[node] = Watch(bound(loss, "day"), bound(fall, "max"))
        return self.watches[node]

    # Entries other than orders.

    def apply(self, entry: Entry) -> None:
        """Take in an entry that is no order."""
        match entry:
            case Register():
                self.register(entry)
            case Reference():
                self.pass_time(entry.ts)
                self.reference(entry)
            case Exec():
                self.pass_time(entry.ts)
                self.execution(entry)
            case Session():
                self.pass_time(entry.ts)
                self.phases[(("instrument", "venue", "session")[entry.kind], entry.handle)] = (
                    entry.phase
                )
                if entry.kind == 1:
                    self.reconciling.discard(entry.handle)
            case Locate():
                self.pass_time(entry.ts)
                self.located[(entry.account, entry.instrument)] = entry.qty
            case Kill():
                self.kill(entry)
            case Resume():
                self.resume(entry)
            case Override():
                self.pass_time(entry.ts)
                self.granted[entry.order_id] = (
                    entry,
                    replace(self.blocked[entry.order_id], ts=0),
                )
            case _:
                self.pass_time(entry.ts)

    def kill(self, entry: Kill) -> None:
        """A hold, which may stand for latches."""
        self.holds[entry.hold] = entry
        if entry.rank >= LATCH_RANK:
            for latch in self.latches((KINDS[entry.scope_kind], entry.scope)):
                latch.catch(entry.hold)

    def resume(self, entry: Resume) -> None:
        """A hold is lifted, and the latches that it stood for."""
        kill = self.holds.pop(entry.hold)
        for latch in self.latches((KINDS[kill.scope_kind], kill.scope)):
            latch.lift(entry.hold)

    def latches(self, scope: Scope) -> list[Latch]:
        """The latches of a scope, set or not."""
        watch = self.watches.get(scope)
        out = [] if watch is None else watch.latches()
        return [*out, self.repeated[scope[1]]] if scope[0] == "strategy" else out

    def reference(self, entry: Reference) -> None:
        if self.markets[entry.instrument].take(entry) is None:
            return
        for node in list(self.names):
            if node[0] not in ("firm", "desk", "customer", "account", "strategy"):
                continue
            watch = self.watch(node)
            holds = any(i == entry.instrument and c.pos for i, c in self.held(node))
            if watch is not None and holds:
                watch.see(self.result(node), is_fill=False)

    def execution(self, entry: Exec) -> None:
        if entry.exec_id and entry.exec_id in self.execs:
            return
        self.execs.add(entry.exec_id)
        order = self.orders.get(entry.order_id)
        if order is None:
            if entry.type == "F" and entry.venue:
                self.reconciling.add(entry.venue)
            return
        if entry.type == "F":
            self.fill(order, entry)
        elif entry.type == "5":
            self.confirm(order, entry.order_id)
        elif entry.type in "34C8":
            waiting = [term for term in order.pending if term.name == entry.order_id]
            if entry.type == "8" and waiting:
                order.pending.remove(waiting[0])
            elif entry.type != "8" or entry.order_id == order.term.name:
                self.end(order)
        if not order.leaves():
            self.end(order)

    def confirm(self, order: Working, name: int) -> None:
        """A replace took place: the one that is named, else the oldest."""
        if order.pending:
            names = [term.name for term in order.pending]
            at = names.index(name) if name in names else 0
            order.term, order.pending = order.pending[at], order.pending[at + 1 :]

    def end(self, order: Working) -> None:
        """Nothing of it works any more; its late fills are still its."""
        if order in self.working:
            self.working = [other for other in self.working if other is not order]

    def fill(self, order: Working, entry: Exec) -> None:
        total = entry.cum_qty or order.cum + entry.last_qty
        qty = max(0, total - order.cum)
        if not qty:
            return
        order.cum += qty
        signed = qty if order.is_buy else -qty
        at = (order.account, order.instrument)
        self.cells[at].trade(signed, entry.last_px, order.unit)
        self.own[(order.strategy, order.instrument)].trade(signed, entry.last_px, order.unit)
        self.filled[at] += qty
        self.filled_short[at] += qty if order.is_short else 0
        nodes = self.chain(order.account)
        for node in nodes:
            self.filled_money[node] += order.unit.money(abs(entry.last_px) * qty)
        for node in [*nodes, ("strategy", order.strategy)]:
            watch = self.watch(node)
            if watch is not None:
                watch.see(self.result(node), is_fill=True)
        rule = self.limit(("strategy", order.strategy), "repeated_execution")
        if rule is not None:
            times = self.fills[order.strategy]
            times.append(self.t)
            recent = [t for t in times if t > self.t - duration(rule["window"])]
            if len(recent) >= rule["max"]:
                self.repeated[order.strategy].is_set = True

    # Orders.

    def counted(self, order: Order) -> int | None:
        """The price that an order is counted at; None if there is nothing to count it at."""
        band = self.markets[order.instrument].band(self.tick(order.instrument))
        far = None if band is None else max(abs(band[0]), abs(band[1]))
        if not is_priced(order):
            return far
        if order.type == STOP_LIMIT and far is not None:
            return max(abs(order.px), far)
        return abs(order.px)

    def places(self, order: Order | Working) -> list[Scope]:
        """Where a message is counted."""
        return [
            ("strategy", order.strategy),
            ("account", order.account),
            ("session", self.session(order.strategy)),
            ("instrument", order.instrument),
            ("venue", self.venue(order.instrument)),
        ]

    def count_attempt(self, order: Order) -> None:
        """Whatever was asked for by a strategy that is known."""
        if ("strategy", order.strategy) in self.names:
            self.attempts[("strategy", order.strategy)].append(self.t)
            self.attempts[("session", self.session(order.strategy))].append(self.t)

    def cancel(self, order: Order, *, replayed: bool) -> bool:
        """A cancel passes; says whether it names a working order."""
        target = self.target(order.ref_id)
        known = target is not None or order.kind == MASS_CANCEL
        place: Order | Working = order if target is None else target
        if all(
            scope in self.names
            for scope in (("strategy", place.strategy), ("instrument", place.instrument))
        ):
            for scope in self.places(place):
                self.messages[scope].append(self.t)
        if replayed and target is not None and order.kind == CANCEL:
            qty = target.term.qty - order.qty if order.qty > 0 else 0
            target.term = replace(target.term, qty=qty)
            if not target.leaves():
                # The file said that it ended, and knows of no late fills.
                self.end(target)
                self.orders = {i: o for i, o in self.orders.items() if o is not target}
        return known

    def target(self, ref_id: int) -> Working | None:
        """The working order with this id, or with a replace of this id."""
        order = self.orders.get(ref_id)
        return order if order is not None and any(o is order for o in self.working) else None

    def accept(self, order: Order, added: int, *, replayed: bool) -> None:
        """An order or replace goes out."""
        counted = self.counted(order)
        assert counted is not None
        term = Term(order.order_id, counted, order.qty, order.px if is_priced(order) else None)
        if order.kind == NEW:
            unit = self.rules.unit(self.names[("instrument", order.instrument)])
            made = Working(order.account, order.instrument, order.strategy, order.side, unit, term)
            self.working.append(made)
            self.orders[order.order_id] = made
            for scope in (("strategy", order.strategy), ("account", order.account)):
                self.orders_today[scope] += 1
        else:
            target = self.orders[order.ref_id]
            target.side = order.side
            self.orders[order.order_id] = target
            if replayed:
                target.term, target.pending = term, []
            else:
                target.pending.append(term)
        self.known.add(order.order_id)
        for scope in self.places(order):
            self.messages[scope].append(self.t)
        for node in [*self.chain(order.account), ("strategy", order.strategy)]:
            self.accepted[node].append((self.t, added))
        self.equal[equal_key(order)].append(self.t)
        self.last_accepted[order.account] = self.t


def bound(rule: Any, key: str) -> Bound | None:
    """A bound on losses as the file writes it."""
    return None if rule is None else Bound(micros(rule[key]), rule.get("confirm_marks", 3))


def is_priced(order: Order) -> bool:
    """Whether the sender gave a price."""
    return order.type in (LIMIT, STOP_LIMIT) or (order.type == PEGGED and order.px != 0)


def equal_key(order: Order) -> tuple[int, int, int, int, int]:
    """What makes two orders equal."""
    return (order.account, order.instrument, order.side, order.px, order.qty)
