//! A naive evaluation that shares no code with the engine: lists, scans and 128-bit integers.
//!
//! Written from the table of controls (design note "risk", sections 2, 4 and 6), not from the
//! engine. It keeps every order and every message for ever.

mod reports;

use crate::policy::{ACCOUNTS, INSTRUMENTS, NODES, Policy, STRATEGIES};

const MAX: i128 = i64::MAX as i128;

/// What the model is asked to do, in plain numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask {
    pub(crate) ts: u64,
    pub(crate) id: u64,
    /// 1 new, 2 replace, 3 cancel.
    pub(crate) kind: u8,
    pub(crate) target: u64,
    pub(crate) px: i64,
    pub(crate) qty: i64,
    pub(crate) side: u8,
    pub(crate) order_type: u8,
    pub(crate) flags: u8,
    pub(crate) account: u32,
    pub(crate) instrument: u32,
    pub(crate) strategy: u32,
}

#[derive(Debug, Clone)]
struct Known {
    /// Every id that it ever had; the first is its own.
    ids: Vec<u64>,
    live: u64,
    account: u32,
    instrument: u32,
    strategy: u32,
    buys: bool,
    /// Price and quantity in force.
    terms: (i128, i128),
    unanswered: Vec<(u64, i128, i128)>,
    cum: i128,
    works: bool,
}

#[derive(Debug, Clone, Copy)]
struct Message {
    ts: u64,
    account: u32,
    instrument: u32,
    strategy: u32,
    is_accepted_new: bool,
}

/// An accepted order or replace: time, account, instrument, side, price, quantity.
type AcceptedRow = (u64, u32, u32, u8, i64, i64);

#[derive(Debug)]
pub(crate) struct Model {
    policy: Policy,
    now: u64,
    orders: Vec<Known>,
    messages: Vec<Message>,
    accepted: Vec<AcceptedRow>,
    /// Account, instrument, signed quantity, unit notional price.
    fills: Vec<(u32, u32, i128, i128)>,
    references: Vec<Option<(i128, u64)>>,
    exec_ids: Vec<u64>,
    /// Number, scope kind, scope handle, mask: 1 reduce only, 2 halted with exit, 4 halted.
    holds: Vec<(u64, u8, u32, u8)>,
}

impl Model {
    pub(crate) fn new(policy: Policy) -> Self {
        let references = vec![None; INSTRUMENTS as usize];
        Self {
            policy,
            now: 0,
            orders: vec![],
            messages: vec![],
            accepted: vec![],
            fills: vec![],
            references,
            exec_ids: vec![],
            holds: vec![],
        }
    }

    fn clock(&mut self, ts: u64) -> u64 {
        self.now = self.now.max(ts);
        self.now
    }

    /// Notional in micros, rounded up; not yet cut to 64 bits.
    fn notional(&self, instrument: u32, px: i128, qty: i128) -> i128 {
        let row = &self.policy.instruments[instrument as usize - 1];
        // The product of four 64-bit numbers does not fit 128 bits: divide what can be first.
        let scale = 10i128.pow(12) * 10i128.pow(row.decimals);
        let factor = i128::from(row.multiplier) * i128::from(row.fx_e9);
        let raw = px * qty;
        let whole = (raw / scale).checked_mul(factor);
        let rest = (raw % scale).checked_mul(factor);
        match whole.zip(rest) {
            Some((whole, rest)) => whole.saturating_add((rest + scale - 1) / scale),
            None => i128::MAX,
        }
    }

    /// Quantity and notional that an order reserves: each unit at the dearest version that holds
    /// it. Walked from the largest quantity down, with the dearest price met so far.
    fn reserved(&self, order: &Known) -> (i128, i128) {
        let mut versions: Vec<(i128, i128)> = order
            .unanswered
            .iter()
            .map(|u| (u.2, u.1))
            .chain([(order.terms.1, order.terms.0)])
            .collect();
        versions.sort_unstable();
        let most = versions.last().unwrap().0;
        let (mut n, mut dearest, mut upper, mut open) = (0, 0, most, 0);
        for (qty, px) in versions.into_iter().rev().chain([(order.cum, 0)]) {
            if px > dearest || qty <= order.cum {
                let lower = qty.max(order.cum);
                // Units of one price are one sum, or rounding would count them twice.
                open += upper - lower;
                n += self.notional(order.instrument, dearest, open.max(0));
                (upper, open) = (lower, 0);
                if qty <= order.cum {
                    break;
                }
                dearest = px;
            }
        }
        ((most - order.cum).max(0), n)
    }

    fn chain(account: u32) -> &'static [usize] {
        match account {
            1 => &[0, 3, 4, 5],
            2 => &[1, 3, 4, 5],
            _ => &[2, 5],
        }
    }

    fn open(&self, node: usize) -> i128 {
        let orders = self.orders.iter().filter(|o| o.works);
        orders.filter(|o| Self::chain(o.account).contains(&node)).map(|o| self.reserved(o).1).sum()
    }

    /// What the positions below a node cost, folded over all fills again.
    fn held(&self, node: usize) -> i128 {
        let mut sum = 0;
        for account in 1..=ACCOUNTS {
            for instrument in 1..=INSTRUMENTS {
                if !Self::chain(account).contains(&node) {
                    continue;
                }
                let (mut pos, mut cost) = (0i128, 0i128);
                for (a, i, qty, px) in &self.fills {
                    if (*a, *i) != (account, instrument) {
                        continue;
                    }
                    let after = pos + qty;
                    cost = if pos * qty >= 0 {
                        cost + self.notional(instrument, *px, qty.abs())
                    } else if pos * after > 0 {
                        // The rest keeps its share, rounded up.
                        (cost * after.abs() + pos.abs() - 1) / pos.abs()
                    } else if after == 0 {
                        0
                    } else {
                        self.notional(instrument, *px, after.abs())
                    };
                    pos = after;
                }
                sum += cost;
            }
        }
        sum
    }

    pub(crate) fn position(&self, account: u32, instrument: u32) -> i128 {
        let own = self.fills.iter().filter(|f| (f.0, f.1) == (account, instrument));
        own.map(|f| f.2).sum()
    }

    fn works_at(&self, account: u32, instrument: u32, buys: bool) -> i128 {
        let own = self.orders.iter().filter(|o| {
            o.works && (o.account, o.instrument, o.buys) == (account, instrument, buys)
        });
        own.map(|o| self.reserved(o).0).sum()
    }

    pub(crate) fn working(&self) -> usize {
        self.orders.iter().filter(|o| o.works).count()
    }

    /// Scope as text, credit used, open notional.
    pub(crate) fn nodes(&self) -> Vec<(String, i128, i128)> {
        let row = |node: usize| {
            let open = self.open(node);
            (NODES[node].replace('.', ":"), open + self.held(node), open)
        };
        (0..NODES.len()).map(row).collect()
    }

    fn find(&self, id: u64, works: bool) -> Option<usize> {
        let own = self.orders.iter().rposition(|o| o.works == works && o.ids[0] == id);
        own.or_else(|| self.orders.iter().rposition(|o| o.works == works && o.ids.contains(&id)))
    }

    /// The set of violated controls as bits; an order without any is taken in.
    pub(crate) fn ask(&mut self, ask: &Ask) -> u64 {
        let now = self.clock(ask.ts);
        if ask.kind == 3 {
            let target = self.find(ask.target, true);
            let owner = target.map_or((ask.account, ask.instrument, ask.strategy), |t| {
                let order = &self.orders[t];
                (order.account, order.instrument, order.strategy)
            });
            self.messages.push(Message {
                ts: now,
                account: owner.0,
                instrument: owner.1,
                strategy: owner.2,
                is_accepted_new: false,
            });
            return if target.is_none() { 1 << 25 } else { 0 };
        }
        let bits = self.violated(ask, now);
        if bits == 0 {
            self.take(ask, now);
        }
        bits
    }

    fn known(ask: &Ask) -> bool {
        (1..=ACCOUNTS).contains(&ask.account)
            && (1..=INSTRUMENTS).contains(&ask.instrument)
            && (1..=STRATEGIES).contains(&ask.strategy)
    }

    fn malformed(&self, ask: &Ask, target: Option<usize>) -> bool {
        let signed = (1..=INSTRUMENTS).contains(&ask.instrument)
            && self.policy.instruments[ask.instrument as usize - 1].nonpositive;
        let px_wrong = match ask.order_type {
            1 | 3 => ask.px != 0,
            2 | 4 => ask.px <= 0 && !signed,
            5 => ask.px < 0 && !signed,
            _ => true,
        };
        let target_wrong = target.is_some_and(|t| {
            let order = &self.orders[t];
            (order.account, order.instrument, order.strategy)
                != (ask.account, ask.instrument, ask.strategy)
                || order.buys != (ask.side == 1)
                || i128::from(ask.qty) <= order.cum
        });
        let replace_wrong = (ask.kind == 2) != (ask.target != 0);
        ![1, 2].contains(&ask.kind)
            || ![1, 2, 5, 6].contains(&ask.side)
            || ask.qty <= 0
            || ask.px == i64::MIN
            || ask.flags >= 64
            || px_wrong
            || target_wrong
            || replace_wrong
    }

    fn kill_masks(&self, ask: &Ask) -> u8 {
        let covers = |kind: u8, handle: u32| match kind {
            0 => true,
            1 | 2 if !Self::known(ask) => false,
            1 | 2 => ask.account < 3 && handle == 1,
            3 => Self::known(ask) && ask.account == handle,
            4 => Self::known(ask) && ask.strategy == handle,
            5 => Self::known(ask) && ask.instrument == handle,
            _ => Self::known(ask) && ask.instrument == 1 && handle == 1,
        };
        self.holds.iter().filter(|h| covers(h.1, h.2)).fold(0, |mask, h| mask | h.3)
    }

    /// Lowest and highest price, if there is a usable reference.
    fn band(&self, instrument: u32) -> Option<(i128, i128, u64)> {
        let row = &self.policy.instruments[instrument as usize - 1];
        let (px, ts) = self.references[instrument as usize - 1]?;
        let mut far = vec![i128::from(row.absolute)];
        if let Some(ticks) = row.ticks {
            far.push(i128::from(ticks) * i128::from(row.tick.unwrap()));
        }
        if px > 0 {
            // The largest whole distance with distance * 10000 <= bps * px.
            far.push(i128::from(row.bps) * px / 10_000);
        }
        let distance = far.into_iter().min().unwrap();
        Some((px - distance, px + distance, ts))
    }

    fn violated(&self, ask: &Ask, now: u64) -> u64 {
        let mut bits = 0u64;
        let mut flag = |bit: u32, is: bool| bits |= u64::from(is) << bit;
        let target = if ask.kind == 2 { self.find(ask.target, true) } else { None };
        flag(25, ask.kind == 2 && target.is_none());
        let kill = self.kill_masks(ask);
        let malformed = self.malformed(ask, target.filter(|_| Self::known(ask)));
        if !Self::known(ask) || malformed {
            flag(1, !Self::known(ask));
            flag(2, malformed);
            flag(46, kill & 1 != 0);
            flag(47, kill & 6 != 0);
            return bits;
        }
        let account = &self.policy.accounts[ask.account as usize - 1];
        let row = &self.policy.instruments[ask.instrument as usize - 1];
        let (strategy_qty, strategy_n, strategy_rate) =
            self.policy.strategies[ask.strategy as usize - 1];
        let (px, qty) = (i128::from(ask.px), i128::from(ask.qty));
        let band = self.band(ask.instrument);

        // Bits 0 to 12 and 20: the record against the tables.
        flag(0, account.max_qty.is_none() || row.tick.is_none());
        let max_qty = account.max_qty.unwrap_or(i64::MAX).min(row.max_qty).min(strategy_qty);
        flag(4, ask.qty > max_qty);
        flag(6, qty % i128::from(row.lot) != 0 && ask.flags & 8 == 0);
        flag(7, row.tick.is_some_and(|tick| px.abs() % i128::from(tick) != 0));
        let has_price = px != 0 || ask.order_type == 2 || ask.order_type == 4;
        match band {
            Some((lo, hi, ts)) => {
                flag(10, has_price && (px < lo || px > hi));
                flag(12, row.max_age != 0 && now.saturating_sub(ts) > row.max_age);
            }
            None => flag(11, !has_price || !row.allow_missing),
        }
        flag(20, account.denies_second && ask.instrument == 2);
        let counted = self.counted_px(ask);
        let whole = self.notional(ask.instrument, counted, qty);
        flag(3, whole > MAX);
        let whole = whole.min(MAX);
        flag(8, whole > i128::from(account.max_n.min(strategy_n)));

        // What it adds to what is reserved.
        let (added_qty, added_n, shrinks) = match target {
            None => (qty, whole, false),
            Some(t) => {
                let order = &self.orders[t];
                let (had_qty, had_n) = self.reserved(order);
                let leaves = qty - order.cum;
                let mut after = order.clone();
                after.unanswered.push((0, counted, qty));
                let n = self.reserved(&after).1;
                flag(3, n > MAX);
                flag(26, order.unanswered.len() >= 64);
                let added_n = n.min(MAX) - had_n;
                ((leaves - had_qty).max(0), added_n, leaves < had_qty && added_n == 0)
            }
        };
        let buys = ask.side == 1;
        let pos = self.position(ask.account, ask.instrument);
        let work = self.works_at(ask.account, ask.instrument, buys);
        let toward = if buys { pos } else { -pos };
        let reduces = shrinks || (toward < 0 && work + added_qty <= -toward);

        // Sums: one that cannot be formed is bit 3 and judged no further.
        let after = work + added_qty;
        let worst = after + toward;
        let formed = after <= MAX && worst <= MAX;
        flag(3, !formed);
        let limit = i128::from(if buys { account.long } else { account.short });
        flag(32, formed && worst > limit && !reduces);
        for node in Self::chain(ask.account) {
            let (credit, max_open) = self.policy.nodes[*node];
            let open = self.open(*node) + added_n;
            let used = open + self.held(*node);
            flag(3, open > MAX || used > MAX);
            flag(34, open <= MAX && open > i128::from(max_open) && !reduces);
            flag(35, used <= MAX && used > i128::from(credit) && !reduces);
        }
        if reduces {
            bits &= !(1 << 6);
        }
        let mut flag = |bit: u32, is: bool| bits |= u64::from(is) << bit;

        // Windows.
        let is_new = ask.kind == 1;
        for (rate, of) in [(account.rate, 0), (row.rate, 1), (strategy_rate, 2)] {
            let Some(rate) = rate else { continue };
            let own = self.messages.iter().filter(|m| {
                let same = match of {
                    0 => m.account == ask.account,
                    1 => m.instrument == ask.instrument,
                    _ => m.strategy == ask.strategy,
                };
                same && now - m.ts < rate.window && (m.is_accepted_new || !rate.accepted_new)
            });
            flag(26, own.count() >= rate.max && (is_new || !rate.accepted_new));
        }
        if let Some((max, window)) = account.duplicates {
            let equal = self.accepted.iter().filter(|r| {
                now - r.0 < window
                    && (r.1, r.2, r.3, r.4, r.5)
                        == (ask.account, ask.instrument, ask.side, ask.px, ask.qty)
            });
            flag(29, equal.count() >= max);
        }
        flag(45, ask.flags & 1 != 0 && !reduces);
        flag(46, kill & 1 != 0 && !reduces);
        flag(47, kill & 4 != 0 || (kill & 2 != 0 && !reduces));
        bits
    }

    /// The absolute price that an order is counted at.
    fn counted_px(&self, ask: &Ask) -> i128 {
        let own = i128::from(ask.px).abs();
        let is_stop = ask.order_type == 3 || ask.order_type == 4;
        let open_ended = is_stop || (own == 0 && ask.order_type != 2);
        match self.band(ask.instrument) {
            Some((lo, hi, _)) if open_ended => {
                let cut = |v: i128| v.clamp(i128::from(i64::MIN), MAX).abs();
                own.max(cut(lo)).max(cut(hi))
            }
            _ => own,
        }
    }

    fn take(&mut self, ask: &Ask, now: u64) {
        self.messages.push(Message {
            ts: now,
            account: ask.account,
            instrument: ask.instrument,
            strategy: ask.strategy,
            is_accepted_new: ask.kind == 1,
        });
        self.accepted.push((now, ask.account, ask.instrument, ask.side, ask.px, ask.qty));
        let px = self.counted_px(ask);
        let qty = i128::from(ask.qty);
        if ask.kind == 2 {
            let target = self.find(ask.target, true).unwrap();
            self.orders[target].ids.push(ask.id);
            self.orders[target].unanswered.push((ask.id, px, qty));
            return;
        }
        self.orders.push(Known {
            ids: vec![ask.id],
            live: ask.id,
            account: ask.account,
            instrument: ask.instrument,
            strategy: ask.strategy,
            buys: ask.side == 1,
            terms: (px, qty),
            unanswered: vec![],
            cum: 0,
            works: true,
        });
    }

    pub(crate) fn reference(&mut self, instrument: u32, px: i64, ts: u64) {
        self.clock(ts);
        let Some(row) = self.policy.instruments.get((instrument as usize).wrapping_sub(1)) else {
            return;
        };
        if px != 0 || row.nonpositive {
            self.references[instrument as usize - 1] = Some((i128::from(px), ts));
        }
    }
}
