//! Tables keyed by order id, and the shortcut for an id that nobody has used.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use crate::engine::Engine;

/// A table by order id.
pub(crate) type IdMap<V> = HashMap<u64, V, BuildHasherDefault<IdHasher>>;
/// A set of order or execution ids.
pub(crate) type IdSet = HashSet<u64, BuildHasherDefault<IdHasher>>;

/// Puts ids that follow one another side by side.
///
/// Ids are counted up, so that orders of one moment lie in the same few cache lines, where an even
/// hash would spread them over the whole table. Runs of 64 are spread evenly: longer ones would
/// fill stretches of the table that others must step over. The top bits, which tell neighbours
/// apart, are mixed from all.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // No key of these tables is other than one u64.
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(self.0 ^ u64::from_le_bytes(word));
        }
    }

    #[inline]
    fn write_u64(&mut self, id: u64) {
        let wide = u128::from(id >> RUN_BITS) * u128::from(GOLDEN);
        // Folded, so that every bit of the run moves the low bits.
        let run = (wide as u64) ^ (wide >> 64) as u64;
        let mixed = id.wrapping_mul(GOLDEN);
        self.0 = (id.wrapping_add(run.rotate_left(RUN_BITS)) & !TAG) | (mixed & TAG);
    }
}

/// Ids of one run lie side by side.
const RUN_BITS: u32 = 6;
/// 2^64 over the golden ratio, odd: Knuth, volume 3, section 6.4.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
/// The bits that a table keeps beside each slot.
const TAG: u64 = 0x7f << 57;

impl Engine {
    /// Whether no table can know the id: the usual case, told without a look at any.
    #[inline]
    pub(crate) fn is_fresh(&self, id: u64) -> bool {
        id > self.id_max
    }

    /// Remembers that an id is in use.
    #[inline]
    pub(crate) fn use_id(&mut self, id: u64) {
        self.id_max = self.id_max.max(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::hash::BuildHasher;

    /// Most keys in one of `slots` slots.
    fn fullest(keys: impl Iterator<Item = u64>, slots: u64) -> u64 {
        let build = BuildHasherDefault::<IdHasher>::default();
        let mut counts = BTreeMap::<u64, u64>::new();
        for key in keys {
            *counts.entry(build.hash_one(key) & (slots - 1)).or_default() += 1;
        }
        counts.into_values().max().unwrap_or(0)
    }

    #[test]
    fn ids_that_follow_one_another_share_no_slot() {
        for start in [0, 1 << 15, 12_345_678_901, u64::MAX - (1 << 14)] {
            assert_eq!(fullest(start..start + 32, 1 << 14), 1, "{start}");
            assert!(fullest(start..start + (1 << 13), 1 << 14) <= 12, "{start}");
        }
    }

    /// Exchanges put a partition, a day or a flag above or below their counter.
    #[test]
    fn ids_with_a_stride_are_spread() {
        for shift in 0..48 {
            let worst = fullest((0..1 << 13).map(|k: u64| k << shift), 1 << 14);
            assert!(worst <= 16, "{worst} of 8192 ids in one slot, shifted by {shift}");
        }
    }

    #[test]
    fn neighbours_have_different_tags() {
        let build = BuildHasherDefault::<IdHasher>::default();
        let tags: std::collections::BTreeSet<u64> =
            (0..128).map(|id| build.hash_one(1_000_000_u64 + id) >> 57).collect();
        assert!(tags.len() > 64, "{}", tags.len());
    }
}
