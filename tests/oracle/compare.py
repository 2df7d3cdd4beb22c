"""The oracle and the engine on the same case, and the smallest case on which they differ."""

from __future__ import annotations

from dataclasses import replace

from cwts import _core
from oracle.entries import Order, Register, to_bytes
from oracle.names import CONTROLS
from oracle.severity import SOFT
from oracle.streams import Case, masks

__all__ = ["BITS", "apart", "engine", "explain", "first_difference", "shrink"]

BITS = set(range(50))
"""What an engine sets; AUDIT_BACKPRESSURE is the gateway's, which the pure fold does not have."""

UNKNOWN_HANDLE, MALFORMED, OVERFLOW = 1, 2, 3
SOFT_BLOCK = 3
"""The verdict of a refusal by soft controls alone."""
SENSELESS = 1 << UNKNOWN_HANDLE | 1 << MALFORMED
SENSELESS_SAID = SENSELESS | 1 << 25 | 1 << 46 | 1 << 47
SUMS = sum(1 << bit for bit in (8, 9, 31, 32, 34, 35, 36, 37, 38, 39, 41))


def engine(case: Case) -> list[int]:
    """What the engine says of each order of a case."""
    entries = [to_bytes(e, i, replayed=case.replayed) for i, e in enumerate(case.entries)]
    rows = _core.fold(case.limits.encode(), entries)
    return [row[1] | (SOFT if row[2] == SOFT_BLOCK else 0) for row in rows]


def apart(ours: int, theirs: int) -> int:
    """The bits in which two masks differ, of those that the text speaks of.

    It does not say which rows still look at an order that makes no sense, nor what other sums
    tell where one leaves 64 bits.
    """
    said = -1
    if ours & theirs & SENSELESS:
        said &= SENSELESS_SAID
    if ours & theirs & 1 << OVERFLOW:
        said &= ~SUMS
    return (ours ^ theirs) & said


def first_difference(case: Case, bits: set[int]) -> tuple[int, int, int] | None:
    """The position of the first entry on which the two differ, and both masks."""
    case.masks = masks(case, bits)
    orders = [at for at, entry in enumerate(case.entries) if isinstance(entry, Order)]
    for at, ours, theirs in zip(orders, case.masks, engine(case), strict=True):
        if apart(ours, theirs):
            return at, ours & ~theirs, theirs & ~ours
    return None


def shrink(case: Case, bits: set[int]) -> Case:
    """A part of a case on which they still differ alike, and of which nothing can be left out."""
    found = first_difference(case, bits)
    assert found is not None
    case, kind = _cut(case, found[0]), found[1:]
    size = max(1, len(case.entries) // 2)
    while size:
        at = 0
        while at < len(case.entries):
            left = [e for e in case.entries[at : at + size] if isinstance(e, Register)]
            fewer = [*case.entries[:at], *left, *case.entries[at + size :]]
            smaller = replace(case, entries=fewer, masks=[])
            if len(fewer) < len(case.entries) and _differs(smaller, bits, kind):
                case = smaller
            else:
                at += size
        size //= 2
    lines = case.limits.splitlines()
    for line in list(lines):
        left_lines = [other for other in lines if other is not line]
        smaller = replace(case, limits="\n".join(left_lines) + "\n", masks=[])
        if _differs(smaller, bits, kind):
            lines, case = left_lines, smaller
    return case


def _differs(case: Case, bits: set[int], kind: tuple[int, ...]) -> bool:
    """Whether they differ on the last entry, and in the same way."""
    try:
        found = first_difference(case, bits)
    except (ValueError, KeyError, IndexError, TypeError, AssertionError):
        return False  # what is left makes no sense any more
    return found is not None and found[0] == len(case.entries) - 1 and found[1:] == kind


def _cut(case: Case, at: int) -> Case:
    return replace(case, entries=case.entries[: at + 1], masks=[])


def words(mask: int) -> str:
    """The names of a mask's bits."""
    names = [name for bit, name in enumerate(CONTROLS) if mask >> bit & 1]
    return ", ".join([*names, *(["softly"] if mask & SOFT else [])]) or "accepted"


def explain(case: Case, bits: set[int]) -> str:
    """A case in readable form, with both masks of its last order."""
    ours, theirs = masks(case, bits)[-1], engine(case)[-1]
    out = ["the limits:", case.limits, f"the entries (replayed: {case.replayed}):"]
    out += [f"  {entry}" for entry in case.entries if not isinstance(entry, Register)]
    only_ours, only_theirs = ours & ~theirs, theirs & ~ours
    out += [
        f"oracle: {words(ours)}",
        f"engine: {words(theirs)}",
        f"only the oracle: {words(only_ours)}; only the engine: {words(only_theirs)}",
    ]
    return "\n".join(out)
