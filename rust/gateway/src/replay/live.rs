//! Live orders of the market that the account never had: refused ones, and those of a snapshot.
//!
//! Invariant: an order is forgotten when the market is done with it, by delete or by the last of
//! its quantity, as the engine does with an accepted one; so the tables follow what is live, not
//! what was seen. What stays live counts against `ReplayOptions::max_live`.

use rustc_hash::FxHashMap;

/// Order ids with the quantity that is left.
#[derive(Debug, Default)]
pub(crate) struct LiveOrders {
    left: FxHashMap<u64, i64>,
}

impl LiveOrders {
    pub(crate) fn len(&self) -> usize {
        self.left.len()
    }

    pub(crate) fn contains(&self, id: u64) -> bool {
        self.left.contains_key(&id)
    }

    /// A new order; under an id that is live, the older one is gone.
    pub(crate) fn add(&mut self, id: u64, qty: i64) {
        self.left.insert(id, qty);
    }

    pub(crate) fn remove(&mut self, id: u64) {
        self.left.remove(&id);
    }

    /// Takes off what was filled or cancelled of it; whether it was there.
    pub(crate) fn take(&mut self, id: u64, qty: i64) -> bool {
        let Some(left) = self.left.get_mut(&id) else { return false };
        *left = left.saturating_sub(qty.max(0));
        if *left <= 0 {
            self.left.remove(&id);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_the_quantity_ends_an_order() {
        let mut live = LiveOrders::default();
        live.add(7, 100);
        assert!(live.take(7, 60) && live.contains(7));
        assert!(live.take(7, 40) && !live.contains(7));
        assert!(!live.take(7, 1));
        live.add(7, 5);
        live.add(7, 9);
        assert!(live.take(7, 8) && live.contains(7));
        // Hostile quantities neither wrap nor grow it.
        assert!(live.take(7, i64::MIN) && live.contains(7));
        assert!(live.take(7, i64::MAX) && live.len() == 0);
    }
}
