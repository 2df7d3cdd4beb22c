//! Tiles as files. A tile is derived from the entries: what is missing or torn is made again
//! when the log is opened.

use crate::merkle::Hash;
use crate::storage::{Storage, StorageError, TEMPORARY};
use crate::tile::TileId;

/// Puts a tile in place in one step, so that whoever reads a live log finds no part of one.
pub(crate) fn write_tile(
    storage: &mut impl Storage,
    tile: TileId,
    hashes: &[Hash],
) -> Result<(), StorageError> {
    let name = tile.path();
    let temporary = format!("{name}{TEMPORARY}");
    storage.create(&temporary)?;
    storage.write_at(&temporary, 0, hashes.as_flattened())?;
    storage.rename(&temporary, &name)
}

/// Writes a tile under its own name at once: cheaper by a rename, and torn if the process dies.
pub(crate) fn write_tile_directly(
    storage: &mut impl Storage,
    tile: TileId,
    hashes: &[Hash],
) -> Result<(), StorageError> {
    storage.write_file(&tile.path(), hashes.as_flattened())
}

/// How a stored tile compares with what it must be.
pub(crate) enum StoredTile {
    Equal,
    Missing,
    Differs,
}

pub(crate) fn stored_tile(
    storage: &impl Storage,
    tile: TileId,
    hashes: &[Hash],
) -> Result<StoredTile, StorageError> {
    let bytes = hashes.as_flattened();
    // One byte more than expected tells a file that is longer.
    let mut stored = vec![0; bytes.len() + 1];
    match storage.read_at(&tile.path(), 0, &mut stored) {
        Ok(count) if stored[..count] == *bytes => Ok(StoredTile::Equal),
        Ok(_) => Ok(StoredTile::Differs),
        Err(StorageError::Missing { .. }) => Ok(StoredTile::Missing),
        Err(other) => Err(other),
    }
}
