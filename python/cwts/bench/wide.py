"""A wide desk: many instruments and accounts, their limits, and a batch of orders over them.

The batch benchmarks, here and in Rust, read what this module writes: the same limits and orders.
``python -m cwts.bench.wide DIR`` writes it for the Rust benchmark under a profiler.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import cwts
from cwts.bench import ours

__all__ = ["COMMON", "EVERY", "FULL", "QUICK", "UNSET", "Width", "limits_text", "orders", "write"]


@dataclass(frozen=True, slots=True)
class Width:
    """How wide: instruments, accounts, and orders over them."""

    instruments: int
    accounts: int
    orders: int


FULL = Width(10_000, 10_000, 1_000_000)
#: That everything runs, and nothing more.
QUICK = Width(64, 64, 4_096)

#: The twelve of `check_prebuilt`: the eight that no limits file may leave out, and the four that
#: the shipped profiles and the demo's desk set beside them. Credit stands at all four levels.
COMMON = (
    "MAX_ORDER_QTY",
    "LOT_SIZE",
    "TICK_SIZE",
    "MAX_ORDER_NOTIONAL",
    "PRICE_COLLAR",
    "REFERENCE_STALE",
    "RESTRICTED_INSTRUMENT",
    "MESSAGE_RATE",
    "DUPLICATE_ORDER",
    "MAX_POSITION",
    "MAX_OPEN_NOTIONAL",
    "CREDIT_LIMIT",
)
#: Set in addition by the other file, at each level that the control has, but for `ABOVE_ACCOUNTS`.
EVERY = (
    *COMMON,
    "MIN_ORDER_QTY",
    "MIN_ORDER_NOTIONAL",
    "PRICE_MOVE",
    "SESSION_CLOSED",
    "AUCTION_RULE",
    "ORDER_TYPE_NOT_ALLOWED",
    "NOT_PERMITTED",
    "ATTEMPT_RATE",
    "DUPLICATE_ID",
    "REPEATED_EXECUTION",
    "WINDOW_NOTIONAL",
    "MAX_OPEN_ORDERS",
    "NET_EXPOSURE",
    "CONCENTRATION",
    "DAILY_NOTIONAL",
    "DAILY_QTY",
    "DAILY_ORDERS",
    "BUYING_POWER",
    "LOSS_LIMIT",
    "DRAWDOWN",
    "SELF_TRADE",
    "SLOW_DOWN",
)
#: Controls that no key sets: they hold always, or follow what the venue and the state say.
UNSET = (
    "LIMIT_NOT_SET",
    "UNKNOWN_HANDLE",
    "MALFORMED",
    "ARITHMETIC_OVERFLOW",
    "REFERENCE_MISSING",
    "LULD_BAND",
    "INSTRUMENT_HALTED",
    "MARKET_WIDE_HALT",
    "SHORT_MARK",
    "SHORT_SALE_RESTRICTION",
    "LOCATE",
    "UNKNOWN_ORDER",
    "REDUCE_ONLY_WOULD_INCREASE",
    "KILL_REDUCE_ONLY",
    "KILL_HALTED",
    "RECONCILING",
    "AUDIT_BACKPRESSURE",
)
#: Of `EVERY`, what an account of its own has no key for here: a limits file may have 4 MiB, and
#: 10,000 accounts with each key would need 5. They stand at the three levels above, and where an
#: order has no level above, at its strategy.
ABOVE_ACCOUNTS = ("SELF_TRADE", "RESTRICTED_INSTRUMENT", "DAILY_ORDERS", "LOSS_LIMIT", "DRAWDOWN")


def limits_text(width: Width, controls: tuple[str, ...]) -> str:
    """A limits file, `COMMON` or `EVERY`, whose limits the orders below never reach.

    Groups, customers, strategies, sessions and venues are so many that no window of one of them
    must hold more than it can.
    """
    is_every = controls is EVERY
    money = '"900_000_000_000"'
    node = [f"credit = {money}", f"max_open_notional = {money}"]
    if is_every:
        node += [
            "max_open_orders = 90_000_000",
            f"net_exposure = {money}",
            'concentration = "99%"',
            f"daily_notional = {money}",
            f'window_notional = {{ max = {money}, window = "100us" }}',
            f"loss_limit = {{ day = {money} }}",
            f"drawdown = {{ max = {money} }}",
            'self_trade = "reject_newest"',
            'restricted = { deny = ["XYZ"] }',
        ]
    text = ["schema = 1", "[restricted]", 'deny = ["XYZ"]', "[firm]", *node]
    if is_every:
        text += ["duplicate_id = { max = 16_000_000 }", "buying_power = true"]
        text += ["[control]", 'staged = { slow = 90, slow_delay = "100us" }']
    text += ["[desk.d]", *node]
    for number in range(CUSTOMERS):
        text += [f"[customer.c{number}]", 'desk = "d"', *node]
    for number in range(STRATEGIES):
        text += _strategy(number, is_every=is_every)
    for number in range(GROUPS):
        text += _group(number, is_every=is_every)
    for number in range(width.accounts):
        text += _account(number, is_every=is_every)
    text += ["[instrument]", 'XYZ = { group = "g0" }']
    for number in range(width.instruments):
        text.append(f'I{number} = {{ group = "g{number % GROUPS}" }}')
    return "\n".join([*text, ""])


def _strategy(number: int, *, is_every: bool) -> list[str]:
    text = [f"[strategy.s{number}]", "max_order_qty = 500", "max_order_notional = 150_000"]
    text += [f"message_rate = {ours.RATE}"]
    if is_every:
        text += [
            f'session = "f{number % SESSIONS}"',
            f"groups = {[f'g{group}' for group in range(GROUPS)]}",
            'types = ["limit", "market"]',
            f"attempt_rate = {ours.RATE}",
            'repeated_execution = { max = 60_000, window = "1ms" }',
            "max_open_orders = 90_000_000",
            "daily_orders = 90_000_000",
            'window_notional = { max = "900_000_000_000", window = "100us" }',
            'loss_limit = { day = "900_000_000" }',
            'drawdown = { max = "900_000_000" }',
        ]
        if number < SESSIONS:
            text += [f"[session.f{number}]", f"message_rate = {ours.RATE}"]
            text += [f"attempt_rate = {ours.RATE}"]
    return text


def _group(number: int, *, is_every: bool) -> list[str]:
    text = [
        f"[group.g{number}]",
        f'venue = "v{number}"',
        'tick = "0.01"',
        "lot = 1",
        "max_order_qty = 10_000",
        "max_order_notional = 900_000",
        'price_collar = { bps = 500, reference = "external", max_age = "1h" }',
    ]
    if is_every:
        text += [
            f"message_rate = {FEW}",
            "min_order_qty = 1",
            "min_order_notional = 1",
            'price_move = { bps = 600, period = "5m" }',
            'phases = ["trading"]',
            "auction = { max_order_qty = 10_000, collar_bps = 1_000 }",
            'types = ["limit", "market"]',
            'margin = "25%"',
            f"[venue.v{number}]",
            f"message_rate = {ours.RATE}",
        ]
    return text


def _account(number: int, *, is_every: bool) -> list[str]:
    """As short as it goes: there are many."""
    text = [
        f"[account.A{number}]",
        f'customer="c{number % CUSTOMERS}"',
        "max_order_qty=500",
        "max_order_notional=90000",
        "credit=9999999",
        "max_open_notional=9999999",
        f"message_rate={FEW}",
        'duplicate_order={window="1ms",max=17}',
        "max_position={long=99999,short=99999}",
    ]
    if is_every:
        text += [
            "max_open_orders=9999",
            "net_exposure=9999999",
            'concentration="99%"',
            "daily_notional=9999999",
            'window_notional={max=9999999,window="1ms"}',
            "daily_qty=99999",
            "cash=9999999",
        ]
    return text


def orders(width: Width) -> npt.NDArray[Any]:
    """Limit orders of uniformly drawn accounts and instruments; no two sides ever cross.

    Handles are those of `limits_text`: names get them in their order, from 1 on; the restricted
    instrument is the last.
    """
    rng = np.random.default_rng(SEED)
    out = np.zeros(width.orders, cwts.ORDER_DTYPE)
    out["instrument"] = rng.integers(1, width.instruments + 1, width.orders)
    out["account"] = rng.integers(1, width.accounts + 1, width.orders)
    out["strategy"] = np.arange(width.orders) % STRATEGIES + 1
    out["qty"] = rng.integers(1, 101, width.orders)
    sells = rng.integers(0, 2, width.orders)
    ticks = rng.integers(1, 201, width.orders)
    out["px"] = PRICE_E9 + np.where(sells == 1, ticks, -ticks) * TICK_E9
    out["side"] = sells + 1
    out["kind"], out["type_tif"] = 1, LIMIT_DAY
    # Ends of the range, so that a reader finds the middle: the reference.
    out["px"][:2] = PRICE_E9 - 200 * TICK_E9, PRICE_E9 + 200 * TICK_E9
    out["side"][:2] = 1, 2
    return out


def write(directory: Path, width: Width) -> None:
    """Everything that the Rust benchmark reads."""
    (directory / "desk.toml").write_text(ours.limits_text(), encoding="utf-8")
    for name, controls in (("common", COMMON), ("every", EVERY)):
        path = directory / f"{name}.toml"
        path.write_text(limits_text(width, controls), encoding="utf-8")
    orders(width).tofile(directory / "orders.bin")


#: So many that each sends fewer orders of a batch than a window can count.
STRATEGIES = 64
SESSIONS = 32
#: Groups of instruments, each with a venue of its own.
GROUPS = 32
CUSTOMERS = 64
#: A rate for those who send about a hundred orders of a million.
FEW = '{max=99,window="1ms"}'
SEED = 7
PRICE_E9 = 100_000_000_000
TICK_E9 = 10_000_000
LIMIT_DAY = 2

if __name__ == "__main__":
    write(Path(sys.argv[1]), FULL)
