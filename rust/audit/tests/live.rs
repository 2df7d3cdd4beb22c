//! A log checked while it grows.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod common;

use common::{
    ORIGIN, START_NS, close_entry, closed_log, create, fill, keys, order, small, write_kill_files,
};
use cwts_audit::frame::segment_name;
use cwts_audit::{
    CHECKPOINT_FILE, Checkpoint, FileStat, Finding, FindingKind, LiveCheck, MemStorage, SigningKey,
    Storage, StorageError,
};
use cwts_types::Body;

fn check() -> LiveCheck {
    LiveCheck::new(Some(keys().signing.verify_key().clone()))
}

fn copy(storage: &MemStorage) -> MemStorage {
    MemStorage::from_image(storage.image())
}

/// What a look finds, where entries by themselves are asked nothing.
fn look(check: &mut LiveCheck, storage: &MemStorage) -> Vec<Finding> {
    check.advance(storage, &mut |_, _| Vec::new()).unwrap()
}

/// The kind and the first entry of the only finding.
fn only(findings: &[Finding]) -> (FindingKind, Option<u64>) {
    assert_eq!(findings.len(), 1, "{findings:?}");
    (findings[0].kind, findings[0].index)
}

#[test]
fn an_honest_log_is_followed_to_its_close_over_all_its_segments() {
    let storage = MemStorage::new();
    let (mut writer, mut maker) = create(storage.clone(), small()).unwrap();
    let (mut often, mut seldom, mut given) = (check(), check(), 0);
    for size in (3..900).step_by(7) {
        fill(&mut writer, &mut maker, size, 5);
        let mut each = |index: u64, _: &[u8]| {
            assert_eq!(index, given, "each entry once, in order");
            given += 1;
            Vec::new()
        };
        assert_eq!(often.advance(&storage, &mut each).unwrap(), []);
        assert_eq!((often.size(), often.root()), (writer.size(), writer.root()));
        if size % 5 == 0 {
            writer.checkpoint().unwrap();
            assert_eq!(look(&mut seldom, &storage), []);
        }
    }
    assert!(!often.is_closed());
    write_kill_files(writer.storage_mut(), &maker);
    let end = writer.close(START_NS, |size, root| close_entry(&mut maker, size, root)).unwrap();
    assert!(storage.list().unwrap().iter().filter(|f| f.name.starts_with("wal/")).count() > 2);
    for mut check in [often, seldom, check()] {
        assert_eq!(look(&mut check, &storage), []);
        assert_eq!((check.size(), check.root(), check.is_closed()), (end.size, end.root, true));
        assert_eq!(look(&mut check, &storage), [], "nothing came");
    }
}

/// Of a frame only its MAC, which takes a key, and the zeros behind it are left to `verify`.
#[test]
fn every_changed_bit_of_a_signed_frame_is_found() {
    let whole = closed_log(40, 4, small());
    let name = segment_name(0);
    let bytes = whole.read_all(&name, 1 << 20).unwrap().unwrap();
    let (mut found, mut last_mac, mut padding) = (0, 0, 0);
    for (at, byte) in bytes.iter().enumerate() {
        let mut changed = copy(&whole);
        changed.write_at(&name, at as u64, &[byte ^ 1 << (at % 8)]).unwrap();
        let mut check = check();
        if !look(&mut check, &changed).is_empty() {
            found += 1;
        } else if *byte == 0 {
            padding += 1;
        } else {
            last_mac += 1;
        }
    }
    assert!(last_mac <= 32, "{last_mac} changed bytes that are no padding are not found");
    assert!(found > 40 * 40 && padding < bytes.len() - found, "{found} {padding}");
}

#[test]
fn an_entry_that_a_producer_did_not_number_is_found_as_it_comes() {
    let storage = MemStorage::new();
    let (mut writer, mut maker) = create(storage.clone(), small()).unwrap();
    fill(&mut writer, &mut maker, 30, 4);
    let mut check = check();
    assert_eq!(look(&mut check, &storage), []);
    maker.gateway_seq += 1;
    writer.push(&maker.entry(30, Body::Tick)).unwrap();
    writer.commit(START_NS).unwrap();
    assert_eq!(only(&look(&mut check, &storage)), (FindingKind::ProducerGap, Some(30)));
}

#[test]
fn what_is_said_of_an_entry_comes_with_its_place() {
    let storage = closed_log(40, 4, small());
    let mut each = |index: u64, _: &[u8]| {
        let finding = Finding::new(FindingKind::DecisionDiffers, "").index(index);
        if index == 21 { vec![finding] } else { Vec::new() }
    };
    let mut check = check();
    let found = check.advance(&storage, &mut each).unwrap();
    assert_eq!(only(&found), (FindingKind::DecisionDiffers, Some(21)));
    assert_eq!(found[0].file, segment_name(0));
    assert!(found[0].offset.is_some());
}

/// A frame that was cut out, put in twice, or taken from another log.
#[test]
fn a_frame_that_does_not_follow_is_found() {
    let (log, other) = (closed_log(40, 4, small()), MemStorage::new());
    let (mut writer, mut maker) = create(other.clone(), small()).unwrap();
    writer.push(&maker.entry(2, order(2))).unwrap();
    writer.commit(START_NS + 9).unwrap();
    let name = segment_name(0);
    let bytes = log.read_all(&name, 1 << 20).unwrap().unwrap();
    let foreign = other.read_all(&name, 1 << 20).unwrap().unwrap();
    let starts: Vec<usize> =
        (0..bytes.len()).step_by(512).filter(|at| bytes[*at..].starts_with(b"CWTSWAL1")).collect();
    let second_of = |bytes: &[u8]| {
        let found = (512..bytes.len()).step_by(512);
        found.into_iter().find(|at| bytes[*at..].starts_with(b"CWTSWAL1")).unwrap()
    };
    let at = second_of(&foreign);
    let forgeries = [
        [&bytes[..starts[1]], &bytes[starts[2]..]].concat(),
        [&bytes[..starts[2]], &bytes[starts[1]..]].concat(),
        [&bytes[..starts[1]], &foreign[at..at + 512], &bytes[starts[1]..]].concat(),
    ];
    for forged in forgeries {
        let mut storage = copy(&log);
        storage.write_file(&name, &forged).unwrap();
        assert_eq!(only(&look(&mut check(), &storage)).0, FindingKind::WalChain);
    }
}

/// Whoever has the log's key signs a second tree, or a smaller one; who has not signs anything.
#[test]
fn a_head_that_is_not_of_these_entries_is_found() {
    let storage = MemStorage::new();
    let (mut writer, mut maker) = create(storage.clone(), small()).unwrap();
    fill(&mut writer, &mut maker, 30, 4);
    let head = writer.checkpoint().unwrap();
    let signed = |key: &SigningKey, head: &Checkpoint| key.sign(&head.encode()).unwrap().encode();
    let (honest, thief) = (keys().signing, SigningKey::from_seed(ORIGIN, &[8; 32]).unwrap());
    let at = |size, root| Checkpoint { origin: ORIGIN.to_owned(), size, root };
    let (changed, unsigned, rolled) =
        (FindingKind::Inconsistent, FindingKind::BadSignature, FindingKind::Rollback);
    // What who looked before says, and who looks now for the first time.
    let cases = [
        (signed(&honest, &at(30, [7; 32])), changed, changed),
        (signed(&honest, &at(29, head.root)), rolled, changed),
        (signed(&honest, &at(2, [7; 32])), rolled, changed),
        (signed(&honest, &at(31, head.root)), FindingKind::WalFrame, FindingKind::WalFrame),
        (signed(&thief, &head), unsigned, unsigned),
        ("nothing\n".to_owned(), unsigned, unsigned),
    ];
    for (note, again, first) in cases {
        let mut forged = copy(&storage);
        let mut before = check();
        assert_eq!(look(&mut before, &forged), []);
        forged.write_file(CHECKPOINT_FILE, note.as_bytes()).unwrap();
        assert_eq!(only(&look(&mut before, &forged)).0, again);
        assert_eq!(only(&look(&mut check(), &forged)).0, first);
    }
}

/// A reader sees a frame in pieces while it is written, from its start on, over zeros.
#[test]
fn a_frame_that_is_being_written_is_waited_for() {
    let storage = MemStorage::new();
    let (mut writer, mut maker) = create(storage.clone(), small()).unwrap();
    fill(&mut writer, &mut maker, 30, 4);
    writer.checkpoint().unwrap();
    let name = segment_name(0);
    let before = storage.read_all(&name, 1 << 20).unwrap().unwrap();
    fill(&mut writer, &mut maker, 34, 4);
    let after = storage.read_all(&name, 1 << 20).unwrap().unwrap();
    let start = before.iter().zip(&after).position(|(a, b)| a != b).unwrap();
    let end = after.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let mut part = copy(&storage);
    for written in start..=end {
        let bytes = [&after[..written], &vec![0; after.len() - written]].concat();
        part.write_file(&name, &bytes).unwrap();
        let mut check = check();
        assert_eq!(look(&mut check, &part), [], "{written} of {start}..{end}");
        assert!(check.size() == 34 || (check.size() < 34 && written < end));
        assert!(check.size() >= 30);
    }
}

/// A storage whose first reading of a frame misses what was written meanwhile.
struct Late(MemStorage, std::cell::Cell<bool>, u64);

impl Storage for Late {
    fn read_at(&self, name: &str, at: u64, buffer: &mut [u8]) -> Result<usize, StorageError> {
        let got = self.0.read_at(name, at, buffer)?;
        let place = self.2.checked_sub(at).map(|place| place as usize);
        if name.starts_with("wal/")
            && let Some(missed) = place.and_then(|place| buffer.get_mut(place..place + 32))
            && !self.1.replace(true)
        {
            missed.fill(0);
        }
        Ok(got)
    }

    fn list(&self) -> Result<Vec<FileStat>, StorageError> {
        self.0.list()
    }

    fn lock(&mut self) -> Result<(), StorageError> {
        unreachable!("a reader")
    }
    fn create(&mut self, _: &str) -> Result<(), StorageError> {
        unreachable!("a reader")
    }
    fn write_at(&mut self, _: &str, _: u64, _: &[u8]) -> Result<(), StorageError> {
        unreachable!("a reader")
    }
    fn set_len(&mut self, _: &str, _: u64) -> Result<(), StorageError> {
        unreachable!("a reader")
    }
    fn sync_data(&mut self, _: &str) -> Result<(), StorageError> {
        unreachable!("a reader")
    }
    fn rename(&mut self, _: &str, _: &str) -> Result<(), StorageError> {
        unreachable!("a reader")
    }
    fn unlink(&mut self, _: &str) -> Result<(), StorageError> {
        unreachable!("a reader")
    }
    fn sync_dir(&mut self, _: &str) -> Result<(), StorageError> {
        unreachable!("a reader")
    }
    fn syncfs(&mut self) -> Result<(), StorageError> {
        unreachable!("a reader")
    }
}

#[test]
fn what_a_reader_missed_once_is_read_again_before_it_is_called_forged() {
    let storage = closed_log(40, 4, small());
    let bytes = storage.read_all(&segment_name(0), 1 << 20).unwrap().unwrap();
    // The link of the second frame, which stands behind its payload.
    let second = (512..bytes.len()).step_by(512).find(|at| bytes[*at..].starts_with(b"CWTSWAL1"));
    let second = second.unwrap();
    let payload = u32::from_le_bytes(bytes[second + 32..second + 36].try_into().unwrap());
    for field in [0, 32] {
        let at = second as u64 + 64 + u64::from(payload) + field;
        let late = Late(copy(&storage), std::cell::Cell::new(false), at);
        let mut check = check();
        assert_eq!(check.advance(&late, &mut |_, _| Vec::new()).unwrap(), []);
        assert!(late.1.get(), "something was missed");
        assert_eq!(check.size(), 40);
    }
}
