"""What is known of an instrument's market, and the bands that follow from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from oracle.entries import Reference
from oracle.rules import duration, nanos

__all__ = ["Market", "band_of_bps", "narrowest"]

Band = tuple[int, int]

LAST_TRADE, EXTERNAL, MID, SHORT_RESTRICTED, SHORT_FREE, NO_BAND = 1, 2, 4, 8, 16, 32


def band_of_bps(around: int, bps: int) -> Band:
    """Prices not further away than so many hundredths of a percent; it never grows by rounding."""
    return -(-around * (10_000 - bps) // 10_000), around * (10_000 + bps) // 10_000


def narrowest(collar: dict[str, Any], around: int, tick: int) -> Band:
    """The band that all rules of a collar leave."""
    bands: list[Band] = []
    if "bps" in collar:
        bands.append(band_of_bps(around, collar["bps"]))
    if "ticks" in collar:
        bands.append((around - collar["ticks"] * tick, around + collar["ticks"] * tick))
    if "absolute" in collar:
        far = nanos(collar["absolute"])
        bands.append((around - far, around + far))
    return max(lo for lo, _ in bands), min(hi for _, hi in bands)


@dataclass
class Market:
    """An instrument's market, as its REFERENCE and SESSION entries tell it."""

    collar: dict[str, Any] | None
    period: int | None = None
    px: int | None = None
    at: int = 0
    bid: int = 0
    prior_close: int = 0
    luld: Band | None = None
    restricted: bool = False
    phase: int | None = None
    sixteenths: dict[int, int] = field(default_factory=dict)

    def heard(self, entry: Reference) -> int | None:
        """The price that the collar takes from an entry, if it takes one."""
        rules = self.collar or {}
        source = rules.get("reference", "last_trade")
        if source == "mid":
            known = entry.bid and entry.ask and entry.bid <= entry.ask
            return (entry.bid + entry.ask) // 2 if known else None
        kinds = EXTERNAL | LAST_TRADE if source == "last_trade" else EXTERNAL
        if entry.flags & MID or not entry.flags & kinds or not entry.px:
            return None
        return None if entry.px <= 0 and "bps" in rules else entry.px

    def take(self, entry: Reference) -> int | None:
        """What an entry changes; gives the new reference, if it makes one."""
        self.bid = entry.bid or self.bid
        self.prior_close = entry.prior_close or self.prior_close
        if entry.luld_lo and entry.luld_hi:
            self.luld = (entry.luld_lo, entry.luld_hi)
        if entry.flags & NO_BAND:
            self.luld = None
        if entry.flags & SHORT_RESTRICTED:
            self.restricted = True
        if entry.flags & SHORT_FREE:
            self.restricted = False
        px = self.heard(entry)
        if px is not None:
            self.px, self.at = px, entry.ts
            if self.period is not None:
                self.sixteenths[entry.ts * 16 // self.period] = px
        return px

    def band(self, tick: int) -> Band | None:
        """The collar's band, without one the reference alone; None without a reference."""
        if self.px is None:
            return None
        if self.collar is None:
            return self.px, self.px
        return narrowest(self.collar, self.px, tick)

    def is_stale(self, t: int) -> bool:
        """Whether the reference is too old at ``t``."""
        if self.collar is None or self.px is None or "max_age" not in self.collar:
            return False
        return t - self.at > duration(self.collar["max_age"])

    def before(self, t: int) -> int | None:
        """The reference of one period before ``t``; the oldest known if there is none."""
        if self.period is None or not self.sixteenths:
            return None
        last = t * 16 // self.period - 16
        old = [number for number in self.sixteenths if number <= last]
        return self.sixteenths[max(old) if old else min(self.sixteenths)]
