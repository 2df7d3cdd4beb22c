//! How much of each limit is used now, and was at most.

use cwts_types::{RegisterKind, ScopeKind};

use crate::engine::Engine;

/// The use of one limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// Scope as text: `account:ACC1`.
    pub scope: String,
    /// Key in the limits file.
    pub limit: &'static str,
    /// Now; micros for money.
    pub used: i64,
    /// At most so far.
    pub peak: i64,
    /// The limit.
    pub max: i64,
    /// Whether the values are micros of the base currency.
    pub is_money: bool,
}

impl Engine {
    /// Every numeric limit that is set, with its use at the time of the newest input.
    pub fn usage(&self) -> Vec<Usage> {
        let mut out = Vec::new();
        for node in &self.nodes {
            let scope = crate::explain::scope_text(&self.registry, node.level, node.handle);
            let mut row = |limit, used, peak, max| {
                if max != i64::MAX {
                    out.push(Usage {
                        scope: scope.clone(),
                        limit,
                        used,
                        peak,
                        max,
                        is_money: true,
                    });
                }
            };
            row("credit", node.open.saturating_add(node.held), node.peak, node.credit);
            row("max_open_notional", node.open, node.peak_open, node.max_open);
        }
        let mut rate = |kind: ScopeKind, register: RegisterKind, handle: usize, rate| {
            let Some(window) = Option::map(rate, |r: usize| &self.windows[r]) else { return };
            let name = self.registry.name(register, handle as u32).unwrap_or("?");
            out.push(Usage {
                scope: format!("{}:{name}", kind.name()),
                limit: "message_rate",
                used: i64::from(window.count(self.last_ts)),
                peak: i64::from(window.peak),
                max: i64::from(window.max),
                is_money: false,
            });
        };
        for (handle, line) in self.accounts.iter().enumerate() {
            let own = line.as_ref().and_then(|l| l.rate);
            rate(ScopeKind::Account, RegisterKind::Account, handle, own);
        }
        for (handle, line) in self.strategies.iter().enumerate() {
            let own = line.as_ref().and_then(|l| l.rate);
            rate(ScopeKind::Strategy, RegisterKind::Strategy, handle, own);
        }
        for (handle, line) in self.instruments.iter().enumerate() {
            let own = line.as_ref().and_then(|l| l.rate);
            rate(ScopeKind::Instrument, RegisterKind::Instrument, handle, own);
        }
        for (holding, limits) in self.holdings.iter().zip(&self.holding_limits) {
            let account = self.registry.name(RegisterKind::Account, (holding.key >> 32) as u32);
            let symbol = self.registry.name(RegisterKind::Instrument, holding.key as u32);
            let max = if holding.pos >= 0 { limits.long } else { limits.short };
            if max != i64::MAX && !limits.missing {
                out.push(Usage {
                    scope: format!("account:{}/{}", account.unwrap_or("?"), symbol.unwrap_or("?")),
                    limit: "max_position",
                    used: holding.pos.saturating_abs(),
                    peak: holding.peak_abs,
                    max,
                    is_money: false,
                });
            }
        }
        out
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
