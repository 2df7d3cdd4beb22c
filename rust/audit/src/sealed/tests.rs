//! What opens and what does not, and crashes in the end of a key.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::crash::Random;
use crate::storage::sim::SimDisk;
use crate::storage::sim_state::{DiskState, DiskStep, LOSSES};

const AT: SealedAt =
    SealedAt { log_id: [1; 8], index: 7, subject: (3, 9), what: SealedKind::Identity };

fn key(byte: u8) -> SubjectKey {
    SubjectKey::new(Zeroizing::new([byte; SUBJECT_KEY_BYTES]))
}

/// RFC 8452, appendix C.2: the second case of AEAD_AES_256_GCM_SIV.
#[test]
fn the_cipher_gives_the_published_vector() {
    let mut secret = [0; SUBJECT_KEY_BYTES];
    secret[0] = 1;
    let mut nonce = Nonce::default();
    nonce[0] = 3;
    let message = [1_u8, 0, 0, 0, 0, 0, 0, 0];
    let sealed = SubjectKey::new(Zeroizing::new(secret)).cipher().encrypt(&nonce, &message[..]);
    let hex = crate::verify::hex(&sealed.unwrap());
    assert_eq!(hex, "c2ef328e5c71c83b843122130f7364b761e0b97427e3df28");
}

proptest! {
    #[test]
    fn a_text_opens_in_its_entry_under_its_key_and_nowhere_else(
        text in "[^\\x00]{0,200}", index in any::<u64>(), bit in any::<prop::sample::Index>(),
    ) {
        let at = SealedAt { index, ..AT };
        let sealed = key(1).seal(&at, &text).unwrap();
        prop_assert_eq!(&sealed, &key(1).seal(&at, &text).unwrap());
        prop_assert_eq!(sealed.len(), text.len().max(1).next_multiple_of(64) + 16);
        let opened = key(1).open(&at, &sealed).unwrap();
        prop_assert_eq!(&*opened, &text);
        prop_assert!(key(2).open(&at, &sealed).is_none());
        for other in [
            SealedAt { log_id: [2; 8], ..at },
            SealedAt { index: index ^ 1, ..at },
            SealedAt { subject: (7, 9), ..at },
            SealedAt { subject: (3, 8), ..at },
            SealedAt { what: SealedKind::Note, ..at },
        ] {
            prop_assert!(key(1).open(&other, &sealed).is_none());
        }
        let mut changed = sealed;
        let bit = bit.index(changed.len() * 8);
        changed[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(key(1).open(&at, &changed).is_none());
    }
}

#[test]
fn the_longest_text_is_sealed_and_a_longer_one_or_a_nul_is_not() {
    assert!(key(1).seal(&AT, &"x".repeat(SEALED_TEXT_BYTES_MAX)).is_some());
    assert!(key(1).seal(&AT, &"x".repeat(SEALED_TEXT_BYTES_MAX + 1)).is_none());
    assert!(key(1).seal(&AT, "a\0").is_none());
    assert!(!format!("{:?}", key(7)).contains('7'));
}

const NAME: &str = "subject/3-9.key";
const SECRET: [u8; SUBJECT_KEY_BYTES] = [0xA7; SUBJECT_KEY_BYTES];

fn holds_secret(image: &BTreeMap<String, Vec<u8>>) -> bool {
    image.values().any(|bytes| bytes.windows(4).any(|four| four == &SECRET[..4]))
}

/// A crash at each step of a shred, with every loss: done again it is done, and no crash after the
/// name is let go brings the key back.
#[test]
fn a_crash_leaves_a_key_that_the_next_try_destroys_and_none_after_the_unlink() {
    let start = BTreeMap::from([(NAME.to_owned(), SECRET.to_vec())]);
    let mut disk = SimDisk::from_image(&start);
    assert!(read_subject_key(&disk, NAME).unwrap().is_some());
    assert!(destroy_subject_key(&mut disk, NAME).unwrap());
    assert!(!destroy_subject_key(&mut disk, NAME).unwrap());
    let steps = disk.steps_from(0);
    let gone = steps.iter().position(|step| matches!(step, DiskStep::Unlink(_))).unwrap();
    let (mut kept, mut images) = (0, 0);
    for done in 0..=steps.len() {
        for loss in LOSSES {
            for seed in 0..16 {
                let mut state = DiskState::from_image(&start);
                steps[..done].iter().for_each(|step| state.apply(step));
                let image = state.crash(loss, &mut Random(seed));
                images += 1;
                kept += usize::from(holds_secret(&image));
                assert!(done < gone || !holds_secret(&image), "{loss:?} after step {done}");
                let mut again = SimDisk::from_image(&image);
                destroy_subject_key(&mut again, NAME).unwrap();
                assert!(read_subject_key(&again, NAME).unwrap().is_none());
                let mut state = DiskState::from_image(&image);
                again.steps_from(0).iter().for_each(|step| state.apply(step));
                let left = state.crash(crate::storage::sim_state::Loss::Everything, &mut Random(0));
                assert!(left.is_empty(), "{loss:?} after step {done}: {left:?}");
            }
        }
    }
    assert!(kept > 0 && kept < images, "{kept} of {images} crashes kept the key");
}

#[test]
fn a_key_is_durable_when_it_was_made() {
    let mut disk = SimDisk::from_image(&BTreeMap::new());
    disk.create("subject/above").unwrap();
    disk.syncfs().unwrap();
    let from = disk.steps();
    create_subject_key(&mut disk, NAME, &Zeroizing::new(SECRET)).unwrap();
    assert!(disk.steps() > from);
    let mut state = DiskState::default();
    disk.steps_from(0).iter().for_each(|step| state.apply(step));
    for loss in LOSSES {
        let image = state.crash(loss, &mut Random(1));
        assert_eq!(image.get(NAME).map(Vec::as_slice), Some(&SECRET[..]), "{loss:?}");
    }
}
