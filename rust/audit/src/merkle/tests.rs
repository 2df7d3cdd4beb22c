//! The tree against RFC 6962, other people's probes, and itself.

use super::*;

fn leaves(n: usize) -> Vec<Hash> {
    (0..n).map(|i| leaf_hash(&i.to_le_bytes())).collect()
}

/// RFC 6962's definition, word by word.
fn root_by_definition(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Sha256::digest([]).into(),
        [one] => *one,
        many => {
            let mut k = 1;
            while k * 2 < many.len() {
                k *= 2;
            }
            let (left, right) = many.split_at(k);
            node_hash(&root_by_definition(left), &root_by_definition(right))
        }
    }
}

#[test]
fn short_hashes_equal_the_plain_hash_at_every_length() {
    for len in 0..300 {
        let entry: Vec<u8> = (0..len).map(|i| (i * 7) as u8).collect();
        let plain = Sha256::new().chain_update([0]).chain_update(&entry).finalize();
        assert_eq!(leaf_hash(&entry), <Hash>::from(plain), "length {len}");
    }
    let (a, b) = (leaf_hash(b"a"), leaf_hash(b"b"));
    let plain = Sha256::new().chain_update([1]).chain_update(a).chain_update(b).finalize();
    assert_eq!(node_hash(&a, &b), <Hash>::from(plain));
}

#[test]
fn the_compact_range_gives_the_defined_root_at_every_size() {
    let leaves = leaves(600);
    let mut range = CompactRange::new();
    for n in 0..=600 {
        assert_eq!(range.root(), root_by_definition(&leaves[..n]), "size {n}");
        if n < 600 {
            range.append(&n.to_le_bytes());
        }
    }
}

#[test]
fn proofs_of_all_pairs_hold_and_no_changed_one_does() {
    let leaves = leaves(130);
    for size in 1..=130_u64 {
        let root = root_by_definition(&leaves[..size as usize]);
        for index in 0..size {
            let tree = &leaves[..size as usize];
            let mut proof = inclusion_proof(tree, index, size).unwrap();
            let leaf = &leaves[index as usize];
            verify_inclusion(leaf, index, size, &root, &proof).unwrap();
            assert!(verify_inclusion(leaf, index ^ 1, size, &root, &proof).is_err());
            proof.push(root);
            assert!(verify_inclusion(leaf, index, size, &root, &proof).is_err());

            let old = index + 1;
            let old_root = root_by_definition(&leaves[..old as usize]);
            let mut proof = consistency_proof(tree, old, size).unwrap();
            verify_consistency(old, size, &old_root, &root, &proof).unwrap();
            assert!(verify_consistency(old, size, &leaf_hash(b"x"), &root, &proof).is_err());
            if let Some(hash) = proof.first_mut() {
                hash[31] ^= 1;
                assert!(verify_consistency(old, size, &old_root, &root, &proof).is_err());
                proof.pop();
                assert!(verify_consistency(old, size, &old_root, &root, &proof).is_err());
            }
        }
    }
}

#[test]
fn a_node_that_is_not_at_hand_is_named() {
    let leaves = leaves(4);
    assert_eq!(
        inclusion_proof(&leaves[..], 1, 9),
        Err(ProofError::NodeMissing { level: 0, index: 8 })
    );
    assert_eq!(inclusion_proof(&leaves[..], 4, 4), Err(ProofError::Index { index: 4, size: 4 }));
    assert_eq!(consistency_proof(&leaves[..], 5, 4), Err(ProofError::Sizes { old: 5, new: 4 }));
}
