//! What a writer shows of its log: tiles, entry bundles, and the checkpoint over them.

use crate::error::LogError;
use crate::note::Checkpoint;
use crate::storage::{Storage, StorageError, replace_file};
use crate::tile_file::{Stored, stored_file, write_derived};
use crate::writer::{CHECKPOINT_FILE, Writer};

impl<S: Storage> Writer<S> {
    /// Writes what the durable size needs, signs it, and puts the checkpoint in place.
    pub(crate) fn publish(&mut self) -> Result<Checkpoint, LogError> {
        self.write_full_tiles()?;
        let mut partial = Vec::new();
        let (tiles, storage) = (&self.tiles, &mut self.storage);
        let (in_one_step, last) = (self.options.sync_tiles, &self.partial_tiles);
        tiles.partial(self.durable_size, |tile, hashes| {
            partial.push(tile);
            let known = last.contains(&tile);
            write_partial(storage, &tile.path(), hashes.as_flattened(), known, in_one_step)
        })?;
        let bundle = self.bundles.partial();
        if let Some((bundle, bytes)) = bundle {
            let known = self.partial_bundle == Some(bundle);
            write_partial(storage, &bundle.path(), bytes, known, in_one_step)?;
        }
        let bundle = bundle.map(|(id, _)| id);
        let checkpoint = Checkpoint {
            origin: self.origin().to_owned(),
            size: self.durable_size,
            root: self.durable_root,
        };
        let note = self.sign_checkpoint(&checkpoint)?;
        replace_file(&mut self.storage, CHECKPOINT_FILE, note.as_bytes())?;
        self.epochs.erase_below(self.durable_size)?;
        for old in std::mem::replace(&mut self.partial_tiles, partial) {
            if !self.partial_tiles.contains(&old) {
                self.storage.unlink(&old.path())?;
            }
        }
        let old = std::mem::replace(&mut self.partial_bundle, bundle);
        if let Some(old) = old.filter(|old| Some(*old) != bundle) {
            self.storage.unlink(&old.path())?;
        }
        self.checkpoint = Some(checkpoint.clone());
        Ok(checkpoint)
    }

    /// Whether tiles and bundles that are full have waited long enough for a checkpoint.
    pub(crate) fn backlog_is_full(&self) -> bool {
        self.tiles.backlog() >= TILE_BACKLOG_MAX
            || self.bundles.backlog_bytes() >= BUNDLE_BACKLOG_BYTES_MAX
    }

    /// Writes the tiles and bundles that are full at the durable size.
    pub(crate) fn write_full_tiles(&mut self) -> Result<(), LogError> {
        let in_one_step = self.options.sync_tiles;
        let storage = &mut self.storage;
        self.bundles.take_full(|bundle, bytes| {
            write_derived(storage, &bundle.path(), bytes, in_one_step)
        })?;
        Ok(self.tiles.take_full(self.durable_size, |tile, hashes| {
            write_derived(storage, &tile.path(), hashes.as_flattened(), in_one_step)
        })?)
    }
}

/// Writes a partial tile or bundle. One of the last checkpoint is not emptied: if it is still one,
/// it is unchanged.
fn write_partial(
    storage: &mut impl Storage,
    name: &str,
    bytes: &[u8],
    known: bool,
    in_one_step: bool,
) -> Result<(), StorageError> {
    if !in_one_step && known && matches!(stored_file(storage, name, bytes)?, Stored::Equal) {
        return Ok(());
    }
    write_derived(storage, name, bytes, in_one_step)
}

/// Leaf hashes that wait for tiles, between checkpoints: 8 MiB.
pub(crate) const TILE_BACKLOG_MAX: usize = 1 << 18;
/// Entries that wait for bundles, between checkpoints, unless few of them are longer than that.
const BUNDLE_BACKLOG_BYTES_MAX: usize = 16 << 20;
