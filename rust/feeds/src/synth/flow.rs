//! What happens at each tick of the clock: orders, cancels, fills and hidden prints.
//!
//! Source: design note "replay", section 8. A cancel takes the live order whose drawn time was up
//! first; a fill takes the oldest order at the best price; a new order is priced against the mid
//! before it and never reaches the other side's best. So books cannot cross and the dead stay
//! dead. The mix of adds and cancels is not drawn but follows from the lifetimes, which keeps the
//! number of live orders steady over any length.
//!
//! Each instrument also has an anchor, near which orders are priced while its book is one-sided
//! and towards which the mid is drawn. It moves a tick with an execution, and between 4/5 and 5/4
//! of the first price, so a stream of any length keeps prices inside every sane collar.

use super::book::{Books, LIVE_MAX, Order, Side};
use super::chacha::ChaCha8;
use super::exposure::{ACCOUNT_MESSAGES_MAX, Exposure, STRATEGY_MESSAGES_MAX, Throttle};
use super::order_id;
use super::profile::Profile;
use super::table::{Quantiles, Zipf};
use crate::event::{Event, EventKind, flag};

/// Makes the offsets, which may be negative, fit an unsigned table.
const OFFSET_BIAS: i64 = 1 << 20;
/// One, in the unit of a profile's shares.
const SHARES: u32 = 10_000;
/// One, in the unit of the offsets (1/1000 bps).
const OFFSET_ONE: i64 = 10_000_000;
/// The mid is drawn towards the anchor by one part in so many of their distance.
const ANCHOR_PULL: i64 = 4;

/// The marks of one stream of events.
#[derive(Debug, Clone)]
pub(crate) struct Flow {
    profile: Profile,
    stream: ChaCha8,
    books: Books,
    exposure: Exposure,
    account_rate: Throttle,
    strategy_rate: Throttle,
    instrument_rank: Zipf,
    account_rank: Zipf,
    strategy_rank: Zipf,
    lifetime_ns: Quantiles,
    size: Quantiles,
    offset: Quantiles,
    markets: Vec<Market>,
    /// Orders born so far, and matches made so far.
    orders: u64,
    matches: u64,
    /// Where the last order went: a trade that finds its own book empty goes there.
    active: u32,
}

#[derive(Debug, Clone, Copy)]
struct Market {
    anchor_ticks: i64,
    low_ticks: i64,
    high_ticks: i64,
}

impl Flow {
    /// `listed` instruments get a first price; only the first `traded` of them get flow.
    pub(crate) fn new(
        profile: Profile,
        [listed, traded, accounts, strategies]: [usize; 4],
        mut stream: ChaCha8,
    ) -> Self {
        let (low, high) = profile.first_px_ticks;
        let markets = (0..listed)
            .map(|_| {
                let first = i64::from(low + stream.below(high - low));
                Market { anchor_ticks: first, low_ticks: first * 4 / 5, high_ticks: first * 5 / 4 }
            })
            .collect();
        Self {
            books: Books::new(traded),
            exposure: Exposure::new(accounts, traded, profile.position_max),
            account_rate: Throttle::new(accounts, ACCOUNT_MESSAGES_MAX),
            strategy_rate: Throttle::new(strategies, STRATEGY_MESSAGES_MAX),
            instrument_rank: Zipf::new(traded),
            account_rank: Zipf::new(accounts),
            strategy_rank: Zipf::new(strategies),
            lifetime_ns: Quantiles::read(profile.tables, 0),
            size: Quantiles::through(profile.sizes, 0),
            offset: Quantiles::through(profile.offsets, OFFSET_BIAS),
            markets,
            orders: 0,
            matches: 0,
            active: 0,
            profile,
            stream,
        }
    }

    /// The print at its first price that opens an instrument.
    pub(crate) fn open(&mut self, instrument: u32, ts_ns: u64) -> Event {
        let px_ticks = self.markets[instrument as usize].anchor_ticks;
        self.print_at(instrument, px_ticks, ts_ns)
    }

    /// The price near which an instrument's orders lie while its book is one-sided.
    pub(crate) fn anchor_px(&self, instrument: u32) -> i64 {
        self.markets[instrument as usize].anchor_ticks * self.profile.tick_e9
    }

    /// The next event, at that time.
    pub(crate) fn step(&mut self, ts_ns: u64) -> Event {
        let draw = self.stream.below(SHARES);
        let Profile { print_share, fill_share, cancel_share, .. } = self.profile;
        if draw < print_share {
            return self.print(ts_ns);
        }
        if draw < print_share + fill_share
            && let Some(event) = self.fill(ts_ns)
        {
            return event;
        }
        let full = self.books.live() >= LIVE_MAX;
        let horizon_ns = if full { u64::MAX } else { ts_ns };
        if (full || draw < print_share + fill_share + cancel_share)
            && let Some(slot) = self.books.expired(horizon_ns)
        {
            return self.cancel(slot, ts_ns);
        }
        self.add(ts_ns).unwrap_or_else(|| self.print(ts_ns))
    }

    fn chance(&mut self, share: u32) -> bool {
        self.stream.below(SHARES) < share
    }

    /// A new order, or none where every account and side has reached its bound.
    fn add(&mut self, ts_ns: u64) -> Option<Event> {
        let instrument = self.instrument_rank.at(self.stream.next_u32());
        let account = self.account_rank.at(self.stream.next_u32());
        let account = self.account_rate.admit(account, ts_ns);
        let strategy = self.strategy_rank.at(self.stream.next_u32());
        let strategy = self.strategy_rate.admit(strategy, ts_ns);
        let drawn = if self.chance(self.profile.buy_share) { Side::Buy } else { Side::Sell };
        let size = self.size.at(self.stream.next_u32()) as i64;
        let offset = self.offset.at(self.stream.next_u32()) as i64 - OFFSET_BIAS;
        let lifetime_ns = self.lifetime_ns.at(self.stream.next_u32());

        // An account that leans too far one way trades the other way, then less.
        let room = |side| self.exposure.room(account, instrument, side);
        let (side, qty) = if room(drawn) >= size {
            (drawn, size)
        } else if room(drawn.other()) >= size {
            (drawn.other(), size)
        } else {
            (drawn, room(drawn))
        };
        if qty <= 0 {
            return None;
        }
        self.orders += 1;
        let order = Order {
            number: self.orders,
            px_ticks: self.px_ticks(instrument, side, offset),
            qty,
            instrument,
            account,
            strategy,
            side,
        };
        self.books.add(order, ts_ns.saturating_add(lifetime_ns));
        self.exposure.rest(account, instrument, side, qty);
        self.active = instrument;
        Some(self.message(EventKind::Add, &order, qty, ts_ns))
    }

    /// Whole ticks away from the prior mid, and short of the other side's best.
    fn px_ticks(&self, instrument: u32, side: Side, offset: i64) -> i64 {
        let anchor2 = 2 * self.markets[instrument as usize].anchor_ticks;
        let bid = self.books.best(instrument, Side::Buy);
        let ask = self.books.best(instrument, Side::Sell);
        // Twice the mid, so that half ticks stay whole.
        let mid2 = match (bid, ask) {
            (Some(bid), Some(ask)) => bid + ask + (anchor2 - bid - ask) / ANCHOR_PULL,
            _ => anchor2,
        };
        match side {
            Side::Buy => {
                let px_ticks = (mid2 * (OFFSET_ONE - offset)).div_euclid(2 * OFFSET_ONE);
                ask.map_or(px_ticks, |ask| px_ticks.min(ask - 1)).max(1)
            }
            Side::Sell => {
                let px_ticks = -(-mid2 * (OFFSET_ONE + offset)).div_euclid(2 * OFFSET_ONE);
                bid.map_or(px_ticks, |bid| px_ticks.max(bid + 1))
            }
        }
    }

    /// Cancels the order whose time is up, in rare cases a part of it only.
    fn cancel(&mut self, slot: u32, ts_ns: u64) -> Event {
        let order = self.books.order(slot);
        let part = self.chance(self.profile.reduce_share) && order.qty > 1;
        let (kind, qty) = if part {
            (EventKind::Reduce, 1 + i64::from(self.stream.below((order.qty - 1) as u32)))
        } else {
            (EventKind::Delete, order.qty)
        };
        self.books.take(slot, qty);
        if part {
            let lifetime_ns = self.lifetime_ns.at(self.stream.next_u32());
            self.books.renew(slot, ts_ns.saturating_add(lifetime_ns));
        }
        self.exposure.rest(order.account, order.instrument, order.side, -qty);
        self.message(kind, &order, qty, ts_ns)
    }

    /// An execution of the oldest order at a best price, or none where nothing rests.
    fn fill(&mut self, ts_ns: u64) -> Option<Event> {
        let drawn = self.instrument_rank.at(self.stream.next_u32());
        let side = if self.stream.next_u32() & 1 == 0 { Side::Buy } else { Side::Sell };
        let slot = [drawn, self.active].into_iter().find_map(|instrument| {
            self.books
                .front(instrument, side)
                .or_else(|| self.books.front(instrument, side.other()))
        })?;
        let order = self.books.order(slot);
        let whole = self.chance(self.profile.whole_share) || order.qty == 1;
        let qty = if whole {
            order.qty
        } else {
            1 + i64::from(self.stream.below((order.qty - 1) as u32))
        };
        self.books.take(slot, qty);
        self.exposure.fill(order.account, order.instrument, order.side, qty);
        self.move_anchor(order.instrument, order.side);
        self.matches += 1;
        let mut event = self.event(EventKind::Fill, &order, qty, ts_ns);
        event.ref_id = self.matches;
        Some(event)
    }

    /// A buyer who takes an offer moves the anchor up, a seller moves it down; at its bounds it
    /// turns round.
    fn move_anchor(&mut self, instrument: u32, hit: Side) {
        let step = match hit {
            Side::Buy => -1,
            Side::Sell => 1,
        };
        let market = &mut self.markets[instrument as usize];
        let moved = market.anchor_ticks + step;
        let inside = (market.low_ticks..=market.high_ticks).contains(&moved);
        market.anchor_ticks += if inside { step } else { -step };
    }

    /// A print against hidden interest, inside the spread.
    fn print(&mut self, ts_ns: u64) -> Event {
        let instrument = self.instrument_rank.at(self.stream.next_u32());
        let bid = self.books.best(instrument, Side::Buy);
        let ask = self.books.best(instrument, Side::Sell);
        let anchor_ticks = self.markets[instrument as usize].anchor_ticks;
        let px_ticks = match (bid, ask) {
            (Some(bid), Some(ask)) => i64::midpoint(bid, ask),
            (Some(bid), None) => anchor_ticks.max(bid),
            (None, Some(ask)) => anchor_ticks.min(ask),
            (None, None) => anchor_ticks,
        };
        self.print_at(instrument, px_ticks, ts_ns)
    }

    fn print_at(&mut self, instrument: u32, px_ticks: i64, ts_ns: u64) -> Event {
        self.matches += 1;
        Event {
            ts_ns,
            order_id: 0,
            px: px_ticks * self.profile.tick_e9,
            qty: self.size.at(self.stream.next_u32()) as i64,
            ref_id: self.matches,
            src: 0,
            instrument,
            // A hidden print names no order, hence no owner.
            account: u32::MAX,
            strategy: u32::MAX,
            kind: EventKind::Trade,
            side: 0,
            flags: flag::HIDDEN,
        }
    }

    /// An event that its account sent, and that its rates therefore count.
    fn message(&mut self, kind: EventKind, order: &Order, qty: i64, ts_ns: u64) -> Event {
        self.account_rate.count(order.account, ts_ns);
        self.strategy_rate.count(order.strategy, ts_ns);
        self.event(kind, order, qty, ts_ns)
    }

    fn event(&self, kind: EventKind, order: &Order, qty: i64, ts_ns: u64) -> Event {
        Event {
            ts_ns,
            order_id: order_id(2 * order.number),
            px: order.px_ticks * self.profile.tick_e9,
            qty,
            ref_id: 0,
            src: 0,
            instrument: order.instrument,
            account: order.account,
            strategy: order.strategy,
            kind,
            side: order.side.code(),
            flags: 0,
        }
    }

    #[cfg(test)]
    pub(crate) fn live(&self) -> usize {
        self.books.live()
    }
}
