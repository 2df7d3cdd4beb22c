use proptest::prelude::*;

use super::*;

fn block(first: u64, entries: &[Vec<u8>]) -> Block {
    let mut block = Block::new(first);
    for entry in entries {
        block.push(entry).unwrap();
    }
    block
}

/// Entries that look like a log's: known types, small numbers, often the header's whole length.
fn entry() -> impl Strategy<Value = Vec<u8>> {
    let kind =
        prop_oneof![Just(0x10_u8), Just(0x11), Just(0x12), Just(0x20), Just(0x2d), 0..=255_u8];
    let bytes = prop_oneof![
        prop::collection::vec(0..3_u8, 104),
        prop::collection::vec(any::<u8>(), 104),
        prop::collection::vec(any::<u8>(), 0..140),
    ];
    (kind, bytes).prop_map(|(kind, mut bytes)| {
        bytes.first_mut().into_iter().for_each(|byte| *byte = kind);
        bytes
    })
}

proptest! {
    #[test]
    fn a_block_gives_back_every_byte(
        first in prop_oneof![0..1000_u64, any::<u64>().prop_map(|n| n >> 1)],
        entries in prop::collection::vec(entry(), 0..60),
    ) {
        let block = block(first, &entries);
        let read = Block::decode(&block.encode()).unwrap();
        prop_assert_eq!(read.entries().collect::<Vec<_>>(), block.entries().collect::<Vec<_>>());
        prop_assert_eq!(read, block);
    }

    #[test]
    fn a_hostile_block_is_refused_or_read_within_the_bound(
        entries in prop::collection::vec(entry(), 1..20),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
        cuts in any::<bool>(),
    ) {
        let mut bytes = block(7, &entries).encode();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if cuts {
            bytes.truncate(cut.index(bytes.len()));
        }
        // The checksum is no defence against somebody who writes blocks: it is made right.
        seal(&mut bytes);
        if let Ok(read) = Block::decode(&bytes) {
            prop_assert!(read.framed().len() <= BLOCK_BYTES_MAX);
        }
    }
}

#[test]
fn any_bit_of_a_block_counts() {
    let entries: Vec<Vec<u8>> = (0..40_u8).map(|n| vec![0x10 + n % 3; 104]).collect();
    let bytes = block(3, &entries).encode();
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let read = Block::decode(&changed);
        // The first index and the count alone are no part of what the checksum covers.
        let same = read.is_ok_and(|read| read == block(3, &entries));
        assert!(!same, "bit {bit}");
    }
}

#[test]
fn a_block_holds_65_536_entries_and_no_more() {
    let mut full = Block::new(0);
    for _ in 0..BLOCK_ENTRIES_MAX {
        full.push(&[]).unwrap();
    }
    let before = full.clone();
    let error = full.push(&[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the number of entries 65537 is beyond a block's bound of 65536; make blocks of fewer \
         entries"
    );
    assert_eq!(full, before);
    assert_eq!(Block::decode(&full.encode()), Ok(full));
    // 256 of the longest fit, and no entry beyond the bound in bytes.
    let longest = vec![1; 65_535];
    let mut long = Block::new(0);
    for _ in 0..256 {
        long.push(&longest).unwrap();
    }
    assert_eq!(Block::decode(&long.encode()).as_ref(), Ok(&long));
    while long.framed().len() + 65_537 <= BLOCK_BYTES_MAX {
        long.push(&longest).unwrap();
    }
    assert!(matches!(
        long.push(&longest),
        Err(BlockError::Large { what: "the length in bytes", .. })
    ));
    assert!(matches!(long.push(&vec![0; 65_536]), Err(BlockError::Large { .. })));
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let bytes = block(5, &[vec![0x10; 104], vec![9; 30]]).encode();
    let refused = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut changed = bytes.clone();
        change(&mut changed);
        seal(&mut changed);
        Block::decode(&changed).unwrap_err().to_string()
    };
    assert_eq!(
        Block::decode(&bytes[..27]).unwrap_err().to_string(),
        "byte 27: the file ends within its head"
    );
    assert_eq!(refused(&|b| b[0] = b'X'), "byte 0: no block: CWTSCOL1 is missing");
    assert_eq!(refused(&|b| b[8] = 2), "byte 8: another codec version than 1");
    assert_eq!(refused(&|b| b[14] = 2), "byte 12: more entries than a block holds");
    assert_eq!(refused(&|b| b[12] = 3), "entry 7: its column ends before it");
    assert_eq!(
        refused(&|b| b[12] = 1),
        "byte 33: a column of more values than entries, or of none"
    );
    assert_eq!(
        refused(&|b| b.push(0)),
        format!("byte {}: bytes follow the end of the block", bytes.len())
    );
    assert_eq!(refused(&|b| b[28] = 9), "byte 29: a column of more than 8 planes");
    let mut other = bytes.clone();
    other[30] ^= 1;
    assert_eq!(
        Block::decode(&other).unwrap_err().to_string(),
        "byte 24: the CRC-32C of what follows is another"
    );
}

/// A claim of 64 MiB of tails that a hundred bytes back: nothing of that size is allocated for
/// what does not come out, and what would come out beyond the claim is refused.
#[test]
fn a_claim_does_not_allocate() {
    let mut bytes = block(0, &[vec![0; 30]]).encode();
    let packed = zstd::bulk::compress(&vec![0; 1 << 20], 3).unwrap();
    // The tails' length, their packed length, and the few bytes that thirty zeros are packed into.
    let tail = zstd::bulk::compress(&[0; 30], 3).unwrap().len();
    bytes.truncate(bytes.len() - 8 - tail);
    let at = bytes.len();
    for (claimed, why) in [
        (1 << 10, "another number of bytes comes out than is said"),
        (1 << 20, "columns hold more than the entries take"),
        (BLOCK_BYTES_MAX as u32, "another number of bytes comes out than is said"),
        (u32::MAX, "the tails are longer than a block"),
    ] {
        bytes.truncate(at);
        bytes.extend_from_slice(&claimed.to_le_bytes());
        bytes.extend_from_slice(&(packed.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&packed);
        seal(&mut bytes);
        let error = Block::decode(&bytes).unwrap_err();
        assert!(matches!(error, BlockError::Format { what, .. } if what == why), "{error}");
    }
}
