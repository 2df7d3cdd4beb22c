//! A market and its controls, written as plainly as possible: the oracle of the other tests.

use std::collections::{BTreeMap, VecDeque};

use super::measure::{IdMap, NS_PER_S};
use crate::event::{Event, EventKind};

const NS_PER_MS: u64 = 1_000_000;
/// (time, side, price, quantity) of an order.
type Sent = (u64, u8, i64, i64);

/// Everything that follows from the events so far.
#[derive(Default)]
pub(crate) struct Market {
    live: IdMap<Event>,
    /// Per instrument: open quantity by price, bought and sold.
    levels: BTreeMap<u32, [BTreeMap<i64, i64>; 2]>,
    pub(crate) last: BTreeMap<u32, i64>,
    /// Per account and instrument: position, open to buy, open to sell.
    holdings: BTreeMap<(u32, u32), [i64; 3]>,
    accounts: BTreeMap<u32, VecDeque<u64>>,
    strategies: BTreeMap<u32, VecDeque<u64>>,
    recent: BTreeMap<(u32, u32), VecDeque<Sent>>,
    pub(crate) seen: Extremes,
}

/// The largest values that limits are set against.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Extremes {
    pub(crate) order_qty: i64,
    pub(crate) order_notional_e9: i128,
    pub(crate) collar_bps: i64,
    /// Position with all working orders of one side filled.
    pub(crate) position: i64,
    pub(crate) account_per_s: usize,
    pub(crate) strategy_per_s: usize,
    pub(crate) equal_per_ms: usize,
}

/// What one order would be measured at, before it counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Observed {
    pub(crate) collar_bps: Option<i64>,
    pub(crate) position: i64,
    pub(crate) account_per_s: usize,
    pub(crate) strategy_per_s: usize,
    pub(crate) equal_per_ms: usize,
}

impl Market {
    pub(crate) fn knows(&self, order_id: u64) -> bool {
        self.live.contains_key(&order_id)
    }

    pub(crate) fn live(&self) -> usize {
        self.live.len()
    }

    fn best(&self, instrument: u32, side: u8) -> Option<i64> {
        let [bids, asks] = self.levels.get(&instrument)?;
        if side == 1 { bids.keys().next_back().copied() } else { asks.keys().next().copied() }
    }

    /// Checks an event against the market before it, then applies it.
    pub(crate) fn apply(&mut self, event: &Event) -> Option<Observed> {
        match event.kind {
            EventKind::Add => Some(self.add(event)),
            EventKind::Delete | EventKind::Reduce | EventKind::Fill => {
                self.take(event);
                None
            }
            EventKind::Trade => {
                assert_eq!(
                    (event.order_id, event.account, event.strategy),
                    (0, u32::MAX, u32::MAX)
                );
                if let (Some(bid), Some(ask)) =
                    (self.best(event.instrument, 1), self.best(event.instrument, 2))
                {
                    assert!((bid..=ask).contains(&event.px), "a print outside the spread");
                }
                self.last.insert(event.instrument, event.px);
                None
            }
            kind => panic!("ordinary flow has no {kind:?}"),
        }
    }

    fn add(&mut self, event: &Event) -> Observed {
        let Event { instrument, side, px, qty, .. } = *event;
        assert!(qty > 0 && px > 0 && matches!(side, 1 | 2), "{event:?}");
        assert!(event.order_id != 0);
        assert!(self.live.insert(event.order_id, *event).is_none(), "an id is used twice");
        match (side, self.best(instrument, 3 - side)) {
            (1, Some(ask)) => assert!(px < ask, "crossed: {event:?}"),
            (_, Some(bid)) => assert!(px > bid, "crossed: {event:?}"),
            _ => {}
        }
        let list = &mut self.levels.entry(instrument).or_default()[usize::from(side) - 1];
        *list.entry(px).or_default() += qty;
        let observed = self.observe(event);
        let seen = &mut self.seen;
        seen.order_qty = seen.order_qty.max(qty);
        seen.order_notional_e9 = seen.order_notional_e9.max(i128::from(px) * i128::from(qty));
        seen.collar_bps = seen.collar_bps.max(observed.collar_bps.expect("a last price"));
        seen.position = seen.position.max(observed.position);
        seen.equal_per_ms = seen.equal_per_ms.max(observed.equal_per_ms);
        observed
    }

    /// Counts an order or a cancel, and measures it against every limit.
    pub(crate) fn observe(&mut self, event: &Event) -> Observed {
        let Event { instrument, account, side, px, qty, ts_ns, .. } = *event;
        let (account_per_s, strategy_per_s) = self.message(event);
        let holding = self.holdings.entry((account, instrument)).or_default();
        let toward = if side == 1 { holding[0] } else { -holding[0] };
        holding[usize::from(side)] += qty;
        let position = toward + holding[usize::from(side)];
        let recent = self.recent.entry((account, instrument)).or_default();
        recent.retain(|sent| ts_ns - sent.0 < NS_PER_MS);
        recent.push_back((ts_ns, side, px, qty));
        let equal =
            recent.iter().filter(|sent| (sent.1, sent.2, sent.3) == (side, px, qty)).count();
        let collar_bps = self.last.get(&instrument).map(|last| (px - last).abs() * 10_000 / last);
        Observed { collar_bps, position, account_per_s, strategy_per_s, equal_per_ms: equal }
    }

    /// Ends what [`Self::observe`] counted as working.
    pub(crate) fn release(&mut self, event: &Event) {
        let holding = self.holdings.entry((event.account, event.instrument)).or_default();
        holding[usize::from(event.side)] -= event.qty;
    }

    fn message(&mut self, event: &Event) -> (usize, usize) {
        let count = |sent: &mut VecDeque<u64>| {
            while sent.front().is_some_and(|first| first + NS_PER_S <= event.ts_ns) {
                sent.pop_front();
            }
            sent.push_back(event.ts_ns);
            sent.len()
        };
        let account = count(self.accounts.entry(event.account).or_default());
        let strategy = count(self.strategies.entry(event.strategy).or_default());
        self.seen.account_per_s = self.seen.account_per_s.max(account);
        self.seen.strategy_per_s = self.seen.strategy_per_s.max(strategy);
        (account, strategy)
    }

    fn take(&mut self, event: &Event) {
        let order = self.live.get_mut(&event.order_id).expect("an order that lives");
        let same = |e: &Event| (e.px, e.side, e.instrument, e.account, e.strategy);
        assert_eq!(same(order), same(event), "an event keeps its order's price and owner");
        assert!(event.qty > 0 && event.qty <= order.qty, "more than is left: {event:?}");
        order.qty -= event.qty;
        let left = order.qty;
        let side = usize::from(event.side);
        match event.kind {
            EventKind::Delete => assert_eq!(left, 0, "a cancel takes all"),
            EventKind::Reduce => assert!(left > 0, "a reduction leaves something"),
            _ => {
                let best = self.best(event.instrument, event.side);
                assert_eq!(Some(event.px), best, "a fill is at the prior best");
                self.last.insert(event.instrument, event.px);
            }
        }
        if event.kind != EventKind::Fill {
            self.message(event);
        }
        if left == 0 {
            self.live.remove(&event.order_id);
        }
        let levels = &mut self.levels.get_mut(&event.instrument).unwrap()[side - 1];
        let level = levels.get_mut(&event.px).unwrap();
        *level -= event.qty;
        if *level == 0 {
            levels.remove(&event.px);
        }
        let holding = self.holdings.get_mut(&(event.account, event.instrument)).unwrap();
        holding[side] -= event.qty;
        if event.kind == EventKind::Fill {
            holding[0] += if side == 1 { event.qty } else { -event.qty };
        }
    }
}
