//! Shares and seeds at rest.

use cwts_threshold::{
    Error, FileError, Lock, PASSPHRASE_BYTES_MAX, SECRET_FILE_BYTES, SeedFile, Share, ShareFile,
};

use crate::desk::{CHAIN, Desk, Person, copy, next_terms, people};

const KEY: Lock<'_> = Lock::Key(&[3; 32]);
const SALT: [u8; 16] = [1; 16];
const NONCE: [u8; 12] = [2; 12];

fn sealed(desk: &Desk, index: usize, lock: Lock<'_>) -> Vec<u8> {
    let share = &desk.shares()[index - 1];
    ShareFile::of(&desk.output(), share).seal(share, lock, &SALT, &NONCE).unwrap()
}

#[test]
fn a_share_is_read_back_with_its_key_or_passphrase() {
    let desk = Desk::new_key(4).honest();
    for lock in [KEY, Lock::Passphrase(b"correct horse")] {
        let file = sealed(&desk, 2, lock);
        assert_eq!(file.len(), SECRET_FILE_BYTES);
        let (fields, share) = ShareFile::open(&file, lock).unwrap();
        fields.check(&share, &desk.output()).unwrap();
        assert_eq!((share.index(), share.epoch()), (2, 1));
        assert_eq!(*share.export(), *desk.shares()[1].export());
        assert!(!file.windows(8).any(|part| share.export().windows(8).any(|own| own == part)));
    }
}

#[test]
fn a_wrong_passphrase_and_a_flipped_byte_are_one_error() {
    let desk = Desk::new_key(4).honest();
    let lock = Lock::Passphrase(b"correct horse");
    let file = sealed(&desk, 2, lock);
    let refused = |bytes: &[u8], lock| ShareFile::open(bytes, lock).err();
    for wrong in [Lock::Passphrase(b"correct hors"), KEY] {
        assert_eq!(refused(&file, wrong), Some(FileError::Unreadable));
    }
    let by_key = sealed(&desk, 2, KEY);
    for wrong in [Lock::Key(&[4; 32]), lock] {
        assert_eq!(refused(&by_key, wrong), Some(FileError::Unreadable));
    }
    for at in 0..by_key.len() {
        for mask in [1, 0x80] {
            let mut other = by_key.clone();
            other[at] ^= mask;
            assert_eq!(refused(&other, KEY), Some(FileError::Unreadable), "byte {at}");
        }
    }
    // One in each part of the other, which is slow to open.
    for at in [0, 8, 10, 11, 40, 50, 58, 70, 100, 115, 130, 160] {
        let mut other = file.clone();
        other[at] ^= 1;
        assert_eq!(refused(&other, lock), Some(FileError::Unreadable), "byte {at}");
    }
    for length in [0, 8, by_key.len() - 1, by_key.len() + 1] {
        let mut other = by_key.clone();
        other.resize(length, 0);
        assert_eq!(refused(&other, KEY), Some(FileError::Unreadable));
    }
    let long = vec![b'x'; PASSPHRASE_BYTES_MAX + 1];
    let got = long.len();
    assert_eq!(refused(&file, Lock::Passphrase(&long)), Some(FileError::Passphrase { got }));
    let none = Lock::Passphrase(b"");
    assert_eq!(refused(&file, none), Some(FileError::Passphrase { got: 0 }));
}

#[test]
fn a_share_of_elsewhere_is_refused() {
    let desk = Desk::new_key(4).honest();
    let (output, shares) = (desk.output(), desk.shares());
    let (fields, share) = ShareFile::open(&sealed(&desk, 2, KEY), KEY).unwrap();
    let other_chain = ShareFile { chain: [9; 32], ..fields };
    assert_eq!(other_chain.check(&share, &output), Err(FileError::WrongChain));
    let other_output = ShareFile { output: [9; 32], ..fields };
    assert_eq!(other_output.check(&share, &output), Err(FileError::WrongOutput));
    let moved = Share::parse(&*shares[2].export(), 2, 1).unwrap();
    let mismatch = FileError::Share(Error::ShareMismatch { index: 2 });
    assert_eq!(fields.check(&moved, &output), Err(mismatch.clone()));
    assert_eq!(fields.seal(&shares[2], KEY, &SALT, &NONCE).unwrap_err().code(), mismatch.code());
    // The share before a refresh.
    let members = people(0..4);
    let terms = next_terms(&output, &members, &members, 2);
    let info = cwts_threshold::ceremony::Info::new(terms).unwrap();
    let next = Desk::of(info, members, Some(&output), &shares).honest();
    let wrong = FileError::Share(Error::WrongEpoch { got: 1, want: 2 });
    assert_eq!(fields.check(&copy(&share), &next.output()), Err(wrong));
}

#[test]
fn a_seed_is_its_ceremonys() {
    let place = SeedFile { chain: CHAIN, number: 1 };
    let person = Person::new(3);
    let file = place.seal(&person.seed(), KEY, &SALT, &NONCE).unwrap();
    let seed = place.open(&file, KEY).unwrap();
    let read = cwts_threshold::ceremony::Identity::derive(&seed, &person.key, CHAIN, 1).unwrap();
    assert_eq!(*read.keys(), person.keys(1));
    let other = SeedFile { number: 2, ..place }.open(&file, KEY).err();
    assert_eq!(other, Some(FileError::WrongNumber { got: 1, want: 2 }));
    let other = SeedFile { chain: [0; 32], ..place }.open(&file, KEY).err();
    assert_eq!(other, Some(FileError::WrongChain));
    assert_eq!(ShareFile::open(&file, KEY).err(), Some(FileError::Unreadable), "no share");
    let desk = Desk::new_key(1).honest();
    assert_eq!(place.open(&sealed(&desk, 1, KEY), KEY).err(), Some(FileError::Unreadable));
}
