//! The RFC 6962 Merkle tree: hashes, a compact range to append to, and proofs.
//!
//! Source: RFC 6962 section 2.1 (tree, audit path, consistency proof); RFC 9162 section 2.1.3.2
//! and 2.1.4.2 (how to verify them).
//! Invariant: leaves and nodes are hashed under different prefixes, and a tree is split at the
//! largest power of two below its size, so no two histories share a root.

use sha2::block_api::compress256;
use sha2::{Digest, Sha256};

use crate::tile::TILE_WIDTH;

/// A SHA-256 value.
pub type Hash = [u8; 32];

/// The longest proof: a tree of `u64` size has at most 64 levels.
pub const PROOF_HASHES_MAX: usize = 65;

/// SHA-256(00 || entry).
#[inline]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    if entry.len() <= LEAF_TWO_BLOCKS_MAX {
        // The hot case in exactly one or two compressions, without a hasher's own buffer.
        let mut blocks = [0_u8; 128];
        blocks[0] = LEAF_PREFIX;
        blocks[1..=entry.len()].copy_from_slice(entry);
        return sha256_short(&mut blocks, entry.len() + 1);
    }
    let mut hasher = Sha256::new();
    hasher.update([LEAF_PREFIX]);
    hasher.update(entry);
    hasher.finalize().into()
}

/// SHA-256(01 || left || right).
#[inline]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut blocks = [0_u8; 128];
    blocks[0] = NODE_PREFIX;
    blocks[1..33].copy_from_slice(left);
    blocks[33..65].copy_from_slice(right);
    sha256_short(&mut blocks, 65)
}

/// The root of the tree without leaves: SHA-256 of nothing.
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// The roots of the perfect subtrees that make up a tree of `size` leaves, largest first.
///
/// It appends in constant space, so a writer and a verifier hash each entry once.
#[derive(Clone, Debug)]
pub struct CompactRange {
    size: u64,
    /// `peaks[..size.count_ones()]` are in use.
    peaks: [Hash; 64],
}

impl Default for CompactRange {
    fn default() -> Self {
        Self { size: 0, peaks: [[0; 32]; 64] }
    }
}

impl CompactRange {
    /// The empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// The tree of `size` leaves with these peaks, from the largest; `None` if it has others.
    pub fn from_peaks(size: u64, held: &[Hash]) -> Option<Self> {
        let mut peaks = [[0; 32]; 64];
        let fits = held.len() == size.count_ones() as usize;
        fits.then(|| {
            peaks[..held.len()].copy_from_slice(held);
            Self { size, peaks }
        })
    }

    /// The roots of the perfect subtrees, from the largest.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks[..self.size.count_ones() as usize]
    }

    /// Appends an entry and gives its leaf hash.
    #[inline]
    pub fn append(&mut self, entry: &[u8]) -> Hash {
        let leaf = leaf_hash(entry);
        self.append_leaf_hash(leaf);
        leaf
    }

    /// Appends a leaf of which only the hash is at hand.
    #[inline]
    pub fn append_leaf_hash(&mut self, leaf: Hash) {
        self.append_and_watch(leaf, u64::BITS);
    }

    /// Appends a leaf; gives the root of the tile that it fills, if any.
    #[inline]
    pub(crate) fn append_to_tile(&mut self, leaf: Hash) -> Option<Hash> {
        self.append_and_watch(leaf, TILE_HEIGHT)
    }

    /// Appends a leaf; gives the perfect subtree of this height that it completes.
    #[inline]
    fn append_and_watch(&mut self, leaf: Hash, height: u32) -> Option<Hash> {
        let mut hash = leaf;
        let mut top = self.size.count_ones() as usize;
        let mut watched = None;
        for level in 1..=self.size.trailing_ones() {
            top -= 1;
            hash = node_hash(&self.peaks[top], &hash);
            if level == height {
                watched = Some(hash);
            }
        }
        self.peaks[top] = hash;
        self.size += 1;
        watched
    }

    /// The root over everything appended.
    pub fn root(&self) -> Hash {
        let peaks = &self.peaks[..self.size.count_ones() as usize];
        let Some((last, rest)) = peaks.split_last() else { return empty_root() };
        rest.iter().rev().fold(*last, |right, left| node_hash(left, &right))
    }

    /// The root over everything appended, followed on the right by a subtree of this root.
    pub(crate) fn root_with(&self, right: Option<Hash>) -> Hash {
        let Some(right) = right else { return self.root() };
        let peaks = &self.peaks[..self.size.count_ones() as usize];
        peaks.iter().rev().fold(right, |right, left| node_hash(left, &right))
    }

    /// How many leaves were appended.
    pub fn size(&self) -> u64 {
        self.size
    }
}

/// Where the nodes of a tree come from: tiles, or a slice of leaf hashes.
pub trait NodeReader {
    /// The root of the perfect subtree of `2^level` leaves that starts at leaf
    /// `index * 2^level`, or `None` if it is not at hand.
    fn node(&self, level: u32, index: u64) -> Option<Hash>;
}

impl NodeReader for [Hash] {
    fn node(&self, level: u32, index: u64) -> Option<Hash> {
        let width = 1_usize.checked_shl(level)?;
        let start = usize::try_from(index).ok()?.checked_mul(width)?;
        fold_perfect(self.get(start..start.checked_add(width)?)?)
    }
}

/// The root of a perfect subtree from its leaves; `None` unless their number is a power of two.
pub fn fold_perfect(hashes: &[Hash]) -> Option<Hash> {
    if !hashes.len().is_power_of_two() {
        return None;
    }
    let mut range = CompactRange::new();
    for hash in hashes {
        range.append_leaf_hash(*hash);
    }
    Some(range.root())
}

/// Why a proof could not be built or does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The leaf is not in the tree.
    #[error("index {index} is not below the tree's size {size}")]
    Index {
        /// The leaf asked for.
        index: u64,
        /// The size of the tree.
        size: u64,
    },
    /// The sizes are not in order.
    #[error("old size {old} is above new size {new}")]
    Sizes {
        /// The smaller tree.
        old: u64,
        /// The larger tree.
        new: u64,
    },
    /// A node that the proof needs is not at hand.
    #[error("node at level {level}, index {index} is not at hand")]
    NodeMissing {
        /// Its level; 0 holds the leaves.
        level: u32,
        /// Its index at that level.
        index: u64,
    },
    /// The proof has too few or too many hashes for these sizes.
    #[error("the proof has {hashes} hashes, which is not what these sizes need")]
    Length {
        /// How many it has.
        hashes: usize,
    },
    /// The proof leads to another root.
    #[error("the proof leads to another root")]
    Root,
}

/// The hashes that lead from leaf `index` to the root of the first `size` leaves.
pub fn inclusion_proof<R: NodeReader + ?Sized>(
    reader: &R,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, ProofError> {
    if index >= size {
        return Err(ProofError::Index { index, size });
    }
    let mut path = Vec::new();
    let (mut low, mut high) = (0, size);
    while high - low > 1 {
        let middle = low + split(high - low);
        if index < middle {
            path.push(range_root(reader, middle, high)?);
            high = middle;
        } else {
            path.push(range_root(reader, low, middle)?);
            low = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The hashes that show the tree of `old` leaves to be a prefix of the tree of `new` leaves.
pub fn consistency_proof<R: NodeReader + ?Sized>(
    reader: &R,
    old: u64,
    new: u64,
) -> Result<Vec<Hash>, ProofError> {
    if old > new {
        return Err(ProofError::Sizes { old, new });
    }
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let mut path = Vec::new();
    let (mut low, mut high) = (0, new);
    // RFC 6962's SUBPROOF(m, D[n], b): `high == old` is its end; b says that the old tree is
    // itself this subtree, whose root the verifier knows.
    let mut whole = true;
    while high != old {
        let middle = low + split(high - low);
        if old <= middle {
            path.push(range_root(reader, middle, high)?);
            high = middle;
        } else {
            path.push(range_root(reader, low, middle)?);
            low = middle;
            whole = false;
        }
    }
    if !whole {
        path.push(range_root(reader, low, high)?);
    }
    path.reverse();
    Ok(path)
}

/// The root over the first `size` leaves of a tree whose nodes are at hand.
pub fn root_at<R: NodeReader + ?Sized>(reader: &R, size: u64) -> Result<Hash, ProofError> {
    if size == 0 { Ok(empty_root()) } else { range_root(reader, 0, size) }
}

/// Checks that `leaf` stands at `index` in the tree with this size and root.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::Index { index, size });
    }
    let (mut first, mut second) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in proof {
        if second == 0 {
            return Err(ProofError::Length { hashes: proof.len() });
        }
        if first & 1 == 1 || first == second {
            hash = node_hash(sibling, &hash);
            while first & 1 == 0 && first != 0 {
                first >>= 1;
                second >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        first >>= 1;
        second >>= 1;
    }
    if second != 0 {
        return Err(ProofError::Length { hashes: proof.len() });
    }
    if hash == *root { Ok(()) } else { Err(ProofError::Root) }
}

/// Checks that the tree of `old` leaves is a prefix of the tree of `new` leaves.
pub fn verify_consistency(
    old: u64,
    new: u64,
    old_root: &Hash,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::Sizes { old, new });
    }
    let wrong_length = ProofError::Length { hashes: proof.len() };
    if old == new || old == 0 {
        if !proof.is_empty() {
            return Err(wrong_length);
        }
        let same = old == 0 || old_root == new_root;
        return if same { Ok(()) } else { Err(ProofError::Root) };
    }
    // A perfect old tree is a node of the new one: its root opens the proof unsaid.
    let (seed, rest) = if old.is_power_of_two() {
        (old_root, proof)
    } else {
        proof.split_first().ok_or(wrong_length)?
    };
    let (mut first, mut second) = (old - 1, new - 1);
    while first & 1 == 1 {
        first >>= 1;
        second >>= 1;
    }
    let (mut old_hash, mut new_hash) = (*seed, *seed);
    for hash in rest {
        if second == 0 {
            return Err(wrong_length);
        }
        if first & 1 == 1 || first == second {
            old_hash = node_hash(hash, &old_hash);
            new_hash = node_hash(hash, &new_hash);
            while first & 1 == 0 && first != 0 {
                first >>= 1;
                second >>= 1;
            }
        } else {
            new_hash = node_hash(&new_hash, hash);
        }
        first >>= 1;
        second >>= 1;
    }
    if second != 0 {
        return Err(wrong_length);
    }
    if old_hash == *old_root && new_hash == *new_root { Ok(()) } else { Err(ProofError::Root) }
}

/// The largest power of two below `size`, for a size above 1.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// The root over leaves `low..high`, a range that a split of RFC 6962 gave.
fn range_root<R: NodeReader + ?Sized>(reader: &R, low: u64, high: u64) -> Result<Hash, ProofError> {
    // Perfect subtrees from the left, then folded from the right.
    let mut peaks = [[0; 32]; 64];
    let mut count = 0;
    let mut start = low;
    while start < high {
        let level = (high - start).ilog2();
        let index = start >> level;
        peaks[count] = reader.node(level, index).ok_or(ProofError::NodeMissing { level, index })?;
        count += 1;
        start += 1 << level;
    }
    let (last, rest) =
        peaks[..count].split_last().ok_or(ProofError::Sizes { old: low, new: high })?;
    Ok(rest.iter().rev().fold(*last, |right, left| node_hash(left, &right)))
}

/// SHA-256 of `blocks[..len]`, which leaves room for the padding: one or two compressions.
#[inline]
fn sha256_short(blocks: &mut [u8; 128], len: usize) -> Hash {
    debug_assert!(len <= LEAF_TWO_BLOCKS_MAX + 1);
    blocks[len] = 0x80;
    let end = if len < 56 { 64 } else { 128 };
    blocks[end - 8..end].copy_from_slice(&(len as u64 * 8).to_be_bytes());
    let mut state = SHA256_START;
    let (pair, _) = blocks[..end].as_chunks::<64>();
    compress256(&mut state, pair);
    let mut hash = [0; 32];
    for (bytes, word) in hash.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    hash
}

/// RFC 6962: the prefix of a leaf.
const LEAF_PREFIX: u8 = 0;
/// RFC 6962: the prefix of an inner node.
const NODE_PREFIX: u8 = 1;
/// Prefix, entry, the end mark and the length fill two blocks exactly: 1 + 118 + 9 = 128.
const LEAF_TWO_BLOCKS_MAX: usize = 118;
/// How far the root of a full tile stands above its leaves.
const TILE_HEIGHT: u32 = TILE_WIDTH.ilog2();
/// FIPS 180-4 section 5.3.3: the initial hash value.
const SHA256_START: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

#[cfg(test)]
mod tests;
