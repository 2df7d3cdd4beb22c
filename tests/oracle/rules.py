"""What a limits file says, as exact integers.

Reads the TOML text with the standard library: the oracle shares no parser with the engine.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

__all__ = ["Chain", "Rules", "duration", "micros", "nanos", "per_million"]

Table = dict[str, Any]

Chain = tuple[str, str]
"""A node of the hierarchy: its section (``firm``, ``desk``, ...) and its name."""

UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


@cache
def number(text: str | int) -> Fraction:
    """A decimal of the file: money, a price, a rate."""
    return Fraction(str(text).replace("_", ""))


@cache
def micros(text: str | int) -> int:
    """Money in micros, cut."""
    return int(number(text) * 10**6)


@cache
def nanos(text: str | int) -> int:
    """A price in 1e-9."""
    return int(number(text) * 10**9)


@cache
def duration(text: str) -> int:
    """A duration in nanoseconds."""
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    return int(digits.replace("_", "")) * UNITS[text[len(digits) :]]


@cache
def per_million(text: str) -> Fraction:
    """A percentage as a fraction of one."""
    return number(text.removesuffix("%")) / 100


@dataclass(frozen=True)
class Unit:
    """Micros of the base currency for one 1e-9 of price and one unit of quantity."""

    over: int
    under: int

    def money(self, raw: int) -> int:
        """Money for price times quantity, rounded up."""
        return -(-raw * self.over // self.under)

    def signed(self, raw: int) -> int:
        """The same with the price's sign, rounded away from zero."""
        return self.money(raw) if raw > 0 else -self.money(-raw)


class Rules:
    """A limits file; each question gives None where the file says nothing, or ``"none"``."""

    def __init__(self, text: str) -> None:
        self.file: Table = tomllib.loads(text)
        self.units: dict[str, Unit] = {}
        self.sections: dict[Chain, Table] = {}
        firm = self.file.get("firm", {})
        self.buying_power: bool = firm.get("buying_power", False)
        self.duplicate_id: int | None = firm.get("duplicate_id", {}).get("max")
        self.roll = day_offset(firm.get("day_roll", "00:00"))
        staged = self.file.get("control", {}).get("staged", {})
        self.slow: int | None = staged.get("slow")
        self.slow_delay = duration(staged.get("slow_delay", "0s"))

    def section(self, kind: str, name: str) -> Table:
        """The keys of one name, defaults of the group included."""
        if (kind, name) not in self.sections:
            own = self.file.get(kind, {})
            if kind != "firm":
                own = own.get(name, {})
            if kind == "instrument":
                own = {**self.file.get("group", {}).get(own.get("group"), {}), **own}
            self.sections[(kind, name)] = own
        return self.sections[(kind, name)]

    def get(self, kind: str, name: str, key: str) -> Any:
        """One key; None if it is absent or unlimited."""
        value = self.section(kind, name).get(key)
        return None if value == "none" else value

    def money(self, kind: str, name: str, key: str) -> int | None:
        """One key as money."""
        value = self.get(kind, name, key)
        return None if value is None else micros(value)

    def in_instrument(self, account: str, symbol: str, key: str) -> Any:
        """A limit of an account in an instrument, or the account's default for all."""
        own = self.file.get("account", {}).get(account, {}).get("instrument", {}).get(symbol, {})
        value = own[key] if key in own else self.section("account", account).get(key)
        return None if value == "none" else value

    def missing(self, account: str, customer: str | None, symbol: str) -> bool:
        """Whether a mandatory limit of an order is not written."""
        keys = self.section("account", account)
        cell = keys.get("instrument", {}).get(symbol, {})
        wanted = ("max_order_qty", "max_order_notional", "credit", "message_rate")
        if any(key not in keys for key in wanted):
            return True
        if "max_position" not in keys and "max_position" not in cell:
            return True
        instrument = self.section("instrument", symbol)
        if any(key not in instrument for key in ("tick", "lot", "price_collar")):
            return True
        if customer is not None and "credit" not in self.section("customer", customer):
            return True
        return "credit" not in self.section("firm", "")

    def unit(self, symbol: str) -> Unit:
        """How price and quantity become money."""
        if symbol not in self.units:
            keys = self.section("instrument", symbol)
            rate = Fraction(1)
            base = self.file.get("firm", {}).get("base_currency", "USD")
            if keys.get("currency", base) != base:
                rate = number(self.file["fx"][keys["currency"]])
            rate *= number(keys.get("multiplier", 1))
            rate /= 10**3 * 10 ** int(keys.get("qty_decimals", 0))
            self.units[symbol] = Unit(rate.numerator, rate.denominator)
        return self.units[symbol]

    def tick(self, symbol: str) -> int:
        """The tick in 1e-9; 1 where none is written."""
        return nanos(self.section("instrument", symbol).get("tick", "0.000000001"))

    def denies(self, kind: str, name: str, symbol: str) -> bool:
        """Whether a deny list has the symbol, or an allow list lacks it."""
        if kind == "all":
            lists = self.file.get("restricted", {})
        else:
            lists = self.section(kind, name).get("restricted", {})
        return symbol in lists.get("deny", []) or (
            "allow" in lists and symbol not in lists["allow"]
        )


def day_offset(text: str) -> int:
    """Nanoseconds after midnight UTC at which the day ends."""
    clock, _, zone = text.partition(" ")
    hours, minutes = clock.split(":")
    at = int(hours) * 60 + int(minutes)
    if zone:
        sign = -1 if zone.startswith("-") else 1
        hours, minutes = zone.lstrip("+-").split(":")
        at -= sign * (int(hours) * 60 + int(minutes))
    return at * UNITS["m"]
