//! Reference prices: which of those that come in a collar listens to.

use cwts_types::{Reference, reference_flag};

use crate::engine::Engine;
use crate::limits::ReferenceSource;

/// The middle of bid and ask, rounded down to a whole unit of 1e-9. `None` where one of them is not
/// known (0), or where they cross: two sides that cross are no market.
pub fn mid(bid: i64, ask: i64) -> Option<i64> {
    let is_market = bid != 0 && ask != 0 && bid <= ask;
    // Between two values of 64 bits, so it is one.
    is_market.then(|| (i128::from(bid) + i128::from(ask)).div_euclid(2) as i64)
}

impl Engine {
    /// Where the collar of this instrument takes its reference from; `None` without a collar.
    pub fn reference_source(&self, instrument: u32) -> Option<ReferenceSource> {
        let line = self.instruments.get(instrument as usize)?.as_ref()?;
        line.collar.map(|collar| collar.reference)
    }

    /// The price that the instrument's collar takes from this entry; `None` if it takes others.
    pub fn reference_price(&self, reference: &Reference) -> Option<i64> {
        let is_print = reference.flags & reference_flag::LAST_TRADE != 0;
        let is_mid = reference.flags & reference_flag::MID != 0;
        let source = self.reference_source(reference.instrument).unwrap_or_default();
        match source {
            ReferenceSource::Mid => mid(reference.bid, reference.ask),
            _ if is_mid => None,
            ReferenceSource::External | ReferenceSource::Column if is_print => None,
            _ => Some(reference.px),
        }
    }

    /// Takes a reference price in, if the instrument's collar listens to its kind.
    pub fn reference_entry(&mut self, reference: &Reference) {
        self.market_entry(reference);
        match self.reference_price(reference) {
            Some(px) => self.reference(reference.instrument, px, reference.ts),
            None => {
                self.advance(reference.ts);
            }
        }
    }

    /// Sets a reference price.
    pub fn reference(&mut self, instrument: u32, px: i64, ts: u64) {
        self.advance(ts);
        if let Some(Some(line)) = self.instruments.get_mut(instrument as usize) {
            line.set_reference(px, ts);
            if line.reference == Some((px, ts)) {
                line.market.remember(line.rules.price_move, px, ts);
            }
            self.pnl_mark(instrument);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::mid;

    #[test]
    fn the_middle_is_rounded_down_and_only_of_a_market() {
        let rows = [
            ((100, 102), Some(101)),
            ((100, 101), Some(100)),
            ((101, 101), Some(101)),
            ((-4, -1), Some(-3)),
            ((-1, 2), Some(0)),
            ((i64::MAX - 1, i64::MAX), Some(i64::MAX - 1)),
            ((i64::MIN, i64::MAX), Some(-1)),
            ((102, 100), None),
            ((0, 100), None),
            ((100, 0), None),
        ];
        for ((bid, ask), middle) in rows {
            assert_eq!(mid(bid, ask), middle, "{bid} {ask}");
        }
    }
}
