//! An account in an instrument, and the limits that hold there.

use cwts_types::{Level, RegisterKind};
use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::window::Accepted;

/// An account in an instrument.
///
/// Three cache lines side by side, so that an order waits for one place in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[repr(C, align(64))]
pub(crate) struct Holding {
    pub(crate) key: u64,
    pub(crate) pos: i64,
    /// Working quantity: buys, sells.
    pub(crate) work: [i64; 2],
    /// Working notional of both sides, micros.
    pub(crate) open: i64,
    pub(crate) last_ts: u64,
    /// What the position cost, in micros; never negative.
    pub(crate) cost: i64,
    pub(crate) peak_abs: i64,
    /// Quantity filled today.
    pub(crate) day_qty: i64,
    /// Working quantity of sells marked short, exempt or not.
    pub(crate) short_work: i64,
    /// Quantity of those filled today.
    pub(crate) short_day: i64,
    /// Margin counted in its account's node.
    pub(crate) margin: i64,
    pub(crate) accepted: Accepted,
    /// Derived from the tables, not part of the state.
    #[serde(skip)]
    pub(crate) limits: HoldingLimits,
}

impl Holding {
    /// A word of each line: reading them brings them near.
    #[inline]
    pub(crate) fn lines(&self) -> i64 {
        self.pos ^ self.margin ^ self.limits.day_qty ^ i64::from(self.limits.missing)
    }
}

/// Position limits of a holding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct HoldingLimits {
    pub(crate) long: i64,
    pub(crate) short: i64,
    pub(crate) day_qty: i64,
    pub(crate) missing: bool,
    pub(crate) restricted: Option<(Level, u32)>,
}

impl Engine {
    pub(crate) fn holding(&self, account: u32, instrument: u32) -> Option<&Holding> {
        let index = self.holding_index.get(&holding_key(account, instrument))?;
        self.holdings.get(*index as usize)
    }

    /// The holding, made if it is new.
    pub(crate) fn holding_or_new(&mut self, account: u32, instrument: u32) -> u32 {
        let key = holding_key(account, instrument);
        if let Some(index) = self.holding_index.get(&key) {
            return *index;
        }
        let index = self.holdings.len() as u32;
        let limits = self.limits_of_holding(account, instrument);
        self.holdings.push(Holding { key, limits, ..Holding::default() });
        self.holding_index.insert(key, index);
        index
    }

    pub(crate) fn limits_of_holding(&self, account: u32, instrument: u32) -> HoldingLimits {
        let mut out =
            HoldingLimits { long: 0, short: 0, day_qty: 0, missing: true, restricted: None };
        let Some(Some(line)) = self.accounts.get(account as usize) else { return out };
        let has_rows = !line.limits.instrument.is_empty() || self.file.scopes_lists;
        // Without a row or list that names instruments nobody needs this one's name.
        let symbol = has_rows.then(|| self.registry.name(RegisterKind::Instrument, instrument));
        let symbol = symbol.flatten().unwrap_or("");
        let own = line.limits.instrument.get(symbol).copied().unwrap_or_default();
        let position = own.max_position;
        let is_said = position.long.is_set() || position.short.is_set();
        let limit = if is_said { position } else { line.limits.max_position };
        out.day_qty = own.daily_qty.or(line.limits.daily_qty).at_most();
        out.long = limit.long.at_most();
        out.short = limit.short.at_most();
        let set = limit.long.is_set() && limit.short.is_set();
        out.missing = !set && !self.file.unlisted_off;
        if !self.file.scopes_lists {
            // No list but the firm-wide one, which the instrument's line has already.
            return out;
        }
        let mut lists = vec![(Level::Account, account, &line.limits.restricted)];
        let mut at = self.nodes[line.node].parent;
        while let Some(index) = at {
            let node = &self.nodes[index];
            let name = crate::tables::node_kind(node.level)
                .and_then(|kind| self.registry.name(kind, node.handle))
                .unwrap_or("");
            let limits = match node.level {
                Level::Customer => self.file.customers.get(name),
                Level::Desk => self.file.desks.get(name),
                _ => Some(&self.file.firm),
            };
            if let Some(limits) = limits {
                lists.push((node.level, node.handle, &limits.restricted));
            }
            at = node.parent;
        }
        out.restricted =
            lists.into_iter().find(|(_, _, l)| l.refuses(symbol)).map(|(level, h, _)| (level, h));
        out
    }
}

pub(crate) fn holding_key(account: u32, instrument: u32) -> u64 {
    u64::from(account) << 32 | u64::from(instrument)
}
