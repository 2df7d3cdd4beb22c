"""Rows of ``docs/controls.md`` that need the tables and the market, but no sums."""

from __future__ import annotations

from oracle.checks import I64_MAX, Ask, in_auction, is_odd_lot, is_watched_sale
from oracle.entries import ISO, POST_ONLY, SHORT
from oracle.market import band_of_bps
from oracle.names import CLOSED, HALTED, PHASES, RECONCILING, TIFS, TYPES
from oracle.rules import micros

__all__ = [
    "auction_rule",
    "instrument_halted",
    "limit_not_set",
    "lot_size",
    "luld_band",
    "market_wide_halt",
    "max_order_notional",
    "max_order_qty",
    "min_order_notional",
    "min_order_qty",
    "not_permitted",
    "order_type",
    "price_collar",
    "price_move",
    "reference_missing",
    "reference_stale",
    "restricted",
    "session_closed",
    "short_sale_restriction",
    "tick_size",
]


def _strictest(ask: Ask, key: str, *, money: bool) -> list[int]:
    """The limits of instrument, account and strategy under one key."""
    found = []
    for scope in (ask.instrument, ask.account, ask.strategy):
        limit = ask.model.money(scope, key) if money else ask.model.limit(scope, key)
        if limit is not None:
            found.append(int(limit))
    return found


def limit_not_set(ask: Ask) -> bool:
    names = ask.model.names
    customers = [names[node] for node in ask.nodes if node[0] == "customer"]
    customer = customers[0] if customers else None
    return ask.model.rules.missing(names[ask.account], customer, ask.symbol)


def max_order_qty(ask: Ask) -> bool:
    return any(ask.order.qty > x for x in _strictest(ask, "max_order_qty", money=False))


def min_order_qty(ask: Ask) -> bool:
    least = ask.model.limit(ask.instrument, "min_order_qty")
    return least is not None and ask.order.qty < least


def lot_size(ask: Ask) -> bool:
    lot = ask.model.limit(ask.instrument, "lot") or 1
    return ask.order.qty % lot != 0 and not is_odd_lot(ask)


def tick_size(ask: Ask) -> bool:
    return ask.order.px % ask.model.tick(ask.order.instrument) != 0


def max_order_notional(ask: Ask) -> bool:
    return any(ask.n > x for x in _strictest(ask, "max_order_notional", money=True))


def min_order_notional(ask: Ask) -> bool:
    least = ask.model.money(ask.instrument, "min_order_notional")
    return least is not None and ask.n < least


def price_collar(ask: Ask) -> bool:
    band = ask.market.band(ask.model.tick(ask.order.instrument))
    if band is None or ask.market.collar is None or not ask.priced:
        return False
    return not band[0] <= ask.order.px <= band[1]


def reference_missing(ask: Ask) -> bool:
    if not ask.priced:
        return ask.counted is None
    if ask.market.collar is None or ask.market.px is not None:
        return False
    return ask.market.collar.get("on_missing") != "allow"


def reference_stale(ask: Ask) -> bool:
    return ask.market.is_stale(ask.t)


def price_move(ask: Ask) -> bool:
    rule = ask.model.limit(ask.instrument, "price_move")
    before = ask.market.before(ask.t)
    if rule is None or before is None or not ask.priced:
        return False
    lo, hi = band_of_bps(before, rule["bps"])
    return not lo <= ask.order.px <= hi


def luld_band(ask: Ask) -> bool:
    if ask.market.luld is None or not ask.priced:
        return False
    lo, hi = ask.market.luld
    return ask.order.px > hi if ask.is_buy else ask.order.px < lo


def _denies_halt(ask: Ask) -> bool:
    return bool(ask.model.limit(ask.instrument, "on_halt") != "allow")


def instrument_halted(ask: Ask) -> bool:
    return ask.model.phases.get(ask.instrument) == HALTED and _denies_halt(ask)


def market_wide_halt(ask: Ask) -> bool:
    venue = ("venue", ask.model.venue(ask.order.instrument))
    return ask.model.phases.get(venue) == HALTED and _denies_halt(ask)


def session_closed(ask: Ask) -> bool:
    session = ("session", ask.model.session(ask.order.strategy))
    if ask.model.phases.get(session) == CLOSED:
        return True
    allowed = ask.model.limit(ask.instrument, "phases")
    if allowed is None:
        allowed = [name for name in PHASES if name != "closed"]
    known = [PHASES[phase] for phase in ask.phases() if phase not in (HALTED, RECONCILING)]
    return not set(known) <= set(allowed)


def auction_rule(ask: Ask) -> bool:
    rule = ask.model.limit(ask.instrument, "auction")
    if rule is None or not in_auction(ask):
        return False
    outside = False
    if "collar_bps" in rule:
        close = ask.market.prior_close
        lo, hi = band_of_bps(close, rule["collar_bps"])
        outside = ask.priced and (not close or not lo <= ask.order.px <= hi)
    return bool(
        outside
        or ask.order.qty > rule.get("max_order_qty", I64_MAX)
        or ("max_order_notional" in rule and ask.n > micros(rule["max_order_notional"]))
        or (not ask.priced and not rule.get("market", True))
    )


def order_type(ask: Ask) -> bool:
    for scope in (ask.instrument, ask.strategy):
        allowed = ask.model.limit(scope, "types")
        if allowed is None:
            continue
        tif = TIFS[ask.order.tif] if ask.order.tif < len(TIFS) else ""
        if TYPES[ask.order.type] not in allowed:
            return True
        if any(name in TIFS for name in allowed) and tif not in allowed:
            return True
        if ask.order.flags & ISO and "iso" not in allowed:
            return True
        if ask.order.flags & POST_ONLY and "post_only" not in allowed:
            return True
    return False


def restricted(ask: Ask) -> bool:
    rules, names = ask.model.rules, ask.model.names
    return rules.denies("all", "", ask.symbol) or any(
        rules.denies(node[0], names[node], ask.symbol) for node in ask.nodes
    )


def not_permitted(ask: Ask) -> bool:
    accounts = ask.model.limit(ask.strategy, "accounts")
    groups = ask.model.limit(ask.strategy, "groups")
    if accounts is not None and ask.model.names[ask.account] not in accounts:
        return True
    return groups is not None and ask.model.limit(ask.instrument, "group") not in groups


def short_sale_restriction(ask: Ask) -> bool:
    if not (is_watched_sale(ask) and ask.market.restricted and ask.order.side == SHORT):
        return False
    return not ask.priced or not ask.market.bid or ask.order.px <= ask.market.bid
