//! What is known of an instrument's market beside its reference price.

use std::collections::VecDeque;

use cwts_types::{Locate, Phase, Reference, Session, SessionKind, reference_flag};
use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::limits::{Auction, InstrumentLimits, PriceMove};

/// State of a market; 0 in a price means that it is not known.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Market {
    pub(crate) bid: i64,
    pub(crate) prior_close: i64,
    pub(crate) luld_lo: i64,
    pub(crate) luld_hi: i64,
    /// Whether the short-sale restriction is on.
    pub(crate) short_restricted: bool,
    /// [`Phase`] as a code.
    pub(crate) phase: Option<u8>,
    /// Each sixteenth's last reference, oldest first.
    pub(crate) moves: VecDeque<(u64, i64)>,
    /// Length of a sixteenth, so that another period starts again.
    pub(crate) sixteenth_ns: u64,
}

/// Rules that few instruments have; derived from the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct MarketRules {
    pub(crate) price_move: Option<PriceMove>,
    pub(crate) trades_halted: bool,
    pub(crate) phases: u32,
    pub(crate) auction: Option<Auction>,
    pub(crate) types: Option<u32>,
    pub(crate) reg_sho: bool,
    pub(crate) min_n: i64,
    pub(crate) min_qty: i64,
    pub(crate) margin_bps: i64,
    /// Number of the group in the file.
    pub(crate) group: Option<u32>,
}

impl MarketRules {
    pub(crate) fn new(limits: &InstrumentLimits, group: Option<u32>) -> Self {
        let at_least = |limit: crate::limits::Limit| match limit {
            crate::limits::Limit::At(value) => value,
            _ => 0,
        };
        Self {
            price_move: limits.price_move,
            trades_halted: limits.trades_halted.unwrap_or(false),
            phases: limits.phases.unwrap_or(!(1 << Phase::Closed as u32)),
            auction: limits.auction,
            types: limits.types,
            reg_sho: limits.reg_sho.unwrap_or(false),
            min_n: at_least(limits.min_order_notional),
            min_qty: at_least(limits.min_order_qty),
            margin_bps: limits.margin_bps.unwrap_or(WHOLE_BPS),
            group,
        }
    }

    /// Whether one of them could refuse an order in this market.
    pub(crate) fn watches(&self, market: &Market) -> bool {
        self.price_move.is_some()
            || self.auction.is_some()
            || self.types.is_some()
            || self.reg_sho
            || self.min_n > 0
            || self.min_qty > 0
            || market.luld_lo != 0
            || market.luld_hi != 0
            || market.phase.is_some()
    }
}

impl Market {
    /// Takes a reference price in, for the rule on moves.
    pub(crate) fn remember(&mut self, rule: Option<PriceMove>, px: i64, ts: u64) {
        let Some(rule) = rule else { return };
        let sixteenth = rule.period_ns / SIXTEENTHS;
        if self.sixteenth_ns != sixteenth {
            self.moves.clear();
            self.sixteenth_ns = sixteenth;
        }
        let now = ts / sixteenth;
        match self.moves.back_mut() {
            // A price that comes late belongs to the newest sixteenth all the same.
            Some(last) if last.0 >= now => last.1 = px,
            _ => self.moves.push_back((now, px)),
        }
        while self.moves.get(1).is_some_and(|next| is_a_period_old(next.0, now)) {
            self.moves.pop_front();
        }
    }

    /// The oldest price that a move is measured from; reading it brings its line near.
    #[inline]
    pub(crate) fn oldest_move(&self) -> i64 {
        self.moves.front().map_or(0, |row| row.1)
    }

    /// The reference of one period before `ts`.
    pub(crate) fn moved_from(&self, rule: PriceMove, ts: u64) -> Option<i64> {
        let now = ts / (rule.period_ns / SIXTEENTHS);
        let old = self.moves.iter().rev().find(|row| is_a_period_old(row.0, now));
        old.or(self.moves.front()).map(|row| row.1)
    }
}

/// Whether a sixteenth lies a whole period before another; a time may be any number.
fn is_a_period_old(sixteenth: u64, now: u64) -> bool {
    now.checked_sub(sixteenth).is_some_and(|since| since >= SIXTEENTHS)
}

impl Engine {
    /// Takes in what a reference says beside its price.
    pub(crate) fn market_entry(&mut self, reference: &Reference) {
        let Some(Some(line)) = self.instruments.get_mut(reference.instrument as usize) else {
            return;
        };
        let market = &mut line.market;
        let known = |new: i64, old: &mut i64| {
            if new != 0 {
                *old = new;
            }
        };
        known(reference.bid, &mut market.bid);
        known(reference.prior_close, &mut market.prior_close);
        known(reference.luld_lo, &mut market.luld_lo);
        known(reference.luld_hi, &mut market.luld_hi);
        if reference.flags & reference_flag::NO_BAND != 0 {
            market.luld_lo = 0;
            market.luld_hi = 0;
        }
        if reference.flags & reference_flag::SHORT_RESTRICTED != 0 {
            market.short_restricted = true;
        }
        if reference.flags & reference_flag::SHORT_FREE != 0 {
            market.short_restricted = false;
        }
        line.watch = line.rules.watches(&line.market);
    }

    /// Takes a phase in. A handle that nobody registered changes nothing.
    pub(crate) fn session_entry(&mut self, session: Session) {
        let handle = session.handle as usize;
        match session.kind {
            SessionKind::Instrument => {
                if let Some(Some(line)) = self.instruments.get_mut(handle) {
                    line.market.phase = Some(session.phase as u8);
                    line.watch = line.rules.watches(&line.market);
                }
            }
            SessionKind::Venue => {
                if let Some(line) = self.venues.get_mut(handle) {
                    line.phase = Some(session.phase as u8);
                    line.reconciling = session.phase == Phase::Reconciling;
                    self.venue_watch = true;
                }
            }
            SessionKind::Session => {
                if let Some(line) = self.sessions.get_mut(handle) {
                    line.is_down = session.phase == Phase::Closed;
                }
            }
        }
    }

    /// Takes a locate in: it says what is located for the day in all.
    pub(crate) fn locate_entry(&mut self, locate: &Locate) {
        let key = crate::holding::holding_key(locate.account, locate.instrument);
        if self.locates.len() < LOCATES_MAX || self.locates.contains_key(&key) {
            self.locates.insert(key, locate.qty);
        }
    }
}

/// Parts of a period that keep a reference each.
const SIXTEENTHS: u64 = 16;
/// 100 %.
pub(crate) const WHOLE_BPS: i64 = 10_000;
/// Locates of one day; one more is not known, and what is not located is refused.
const LOCATES_MAX: usize = 1 << 20;
