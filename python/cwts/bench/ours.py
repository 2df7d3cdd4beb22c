"""The same jobs through the public names of this package."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import cwts

__all__ = [
    "ORDERS_PER_RUN",
    "DebugBuildError",
    "Desk",
    "build_and_check_many",
    "cancel_all",
    "check_many",
    "limits_text",
    "refuse_debug_build",
    "replay",
    "replay_files",
    "submit_all",
]


class DebugBuildError(RuntimeError):
    """The core was built without optimisation: what it takes says nothing."""


def refuse_debug_build() -> None:
    """Raises `DebugBuildError` unless the core is a release build."""
    if cwts.BUILD_PROFILE != "release":
        raise DebugBuildError(
            f"this is a {cwts.BUILD_PROFILE} build of cwts, and only a release build is measured; "
            "build with `maturin develop --release`"
        )


@dataclass(frozen=True, slots=True)
class Desk:
    """A desk's gateways: limits at every level for `ACCOUNTS` x `SYMBOLS`, wide but all set.

    Attributes
    ----------
    scratch : Path
        Where the limits file and the logs go.
    """

    scratch: Path

    def gateway(self, log: str | None = None) -> cwts.Gateway:
        """A gateway with reference prices set; `log` names a new directory in `scratch`."""
        limits = self.scratch / "desk.toml"
        limits.write_text(limits_text(), encoding="utf-8")
        gateway = cwts.Gateway(
            limits,
            None if log is None else self.scratch / log,
            keys=self.scratch / "keys",
        )
        for symbol in SYMBOLS:
            gateway.set_reference(symbol, last=PRICE)
        return gateway

    def orders(self) -> list[cwts.Order]:
        """One order for each account and symbol, buys and sells in turn."""
        pairs = itertools.product(SYMBOLS, ACCOUNTS)
        return [
            cwts.Order(symbol, ("buy", "sell")[i % 2], QTY, PRICE, account, STRATEGY)
            for i, (symbol, account) in enumerate(pairs)
        ]


def limits_text() -> str:
    """Limits of account, customer, desk, firm, strategy, group and instrument: 12 controls.

    They are never reached: quantity, notional (account, strategy), lot, tick, collar, age of the
    reference, restricted list, rate (account, strategy), duplicates, position, open notional,
    credit.
    """
    return "\n".join(
        [
            "schema = 1",
            "[firm]",
            'credit = "900_000_000_000"',
            'max_open_notional = "900_000_000_000"',
            'restricted = { deny = ["XYZ"] }',
            "[desk.equities]",
            'credit = "900_000_000_000"',
            "[customer.acme]",
            'desk = "equities"',
            'credit = "900_000_000_000"',
            *itertools.chain.from_iterable(_account(name) for name in ACCOUNTS),
            f"[strategy.{STRATEGY}]",
            "max_order_qty = 500",
            'max_order_notional = "150_000"',
            f"message_rate = {RATE}",
            "[group.us-liquid]",
            'price_collar = { bps = 500, reference = "external", max_age = "1h" }',
            *itertools.chain.from_iterable(_instrument(symbol) for symbol in SYMBOLS),
            "[instrument.XYZ]",
            *_instrument("XYZ")[1:],
            "",
        ]
    )


def _account(name: str) -> list[str]:
    return [
        f"[account.{name}]",
        'customer = "acme"',
        "max_order_qty = 500",
        'max_order_notional = "150_000"',
        'credit = "900_000_000_000"',
        'max_open_notional = "900_000_000_000"',
        f"message_rate = {RATE}",
        'duplicate_order = { window = "1ms", max = 17 }',
        "max_position = { long = 900_000_000, short = 900_000_000 }",
    ]


def _instrument(symbol: str) -> list[str]:
    return [
        f"[instrument.{symbol}]",
        'group = "us-liquid"',
        'venue = "XNAS"',
        'tick = "0.01"',
        "lot = 1",
        "max_order_qty = 10_000",
    ]


def check_many(gateway: cwts.Gateway, order: cwts.Order, times: Iterable[None]) -> None:
    """One built order, checked once an item of `times`; nothing is reserved."""
    check = gateway.check
    for _ in times:
        check(order)


def build_and_check_many(gateway: cwts.Gateway, times: Iterable[None]) -> None:
    """As `check_many`, with the order built anew each time, its price from text."""
    check, make = gateway.check, cwts.Order
    symbol, account = SYMBOLS[0], ACCOUNTS[0]
    for _ in times:
        check(make(symbol, "buy", QTY, PRICE, account, STRATEGY))


def submit_all(gateway: cwts.Gateway, orders: list[cwts.Order]) -> list[cwts.Decision]:
    """Submit every order and keep the decisions, as a caller would."""
    return list(map(gateway.submit, orders))


def cancel_all(gateway: cwts.Gateway, decisions: list[cwts.Decision]) -> None:
    """Take back what was accepted, so that the next run meets the same state."""
    for decision in decisions:
        gateway.cancel(decision.order_id)
    gateway.flush()


def replay(path: Path, log: Path | None, keys: Path) -> cwts.ReplayResult:
    """The whole job: open and parse the file, check, log durably if asked to, fold the report."""
    with resources.as_file(resources.files("cwts.bench") / "replay_limits.toml") as limits:
        return cwts.replay(path, limits, log=log, mapping="all", keep=False, keys=keys)


def replay_files(paths: list[Path], workers: int) -> cwts.ReplayResult:
    """Several files, each from fresh state, without a log."""
    with resources.as_file(resources.files("cwts.bench") / "replay_limits.toml") as limits:
        # Typed loosely as long as several files are on their way into `replay`.
        replay_several: Any = cwts.replay
        found: cwts.ReplayResult = replay_several(
            paths, limits, workers=workers, mapping="all", keep=False
        )
        return found


#: 32 x 32 holdings: more than a first-level cache holds, fewer than a second-level one.
ACCOUNTS = tuple(f"A{i:02}" for i in range(32))
SYMBOLS = tuple(f"S{i:02}" for i in range(32))
STRATEGY = "mm-1"
QTY = 100
PRICE = "223.81"
#: The largest window that there is, over the shortest time: always consulted, never reached.
RATE = '{ max = 60_000, window = "1ms" }'

ORDERS_PER_RUN = len(ACCOUNTS) * len(SYMBOLS)
