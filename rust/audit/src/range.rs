//! Proof that a run of leaves is in a tree whole and in order: nothing left out, nothing between.
//!
//! A range `first..end` of a tree of `size` leaves, the roots of the perfect subtrees left and
//! right of it, and the leaves fold to the RFC 6962 root in one way. So whoever has the two edges
//! (at most 128 hashes) and the signed root checks any number of leaves at one hash each. The roots
//! of the range's own small subtrees are redundant: they fold to the root as well, and tell which
//! leaves are wrong when the leaves do not.

use crate::merkle::{Hash, NodeReader, ProofError, empty_root, fold_perfect, leaf_hash, node_hash};

/// Height of the largest subtree in [`RangeProof::subtrees`]: 256 leaves, a tile's.
pub const SUBTREE_LEVEL_MAX: u32 = 8;

/// The perfect subtrees, as (level, index), that make up the leaves `first..end`, from the left;
/// none is higher than `level_max`.
pub fn spans(first: u64, end: u64, level_max: u32) -> impl Iterator<Item = (u32, u64)> {
    let mut at = first;
    std::iter::from_fn(move || {
        let left = end.checked_sub(at).filter(|left| *left > 0)?;
        let level = left.ilog2().min(at.trailing_zeros()).min(level_max);
        let span = (level, at >> level);
        at += 1 << level;
        Some(span)
    })
}

/// The hashes around and over a range of leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeProof {
    /// The first leaf.
    pub first: u64,
    /// Behind the last leaf.
    pub end: u64,
    /// Size of the tree.
    pub size: u64,
    /// Roots of `spans(0, first, 63)`.
    pub left: Vec<Hash>,
    /// Roots of `spans(first, end, SUBTREE_LEVEL_MAX)`.
    pub subtrees: Vec<Hash>,
    /// Roots of `spans(end, size, 63)`.
    pub right: Vec<Hash>,
}

/// Builds the proof of `first..end` in the tree of `size` leaves.
///
/// # Errors
/// The range is not in the tree, or a node is not at hand.
pub fn range_proof<R: NodeReader + ?Sized>(
    reader: &R,
    first: u64,
    end: u64,
    size: u64,
) -> Result<RangeProof, ProofError> {
    if first > end {
        return Err(ProofError::Sizes { old: first, new: end });
    }
    if end > size {
        return Err(ProofError::Sizes { old: end, new: size });
    }
    let nodes = |first, end, level_max| -> Result<Vec<Hash>, ProofError> {
        let node = |(level, index)| {
            reader.node(level, index).ok_or(ProofError::NodeMissing { level, index })
        };
        spans(first, end, level_max).map(node).collect()
    };
    Ok(RangeProof {
        first,
        end,
        size,
        left: nodes(0, first, u64::BITS)?,
        subtrees: nodes(first, end, SUBTREE_LEVEL_MAX)?,
        right: nodes(end, size, u64::BITS)?,
    })
}

impl RangeProof {
    /// The root to which the hashes lead.
    ///
    /// # Errors
    /// The numbers are not in order, or a list has not the length that they need.
    pub fn root(&self) -> Result<Hash, ProofError> {
        if self.first > self.end || self.end > self.size {
            return Err(ProofError::Sizes { old: self.first.max(self.end), new: self.size });
        }
        let mut peaks: Vec<(u32, Hash)> = Vec::new();
        for (part, first, end, level_max) in [
            (&self.left, 0, self.first, u64::BITS),
            (&self.subtrees, self.first, self.end, SUBTREE_LEVEL_MAX),
            (&self.right, self.end, self.size, u64::BITS),
        ] {
            let mut hashes = part.iter();
            for (mut level, _) in spans(first, end, level_max) {
                let wrong = ProofError::Length { hashes: part.len() };
                let mut hash = *hashes.next().ok_or(wrong)?;
                // Two neighbours of one level are siblings: the spans leave no gap.
                while let Some((_, left)) = peaks.pop_if(|(height, _)| *height == level) {
                    hash = node_hash(&left, &hash);
                    level += 1;
                }
                peaks.push((level, hash));
            }
            if hashes.next().is_some() {
                return Err(ProofError::Length { hashes: part.len() });
            }
        }
        let Some((_, last)) = peaks.pop() else { return Ok(empty_root()) };
        Ok(peaks.iter().rev().fold(last, |right, (_, left)| node_hash(left, &right)))
    }
}

/// What is wrong with rows that should be the leaves of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowFault {
    /// The entry is not the leaf that the root covers; the leaf hash beside it is.
    EntryChanged(u64),
    /// The leaf hash beside the entry is another; the entry is right.
    LeafHashChanged(u64),
    /// One of these leaves, `first..=last`, is another; which one, nothing tells.
    RangeChanged(u64, u64),
}

/// Compares rows, an entry and its leaf hash each, with a proof whose root is the signed one.
#[derive(Debug)]
pub struct RangeFold {
    end: u64,
    next: u64,
    /// Of the subtree that is being filled: computed and given leaf hashes.
    computed: Vec<Hash>,
    given: Vec<Hash>,
    subtrees: std::vec::IntoIter<Hash>,
}

impl RangeFold {
    /// For the rows of this proof.
    pub fn new(proof: &RangeProof) -> Self {
        Self {
            end: proof.end,
            next: proof.first,
            computed: Vec::new(),
            given: Vec::new(),
            subtrees: proof.subtrees.clone().into_iter(),
        }
    }

    /// The index that the next row must have.
    pub fn next_index(&self) -> u64 {
        self.next
    }

    /// Whether every row of the range was taken.
    pub fn is_complete(&self) -> bool {
        self.next == self.end
    }

    /// Takes the next row; gives to `sink` what is wrong with a subtree once it is full. Rows
    /// behind the range are not taken: `false`.
    pub fn row(&mut self, entry: &[u8], given: Hash, sink: &mut impl FnMut(RowFault)) -> bool {
        if self.next >= self.end {
            return false;
        }
        let start = self.next - self.computed.len() as u64;
        self.computed.push(leaf_hash(entry));
        self.given.push(given);
        self.next += 1;
        let width = spans(start, self.end, SUBTREE_LEVEL_MAX).next().map_or(0, |(l, _)| 1 << l);
        if self.computed.len() == width {
            let expected = self.subtrees.next();
            let entries_right = fold_perfect(&self.computed) == expected;
            let hashes_right = entries_right || fold_perfect(&self.given) == expected;
            let mut named = false;
            for (index, (ours, theirs)) in
                (start..).zip(self.computed.drain(..).zip(self.given.drain(..)))
            {
                if ours != theirs {
                    named = true;
                    sink(if entries_right {
                        RowFault::LeafHashChanged(index)
                    } else {
                        RowFault::EntryChanged(index)
                    });
                }
            }
            if !hashes_right && !named {
                sink(RowFault::RangeChanged(start, self.next - 1));
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{CompactRange, root_at};
    use proptest::prelude::*;

    fn entries(count: u64) -> (Vec<Vec<u8>>, Vec<Hash>) {
        let entries: Vec<Vec<u8>> = (0..count).map(|i| i.to_le_bytes().to_vec()).collect();
        let leaves = entries.iter().map(|entry| leaf_hash(entry)).collect();
        (entries, leaves)
    }

    fn faults(proof: &RangeProof, rows: &[(Vec<u8>, Hash)]) -> (Vec<RowFault>, bool) {
        let mut fold = RangeFold::new(proof);
        let mut found = Vec::new();
        let taken = rows.iter().all(|(entry, hash)| fold.row(entry, *hash, &mut |f| found.push(f)));
        (found, taken && fold.is_complete())
    }

    proptest! {
        #[test]
        fn every_range_of_every_tree_leads_to_its_root(
            (size, first, end) in (0..1_500_u64).prop_flat_map(|size| {
                (Just(size), 0..=size).prop_flat_map(|(size, first)| {
                    (Just(size), Just(first), first..=size)
                })
            }),
            bit in 0..256_usize, at in any::<prop::sample::Index>(),
        ) {
            let (entries, leaves) = entries(size);
            let mut tree = CompactRange::new();
            for leaf in &leaves {
                tree.append_leaf_hash(*leaf);
            }
            let proof = range_proof(leaves.as_slice(), first, end, size).unwrap();
            prop_assert_eq!(proof.root(), Ok(tree.root()));
            prop_assert_eq!(proof.root().ok(), root_at(leaves.as_slice(), size).ok());
            let range = first as usize..end as usize;
            let mut rows: Vec<(Vec<u8>, Hash)> =
                range.map(|i| (entries[i].clone(), leaves[i])).collect();
            prop_assert_eq!(faults(&proof, &rows), (vec![], true));
            // One bit of a row: the row is named, and which of its two columns it was.
            if !rows.is_empty() {
                let row = at.index(rows.len());
                rows[row].0[bit / 32] ^= 1 << (bit % 8);
                let changed = RowFault::EntryChanged(first + row as u64);
                prop_assert_eq!(faults(&proof, &rows), (vec![changed], true));
                rows[row].0[bit / 32] ^= 1 << (bit % 8);
                rows[row].1[bit / 8] ^= 1 << (bit % 8);
                let changed = RowFault::LeafHashChanged(first + row as u64);
                prop_assert_eq!(faults(&proof, &rows), (vec![changed], true));
                // Entry and hash alike: the smallest subtree around it.
                rows[row] = (vec![1], leaf_hash(&[1]));
                let (found, whole) = faults(&proof, &rows);
                prop_assert!(whole);
                let [RowFault::RangeChanged(low, high)] = found[..] else { panic!("{found:?}") };
                prop_assert!((low..=high).contains(&(first + row as u64)) && high - low < 256);
            }
            // One hash of the proof, or one too many or too few.
            let mut lists = [proof.left.clone(), proof.subtrees.clone(), proof.right.clone()];
            let list = at.index(3);
            let rebuilt = |lists: &[Vec<Hash>; 3]| {
                let [left, subtrees, right] = lists.clone();
                RangeProof { left, subtrees, right, ..proof.clone() }.root()
            };
            if let Some(hash) = lists[list].first_mut() {
                hash[bit / 8] ^= 1 << (bit % 8);
                prop_assert_ne!(rebuilt(&lists), Ok(tree.root()));
                lists[list].pop();
                prop_assert!(rebuilt(&lists).is_err());
            }
            lists[list] = vec![[0; 32]; 129 + size as usize];
            prop_assert!(rebuilt(&lists).is_err());
        }
    }

    #[test]
    fn a_range_outside_the_tree_has_no_proof_and_numbers_out_of_order_no_root() {
        let (_, leaves) = entries(10);
        assert!(range_proof(leaves.as_slice(), 3, 2, 10).is_err());
        assert!(range_proof(leaves.as_slice(), 3, 11, 10).is_err());
        let proof = range_proof(leaves.as_slice(), 2, 5, 10).unwrap();
        assert!(RangeProof { end: 11, ..proof.clone() }.root().is_err());
        assert!(RangeProof { first: u64::MAX, ..proof.clone() }.root().is_err());
        assert!(RangeProof { size: u64::MAX, ..proof }.root().is_err());
    }

    #[test]
    fn rows_left_out_or_too_many_are_not_a_whole_range() {
        let (entries, leaves) = entries(600);
        let proof = range_proof(leaves.as_slice(), 100, 500, 600).unwrap();
        let mut rows: Vec<(Vec<u8>, Hash)> =
            (100..500).map(|i| (entries[i].clone(), leaves[i])).collect();
        let row = rows.remove(100);
        let (found, whole) = faults(&proof, &rows);
        assert!(!found.is_empty() && !whole);
        rows.insert(100, row.clone());
        rows.push(row);
        assert_eq!(faults(&proof, &rows), (vec![], false));
    }
}
