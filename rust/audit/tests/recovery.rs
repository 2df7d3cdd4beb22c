//! Crashes, tampering, rollback, two writers.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod common;

use common::{
    START_NS, close_entry, closed_log, create, fill, keys, open_log, recovery_entry, reopen, small,
    verdict, write_kill_files,
};
use cwts_audit::{FindingKind, KeyChain, Keys, LogError, MemStorage, Options, Writer};
use cwts_types::{EntryType, RecoveryCause};

const FIRST_SEGMENT: &str = "wal/00000000000000000000.wal";

/// Position and length of the last frame.
fn last_frame(bytes: &[u8]) -> (usize, usize) {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let (mut at, mut last) = (0, (0, 0));
    while bytes.get(at..at + 8) == Some(b"CWTSWAL1") {
        let length = (64 + word(at + 32) + 96).next_multiple_of(512);
        last = (at, length);
        at += length;
    }
    last
}

#[test]
fn a_clean_close_opens_clean_and_goes_on() {
    let storage = closed_log(40, 8, small());
    let before = verdict(&storage);
    let (mut writer, opened, seen) = reopen(storage.clone()).unwrap();
    assert!(opened.is_clean());
    assert_eq!((opened.size, opened.root, opened.cut_bytes), (40, before.root, 0));
    assert_eq!(seen.len(), 40);
    // Until something is written, the log on disk is still the closed one.
    assert_eq!(verdict(&storage).findings, []);

    let mut maker = common::Maker::default();
    for (index, entry) in seen.iter().enumerate() {
        let body = cwts_types::Entry::decode(entry).unwrap().body;
        let again = maker.entry(index as u64, body);
        assert_eq!(again, *entry);
    }
    fill(&mut writer, &mut maker, 60, 8);
    let open = verdict(&storage);
    assert_eq!(open.findings, [], "an open log keeps the old wal.head");
    assert!(!open.clean && open.notes.iter().any(|n| n.contains("unclean")));
    write_kill_files(writer.storage_mut(), &maker);
    writer.close(START_NS, |size, root| close_entry(&mut maker, size, root)).unwrap();
    let closed = verdict(&storage);
    assert_eq!(closed.findings, []);
    assert!(closed.clean);
    assert_eq!(closed.size, 61);
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_and_recorded() {
    let (storage, _) = open_log(40, 8, small());
    let image = storage.image();
    let wal = &image[FIRST_SEGMENT];
    let (start, length) = last_frame(wal);
    assert!(length >= 1024);
    for torn_at in 0..length {
        let storage = MemStorage::from_image(image.clone());
        storage.with_file(FIRST_SEGMENT, |b| b[start + torn_at..].fill(0));
        // What the frame's last bytes are is zero anyway: then nothing is torn.
        let whole = storage.image()[FIRST_SEGMENT] == *wal;
        let live = verdict(&storage);
        assert_eq!(live.findings, [], "torn at {torn_at}");
        assert_eq!(live.size, if whole { 40 } else { 32 });

        let (mut writer, opened, seen) = reopen(storage.clone()).unwrap();
        assert_eq!(opened.size, live.size);
        assert_eq!(seen.len() as u64, opened.size);
        let cause =
            if whole || torn_at == 0 { RecoveryCause::NoClose } else { RecoveryCause::TornTail };
        assert_eq!(opened.cause, Some(cause), "torn at {torn_at}");
        if torn_at % 32 != 0 {
            continue;
        }
        let mut maker = common::Maker::default();
        for (index, entry) in seen.iter().enumerate() {
            maker.entry(index as u64, cwts_types::Entry::decode(entry).unwrap().body);
        }
        let entry = recovery_entry(&mut maker, opened.size, opened.cut_bytes, opened.root);
        writer.push(&entry).unwrap();
        fill(&mut writer, &mut maker, 50, 8);
        write_kill_files(writer.storage_mut(), &maker);
        writer.close(START_NS, |size, root| close_entry(&mut maker, size, root)).unwrap();
        let closed = verdict(&storage);
        assert_eq!(closed.findings, [], "torn at {torn_at}");
        assert_eq!(closed.entry_counts[EntryType::Recovery.name()], 1);
    }
}

#[test]
fn a_tail_cut_short_at_any_length_is_torn_too() {
    let (storage, _) = open_log(40, 8, small());
    let image = storage.image();
    let (start, length) = last_frame(&image[FIRST_SEGMENT]);
    for cut in 0..length {
        let storage = MemStorage::from_image(image.clone());
        storage.with_file(FIRST_SEGMENT, |b| b.truncate(start + cut));
        assert_eq!(verdict(&storage).findings, [], "cut at {cut}");
        let (_, opened, _) = reopen(storage).unwrap();
        assert_eq!((opened.size, opened.cut_bytes > 0), (32, cut > 0));
    }
}

#[test]
fn a_bad_frame_before_a_good_one_is_tampering_in_this_and_in_later_segments() {
    for segment_bytes in [32 * 1024, 2 * 1024] {
        let options = Options { segment_bytes, ..Options::default() };
        let (storage, _) = open_log(64, 8, options);
        let image = storage.image();
        for (file, at) in [(FIRST_SEGMENT, 70), (FIRST_SEGMENT, 5), (FIRST_SEGMENT, 600)] {
            let storage = MemStorage::from_image(image.clone());
            storage.with_file(file, |b| b[at] ^= 1);
            let before = storage.image();
            let error = reopen(storage.clone()).unwrap_err();
            assert!(matches!(error, LogError::Tamper { .. }), "{error}");
            assert!(storage.image() == before, "a refused log is left as it is");
            assert!(!verdict(&storage).is_ok());
        }
    }
}

#[test]
fn a_damaged_end_of_a_segment_that_has_a_follower_is_tampering() {
    let (storage, _) = open_log(64, 8, Options { segment_bytes: 2048, ..Options::default() });
    let segments: Vec<String> =
        storage.image().into_keys().filter(|n| n.starts_with("wal/")).collect();
    let last_but_one = &segments[segments.len() - 2];
    storage.with_file(last_but_one, |b| {
        let last = b.iter().rposition(|x| *x != 0).unwrap();
        b[last] ^= 1;
    });
    // The follower is emptied too: no good frame is behind the bad one, and yet it was begun.
    storage.with_file(&segments[segments.len() - 1], |b| b.fill(0));
    assert!(matches!(reopen(storage), Err(LogError::Tamper { .. })));
}

#[test]
fn less_than_was_signed_is_rollback() {
    let (storage, _) = open_log(40, 8, small());
    let (mut writer, ..) = reopen(storage.clone()).unwrap();
    let signed = writer.checkpoint().unwrap();
    assert_eq!(signed.size, 40);
    drop(writer);
    let (start, _) = last_frame(&storage.image()[FIRST_SEGMENT]);
    storage.with_file(FIRST_SEGMENT, |b| b[start..].fill(0));
    let error = reopen(storage.clone()).unwrap_err();
    assert!(matches!(error, LogError::Rollback { .. }), "{error}");
    let findings = verdict(&storage).findings;
    assert!(findings.iter().any(|f| f.kind.name() == "ROLLBACK"), "{findings:?}");
}

#[test]
fn an_old_copy_under_a_newer_head_is_rollback() {
    let storage = closed_log(40, 8, small());
    let old = storage.image();
    let (mut writer, _, seen) = reopen(storage.clone()).unwrap();
    let mut maker = common::Maker::default();
    for (index, entry) in seen.iter().enumerate() {
        maker.entry(index as u64, cwts_types::Entry::decode(entry).unwrap().body);
    }
    fill(&mut writer, &mut maker, 50, 8);
    writer.close(START_NS, |size, root| close_entry(&mut maker, size, root)).unwrap();
    for newer in ["checkpoint", "wal.head"] {
        let mut mixed = old.clone();
        mixed.insert(newer.to_owned(), storage.image()[newer].clone());
        let mixed = MemStorage::from_image(mixed);
        assert!(matches!(reopen(mixed.clone()), Err(LogError::Rollback { .. })), "{newer}");
        assert!(!verdict(&mixed).is_ok());
    }
    let mut without = old.clone();
    without.remove("checkpoint");
    assert!(matches!(reopen(MemStorage::from_image(without)), Err(LogError::Rollback { .. })));
}

#[test]
fn another_history_under_the_same_key_is_refused() {
    let (one, _) = open_log(40, 8, small());
    let (mut writer, ..) = reopen(one.clone()).unwrap();
    writer.checkpoint().unwrap();
    drop(writer);
    // The same log, but entry 13 says something else: every frame is made anew with the true key.
    let other = MemStorage::new();
    let (mut writer, mut maker) = create(other.clone(), small()).unwrap();
    fill(&mut writer, &mut maker, 13, 8);
    let tick = maker.entry(13, cwts_types::Body::Tick);
    writer.push(&tick).unwrap();
    fill(&mut writer, &mut maker, 40, 8);
    drop(writer);
    let mut forged = one.image();
    forged.insert(FIRST_SEGMENT.to_owned(), other.image()[FIRST_SEGMENT].clone());
    let forged = MemStorage::from_image(forged);
    assert!(matches!(reopen(forged.clone()), Err(LogError::Rollback { .. })));
    let findings = verdict(&forged).findings;
    let changed = findings.iter().find(|f| f.kind.name() == "ENTRY_CHANGED").unwrap();
    assert_eq!(changed.index, Some(13), "{findings:?}");
}

#[test]
fn a_second_writer_is_refused_until_the_first_is_gone() {
    let storage = MemStorage::new();
    let (writer, _) = create(storage.clone(), small()).unwrap();
    assert!(matches!(reopen(storage.clone()), Err(LogError::InUse)));
    drop(writer);
    assert!(reopen(storage.clone()).is_ok());
    assert!(matches!(create(storage, small()), Err(LogError::Exists { .. })));
    assert!(matches!(reopen(MemStorage::new()), Err(LogError::Empty)));
}

#[test]
fn another_frame_key_is_told_from_tampering() {
    let (storage, _) = open_log(10, 8, small());
    let wrong = Keys::new(common::ORIGIN, &common::SEED, KeyChain::new([6; 32])).unwrap();
    let opened = Writer::open(storage, wrong, small(), &mut |_, _| Ok(()));
    assert!(matches!(opened, Err(LogError::WrongKey)));
}

#[test]
fn a_visitor_may_refuse_and_is_quoted() {
    let (storage, _) = open_log(10, 8, small());
    let opened = Writer::open(storage, keys(), small(), &mut |index, _| {
        if index == 7 { Err("no".into()) } else { Ok(()) }
    });
    assert_eq!(opened.unwrap_err().to_string(), "entry 7: no");
}

#[test]
fn lost_tiles_are_made_again() {
    let (storage, _) = open_log(600, 16, Options::default());
    let (mut writer, ..) = reopen(storage.clone()).unwrap();
    writer.checkpoint().unwrap();
    drop(writer);
    let sound = storage.image();
    let mut lost = sound.clone();
    lost.retain(|name, _| !name.starts_with("tile/"));
    lost.insert("tile/0/001".to_owned(), vec![0; 8192]);
    lost.insert("tile/entries/001".to_owned(), vec![0; 100]);
    let lost = MemStorage::from_image(lost);
    let (mut writer, opened, _) = reopen(lost.clone()).unwrap();
    assert_eq!(opened.tiles_rebuilt, 7, "three tiles, two bundles, two partial files");
    writer.checkpoint().unwrap();
    drop(writer);
    assert!(lost.image() == sound);
}

#[test]
fn a_torn_tile_is_made_again_and_no_signed_tile_may_be_torn() {
    let options = Options { sync_tiles: false, ..Options::default() };
    let sound = closed_log(600, 16, options).image();
    assert!(sound == closed_log(600, 16, Options::default()).image());
    let (storage, _) = open_log(600, 16, options);
    let unsigned = storage.image();
    for length in [0, 1, 4096, 8191] {
        let torn = MemStorage::from_image(unsigned.clone());
        torn.with_file("tile/0/001", |bytes| *bytes = sound["tile/0/001"][..length].to_vec());
        let before = verdict(&torn);
        assert_eq!(before.findings, [], "{length} bytes");
        assert!(before.notes.iter().any(|n| n == "`tile/0/001` is torn"), "{:?}", before.notes);
        let (mut writer, opened, _) = reopen(torn.clone()).unwrap();
        assert!(opened.tiles_rebuilt > 0);
        writer.checkpoint().unwrap();
        drop(writer);
        assert!(torn.image()["tile/0/001"] == sound["tile/0/001"]);
        torn.with_file("tile/0/001", |bytes| bytes.truncate(length));
        let kinds: Vec<FindingKind> = verdict(&torn).findings.iter().map(|f| f.kind).collect();
        assert_eq!(kinds, [FindingKind::TileChanged], "a signed size needs it");
    }
}

#[test]
fn the_set_of_files_is_a_function_of_the_size() {
    let mut images = Vec::new();
    for group in [1, 7, 300] {
        let storage = MemStorage::new();
        let (mut writer, mut maker) = create(storage.clone(), Options::default()).unwrap();
        for size in (20..=560).step_by(60) {
            fill(&mut writer, &mut maker, size, group);
            writer.checkpoint().unwrap();
        }
        let mut image = storage.image();
        image.retain(|name, _| name.starts_with("tile/") || name == "checkpoint");
        images.push(image);
    }
    let names: Vec<&String> = images[0].keys().collect();
    assert_eq!(
        names,
        [
            "checkpoint",
            "tile/0/000",
            "tile/0/001",
            "tile/0/002.p/48",
            "tile/1/000.p/2",
            "tile/entries/000",
            "tile/entries/001",
            "tile/entries/002.p/48"
        ]
    );
    // Group commits leave no trace in tree, tiles or bundles. (The bodies depend on where a fill
    // ends.)
    assert!(images[0] == images[1] && images[1] == images[2]);
}

#[test]
fn bounds_of_frames_and_entries_hold() {
    let storage = MemStorage::new();
    let (mut writer, mut maker) = create(storage.clone(), Options::default()).unwrap();
    assert!(matches!(writer.push(&vec![0; 65_536]), Err(LogError::EntryTooLong { bytes: 65_536 })));
    // More than a frame's entries, and more than its bytes, without a commit between.
    for _ in 0..9000 {
        let index = writer.size();
        writer.push(&maker.entry(index, cwts_types::Body::Tick)).unwrap();
    }
    let text = "x".repeat(60_000);
    for _ in 0..150 {
        let index = writer.size();
        let note = cwts_types::Note { salt: [0; 16], text: text.clone() };
        writer.push(&maker.entry(index, cwts_types::Body::Note(note))).unwrap();
    }
    assert!(writer.durable_size() < writer.size());
    writer.commit(START_NS).unwrap();
    assert_eq!(writer.durable_size(), writer.size());
    drop(writer);
    assert_eq!(verdict(&storage).findings, []);
    assert_eq!(reopen(storage).unwrap().1.size, 9152);
}

#[test]
fn nothing_above_the_durable_size_is_signed() {
    let storage = MemStorage::new();
    let (mut writer, mut maker) = create(storage, small()).unwrap();
    writer.push(&maker.entry(2, cwts_types::Body::Tick)).unwrap();
    assert_eq!(writer.checkpoint().unwrap().size, 2);
    writer.commit(START_NS).unwrap();
    let signed = writer.checkpoint().unwrap();
    assert_eq!((signed.size, signed.root), (3, writer.root()));
}
