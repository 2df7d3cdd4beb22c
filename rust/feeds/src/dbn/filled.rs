//! The orders that one venue event has filled so far.

use crate::error::{FeedError, FeedErrorKind};

/// Resting orders that one venue event may fill; more is an error, because the cancels that follow
/// from the fills could no longer be told from cancels that somebody asked for.
pub const GROUP_FILLS_MAX: usize = 1 << 14;

/// Filled orders by instrument, in order: a venue event ends for each instrument by itself.
#[derive(Debug, Default)]
pub(super) struct FilledIds(Vec<(u64, u64)>);

impl FilledIds {
    pub(super) fn insert(&mut self, instrument: u64, order_id: u64) -> Result<(), FeedError> {
        let Err(at) = self.0.binary_search(&(instrument, order_id)) else { return Ok(()) };
        if self.0.len() == GROUP_FILLS_MAX {
            let detail = format!("more than {GROUP_FILLS_MAX} orders filled before a LAST flag");
            return Err(FeedError::new(FeedErrorKind::LengthOutOfBound, detail));
        }
        self.0.insert(at, (instrument, order_id));
        Ok(())
    }

    #[inline(always)]
    pub(super) fn contains(&self, instrument: u64, order_id: u64) -> bool {
        !self.0.is_empty() && self.0.binary_search(&(instrument, order_id)).is_ok()
    }

    /// Forgets the orders of an instrument, whose event is over.
    #[inline(always)]
    pub(super) fn end(&mut self, instrument: u64) {
        if !self.0.is_empty() {
            self.0.retain(|row| row.0 != instrument);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_ends_for_its_instrument_alone() {
        let mut filled = FilledIds::default();
        for (instrument, order_id) in [(2, 5), (1, 9), (2, 3), (1, 9)] {
            filled.insert(instrument, order_id).unwrap();
        }
        assert!(filled.contains(2, 3) && filled.contains(2, 5) && filled.contains(1, 9));
        assert!(!filled.contains(1, 3));
        filled.end(2);
        assert!(!filled.contains(2, 3) && !filled.contains(2, 5) && filled.contains(1, 9));
    }

    #[test]
    fn the_bound_is_an_error_and_repeats_are_free() {
        let mut filled = FilledIds::default();
        for order_id in 0..GROUP_FILLS_MAX as u64 {
            filled.insert(1, order_id).unwrap();
        }
        assert_eq!(filled.insert(1, 7), Ok(()));
        let error = filled.insert(1, 1 << 40).unwrap_err();
        assert_eq!(error.kind, FeedErrorKind::LengthOutOfBound);
    }
}
