//! A block's entries by instrument, in arrival order within one: a stable counting sort.
//!
//! Source: the least-significant-digit radix sort of Knuth, "The Art of Computer Programming",
//! volume 3, section 5.2.5, over `instrument << 12 | index`, two digits of ten bits. Where a
//! handle needs more than 20 bits, the block's instruments are numbered first, as they appear.
//!
//! Invariant: after [`Groups::group`], `order` is a permutation of the block's indices, the runs
//! cover it from the start without a gap, no two runs have one instrument, and indices ascend
//! within a run. All of it is a function of the block alone.

#[cfg(test)]
mod tests;

use std::fmt;

/// Entries of a block, at most.
pub const BLOCK_MAX: usize = 4096;

/// Entries of an instrument, on average over a block, from which grouping pays.
pub const MEAN_RUN_MIN: usize = 8;

/// Entries of one instrument: `order[start..end]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Handle.
    pub instrument: u32,
    /// First place in the order.
    pub start: usize,
    /// One past the last.
    pub end: usize,
}

/// The grouping of one block, and the memory for the next: made once, 70 KiB.
#[derive(Debug)]
pub struct Groups {
    keys: Box<Keys>,
    spare: Box<Keys>,
    order: Vec<u16>,
    runs: Vec<Run>,
    numbers: Numbers,
}

type Keys = [u32; BLOCK_MAX];

impl Default for Groups {
    fn default() -> Self {
        Self::new()
    }
}

impl Groups {
    /// Of an empty block.
    pub fn new() -> Self {
        Self {
            keys: Box::new([0; BLOCK_MAX]),
            spare: Box::new([0; BLOCK_MAX]),
            order: Vec::with_capacity(BLOCK_MAX),
            runs: Vec::with_capacity(BLOCK_MAX),
            numbers: Numbers::new(),
        }
    }

    /// Groups a block; entry i is of `instruments[i]`.
    ///
    /// Runs ascend by handle, or, where a handle needs more than 20 bits, stand in the order in
    /// which their instruments appear first.
    pub fn group(&mut self, instruments: &[u32]) -> Result<(), BlockError> {
        let count = instruments.len();
        if count > BLOCK_MAX {
            return Err(BlockError { entries: count });
        }
        let (any, all) = instruments
            .iter()
            .fold((0, u32::MAX), |(any, all), handle| (any | handle, all & handle));
        if any == all {
            self.take_one_run(any, count);
            return Ok(());
        }
        let numbered = any >> HANDLE_BITS != 0;
        if numbered {
            self.numbers.clear();
        }
        let mut low = [0_u16; DIGITS];
        let mut high = [0_u16; DIGITS];
        for ((index, key), handle) in (0..).zip(self.keys.iter_mut()).zip(instruments) {
            let id = if numbered { self.numbers.number(*handle) } else { *handle };
            *key = id << INDEX_BITS | index;
            low[digit(*key, LOW_SHIFT)] += 1;
            high[digit(*key, HIGH_SHIFT)] += 1;
        }
        if count < COUNTING_MIN {
            // Keys are all different, so that any sort is stable.
            self.keys[..count].sort_unstable();
        } else {
            for (counts, shift) in [(&mut low, LOW_SHIFT), (&mut high, HIGH_SHIFT)] {
                // A digit that all keys share orders nothing.
                if usize::from(counts[digit(self.keys[0], shift)]) < count {
                    scatter(&self.keys[..count], &mut self.spare, counts, shift);
                    std::mem::swap(&mut self.keys, &mut self.spare);
                }
            }
        }
        self.cut_runs(count, numbered);
        Ok(())
    }

    /// Indices of the block's entries, run after run.
    pub fn order(&self) -> &[u16] {
        &self.order
    }

    /// The runs, in the order's order.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// A block of one instrument, as a venue's own recording is.
    fn take_one_run(&mut self, instrument: u32, count: usize) {
        self.order.clear();
        self.order.extend(0..count as u16);
        self.runs.clear();
        self.runs.push(Run { instrument, start: 0, end: count });
    }

    fn cut_runs(&mut self, count: usize, numbered: bool) {
        self.order.clear();
        self.runs.clear();
        let keys = &self.keys[..count];
        self.order.extend(keys.iter().map(|key| (key & INDEX_MASK) as u16));
        let mut start = 0;
        for (place, pair) in keys.windows(2).enumerate() {
            if pair[0] >> INDEX_BITS != pair[1] >> INDEX_BITS {
                self.runs.push(self.run(pair[0], numbered, start, place + 1));
                start = place + 1;
            }
        }
        if let Some(last) = keys.last() {
            self.runs.push(self.run(*last, numbered, start, count));
        }
    }

    #[inline]
    fn run(&self, key: u32, numbered: bool, start: usize, end: usize) -> Run {
        let id = key >> INDEX_BITS;
        let instrument = if numbered { self.numbers.handles[id as usize] } else { id };
        Run { instrument, start, end }
    }
}

/// Moves keys to where their digit's counts say, those of one digit in their order.
fn scatter(keys: &[u32], to: &mut Keys, counts: &mut [u16; DIGITS], shift: u32) {
    let mut sum = 0;
    for count in counts.iter_mut() {
        (*count, sum) = (sum, sum + *count);
    }
    for key in keys {
        let place = &mut counts[digit(*key, shift)];
        // The mask is for the compiler: counts sum to at most a block.
        to[usize::from(*place) & (BLOCK_MAX - 1)] = *key;
        *place += 1;
    }
}

#[inline]
fn digit(key: u32, shift: u32) -> usize {
    (key >> shift) as usize & (DIGITS - 1)
}

/// Numbers from 0 for handles, as they appear: open addressing, at most half full.
///
/// Handles are this side's own and consecutive, so that nobody chooses them to collide.
#[derive(Debug)]
struct Numbers {
    /// One more than the number in a slot; 0: free.
    slots: Box<[u16; SLOTS]>,
    handles: Vec<u32>,
}

impl Numbers {
    fn new() -> Self {
        Self { slots: Box::new([0; SLOTS]), handles: Vec::with_capacity(BLOCK_MAX) }
    }

    fn clear(&mut self) {
        self.slots.fill(0);
        self.handles.clear();
    }

    /// The number of a handle; a handle that has none takes the next. At most a block of calls
    /// between two `clear`s, hence always a free slot.
    #[inline]
    fn number(&mut self, handle: u32) -> u32 {
        let mut slot = (mixed(handle) >> (u32::BITS - SLOTS.ilog2())) as usize;
        loop {
            match self.slots[slot] {
                0 => {
                    self.handles.push(handle);
                    self.slots[slot] = self.handles.len() as u16;
                    return self.handles.len() as u32 - 1;
                }
                taken if self.handles[usize::from(taken) - 1] == handle => {
                    return u32::from(taken) - 1;
                }
                _ => slot = (slot + 1) & (SLOTS - 1),
            }
        }
    }
}

/// Whether a block's entries are so many an instrument, on average, that grouping pays: at least
/// [`MEAN_RUN_MIN`].
///
/// Looks no further than it must: a block of many instruments is told after its first few
/// hundred entries. Two handles can pass for one, so that a block just short of the mean is
/// grouped too: that costs time and changes no result.
pub fn has_long_runs(instruments: &[u32]) -> bool {
    let instruments_max = instruments.len() / MEAN_RUN_MIN;
    let mut seen = [0_u64; SEEN_BITS / 64];
    let mut different = 0;
    let mut last = None;
    for handle in instruments {
        if last == Some(handle) {
            continue;
        }
        last = Some(handle);
        let bit = (mixed(*handle) >> (u32::BITS - SEEN_BITS.ilog2())) as usize;
        let word = &mut seen[bit / 64];
        different += usize::from(*word >> (bit % 64) & 1 == 0);
        *word |= 1 << (bit % 64);
        if different > instruments_max {
            return false;
        }
    }
    instruments_max > 0
}

/// The multiplicative hash of Knuth, volume 3, section 6.4: its high bits are spread evenly even
/// for consecutive handles.
#[inline]
fn mixed(handle: u32) -> u32 {
    handle.wrapping_mul(0x9e37_79b1)
}

/// A block is longer than [`BLOCK_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockError {
    /// How long it is.
    pub entries: usize,
}

impl fmt::Display for BlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a block of {} entries: at most {BLOCK_MAX}, cut it", self.entries)
    }
}

impl std::error::Error for BlockError {}

const INDEX_BITS: u32 = BLOCK_MAX.ilog2();
const INDEX_MASK: u32 = BLOCK_MAX as u32 - 1;
/// Of a handle that goes into a key as it is.
const HANDLE_BITS: u32 = u32::BITS - INDEX_BITS;
/// Values of a digit.
const DIGITS: usize = 1 << (HANDLE_BITS / 2);
const LOW_SHIFT: u32 = INDEX_BITS;
const HIGH_SHIFT: u32 = INDEX_BITS + HANDLE_BITS / 2;
/// Below it, summing the counts of 1,024 digits costs more than comparing keys.
const COUNTING_MIN: usize = 128;
/// Of the numbers' table.
const SLOTS: usize = 2 * BLOCK_MAX;
/// Eight for each instrument that a block may have and still be grouped.
const SEEN_BITS: usize = BLOCK_MAX;
