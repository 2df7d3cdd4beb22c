//! The controls that only some limits files ask for.
//!
//! Each rule stands here once: it gives every place where the order breaks it. A decision takes
//! the bits of that; the details of a refusal take the first place of each.

pub(crate) mod market;
mod owner;
pub(crate) mod sums;

use cwts_types::{Control, Level, Order, OrderKind, OrderType, Violation, order_flag};

use crate::engine::Engine;
use crate::evaluate::{Evaluation, Lines, Shape};
use crate::holding::{Holding, HoldingLimits};

/// An order as the rules see it: whole, with known handles and what it adds.
pub(crate) struct Asked<'e> {
    pub(crate) order: &'e Order,
    pub(crate) ts: u64,
    pub(crate) shape: Shape,
    pub(crate) lines: Lines<'e>,
    pub(crate) holding: &'e Holding,
    pub(crate) limits: HoldingLimits,
    pub(crate) n: i64,
    pub(crate) added_qty: i64,
    pub(crate) added_n: i64,
    pub(crate) reducing: bool,
}

impl Asked<'_> {
    fn is_new(&self) -> bool {
        self.order.kind == OrderKind::New as u8
    }

    /// Whether its sender gave a price.
    pub(crate) fn is_priced(&self) -> bool {
        let has_limit = matches!(self.shape.order_type, OrderType::Limit | OrderType::StopLimit);
        self.order.px != 0 || has_limit
    }
}

impl Engine {
    /// Whether any rule could refuse this order.
    #[inline]
    pub(crate) fn is_watched(&self, order: &Order, lines: &Lines<'_>, nodes_watch: bool) -> bool {
        nodes_watch
            || lines.instrument.watch
            || lines.strategy.watch
            || lines.account.cash != i64::MAX
            || order.flags & order_flag::REDUCE_ONLY != 0
            || self.file.control.slow != 0
            || self.venue_watch
    }

    /// Gives every place where the order breaks a rule.
    pub(crate) fn broken_rules(&self, asked: &Asked<'_>, to: &mut impl FnMut(Violation)) {
        let mut at = |control, level, scope, observed, limit| {
            to(Violation { control, level, scope, observed, limit });
        };
        let venue = self.venues.get(asked.lines.instrument.venue as usize);
        if asked.lines.instrument.watch {
            market::broken(asked, venue, &mut at);
        }
        self.broken_by_owner(asked, &mut at);
        self.sums::<false>(asked, &mut at);
        if let Some(venue) = venue {
            market::broken_at_venue(asked, venue, &mut at);
        }
        if asked.order.flags & order_flag::REDUCE_ONLY != 0 && !asked.reducing {
            let control = Control::ReduceOnlyWouldIncrease;
            at(control, Level::AccountInstrument, asked.order.account, asked.added_qty, 0);
        }
    }

    /// Gives every sum and count with the limit that it is held against, passed or not; `i64::MAX`
    /// where no limit is set.
    pub(crate) fn compared_sums(&self, asked: &Asked<'_>, to: &mut impl FnMut(Violation)) {
        self.sums::<true>(asked, &mut |control, level, scope, observed, limit| {
            to(Violation { control, level, scope, observed, limit });
        });
    }

    /// The same for a decision that was made: the first place of each control.
    pub(crate) fn first_broken(
        &self,
        control: Control,
        order: &Order,
        ts: u64,
        found: &Evaluation,
    ) -> Option<Violation> {
        let lines = self.lines(order)?;
        let shape = crate::evaluate::shape(order, lines.instrument.nonpositive)?;
        let (known, limits) = self.holding_of(order);
        let fallback = Holding::default();
        let asked = Asked {
            order,
            ts,
            shape,
            lines,
            holding: known.unwrap_or(&fallback),
            limits,
            n: found.n,
            added_qty: found.added_qty,
            added_n: found.added_n,
            reducing: found.reducing,
        };
        let mut first = None;
        self.broken_rules(&asked, &mut |violation: Violation| {
            if violation.control == control && first.is_none() {
                first = Some(violation);
            }
        });
        first
    }
}
