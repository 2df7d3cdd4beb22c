//! A log whose older segments were moved into cold blocks is the same log, byte for byte.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod common;

use std::collections::BTreeMap;

use common::{Maker, START_NS, all_keys, close_entry, closed_log, fill, keys};
use cwts_audit::crash::Random;
use cwts_audit::storage::sim::SimDisk;
use cwts_audit::storage::sim_state::{DiskState, LOSSES};
use cwts_audit::tiers::{Packed, Tiered, pack, prune, put_back};
use cwts_audit::{
    FindingKind, Level, MemStorage, Options, Published, Storage, StorageError, Verdict, Writer,
    verify,
};
use cwts_types::{Body, Entry};

type Image = BTreeMap<String, Vec<u8>>;

const SIZE: u64 = 1_300;

fn options() -> Options {
    Options { segment_bytes: 24 * 1024, ..Options::default() }
}

/// A closed log of several segments.
fn log() -> Image {
    closed_log(SIZE, 40, options()).image()
}

/// Opens a log that had `SIZE` entries and a new segment behind them; numbers go on.
fn opened<S: Storage>(storage: S) -> (Writer<S>, Maker, Vec<Vec<u8>>) {
    let (mut maker, mut entries) = (Maker::default(), Vec::new());
    let options = Options { new_segment: true, ..options() };
    let (writer, _) = Writer::open(storage, keys(), options, &mut |index, bytes| {
        let entry = Entry::decode(bytes).unwrap();
        maker.folded.apply(index, &entry.body).unwrap();
        match entry.header.producer {
            cwts_types::producer::API => maker.api_seq += 1,
            cwts_types::producer::DECIDER => maker.decider_seq += 1,
            _ => maker.gateway_seq += 1,
        }
        entries.push(bytes.to_vec());
        Ok(())
    })
    .unwrap();
    (writer, maker, entries)
}

/// Packs all, logs it, removes what is packed, and closes.
fn archive<S: Storage>(storage: S, logs: bool) -> (Packed, u64) {
    let (mut writer, mut maker, _) = opened(storage);
    writer.checkpoint().unwrap();
    let packed = pack(writer.storage_mut(), u64::MAX).unwrap();
    for block in packed.blocks.iter().filter(|_| logs) {
        let entry = maker.entry(writer.size(), Body::Archive(*block));
        writer.push(&entry).unwrap();
    }
    let tick = maker.entry(writer.size(), Body::Tick);
    writer.push(&tick).unwrap();
    writer.commit(START_NS + 1).unwrap();
    let freed = prune(writer.storage_mut(), &packed).unwrap();
    writer.close(START_NS + 2, |size, root| close_entry(&mut maker, size, root)).unwrap();
    (packed, freed)
}

fn checked(image: &Image) -> Verdict {
    let storage = Tiered::new(MemStorage::from_image(image.clone()));
    verify(&storage, &all_keys(), Level::Full).unwrap()
}

fn archived() -> (Image, Image, Packed, u64) {
    archived_of(log())
}

fn archived_of(plain: Image) -> (Image, Image, Packed, u64) {
    let storage = MemStorage::from_image(plain.clone());
    let (packed, freed) = archive(Tiered::new(storage.clone()), true);
    (plain, storage.image(), packed, freed)
}

fn is_of_entries(name: &str) -> bool {
    let full = !name.contains(".p/");
    name.starts_with("wal/") || (name.starts_with("tile/") && full)
}

#[test]
fn an_archived_log_reads_as_the_plain_one_in_every_file() {
    let (plain, after, packed, freed) = archived();
    assert_eq!((packed.entries, packed.end), (SIZE, SIZE));
    assert!(packed.blocks.len() >= 5 && freed > packed.bytes, "{packed:?} {freed}");
    let verdict = checked(&after);
    assert!(verdict.is_ok() && verdict.clean, "{:?}", verdict.findings);
    assert!(verdict.notes.iter().any(|note| note.contains("1300 entries stand in")));
    assert_eq!(verdict.entry_counts["ARCHIVE"], packed.blocks.len() as u64);
    let tiers = Tiered::new(MemStorage::from_image(after.clone()));
    let mut gone = 0;
    for (name, bytes) in plain.iter().filter(|(name, _)| is_of_entries(name)) {
        let stays = name.starts_with("tile/1/");
        assert_eq!(after.contains_key(name), stays, "{name}");
        assert!(tiers.read_all(name, 1 << 20).unwrap().as_ref() == Some(bytes), "{name}");
        assert_eq!(tiers.is_archived(name).unwrap(), !stays, "{name}");
        gone += u64::from(!stays);
    }
    assert!(gone > 10, "{gone}");
    // What reads the published log reads it, too.
    let log = Published::read(&tiers).unwrap();
    for index in [0, 255, 256, 700, SIZE - 1, SIZE] {
        assert_eq!(log.receipt(index).unwrap().index, index);
    }
    // It opens, gives every entry, and goes on.
    let (mut writer, mut maker, entries) = opened(tiers);
    assert_eq!(entries.len() as u64, SIZE + packed.blocks.len() as u64 + 2);
    fill(&mut writer, &mut maker, 2_000, 40);
    writer.close(START_NS + 3, |size, root| close_entry(&mut maker, size, root)).unwrap();
}

#[test]
fn archiving_again_packs_what_came_since_and_putting_back_gives_the_plain_log() {
    let (plain, after, ..) = archived();
    let storage = MemStorage::from_image(after);
    let (packed, _) = archive(Tiered::new(storage.clone()), true);
    assert!(packed.entries > 0 && packed.entries < 40, "{packed:?}");
    assert!(checked(&storage.image()).is_ok());
    let mut tiers = Tiered::new(storage.clone());
    assert!(put_back(&mut tiers).unwrap() > 10);
    let back = storage.image();
    for (name, bytes) in plain.iter().filter(|(name, _)| is_of_entries(name)) {
        assert!(back.get(name) == Some(bytes), "{name}");
    }
    assert!(!back.keys().any(|name| name.starts_with("archive/")));
    let verdict = checked(&back);
    assert!(verdict.is_ok() && verdict.clean, "{:?}", verdict.findings);
}

#[test]
fn only_segments_before_the_bound_and_never_the_last_are_packed() {
    let storage = MemStorage::from_image(log());
    let mut tiers = Tiered::new(storage);
    let segments: Vec<u64> = tiers
        .list()
        .unwrap()
        .iter()
        .filter_map(|file| cwts_audit::frame::parse_segment_name(&file.name))
        .collect();
    for (before, end) in [
        (segments[1] - 1, 0),
        (segments[1], segments[1]),
        (segments[1] + 1, segments[1]),
        (u64::MAX, *segments.last().unwrap()),
    ] {
        assert_eq!(pack(&mut tiers, before).unwrap().end, end, "{before}");
    }
}

#[test]
fn every_byte_of_an_archived_file_counts() {
    let (_, after, ..) = archived_of(closed_log(300, 40, options()).image());
    let files: Vec<&String> = after.keys().filter(|name| name.starts_with("archive/")).collect();
    assert!(files.len() >= 6, "{files:?}");
    let mut random = Random(7);
    for name in files {
        for at in 0..after[name].len() {
            if random.below(4) > 0 {
                continue;
            }
            let mut image = after.clone();
            image.get_mut(name).unwrap()[at] ^= 1 << random.below(8);
            let verdict = checked(&image);
            let named = verdict.findings.iter().any(|finding| {
                // A block's manifest names the block's digest: which of the two is another is open.
                let stem = |file: &str| file.rsplit_once('.').map(|(stem, _)| stem.to_owned());
                finding.kind == FindingKind::ArchiveDiffers && stem(&finding.file) == stem(name)
            });
            assert!(named, "{name} byte {at}: {:?}", verdict.findings);
        }
        let mut image = after.clone();
        image.remove(name);
        assert!(!checked(&image).is_ok(), "{name}");
    }
}

#[test]
fn what_nobody_logged_and_what_somebody_else_made_is_found() {
    let storage = MemStorage::from_image(log());
    archive(Tiered::new(storage.clone()), false);
    let verdict = checked(&storage.image());
    assert!(verdict.findings.iter().all(|f| f.kind == FindingKind::ArchiveDiffers));
    assert!(verdict.findings.len() >= 5, "{:?}", verdict.findings);
    // Blocks that are right in themselves, of a log with one other byte.
    let (_, after, ..) = archived();
    let mut other = log();
    for (name, bytes) in &mut other {
        if name == "wal/00000000000000000000.wal" {
            bytes[700] ^= 1;
        }
    }
    let mut tiers = Tiered::new(MemStorage::from_image(other));
    assert!(pack(&mut tiers, u64::MAX).is_err());
    let mut image = after;
    let forged = tiers.stored().image();
    for (name, bytes) in forged.iter().filter(|(name, _)| name.starts_with("archive/")) {
        image.insert(name.clone(), bytes.clone());
    }
    assert!(!checked(&image).is_ok());
}

/// Whatever a crash leaves of packing, logging and removing: no acknowledged entry is lost, and the
/// log opens, verifies, and can be archived again.
#[test]
fn a_crash_at_any_step_leaves_every_entry_in_one_place_at_least() {
    let plain = log();
    let expected = opened(MemStorage::from_image(plain.clone())).2;
    let disk = SimDisk::from_image(&plain);
    archive(Tiered::new(disk.clone()), true);
    let steps = disk.steps_from(0);
    let (mut state, mut random, mut points) = (DiskState::from_image(&plain), Random(3), 0);
    let mut last = Image::new();
    for step in steps.iter().map(Some).chain([None]) {
        for loss in LOSSES {
            let image = state.crash(loss, &mut random);
            if image == last {
                continue;
            }
            points += 1;
            let storage = MemStorage::from_image(image.clone());
            let (writer, _, entries) = opened(Tiered::new(storage.clone()));
            assert!(entries.starts_with(&expected), "point {points}, {loss:?}");
            drop(writer);
            if points % 40 == 0 {
                archive(Tiered::new(storage.clone()), true);
                let verdict = checked(&storage.image());
                assert!(verdict.is_ok(), "point {points}, {loss:?}: {:?}", verdict.findings);
            }
            last = image;
        }
        if let Some(step) = step {
            state.apply(step);
        }
    }
    assert!(points > 400, "{points} of {} steps", steps.len());
}

#[test]
fn a_block_that_is_gone_is_an_error_and_never_silence() {
    let (_, after, ..) = archived();
    let block =
        after.keys().find(|name| name.split('.').next_back() == Some("cwz")).unwrap().clone();
    let mut image = after;
    image.remove(&block);
    let tiers = Tiered::new(MemStorage::from_image(image));
    let read = tiers.read_all("wal/00000000000000000000.wal", 1 << 20);
    assert!(matches!(read, Err(StorageError::Io { .. })), "{read:?}");
}
