"""Rows of ``docs/controls.md`` that need positions, what works, windows or latches."""

from __future__ import annotations

from typing import Any

from oracle.books import Watch
from oracle.checks import I64_MAX, Ask, holds, is_full, is_marked_short, is_watched_sale
from oracle.entries import REDUCE_ONLY, SELL
from oracle.model import Scope
from oracle.names import HALTED, RECONCILING
from oracle.rules import duration, micros, per_million

__all__ = [
    "attempt_rate",
    "buying_power",
    "concentration",
    "credit_limit",
    "daily_notional",
    "daily_orders",
    "daily_qty",
    "drawdown",
    "duplicate_id",
    "duplicate_order",
    "kill_halted",
    "kill_reduce_only",
    "locate",
    "loss_limit",
    "max_open_notional",
    "max_open_orders",
    "max_position",
    "message_rate",
    "net_exposure",
    "overflow",
    "reconciling",
    "reduce_only",
    "repeated_execution",
    "self_trade",
    "short_mark",
    "slow_down",
    "window_notional",
]


def overflow(ask: Ask) -> bool:
    sums = [ask.open_money(node) + ask.cost(node) + ask.added for node in ask.nodes]
    total = ask.work + ask.added_qty
    position = total + (ask.pos if ask.is_buy else -ask.pos)
    return max(ask.n, total, position, *sums) > I64_MAX


def short_mark(ask: Ask) -> bool:
    if not is_watched_sale(ask):
        return False
    sells = ask.work + ask.added_qty
    return sells > max(ask.pos, 0) if ask.order.side == SELL else sells <= ask.pos


def locate(ask: Ask) -> bool:
    if not (is_watched_sale(ask) and is_marked_short(ask)):
        return False
    works = sum(
        order.leaves()
        for order in ask.model.working
        if (order.account, order.instrument) == ask.at and order.is_short
    )
    used = works + ask.model.filled_short[ask.at] + ask.added_qty
    return used > ask.model.located.get(ask.at, 0)


def _over(times: list[int], rule: Any, t: int) -> bool:
    """Whether a window holds its most already."""
    recent = sum(stamp > t - duration(rule["window"]) for stamp in times)
    return bool(recent >= rule["max"])


def message_rate(ask: Ask) -> bool:
    for scope in ask.model.places(ask.order):
        rule = ask.model.limit(scope, "message_rate") if scope[1] else None
        if rule is not None and _over(ask.model.messages[scope], rule, ask.t):
            return True
    return is_full(ask)


def attempt_rate(ask: Ask) -> bool:
    session: Scope = ("session", ask.model.session(ask.order.strategy))
    for scope in (ask.strategy, session):
        rule = ask.model.limit(scope, "attempt_rate") if scope[1] else None
        if rule is not None and _over(ask.model.attempts[scope], rule, ask.t):
            return True
    return False


def duplicate_id(ask: Ask) -> bool:
    if not ask.live:
        return False
    model = ask.model
    if ask.order.order_id in model.orders:
        return True
    most = model.rules.duplicate_id
    return most is not None and (ask.order.order_id in model.known or len(model.known) >= most)


def duplicate_order(ask: Ask) -> bool:
    rule = ask.model.limit(ask.account, "duplicate_order")
    if rule is None:
        return False
    order = ask.order
    key = (order.account, order.instrument, order.side, order.px, order.qty)
    recent = sum(ask.t - at < duration(rule["window"]) for at in ask.model.equal[key])
    return bool(recent >= rule.get("max", 1))


def repeated_execution(ask: Ask) -> bool:
    return ask.model.repeated[ask.order.strategy].is_set


def window_notional(ask: Ask) -> bool:
    for node in [ask.strategy, *ask.nodes]:
        rule = ask.model.limit(node, "window_notional")
        if rule is None:
            continue
        since = ask.t - duration(rule["window"])
        used = sum(n for at, n in ask.model.accepted[node] if at > since)
        if used + ask.added > micros(rule["max"]):
            return True
    return False


def max_position(ask: Ask) -> bool:
    account = ask.model.names[ask.account]
    rule = ask.model.rules.in_instrument(account, ask.symbol, "max_position")
    if rule is None:
        return False
    total = ask.work + ask.added_qty
    if ask.is_buy:
        return bool(ask.pos + total > rule["long"])
    return bool(total - ask.pos > rule["short"])


def max_open_orders(ask: Ask) -> bool:
    for node in [ask.strategy, *ask.nodes]:
        most = ask.model.limit(node, "max_open_orders")
        if ask.is_new and most is not None and len(ask.model.works(node)) >= most:
            return True
    return False


def max_open_notional(ask: Ask) -> bool:
    for node in ask.nodes:
        most = ask.model.money(node, "max_open_notional")
        if most is not None and ask.open_money(node) + ask.added > most:
            return True
    return False


def credit_limit(ask: Ask) -> bool:
    for node in ask.nodes:
        most = ask.model.money(node, "credit")
        if most is not None and ask.open_money(node) + ask.cost(node) + ask.added > most:
            return True
    return False


def net_exposure(ask: Ask) -> bool:
    for node in ask.nodes:
        most = ask.model.money(node, "net_exposure")
        if most is None:
            continue
        held = ask.model.held(node)
        net = sum(cell.cost if cell.pos > 0 else -cell.cost for _, cell in held)
        works = sum(o.money() for o in ask.model.works(node) if o.is_buy == ask.is_buy)
        if (net if ask.is_buy else -net) + works + ask.added > most:
            return True
    return False


def _in_cell(ask: Ask) -> int:
    """Cost and working notional of the account in the instrument."""
    works = sum(
        order.money() for order in ask.model.working if (order.account, order.instrument) == ask.at
    )
    return ask.model.cells[ask.at].cost + works


def concentration(ask: Ask) -> bool:
    for node in ask.nodes:
        share = ask.model.limit(node, "concentration")
        credit = ask.model.money(node, "credit")
        if share is None or credit is None:
            continue
        if _in_cell(ask) + ask.added > int(credit * per_million(share)):
            return True
    return False


def daily_notional(ask: Ask) -> bool:
    for node in ask.nodes:
        most = ask.model.money(node, "daily_notional")
        used = ask.model.filled_money[node] + ask.open_money(node)
        if most is not None and used + ask.added > most:
            return True
    return False


def daily_qty(ask: Ask) -> bool:
    account = ask.model.names[ask.account]
    most = ask.model.rules.in_instrument(account, ask.symbol, "daily_qty")
    if most is None:
        return False
    works = ask.work + ask.model.work(*ask.at, buys=not ask.is_buy)
    return bool(ask.model.filled[ask.at] + works + ask.added_qty > most)


def daily_orders(ask: Ask) -> bool:
    for scope in (ask.strategy, ask.account):
        most = ask.model.limit(scope, "daily_orders")
        if ask.is_new and most is not None and ask.model.orders_today[scope] >= most:
            return True
    return False


def buying_power(ask: Ask) -> bool:
    cash = ask.model.money(ask.account, "cash")
    written = ask.model.rules.section("account", ask.model.names[ask.account])
    if "cash" not in written and ask.model.rules.buying_power:
        cash = 0
    if cash is None:
        return False
    needed = 0
    for instrument in ask.model.markets:
        scope: Scope = ("instrument", instrument)
        rate = per_million(ask.model.limit(scope, "margin") or "100%")
        works = sum(
            order.money()
            for order in ask.model.working
            if (order.account, order.instrument) == (ask.order.account, instrument)
        )
        used = works + ask.model.cells[(ask.order.account, instrument)].cost
        needed += -(-used * rate.numerator // rate.denominator)
        if instrument == ask.order.instrument:
            needed += -(-ask.added * rate.numerator // rate.denominator)
    return needed > cash


def _watches(ask: Ask) -> list[Watch]:
    found = (ask.model.watch(node) for node in [ask.strategy, *ask.nodes])
    return [watch for watch in found if watch is not None]


def loss_limit(ask: Ask) -> bool:
    return any(w.loss is not None and w.loss.latch.is_set for w in _watches(ask))


def drawdown(ask: Ask) -> bool:
    return any(w.fall is not None and w.fall.latch.is_set for w in _watches(ask))


def self_trade(ask: Ask) -> bool:
    refusing = ("reject_newest", "cancel_both")
    nodes = [node for node in ask.nodes if ask.model.limit(node, "self_trade") in refusing]
    for order in ask.model.working:
        if order.instrument != ask.order.instrument or order.is_buy == ask.is_buy:
            continue
        if not any(ask.model.is_under(order.account, node) for node in nodes):
            continue
        for term in order.terms():
            if term.px is None or not ask.priced:
                return True
            if ask.order.px >= term.px if ask.is_buy else ask.order.px <= term.px:
                return True
    return False


def reduce_only(ask: Ask) -> bool:
    return bool(ask.order.flags & REDUCE_ONLY) and not ask.reduces


def kill_reduce_only(ask: Ask) -> bool:
    return any(state == 1 for state, _ in holds(ask.model, ask.order))


def kill_halted(ask: Ask) -> bool:
    halts = [exit_allowed for state, exit_allowed in holds(ask.model, ask.order) if state == HALTED]
    return bool(halts) and not (all(halts) and ask.reduces)


def slow_down(ask: Ask) -> bool:
    slow = ask.model.rules.slow
    last = ask.model.last_accepted.get(ask.order.account)
    if slow is None or last is None or ask.t - last >= ask.model.rules.slow_delay:
        return False
    for node in ask.nodes:
        works = ask.open_money(node)
        for key, used in (
            ("credit", works + ask.cost(node)),
            ("max_open_notional", works),
            ("daily_notional", works + ask.model.filled_money[node]),
        ):
            most = ask.model.money(node, key)
            if most is not None and used * 100 >= slow * most:
                return True
    return False


def reconciling(ask: Ask) -> bool:
    venue = ask.model.venue(ask.order.instrument)
    phase = ask.model.phases.get(("venue", venue))
    return phase == RECONCILING or venue in ask.model.reconciling
