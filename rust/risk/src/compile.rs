//! Limits of strategies, sessions, venues and windows, put in place; what was counted stays.

use cwts_types::RegisterKind;

use crate::caps::{Caps, Latch};
use crate::engine::Engine;
use crate::limits::{LimitsFile, RateLimit, WindowNotional};
use crate::tables::{account_limits, node_kind, strategy_limits, window};
use crate::window::Sums;

impl Engine {
    pub(crate) fn limit_strategy(&mut self, handle: usize) {
        let name = self.registry.name(RegisterKind::Strategy, handle as u32).unwrap_or("");
        let limits = strategy_limits(&self.file, name);
        let session =
            limits.session.as_ref().and_then(|s| self.registry.handle(RegisterKind::Session, s));
        let accounts = limits.accounts.as_ref().map(|names| {
            let handle = |name: &String| self.registry.handle(RegisterKind::Account, name);
            let mut handles: Vec<u32> = names.iter().filter_map(handle).collect();
            handles.sort_unstable();
            handles
        });
        let groups = limits.groups.as_ref().map(|names| {
            let number = |name: &String| self.file.groups.keys().position(|group| group == name);
            let mut numbers: Vec<u32> = names.iter().filter_map(number).map(|n| n as u32).collect();
            numbers.sort_unstable();
            numbers
        });
        let Some(Some(line)) = self.strategies.get_mut(handle) else { return };
        line.max_qty = limits.max_order_qty.at_most();
        line.max_n = limits.max_order_notional.at_most();
        line.rate = window(&mut self.windows, line.rate, limits.message_rate);
        line.attempts = window(&mut self.windows, line.attempts, limits.attempt_rate);
        let fills = limits.repeated_execution.map_or(RateLimit::Unset, RateLimit::At);
        line.fills = window(&mut self.windows, line.fills, fills);
        if line.fills.is_none() {
            line.fills_latch = Latch::Open;
        }
        line.caps = Caps::new(&limits.aggregates);
        line.tally.keep(&line.caps);
        line.sums = sums(&mut self.sums, line.sums, limits.aggregates.window_notional);
        line.session = session.unwrap_or(0);
        line.accounts = accounts;
        line.groups = groups;
        line.types = limits.types;
        line.watch = line.watches();
    }

    /// A new account joins the lists of strategies that name it: without a list nothing is looked
    /// at, so that a file of many accounts and strategies costs their sum and not their product.
    pub(crate) fn list_account(&mut self, account: u32, name: &str) {
        let has_lists = self.file.strategies.values().any(|limits| limits.accounts.is_some());
        if !has_lists {
            return;
        }
        for (handle, line) in self.strategies.iter_mut().enumerate() {
            let Some(list) = line.as_mut().and_then(|line| line.accounts.as_mut()) else {
                continue;
            };
            let strategy = self.registry.name(RegisterKind::Strategy, handle as u32).unwrap_or("");
            let limits = self.file.strategies.get(strategy);
            let limits = limits.or_else(|| self.file.strategies.get(crate::limits::ANY));
            let names = limits.and_then(|limits| limits.accounts.as_ref());
            if names.is_some_and(|names| names.iter().any(|listed| listed == name)) {
                // Handles grow, so the list stays ascending.
                list.push(account);
            }
        }
    }

    pub(crate) fn limit_session(&mut self, handle: usize) {
        let name = self.registry.name(RegisterKind::Session, handle as u32).unwrap_or("");
        let limits = self.file.sessions.get(name).copied().unwrap_or_default();
        let Some(line) = self.sessions.get_mut(handle) else { return };
        line.rate = window(&mut self.windows, line.rate, limits.message_rate);
        line.attempts = window(&mut self.windows, line.attempts, limits.attempt_rate);
    }

    pub(crate) fn limit_venue(&mut self, handle: usize) {
        let name = self.registry.name(RegisterKind::Venue, handle as u32).unwrap_or("");
        let limits = self.file.venues.get(name).copied().unwrap_or_default();
        let Some(line) = self.venues.get_mut(handle) else { return };
        line.rate = window(&mut self.windows, line.rate, limits.message_rate);
    }

    pub(crate) fn limit_sums(&mut self, index: usize) {
        let node = &self.nodes[index];
        let name = node_kind(node.level).and_then(|kind| self.registry.name(kind, node.handle));
        let rule = node_window(&self.file, node.level, name.unwrap_or(""));
        let node = &mut self.nodes[index];
        node.tally.keep(&node.caps);
        node.sums = sums(&mut self.sums, node.sums, rule);
    }

    /// Counts the margin of every holding again: rates or cash may have changed.
    pub(crate) fn recount_margins(&mut self) {
        for index in 0..self.holdings.len() {
            self.count_margin(index, true);
        }
    }

    /// Counts the margin of one holding; nothing while its account has no cash limit.
    #[inline]
    pub(crate) fn count_margin(&mut self, index: usize, is_recount: bool) {
        let holding = &mut self.holdings[index];
        let account = self.accounts.get((holding.key >> 32) as usize).and_then(Option::as_ref);
        let Some(account) = account else { return };
        if account.cash == i64::MAX && !is_recount {
            return;
        }
        let line = self.instruments.get(holding.key as u32 as usize).and_then(Option::as_ref);
        let after = match line {
            Some(line) if account.cash != i64::MAX => {
                let amount = holding.cost.saturating_add(holding.open);
                crate::rules::sums::margin(amount, line.rules.margin_bps)
            }
            _ => 0,
        };
        let node = &mut self.nodes[account.node];
        node.margin = node.margin.saturating_sub(holding.margin).saturating_add(after);
        holding.margin = after;
    }

    /// Counts a fill of a strategy; at its maximum the strategy is latched.
    pub(crate) fn count_fill(&mut self, strategy: u32, ts: u64) {
        let Some(Some(line)) = self.strategies.get_mut(strategy as usize) else { return };
        let Some(fills) = line.fills else { return };
        let window = &mut self.windows[fills];
        window.push(ts);
        if window.refuses(ts) && line.fills_latch == Latch::Open {
            line.fills_latch = Latch::Tripped;
            self.has_trips = true;
        }
    }

    /// Whether an id is one of the day's, or there is no room to know.
    pub(crate) fn is_known_today(&self, order_id: u64) -> bool {
        let Some(max) = self.file.duplicate_ids else { return false };
        self.day_ids.contains(&order_id) || self.day_ids.len() as u64 >= max
    }
}

fn node_window(file: &LimitsFile, level: cwts_types::Level, name: &str) -> Option<WindowNotional> {
    match level {
        cwts_types::Level::Account => account_limits(file, name)?.aggregates.window_notional,
        cwts_types::Level::Customer => file.customers.get(name)?.aggregates.window_notional,
        cwts_types::Level::Desk => file.desks.get(name)?.aggregates.window_notional,
        _ => file.firm.aggregates.window_notional,
    }
}

fn sums(
    all: &mut Vec<Sums>,
    existing: Option<usize>,
    rule: Option<WindowNotional>,
) -> Option<usize> {
    let rule = rule?;
    match existing {
        Some(index) => {
            all[index] = all[index].with_bound(rule.max, rule.window_ns);
            Some(index)
        }
        None => {
            all.push(Sums::new(rule.max, rule.window_ns));
            Some(all.len() - 1)
        }
    }
}
