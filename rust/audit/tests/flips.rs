//! No bit of a closed log can change, no byte can go, and the finding names the place.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod common;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use common::{witness_keys as all_keys, witnessed_log as closed_log};
use cwts_audit::crash::Random;
use cwts_audit::{FindingKind, Level, MemStorage, Options, VerifyKeys, verify, verify_up_to};

type Image = BTreeMap<String, Vec<u8>>;

fn is_found(image: &MemStorage) -> bool {
    static KEYS: LazyLock<VerifyKeys> = LazyLock::new(all_keys);
    !verify_up_to(image, &KEYS, Level::Full, 1).unwrap().is_ok()
}

/// Flips these bits one by one, over two threads, and gives those that no finding met.
#[expect(clippy::disallowed_methods, reason = "a test may own threads: two halve its time")]
fn missed(image: &Image, bits: &[(String, usize)]) -> Vec<(String, usize)> {
    let check = |part: Vec<(String, usize)>, image: Image| {
        let storage = MemStorage::from_image(image);
        let mut missed = Vec::new();
        for (file, bit) in part {
            let flip = |bytes: &mut Vec<u8>| bytes[bit / 8] ^= 1 << (bit % 8);
            storage.with_file(&file, flip);
            if !is_found(&storage) {
                missed.push((file.clone(), bit));
            }
            storage.with_file(&file, flip);
        }
        assert!(!is_found(&storage), "every flip was undone");
        missed
    };
    let (left, right) = bits.split_at(bits.len() / 2);
    let (left, right, other) = (left.to_vec(), right.to_vec(), image.clone());
    let half = std::thread::spawn(move || check(left, other));
    let mut all = check(right, image.clone());
    all.extend(half.join().unwrap());
    all
}

#[test]
fn a_sound_log_has_no_finding() {
    for (size, options) in [
        (40, Options::default()),
        (1000, Options { segment_bytes: 16 * 1024, ..Options::default() }),
    ] {
        let log = closed_log(size, 8, options);
        let verdict = verify(&log, &all_keys(), Level::Full).unwrap();
        assert_eq!(verdict.findings, []);
        assert!(verdict.clean && verdict.not_checked.is_empty(), "{verdict:?}");
        assert_eq!(verdict.size, size);
        assert_eq!(verdict.entry_counts.values().sum::<u64>(), size);
        let roots = verify(&log, &all_keys(), Level::Roots).unwrap();
        assert_eq!((roots.findings, roots.root), (vec![], verdict.root));
    }
}

#[test]
fn every_bit_of_every_file_of_forty_entries_is_covered() {
    let image = closed_log(40, 8, Options::default()).image();
    assert!(image.len() >= 8, "{:?}", image.keys());
    let mut bits = Vec::new();
    for (file, bytes) in &image {
        bits.extend((0..bytes.len() * 8).map(|bit| (file.clone(), bit)));
    }
    assert!(image.contains_key("checkpoint.witnessed"), "with two signature lines");
    assert!(bits.len() > 190_000, "{}", bits.len());
    assert_eq!(missed(&image, &bits), []);
}

#[test]
fn the_whole_check_finds_what_the_first_sign_shows() {
    let options = Options { segment_bytes: 4 * 1024, ..Options::default() };
    let plain = common::closed_log(300, 16, options).image();
    let cosigned = closed_log(300, 16, options).image();
    let mut random = Random(5);
    let in_it = |(file, bytes): &(&String, &Vec<u8>)| {
        !bytes.is_empty() && (!plain.contains_key(*file) || file.starts_with("checkpoint"))
    };
    let of_plain = plain.iter().filter(|(_, bytes)| !bytes.is_empty());
    let files = of_plain.map(|of| (of, &plain, common::all_keys()));
    let more = cosigned.iter().filter(in_it).map(|of| (of, &cosigned, all_keys()));
    for ((file, bytes), image, keys) in files.chain(more) {
        let storage = MemStorage::from_image(image.clone());
        for _ in 0..120 {
            let bit = random.below(bytes.len() as u64 * 8) as usize;
            let flip = |b: &mut Vec<u8>| b[bit / 8] ^= 1 << (bit % 8);
            storage.with_file(file, flip);
            let verdict = verify(&storage, &keys, Level::Full).unwrap();
            assert!((1..=6).contains(&verdict.findings.len()), "{file} {bit}: {verdict:?}");
            assert!(verdict.findings.iter().any(|f| f.file == *file), "{file} {bit}: {verdict:?}");
            storage.with_file(file, flip);
        }
    }
}

#[test]
fn a_hundred_thousand_random_bits_of_a_thousand_entries_are_found() {
    let options = Options { segment_bytes: 64 * 1024, ..Options::default() };
    let image = closed_log(1000, 64, options).image();
    let files: Vec<(&String, usize)> =
        image.iter().map(|(f, b)| (f, b.len() * 8)).filter(|(_, n)| *n > 0).collect();
    let total: usize = files.iter().map(|(_, n)| n).sum();
    let mut random = Random(17);
    let mut bits = Vec::new();
    while bits.len() < 100_000 {
        let mut at = random.below(total as u64) as usize;
        for (file, count) in &files {
            if at < *count {
                bits.push(((*file).clone(), at));
                break;
            }
            at -= count;
        }
    }
    assert_eq!(missed(&image, &bits), []);
}

/// Random bytes, random cuts, headers of random fields with a right checksum: nothing panics,
/// nothing is accepted.
#[test]
fn garbage_is_refused_without_a_panic() {
    let image = closed_log(40, 8, Options { segment_bytes: 4096, ..Options::default() }).image();
    let names: Vec<&String> = image.keys().filter(|n| *n != "lock").collect();
    let mut random = Random(23);
    for round in 0..3000 {
        let storage = MemStorage::from_image(image.clone());
        for _ in 0..=random.below(3) {
            let name = names[random.below(names.len() as u64) as usize];
            storage.with_file(name, |bytes| {
                let at = random.below(bytes.len() as u64 / 64) as usize * 64;
                if name.starts_with("wal/") && round % 2 == 0 && at + 64 <= bytes.len() {
                    let at = at / 512 * 512;
                    bytes[at..at + 8].copy_from_slice(b"CWTSWAL1");
                    bytes[at + 8..at + 12].copy_from_slice(&1_u32.to_le_bytes());
                    let field = at + 12 + random.below(6) as usize * 8;
                    let value = random.below(u64::MAX) >> random.below(64);
                    bytes[field..field + 8].copy_from_slice(&value.to_le_bytes());
                    bytes[at + 56..at + 60].fill(0);
                    let crc = crc32c::crc32c(&bytes[at..at + 60]);
                    bytes[at + 60..at + 64].copy_from_slice(&crc.to_le_bytes());
                } else {
                    let end = (at + 1 + random.below(40) as usize).min(bytes.len());
                    bytes[at..end].iter_mut().for_each(|b| *b = random.below(256) as u8);
                }
            });
        }
        if storage.image() != image {
            assert!(!verify(&storage, &all_keys(), Level::Full).unwrap().is_ok());
            let options = Options::default();
            let _ = cwts_audit::Writer::open(storage, common::keys(), options, &mut |_, _| Ok(()));
        }
    }
}

/// A writer that was ended between making room and its first frame leaves zeros behind the close,
/// whole sectors of them. Anything else there is not what closing leaves.
#[test]
fn zeros_behind_a_close_are_room_and_nothing_else_is() {
    let image = closed_log(40, 8, Options::default()).image();
    let wal = image.keys().find(|name| name.starts_with("wal/")).unwrap();
    let grown = |more: &[u8]| {
        let storage = MemStorage::from_image(image.clone());
        storage.with_file(wal, |bytes| bytes.extend_from_slice(more));
        common::verdict(&storage)
    };
    for bytes in [512, 4096, 256 << 10] {
        let verdict = grown(&vec![0; bytes]);
        assert_eq!(verdict.findings, [], "{bytes}");
        assert!(verdict.notes.iter().any(|note| note.starts_with("room behind the close")));
    }
    let mut one = [0; 512];
    one[300] = 1;
    for more in [&[0; 511][..], &[0; 513], &one] {
        let found = grown(more).findings;
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].kind, FindingKind::WalPadding);
    }
}

#[test]
fn every_cut_and_every_removal_is_found() {
    let image = closed_log(40, 8, Options::default()).image();
    for (file, bytes) in &image {
        let mut without = image.clone();
        without.remove(file);
        assert!(is_found(&MemStorage::from_image(without)), "{file} removed");
        for length in 0..bytes.len() {
            let storage = MemStorage::from_image(image.clone());
            storage.with_file(file, |b| b.truncate(length));
            assert!(is_found(&storage), "{file} cut to {length}");
        }
        for extra in [0, 1] {
            let storage = MemStorage::from_image(image.clone());
            storage.with_file(file, |b| b.push(extra));
            assert!(is_found(&storage), "{file} grew by a byte {extra}");
        }
    }
    for name in ["stray", "wal/x", "tile/0/001", "wal/00000000000000000900.wal", "checkpoint.tmp"] {
        let storage = MemStorage::from_image(image.clone());
        storage.with_file(name, |b| b.push(0));
        assert!(is_found(&storage), "{name} appeared");
    }
}

#[test]
fn a_changed_entry_is_named_with_its_file_and_byte() {
    let options = Options { segment_bytes: 8 * 1024, ..Options::default() };
    let sound = closed_log(600, 16, options);
    let image = sound.image();
    let mut named = 0;
    for (file, bytes) in image.iter().filter(|(name, _)| name.starts_with("wal/")) {
        let mut at = 0;
        while at < bytes.len() {
            let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
            let first = u64::from(word(at + 16));
            let payload = word(at + 32) as usize;
            let mut entry_at = at + 64;
            for index in first..first + u64::from(word(at + 12)) {
                let length = usize::from(bytes[entry_at]) << 8 | usize::from(bytes[entry_at + 1]);
                let entry_start = entry_at + 2;
                if index % 7 == 0 {
                    let changed = MemStorage::from_image(image.clone());
                    changed.with_file(file, |b| b[entry_start + length / 2] ^= 0x10);
                    let verdict = verify(&changed, &all_keys(), Level::Full).unwrap();
                    let [finding] = &verdict.findings[..] else { panic!("{:?}", verdict.findings) };
                    assert_eq!(finding.kind, FindingKind::EntryChanged);
                    assert_eq!(finding.index, Some(index));
                    assert_eq!((&finding.file, finding.offset), (file, Some(entry_start as u64)));
                    assert!(finding.proved_by.contains("signed root"));
                    named += 1;
                }
                if index % 31 == 0 {
                    let changed = MemStorage::from_image(image.clone());
                    changed.with_file(file, |b| b[entry_at + 1] ^= 1);
                    let verdict = verify(&changed, &all_keys(), Level::Full).unwrap();
                    let finding = &verdict.findings[0];
                    assert_eq!(finding.kind, FindingKind::BundleLength, "{:?}", verdict.findings);
                    assert_eq!(finding.index, Some(index));
                }
                entry_at += 2 + length;
            }
            at += (64 + payload + 96).next_multiple_of(512);
        }
    }
    assert_eq!(named, 86);
}

#[test]
fn a_changed_tile_is_told_from_a_changed_entry() {
    let image = closed_log(600, 16, Options::default()).image();
    for (tile, at, index) in
        [("tile/0/000", 5 * 32 + 3, 5), ("tile/0/002.p/88", 0, 512), ("tile/1/000.p/2", 40, 256)]
    {
        let storage = MemStorage::from_image(image.clone());
        storage.with_file(tile, |b| b[at] ^= 1);
        let verdict = verify(&storage, &all_keys(), Level::Full).unwrap();
        let [finding] = &verdict.findings[..] else { panic!("{:?}", verdict.findings) };
        assert_eq!((finding.kind, finding.index), (FindingKind::TileChanged, Some(index)));
        assert_eq!(finding.file, tile);
        assert_eq!(finding.offset, Some(at as u64 / 32 * 32));
    }
}

#[test]
fn a_changed_bundle_is_told_from_a_changed_frame() {
    let image = closed_log(600, 16, Options::default()).image();
    let entries = |name: &str| {
        cwts_audit::frame::Entries::new(&image[name]).map(Result::unwrap).collect::<Vec<_>>()
    };
    let (at, entry) = entries("tile/entries/001")[5];
    for (change, place) in [(at + 3, 5), (at - 1, 5), (at + entry.len() - 1, 5)] {
        let storage = MemStorage::from_image(image.clone());
        storage.with_file("tile/entries/001", |b| b[change] ^= 1);
        let verdict = verify(&storage, &all_keys(), Level::Full).unwrap();
        let [finding] = &verdict.findings[..] else { panic!("{:?}", verdict.findings) };
        assert_eq!((finding.kind, finding.index), (FindingKind::BundleChanged, Some(256 + place)));
        assert_eq!(finding.offset, Some(at as u64 - 2), "where its length stands");
    }
    // The frame is the changed one: the bundle has the signed entry, and is no finding.
    let storage = MemStorage::from_image(image.clone());
    storage.with_file("wal/00000000000000000000.wal", |b| {
        let found = b.windows(entry.len()).position(|w| w == entry).unwrap();
        b[found + 20] ^= 1;
    });
    let verdict = verify(&storage, &all_keys(), Level::Full).unwrap();
    let kinds: Vec<_> = verdict.findings.iter().map(|f| (f.kind, f.index)).collect();
    assert_eq!(kinds, [(FindingKind::EntryChanged, Some(261))]);
    // Both are changed: both are named.
    storage.with_file("tile/entries/001", |b| b[at + 3] ^= 1);
    let verdict = verify(&storage, &all_keys(), Level::Full).unwrap();
    let mut kinds: Vec<_> = verdict.findings.iter().map(|f| (f.kind, f.index)).collect();
    kinds.sort_unstable();
    let both = [FindingKind::EntryChanged, FindingKind::BundleChanged];
    assert_eq!(kinds, both.map(|kind| (kind, Some(261))));
    let mut without = image.clone();
    without.remove("tile/entries/000");
    let verdict = verify(&MemStorage::from_image(without), &all_keys(), Level::Full).unwrap();
    let [finding] = &verdict.findings[..] else { panic!("{:?}", verdict.findings) };
    assert_eq!((finding.kind, finding.index_end), (FindingKind::BundleMissing, Some(255)));
    // A log of an earlier build has none at all: told once.
    let mut without = image.clone();
    without.retain(|name, _| !name.starts_with("tile/entries/"));
    let verdict = verify(&MemStorage::from_image(without), &all_keys(), Level::Full).unwrap();
    let [finding] = &verdict.findings[..] else { panic!("{:?}", verdict.findings) };
    assert_eq!((finding.kind, finding.index_end), (FindingKind::BundleMissing, Some(599)));
}

#[test]
fn with_tile_and_entry_changed_the_range_is_named() {
    let image = closed_log(600, 16, Options::default()).image();
    let storage = MemStorage::from_image(image);
    storage.with_file("tile/0/000", |b| b[7] ^= 1);
    storage.with_file("wal/00000000000000000000.wal", |b| {
        let at = b.windows(13).position(|w| w == b"desk A opened").unwrap();
        b[at] = b'D';
    });
    let verdict = verify(&storage, &all_keys(), Level::Full).unwrap();
    let range = verdict.findings.iter().find(|f| f.kind == FindingKind::RangeChanged).unwrap();
    assert_eq!((range.index, range.index_end), (Some(0), Some(255)), "{:?}", verdict.findings);
}
