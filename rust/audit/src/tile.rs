//! Hash tiles: which there are for a size, what they are called, how they are built.
//!
//! Source: C2SP tlog-tiles. A tile at level L, number N holds up to 256 hashes: leaf hashes at
//! level 0, above it the roots of full tiles of the level below.
//! Invariant: the set of tiles is a function of the size; each tile is full or stands at the
//! right edge.

use crate::merkle::{CompactRange, Hash, NodeReader, fold_perfect};

/// Hashes in a full tile.
pub const TILE_WIDTH: u64 = 256;
/// Bytes of a full tile.
pub const TILE_BYTES: usize = 256 * 32;
/// Levels of tiles that a `u64` size can need.
pub const TILE_LEVELS: u8 = 8;
/// Where the tiles stand.
pub const TILE_DIRECTORY: &str = "tile/";

/// A tile's place. `width` is 256 for a full tile, 1 to 255 for a partial one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TileId {
    /// 0 holds leaf hashes.
    pub level: u8,
    /// The number within the level.
    pub number: u64,
    /// How many hashes it holds.
    pub width: u16,
}

impl TileId {
    /// The file's name below the log's directory.
    pub fn path(&self) -> String {
        format!("{TILE_DIRECTORY}{}/{}", self.level, place_text(self.number, self.width))
    }

    /// The tile that this file name names, if it is the name that [`TileId::path`] gives.
    pub fn parse(path: &str) -> Option<Self> {
        let (level, rest) = path.strip_prefix(TILE_DIRECTORY)?.split_once('/')?;
        let (number, width) = parse_place(rest)?;
        let tile = Self { level: level.parse().ok()?, number, width };
        (tile.level < TILE_LEVELS && tile.path() == path).then_some(tile)
    }

    /// The first leaf below this tile, and the number of leaves.
    pub fn leaves(&self) -> (u64, u64) {
        let shift = u32::from(self.level) * 8;
        let first = self.number.saturating_mul(TILE_WIDTH).saturating_mul(1 << shift);
        (first, u64::from(self.width) << shift)
    }

    /// How many bytes the file has.
    pub fn size_bytes(&self) -> usize {
        usize::from(self.width) * 32
    }
}

/// Number and width as C2SP writes them: digits by three, all groups but the last behind an `x`.
pub(crate) fn place_text(number: u64, width: u16) -> String {
    let mut groups = vec![format!("{:03}", number % 1000)];
    let mut rest = number / 1000;
    while rest > 0 {
        groups.push(format!("x{:03}", rest % 1000));
        rest /= 1000;
    }
    groups.reverse();
    let partial =
        if u64::from(width) == TILE_WIDTH { String::new() } else { format!(".p/{width}") };
    groups.join("/") + &partial
}

/// What [`place_text`] wrote; the caller compares, so that one spelling is accepted.
pub(crate) fn parse_place(text: &str) -> Option<(u64, u16)> {
    let (number, width) = match text.split_once(".p/") {
        None => (text, 256),
        Some((number, width)) => (number, width.parse().ok()?),
    };
    let mut value: u64 = 0;
    for group in number.split('/') {
        let digits: u64 = group.strip_prefix('x').unwrap_or(group).parse().ok()?;
        value = value.checked_mul(1000)?.checked_add(digits)?;
    }
    (1..=256).contains(&width).then_some((value, width))
}

/// How many hashes a level of tiles holds for a log of this size.
pub fn level_width(size: u64, level: u8) -> u64 {
    size.checked_shr(u32::from(level) * 8).unwrap_or(0)
}

/// Every tile of a log of this size, by level and number.
pub fn tiles_of_size(size: u64) -> impl Iterator<Item = TileId> {
    (0..TILE_LEVELS).flat_map(move |level| {
        let width = level_width(size, level);
        let full = (0..width / TILE_WIDTH).map(move |number| TileId { level, number, width: 256 });
        full.chain(right_edge_tile(size, level))
    })
}

/// The partial tile of a level, if the size has one.
pub fn right_edge_tile(size: u64, level: u8) -> Option<TileId> {
    let width = level_width(size, level);
    let partial = (width % TILE_WIDTH) as u16;
    (partial > 0).then_some(TileId { level, number: width / TILE_WIDTH, width: partial })
}

/// The root of a full tile: a hash of the level above.
pub fn tile_root(hashes: &[Hash]) -> Option<Hash> {
    if hashes.len() == TILE_WIDTH as usize { fold_perfect(hashes) } else { None }
}

/// Cuts a stream of leaf hashes into tiles.
///
/// It keeps the hashes of tiles that are not yet full and written, so its memory is bounded by
/// how often [`TileBuilder::take_full`] is called.
#[derive(Debug, Default)]
pub struct TileBuilder {
    levels: Vec<TileLevel>,
}

#[derive(Debug, Default)]
struct TileLevel {
    /// Number of the tile that `hashes` starts with.
    number: u64,
    hashes: Vec<Hash>,
}

impl TileBuilder {
    /// An empty builder.
    pub fn new() -> Self {
        let levels = (0..TILE_LEVELS).map(|_| TileLevel::default()).collect();
        Self { levels }
    }

    /// Appends a leaf hash.
    #[inline]
    pub fn append(&mut self, leaf: Hash) {
        self.append_with_root(leaf, None);
    }

    /// Appends a leaf hash, and with the last leaf of a tile the tile's root, if a compact range
    /// has hashed it already. The roots of a builder come all or none in this way.
    #[inline]
    pub(crate) fn append_with_root(&mut self, leaf: Hash, tile_root: Option<Hash>) {
        let [leaves, roots, ..] = self.levels.as_mut_slice() else { return };
        leaves.hashes.push(leaf);
        if let Some(root) = tile_root {
            roots.hashes.push(root);
        }
    }

    /// Leaf hashes that wait for their tile.
    pub fn backlog(&self) -> usize {
        self.levels.first().map_or(0, |level| level.hashes.len())
    }

    /// Gives every tile that is full at `size` to `sink`, bottom up, and forgets its hashes.
    pub fn take_full<E>(
        &mut self,
        size: u64,
        mut sink: impl FnMut(TileId, &[Hash]) -> Result<(), E>,
    ) -> Result<(), E> {
        for index in 0..self.levels.len() {
            let (below, above) = self.levels.split_at_mut(index + 1);
            let level = &mut below[index];
            let wanted = level_width(size, index as u8) / TILE_WIDTH;
            let ready = wanted.saturating_sub(level.number) as usize;
            let ready = ready.min(level.hashes.len() / TILE_WIDTH as usize);
            for tile in level.hashes.chunks_exact(TILE_WIDTH as usize).take(ready) {
                sink(TileId { level: index as u8, number: level.number, width: 256 }, tile)?;
                if let Some(next) = above.first_mut()
                    && next.number * TILE_WIDTH + next.hashes.len() as u64 <= level.number
                    && let Some(root) = tile_root(tile)
                {
                    next.hashes.push(root);
                }
                level.number += 1;
            }
            level.hashes.drain(..ready * TILE_WIDTH as usize);
        }
        Ok(())
    }

    /// Gives every partial tile of `size` to `sink`. Call [`TileBuilder::take_full`] first.
    pub fn partial<E>(
        &self,
        size: u64,
        mut sink: impl FnMut(TileId, &[Hash]) -> Result<(), E>,
    ) -> Result<(), E> {
        for (index, level) in self.levels.iter().enumerate() {
            if let Some(tile) = right_edge_tile(size, index as u8)
                && let Some(hashes) = level.hashes.get(..usize::from(tile.width))
            {
                sink(tile, hashes)?;
            }
        }
        Ok(())
    }
}

/// Reads tree nodes out of tiles, for proofs: any node is a fold of a tile's hashes.
pub struct TileReader<F> {
    size: u64,
    tile: F,
}

impl<F: Fn(TileId) -> Option<Vec<Hash>>> TileReader<F> {
    /// A reader over the tiles of a log of this size; `tile` fetches one.
    pub fn new(size: u64, tile: F) -> Self {
        Self { size, tile }
    }
}

impl<F: Fn(TileId) -> Option<Vec<Hash>>> NodeReader for TileReader<F> {
    fn node(&self, level: u32, index: u64) -> Option<Hash> {
        let tile_level = u8::try_from(level / 8).ok().filter(|l| *l < TILE_LEVELS)?;
        let within = level % 8;
        let first = index.checked_shl(within).filter(|first| first >> within == index)?;
        let number = first / TILE_WIDTH;
        let width = level_width(self.size, tile_level).checked_sub(number * TILE_WIDTH)?;
        let width = width.min(TILE_WIDTH) as u16;
        let hashes = (self.tile)(TileId { level: tile_level, number, width })?;
        let start = (first % TILE_WIDTH) as usize;
        fold_perfect(hashes.get(start..start + (1 << within))?)
    }
}

/// The root of a log from its right edge alone: the hashes of its partial tiles, lowest first.
/// `None` if a width is not what the size needs.
pub fn right_edge_root<'a>(
    size: u64,
    partial: impl Fn(TileId) -> Option<&'a [Hash]>,
) -> Option<Hash> {
    let mut root: Option<Hash> = None;
    for level in 0..TILE_LEVELS {
        let Some(tile) = right_edge_tile(size, level) else { continue };
        let hashes = partial(tile).filter(|h| h.len() == usize::from(tile.width))?;
        let mut range = CompactRange::new();
        for hash in hashes {
            range.append_leaf_hash(*hash);
        }
        // All peaks of a level lie left of those of the levels below.
        root = Some(range.root_with(root));
    }
    Some(root.unwrap_or_else(crate::merkle::empty_root))
}

/// The hashes in a tile file; `None` if its length is no multiple of a hash.
pub fn hashes_of(bytes: &[u8]) -> Option<&[Hash]> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    rest.is_empty().then_some(hashes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::merkle::{
        consistency_proof, inclusion_proof, leaf_hash, verify_consistency, verify_inclusion,
    };

    #[test]
    fn paths_are_canonical() {
        let tile = TileId { level: 0, number: 1_234_067, width: 256 };
        assert_eq!(tile.path(), "tile/0/x001/x234/067");
        let partial = TileId { level: 2, number: 0, width: 7 };
        assert_eq!(partial.path(), "tile/2/000.p/7");
        for tile in [tile, partial, TileId { level: 1, number: 1000, width: 1 }] {
            assert_eq!(TileId::parse(&tile.path()), Some(tile));
        }
        for bad in [
            "tile/0/0",
            "tile/0/x000/001",
            "tile/0/000.p/256",
            "tile/0/000.p/0",
            "tile/8/000",
            "tile/0/000.p/01",
            "tile/00/000",
            "tile/0/1000",
            "tile/0/001/234",
            "tile/0/",
            "tile/",
            "tile/0/+01",
            "tile/0/000.p/",
            "tile/0/x18446744073709551/x999/999",
        ] {
            assert_eq!(TileId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_size_names_its_tiles() {
        let of =
            |size| tiles_of_size(size).map(|t| (t.level, t.number, t.width)).collect::<Vec<_>>();
        assert_eq!(of(0), []);
        assert_eq!(of(255), [(0, 0, 255)]);
        assert_eq!(of(256), [(0, 0, 256), (1, 0, 1)]);
        assert_eq!(of(257), [(0, 0, 256), (0, 1, 1), (1, 0, 1)]);
        let tiles = of(70_000);
        assert_eq!(tiles.len(), 274 + 2 + 1);
        assert_eq!(tiles[273], (0, 273, 112));
        assert_eq!(tiles[275..], [(1, 1, 17), (2, 0, 1)]);
    }

    #[test]
    fn built_tiles_are_the_set_and_prove_every_leaf() {
        let sizes = [1_u64, 2, 255, 256, 257, 600, 65_535, 65_536, 65_537, 66_000];
        for (size, roots_given) in sizes.into_iter().flat_map(|s| [(s, false), (s, true)]) {
            let mut builder = TileBuilder::new();
            let mut range = CompactRange::new();
            let mut tiles = BTreeMap::new();
            for index in 0..size {
                let leaf = crate::merkle::leaf_hash(&index.to_le_bytes());
                let tile_root = range.append_to_tile(leaf);
                let filled = (index + 1).is_multiple_of(TILE_WIDTH);
                assert_eq!(tile_root.is_some(), filled, "leaf {index}");
                if roots_given {
                    builder.append_with_root(leaf, tile_root);
                } else {
                    builder.append(leaf);
                }
                if index % 7_001 == 0 {
                    let keep = |t: TileId, h: &[Hash]| {
                        tiles.insert(t, h.to_vec());
                        Ok::<(), ()>(())
                    };
                    builder.take_full(index + 1, keep).unwrap();
                }
            }
            let mut keep = |t: TileId, h: &[Hash]| {
                tiles.insert(t, h.to_vec());
                Ok::<(), ()>(())
            };
            builder.take_full(size, &mut keep).unwrap();
            builder.partial(size, &mut keep).unwrap();
            assert!(builder.backlog() < 256);
            assert_eq!(
                tiles.keys().copied().collect::<Vec<_>>(),
                tiles_of_size(size).collect::<Vec<_>>()
            );
            let root = range.root();
            let edge = right_edge_root(size, |t| tiles.get(&t).map(Vec::as_slice));
            assert_eq!(edge, Some(root), "size {size}");
            let reader = TileReader::new(size, |t| tiles.get(&t).cloned());
            for index in [0, size / 3, size / 2, size - 1] {
                let proof = inclusion_proof(&reader, index, size).unwrap();
                let leaf = leaf_hash(&index.to_le_bytes());
                verify_inclusion(&leaf, index, size, &root, &proof).unwrap();
                let old = index + 1;
                let mut old_range = CompactRange::new();
                for i in 0..old {
                    old_range.append(&i.to_le_bytes());
                }
                let proof = consistency_proof(&reader, old, size).unwrap();
                verify_consistency(old, size, &old_range.root(), &root, &proof).unwrap();
            }
        }
    }
}
