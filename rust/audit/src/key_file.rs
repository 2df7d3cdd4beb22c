//! `epoch.key`: the frame key of this epoch, and of the one before while it is needed.
//!
//! Layout, little-endian: `CWTSKEY1`; u32 version 1; u32 slots, 1 or 2; u64 epoch of the first;
//! bytes[8] log id; bytes[32] the secret of that epoch; bytes[32] the one before, or zeros; u32
//! CRC-32C of all before. It is replaced in one step, so a crash leaves the old one or the new.
//! Invariant: what is erased here stands in no file of the folder any more.

use std::fmt;

use zeroize::Zeroizing;

use crate::error::LogError;
use crate::keys::KeyChain;
use crate::storage::{Storage, StorageError, replace_file};

/// The file's name, in a folder of secrets that is never the log's.
pub const EPOCH_KEY_FILE: &str = "epoch.key";

/// The file, open.
pub(crate) struct KeyFile {
    folder: Box<dyn Storage + Send>,
    log_id: [u8; 8],
}

/// Starts a log's key file: epoch 0, and none before. Its folder is durable on return.
///
/// # Errors
/// The folder cannot be written.
pub fn create_key_file(
    folder: &mut dyn Storage,
    log_id: [u8; 8],
    chain: &KeyChain,
) -> Result<(), StorageError> {
    replace_file(folder, EPOCH_KEY_FILE, &*encode(log_id, chain, None))
}

impl KeyFile {
    /// Reads the file: this epoch's chain, and the one before if it is still kept.
    pub(crate) fn open(
        folder: Box<dyn Storage + Send>,
        log_id: [u8; 8],
    ) -> Result<(Self, KeyChain, Option<KeyChain>), LogError> {
        let mut bytes = Zeroizing::new([0; KEY_FILE_BYTES + 1]);
        let count = folder.read_at(EPOCH_KEY_FILE, 0, &mut *bytes)?;
        let wrong = |what: &str| LogError::KeyFile { what: what.to_owned() };
        let Some(bytes) = bytes.first_chunk().filter(|_| count == KEY_FILE_BYTES) else {
            return Err(LogError::KeyFile { what: format!("is not of {KEY_FILE_BYTES} bytes") });
        };
        let (held_id, chain, previous) = decode(bytes).map_err(wrong)?;
        if held_id != log_id {
            return Err(wrong("is of another log"));
        }
        Ok((Self { folder, log_id }, chain, previous))
    }

    /// Puts these chains in the place of those that are there.
    pub(crate) fn replace(
        &mut self,
        chain: &KeyChain,
        previous: Option<&KeyChain>,
    ) -> Result<(), StorageError> {
        replace_file(&mut *self.folder, EPOCH_KEY_FILE, &*encode(self.log_id, chain, previous))
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFile").finish_non_exhaustive()
    }
}

fn encode(
    log_id: [u8; 8],
    chain: &KeyChain,
    previous: Option<&KeyChain>,
) -> Zeroizing<[u8; KEY_FILE_BYTES]> {
    let mut out = Zeroizing::new([0; KEY_FILE_BYTES]);
    out[0..8].copy_from_slice(KEY_FILE_MAGIC);
    out[8..12].copy_from_slice(&KEY_FILE_VERSION.to_le_bytes());
    out[12..16].copy_from_slice(&(1 + u32::from(previous.is_some())).to_le_bytes());
    out[16..24].copy_from_slice(&chain.epoch().to_le_bytes());
    out[24..32].copy_from_slice(&log_id);
    out[32..64].copy_from_slice(chain.secret());
    if let Some(previous) = previous {
        out[64..96].copy_from_slice(previous.secret());
    }
    let crc = crc32c::crc32c(&out[..96]);
    out[96..].copy_from_slice(&crc.to_le_bytes());
    out
}

type Held = ([u8; 8], KeyChain, Option<KeyChain>);

fn decode(bytes: &[u8; KEY_FILE_BYTES]) -> Result<Held, &'static str> {
    let u32_at = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|k| bytes[at + k]));
    if &bytes[..8] != KEY_FILE_MAGIC {
        return Err("is no key file: its first eight bytes are others");
    }
    if crc32c::crc32c(&bytes[..96]) != u32_at(96) {
        return Err("is damaged: its crc32c is wrong");
    }
    if u32_at(8) != KEY_FILE_VERSION {
        return Err("is of a version that this release does not know");
    }
    let epoch = u64::from(u32_at(16)) | u64::from(u32_at(20)) << 32;
    let secret = |at: usize| bytes[at..].first_chunk().ok_or("is short");
    let before = secret(64)?;
    let previous = match (u32_at(12), epoch.checked_sub(1)) {
        (1, _) if *before == [0; 32] => None,
        (2, Some(epoch)) => Some(KeyChain::resume(epoch, before)),
        _ => return Err("has slots that do not fit its epoch"),
    };
    let mut log_id = [0; 8];
    log_id.copy_from_slice(&bytes[24..32]);
    Ok((log_id, KeyChain::resume(epoch, secret(32)?), previous))
}

const KEY_FILE_BYTES: usize = 100;
const KEY_FILE_MAGIC: &[u8; 8] = b"CWTSKEY1";
const KEY_FILE_VERSION: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_is_read_as_it_was_written_and_no_bit_of_it_can_change() {
        let first = KeyChain::new([5; 32]);
        let (chain, id) = (first.evolved(), *b"abcdefgh");
        for previous in [None, Some(&first)] {
            let bytes = encode(id, &chain, previous);
            let (held_id, held, before) = decode(&bytes).unwrap();
            assert_eq!((held_id, held.epoch(), held.secret()), (id, 1, chain.secret()));
            let secret = |chain: &KeyChain| *chain.secret();
            assert_eq!(before.as_ref().map(secret), previous.map(secret));
            for bit in 0..KEY_FILE_BYTES * 8 {
                let mut flipped = *bytes;
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert!(decode(&flipped).is_err(), "bit {bit}");
            }
        }
        // Slots that do not fit, under a right checksum.
        for (slots, epoch, before) in [(0, 1, 0), (1, 1, 9), (2, 0, 9), (3, 1, 9)] {
            let mut bytes = *encode(id, &chain, None);
            bytes[12] = slots;
            bytes[16] = epoch;
            bytes[64..96].fill(before);
            let crc = crc32c::crc32c(&bytes[..96]);
            bytes[96..].copy_from_slice(&crc.to_le_bytes());
            assert!(decode(&bytes).is_err(), "{slots} slots, epoch {epoch}");
        }
    }
}
