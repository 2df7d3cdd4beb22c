"""Streams of entries by chance, made along the oracle's own state, so that they hit something."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

from oracle.books import Working
from oracle.checks import decide
from oracle.controls import CHECKS, EXEMPT
from oracle.entries import (
    AUCTION,
    CANCEL,
    ISO,
    LIMIT,
    MARKET,
    MASS_CANCEL,
    NEW,
    ODD_LOT,
    PEGGED,
    POST_ONLY,
    REDUCE_ONLY,
    REPLACE,
    STOP,
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
    Tick,
)
from oracle.model import KINDS, Model
from oracle.policies import (
    ACCOUNTS,
    ALWAYS_HARD,
    CUSTOMERS,
    INSTRUMENTS,
    STRATEGIES,
    Policy,
)

__all__ = ["Case", "make", "masks"]

UNIT = 10**9
MS = 10**6
START = 1_700_000_000 * UNIT
LAST_TRADE, EXTERNAL, MID, RESTRICTED_ON, RESTRICTED_OFF, NO_BAND = 1, 2, 4, 8, 16, 32


@dataclass
class Case:
    """A limits file and entries under it."""

    limits: str
    replayed: bool
    entries: list[Entry] = field(default_factory=list)
    masks: list[int] = field(default_factory=list)


def registrations() -> list[Register]:
    """The firm: parents first, and venues and sessions before what uses them."""
    out = [Register(6, 1, 0, "V"), Register(6, 2, 0, "W"), Register(1, 1, 0, "d")]
    out.append(Register(8, 1, 0, "X"))
    out += [Register(2, i, 1, name) for i, name in enumerate(CUSTOMERS, 1)]
    for i, (name, customer) in enumerate(ACCOUNTS.items(), 1):
        parent = CUSTOMERS.index(customer) + 1 if customer else 0
        out.append(Register(3, i, parent, name))
    out += [Register(4, i, 0, name) for i, name in enumerate(STRATEGIES, 1)]
    venues = {"V": 1, "W": 2}
    out += [Register(5, i, venues[v], name) for i, (name, v) in enumerate(INSTRUMENTS.items(), 1)]
    return out


def run(model: Model, entry: Entry, bits: set[int], *, replayed: bool) -> int | None:
    """One entry; the mask if it is an order."""
    if not isinstance(entry, Order):
        model.apply(entry)
        return None
    checks = {bit: check for bit, check in CHECKS.items() if bit in bits}
    return decide(model, entry, checks, EXEMPT, replayed=replayed)


def masks(case: Case, bits: set[int]) -> list[int]:
    """What the oracle says of each order of a case."""
    model = Model(case.limits)
    found = (run(model, entry, bits, replayed=case.replayed) for entry in case.entries)
    return [mask for mask in found if mask is not None]


class Maker:
    """Draws one entry after the other."""

    def __init__(self, rng: random.Random, policy: Policy) -> None:
        self.rng = rng
        self.case = Case(policy.text(), replayed=rng.random() < 0.15)
        self.model = Model(self.case.limits)
        self.ts = START + rng.randrange(86_400) * UNIT
        self.prices = dict.fromkeys(range(1, len(INSTRUMENTS) + 1), 100 * UNIT)
        self.next_id = 1
        self.next_exec = 1
        self.epoch = 0
        self.holds = 0
        for entry in registrations():
            self.put(replace(entry, ts=self.ts))
        self.silent: set[int] = set()
        for i, symbol in enumerate(INSTRUMENTS, 1):
            if symbol in policy.without_reference:
                self.silent.add(i)
            else:
                self.put(self.quote(i, EXTERNAL))

    def put(self, entry: Entry) -> None:
        """Let the oracle take in an entry, and keep it."""
        self.case.entries.append(entry)
        mask = run(self.model, entry, set(CHECKS), replayed=self.case.replayed)
        if mask is not None:
            self.case.masks.append(mask)

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def step(self) -> None:
        """One more entry."""
        rng = self.rng
        if self.chance(0.85):
            self.ts += rng.choice([0, 1, MS, 5 * MS, 10 * MS, 30 * MS, 100 * MS])
        elif self.chance(0.02):
            self.ts += rng.choice([3_600, 8 * 3_600, 20 * 3_600]) * UNIT
        crowded = len(self.model.working) > 12
        rows = (
            (40, self.new),
            (12, self.replace),
            (5, self.cancel),
            (60 if crowded else 20, self.report),
            (14, self.market),
            (4, self.session),
            (2, self.locate),
            (1.0, self.kill),
            (3, self.resume),
            (3 if self.model.blocked else 0, self.override),
            (6 if self.model.granted else 0, self.again),
            (1, lambda: Tick(self.ts)),
        )
        draw = rng.choices([make for _, make in rows], [weight for weight, _ in rows])[0]
        entry = draw()
        if entry is not None:
            self.put(entry)

    # Orders.

    def price(self, instrument: int) -> int:
        """A price near the market, sometimes far from it or off tick."""
        rng = self.rng
        far = rng.choice([10, 10, 40, 150, 400])
        px = self.prices[instrument] * (10_000 + rng.randint(-far, far)) // 10_000
        coarse = rng.choice([UNIT, UNIT // 4, UNIT // 20, UNIT // 100])
        px = px // coarse * coarse
        if self.chance(0.03):
            px += rng.choice([1, UNIT // 1_000])
        if self.chance(0.01):
            px = rng.choice([-px, 0])
        return px

    def qty(self) -> int:
        if self.chance(0.01):
            return self.rng.choice([2**62, 2**63 - 1, 10**11, 10**10])
        if self.chance(0.01):
            return self.rng.choice([0, -5])
        if self.chance(0.3):
            return self.rng.choice([1, 10, 20, 30])
        return self.rng.randint(1, 50)

    def flags(self) -> int:
        flags = 0
        for flag, share in (
            *((REDUCE_ONLY, 0.03), (POST_ONLY, 0.04), (ISO, 0.03), (ODD_LOT, 0.1)),
            *((16, 0.02), (AUCTION, 0.03), (64, 0.002), (128, 0.002)),
        ):
            flags |= flag if self.chance(share) else 0
        return flags

    def order_time(self) -> int:
        """Sometimes a clock that went back."""
        return self.ts - self.rng.choice([1, MS, 50 * MS]) if self.chance(0.02) else self.ts

    def new(self) -> Entry:
        rng = self.rng
        recent = [e for e in self.case.entries[-25:] if isinstance(e, Order) and e.kind == NEW]
        order_id = self.next_id
        self.next_id += 1
        if recent and self.chance(0.12):
            return replace(rng.choice(recent), ts=self.order_time(), order_id=order_id)
        if not self.case.replayed and order_id > 3 and self.chance(0.03):
            order_id = rng.randrange(1, order_id)
        instrument = rng.choice([1, 1, 1, 2, 2, 3])
        account = rng.choice([1, 1, 1, 2, 3, 4])
        strategy = rng.choice([1, 1, 2, 3])
        if self.chance(0.004):
            instrument = rng.choice([0, 9])
        if self.chance(0.004):
            account = rng.choice([0, 9])
        if self.chance(0.004):
            strategy = rng.choice([0, 9])
        side = rng.choices([1, 2, 5, 6, 3], [48, 30, 18, 5, 0.3])[0]
        if account in range(1, 5) and instrument in range(1, 4) and self.chance(0.2):
            pos = self.model.cells[(account, instrument)].pos
            side = 1 if pos < 0 else 2
        kind = rng.choices([LIMIT, MARKET, STOP, STOP_LIMIT, PEGGED, 0], [80, 8, 3, 4, 5, 0.3])[0]
        px = self.price(instrument if instrument in self.prices else 1)
        if kind in (MARKET, STOP) or (kind == PEGGED and self.chance(0.5)):
            px = px if self.chance(0.02) else 0
        tif = rng.choices([0, 1, 2, 3, 4, 6, 7, 10], [70, 5, 4, 10, 5, 2, 4, 0.3])[0]
        return Order(
            self.order_time(),
            px,
            self.qty(),
            order_id,
            rng.choice([0] * 400 + [1]),
            instrument,
            account,
            strategy,
            NEW,
            side,
            kind,
            tif,
            self.flags(),
        )

    def some_order(self) -> tuple[int, Working] | None:
        """A working order, under one of its names."""
        if not self.model.working:
            return None
        order = self.rng.choice(self.model.working)
        names = [name for name, other in self.model.orders.items() if other is order]
        return self.rng.choice(names), order

    def replace(self) -> Entry | None:
        found = self.some_order()
        if found is None:
            return None
        name, target = found
        rng = self.rng
        order_id = self.next_id
        self.next_id += 1
        if self.chance(0.03):
            name = rng.choice([10_000, rng.randrange(1, order_id + 1)])
        px = target.term.px
        if px is None or self.chance(0.5):
            px = self.price(target.instrument)
        kind = rng.choices([LIMIT, MARKET, STOP_LIMIT], [90, 4, 4])[0]
        order = Order(
            self.order_time(),
            0 if kind == MARKET else px,
            max(1, target.term.qty + rng.choice([-10, -5, -1, 0, 0, 1, 5, 20])),
            order_id,
            name,
            target.instrument,
            target.account,
            target.strategy,
            REPLACE,
            target.side,
            kind,
            0,
            self.flags(),
        )
        if self.chance(0.03):
            return replace(order, account=rng.randint(1, 4), instrument=rng.randint(1, 3))
        if order.side > 1 and self.chance(0.1):
            return replace(order, side=rng.choice([2, 5, 6]))
        return order

    def cancel(self) -> Entry:
        found = self.some_order()
        order_id = self.next_id
        self.next_id += 1
        name = 10_000 if found is None or self.chance(0.05) else found[0]
        order = Order(self.ts, 0, 0, order_id, name, 1, self.rng.randint(1, 4), 1, CANCEL, 1, LIMIT)
        if self.chance(0.1) and not self.case.replayed:
            return replace(order, kind=MASS_CANCEL, ref_id=0)
        return order

    # Reports.

    def report(self) -> Entry | None:
        rng = self.rng
        if self.chance(0.004):
            ghost = 20_000 + self.next_exec
            self.next_exec += 1
            venue = rng.randint(1, 2)
            return Exec(self.ts, ghost, "F", self.next_exec, 100 * UNIT, 5, 5, venue)
        found = self.some_order()
        if found is None:
            return None
        name, order = found
        if self.chance(0.03):
            name = rng.choice(list(self.model.orders))
            order = self.model.orders[name]
        # Sometimes the same execution once more.
        exec_id = self.next_exec
        if not self.chance(0.03):
            self.next_exec += 1
        base = Exec(self.ts, name, "0", exec_id, venue=self.model.venue(order.instrument))
        if order.pending and self.chance(0.5):
            return self.answer(base, order)
        if self.chance(0.3):
            return replace(base, type=rng.choice("34C0A6E4"))
        if self.chance(0.03):
            return replace(base, type="8", order_id=order.term.name)
        return self.fill(base, order)

    def answer(self, base: Exec, order: Working) -> Exec:
        """What the venue says of a replace."""
        kind = self.rng.choice("5558")
        name = self.rng.choice(order.pending).name
        if kind == "5" and len(order.pending) == 1:
            # It may name the order instead: there is but one replace that it can mean.
            name = next(i for i, other in self.model.orders.items() if other is order)
        return replace(base, type=kind, order_id=name)

    def fill(self, base: Exec, order: Working) -> Exec:
        """A part or all of what is left, rarely more."""
        rng = self.rng
        left = max(1, order.leaves())
        qty = rng.choice([left, left, rng.randint(1, left)])
        if self.chance(0.01):
            qty += 1
        px = order.term.px if order.term.px is not None and order.term.px > 0 else None
        if px is None or self.chance(0.3):
            px = self.prices[order.instrument] // (UNIT // 100) * (UNIT // 100)
        cum = 0 if self.chance(0.1) else order.cum + qty
        return replace(base, type="F", last_px=px, last_qty=qty, cum_qty=cum)

    # Markets, phases, people.

    def quote(self, instrument: int, flags: int) -> Reference:
        """The market as it is, or a part of it."""
        rng = self.rng
        px = self.prices[instrument]
        spread = rng.choice([1, 5, 20]) * UNIT // 100
        cent = UNIT // 100
        entry = Reference(
            self.ts,
            instrument,
            flags,
            px // cent * cent,
            (px - spread) // cent * cent,
            (px + spread) // cent * cent,
        )
        if self.chance(0.2):
            entry = replace(entry, prior_close=px * rng.choice([97, 100, 102]) // 100)
        if self.chance(0.15):
            far = px * rng.choice([1, 3, 5]) // 100
            entry = replace(entry, luld_lo=px - far, luld_hi=px + far)
        return entry

    def market(self) -> Entry:
        rng = self.rng
        instrument = rng.choice([1, 1, 2, 3])
        if instrument in self.silent and self.chance(0.9):
            return Tick(self.ts)
        if self.chance(0.9):
            move = rng.choice([0, 5, 20, 60, 150])
            px = self.prices[instrument] * (10_000 + rng.randint(-move, move)) // 10_000
            self.prices[instrument] = min(max(px, 60 * UNIT), 160 * UNIT)
        flags = rng.choice([EXTERNAL, EXTERNAL, EXTERNAL, LAST_TRADE, MID])
        entry = self.quote(instrument, flags)
        if self.chance(0.2):
            entry = replace(entry, flags=flags | rng.choice([RESTRICTED_ON, RESTRICTED_OFF]))
        if self.chance(0.1):
            entry = replace(entry, flags=entry.flags | NO_BAND, luld_lo=0, luld_hi=0)
        if flags == MID and self.chance(0.3):
            entry = replace(entry, bid=entry.ask, ask=entry.bid)
        return replace(entry, bid=0, ask=0) if self.chance(0.2) else entry

    def session(self) -> Entry:
        rng = self.rng
        kind = rng.choices([0, 1, 2], [6, 3, 1])[0]
        if kind == 2:
            return Session(self.ts, 1, rng.choice([1, 7]), 2)
        last = 8 if kind == 1 else 7
        # Soon back to trading: what halts for long hides everything else.
        stuck = [place for place, phase in self.model.phases.items() if phase != 1]
        if stuck and self.chance(0.6):
            place, handle = rng.choice(stuck)
            return Session(self.ts, handle, 1, ("instrument", "venue", "session").index(place))
        phase = rng.choice([1, 0, 2, 3, 4, 4, 5, 6, 7, last])
        return Session(self.ts, rng.randint(1, 2 if kind else 3), phase, kind)

    def locate(self) -> Entry:
        rng = self.rng
        return Locate(self.ts, rng.randint(1, 4), rng.randint(1, 3), rng.randint(0, 200))

    def kill(self) -> Entry:
        """A hold of a person, or the gateway's own of a latch."""
        rng = self.rng
        self.holds += 1
        self.epoch += 1
        state = rng.choice([1, 2])
        nodes = [*self.model.watches, *(("strategy", s) for s in self.model.repeated)]
        latched = [n for n in nodes if any(latch.is_set for latch in self.model.latches(n))]
        if latched and self.chance(0.7):
            kind, scope = rng.choice(latched)
            return Kill(
                *(self.ts, self.holds, self.epoch, state, KINDS.index(kind), scope),
                *(self.chance(0.4), rng.choice([1, 2, 2, 3]), "gateway"),
            )
        code = rng.choice([0, 1, 2, 3, 3, 4, 5, 6, 8])
        most = {0: 0, 1: 1, 2: 2, 3: 4, 4: 3, 5: 3, 6: 2, 8: 1}[code]
        scope = rng.randint(min(1, most), most)
        return Kill(self.ts, self.holds, self.epoch, state, code, scope, self.chance(0.4))

    def resume(self) -> Entry | None:
        if not self.model.holds:
            return None
        self.epoch += 1
        return Resume(self.ts, self.rng.choice(list(self.model.holds)), self.epoch)

    def override(self) -> Entry | None:
        """Two people let a blocked order pass what blocks it, or only a part of that."""
        rng = self.rng
        order_id = rng.choice(list(self.model.blocked)[-5:])
        able = (1 << 45) - 1 & ~sum(1 << bit for bit in ALWAYS_HARD)
        controls = rng.choice([able, able, able & rng.getrandbits(45) or able])
        wait = rng.choice([1, 30 * MS, UNIT, 3_600 * UNIT])
        return Override(self.ts, order_id, controls, max(self.ts, self.model.t) + wait)

    def again(self) -> Entry | None:
        """An order that may pass comes again, sometimes changed."""
        order = self.model.blocked.get(self.rng.choice(list(self.model.granted)))
        if order is None:
            return None
        if self.chance(0.15):
            order = replace(order, qty=order.qty + 1)
        return replace(order, ts=self.order_time())


def make(rng: random.Random, policy: Policy, length: int) -> Case:
    """A stream under a policy."""
    maker = Maker(rng, policy)
    while len(maker.case.entries) < length:
        maker.step()
    return maker.case
