//! Rules of who sends: permission, types, session, attempts, locates, latches on fills.

use cwts_types::{Control, Level, Side};

use super::Asked;
use super::market::{Report, is_listed};
use crate::engine::Engine;
use crate::window::Window;

impl Engine {
    pub(super) fn broken_by_owner(&self, asked: &Asked<'_>, at: &mut Report<'_>) {
        let Asked { order, lines, ts, .. } = asked;
        let strategy = lines.strategy;
        if strategy.watch {
            self.broken_by_strategy(asked, at);
        }
        if let Some((used, located)) = self.located(asked).filter(|(used, most)| used > most) {
            at(Control::Locate, Level::AccountInstrument, order.account, used, located);
        }
        let session = self.sessions.get(strategy.session as usize);
        let attempts = [
            (strategy.attempts, Level::Strategy, order.strategy),
            (session.and_then(|s| s.attempts), Level::Session, strategy.session),
        ];
        for (window, level, scope) in attempts {
            let Some(window) = window.map(|w| &self.windows[w]) else { continue };
            if window.refuses(*ts) {
                let count = i64::from(Window::count(window, *ts)) + 1;
                at(Control::AttemptRate, level, scope, count, i64::from(window.max));
            }
        }
    }

    /// What is sold short today with this order, and what is located, where a locate is asked for.
    pub(crate) fn located(&self, asked: &Asked<'_>) -> Option<(i64, i64)> {
        let Asked { order, holding, .. } = asked;
        let is_short = matches!(asked.shape.side, Side::Short | Side::ShortExempt);
        if !is_short || !asked.lines.instrument.rules.reg_sho {
            return None;
        }
        let key = crate::holding::holding_key(order.account, order.instrument);
        let used = holding.short_work.saturating_add(holding.short_day);
        let located = self.locates.get(&key).copied().unwrap_or(0);
        Some((used.saturating_add(asked.added_qty), located))
    }

    fn broken_by_strategy(&self, asked: &Asked<'_>, at: &mut Report<'_>) {
        let Asked { order, lines, .. } = asked;
        let strategy = lines.strategy;
        let mut here = |control, observed, limit| {
            at(control, Level::Strategy, order.strategy, observed, limit);
        };
        if self.sessions.get(strategy.session as usize).is_some_and(|s| s.is_down) {
            here(Control::SessionClosed, 0, 0);
        }
        if strategy.types.is_some_and(|types| !is_listed(asked, types)) {
            here(Control::OrderTypeNotAllowed, i64::from(order.type_tif), 0);
        }
        let is_out = |list: &Option<Vec<u32>>, handle: Option<u32>| {
            list.as_ref().is_some_and(|list| handle.is_none_or(|h| list.binary_search(&h).is_err()))
        };
        if is_out(&strategy.accounts, Some(order.account)) {
            here(Control::NotPermitted, i64::from(order.account), 0);
        } else if is_out(&strategy.groups, lines.instrument.rules.group) {
            here(Control::NotPermitted, i64::from(order.instrument), 0);
        }
        if strategy.fills_latch.is_shut() {
            let max = strategy.fills.map_or(0, |w| i64::from(self.windows[w].max));
            here(Control::RepeatedExecution, max, max);
        }
    }
}
