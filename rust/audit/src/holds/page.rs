//! `kill.page`: the states that processes share.
//!
//! Line 0 holds magic, version and epoch; the line of a slot holds its state and the epoch at
//! which it was last raised. Whoever halts raises a state first and the epoch behind it; only
//! the gateway rewrites the page, and then no cell tells an epoch any more.

use cwts_types::KillState;

/// The page that processes share.
pub const PAGE_FILE: &str = "kill.page";
/// Length of the page.
pub const PAGE_BYTES: usize = 16 * 1024;
/// Scopes with a cell of their own; a halt of one beyond waits for its request to be read.
pub const PAGE_SLOTS: usize = PAGE_BYTES / PAGE_LINE_BYTES - 1;

/// The bytes of a kill page: line 0 holds magic, version and epoch, line 1 + slot a state.
pub fn page_image(epoch: u64, states_by_slot: &[KillState]) -> Vec<u8> {
    let mut page = vec![0; PAGE_BYTES];
    page[..8].copy_from_slice(PAGE_MAGIC);
    page[8..16].copy_from_slice(&PAGE_VERSION.to_le_bytes());
    page[16..24].copy_from_slice(&epoch.to_le_bytes());
    for (slot, state) in states_by_slot.iter().take(PAGE_SLOTS).enumerate() {
        let at = (slot + 1) * PAGE_LINE_BYTES;
        page[at..at + 8].copy_from_slice(&u64::from(*state as u8).to_le_bytes());
    }
    page
}

/// Whether `page` is a page of this form that is nowhere laxer than `least`: same words, a
/// state as strict or stricter in each cell, an epoch as high or higher, and in no cell the mark
/// of a raise at an epoch that the page has not reached.
pub fn page_is_at_least(page: &[u8], least: &[u8]) -> bool {
    if page.len() != PAGE_BYTES || least.len() != PAGE_BYTES || page[..16] != least[..16] {
        return false;
    }
    let (words, _) = page.as_chunks::<8>();
    let (floors, _) = least.as_chunks::<8>();
    let per_line = PAGE_LINE_BYTES / 8;
    let epoch = words.get(EPOCH_WORD).map_or(0, |word| u64::from_le_bytes(*word));
    words.iter().zip(floors).enumerate().skip(2).all(|(at, (word, floor))| {
        let (word, floor) = (u64::from_le_bytes(*word), u64::from_le_bytes(*floor));
        let ceiling = match (at, at % per_line) {
            (EPOCH_WORD, _) => u64::from(u32::MAX),
            (_, STATE_WORD) if at >= per_line => KillState::Halted as u64,
            (_, RAISED_AT_WORD) if at >= per_line => epoch,
            _ => 0,
        };
        (floor..=ceiling.max(floor)).contains(&word)
    })
}

const PAGE_MAGIC: &[u8; 8] = b"CWTSKILL";
const PAGE_VERSION: u64 = 1;
/// The header's word that moves with every change.
const EPOCH_WORD: usize = 2;
/// A cell's words: its state, and the epoch at which it was last raised.
const STATE_WORD: usize = 0;
const RAISED_AT_WORD: usize = 1;
/// A cell has a cache line to itself.
const PAGE_LINE_BYTES: usize = 64;
