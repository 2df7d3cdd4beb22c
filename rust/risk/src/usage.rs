//! How much of each limit is used now, and was at most.

use std::collections::BTreeMap;

use cwts_types::{Control, Level};

use crate::compared::{COMPARED, Unit, row_at};
use crate::engine::Engine;
use crate::market::WHOLE_BPS;
use crate::peaks::Peaks;

/// The use of one limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// Scope as text: `account:ACC1`.
    pub scope: String,
    /// Key in the limits file.
    pub limit: String,
    /// The control that it is the limit of.
    pub control: Control,
    /// Whose limit.
    pub level: Level,
    /// Now.
    pub used: i64,
    /// At most so far; `None` where nobody kept it ([`Peaks`]).
    pub peak: Option<i64>,
    /// The limit.
    pub max: i64,
    /// What the values are counted in.
    pub unit: Unit,
}

/// The use of one limit, by its row in [`COMPARED`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Use {
    pub(crate) row: usize,
    pub(crate) place: u32,
    pub(crate) used: i64,
    pub(crate) max: i64,
    /// Where the engine itself keeps the highest.
    pub(crate) peak: Option<i64>,
}

impl Engine {
    /// Every limit on what is in use that is set, with its use at the time of the newest input.
    /// What works, is held and leaves has its peak from the engine; the others have none.
    pub fn usage(&self) -> Vec<Usage> {
        self.usage_rows(None)
    }

    /// The same, and the peaks of the others from one who looked after each entry.
    pub fn usage_since(&self, peaks: &Peaks) -> Vec<Usage> {
        self.usage_rows(Some(peaks))
    }

    fn usage_rows(&self, peaks: Option<&Peaks>) -> Vec<Usage> {
        let mut out: Vec<Use> = Vec::new();
        // One row a node, whatever the number of its holdings.
        let mut shared: BTreeMap<(usize, u32), Use> = BTreeMap::new();
        self.each_use(&mut |found| {
            if COMPARED[found.row].control != Control::Concentration {
                out.push(found);
                return;
            }
            let most = shared.entry((found.row, found.place)).or_insert(found);
            most.used = most.used.max(found.used);
        });
        out.extend(shared.into_values());
        let row = |found: Use| {
            let comparison = &COMPARED[found.row];
            Usage {
                scope: self.place_text(found.row, found.place),
                limit: comparison.key(),
                control: comparison.control,
                level: comparison.level,
                used: found.used,
                // Where nothing was raised, nothing was ever in use but what is.
                peak: found.peak.or_else(|| {
                    let most = peaks?.most(found.row, found.place);
                    Some(most.map_or(found.used, |most| most.max(found.used)))
                }),
                max: found.max,
                unit: comparison.unit,
            }
        };
        out.into_iter().map(row).collect()
    }

    /// Every use, node by node, line by line, holding by holding.
    pub(crate) fn each_use(&self, to: &mut impl FnMut(Use)) {
        (0..self.nodes.len()).for_each(|index| self.node_uses(index, to));
        let mut rate = |control, level, place: usize, window: Option<usize>| {
            self.rate_use(control, level, place as u32, window, to);
        };
        for (handle, line) in self.accounts.iter().enumerate() {
            rate(Control::MessageRate, Level::Account, handle, line.as_ref().and_then(|l| l.rate));
        }
        for (handle, line) in self.strategies.iter().enumerate() {
            let Some(line) = line else { continue };
            rate(Control::MessageRate, Level::Strategy, handle, line.rate);
            rate(Control::AttemptRate, Level::Strategy, handle, line.attempts);
            rate(Control::RepeatedExecution, Level::Strategy, handle, line.fills);
        }
        for (handle, line) in self.instruments.iter().enumerate() {
            let own = line.as_ref().and_then(|l| l.rate);
            rate(Control::MessageRate, Level::Instrument, handle, own);
        }
        for (handle, line) in self.sessions.iter().enumerate() {
            rate(Control::MessageRate, Level::Session, handle, line.rate);
            rate(Control::AttemptRate, Level::Session, handle, line.attempts);
        }
        for (handle, line) in self.venues.iter().enumerate() {
            rate(Control::MessageRate, Level::Venue, handle, line.rate);
        }
        (0..self.strategies.len()).for_each(|handle| self.strategy_uses(handle, to));
        (0..self.holdings.len()).for_each(|index| self.holding_uses(index, to));
    }

    fn rate_use(
        &self,
        control: Control,
        level: Level,
        place: u32,
        window: Option<usize>,
        to: &mut impl FnMut(Use),
    ) {
        let Some(window) = window.map(|index| &self.windows[index]) else { return };
        let Some(row) = row_at(control, level) else { return };
        let used = i64::from(window.count(self.last_ts));
        let peak = Some(i64::from(window.peak));
        to(Use { row, place, used, max: i64::from(window.max), peak });
    }

    /// Sums of one node.
    pub(crate) fn node_uses(&self, index: usize, to: &mut impl FnMut(Use)) {
        let node = &self.nodes[index];
        let mut give = |control, used, max, peak| {
            if let Some(row) = row_at(control, node.level).filter(|_| max != i64::MAX) {
                to(Use { row, place: node.handle, used, max, peak });
            }
        };
        let used = node.open.saturating_add(node.held);
        give(Control::CreditLimit, used, node.credit, Some(node.peak));
        give(Control::MaxOpenNotional, node.open, node.max_open, Some(node.peak_open));
        if let Some(Some(line)) = self.accounts.get(node.handle as usize)
            && node.level == Level::Account
        {
            give(Control::BuyingPower, node.margin, line.cash, None);
        }
        if !node.caps.watch {
            return;
        }
        let sells = node.open.saturating_sub(node.open_buy);
        let long = node.net.saturating_add(node.open_buy);
        let short = node.net.saturating_neg().saturating_add(sells);
        give(Control::NetExposure, long.max(short), node.caps.net, None);
        give(Control::DailyNotional, node.day.saturating_add(node.open), node.caps.day, None);
        self.count_uses(&node.caps, &node.tally, node.sums, &mut give);
    }

    /// Sums and counts of one strategy.
    pub(crate) fn strategy_uses(&self, handle: usize, to: &mut impl FnMut(Use)) {
        let Some(Some(line)) = self.strategies.get(handle) else { return };
        let mut give = |control, used, max, peak| {
            if let Some(row) = row_at(control, Level::Strategy).filter(|_| max != i64::MAX) {
                to(Use { row, place: handle as u32, used, max, peak });
            }
        };
        self.count_uses(&line.caps, &line.tally, line.sums, &mut give);
    }

    /// What a strategy and a node have in common.
    fn count_uses(
        &self,
        caps: &crate::caps::Caps,
        tally: &crate::caps::Tally,
        sums: Option<usize>,
        give: &mut impl FnMut(Control, i64, i64, Option<i64>),
    ) {
        if let Some(sums) = sums.map(|index| &self.sums[index]) {
            let sum = sums.sum(self.last_ts).unwrap_or(i64::MAX);
            give(Control::WindowNotional, sum, sums.max, None);
        }
        give(Control::MaxOpenOrders, i64::from(tally.open_orders), caps.open_orders, None);
        give(Control::DailyOrders, i64::from(tally.day_orders), caps.day_orders, None);
        for (control, limit, lost) in tally.lost(caps) {
            give(control, lost.max(0), limit.map_or(i64::MAX, |limit| limit.max), None);
        }
    }

    /// What one account uses of its limits in one instrument, and its nodes' of their credit there.
    pub(crate) fn holding_uses(&self, index: usize, to: &mut impl FnMut(Use)) {
        let holding = &self.holdings[index];
        let limits = &holding.limits;
        let (account, instrument) = ((holding.key >> 32) as usize, holding.key as u32);
        let mut give = |control, level, place, used, max, peak| {
            if let Some(row) = row_at(control, level).filter(|_| max != i64::MAX) {
                to(Use { row, place, used, max, peak });
            }
        };
        let own = Level::AccountInstrument;
        let max = if holding.pos >= 0 { limits.long } else { limits.short };
        if !limits.missing {
            let (held, peak) = (holding.pos.saturating_abs(), Some(holding.peak_abs));
            give(Control::MaxPosition, own, index as u32, held, max, peak);
        }
        let work = holding.work[0].saturating_add(holding.work[1]);
        let day = holding.day_qty.saturating_add(work);
        give(Control::DailyQty, own, index as u32, day, limits.day_qty, None);
        let located = self.locates.get(&holding.key).copied();
        let short = holding.short_work.saturating_add(holding.short_day);
        let asks = self.instruments.get(instrument as usize).and_then(Option::as_ref);
        if asks.is_some_and(|line| line.rules.reg_sho) && (located.is_some() || short > 0) {
            give(Control::Locate, own, index as u32, short, located.unwrap_or(0), None);
        }
        let exposure = holding.cost.saturating_add(holding.open);
        let mut at = self.accounts.get(account).and_then(Option::as_ref).map(|line| line.node);
        while let Some(number) = at {
            let node = &self.nodes[number];
            if let Some(most) = node.concentration_max() {
                let control = Control::Concentration;
                give(control, node.level, node.handle, exposure, most, None);
            }
            at = node.parent;
        }
    }
}

impl crate::tables::Node {
    /// The most of its credit that one instrument may take, if that is limited.
    pub(crate) fn concentration_max(&self) -> Option<i64> {
        let bps = self.caps.concentration_bps.filter(|_| self.credit != i64::MAX)?;
        // Most products fit; a division of 128 bits costs more than all that is left here.
        if let Some(product) = self.credit.checked_mul(bps) {
            return Some(product / WHOLE_BPS);
        }
        let most = i128::from(self.credit) * i128::from(bps) / i128::from(WHOLE_BPS);
        Some(i64::try_from(most).unwrap_or(i64::MAX))
    }
}

impl Engine {
    /// Working notional of the whole firm, micros.
    pub fn firm_open(&self) -> i64 {
        self.nodes[0].open
    }

    /// The firm's limit on working notional, or else on credit, if one is set.
    pub fn firm_open_limit(&self) -> Option<i64> {
        let firm = &self.nodes[0];
        [firm.max_open, firm.credit].into_iter().find(|max| *max != i64::MAX)
    }

    /// Whether an id names a working order, by itself or as an accepted replace.
    pub fn is_working(&self, order_id: u64) -> bool {
        self.resolve(order_id).is_some()
    }

    /// Whether an id names an order that is working, or one that has ended and is remembered.
    pub fn is_remembered(&self, order_id: u64) -> bool {
        self.is_working(order_id) || self.ended.contains_key(&order_id)
    }

    /// What is filled of a working order.
    pub fn filled(&self, order_id: u64) -> Option<i64> {
        let by_its_own_id = self.working.get(&order_id);
        let working = by_its_own_id.or_else(|| self.working.get(self.replaces.get(&order_id)?));
        working.map(|working| working.cum)
    }
}
