//! A working order, and what it reserves.
//!
//! Source: design note "risk", section 6. Invariant: whatever the venue fills of it in whatever
//! order, what is held and what is still reserved never exceed what was reserved at acceptance.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::tables::Notional;

/// One version of a working order: what it reserves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Terms {
    /// Price that the reservation uses, 1e-9, absolute.
    pub(crate) px_abs: u64,
    pub(crate) qty: i64,
    /// Price that it may trade at or better; `None` = any.
    pub(crate) limit_px: Option<i64>,
}

/// A working order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Working {
    pub(crate) holding: u32,
    pub(crate) instrument: u32,
    pub(crate) account: u32,
    pub(crate) strategy: u32,
    pub(crate) side: u8,
    /// FIX 59.
    pub(crate) tif: u8,
    pub(crate) terms: Terms,
    /// Whether it has a row in `Engine::replacing`.
    pub(crate) was_replaced: bool,
    pub(crate) cum: i64,
    /// Pinned at acceptance, so that sums telescope whatever the limits do.
    pub(crate) notional: Notional,
}

/// A replace that was accepted and not yet confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pending {
    pub(crate) id: u64,
    pub(crate) terms: Terms,
}

/// The replaces of one order. The venue takes them in the order in which they left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Replacing {
    /// Ids that name the order, oldest first.
    pub(crate) ids: VecDeque<u64>,
    /// The last confirmed one; 0 = none yet.
    pub(crate) live_id: u64,
    /// Oldest first; any of them may still be confirmed, so all are reserved for.
    pub(crate) pending: Vec<Pending>,
}

impl Working {
    pub(crate) fn is_buy(&self) -> bool {
        self.side == 1
    }

    /// Whether it sells short, exempt or not.
    pub(crate) fn is_short(&self) -> bool {
        self.side >= 5
    }

    /// Quantity and notional that it reserves, whichever of its versions the venue fills.
    pub(crate) fn reserved(&self, pending: &[Pending]) -> (i64, i64) {
        // It fitted when it was accepted, and leaves only shrink.
        const NEVER: i64 = i64::MAX;
        if pending.is_empty() {
            let leaves = (self.terms.qty - self.cum).max(0);
            let n = self.notional.micros(self.terms.px_abs, leaves.unsigned_abs());
            return (leaves, n.unwrap_or(NEVER));
        }
        self.reserved_with(pending, None).unwrap_or((NEVER, NEVER))
    }

    /// The same with one version more; `None` if the notional leaves i64.
    ///
    /// Each unit counts at the dearest version that is large enough to hold it: the venue may fill
    /// ten dear ones before a replace for eleven cheap ones reaches it, and that costs more than
    /// either version does.
    pub(crate) fn reserved_with(
        &self,
        pending: &[Pending],
        more: Option<Terms>,
    ) -> Option<(i64, i64)> {
        let versions = || pending.iter().map(|p| p.terms).chain([self.terms]).chain(more);
        let mut filled = self.cum;
        let mut n: i64 = 0;
        let dearest = |filled| {
            let open = versions().filter(|terms| terms.qty > filled);
            open.max_by_key(|terms| (terms.px_abs, terms.qty))
        };
        while let Some(Terms { px_abs, qty, .. }) = dearest(filled) {
            n = n.checked_add(self.notional.micros(px_abs, (qty - filled).unsigned_abs())?)?;
            filled = qty;
        }
        Some((filled - self.cum, n))
    }

    /// The most that the venue may fill of it.
    pub(crate) fn ordered(&self, pending: &[Pending]) -> i64 {
        pending.iter().map(|p| p.terms.qty).fold(self.terms.qty, i64::max)
    }
}
