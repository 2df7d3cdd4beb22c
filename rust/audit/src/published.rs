//! What a log has published: its checkpoint, and the tiles and bundles under it.
//!
//! Proofs are built from tiles alone, entries come from bundles, so every C2SP tlog-tiles directory
//! is read. Where there are no bundles, as in a replay's log, the frames have the entries. A live
//! log is read without its lock: a partial file
//! may just have been replaced by a wider one, which starts with the same bytes.

use std::cell::RefCell;

use crate::bundle::{BUNDLE_BYTES_MAX, BundleId, last_bundle};
use crate::frame::{
    Entries, FRAME_HEADER_BYTES, Frame, FrameHeader, frame_bytes, parse_segment_name, segment_name,
};
use crate::merkle::{Hash, ProofError, consistency_proof, inclusion_proof, leaf_hash, root_at};
use crate::note::{Checkpoint, NOTE_BYTES_MAX, Note, NoteError};
use crate::range::{RangeProof, range_proof};
use crate::receipt::Receipt;
use crate::storage::{Storage, StorageError};
use crate::tile::{TILE_BYTES, TILE_WIDTH, TileId, TileReader, hashes_of};
use crate::writer::CHECKPOINT_FILE;

/// Why a published log could not answer.
#[derive(Debug, thiserror::Error)]
pub enum PublishedError {
    /// There is no checkpoint.
    #[error("there is no `checkpoint` here: no log, or one whose creation did not finish")]
    NoCheckpoint,
    /// The checkpoint is malformed.
    #[error("`checkpoint`: {0}")]
    Note(#[from] NoteError),
    /// The checkpoint does not cover what was asked for.
    #[error("{what} {asked} is not covered: the checkpoint is of size {size}")]
    Beyond {
        /// An index or a size.
        what: &'static str,
        /// Which.
        asked: u64,
        /// The signed size.
        size: u64,
    },
    /// A proof cannot be built.
    #[error("{0}; opening the log makes lost tiles again")]
    Proof(#[from] ProofError),
    /// The tiles do not give the signed root.
    #[error("the tiles do not give the signed root; `cwts log verify` names what changed")]
    Root,
    /// A bundle is missing or does not hold the entry.
    #[error("`{file}`: {why}")]
    Bundle {
        /// The file.
        file: String,
        /// What is wrong.
        why: &'static str,
    },
    /// A file cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Fetches a tile.
type Fetch<'f> = &'f dyn Fn(TileId) -> Option<Vec<Hash>>;

/// A log as it is published: the newest checkpoint, and what it covers.
pub struct Published<'s> {
    storage: &'s dyn Storage,
    /// The signed checkpoint; its signatures are for the caller to check.
    pub note: Note,
    /// What it says.
    pub checkpoint: Checkpoint,
}

impl<'s> Published<'s> {
    /// Reads the newest checkpoint.
    pub fn read(storage: &'s dyn Storage) -> Result<Self, PublishedError> {
        let bytes = storage.read_all(CHECKPOINT_FILE, NOTE_BYTES_MAX)?;
        let note = Note::parse(&bytes.ok_or(PublishedError::NoCheckpoint)?)?;
        let checkpoint = Checkpoint::parse(&note.text)?;
        Ok(Self { storage, note, checkpoint })
    }

    /// The receipt of an entry, under the whole note.
    pub fn receipt(&self, index: u64) -> Result<Receipt, PublishedError> {
        let Checkpoint { size, root, .. } = self.checkpoint;
        if index >= size {
            return Err(PublishedError::Beyond { what: "entry", asked: index, size });
        }
        let entry = self.entry(index)?;
        let proof = self.with_tiles(size, |tiles| inclusion_proof(tiles, index, size))?;
        let leaf = leaf_hash(&entry);
        crate::merkle::verify_inclusion(&leaf, index, size, &root, &proof)
            .map_err(|_| PublishedError::Root)?;
        let (note, checkpoint) = (self.note.clone(), self.checkpoint.clone());
        Ok(Receipt { entry: Some(entry), index, proof, note, checkpoint })
    }

    /// The way from an entry to the root over the first `size` entries.
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, PublishedError> {
        self.within(size)?;
        if index >= size {
            return Err(PublishedError::Beyond { what: "entry", asked: index, size });
        }
        self.with_tiles(self.checkpoint.size, |tiles| inclusion_proof(tiles, index, size))
    }

    /// That the first `old` entries are the beginning of the first `new`.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, PublishedError> {
        self.within(new)?;
        self.with_tiles(self.checkpoint.size, |tiles| consistency_proof(tiles, old, new))
    }

    /// That the entries `first..end` are whole: the hashes around and over them.
    pub fn range(&self, first: u64, end: u64) -> Result<RangeProof, PublishedError> {
        let size = self.checkpoint.size;
        self.within(end)?;
        self.with_tiles(size, |tiles| range_proof(tiles, first, end, size))
    }

    /// The root over the first `size` entries.
    pub fn root(&self, size: u64) -> Result<Hash, PublishedError> {
        self.within(size)?;
        self.with_tiles(self.checkpoint.size, |tiles| root_at(tiles, size))
    }

    /// The roots of the perfect subtrees that the first `size` entries make, from the largest.
    pub fn peaks(&self, size: u64) -> Result<Vec<Hash>, PublishedError> {
        Ok(self.range(size, size)?.left)
    }

    /// An entry's bytes, out of its bundle. Nothing is proved by reading.
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, PublishedError> {
        let mut found = Vec::new();
        self.entries(index, index + 1, |_, entry| {
            found = entry.to_vec();
            Ok::<(), PublishedError>(())
        })?;
        Ok(found)
    }

    /// Gives the entries `first..end` to `each`, in order.
    pub fn entries<E: From<PublishedError>>(
        &self,
        first: u64,
        end: u64,
        mut each: impl FnMut(u64, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let size = self.checkpoint.size;
        if end > size {
            return Err(PublishedError::Beyond { what: "entry", asked: end - 1, size }.into());
        }
        let mut index = first;
        while index < end {
            let number = index / TILE_WIDTH;
            let Some((file, bytes)) = self.bundle(number)? else {
                return self.framed(index, end, each);
            };
            let fault = |why| PublishedError::Bundle { file: file.clone(), why };
            let mut entries = Entries::new(&bytes);
            for at in number * TILE_WIDTH..end.min((number + 1) * TILE_WIDTH) {
                let (_, entry) = entries
                    .next()
                    .and_then(Result::ok)
                    .ok_or_else(|| fault("it holds fewer entries than its name says"))?;
                if at >= index {
                    each(at, entry)?;
                }
            }
            index = (number + 1) * TILE_WIDTH;
        }
        Ok(())
    }

    fn within(&self, asked: u64) -> Result<(), PublishedError> {
        let size = self.checkpoint.size;
        if asked <= size {
            return Ok(());
        }
        Err(PublishedError::Beyond { what: "size", asked, size })
    }

    /// Gives entries out of the frames, in the place of bundles that are not there.
    fn framed<E: From<PublishedError>>(
        &self,
        first: u64,
        end: u64,
        mut each: impl FnMut(u64, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let files = self.storage.list().map_err(PublishedError::from)?;
        let starts = files.iter().filter_map(|file| parse_segment_name(&file.name));
        let mut next = first;
        let mut segments: Vec<u64> = starts.collect();
        segments.sort_unstable();
        let start = segments.partition_point(|start| *start <= first).saturating_sub(1);
        for segment in segments.split_off(start.min(segments.len())) {
            let name = segment_name(segment);
            let mut head = [0; FRAME_HEADER_BYTES];
            let mut at = 0;
            while next < end {
                let read = self.storage.read_at(&name, at, &mut head);
                if read.map_err(PublishedError::from)? < head.len() {
                    break;
                }
                let Ok(header) = FrameHeader::parse(&head) else { break };
                let bytes = frame_bytes(header.payload_bytes as usize);
                if header.end_index() > next {
                    let mut frame = vec![0; bytes];
                    let read = self.storage.read_at(&name, at, &mut frame);
                    let read = read.map_err(PublishedError::from)?;
                    let frame = Frame::cut(header, &frame[..read]);
                    let Some(frame) = frame.filter(Frame::payload_is_whole) else { break };
                    let indices = header.first_index..;
                    for (index, entry) in indices.zip(Entries::new(frame.payload)) {
                        let Ok((_, entry)) = entry else { break };
                        if index == next && index < end {
                            each(index, entry)?;
                            next += 1;
                        }
                    }
                }
                at += bytes as u64;
            }
        }
        if next == end {
            return Ok(());
        }
        let file = BundleId { number: next / TILE_WIDTH, width: 256 }.path();
        let why = "neither it nor a whole frame holds the entry; `cwts log verify` says more";
        Err(PublishedError::Bundle { file, why }.into())
    }

    fn bundle(&self, number: u64) -> Result<Option<(String, Vec<u8>)>, PublishedError> {
        let last = last_bundle(self.checkpoint.size).filter(|last| last.number == number);
        let full = BundleId { number, width: 256 };
        for bundle in last.into_iter().chain([full]) {
            let file = bundle.path();
            if let Some(bytes) = self.storage.read_all(&file, BUNDLE_BYTES_MAX)? {
                return Ok(Some((file, bytes)));
            }
        }
        Ok(None)
    }

    fn with_tiles<T>(
        &self,
        size: u64,
        build: impl FnOnce(&TileReader<Fetch<'_>>) -> Result<T, ProofError>,
    ) -> Result<T, PublishedError> {
        let failed = RefCell::new(None);
        let tile = |tile: TileId| {
            self.tile(tile).unwrap_or_else(|error| {
                *failed.borrow_mut() = Some(error);
                None
            })
        };
        let built = build(&TileReader::new(size, &tile));
        match failed.into_inner() {
            Some(error) => Err(error.into()),
            None => Ok(built?),
        }
    }

    fn tile(&self, tile: TileId) -> Result<Option<Vec<Hash>>, StorageError> {
        for width in [tile.width, 256] {
            let mut bytes = vec![0; TILE_BYTES + 1];
            let held = TileId { width, ..tile };
            match self.storage.read_at(&held.path(), 0, &mut bytes) {
                Ok(count) if count == held.size_bytes() => {
                    bytes.truncate(tile.size_bytes());
                    return Ok(hashes_of(&bytes).map(<[Hash]>::to_vec));
                }
                Ok(_) | Err(StorageError::Missing { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}
