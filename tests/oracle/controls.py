"""The rows of ``docs/controls.md`` by their bits."""

from __future__ import annotations

from oracle import stateful, stateless
from oracle.checks import Check

__all__ = ["CHECKS", "EXEMPT"]

EXEMPT = {5, 6, 9, 31, *range(32, 44), 46, 48, 49}
"""Rows marked R: they do not hold for reducing orders."""

CHECKS: dict[int, Check] = {
    0: stateless.limit_not_set,
    3: stateful.overflow,
    4: stateless.max_order_qty,
    5: stateless.min_order_qty,
    6: stateless.lot_size,
    7: stateless.tick_size,
    8: stateless.max_order_notional,
    9: stateless.min_order_notional,
    10: stateless.price_collar,
    11: stateless.reference_missing,
    12: stateless.reference_stale,
    13: stateless.price_move,
    14: stateless.luld_band,
    15: stateless.instrument_halted,
    16: stateless.market_wide_halt,
    17: stateless.session_closed,
    18: stateless.auction_rule,
    19: stateless.order_type,
    20: stateless.restricted,
    21: stateless.not_permitted,
    22: stateful.short_mark,
    23: stateless.short_sale_restriction,
    24: stateful.locate,
    26: stateful.message_rate,
    27: stateful.attempt_rate,
    28: stateful.duplicate_id,
    29: stateful.duplicate_order,
    30: stateful.repeated_execution,
    31: stateful.window_notional,
    32: stateful.max_position,
    33: stateful.max_open_orders,
    34: stateful.max_open_notional,
    35: stateful.credit_limit,
    36: stateful.net_exposure,
    37: stateful.concentration,
    38: stateful.daily_notional,
    39: stateful.daily_qty,
    40: stateful.daily_orders,
    41: stateful.buying_power,
    42: stateful.loss_limit,
    43: stateful.drawdown,
    44: stateful.self_trade,
    45: stateful.reduce_only,
    46: stateful.kill_reduce_only,
    47: stateful.kill_halted,
    48: stateful.slow_down,
    49: stateful.reconciling,
}
