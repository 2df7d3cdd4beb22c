//! Writes a plain C2SP tlog-tiles log: checkpoint, tiles and entry bundles, and nothing else.

use crate::bundle::{BundleBuilder, BundleId};
use crate::error::LogError;
use crate::merkle::{CompactRange, Hash};
use crate::note::{Checkpoint, SigningKey};
use crate::published::{Published, PublishedError};
use crate::storage::{Storage, replace_file};
use crate::tile::{TileBuilder, TileId};
use crate::writer::CHECKPOINT_FILE;

/// Entries between two looks at what is full.
const STEP: u64 = 1 << 12;

/// Writes a log over these entries, of any number, signed by this key under its name.
///
/// # Errors
/// An entry is longer than 65,535 bytes, or the storage fails.
pub fn write_plain<'e>(
    storage: &mut impl Storage,
    key: &SigningKey,
    mut entries: impl Iterator<Item = &'e [u8]>,
) -> Result<Checkpoint, LogError> {
    let mut plain = PlainWriter::new(storage);
    entries.try_for_each(|entry| plain.push(entry))?;
    let (size, root) = plain.finish()?;
    let origin = key.verify_key().name().to_owned();
    let checkpoint = Checkpoint { origin, size, root };
    let note = key.sign(&checkpoint.encode())?;
    replace_file(storage, CHECKPOINT_FILE, note.encode().as_bytes())?;
    Ok(checkpoint)
}

/// Writes what a log has published as a plain log, under the signatures that it has.
///
/// # Errors
/// The log cannot be read, its entries do not give the signed root, or the storage fails.
pub fn unpack(log: &Published<'_>, storage: &mut impl Storage) -> Result<(), UnpackError> {
    let mut plain = PlainWriter::new(storage);
    log.entries(0, log.checkpoint.size, |_, entry| Ok::<(), UnpackError>(plain.push(entry)?))?;
    let (_, root) = plain.finish()?;
    if root != log.checkpoint.root {
        return Err(PublishedError::Root.into());
    }
    let note = log.note.encode();
    Ok(replace_file(storage, CHECKPOINT_FILE, note.as_bytes()).map_err(LogError::from)?)
}

/// Why a log cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It cannot be read, or is not what was signed.
    #[error(transparent)]
    Published(#[from] PublishedError),
    /// The plain log cannot be written.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Writes tiles and bundles of entries as they come.
pub(crate) struct PlainWriter<'s, S> {
    storage: &'s mut S,
    range: CompactRange,
    tiles: TileBuilder,
    bundles: BundleBuilder,
    framed: Vec<u8>,
}

impl<'s, S: Storage> PlainWriter<'s, S> {
    pub(crate) fn new(storage: &'s mut S) -> Self {
        Self {
            storage,
            range: CompactRange::new(),
            tiles: TileBuilder::new(),
            bundles: BundleBuilder::default(),
            framed: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, entry: &[u8]) -> Result<(), LogError> {
        let Ok(length) = u16::try_from(entry.len()) else {
            return Err(LogError::EntryTooLong { bytes: entry.len() });
        };
        self.tiles.append(self.range.append(entry));
        self.framed.clear();
        self.framed.extend_from_slice(&length.to_be_bytes());
        self.framed.extend_from_slice(entry);
        self.bundles.append(&self.framed);
        if self.range.size().is_multiple_of(STEP) { self.put_full() } else { Ok(()) }
    }

    /// Writes the right edge; gives size and root.
    pub(crate) fn finish(mut self) -> Result<(u64, Hash), LogError> {
        self.put_full()?;
        let size = self.range.size();
        let storage = &mut *self.storage;
        self.tiles.partial(size, |tile: TileId, hashes: &[Hash]| {
            storage.write_file(&tile.path(), hashes.as_flattened())
        })?;
        if let Some((bundle, bytes)) = self.bundles.partial() {
            self.storage.write_file(&bundle.path(), bytes)?;
        }
        Ok((size, self.range.root()))
    }

    fn put_full(&mut self) -> Result<(), LogError> {
        let storage = &mut *self.storage;
        self.bundles.take_full(|bundle: BundleId, bytes: &[u8]| {
            storage.write_file(&bundle.path(), bytes)
        })?;
        Ok(self.tiles.take_full(self.range.size(), |tile: TileId, hashes: &[Hash]| {
            storage.write_file(&tile.path(), hashes.as_flattened())
        })?)
    }
}
