//! Tiles and entry bundles as files. Both are derived from the entries: what is missing or torn
//! is made again when the log is opened.

use crate::merkle::Hash;
use crate::storage::{Storage, StorageError, TEMPORARY};
use crate::tile::TileId;

/// Puts a tile in place in one step, so that whoever reads a live log finds no part of one.
pub(crate) fn write_tile(
    storage: &mut impl Storage,
    tile: TileId,
    hashes: &[Hash],
) -> Result<(), StorageError> {
    write_derived(storage, &tile.path(), hashes.as_flattened(), true)
}

/// Writes a derived file: in one step, or under its own name at once, which is cheaper by a
/// rename and leaves it torn if the process dies.
pub(crate) fn write_derived(
    storage: &mut impl Storage,
    name: &str,
    bytes: &[u8],
    in_one_step: bool,
) -> Result<(), StorageError> {
    if !in_one_step {
        return storage.write_file(name, bytes);
    }
    let temporary = format!("{name}{TEMPORARY}");
    storage.create(&temporary)?;
    storage.write_at(&temporary, 0, bytes)?;
    storage.rename(&temporary, name)
}

/// How a stored file compares with what it must be.
pub(crate) enum Stored {
    Equal,
    Missing,
    Differs,
}

pub(crate) fn stored_tile(
    storage: &impl Storage,
    tile: TileId,
    hashes: &[Hash],
) -> Result<Stored, StorageError> {
    stored_file(storage, &tile.path(), hashes.as_flattened())
}

pub(crate) fn stored_file(
    storage: &impl Storage,
    name: &str,
    bytes: &[u8],
) -> Result<Stored, StorageError> {
    // One byte more than expected tells a file that is longer.
    let mut stored = vec![0; bytes.len() + 1];
    match storage.read_at(name, 0, &mut stored) {
        Ok(count) if stored[..count] == *bytes => Ok(Stored::Equal),
        Ok(_) => Ok(Stored::Differs),
        Err(StorageError::Missing { .. }) => Ok(Stored::Missing),
        Err(other) => Err(other),
    }
}
