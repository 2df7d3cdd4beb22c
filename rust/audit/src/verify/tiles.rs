//! Compares stored tiles with the tree over the entries, and finds out which of the two is right.
//!
//! Blame, as in the design note: if the entries give the signed root, a tile that differs is
//! wrong. If not, a tile that hashes up to the signed root through stored tiles is right, and
//! the leaf that differs from it names the entry. If neither holds, only the range is known.

use std::collections::BTreeMap;

use super::finding::{Finding, FindingKind, Findings, Stop, hex};
use crate::merkle::Hash;
use crate::note::Checkpoint;
use crate::storage::{FileStat, Storage};
use crate::tile::{
    TILE_BYTES, TILE_LEVELS, TILE_WIDTH, TileId, hashes_of, level_width, right_edge_root,
    right_edge_tile, tile_root, tiles_of_size,
};

/// Where a leaf's entry stands.
#[derive(Clone, Debug)]
pub(super) struct LeafPlace {
    pub(super) file: u32,
    pub(super) offset: u64,
}

/// A stored hash that is not the computed one.
#[derive(Clone, Debug)]
pub(super) struct Mismatch {
    pub(super) tile: TileId,
    /// Position within the tile.
    pub(super) position: usize,
    pub(super) stored: Hash,
    pub(super) computed: Hash,
    pub(super) leaf: Option<LeafPlace>,
}

impl Mismatch {
    /// The first leaf below the hash.
    pub(super) fn index(&self) -> u64 {
        self.tile.leaves().0 + ((self.position as u64) << (8 * u32::from(self.tile.level)))
    }
}

/// A level's tile that is being filled: `None` where entries are lost.
#[derive(Default)]
struct Filling {
    number: u64,
    hashes: Vec<Option<Hash>>,
    places: Vec<LeafPlace>,
}

/// The comparison, fed with leaf hashes in order.
pub(super) struct TileCheck<'s> {
    storage: &'s dyn Storage,
    /// Widths stored, by level and number; what is left at the end belongs to no tile of the log.
    stored: BTreeMap<(u8, u64), Vec<u16>>,
    levels: Vec<Filling>,
    pub(super) mismatches: Vec<Mismatch>,
    mismatches_max: usize,
    /// Tiles whose file has another length than its name says.
    wrong_length: Vec<(TileId, u64)>,
}

impl<'s> TileCheck<'s> {
    pub(super) fn new(storage: &'s dyn Storage, files: &[FileStat], mismatches_max: usize) -> Self {
        let mut stored: BTreeMap<(u8, u64), Vec<u16>> = BTreeMap::new();
        let mut wrong_length = Vec::new();
        for file in files {
            let Some(tile) = TileId::parse(&file.name) else { continue };
            stored.entry((tile.level, tile.number)).or_default().push(tile.width);
            if file.size_bytes != tile.size_bytes() as u64 {
                wrong_length.push((tile, file.size_bytes));
            }
        }
        let levels = (0..TILE_LEVELS).map(|_| Filling::default()).collect();
        Self { storage, stored, levels, mismatches: Vec::new(), mismatches_max, wrong_length }
    }

    /// The next leaf; `None` for an entry that could not be read. `root` is that of the tile which
    /// the leaf fills, where the tree over the entries has it already.
    pub(super) fn leaf(
        &mut self,
        hash: Option<Hash>,
        root: Option<Hash>,
        place: LeafPlace,
    ) -> Result<(), Stop> {
        let level = &mut self.levels[0];
        level.hashes.push(hash);
        level.places.push(place);
        if level.hashes.len() == TILE_WIDTH as usize { self.flush(0, root) } else { Ok(()) }
    }

    /// Compares the stored tiles at this place, and hands the root of a full tile up.
    fn flush(&mut self, level: usize, root: Option<Hash>) -> Result<(), Stop> {
        let filling = &mut self.levels[level];
        let (number, width) = (filling.number, filling.hashes.len());
        let hashes = std::mem::take(&mut filling.hashes);
        let places = std::mem::take(&mut filling.places);
        let widths = self.stored.remove(&(level as u8, number)).unwrap_or_default();
        let (within, beyond): (Vec<u16>, Vec<u16>) =
            widths.into_iter().partition(|w| usize::from(*w) <= width);
        if !beyond.is_empty() {
            self.stored.insert((level as u8, number), beyond);
        }
        for stored_width in within {
            let tile = TileId { level: level as u8, number, width: stored_width };
            let Some(stored) = self.read(tile)? else { continue };
            for (position, (stored, computed)) in stored.iter().zip(&hashes).enumerate() {
                if let Some(computed) = computed
                    && stored != computed
                    && self.mismatches.len() < self.mismatches_max
                {
                    let leaf = places.get(position).cloned();
                    let (stored, computed) = (*stored, *computed);
                    self.mismatches.push(Mismatch { tile, position, stored, computed, leaf });
                }
            }
        }
        if width < TILE_WIDTH as usize {
            return Ok(());
        }
        self.levels[level].number = number + 1;
        let Some(next) = self.levels.get_mut(level + 1) else { return Ok(()) };
        next.hashes.push(root.or_else(|| {
            let whole: Option<Vec<Hash>> = hashes.into_iter().collect();
            whole.and_then(|hashes| tile_root(&hashes))
        }));
        if next.hashes.len() == TILE_WIDTH as usize { self.flush(level + 1, None) } else { Ok(()) }
    }

    /// The log has ended. Compares the right edge, and then the set of files with `signed_size`.
    pub(super) fn finish(
        &mut self,
        signed_size: u64,
        clean: bool,
        files: &[FileStat],
        findings: &mut Findings,
        notes: &mut Vec<String>,
    ) -> Result<(), Stop> {
        for level in 0..usize::from(TILE_LEVELS) {
            if !self.levels[level].hashes.is_empty() {
                self.flush(level, None)?;
            }
        }
        for (tile, size_bytes) in std::mem::take(&mut self.wrong_length) {
            if !clean && size_bytes < tile.size_bytes() as u64 && !is_of_size(tile, signed_size) {
                // A crash may tear a tile that nothing signed needs; opening makes it again.
                notes.push(format!("`{}` is torn", tile.path()));
                continue;
            }
            let (first, leaves) = tile.leaves();
            findings.push(
                Finding::new(FindingKind::TileChanged, &tile.path())
                    .at(size_bytes.min(tile.size_bytes() as u64))
                    .range(first, first.saturating_add(leaves))
                    .says(format!("{} bytes", tile.size_bytes()), size_bytes),
            )?;
        }
        for ((level, number), widths) in std::mem::take(&mut self.stored) {
            for width in widths {
                let tile = TileId { level, number, width };
                findings.push(
                    Finding::new(FindingKind::Rollback, &tile.path())
                        .index(tile.leaves().0)
                        .says("entries below every tile", "none")
                        .by("a tile is written only over durable entries"),
                )?;
            }
        }
        let there = |tile: &TileId| {
            let path = tile.path();
            files.binary_search_by(|f| f.name.as_str().cmp(&path)).is_ok()
        };
        for tile in tiles_of_size(signed_size) {
            // A live log may just have put a wider tile in the place of this one.
            let wider = || (tile.width + 1..=256).any(|width| there(&TileId { width, ..tile }));
            if !there(&tile) && (clean || !wider()) {
                let (first, leaves) = tile.leaves();
                findings.push(
                    Finding::new(FindingKind::TileMissing, &tile.path())
                        .range(first, first.saturating_add(leaves))
                        .says("a tile of the signed size", "none"),
                )?;
            }
        }
        for file in files {
            let Some(tile) = TileId::parse(&file.name) else { continue };
            if is_of_size(tile, signed_size) {
                continue;
            }
            findings.beyond_signed("tile", &file.name, clean, notes)?;
        }
        Ok(())
    }

    fn read(&self, tile: TileId) -> Result<Option<Vec<Hash>>, Stop> {
        read_tile(self.storage, tile)
    }
}

/// Whether a log of this size has this tile.
fn is_of_size(tile: TileId, size: u64) -> bool {
    if u64::from(tile.width) == TILE_WIDTH {
        tile.number < level_width(size, tile.level) / TILE_WIDTH
    } else {
        right_edge_tile(size, tile.level) == Some(tile)
    }
}

/// A stored tile's hashes; `None` if it is not there, or has another length than its name says.
pub(super) fn read_tile(storage: &dyn Storage, tile: TileId) -> Result<Option<Vec<Hash>>, Stop> {
    // One byte more than a full tile tells a file that is longer.
    let mut bytes = [0; TILE_BYTES + 1];
    let count = match storage.read_at(&tile.path(), 0, &mut bytes) {
        Err(crate::storage::StorageError::Missing { .. }) => return Ok(None),
        other => other?,
    };
    let hashes = (count == tile.size_bytes()).then(|| hashes_of(&bytes[..count])).flatten();
    Ok(hashes.map(<[Hash]>::to_vec))
}

/// The root of the stored right edge, if its tiles are all there.
pub(super) fn stored_root(storage: &dyn Storage, size: u64) -> Result<Option<Hash>, Stop> {
    let mut edge = BTreeMap::new();
    for level in 0..TILE_LEVELS {
        if let Some(tile) = right_edge_tile(size, level)
            && let Some(hashes) = read_tile(storage, tile)?
        {
            edge.insert(tile, hashes);
        }
    }
    Ok(right_edge_root(size, |tile| edge.get(&tile).map(Vec::as_slice)))
}

/// Which stored tiles hash up to a signed root.
pub(super) struct Authentic<'s> {
    storage: &'s dyn Storage,
    size: u64,
    /// Whether the right edge hashes to the signed root.
    edge: bool,
    known: BTreeMap<(u8, u64), bool>,
}

impl<'s> Authentic<'s> {
    pub(super) fn new(storage: &'s dyn Storage, signed: Option<&Checkpoint>) -> Result<Self, Stop> {
        let size = signed.map_or(0, |s| s.size);
        let edge = match signed {
            Some(signed) => stored_root(storage, size)? == Some(signed.root),
            None => false,
        };
        Ok(Self { storage, size, edge, known: BTreeMap::new() })
    }

    /// Whether the tile at this place, as wide as the signed size has it, is authentic.
    fn holds(&mut self, level: u8, number: u64) -> Result<bool, Stop> {
        let Some(width) = level_width(self.size, level).checked_sub(number * TILE_WIDTH) else {
            return Ok(false);
        };
        if width < TILE_WIDTH {
            // All partial tiles together give the root: they stand or fall together.
            return Ok(self.edge && width > 0);
        }
        if let Some(known) = self.known.get(&(level, number)) {
            return Ok(*known);
        }
        let above = (level + 1, number / TILE_WIDTH);
        let mut holds = false;
        if above.0 < TILE_LEVELS && self.holds(above.0, above.1)? {
            let width = level_width(self.size, above.0) - above.1 * TILE_WIDTH;
            let width = width.min(TILE_WIDTH) as u16;
            let parent =
                read_tile(self.storage, TileId { level: above.0, number: above.1, width })?;
            let own = read_tile(self.storage, TileId { level, number, width: 256 })?;
            let stated = parent.as_ref().and_then(|p| p.get((number % TILE_WIDTH) as usize));
            holds = stated.is_some() && own.and_then(|own| tile_root(&own)).as_ref() == stated;
        }
        self.known.insert((level, number), holds);
        Ok(holds)
    }

    /// Explains mismatches, in index order. `entries_right` tells whether the entries below an
    /// index are those signed; `file_name` names a segment.
    pub(super) fn blame(
        &mut self,
        mut mismatches: Vec<Mismatch>,
        entries_right: impl Fn(u64) -> bool,
        file_name: impl Fn(u32) -> String,
        findings: &mut Findings,
    ) -> Result<(), Stop> {
        mismatches.sort_by_key(|m| (m.tile.level, m.tile.number, m.position, m.tile.width));
        let mut ranges_told = Vec::new();
        let mut changed: Vec<u64> = Vec::new();
        for mismatch in mismatches {
            let index = mismatch.index();
            let path = mismatch.tile.path();
            let at = mismatch.position as u64 * 32;
            let says = (hex(&mismatch.stored), hex(&mismatch.computed));
            if entries_right(index) {
                findings.push(
                    Finding::new(FindingKind::TileChanged, &path)
                        .at(at)
                        .index(index)
                        .says(says.1, says.0)
                        .by("the entries give the signed root"),
                )?;
                continue;
            }
            let (first, leaves) = mismatch.tile.leaves();
            let Some(leaf) = mismatch.leaf else {
                // A changed leaf changes every hash above it: only what no leaf explains is told.
                let width = 1_u64 << (8 * u32::from(mismatch.tile.level));
                let explained = changed.iter().any(|c| (index..index + width).contains(c));
                if !explained {
                    findings.push(
                        Finding::new(FindingKind::TileChanged, &path)
                            .at(at)
                            .range(index, index + width)
                            .says(says.1, says.0),
                    )?;
                }
                continue;
            };
            let file = file_name(leaf.file);
            if self.holds(mismatch.tile.level, mismatch.tile.number)? {
                if changed.last() == Some(&index) {
                    continue;
                }
                changed.push(index);
                findings.push(
                    Finding::new(FindingKind::EntryChanged, &file)
                        .at(leaf.offset)
                        .index(index)
                        .says(format!("leaf {}", says.0), format!("leaf {}", says.1))
                        .by(format!("`{path}` under the signed root of {}", self.size)),
                )?;
            } else if !ranges_told.contains(&first) {
                ranges_told.push(first);
                changed.extend(first..first.saturating_add(leaves));
                findings.push(
                    Finding::new(FindingKind::RangeChanged, &file)
                        .at(leaf.offset)
                        .range(first, first.saturating_add(leaves))
                        .says("entries and tile that agree", format!("both differ, see `{path}`"))
                        .by(format!("neither hashes up to the signed root of {}", self.size)),
                )?;
            }
        }
        Ok(())
    }
}
