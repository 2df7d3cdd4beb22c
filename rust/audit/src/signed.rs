//! What a log has signed, in it and beside it: a log that is opened must still have all of it.

use crate::anchor::{Anchor, Anchored};
use crate::error::LogError;
use crate::merkle::{CompactRange, Hash};
use crate::note::{Checkpoint, NOTE_BYTES_MAX, Note, VerifyKey};
use crate::storage::Storage;
use crate::writer::{CHECKPOINT_FILE, WAL_HEAD_FILE, wal_head_origin};

/// The signed heads of a log, their signatures checked.
pub(crate) struct Signed {
    pub(crate) checkpoint: Option<Checkpoint>,
    pub(crate) wal_head: Option<Checkpoint>,
    /// What the anchor keeps: as new as `checkpoint`, or newer by one that a crash kept from it.
    anchor: Option<Checkpoint>,
}

impl Signed {
    pub(crate) fn read(
        storage: &dyn Storage,
        anchor: Option<Box<dyn Anchor>>,
        key: &VerifyKey,
    ) -> Result<(Self, Option<Anchored>), LogError> {
        let one = |file: &str, origin: String| -> Result<Option<Checkpoint>, LogError> {
            let Some(bytes) = storage.read_all(file, NOTE_BYTES_MAX)? else { return Ok(None) };
            let tamper = |what: String| LogError::Tamper { file: file.to_owned(), offset: 0, what };
            signed_head(&bytes, key, &origin).map(Some).map_err(tamper)
        };
        let checkpoint = one(CHECKPOINT_FILE, key.name().to_owned())?;
        let wal_head = one(WAL_HEAD_FILE, wal_head_origin(key.name()))?;
        let read = anchor.map(|anchor| Anchored::read(anchor, key, checkpoint.is_some()));
        let (anchored, anchor) = read.transpose()?.unzip();
        Ok((Self { checkpoint, wal_head, anchor: anchor.flatten() }, anchored))
    }

    /// The roots to look for on the way.
    pub(crate) fn roots(&self) -> SignedRoots {
        let size = |head: &Option<Checkpoint>| head.as_ref().map(|head| head.size);
        SignedRoots { wanted: [size(&self.checkpoint), size(&self.anchor)], found: [None; 2] }
    }

    /// Holds the walked frames, of `size` entries, against what was signed.
    pub(crate) fn check(
        &self,
        roots: &SignedRoots,
        head_found: bool,
        frames: u64,
        size: u64,
    ) -> Result<(), LogError> {
        let rollback = |what: String| Err(LogError::Rollback { what });
        // A log is born with a checkpoint; only a creation cut short has none.
        if self.checkpoint.is_none() && (self.wal_head.is_some() || frames > 1) {
            return rollback(format!("`{CHECKPOINT_FILE}` is missing"));
        }
        let kept = [(&self.checkpoint, "signed"), (&self.anchor, "kept by the anchor")];
        for ((head, how), root) in kept.into_iter().zip(roots.found) {
            let Some(head) = head else { continue };
            if head.size > size {
                return rollback(format!("{} entries were {how}, {size} are left", head.size));
            }
            if root != Some(head.root) {
                return rollback(format!("the first {} entries are not those {how}", head.size));
            }
        }
        match &self.wal_head {
            Some(head) if !head_found => rollback(format!(
                "the frames up to the close at {} are not those signed",
                head.size
            )),
            _ => Ok(()),
        }
    }
}

/// The roots of a log at the sizes that `checkpoint` and the anchor name.
#[derive(Clone, Copy)]
pub(crate) struct SignedRoots {
    wanted: [Option<u64>; 2],
    found: [Option<Hash>; 2],
}

impl SignedRoots {
    /// Keeps the root, if somebody signed this size.
    #[inline]
    pub(crate) fn see(&mut self, range: &CompactRange) {
        for (wanted, found) in self.wanted.iter().zip(&mut self.found) {
            if *wanted == Some(range.size()) {
                *found = Some(range.root());
            }
        }
    }
}

/// What a signed note of this origin says, or why it is none.
pub(crate) fn signed_head(
    bytes: &[u8],
    key: &VerifyKey,
    origin: &str,
) -> Result<Checkpoint, String> {
    let read = || {
        let note = Note::parse(bytes)?;
        note.check(std::slice::from_ref(key))?;
        Checkpoint::parse(&note.text)
    };
    let head = read().map_err(|error| error.to_string())?;
    if head.origin == origin {
        return Ok(head);
    }
    Err(format!("its origin is `{}`, not `{origin}`", head.origin))
}
