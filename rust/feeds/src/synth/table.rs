//! Random laws as integer tables: an inverse distribution, a child count, a Zipf rank.
//!
//! The two committed kinds come from `tools/synth_tables.py`; this file only reads and
//! interpolates them. Invariant: no float and no libm, so a draw is the same on every platform.

use super::chacha::ChaCha8;

/// Intervals of an inverse-distribution table; it has one point more.
pub(crate) const INTERVALS: usize = 4096;
/// Points of an inverse-distribution table.
pub(crate) const POINTS: usize = INTERVALS + 1;
/// Entries of a child table: 0 to 512 children.
pub(crate) const CHILD_COUNTS: usize = 513;
/// Largest number of things that a [`Zipf`] law can rank.
pub(crate) const RANKS_MAX: usize = 4096;

/// Tables that every profile shares: the unit exponential, then the running sums of k^-1.1.
static COMMON: &[u8; 8 * (POINTS + RANKS_MAX)] = include_bytes!("tables/common.bin");
/// Bits of a draw that say where in its interval it lies.
const FRACTION_BITS: u32 = 20;
/// Draws of one exponential: each goes on with chance 1/4096, so the bound is never felt.
const EXPONENTIAL_DRAWS_MAX: u32 = 8;
/// Bits of a rank draw that pick the place where its search starts.
const GUIDE_BITS: u32 = 10;

/// Reads `count` little-endian u64 of `bytes` from entry `first` on.
pub(crate) fn entries(bytes: &[u8], first: usize, count: usize) -> Vec<u64> {
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().skip(first).take(count).map(|word| u64::from_le_bytes(*word)).collect()
}

/// An inverse distribution at 4,097 equally spaced shares, straight lines between them.
#[derive(Debug, Clone)]
pub(crate) struct Quantiles {
    points: Box<[u64; POINTS]>,
}

impl Quantiles {
    /// The table at entry `first` of `bytes`.
    pub(crate) fn read(bytes: &[u8], first: usize) -> Self {
        Self::of(entries(bytes, first, POINTS))
    }

    /// The table through `knots`: (share in 1/10,000, value), both ascending, the first share 0
    /// and the last 10,000. `bias` is added to every value.
    pub(crate) fn through(knots: &[(u32, i64)], bias: i64) -> Self {
        // Shares in units of 1 / (10,000 * 4,096), so that all of them are whole.
        let at = |knot: &(u32, i64)| i64::from(knot.0) * INTERVALS as i64;
        let point = |i: usize| {
            let share = i as i64 * 10_000;
            let above = knots.iter().position(|knot| at(knot) >= share).unwrap_or(0).max(1);
            let (low, high) = (&knots[above - 1], &knots[above]);
            let width = (at(high) - at(low)).max(1);
            (low.1 + (high.1 - low.1) * (share - at(low)) / width + bias) as u64
        };
        Self::of((0..POINTS).map(point).collect())
    }

    /// The length is part of the type, so that a draw needs no bounds check.
    fn of(points: Vec<u64>) -> Self {
        Self { points: points.try_into().expect("a table has 4,097 points") }
    }

    /// The value below which a share `draw / 2^32` of the law lies.
    #[inline(always)]
    pub(crate) fn at(&self, draw: u32) -> u64 {
        let interval = (draw >> FRACTION_BITS) as usize;
        let fraction = draw & ((1 << FRACTION_BITS) - 1);
        let (low, high) = (self.points[interval], self.points[interval + 1]);
        low + ((u128::from(high - low) * u128::from(fraction)) >> FRACTION_BITS) as u64
    }

    #[cfg(test)]
    pub(crate) fn points(&self) -> &[u64; POINTS] {
        &self.points
    }
}

/// The exponential law with mean one, in units of 2^-32.
#[derive(Debug, Clone)]
pub(crate) struct Exponential {
    unit: Quantiles,
}

impl Exponential {
    pub(crate) fn new() -> Self {
        Self { unit: Quantiles::read(COMMON, 0) }
    }

    /// One waiting time with the given mean.
    #[inline(always)]
    pub(crate) fn draw_ns(&self, mean_ns: u64, stream: &mut ChaCha8) -> u64 {
        let mut unit = 0;
        for _ in 0..EXPONENTIAL_DRAWS_MAX {
            let draw = stream.next_u32();
            if draw >> FRACTION_BITS != INTERVALS as u32 - 1 {
                unit += self.unit.at(draw);
                break;
            }
            // The last interval has no end; having lasted so long, the wait starts afresh.
            unit += self.unit.points[INTERVALS];
        }
        ((u128::from(unit) * u128::from(mean_ns)) >> 32) as u64
    }
}

/// A law of small counts: `sums[k]` is the chance of at most k, in units of 2^-32.
#[derive(Debug, Clone)]
pub(crate) struct Counts {
    sums: Box<[u64]>,
}

impl Counts {
    /// The table at entry `first` of `bytes`.
    pub(crate) fn read(bytes: &[u8], first: usize) -> Self {
        Self { sums: entries(bytes, first, CHILD_COUNTS).into() }
    }

    /// The chance of none, in units of 2^-32.
    pub(crate) fn none(&self) -> u64 {
        self.sums[0]
    }

    /// The count that a draw stands for; most are 0, so the search starts there.
    #[inline]
    pub(crate) fn at(&self, draw: u32) -> usize {
        let draw = u64::from(draw);
        self.sums.iter().position(|sum| draw < *sum).unwrap_or(0)
    }

    /// The same for the law of what is left when there is at least one.
    #[inline]
    pub(crate) fn at_least_one(&self, draw: u32) -> usize {
        let none = self.none();
        let draw = none + ((u64::from(draw) * ((1 << 32) - none)) >> 32);
        self.sums.iter().position(|sum| draw < *sum).unwrap_or(0)
    }

    #[cfg(test)]
    pub(crate) fn sums(&self) -> &[u64] {
        &self.sums
    }
}

/// Rank k of `ranks` with a chance in proportion to (k + 1)^-1.1.
#[derive(Debug, Clone)]
pub(crate) struct Zipf {
    /// `ends[k]`: the chance of a rank of at most k, in units of 2^-32.
    ends: Box<[u64]>,
    /// For each leading part of a draw, the least rank that it can mean.
    guide: Box<[u16; 1 << GUIDE_BITS]>,
}

impl Zipf {
    /// The law over `ranks` things, 1 to [`RANKS_MAX`].
    pub(crate) fn new(ranks: usize) -> Self {
        let sums = entries(COMMON, POINTS, ranks.clamp(1, RANKS_MAX));
        let total = u128::from(sums[sums.len() - 1]);
        let ends: Box<[u64]> =
            sums.iter().map(|sum| ((u128::from(*sum) << 32) / total) as u64).collect();
        let mut guide = Box::new([0; 1 << GUIDE_BITS]);
        for (lead, rank) in guide.iter_mut().enumerate() {
            let draw = (lead as u64) << (32 - GUIDE_BITS);
            *rank = ends.partition_point(|end| *end <= draw) as u16;
        }
        Self { ends, guide }
    }

    /// The rank that a draw stands for, 0-based.
    #[inline(always)]
    pub(crate) fn at(&self, draw: u32) -> u32 {
        let mut rank = usize::from(self.guide[(draw >> (32 - GUIDE_BITS)) as usize]);
        // Ends at the last rank at the latest: its end is 2^32, above every draw.
        while self.ends[rank] <= u64::from(draw) {
            rank += 1;
        }
        rank as u32
    }
}
