//! Batches that are only checked: what can be known of them without a copy of the state.
//!
//! While new orders are decided, what their owners use only grows, and by no more than what the
//! batch adds if all of it is accepted. Where all of that fits, no limit on a sum, a position or a
//! rate refuses any order, whatever becomes of the others: then each answer is that of its order
//! alone on the state as it is. Where it does not fit, or where a rule looks at more than sums,
//! the batch is decided on a copy, as it always can be. Source: design note "risk", section 7.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

use cwts_types::{Decision, Order, OrderKind, Reasons, Verdict, order_flag};
use rustc_hash::FxBuildHasher;

use crate::batch::Block;
use crate::engine::Engine;
use crate::evaluate::{limit_px, lot_tick_collar, priced, shape};
use crate::headroom::has_room;
use crate::holding::{Holding, holding_key};
use crate::tables::AccountLine;
use crate::window::ACCEPTED_MAX;

impl Engine {
    /// Decides orders as [`Engine::decide_batch`] would decide them live, and changes nothing.
    ///
    /// `orders` is gone through twice, and gives the same orders both times.
    pub fn check_batch(
        &self,
        orders: impl Iterator<Item = Order> + Clone,
        mut each: impl FnMut(Decision),
    ) {
        let Some(looks) = self.foresee(orders.clone()) else {
            let orders: Vec<Order> = orders.collect();
            self.clone().decide_batch(&orders, &mut Block::new(), false, |_, outcome| {
                each(outcome.decision);
                true
            });
            return;
        };
        let mut ts = self.last_ts;
        for (order, look) in orders.zip(looks) {
            ts = ts.max(order.ts);
            each(if look {
                self.check_at(&order, ts).decision
            } else {
                self.blank(&order, Verdict::Accept)
            });
        }
    }

    /// Whether [`Engine::check_batch`] needs no copy of the state for these orders.
    pub fn needs_no_copy(&self, orders: &[Order]) -> bool {
        self.foresee(orders.iter().copied()).is_some()
    }

    /// Of each order whether it needs a look of its own: the others pass. `None` if the batch may
    /// come to a limit.
    fn foresee(&self, orders: impl Iterator<Item = Order> + Clone) -> Option<Vec<bool>> {
        let is_plain = !self.lenient
            && !self.crosses
            && !self.file.scopes_lists
            && self.file.control.slow == 0
            && self.next_roll != 0;
        let mut ahead = Ahead::new(self);
        let mut looks = Vec::with_capacity(orders.size_hint().0);
        let (mut ts, mut last) = (self.last_ts, self.id_max);
        for order in orders.clone() {
            ts = ts.max(order.ts);
            let is_new = order.kind == OrderKind::New as u8 && order.order_id > last;
            if !is_plain || !is_new || ts >= self.next_roll {
                return None;
            }
            last = order.order_id;
            looks.push(ahead.take(&order, ts)?);
        }
        let ids = self.day_ids.len().saturating_add(looks.len()) as u64;
        let has_ids = self.file.duplicate_ids.is_none_or(|max| ids <= max);
        (has_ids && ahead.fits() && ahead.are_distinct(orders)).then_some(looks)
    }
}

/// What a batch adds if all of it is accepted.
struct Ahead<'e> {
    engine: &'e Engine,
    /// Index = handle.
    accounts: Vec<Load>,
    /// Index = window.
    rates: Vec<Slots>,
    /// Orders whose accounts send more in a moment than may be equal.
    dense: usize,
}

/// What an account adds, and what its line says: that of most orders stands in this place alone.
#[derive(Debug, Clone, Default)]
#[repr(align(64))]
struct Load {
    /// Quantity: buys, sells.
    qty: [i64; 2],
    /// The least room that one of its holdings has on a side, and in the day's quantity.
    room: [i64; 3],
    n: i64,
    count: u32,
    /// Index of its window; `NO_RATE` = none.
    rate: u32,
    max_qty: i64,
    max_n: i64,
    /// Equal orders; begun if somebody counts them.
    recent: Slots,
    is_dense: bool,
    needs_look: bool,
}

/// Messages of the stretch of time under way and of the one before it, each a window long: no
/// window reaches beyond the two.
#[derive(Debug, Clone, Copy, Default)]
struct Slots {
    start: u64,
    window_ns: u64,
    before: u32,
    now: u32,
    max: u32,
    is_begun: bool,
}

impl Slots {
    /// From `t` on; `known`: what the window has from before.
    fn begin(t: u64, window_ns: u64, max: u32, known: u32) -> Self {
        Self { start: t, window_ns, before: known, now: 0, max, is_begun: true }
    }

    /// Counts a message at `t`; gives how many before it can lie in its window.
    #[inline]
    fn push(&mut self, t: u64) -> u32 {
        let since = t - self.start;
        if since >= self.window_ns {
            self.before = if since - self.window_ns >= self.window_ns { 0 } else { self.now };
            (self.start, self.now) = (t, 0);
        }
        let in_window = self.before.saturating_add(self.now);
        self.now += 1;
        in_window
    }
}

impl<'e> Ahead<'e> {
    fn new(engine: &'e Engine) -> Self {
        Self {
            engine,
            accounts: vec![Load::default(); engine.accounts.len()],
            rates: vec![Slots::default(); engine.windows.len()],
            dense: 0,
        }
    }

    /// Adds an order; whether it needs a look of its own. `None` if a limit may be reached, or a
    /// rule looks at more than sums.
    #[inline]
    fn take(&mut self, order: &Order, ts: u64) -> Option<bool> {
        let engine = self.engine;
        let line = engine.instruments.get(order.instrument as usize).and_then(Option::as_ref);
        let strategy = engine.strategies.get(order.strategy as usize).and_then(Option::as_ref);
        let load = self.accounts.get_mut(order.account as usize);
        let (Some(line), Some(strategy), Some(load)) = (line, strategy, load) else {
            // What has no owner or shape is refused for that, and adds nothing.
            return Some(true);
        };
        let Some(shape) = shape(order, line.nonpositive) else { return Some(true) };
        if load.count == 0 {
            let account = engine.accounts.get(order.account as usize).and_then(Option::as_ref);
            let Some(account) = account else { return Some(true) };
            *load = first_load(engine, account, order, ts)?;
        }
        if strategy.watch || line.watch && line.rules.reg_sho {
            return None;
        }
        let px_abs = priced(order, shape.order_type, line);
        let n = line.notional.micros(px_abs, order.qty.unsigned_abs())?;
        let is_priced = limit_px(order, shape.order_type).is_some();
        let is_stale = line.has_reference && ts > line.fresh_until;
        let may_lack = is_priced && (line.allow_missing || !line.has_collar);
        let look = order.qty > line.max_qty.min(load.max_qty).min(strategy.max_qty)
            || n > line.max_n.min(load.max_n).min(strategy.max_n)
            || is_stale
            || !(line.has_reference || may_lack)
            || Reasons(lot_tick_collar(order, line, is_priced)) != Reasons::NONE
            || line.restricted
            || line.missing != 0
            || load.needs_look
            || line.kill | strategy.kill != 0
            || line.watch
            || engine.venue_watch
            || order.flags & order_flag::REDUCE_ONLY != 0;

        let mut rows = 0;
        if let Some(index) = engine.known_holding(order) {
            let holding = &engine.holdings[index as usize];
            if look && holding.pos != 0 {
                // Whether it reduces depends on what works by then.
                return None;
            }
            load.meet(holding)?;
            rows = holding.accepted.len() as u32;
        }
        let side = usize::from(!shape.side.is_buy());
        load.qty[side] = load.qty[side].checked_add(order.qty)?;
        load.n = load.n.checked_add(n)?;
        load.count += 1;
        if load.recent.is_begun {
            let recent = load.recent.push(ts).saturating_add(rows);
            if recent as usize >= ACCEPTED_MAX || recent >= load.recent.max && rows != 0 {
                return None;
            }
            load.is_dense |= recent >= load.recent.max;
            self.dense += usize::from(load.is_dense);
        }
        let own = (load.rate != NO_RATE).then_some(load.rate as usize);
        let venue_rate = engine.venues.get(line.venue as usize).and_then(|v| v.rate);
        for rate in [own, strategy.rate, line.rate, venue_rate].into_iter().flatten() {
            let slots = &mut self.rates[rate];
            if !slots.is_begun {
                let window = &engine.windows[rate];
                *slots = Slots::begin(ts, window.window_ns, window.max, window.count_max());
            }
            if slots.push(ts) >= slots.max {
                return None;
            }
        }
        Some(look)
    }

    /// Whether all of it fits, from the accounts up to the firm.
    fn fits(&self) -> bool {
        let mut above: HashMap<usize, (i64, i64), FxBuildHasher> = HashMap::default();
        let nodes = &self.engine.nodes;
        let lines = self.engine.accounts.iter();
        for (load, line) in self.accounts.iter().zip(lines).filter(|(load, _)| load.count > 0) {
            let Some(line) = line else { return false };
            let day = load.qty[0].checked_add(load.qty[1]);
            // A side that nobody sends to may be full.
            let has = |side: usize| load.qty[side] == 0 || load.qty[side] <= load.room[side];
            if !has(0) || !has(1) || day.is_none_or(|day| day > load.room[2]) {
                return false;
            }
            let mut at = Some(line.node);
            while let Some(index) = at {
                let (n, count) = above.entry(index).or_default();
                let Some(sum) = n.checked_add(load.n) else { return false };
                (*n, *count) = (sum, *count + i64::from(load.count));
                if !has_room(&nodes[index], sum, *count) {
                    return false;
                }
                at = nodes[index].parent;
            }
        }
        true
    }

    /// Whether no two orders of a dense account are equal. Fingerprints may only be equal where
    /// nothing is: then a copy has to say.
    fn are_distinct(&self, orders: impl Iterator<Item = Order>) -> bool {
        if self.dense == 0 {
            return true;
        }
        let hasher = FxBuildHasher;
        let mut seen = HashSet::with_capacity_and_hasher(self.dense, hasher);
        let mut orders = orders.filter(|order| {
            self.accounts.get(order.account as usize).is_some_and(|load| load.is_dense)
        });
        orders.all(|order| {
            let key = holding_key(order.account, order.instrument);
            seen.insert(hasher.hash_one((key, order.px, order.qty, order.side)))
        })
    }
}

impl Load {
    /// Takes in what a holding of the account has used.
    fn meet(&mut self, holding: &Holding) -> Option<()> {
        let [buys, sells] = holding.work;
        let used = [
            holding.pos.checked_add(buys)?,
            sells.checked_sub(holding.pos)?,
            holding.day_qty.checked_add(buys)?.checked_add(sells)?,
        ];
        let most = [holding.limits.long, holding.limits.short, holding.limits.day_qty];
        for (room, (most, used)) in self.room.iter_mut().zip(most.into_iter().zip(used)) {
            *room = (*room).min(most.saturating_sub(used));
        }
        Some(())
    }
}

/// What the line of an account says, before its first order. `None` if it has a rule that looks at
/// more than sums.
fn first_load(engine: &Engine, account: &AccountLine, order: &Order, ts: u64) -> Option<Load> {
    // No row names an instrument, so this one's limits are those of all.
    let limits = engine.limits_of_holding(order.account, order.instrument);
    let is_plain = account.cash == i64::MAX && account.limits.instrument.is_empty();
    if !is_plain || limits.missing || account.duplicates.is_some_and(|rule| rule.max == 0) {
        return None;
    }
    let recent = account.duplicates.map(|rule| Slots::begin(ts, rule.window_ns, rule.max, 0));
    Some(Load {
        room: [limits.long, limits.short, limits.day_qty],
        rate: account.rate.map_or(NO_RATE, |rate| rate as u32),
        max_qty: account.max_qty,
        max_n: account.max_n,
        recent: recent.unwrap_or_default(),
        needs_look: account.missing != 0,
        ..Load::default()
    })
}

impl Engine {
    /// The index of an order's holding.
    #[inline]
    fn known_holding(&self, order: &Order) -> Option<u32> {
        let key = holding_key(order.account, order.instrument);
        self.holding_index.get(&key).copied()
    }
}

const NO_RATE: u32 = u32::MAX;
