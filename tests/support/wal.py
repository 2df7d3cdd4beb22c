"""A second reader of the log: frames and entries by the design note, without a line of the core.

It proves nothing (no hash, no signature is checked): tests use it to see what was written.
"""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass
from pathlib import Path

_MAGIC = b"CWTSWAL1"
_HEADER = struct.Struct("<8sIIQQII8sQII")
_TRAILER_BYTES = 96
_ALIGN_BYTES = 512
_ENTRY = struct.Struct("<BBHIQqQIBB2x")
_KILL = struct.Struct("<QI4BI")
_RESUME = struct.Struct("<QIB3x")
_ORDER = struct.Struct("<QQqqQQIII4B")
_DECISION = struct.Struct("<QQQqqQIII4B")
_DENIED = struct.Struct("<QQI4x")

GENESIS, CLOSE, RECOVERY, GAP = 0x01, 0x02, 0x03, 0x08
ORDER, DECISION, EXEC = 0x10, 0x11, 0x12
LIMIT_ACTIVATE, KILL, RESUME, RELEASE_DENIED = 0x23, 0x25, 0x26, 0x2B
CONFIG, REGISTER = 0x2C, 0x2D
ACCEPT, REJECT, CANCEL_PASSED = 1, 2, 4


@dataclass(frozen=True)
class Entry:
    """One entry: where it stands, who numbered it, and the bytes behind its header."""

    index: int
    kind: int
    producer: int
    producer_seq: int
    utc_ns: int
    body: bytes


@dataclass(frozen=True)
class Kill:
    index: int
    hold: int
    epoch: int
    state: int
    scope_kind: int
    scope_handle: int
    rank: int
    actor: str
    reason: str


@dataclass(frozen=True)
class Resume:
    index: int
    hold: int
    actor: str
    approver: str
    reason: str


@dataclass(frozen=True)
class Decided:
    """An order with the decision behind it."""

    seq: int
    order_id: int
    qty: int
    px_e9: int
    kind: int
    verdict: int
    reasons: int
    limits_version: int
    kill_epoch: int


def entries(log: Path) -> list[Entry]:
    """Every entry up to the first place where no frame starts."""
    found: list[Entry] = []
    for segment in sorted((log / "wal").glob("*.wal")):
        raw = segment.read_bytes()
        at = 0
        while at + _HEADER.size <= len(raw):
            magic, _, count, first, _, payload_bytes, *_ = _HEADER.unpack_from(raw, at)
            if magic != _MAGIC or first != len(found):
                break
            start = at + _HEADER.size
            payload = raw[start : start + payload_bytes]
            taken = _cut(payload, first)
            assert len(taken) == count, f"frame at {at}: {len(taken)} entries, {count} announced"
            found += taken
            whole = _HEADER.size + payload_bytes + _TRAILER_BYTES
            at += -(-whole // _ALIGN_BYTES) * _ALIGN_BYTES
    return found


def _cut(payload: bytes, first: int) -> list[Entry]:
    out, at = [], 0
    while at < len(payload):
        (size,) = struct.unpack_from(">H", payload, at)
        raw = payload[at + 2 : at + 2 + size]
        at += 2 + size
        kind, _, _, producer, producer_seq, utc_ns, *_ = _ENTRY.unpack_from(raw)
        body = raw[_ENTRY.size :]
        out.append(Entry(first + len(out), kind, producer, producer_seq, utc_ns, body))
    return out


def kills(found: list[Entry]) -> list[Kill]:
    """The KILL entries."""
    out = []
    for entry in found:
        if entry.kind == KILL:
            hold, epoch, state, scope, rank, _, handle = _KILL.unpack_from(entry.body)
            actor, rest = _text(entry.body[_KILL.size :])
            reason, _ = _text(rest)
            out.append(Kill(entry.index, hold, epoch, state, scope, handle, rank, actor, reason))
    return out


def resumes(found: list[Entry]) -> list[Resume]:
    """The RESUME entries."""
    out = []
    for entry in found:
        if entry.kind == RESUME:
            hold, *_ = _RESUME.unpack_from(entry.body)
            actor, rest = _text(entry.body[_RESUME.size :])
            approver, rest = _text(rest)
            reason, _ = _text(rest)
            out.append(Resume(entry.index, hold, actor, approver, reason))
    return out


def decided(found: list[Entry]) -> list[Decided]:
    """Every order with its decision: the entry right behind it, or the test fails."""
    out = []
    for order, decision in itertools.pairwise(found):
        if order.kind != ORDER:
            continue
        assert decision.kind == DECISION, f"entry {order.index} is an order without a decision"
        seq, _, px, qty, order_id, _, _, _, _, kind, *_ = _ORDER.unpack_from(order.body)
        own, of, mask, _, _, _, limits, epoch, _, _, _, verdict, _ = _DECISION.unpack_from(
            decision.body
        )
        assert (seq, own, of) == (order.index, decision.index, order.index)
        out.append(Decided(seq, order_id, qty, px, kind, verdict, mask, limits, epoch))
    return out


def released(found: list[Entry]) -> list[Decided]:
    """Orders that left: accepted, and not held back at the last gate."""
    denied = {_DENIED.unpack_from(e.body)[0] for e in found if e.kind == RELEASE_DENIED}
    return [row for row in decided(found) if row.verdict == ACCEPT and row.seq not in denied]


def assert_gapless(found: list[Entry]) -> None:
    """Each producer counts its own entries from 0 without a gap."""
    at: dict[int, int] = {}
    for entry in found:
        assert entry.producer_seq == at.get(entry.producer, 0), f"entry {entry.index}"
        at[entry.producer] = entry.producer_seq + 1


def _text(raw: bytes) -> tuple[str, bytes]:
    (size,) = struct.unpack_from("<H", raw)
    return raw[2 : 2 + size].decode(), raw[2 + size :]
