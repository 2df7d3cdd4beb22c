//! Own working orders by price, to find those that a new order would meet.

use std::collections::BTreeMap;

use cwts_types::{Order, OrderType};

use crate::engine::Engine;
use crate::limits::SelfTrade;
use crate::working::{Terms, Working};

/// Working orders of a node in one instrument: how many at each price, buys and sells.
pub(crate) type Prices = [BTreeMap<i64, u32>; 2];

impl Engine {
    /// Builds the books again: limits may have come or gone.
    pub(crate) fn rebuild_crossing(&mut self) {
        self.crossing.clear();
        self.crosses = self.file.aggregates().any(|a| a.self_trade.is_some());
        let cancels = |policy| policy != SelfTrade::RejectNewest;
        self.cancels_own = self.file.aggregates().any(|a| a.self_trade.is_some_and(cancels));
        if !self.crosses {
            return;
        }
        let mut ids: Vec<u64> = self.working.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            let Some(working) = self.working.get(&id).copied() else { continue };
            self.move_crossing(id, &working, true);
        }
    }

    /// Adds or removes every version of a working order in the books of its nodes.
    pub(crate) fn move_crossing(&mut self, id: u64, working: &Working, is_added: bool) {
        if !self.crosses {
            return;
        }
        let pending: Vec<Terms> = self.pending(id, working).iter().map(|p| p.terms).collect();
        self.move_versions(working, &pending, is_added);
    }

    pub(crate) fn move_versions(&mut self, working: &Working, pending: &[Terms], is_added: bool) {
        let mut at = self.accounts[working.account as usize].as_ref().map(|l| l.node);
        let side = usize::from(!working.is_buy());
        while let Some(index) = at {
            let node = &self.nodes[index];
            at = node.parent;
            if node.caps.self_trade.is_none() {
                continue;
            }
            let book = self.crossing.entry((index as u32, working.instrument)).or_default();
            for terms in pending.iter().chain([&working.terms]) {
                let px = terms.reach(working.is_buy());
                let count = book[side].entry(px).or_default();
                *count = if is_added { *count + 1 } else { count.saturating_sub(1) };
                if *count == 0 {
                    book[side].remove(&px);
                }
            }
        }
    }

    /// The price of the node's own order that one at `reach` would meet first.
    pub(crate) fn meets(
        &self,
        node: usize,
        instrument: u32,
        is_buy: bool,
        reach: i64,
    ) -> Option<i64> {
        let book = self.crossing.get(&(node as u32, instrument))?;
        if is_buy {
            book[1].keys().next().copied().filter(|ask| reach >= *ask)
        } else {
            book[0].keys().next_back().copied().filter(|bid| reach <= *bid)
        }
    }
}

impl Engine {
    /// Whether the limits have own orders cancelled that a new one would meet.
    #[inline]
    pub fn cancels_own(&self) -> bool {
        self.cancels_own
    }

    /// The own working orders that this one would meet and that its nodes want cancelled for it,
    /// ascending by the id that they were accepted with.
    pub fn own_crossed(&self, order: &Order) -> Vec<u64> {
        let Some(lines) = self.lines(order) else { return Vec::new() };
        let is_buy = order.side == 1;
        let order_type = OrderType::from_code(order.type_tif & 0x0f).unwrap_or(OrderType::Limit);
        let limit_px = crate::evaluate::limit_px(order, order_type);
        let reach = Terms { px_abs: 0, qty: 0, limit_px }.reach(is_buy);
        let mut out = Vec::new();
        let mut at = Some(lines.account.node);
        while let Some(index) = at {
            let node = &self.nodes[index];
            at = node.parent;
            let cancels = node.caps.self_trade.is_some_and(|p| p != SelfTrade::RejectNewest);
            if !cancels || self.meets(index, order.instrument, is_buy, reach).is_none() {
                continue;
            }
            let own = self.working.iter().filter(|(id, working)| {
                working.instrument == order.instrument
                    && working.is_buy() != is_buy
                    && self.is_below(working.account, index)
                    && self.reaches(**id, working, reach)
            });
            out.extend(own.map(|(id, _)| *id));
        }
        out.sort_unstable();
        out.dedup();
        out
    }

    /// Whether any version of a working order trades at `reach` or better.
    fn reaches(&self, id: u64, working: &Working, reach: i64) -> bool {
        let is_buy = working.is_buy();
        let pending = self.pending(id, working).iter().map(|p| p.terms);
        pending.chain([working.terms]).any(|terms| {
            let own = terms.reach(is_buy);
            if is_buy { own >= reach } else { own <= reach }
        })
    }

    /// Whether the account's line of parents passes through the node.
    fn is_below(&self, account: u32, node: usize) -> bool {
        let line = self.accounts.get(account as usize).and_then(Option::as_ref);
        let mut at = line.map(|line| line.node);
        while let Some(index) = at {
            if index == node {
                return true;
            }
            at = self.nodes.get(index).and_then(|n| n.parent);
        }
        false
    }
}

impl Terms {
    /// The worst price at which it may trade: what has none reaches every price.
    pub(crate) fn reach(&self, is_buy: bool) -> i64 {
        match (self.limit_px, is_buy) {
            (Some(px), _) => px,
            (None, true) => i64::MAX,
            (None, false) => i64::MIN,
        }
    }
}
