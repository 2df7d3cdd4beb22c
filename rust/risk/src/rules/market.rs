//! Rules of an instrument and its venue: sizes, moves, bands, phases, auctions, types, short sales.

use cwts_types::{Control, Level, OrderType, Phase, Side, order_flag};

use super::Asked;
use crate::limits::{Auction, Limit, type_bit};
use crate::senders::VenueLine;
use crate::tables::bps_band;

/// Gives a place: control, level, handle, observed, limit.
pub(super) type Report<'r> = dyn FnMut(Control, Level, u32, i64, i64) + 'r;

pub(super) fn broken(asked: &Asked<'_>, venue: Option<&VenueLine>, at: &mut Report<'_>) {
    let Asked { order, lines, n, .. } = asked;
    let (rules, market) = (&lines.instrument.rules, &lines.instrument.market);
    let handle = order.instrument;
    let mut here = |control, observed, limit| {
        at(control, Level::Instrument, handle, observed, limit);
    };
    if order.qty < rules.min_qty {
        here(Control::MinOrderQty, order.qty, rules.min_qty);
    }
    if *n < rules.min_n {
        here(Control::MinOrderNotional, *n, rules.min_n);
    }
    if let Some((from, bps)) = moved_from(asked)
        && let Some(edge) = outside(order.px, bps_band(from, bps))
    {
        here(Control::PriceMove, order.px, edge);
    }
    if asked.is_priced() {
        let is_buy = asked.shape.side.is_buy();
        if is_buy && market.luld_hi != 0 && order.px > market.luld_hi {
            here(Control::LuldBand, order.px, market.luld_hi);
        }
        if !is_buy && market.luld_lo != 0 && order.px < market.luld_lo {
            here(Control::LuldBand, order.px, market.luld_lo);
        }
    }
    let phase = market.phase.and_then(Phase::from_code);
    match phase {
        Some(Phase::Halted) if !rules.trades_halted => {
            here(Control::InstrumentHalted, i64::from(Phase::Halted as u8), 0);
        }
        Some(phase) if is_closed(phase, rules.phases) => {
            here(Control::SessionClosed, i64::from(phase as u8), i64::from(rules.phases));
        }
        _ => {}
    }
    auction(asked, venue, &mut here);
    if rules.types.is_some_and(|types| !is_listed(asked, types)) {
        here(Control::OrderTypeNotAllowed, i64::from(order.type_tif), 0);
    }
    if rules.reg_sho {
        short_sale(asked, at);
    }
}

pub(super) fn broken_at_venue(asked: &Asked<'_>, venue: &VenueLine, at: &mut Report<'_>) {
    let rules = &asked.lines.instrument.rules;
    let handle = asked.lines.instrument.venue;
    let mut here = |control, observed, limit| at(control, Level::Venue, handle, observed, limit);
    match venue.phase.and_then(Phase::from_code) {
        Some(Phase::Halted) if !rules.trades_halted => {
            here(Control::MarketWideHalt, i64::from(Phase::Halted as u8), 0);
        }
        Some(phase) if is_closed(phase, rules.phases) => {
            here(Control::SessionClosed, i64::from(phase as u8), i64::from(rules.phases));
        }
        _ => {}
    }
    if venue.reconciling {
        here(Control::Reconciling, 0, 0);
    }
}

/// Whether the list of phases leaves this one out; halts and reconciling are other controls'.
fn is_closed(phase: Phase, phases: u32) -> bool {
    !matches!(phase, Phase::Halted | Phase::Reconciling) && phases >> phase as u32 & 1 == 0
}

/// The edge that a price lies beyond, if it does.
fn outside(px: i64, (low, high): (i128, i128)) -> Option<i64> {
    let px = i128::from(px);
    let clamp = |edge: i128| edge.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64;
    if px < low {
        Some(clamp(low))
    } else if px > high {
        Some(clamp(high))
    } else {
        None
    }
}

/// The reference of one period ago and the width around it, where the order is held against it.
pub(crate) fn moved_from(asked: &Asked<'_>) -> Option<(i64, i64)> {
    let line = asked.lines.instrument;
    let rule = line.rules.price_move.filter(|_| asked.is_priced())?;
    let from = line.market.moved_from(rule, asked.ts).filter(|px| *px > 0)?;
    Some((from, rule.bps))
}

/// The rule on auctions, where the order is meant for one or meets one.
pub(crate) fn auction_rule(asked: &Asked<'_>, venue: Option<&VenueLine>) -> Option<Auction> {
    let Asked { order, lines, .. } = asked;
    let rule = lines.instrument.rules.auction?;
    let tif = order.type_tif >> 4;
    let is_meant =
        order.flags & order_flag::AUCTION != 0 || tif == AT_THE_OPEN || tif == AT_THE_CLOSE;
    let phases = [lines.instrument.market.phase, venue.and_then(|venue| venue.phase)];
    let mut phases = phases.into_iter().flatten().filter_map(Phase::from_code);
    (is_meant || phases.any(Phase::is_auction)).then_some(rule)
}

fn auction(asked: &Asked<'_>, venue: Option<&VenueLine>, here: &mut impl FnMut(Control, i64, i64)) {
    let Asked { order, lines, n, .. } = asked;
    let Some(rule) = auction_rule(asked, venue) else { return };
    let control = Control::AuctionRule;
    if let Limit::At(max) = rule.max_qty
        && order.qty > max
    {
        here(control, order.qty, max);
    }
    if let Limit::At(max) = rule.max_notional
        && *n > max
    {
        here(control, *n, max);
    }
    if !rule.market && !asked.is_priced() {
        here(control, 0, 0);
    }
    let Some(bps) = rule.collar_bps.filter(|_| asked.is_priced()) else { return };
    let close = lines.instrument.market.prior_close;
    if close <= 0 {
        here(control, order.px, 0);
    } else if let Some(edge) = outside(order.px, bps_band(close, bps)) {
        here(control, order.px, edge);
    }
}

/// Whether a list of types has the order's.
pub(super) fn is_listed(asked: &Asked<'_>, types: u32) -> bool {
    let order = asked.order;
    let own = match asked.shape.order_type {
        OrderType::Market => 0,
        OrderType::Limit => 1,
        OrderType::Stop => 2,
        OrderType::StopLimit => 3,
        OrderType::Pegged => 4,
    };
    let tif = type_bit::TIF + u32::from(order.type_tif >> 4);
    let mut wanted = 1 << own | 1 << tif;
    if order.flags & order_flag::ISO != 0 {
        wanted |= type_bit::ISO;
    }
    if order.flags & order_flag::POST_ONLY != 0 {
        wanted |= type_bit::POST_ONLY;
    }
    types & wanted == wanted
}

/// Reg SHO: the mark, and the price test while the restriction is on. Locates are the owner's.
fn short_sale(asked: &Asked<'_>, at: &mut Report<'_>) {
    let Asked { order, holding, .. } = asked;
    let side = asked.shape.side;
    if side.is_buy() {
        return;
    }
    let after = holding.work[1].saturating_add(asked.added_qty);
    let is_marked_short = side != Side::Sell;
    let is_wrong = if is_marked_short { after <= holding.pos } else { after > holding.pos.max(0) };
    if is_wrong {
        let level = Level::AccountInstrument;
        at(Control::ShortMark, level, order.account, after, holding.pos.max(0));
    }
    let market = &asked.lines.instrument.market;
    if market.short_restricted && side == Side::Short {
        let passes = asked.is_priced() && market.bid != 0 && order.px > market.bid;
        if !passes {
            let control = Control::ShortSaleRestriction;
            at(control, Level::Instrument, order.instrument, order.px, market.bid);
        }
    }
}

/// FIX 59.
const AT_THE_OPEN: u8 = 2;
/// FIX 59.
const AT_THE_CLOSE: u8 = 7;
