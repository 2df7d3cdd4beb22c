//! The checkpoint that is kept elsewhere: copies, old states, crashes between two disks.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod common;

use std::fs::File;

use common::{Maker, START_NS, close_entry, fill, keys, write_kill_files};
use cwts_audit::{
    Anchor, FsAnchor, LogError, MemAnchor, MemStorage, Opened, Options, SigningKey, Storage, Writer,
};

fn boxed(anchor: &MemAnchor) -> Box<dyn Anchor> {
    Box::new(anchor.clone())
}

fn create(
    anchor: impl Into<Option<Box<dyn Anchor>>>,
) -> Result<(Writer<MemStorage>, MemStorage, Maker), LogError> {
    let (storage, mut maker) = (MemStorage::new(), Maker::default());
    let opening = maker.opening();
    let first: Vec<&[u8]> = opening.iter().map(Vec::as_slice).collect();
    let (options, keys) = (Options::default(), keys());
    let writer =
        Writer::create_anchored(storage.clone(), keys, &first, START_NS, options, anchor.into())?;
    Ok((writer, storage, maker))
}

fn open(
    storage: &MemStorage,
    anchor: impl Into<Option<Box<dyn Anchor>>>,
) -> Result<(Writer<MemStorage>, Opened), LogError> {
    Writer::open_anchored(
        storage.clone(),
        keys(),
        Options::default(),
        anchor.into(),
        &mut |_, _| Ok(()),
    )
}

fn copy_of(storage: &MemStorage) -> MemStorage {
    MemStorage::from_image(storage.image())
}

/// A log of 40 entries under a checkpoint that the anchor keeps; its writer is gone.
fn anchored_log() -> (MemStorage, MemAnchor, Maker) {
    let anchor = MemAnchor::default();
    let (mut writer, storage, mut maker) = create(boxed(&anchor)).unwrap();
    fill(&mut writer, &mut maker, 40, 8);
    writer.checkpoint().unwrap();
    (storage, anchor, maker)
}

fn what<T>(refused: Result<T, LogError>) -> String {
    refused.err().unwrap().to_string()
}

#[test]
fn each_checkpoint_is_in_the_anchor_before_it_is_published() {
    let anchor = MemAnchor::default();
    let (mut writer, storage, mut maker) = create(boxed(&anchor)).unwrap();
    for size in [2, 10, 40, 300] {
        fill(&mut writer, &mut maker, size, 8);
        writer.checkpoint().unwrap();
        assert_eq!(anchor.kept().as_ref(), Some(&storage.image()["checkpoint"]));
    }
    write_kill_files(writer.storage_mut(), &maker);
    writer.close(START_NS, |size, root| close_entry(&mut maker, size, root)).unwrap();
    assert_eq!(anchor.kept().as_ref(), Some(&storage.image()["checkpoint"]));
    assert!(open(&storage, boxed(&anchor)).unwrap().1.is_clean());
}

#[test]
fn of_two_copies_the_second_to_publish_signs_nothing_and_is_at_its_end() {
    let (storage, anchor, mut maker) = anchored_log();
    let copy = copy_of(&storage);
    let (mut first, _) = open(&storage, boxed(&anchor)).unwrap();
    let (mut second, _) = open(&copy, boxed(&anchor)).unwrap();
    let mut others = Maker { gateway_seq: maker.gateway_seq, ..Maker::default() };
    fill(&mut first, &mut maker, 60, 8);
    first.checkpoint().unwrap();

    let note = cwts_types::Body::Tick;
    second.push(&others.entry(40, note)).unwrap();
    second.commit(START_NS).unwrap();
    let before = copy.image();
    let why = what(second.checkpoint());
    assert!(why.contains("another copy of this log is written"), "{why}");
    assert_eq!(copy.image()["checkpoint"], before["checkpoint"]);
    assert!(second.has_failed());
    assert!(matches!(second.push(b"x"), Err(LogError::Failed)));
    assert!(matches!(second.checkpoint(), Err(LogError::Failed)));
    // It cannot begin again either: the anchor knows another history, or a longer one.
    drop(second);
    assert!(matches!(open(&copy, boxed(&anchor)), Err(LogError::Rollback { .. })));
    // The first goes on.
    fill(&mut first, &mut maker, 80, 8);
    assert_eq!(first.checkpoint().unwrap().size, 80);
}

#[test]
fn a_copy_with_as_many_other_entries_is_not_opened() {
    let (storage, anchor, mut maker) = anchored_log();
    let copy = copy_of(&storage);
    let (mut first, _) = open(&storage, boxed(&anchor)).unwrap();
    fill(&mut first, &mut maker, 41, 1);
    first.checkpoint().unwrap();
    // Its own checkpoint agrees with it; only the anchor does not.
    let (mut second, _) = open(&copy, None).unwrap();
    let mut others = Maker::default();
    second.push(&others.entry(40, common::order(40))).unwrap();
    second.commit(START_NS).unwrap();
    second.checkpoint().unwrap();
    drop(second);
    assert!(open(&copy, None).is_ok());
    let why = what(open(&copy, boxed(&anchor)));
    assert_eq!(why, "rollback: the first 41 entries are not those kept by the anchor");
}

#[test]
fn an_old_state_of_the_log_is_not_opened_and_stays_as_it_is() {
    let (storage, anchor, mut maker) = anchored_log();
    let old = copy_of(&storage);
    let (mut writer, _) = open(&storage, boxed(&anchor)).unwrap();
    fill(&mut writer, &mut maker, 60, 8);
    writer.checkpoint().unwrap();
    let mut before = old.image();
    assert!(open(&copy_of(&old), None).is_ok(), "by itself it is sound");
    let why = what(open(&old, boxed(&anchor)));
    assert_eq!(why, "rollback: 60 entries were kept by the anchor, 40 are left");
    before.entry("lock".to_owned()).or_default();
    assert_eq!(old.image(), before);
    let gone = what(create(boxed(&anchor)));
    assert_eq!(gone, "rollback: the anchor `memory` keeps a checkpoint, and there is no log here");
}

#[test]
fn a_crash_between_anchor_and_checkpoint_is_mended() {
    let (storage, anchor, mut maker) = anchored_log();
    let checkpoint = storage.image()["checkpoint"].clone();
    let (mut writer, _) = open(&storage, boxed(&anchor)).unwrap();
    fill(&mut writer, &mut maker, 60, 8);
    writer.checkpoint().unwrap();
    drop(writer);
    // The anchor was moved, `checkpoint` not yet.
    storage.with_file("checkpoint", |bytes| *bytes = checkpoint.clone());
    let (mut writer, opened) = open(&storage, boxed(&anchor)).unwrap();
    assert_eq!((opened.size, opened.is_clean()), (60, false));
    fill(&mut writer, &mut maker, 80, 8);
    assert_eq!(writer.checkpoint().unwrap().size, 80);
    assert_eq!(anchor.kept().as_ref(), Some(&storage.image()["checkpoint"]));
    // One entry less than the anchor keeps is none that a crash can take.
    drop(writer);
    storage.with_file("checkpoint", |bytes| *bytes = checkpoint);
    let frames = |b: &mut Vec<u8>| {
        let last = (0..b.len()).step_by(512).rfind(|at| b[*at..].starts_with(b"CWTSWAL1"));
        b.truncate(last.unwrap());
    };
    storage.with_file("wal/00000000000000000000.wal", frames);
    assert!(matches!(open(&storage, boxed(&anchor)), Err(LogError::Rollback { .. })));
}

#[test]
fn a_log_that_went_on_without_its_anchor_is_ahead_of_it_and_opens() {
    let (storage, anchor, mut maker) = anchored_log();
    let (mut writer, _) = open(&storage, None).unwrap();
    fill(&mut writer, &mut maker, 60, 8);
    writer.checkpoint().unwrap();
    drop(writer);
    let (mut writer, _) = open(&storage, boxed(&anchor)).unwrap();
    fill(&mut writer, &mut maker, 80, 8);
    writer.checkpoint().unwrap();
    assert_eq!(anchor.kept().as_ref(), Some(&storage.image()["checkpoint"]));
}

#[test]
fn a_missing_a_foreign_and_a_changed_anchor_are_refused() {
    let (storage, anchor, _) = anchored_log();
    let why = what(open(&storage, boxed(&MemAnchor::default())));
    assert!(why.starts_with("anchor: `memory` is not there"), "{why}");
    let other = SigningKey::from_seed("other.example/log", &[1; 32]).unwrap();
    let note = other.sign("other.example/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n");
    let foreign = MemAnchor::keeping(Some(note.unwrap().encode().into_bytes()));
    let why = what(open(&storage, boxed(&foreign)));
    assert!(why.contains("keeps no checkpoint of this log: no signature line"), "{why}");
    let kept = anchor.kept().unwrap();
    for bit in 0..kept.len() * 8 {
        let mut flipped = kept.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let refused = open(&storage, boxed(&MemAnchor::keeping(Some(flipped))));
        assert!(matches!(refused, Err(LogError::Anchor { .. })), "bit {bit}");
    }
    for length in 0..kept.len() {
        let cut = MemAnchor::keeping(Some(kept[..length].to_vec()));
        assert!(matches!(open(&storage, boxed(&cut)), Err(LogError::Anchor { .. })), "{length}");
    }
}

#[test]
fn a_creation_cut_short_has_no_anchor_yet_and_goes_on() {
    let anchor = MemAnchor::default();
    let (writer, storage, _) = create(None).unwrap();
    drop(writer);
    let mut image = storage.image();
    image.remove("checkpoint");
    image.retain(|name, _| !name.starts_with("tile/"));
    let storage = MemStorage::from_image(image);
    open(&storage, boxed(&anchor)).unwrap();
    assert_eq!(anchor.kept().as_ref(), Some(&storage.image()["checkpoint"]));
}

#[test]
fn in_a_file_it_is_replaced_in_one_step_and_by_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gw1.checkpoint");
    let file = || -> Box<dyn Anchor> { Box::new(FsAnchor::new(&path)) };
    let (mut writer, storage, mut maker) = create(file()).unwrap();
    fill(&mut writer, &mut maker, 40, 8);
    writer.checkpoint().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), storage.image()["checkpoint"]);
    let mut names: Vec<_> =
        folder.path().read_dir().unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["gw1.checkpoint", "gw1.checkpoint.lock"]);

    let held = File::options().write(true).open(folder.path().join("gw1.checkpoint.lock")).unwrap();
    held.lock().unwrap();
    fill(&mut writer, &mut maker, 41, 1);
    let why = what(writer.checkpoint());
    assert!(why.contains("is being moved"), "{why}");
    drop((held, writer));
    let (mut writer, _) = open(&storage, file()).unwrap();
    fill(&mut writer, &mut maker, 42, 1);
    std::fs::remove_file(&path).unwrap();
    assert!(what(writer.checkpoint()).contains("does not keep what this writer put there"));

    let nowhere = FsAnchor::new(folder.path().join("no/folder"));
    let why = what(create(Box::new(nowhere) as Box<dyn Anchor>));
    assert!(why.starts_with("lock `") && why.contains("no/folder"), "{why}");
    let mut long = storage.clone();
    assert_eq!(
        long.lock().err().map(|e| e.to_string()),
        Some("another writer holds the log".into())
    );
    std::fs::write(&path, vec![b'a'; 1 << 17]).unwrap();
    drop(writer);
    assert!(what(open(&storage, file())).contains("more than 65536"));
}
