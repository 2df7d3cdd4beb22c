//! A log whose bytes, tree and signatures are all right may still say what no gateway can: the
//! entries must follow from one another.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod common;

use common::{
    Maker, START_NS, all_keys, body_at, close_entry, closed_log, create, decision, fill, open_log,
    order, write_kill_files,
};
use cwts_audit::holds::{KillAction, KillRequest, NamedScope, PAGE_FILE};
use cwts_audit::{FindingKind, Level, MemStorage, Options, Storage, Verdict, VerifyKeys, verify};
use cwts_types::{Body, Clock, ClockSource, Entry, LimitActivate, ScopeKind};

fn verdict(storage: &MemStorage) -> Verdict {
    verify(storage, &all_keys(), Level::Full).unwrap()
}

/// A closed log whose entry 20 and what follows are made by `write`.
fn log_with(write: impl FnOnce(&mut Maker, &mut dyn FnMut(Vec<u8>))) -> Verdict {
    let storage = MemStorage::new();
    let (mut writer, mut maker) = create(storage.clone(), Options::default()).unwrap();
    fill(&mut writer, &mut maker, 20, 8);
    write(&mut maker, &mut |entry| {
        writer.push(&entry).unwrap();
    });
    write_kill_files(writer.storage_mut(), &maker);
    writer.close(START_NS, |size, root| close_entry(&mut maker, size, root)).unwrap();
    verdict(&storage)
}

fn kinds(verdict: &Verdict) -> Vec<(FindingKind, Option<u64>)> {
    verdict.findings.iter().map(|f| (f.kind, f.index)).collect()
}

#[test]
fn an_order_and_its_decision_belong_together() {
    let sound = log_with(|maker, push| {
        push(maker.entry(20, order(20)));
        push(maker.entry(21, order(21)));
        push(maker.entry(22, decision(22, 21, 1)));
        push(maker.entry(23, decision(23, 20, 1)));
    });
    assert_eq!(sound.findings, []);
    let missing = log_with(|maker, push| push(maker.entry(20, order(20))));
    assert_eq!(kinds(&missing), [(FindingKind::DecisionMissing, Some(20))]);
    let twice = log_with(|maker, push| {
        push(maker.entry(20, order(20)));
        push(maker.entry(21, decision(21, 20, 1)));
        push(maker.entry(22, decision(22, 20, 1)));
    });
    assert_eq!(kinds(&twice), [(FindingKind::ParentBad, Some(22))]);
    let other = log_with(|maker, push| {
        push(maker.entry(20, order(20)));
        let Body::Decision(mut d, v) = decision(21, 20, 1) else { unreachable!() };
        d.order_id += 1;
        push(maker.entry(21, Body::Decision(d, v)));
    });
    assert_eq!(kinds(&other), [(FindingKind::ParentBad, Some(21))]);
}

#[test]
fn a_record_names_its_own_index() {
    let wrong = log_with(|maker, push| {
        push(maker.entry(20, order(99)));
        push(maker.entry(21, decision(21, 20, 1)));
    });
    let kinds = kinds(&wrong);
    assert_eq!(kinds[0], (FindingKind::SeqDiffers, Some(20)), "{kinds:?}");
}

#[test]
fn numbers_of_a_producer_have_no_gap() {
    let gap = log_with(|maker, push| {
        maker.gateway_seq += 1;
        push(maker.entry(20, Body::Tick));
    });
    assert_eq!(kinds(&gap), [(FindingKind::ProducerGap, Some(20))]);
    let again = log_with(|maker, push| {
        maker.gateway_seq -= 1;
        push(maker.entry(20, Body::Tick));
    });
    assert_eq!(kinds(&again), [(FindingKind::ProducerGap, Some(20))]);
}

#[test]
fn a_clock_that_nobody_read_is_noted_with_how_long() {
    let read_at = |times: &[i64]| {
        let verdict = log_with(|maker, push| {
            for (index, utc_ns) in (20..).zip(times) {
                let made = maker.entry(index, clock());
                let mut entry = Entry::decode(&made).unwrap();
                entry.header.utc_ns = *utc_ns;
                push(entry.to_bytes());
            }
        });
        assert_eq!(verdict.findings, []);
        verdict.notes.into_iter().filter(|note| note.contains("clock")).collect::<Vec<_>>()
    };
    let (start, second) = (START_NS as i64, 1_000_000_000);
    assert!(read_at(&[start, start + second, start + 3 * second]).is_empty());
    assert_eq!(
        read_at(&[start, start + 2 * second + 1, start + 6 * second]),
        ["2 times the clock was not read for over 2 s, at most 3999 ms"]
    );
    // A clock that was set back is no gap.
    assert!(read_at(&[start + 9 * second, start]).is_empty());
}

fn clock() -> Body {
    Body::Clock(Clock {
        source: ClockSource::Adjtimex,
        status: 0,
        flags: 0,
        maxerror_us: 1,
        esterror_us: 1,
        offset_ns: 0,
        freq: 0,
        tai: 37,
        bound_us: 100,
        raw_ns: 1,
        utc_minus_mono_ns: 1,
    })
}

#[test]
fn limits_versions_grow_and_are_in_force_when_named() {
    let again = log_with(|maker, push| {
        let same = LimitActivate { version: 1, parts: 1, first_part: 4, sha256: [0; 32] };
        push(maker.entry(20, Body::LimitActivate(same)));
    });
    assert_eq!(kinds(&again), [(FindingKind::LimitsVersion, Some(20))]);
    let early = log_with(|maker, push| {
        push(maker.entry(20, order(20)));
        push(maker.entry(21, decision(21, 20, 2)));
    });
    assert_eq!(kinds(&early), [(FindingKind::LimitsVersion, Some(21))]);
}

#[test]
fn an_entry_that_is_not_canonical_is_named() {
    let odd = log_with(|maker, push| {
        let mut entry = maker.entry(20, Body::Tick);
        entry[38] = 1;
        push(entry);
    });
    assert_eq!(kinds(&odd)[0], (FindingKind::NotCanonical, Some(20)));
}

#[test]
fn a_close_of_another_tree_is_named() {
    let storage = MemStorage::new();
    let (mut writer, mut maker) = create(storage.clone(), Options::default()).unwrap();
    fill(&mut writer, &mut maker, 20, 8);
    write_kill_files(writer.storage_mut(), &maker);
    writer.close(START_NS, |size, _| close_entry(&mut maker, size, [1; 32])).unwrap();
    assert_eq!(kinds(&verdict(&storage)), [(FindingKind::CloseDiffers, Some(20))]);
}

#[test]
fn frames_cannot_be_swapped_dropped_or_doubled() {
    let sound = closed_log(40, 8, Options::default());
    let image = sound.image();
    let name = "wal/00000000000000000000.wal";
    let wal = &image[name];
    let mut cuts = vec![0];
    while let Some(&at) = cuts.last()
        && at < wal.len()
    {
        let length = u32::from_le_bytes(wal[at + 32..at + 36].try_into().unwrap()) as usize;
        cuts.push(at + (64 + length + 96).next_multiple_of(512));
    }
    let frames: Vec<&[u8]> = cuts.windows(2).map(|c| &wal[c[0]..c[1]]).collect();
    assert!(frames.len() >= 6);
    for at in 0..frames.len() {
        let mut changed = vec![];
        let (mut dropped, mut doubled) = (frames.clone(), frames.clone());
        dropped.remove(at);
        doubled.insert(at, frames[at]);
        changed.extend([dropped, doubled]);
        if at > 0 {
            let mut swapped = frames.clone();
            swapped.swap(at, at - 1);
            changed.push(swapped);
        }
        for frames in changed {
            let storage = MemStorage::from_image(image.clone());
            storage.with_file(name, |b| *b = frames.concat());
            assert!(!verdict(&storage).is_ok(), "frame {at}");
        }
    }
}

#[test]
fn a_pending_request_is_told_and_lets_the_page_be_stricter() {
    let storage = closed_log(40, 8, Options::default());
    let firm = NamedScope { kind: ScopeKind::Firm, name: "firm".to_owned() };
    let request = KillRequest {
        action: KillAction::Halt(firm),
        actor: "anna".to_owned(),
        reason: "now".to_owned(),
        utc_ns: START_NS,
        cancel_working: false,
    };
    storage.with_file(PAGE_FILE, |page| raise(page, 0, 2));
    assert_eq!(kinds(&verdict(&storage)), [(FindingKind::KillDiffers, None)]);
    let path = KillRequest::path("7").unwrap();
    storage.with_file(&path, |b| *b = request.encode().into_bytes());
    let pending = verdict(&storage);
    assert_eq!(pending.findings, []);
    // A cell cannot have been raised at an epoch that the page has not reached.
    storage.with_file(PAGE_FILE, |page| page[72] += 1);
    let ahead = kinds(&verdict(&storage));
    assert_eq!(ahead, [(FindingKind::NotCanonical, None), (FindingKind::KillDiffers, None)]);
    storage.with_file(PAGE_FILE, |page| page[72] -= 1);
    assert!(pending.notes.iter().any(|n| n.contains("pending request `requests/7.req`")));
    let length = request.encode().len();
    for bit in 0..length * 8 {
        storage.with_file(&path, |b| b[bit / 8] ^= 1 << (bit % 8));
        assert!(!verdict(&storage).is_ok(), "bit {bit}");
        storage.with_file(&path, |b| b[bit / 8] ^= 1 << (bit % 8));
    }
}

/// Raises a slot of a page as any process may, by hand: the state, the page's epoch, and that
/// epoch in the cell, if its state was lower.
fn raise(page: &mut [u8], slot: usize, state: u64) {
    let word = |page: &[u8], at: usize| u64::from_le_bytes(page[at..at + 8].try_into().unwrap());
    let (cell, epoch) = (64 * (slot + 1), word(page, 16) + 1);
    let before = word(page, cell);
    page[cell..cell + 8].copy_from_slice(&before.max(state).to_le_bytes());
    page[16..24].copy_from_slice(&epoch.to_le_bytes());
    if before < state {
        let raised_at = word(page, cell + 8).max(epoch);
        page[cell + 8..cell + 16].copy_from_slice(&raised_at.to_le_bytes());
    }
}

#[test]
fn a_page_raised_while_the_log_is_open_is_of_its_form() {
    let (storage, _) = open_log(40, 8, Options::default());
    assert_eq!(verdict(&storage).findings, []);
    for (slot, state) in [(0, 1), (0, 2), (2, 2), (254, 1)] {
        storage.with_file(PAGE_FILE, |page| raise(page, slot, state));
        assert_eq!(verdict(&storage).findings, [], "slot {slot}");
    }
    storage.with_file(PAGE_FILE, |page| page[72] += 9);
    assert_eq!(kinds(&verdict(&storage)), [(FindingKind::NotCanonical, None)]);
}

#[test]
fn the_verdict_says_what_the_keys_did_not_allow() {
    let storage = closed_log(40, 8, Options::default());
    let without = verify(&storage, &VerifyKeys::default(), Level::Full).unwrap();
    assert_eq!(without.findings, []);
    assert_eq!(without.not_checked.len(), 2, "{:?}", without.not_checked);
    assert!(without.not_checked.iter().any(|n| n.contains("K_0")));
    assert!(without.not_checked.iter().any(|n| n.contains("consistency, not origin")));
    let mut other = all_keys();
    let stranger = cwts_audit::SigningKey::from_seed(common::ORIGIN, &[1; 32]).unwrap();
    other.vkey = Some(stranger.verify_key().clone());
    assert!(!verify(&storage, &other, Level::Full).unwrap().is_ok());
    assert!(!verify(&storage, &other, Level::Roots).unwrap().is_ok());
    let mut wrong_k0 = all_keys();
    wrong_k0.k0 = Some(cwts_audit::KeyChain::new([0; 32]));
    assert_eq!(
        kinds(&verify(&storage, &wrong_k0, Level::Full).unwrap()),
        [(FindingKind::GenesisDiffers, Some(1))]
    );
    // A flipped MAC shows without K_0 too: the next link and the signed end cover it.
    let blind = closed_log(40, 8, Options::default());
    blind.with_file("wal/00000000000000000000.wal", |b| {
        let length = u32::from_le_bytes(b[32..36].try_into().unwrap()) as usize;
        b[64 + length + 64] ^= 1;
    });
    assert!(!verify(&blind, &VerifyKeys::default(), Level::Full).unwrap().is_ok());
}

#[test]
fn the_sample_holds_what_it_claims() {
    assert!(matches!(body_at(10), Body::Kill(_)));
    let mut storage = closed_log(40, 8, Options::default());
    let verdict = verdict(&storage);
    for kind in ["ORDER", "DECISION", "EXEC", "KILL", "RESUME", "REGISTER", "CLOSE", "GENESIS"] {
        assert!(verdict.entry_counts.contains_key(kind), "{kind}");
    }
    storage.unlink(PAGE_FILE).unwrap();
    assert!(!storage.list().unwrap().iter().any(|f| f.name == PAGE_FILE));
}
