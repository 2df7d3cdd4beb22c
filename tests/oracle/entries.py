"""Log entries as bytes and in words, written from the wire format alone.

Every number is little-endian. An entry is a 40-byte header and a body; what the fields mean stands
in ``rust/types``. Nothing here calls the core.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

__all__ = [
    "AUCTION",
    "BUY",
    "CANCEL",
    "ISO",
    "LIMIT",
    "MARKET",
    "MASS_CANCEL",
    "NEW",
    "ODD_LOT",
    "PEGGED",
    "POST_ONLY",
    "REDUCE_ONLY",
    "REPLACE",
    "SELL",
    "SHORT",
    "SHORT_EXEMPT",
    "STOP",
    "STOP_LIMIT",
    "Entry",
    "Exec",
    "Kill",
    "Locate",
    "Order",
    "Override",
    "Reference",
    "Register",
    "Resume",
    "Session",
    "Tick",
    "to_bytes",
]

NEW, REPLACE, CANCEL, MASS_CANCEL = 1, 2, 3, 4
BUY, SELL, SHORT, SHORT_EXEMPT = 1, 2, 5, 6
MARKET, LIMIT, STOP, STOP_LIMIT, PEGGED = 1, 2, 3, 4, 5
REDUCE_ONLY, POST_ONLY, ISO, ODD_LOT, AUCTION = 1, 2, 4, 8, 32

REPLAYED = 2
"""The header's flag of input that was replayed from a file."""


@dataclass(frozen=True)
class Order:
    """A new order, a replace or a cancel."""

    ts: int
    px: int = 0
    qty: int = 0
    order_id: int = 0
    ref_id: int = 0
    instrument: int = 0
    account: int = 0
    strategy: int = 0
    kind: int = NEW
    side: int = BUY
    type: int = LIMIT
    tif: int = 0
    flags: int = 0

    def body(self) -> bytes:
        return struct.pack(
            "<QQqqQQIIIBBBB",
            *(0, self.ts, self.px, self.qty, self.order_id, self.ref_id),
            *(self.instrument, self.account, self.strategy),
            *(self.kind, self.side, self.type | self.tif << 4, self.flags),
        )


@dataclass(frozen=True)
class Exec:
    """A report of the venue; ``type`` is FIX 150."""

    ts: int
    order_id: int
    type: str
    exec_id: int = 0
    last_px: int = 0
    last_qty: int = 0
    cum_qty: int = 0
    venue: int = 0

    def body(self) -> bytes:
        return struct.pack(
            "<QQQQqqqIBBH",
            *(0, self.ts, self.order_id, self.exec_id, self.last_px, self.last_qty),
            *(self.cum_qty, self.venue, ord(self.type), ord("0"), 0),
        )


@dataclass(frozen=True)
class Reference:
    """A reference price, or another thing that is known of a market; 0 says nothing."""

    ts: int
    instrument: int
    flags: int = 0
    px: int = 0
    bid: int = 0
    ask: int = 0
    prior_close: int = 0
    luld_lo: int = 0
    luld_hi: int = 0

    def body(self) -> bytes:
        return struct.pack(
            "<IIqqqqqqQ",
            *(self.instrument, self.flags, self.px, self.bid, self.ask),
            *(self.prior_close, self.luld_lo, self.luld_hi, self.ts),
        )


@dataclass(frozen=True)
class Register:
    """A handle gets its name."""

    kind: int
    handle: int
    parent: int
    name: str
    ts: int = 0

    def body(self) -> bytes:
        head = struct.pack("<BxxxII16x", self.kind, self.handle, self.parent)
        return head + _text(self.name)


@dataclass(frozen=True)
class Session:
    """The phase of an instrument (kind 0), a venue (1) or a session (2)."""

    ts: int
    handle: int
    phase: int
    kind: int

    def body(self) -> bytes:
        return struct.pack("<IBBxx", self.handle, self.phase, self.kind)


@dataclass(frozen=True)
class Locate:
    """What an account may sell short of an instrument today."""

    ts: int
    account: int
    instrument: int
    qty: int

    def body(self) -> bytes:
        return struct.pack("<IIq", self.account, self.instrument, self.qty) + _text("desk.ana")


@dataclass(frozen=True)
class Kill:
    """A hold; state 1 is REDUCE_ONLY, 2 HALTED."""

    ts: int
    hold: int
    epoch: int
    state: int
    scope_kind: int
    scope: int
    allow_reduce: bool = False
    rank: int = 3
    actor: str = "risk.ana"
    reason: str = "drill"

    def body(self) -> bytes:
        head = struct.pack(
            "<QIBBBBI",
            *(self.hold, self.epoch, self.state, self.scope_kind, self.rank, self.allow_reduce),
            self.scope,
        )
        return head + _text(self.actor) + _text(self.reason)


@dataclass(frozen=True)
class Resume:
    """A hold is lifted."""

    ts: int
    hold: int
    epoch: int

    def body(self) -> bytes:
        head = struct.pack("<QIBxxx", self.hold, self.epoch, 0)
        return head + _text("risk.ana") + _text("risk.bo") + _text("reviewed")


@dataclass(frozen=True)
class Override:
    """Two people let one blocked order pass these controls, before a time."""

    ts: int
    order_id: int
    controls: int
    expires_ns: int

    def body(self) -> bytes:
        head = struct.pack("<QQQQB7x", self.order_id, 0, self.controls, self.expires_ns, 0)
        return head + _text("risk.ana") + _text("risk.bo") + _text("reviewed")


@dataclass(frozen=True)
class Tick:
    """Time passes."""

    ts: int

    def body(self) -> bytes:
        return b""


Entry = Order | Exec | Reference | Register | Session | Locate | Kill | Resume | Override | Tick

TYPES: dict[type[Entry], int] = {
    Order: 0x10,
    Exec: 0x12,
    Reference: 0x20,
    Kill: 0x25,
    Resume: 0x26,
    Override: 0x27,
    Locate: 0x28,
    Session: 0x29,
    Tick: 0x2A,
    Register: 0x2D,
}


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<H", len(raw)) + raw


def to_bytes(entry: Entry, number: int, *, replayed: bool = False) -> bytes:
    """An entry as the log holds it; ``number`` is the producer's."""
    flags = REPLAYED if replayed else 0
    head = struct.pack(
        "<BBHIQqQIBBH", TYPES[type(entry)], 1, flags, 1, number, entry.ts, 0, 0, 0, 0, 0
    )
    return head + entry.body()
