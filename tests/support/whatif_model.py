"""An independent what-if: the rules in plain Python, a few controls, nothing of the core.

Two firms look at one market file. The old one decides it row by row; the new one sees what a log
of the old one holds: every order, and of cancels only those that name an order the old one
accepted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

S = 10**9


@dataclass(frozen=True)
class Rules:
    """Limits of every account, the same for each."""

    max_qty: int
    max_notional: int
    bps: int
    rate: int
    duplicates: int
    position: int

    def toml(self) -> str:
        return f"""schema = 1
[firm]
credit = "none"
[account."*"]
max_order_qty = {self.max_qty}
max_order_notional = "{self.max_notional}"
credit = "none"
message_rate = {{ max = {self.rate}, window = "1s" }}
duplicate_order = {{ window = "1ms", max = {self.duplicates} }}
max_position = {{ long = {self.position}, short = {self.position} }}
[group.replay]
tick = "0.01"
lot = 1
price_collar = {{ bps = {self.bps}, on_missing = "deny" }}
"""


@dataclass(frozen=True)
class Row:
    """A row of the file; prices in cents."""

    ts: int
    kind: str
    order_id: int
    account: str
    side: str
    qty: int
    cents: int

    def csv(self) -> str:
        price = f"{self.cents // 100}.{self.cents % 100:02d}" if self.cents else ""
        id_ = self.order_id or ""
        return f"{self.ts},{self.kind},{id_},{self.account},S,X,{self.side},{self.qty},{price}"


@dataclass
class Firm:
    """One side's state: working orders, what left, what was equal. Nothing is ever filled."""

    rules: Rules
    reference: int | None = None
    working: dict[int, Row] = field(default_factory=dict)
    sent: dict[str, deque[int]] = field(default_factory=dict)
    accepted: dict[str, deque[Row]] = field(default_factory=dict)

    def decide(self, row: Row) -> set[str]:
        rules, found = self.rules, set()
        if row.qty > rules.max_qty:
            found.add("MAX_ORDER_QTY")
        if row.qty * row.cents > rules.max_notional * 100:
            found.add("MAX_ORDER_NOTIONAL")
        if self.reference is None:
            found.add("REFERENCE_MISSING")
        elif abs(row.cents - self.reference) * 10_000 > rules.bps * self.reference:
            found.add("PRICE_COLLAR")
        if sum(row.ts - ts < S for ts in self.sent.get(row.account, ())) >= rules.rate:
            found.add("MESSAGE_RATE")
        equal = [
            other
            for other in self.accepted.get(row.account, ())
            if row.ts - other.ts < 10**6
            and (other.side, other.qty, other.cents) == (row.side, row.qty, row.cents)
        ]
        if len(equal) >= rules.duplicates:
            found.add("DUPLICATE_ORDER")
        open_qty = sum(
            other.qty
            for other in self.working.values()
            if (other.account, other.side) == (row.account, row.side)
        )
        if open_qty + row.qty > rules.position:
            found.add("MAX_POSITION")
        if not found:
            self.working[row.order_id] = row
            self.accepted.setdefault(row.account, deque()).append(row)
            self._count(row)
        return found

    def cancel(self, row: Row) -> None:
        self.working.pop(row.order_id, None)
        self._count(row)

    def _count(self, row: Row) -> None:
        # A ring of as many times as the limit has: a cancel beyond it pushes the oldest out.
        sent = self.sent.setdefault(row.account, deque(maxlen=self.rules.rate))
        while sent and row.ts - sent[0] >= S:
            sent.popleft()
        sent.append(row.ts)


@dataclass(frozen=True)
class Flip:
    order_id: int
    old: frozenset[str]
    new: frozenset[str]


def flips(rows: Iterable[Row], old: Rules, new: Rules) -> tuple[list[Flip], int]:
    """The flips in file order, and how many entries were left out under the new rules."""
    before, after = Firm(old), Firm(new)
    denied: set[int] = set()
    upstream: set[int] = set()
    found: list[Flip] = []
    left_out = 0
    for row in rows:
        if row.kind == "trade":
            before.reference = after.reference = row.cents
        elif row.kind == "add":
            was, now = before.decide(row), after.decide(row)
            denied.discard(row.order_id)
            if was:
                denied.add(row.order_id)
            if bool(was) != bool(now):
                found.append(Flip(row.order_id, frozenset(was), frozenset(now)))
            if now and not was:
                upstream.add(row.order_id)
        elif row.order_id in denied:
            # The old firm never had it: no log tells of this row.
            denied.discard(row.order_id)
        else:
            before.cancel(row)
            if row.order_id in upstream:
                upstream.discard(row.order_id)
                left_out += 1
            else:
                after.cancel(row)
    return found, left_out
