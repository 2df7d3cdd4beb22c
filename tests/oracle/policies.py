"""Limits files by chance: wide ones, in which a few controls are tight.

Each option belongs to the bits that it makes reachable.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from oracle.names import CONTROLS

__all__ = ["ACCOUNTS", "INSTRUMENTS", "OPTIONS", "Policy", "make"]

ACCOUNTS = {"A": "c", "B": "c", "C": "e", "D": None}
INSTRUMENTS = {"I": "V", "J": "V", "K": "W"}
STRATEGIES = ("s", "t", "u")
CUSTOMERS = ("c", "e")
WIDE = "9_000_000_000"

Value = Any


class Policy:
    """A limits file, section by section."""

    def __init__(self) -> None:
        self.sections: dict[str, dict[str, Value]] = {}
        self.without_reference: set[str] = set()
        wide = {"credit": WIDE}
        self.put("firm", base_currency="USD", **wide)
        self.put("desk.d", **wide)
        for customer in CUSTOMERS:
            self.put(f"customer.{customer}", desk="d", **wide)
        for account, customer_of in ACCOUNTS.items():
            self.put(
                f"account.{account}",
                max_order_qty=1_000_000,
                max_order_notional=WIDE,
                message_rate={"max": 60_000, "window": "1s"},
                max_position={"long": 1_000_000, "short": 1_000_000},
                **wide,
            )
            if customer_of:
                self.put(f"account.{account}", customer=customer_of)
        for strategy in STRATEGIES:
            self.put(f"strategy.{strategy}")
        self.put("group.g")
        for symbol, venue in INSTRUMENTS.items():
            self.put(
                f"instrument.{symbol}",
                venue=venue,
                tick="0.01",
                lot=1,
                price_collar={"bps": 3_000, "reference": "external"},
            )
            if symbol != "K":
                self.put(f"instrument.{symbol}", group="g")

    def put(self, section: str, **keys: Value) -> None:
        """Write keys."""
        self.sections.setdefault(section, {}).update(keys)

    def drop(self, section: str, key: str) -> None:
        """Take a key away."""
        self.sections.get(section, {}).pop(key, None)

    def text(self) -> str:
        """The file."""
        out = ["schema = 1"]
        for section, keys in self.sections.items():
            out.append(f"[{section}]")
            out += [f"{key} = {_value(value)}" for key, value in keys.items()]
        return "\n".join(out) + "\n"


def _value(value: Value) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(v)}" for key, v in value.items()) + " }"
    return json.dumps(value)


Option = Callable[[random.Random, Policy], None]
OPTIONS: list[tuple[frozenset[int], Option]] = []


def option(*bits: int) -> Callable[[Option], Option]:
    """What makes the controls with these bits reachable."""

    def keep(function: Option) -> Option:
        OPTIONS.append((frozenset(bits), function))
        return function

    return keep


def node(rng: random.Random) -> str:
    """A node of the hierarchy."""
    return rng.choice(
        [*(f"account.{name}" for name in "AAABCD"), "customer.c", "customer.e", "desk.d", "firm"]
    )


def strategy(rng: random.Random) -> str:
    return f"strategy.{rng.choice(STRATEGIES)}"


def market(rng: random.Random) -> str:
    """An instrument, or the group of two; the instrument's own key is stronger."""
    return rng.choice(["group.g", "instrument.I", "instrument.I", "instrument.J", "instrument.K"])


def account(rng: random.Random) -> str:
    return f"account.{rng.choice('AAABCD')}"


def window(rng: random.Random) -> str:
    return rng.choice(["40ms", "100ms", "250ms", "1s", "3s"])


def scaled(rng: random.Random, section: str, least: int, most: int) -> str:
    """Money that fits how much of the flow comes together in a section."""
    share = {"firm": 4, "desk": 4, "customer": 2}.get(section.split(".", maxsplit=1)[0], 1)
    return str(rng.randint(least, most) * share)


@option(0)
def mandatory(rng: random.Random, policy: Policy) -> None:
    section, key = rng.choice(
        [
            ("account.D", "max_order_qty"),
            ("account.B", "max_order_notional"),
            ("account.C", "credit"),
            ("account.D", "message_rate"),
            ("account.B", "max_position"),
            ("instrument.K", "lot"),
            ("instrument.K", "price_collar"),
            ("customer.e", "credit"),
            ("desk.d", "credit"),
        ]
    )
    policy.drop(section, key)


@option(3)
def unlimited(rng: random.Random, policy: Policy) -> None:
    for name in ACCOUNTS:
        policy.put(
            f"account.{name}",
            max_order_qty="none",
            max_order_notional="none",
            max_position="none",
            credit="none",
        )
    for section in ("firm", "desk.d", "customer.c", "customer.e"):
        policy.put(section, credit="none")
    policy.put("instrument.I", multiplier=rng.choice([1, 1_000_000]))


@option(4)
def max_order_qty(rng: random.Random, policy: Policy) -> None:
    section = rng.choice([market, account, strategy])(rng)
    policy.put(section, max_order_qty=rng.randint(15, 45))


@option(5)
def min_order_qty(rng: random.Random, policy: Policy) -> None:
    policy.put(market(rng), min_order_qty=rng.randint(3, 20))


@option(6)
def lot(rng: random.Random, policy: Policy) -> None:
    policy.put(f"instrument.{rng.choice('IJK')}", lot=rng.choice([2, 5, 10]))


@option(7)
def tick(rng: random.Random, policy: Policy) -> None:
    policy.put(f"instrument.{rng.choice('IJK')}", tick=rng.choice(["0.05", "0.25", "1", "0.03"]))


@option(8)
def max_order_notional(rng: random.Random, policy: Policy) -> None:
    section = rng.choice([market, account, strategy])(rng)
    policy.put(section, max_order_notional=str(rng.randint(15, 45) * 100))


@option(9)
def min_order_notional(rng: random.Random, policy: Policy) -> None:
    policy.put(market(rng), min_order_notional=str(rng.randint(3, 20) * 100))


@option(10, 11, 12)
def collar(rng: random.Random, policy: Policy) -> None:
    rule: dict[str, Value] = {}
    if rng.random() < 0.7:
        rule["bps"] = rng.choice([30, 100, 333, 1_000])
    if rng.random() < 0.4:
        rule["ticks"] = rng.choice([50, 200, 777])
    if not rule or rng.random() < 0.3:
        rule["absolute"] = rng.choice(["0.5", "2", "7.77"])
    rule["reference"] = rng.choice(["external", "last_trade", "mid"])
    if rng.random() < 0.5:
        rule["max_age"] = rng.choice(["100ms", "500ms", "2s"])
    if rng.random() < 0.5:
        rule["on_missing"] = rng.choice(["allow", "deny"])
    symbol = rng.choice("IJK")
    if "allow_nonpositive" in policy.sections[f"instrument.{symbol}"]:
        return
    policy.put(f"instrument.{symbol}", price_collar=rule)
    if rng.random() < 0.4:
        policy.without_reference.add(symbol)


@option(13)
def price_move(rng: random.Random, policy: Policy) -> None:
    period = rng.choice(["160ms", "1s", "5s", "5m"])
    policy.put(market(rng), price_move={"bps": rng.choice([20, 100, 300]), "period": period})


@option(15, 16)
def on_halt(rng: random.Random, policy: Policy) -> None:
    policy.put(market(rng), on_halt=rng.choice(["allow", "deny"]))


@option(17)
def phases(rng: random.Random, policy: Policy) -> None:
    every = ["quoting", "trading", "pre_open", "opening", "closing", "post"]
    policy.put(market(rng), phases=["trading", *rng.sample(every[2:], rng.randint(0, 3))])


@option(18)
def auction(rng: random.Random, policy: Policy) -> None:
    rule: dict[str, Value] = {}
    if rng.random() < 0.5:
        rule["max_order_qty"] = rng.randint(10, 40)
    if rng.random() < 0.5:
        rule["max_order_notional"] = str(rng.randint(10, 40) * 100)
    if rng.random() < 0.7:
        rule["market"] = rng.random() < 0.5
    if not rule or rng.random() < 0.6:
        rule["collar_bps"] = rng.choice([100, 300, 1_000])
    policy.put(market(rng), auction=rule)


@option(19)
def types(rng: random.Random, policy: Policy) -> None:
    allowed = ["limit", *rng.sample(["market", "stop", "stop_limit", "pegged"], 2)]
    allowed += rng.sample(["day", "ioc", "gtc", "fok", "post_only", "iso"], rng.randint(0, 5))
    policy.put(rng.choice([market, strategy])(rng), types=allowed)


@option(20)
def restricted(rng: random.Random, policy: Policy) -> None:
    rule: dict[str, Value] = {}
    if rng.random() < 0.6:
        rule["deny"] = rng.sample("IJK", rng.choice([1, 1, 2]))
    if not rule or rng.random() < 0.4:
        rule["allow"] = rng.sample("IJK", rng.choice([1, 2, 2]))
    if rng.random() < 0.2:
        policy.put("restricted", **rule)
    else:
        policy.put(node(rng), restricted=rule)


@option(21)
def permitted(rng: random.Random, policy: Policy) -> None:
    if rng.random() < 0.7:
        policy.put(strategy(rng), accounts=rng.sample("ABCD", rng.randint(1, 3)))
    else:
        policy.put(strategy(rng), groups=["g"])


@option(22, 23, 24)
def reg_sho(rng: random.Random, policy: Policy) -> None:
    policy.put(market(rng), reg_sho=True)


@option(26)
def message_rate(rng: random.Random, policy: Policy) -> None:
    places = ["venue.V", "session.X", market(rng), account(rng), strategy(rng), strategy(rng)]
    section = rng.choice(places)
    policy.put(section, message_rate={"max": rng.randint(1, 9), "window": window(rng)})


@option(27)
def attempt_rate(rng: random.Random, policy: Policy) -> None:
    section = rng.choice([strategy(rng), "session.X"])
    policy.put(section, attempt_rate={"max": rng.randint(1, 9), "window": window(rng)})


@option(28)
def duplicate_id(rng: random.Random, policy: Policy) -> None:
    policy.put("firm", duplicate_id={"max": rng.randint(10, 60)})


@option(29)
def duplicate_order(rng: random.Random, policy: Policy) -> None:
    rule: dict[str, Value] = {"window": rng.choice(["250ms", "1s", "10s"])}
    if rng.random() < 0.5:
        rule["max"] = rng.randint(1, 3)
    policy.put(account(rng), duplicate_order=rule)


@option(30)
def repeated_execution(rng: random.Random, policy: Policy) -> None:
    rule = {"max": rng.randint(2, 6), "window": rng.choice(["250ms", "1s"])}
    policy.put(strategy(rng), repeated_execution=rule)


@option(31)
def window_notional(rng: random.Random, policy: Policy) -> None:
    section = rng.choice([strategy, node, node])(rng)
    rule = {"max": scaled(rng, section, 3_000, 15_000), "window": window(rng)}
    policy.put(section, window_notional=rule)


@option(32)
def max_position(rng: random.Random, policy: Policy) -> None:
    rule = {"long": rng.randint(0, 150), "short": rng.randint(0, 150)}
    if rng.random() < 0.5:
        policy.put(account(rng), max_position=rule)
    else:
        name = rng.choice("AAABCD")
        policy.put(f"account.{name}.instrument.{rng.choice('IJK')}", max_position=rule)


@option(33)
def max_open_orders(rng: random.Random, policy: Policy) -> None:
    policy.put(rng.choice([strategy, node])(rng), max_open_orders=rng.randint(0, 8))


@option(34)
def max_open_notional(rng: random.Random, policy: Policy) -> None:
    section = node(rng)
    policy.put(section, max_open_notional=scaled(rng, section, 2_000, 15_000))


@option(35)
def credit(rng: random.Random, policy: Policy) -> None:
    section = node(rng)
    policy.put(section, credit=scaled(rng, section, 3_000, 30_000))


@option(36)
def net_exposure(rng: random.Random, policy: Policy) -> None:
    section = node(rng)
    policy.put(section, net_exposure=scaled(rng, section, 2_000, 15_000))


@option(37)
def concentration(rng: random.Random, policy: Policy) -> None:
    section = node(rng)
    if rng.random() < 0.9:
        policy.put(section, credit=scaled(rng, section, 10_000, 60_000))
    policy.put(section, concentration=rng.choice(["10%", "25%", "50%", "12.5%"]))


@option(38)
def daily_notional(rng: random.Random, policy: Policy) -> None:
    section = node(rng)
    policy.put(section, daily_notional=scaled(rng, section, 5_000, 60_000))


@option(39)
def daily_qty(rng: random.Random, policy: Policy) -> None:
    if rng.random() < 0.5:
        policy.put(account(rng), daily_qty=rng.randint(30, 200))
    else:
        name = rng.choice("AAABCD")
        section = f"account.{name}.instrument.{rng.choice('IJK')}"
        policy.put(section, daily_qty=rng.randint(30, 200))


@option(40)
def daily_orders(rng: random.Random, policy: Policy) -> None:
    policy.put(rng.choice([strategy, account])(rng), daily_orders=rng.randint(0, 30))


@option(41)
def buying_power(rng: random.Random, policy: Policy) -> None:
    if rng.random() < 0.3:
        policy.put("firm", buying_power=True)
    for name in rng.sample("ABCD", 2):
        policy.put(f"account.{name}", cash=str(rng.randint(1_000, 20_000)))
    policy.put(market(rng), margin=rng.choice(["25%", "12.5%", "50%", "100%", "33.3%"]))


@option(42)
def loss_limit(rng: random.Random, policy: Policy) -> None:
    rule: dict[str, Value] = {"day": str(rng.randint(0, 150))}
    if rng.random() < 0.5:
        rule["confirm_marks"] = rng.randint(1, 4)
    policy.put(rng.choice([strategy, node])(rng), loss_limit=rule)


@option(43)
def drawdown(rng: random.Random, policy: Policy) -> None:
    rule: dict[str, Value] = {"max": str(rng.randint(0, 150))}
    if rng.random() < 0.5:
        rule["confirm_marks"] = rng.randint(1, 4)
    policy.put(rng.choice([strategy, node])(rng), drawdown=rule)


@option(44)
def self_trade(rng: random.Random, policy: Policy) -> None:
    words = ["reject_newest", "reject_newest", "cancel_both", "cancel_oldest"]
    policy.put(node(rng), self_trade=rng.choice(words))


@option(48)
def slow_down(rng: random.Random, policy: Policy) -> None:
    section = node(rng)
    key = rng.choice(["credit", "max_open_notional", "daily_notional"])
    policy.put(section, **{key: scaled(rng, section, 10_000, 60_000)})
    staged = {"slow": rng.randint(5, 60), "slow_delay": rng.choice(["30ms", "100ms", "1s"])}
    policy.put("control", staged=staged)


@option(38)
def day_roll(rng: random.Random, policy: Policy) -> None:
    policy.put("firm", day_roll=rng.choice(["00:00", "17:00 -05:00", "23:30 +05:30"]))


@option()
def currency(rng: random.Random, policy: Policy) -> None:
    policy.put("fx", EUR=rng.choice(["1.25", "1.08", "0.9731"]))
    symbol = rng.choice("IJK")
    policy.put(f"instrument.{symbol}", currency="EUR", multiplier=rng.choice([1, 5]))


@option()
def negative(rng: random.Random, policy: Policy) -> None:
    symbol = rng.choice("JK")
    collar = {"absolute": "250", "reference": "external"}
    policy.put(f"instrument.{symbol}", allow_nonpositive=True, price_collar=collar)


SOFTENED = 0.25
"""How many of the files have controls that are not hard."""
ALWAYS_HARD = {0, 1, 2, 3, 15, 16, 17, *range(20, 26), *range(45, 51)}


def soften(rng: random.Random, policy: Policy) -> None:
    """Some controls block softly or only alert."""
    able = [name for bit, name in enumerate(CONTROLS) if bit not in ALWAYS_HARD]
    share = rng.choice([0.2, 0.5, 1.0])
    words = ["soft", "soft", "alert", "hard"]
    severity = {name: rng.choice(words) for name in able if rng.random() < share}
    policy.put("control", severity=severity)
    for keys in policy.sections.values():
        rule = keys.get("duplicate_order")
        if isinstance(rule, dict) and rng.random() < 0.5:
            rule["severity"] = rng.choice(words)


def make(rng: random.Random, wanted: int) -> Policy:
    """A policy with a few options.

    The option of the bit ``wanted`` is among them, so that every control is met equally often.
    """
    policy = Policy()
    policy.put("session.X")
    policy.put("venue.V")
    for name in ("s", "t"):
        policy.put(f"strategy.{name}", session="X")
    chosen = rng.sample([use for _, use in OPTIONS], rng.randint(1, 7))
    chosen += [use for of, use in OPTIONS if wanted in of]
    for use in chosen:
        use(rng, policy)
    if rng.random() < SOFTENED:
        soften(rng, policy)
    return policy
