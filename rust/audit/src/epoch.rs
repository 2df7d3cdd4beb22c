//! The epochs of a log's frame key: how one ends, and which one a frame is of.
//!
//! Source: design note "audit", section 4, "Key evolution". A frame that starts with a KEY_EPOCH
//! entry is the first of the next epoch, and no other frame is. The next key is on disk before
//! that frame is written; the last one is erased when a published checkpoint covers the seal, and
//! with it every frame that it authenticates. So after a crash the log ends in the file's epoch,
//! or in the one before while its key is still there.

use cwts_types::{Body, Entry, EntryType, KeyEpoch};

use crate::error::LogError;
use crate::frame::{Entries, Frame};
use crate::key_file::KeyFile;
use crate::keys::{FrameMac, KeyChain};
use crate::merkle::Hash;
use crate::storage::{Storage, StorageError};
use crate::writer::Writer;

/// The keys of a writer: those it has, and where they lie.
#[derive(Debug)]
pub(crate) struct Epochs {
    /// The MAC of the frames that are written.
    pub(crate) mac: FrameMac,
    chain: KeyChain,
    previous: Option<KeyChain>,
    /// The entry that began this epoch.
    opened_at: u64,
    file: Option<KeyFile>,
}

impl Epochs {
    pub(crate) fn new(chain: KeyChain, previous: Option<KeyChain>, file: Option<KeyFile>) -> Self {
        Self { mac: chain.frame_mac(), chain, previous, opened_at: 0, file }
    }

    /// Ends the epoch: gives its seal, once the next key is where a crash leaves it.
    fn close(&mut self, size: u64, root: Hash, chain: Hash) -> Result<KeyEpoch, StorageError> {
        let seal = self.mac.seal(size, root, chain);
        let next = self.chain.evolved();
        if let Some(file) = &mut self.file {
            file.replace(&next, Some(&self.chain))?;
        }
        self.mac = next.frame_mac();
        self.previous = Some(std::mem::replace(&mut self.chain, next));
        self.opened_at = size;
        Ok(seal)
    }

    /// Erases the key before this one if a checkpoint of this size, which is published, covers the
    /// seal of its epoch.
    pub(crate) fn erase_below(&mut self, signed_size: u64) -> Result<(), StorageError> {
        if self.previous.is_none() || signed_size <= self.opened_at {
            return Ok(());
        }
        if let Some(file) = &mut self.file {
            file.replace(&self.chain, None)?;
        }
        self.previous = None;
        Ok(())
    }

    /// The epoch of the next frame of a log that is opened, or why the frame is no good one.
    pub(crate) fn of_frame(
        &self,
        before: &EpochAt,
        frame: &Frame<'_>,
        frame_hash: &Hash,
        tip: (u64, &Hash, &Hash),
    ) -> Result<Result<EpochAt, String>, LogError> {
        let mut at = match self.follow(before, frame, tip) {
            Ok(at) => at,
            Err(what) => return Ok(Err(what)),
        };
        let Some(mac) = &at.mac else { return Ok(Ok(at)) };
        if mac.verify(frame_hash, frame.mac) {
            at.checked += 1;
            return Ok(Ok(at));
        }
        // All else of the first frame that has a key is right: it is the key that is wrong.
        if at.checked == 0 { Err(LogError::WrongKey) } else { Ok(Err("the MAC is wrong".into())) }
    }

    fn follow(
        &self,
        before: &EpochAt,
        frame: &Frame<'_>,
        (size, root, chain): (u64, &Hash, &Hash),
    ) -> Result<EpochAt, String> {
        let stated = frame.header.key_epoch;
        let seal = seal_of(frame)?;
        let expected = before.epoch + u64::from(seal.is_some());
        if stated != expected {
            return Err(format!("the frame is of key epoch {stated}, and {expected} is next"));
        }
        let Some(seal) = seal else {
            let mac = before.mac.clone().or_else(|| self.mac_of(stated));
            return Ok(EpochAt { mac, ..before.clone() });
        };
        check_seal(&seal, before.epoch, size, Some(root), chain)?;
        if before.mac.as_ref().is_some_and(|mac| !mac.verify_seal(&seal)) {
            return Err(format!("the seal of key epoch {} is not by its key", seal.epoch));
        }
        let newest = before.ahead.as_ref().map_or(&self.chain, |(_, newest)| newest);
        let ahead = if stated > newest.epoch() {
            // The key file is older than the log: the keys that it lacks follow from it.
            Some((newest.clone(), newest.evolved()))
        } else {
            before.ahead.clone()
        };
        let derived = ahead.as_ref().map(|(_, newest)| newest.frame_mac());
        let mac = derived.or_else(|| self.mac_of(stated));
        Ok(EpochAt { epoch: stated, opened_at: size, mac, ahead, ..before.clone() })
    }

    fn mac_of(&self, epoch: u64) -> Option<FrameMac> {
        let mut held = self.previous.iter().chain([&self.chain]);
        held.find(|chain| chain.epoch() == epoch).map(KeyChain::frame_mac)
    }

    /// Whether the keys at hand fit a log that ends there.
    pub(crate) fn fit(&self, at: &EpochAt) -> Result<(), LogError> {
        if at.mac.is_some() {
            return Ok(());
        }
        // A key is erased only when its frames are behind a seal that is durable and signed.
        Err(LogError::Rollback {
            what: format!(
                "the frame keys are of epoch {}, and the log ends in epoch {}",
                self.chain.epoch(),
                at.epoch
            ),
        })
    }

    /// Goes on in the epoch in which the log ends, and erases what need not be kept.
    pub(crate) fn settle(&mut self, at: EpochAt, signed_size: u64) -> Result<(), StorageError> {
        if let Some((previous, chain)) = at.ahead {
            self.previous = Some(previous);
            self.chain = chain;
        } else if at.epoch < self.chain.epoch()
            && let Some(previous) = self.previous.take()
        {
            // The seal that was to end this epoch is not in the log: it is made again, and so
            // is the next key.
            self.chain = previous;
        }
        self.mac = self.chain.frame_mac();
        self.opened_at = at.opened_at;
        self.previous = self.previous.take().filter(|_| signed_size <= self.opened_at);
        // In any case: a folder that cannot be written is found now and not at the next step, and
        // what a crash left of a replacement holds secrets, and goes.
        match &mut self.file {
            Some(file) => file.replace(&self.chain, self.previous.as_ref()),
            None => Ok(()),
        }
    }
}

/// The epoch that a log is in, as its frames are walked.
#[derive(Clone, Debug, Default)]
pub(crate) struct EpochAt {
    epoch: u64,
    opened_at: u64,
    /// Its key, if it is at hand: those of older epochs are erased.
    mac: Option<FrameMac>,
    /// Frames whose MAC was checked.
    checked: u64,
    /// Keys that the key file should have: of the epoch before this one, and of this.
    ahead: Option<(KeyChain, KeyChain)>,
}

/// The seal that a frame starts with, if it does.
pub(crate) fn seal_of(frame: &Frame<'_>) -> Result<Option<KeyEpoch>, String> {
    let Some(Ok((_, first))) = Entries::new(frame.payload).next() else { return Ok(None) };
    if !is_seal(first) {
        return Ok(None);
    }
    match Entry::decode(first) {
        Ok(Entry { body: Body::KeyEpoch(seal), .. }) => Ok(Some(seal)),
        Ok(_) => Ok(None),
        Err(error) => Err(format!("its KEY_EPOCH entry is malformed: {error}")),
    }
}

/// Whether an entry says that it ends an epoch.
pub(crate) fn is_seal(entry: &[u8]) -> bool {
    entry.first() == Some(&(EntryType::KeyEpoch as u8))
}

/// What of a seal can be checked without a key. The root is `None` where damage hides it.
pub(crate) fn check_seal(
    seal: &KeyEpoch,
    epoch: u64,
    size: u64,
    root: Option<&Hash>,
    chain: &Hash,
) -> Result<(), String> {
    if seal.epoch != epoch {
        return Err(format!("the seal is of epoch {}, and {epoch} ends here", seal.epoch));
    }
    if seal.size != size || root.is_some_and(|root| *root != seal.root) {
        return Err(format!("the seal is of other entries than the {size} before it"));
    }
    if seal.chain == *chain { Ok(()) } else { Err("the seal is of other frames".to_owned()) }
}

impl<S: Storage> Writer<S> {
    /// Ends the epoch of the frame key. Everything before is durable on return; the seal is the
    /// next entry, which `entry` encodes, and starts the next frame, under the next key.
    ///
    /// # Errors
    /// The log or its key file cannot be written: the writer has failed.
    pub fn evolve(
        &mut self,
        utc_ns: u64,
        entry: impl FnOnce(KeyEpoch) -> Vec<u8>,
    ) -> Result<u64, LogError> {
        self.commit(utc_ns)?;
        if self.epochs.previous.is_some() {
            // The file has room for two keys: the oldest goes, and may only behind a checkpoint.
            self.checkpoint()?;
        }
        let done = self.epochs.close(self.durable_size, self.durable_root, self.chain);
        let seal = self.note_failure(done.map_err(LogError::from))?;
        self.push_any(&entry(seal))
    }

    /// Which epoch of the frame key the next frame is of.
    pub fn key_epoch(&self) -> u64 {
        self.epochs.mac.epoch()
    }
}
