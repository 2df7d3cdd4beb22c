//! The kill page's protocol, on any run of atomics: raise a state, tell the reader, lower again.
//!
//! Source: risk controls must act at once and stay (SEC Rule 15c3-5(c)); the protocol is ours.
//! Word 2 is the epoch; cell `slot` is the line of eight words at `8 * (1 + slot)`.
//!
//! The invariant, checked by loom (`kill_cells/loom_tests.rs`):
//!
//! > A state is written before the epoch that announces it: whoever loads an epoch sees every
//! > state raised up to it. The epoch never falls. A raise that returned is lowered only by a
//! > `store_all` whose caller had seen the raise's epoch.
//!
//! The cells themselves need no more than Relaxed, since the epoch's orderings carry them.

use crate::sync::{AtomicU64, Ordering};

#[cfg(all(test, loom))]
mod loom_tests;

/// Trading as usual.
pub const ACTIVE: u8 = 0;
/// Only orders that reduce a position, and cancels.
pub const REDUCE_ONLY: u8 = 1;
/// Cancels only. Any greater value in a cell means the same.
pub const HALTED: u8 = 2;

/// Cells of a page: 256 lines less the header's.
pub const SLOTS: usize = 255;

/// Rounds in which a `raise` of the kill page may lose to a `store_all`; each needs another
/// rewrite of the page in the nanoseconds between two of our instructions.
pub const RAISE_TRIES_MAX: usize = 1024;

/// What a kill page refuses to do. Nothing was lowered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KillCellError {
    /// The page was rewritten under us in every round: whether the state stands is unknown.
    #[error("raise: the page was rewritten {RAISE_TRIES_MAX} times meanwhile; treat it as halted")]
    Contended,
    /// A state would change without a greater epoch to announce it.
    #[error("epoch: {epoch} is not ahead of the page's {now}")]
    EpochNotAhead {
        /// The epoch to be stored.
        epoch: u64,
        /// The page's epoch.
        now: u64,
    },
    /// Somebody raised a state since the caller looked; look again, then store again.
    #[error("epoch: {seen} was seen, the page is at {now}")]
    Moved {
        /// The epoch that the caller had dealt with.
        seen: u64,
        /// The page's epoch.
        now: u64,
    },
    /// There is no such cell.
    #[error("slot: {slot} is not below {slots}")]
    Slot {
        /// The cell asked for, or the number of states given.
        slot: usize,
        /// Number of cells.
        slots: usize,
    },
}

/// A page's words: the header's line and then one line a slot.
pub(crate) struct KillCells<'a>(pub(crate) &'a [AtomicU64]);

impl KillCells<'_> {
    #[inline(always)]
    pub(crate) fn epoch(&self) -> u64 {
        // Acquire: pairs with the Release of whoever stored this epoch; the states behind it
        // were written before.
        self.0[EPOCH_WORD].load(Ordering::Acquire)
    }

    /// The state of `slot`; a slot that does not exist is halted, as is any unknown value.
    #[inline]
    pub(crate) fn state(&self, slot: usize) -> u8 {
        self.cell(slot).map_or(HALTED, |[state, _]| read_state(state))
    }

    pub(crate) fn raise(&self, slot: usize, state: u8) -> Result<u64, KillCellError> {
        let [cell, set_at] = self.cell(slot)?;
        let wanted = u64::from(state.min(HALTED));
        for _ in 0..RAISE_TRIES_MAX {
            let before = cell.fetch_max(wanted, Ordering::Relaxed);
            // The epoch moves even if the state already stood: whoever set it may have died
            // between the two steps, and then nobody has told the reader yet.
            //
            // Release: the state comes before the epoch. Acquire: if a `store_all` got between
            // our two steps, its lowered cell is what we find below.
            let epoch = self.0[EPOCH_WORD].fetch_add(1, Ordering::AcqRel).wrapping_add(1);
            if before < wanted {
                set_at.fetch_max(epoch, Ordering::Relaxed);
            }
            if cell.load(Ordering::Relaxed) >= wanted {
                return Ok(epoch);
            }
        }
        Err(KillCellError::Contended)
    }

    pub(crate) fn store_all(
        &self,
        seen: u64,
        epoch: u64,
        states: &[u8],
    ) -> Result<(), KillCellError> {
        let slots = self.slots();
        if states.len() > slots {
            return Err(KillCellError::Slot { slot: states.len(), slots });
        }
        let now = self.epoch();
        if now != seen {
            return Err(KillCellError::Moved { seen, now });
        }
        let wanted = |slot: usize| u64::from(states.get(slot).map_or(ACTIVE, |s| (*s).min(HALTED)));
        let changes = (0..slots).any(|slot| u64::from(self.state(slot)) != wanted(slot));
        if epoch < now || (epoch == now && changes) {
            return Err(KillCellError::EpochNotAhead { epoch, now });
        }
        let mut before = [0; SLOTS];
        for (slot, before) in before.iter_mut().enumerate().take(slots) {
            let [cell, set_at] = self.cell(slot)?;
            if cell.load(Ordering::Relaxed) != wanted(slot) {
                *before = cell.swap(wanted(slot), Ordering::Relaxed);
            }
            set_at.store(0, Ordering::Relaxed);
        }
        // Release: the cells come before the epoch, for a reader and for a `raise` that comes
        // after us and must find its cell lowered.
        let stored =
            self.0[EPOCH_WORD].compare_exchange(seen, epoch, Ordering::Release, Ordering::Relaxed);
        let Err(now) = stored else { return Ok(()) };
        // Somebody raised a state after `seen`, perhaps in a cell that we lowered: put back
        // what we took away (never less than what stands there now) and tell the reader.
        for (slot, before) in before.iter().enumerate().take(slots) {
            self.cell(slot)?[0].fetch_max(*before, Ordering::Relaxed);
        }
        // Release: as in `raise`.
        self.0[EPOCH_WORD].fetch_add(1, Ordering::Release);
        Err(KillCellError::Moved { seen, now })
    }

    fn slots(&self) -> usize {
        (self.0.len() / LINE_WORDS).saturating_sub(1).min(SLOTS)
    }

    /// The cell's state and the epoch at which it was last raised.
    #[inline]
    fn cell(&self, slot: usize) -> Result<[&AtomicU64; 2], KillCellError> {
        let slots = self.slots();
        if slot >= slots {
            return Err(KillCellError::Slot { slot, slots });
        }
        let first = (1 + slot) * LINE_WORDS;
        Ok([&self.0[first], &self.0[first + 1]])
    }
}

/// The state in a cell: what nobody defined is read as the strictest.
#[inline]
fn read_state(cell: &AtomicU64) -> u8 {
    match cell.load(Ordering::Relaxed) {
        0 => ACTIVE,
        1 => REDUCE_ONLY,
        _ => HALTED,
    }
}

/// Words of one cache line: a header or a cell.
pub(crate) const LINE_WORDS: usize = 8;
/// The header's word that moves with every change.
pub(crate) const EPOCH_WORD: usize = 2;
