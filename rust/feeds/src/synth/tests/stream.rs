//! A stream is a function of its profile, seed and options, and of nothing else.

use sha2::{Digest, Sha256};

use super::draw;
use crate::event::{Event, EventKind, flag};
use crate::synth::{
    AnomalyKind, AnomalySet, Options, Profile, RESTRICTED, Synth, SynthError, canonical_bytes,
    order_id,
};

/// SHA-256 of the first million events of seed 7 with default options. A change of a constant is a
/// new version of its profile.
const FIRST_1M_SHA256: [(&str, &str); 3] = [
    ("equity-liquid@1", "c0f529c388289a0e4d44d4db68ffde793f06f2eb8aa1c4ed10993658609c24ab"),
    ("equity-thin@1", "3388f57950e3753f5bbb5924c7505181731225229aa04a8a1eddb4ed03e70476"),
    ("future@1", "27e36d529512fcca2242bf95bd0859eb55fd8f12557a5a49be1e07d190bf5209"),
];

fn hex(byte: u8) -> [char; 2] {
    [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
}

#[test]
fn the_first_million_events_have_the_committed_digest() {
    for (name, expected) in FIRST_1M_SHA256 {
        let mut synth = Synth::new(Profile::by_name(name).unwrap(), 7, Options::default()).unwrap();
        let mut digest = Sha256::new();
        let mut events = Vec::new();
        for _ in 0..100 {
            events.clear();
            synth.fill(10_000, &mut events, &mut Vec::new());
            for event in &events {
                digest.update(canonical_bytes(event));
            }
        }
        let digest: String = digest.finalize().iter().flat_map(|byte| hex(*byte)).collect();
        assert_eq!(digest, expected, "{name}");
    }
}

#[test]
fn batches_of_any_size_give_the_same_events_and_labels() {
    let options =
        Options { anomalies: AnomalySet::DEFAULT, span_events: 20_000, ..Options::default() };
    let n = 24_576;
    let whole = draw(7, options, n);
    for batch in [1, 7, 8_192] {
        let mut synth = Synth::new(Profile::equity_liquid(), 7, options).unwrap();
        let (mut events, mut labels) = (Vec::new(), Vec::new());
        while events.len() < n {
            synth.fill(batch.min(n - events.len()), &mut events, &mut labels);
        }
        assert!(events == whole.0, "batches of {batch}");
        assert_eq!(labels, whole.1);
    }
}

#[test]
fn another_seed_is_another_stream() {
    let times = |seed| -> Vec<u64> {
        draw(seed, Options::default(), 100).0.iter().map(|event| event.ts_ns).collect()
    };
    assert_ne!(times(1), times(2));
    assert_ne!(times(1), times(1 << 32 | 1), "all 64 bits of a seed count");
}

#[test]
fn anomalies_move_no_ordinary_event() {
    let anomalies = AnomalySet::DEFAULT.with(AnomalyKind::HaltInBurst);
    let options = Options { anomalies, span_events: 30_000, ..Options::default() };
    let (events, labels) = draw(7, options, 40_000);
    let injected: Vec<u64> = labels.iter().flat_map(|label| label.order_ids.clone()).collect();
    let mut kept: Vec<Event> = events
        .into_iter()
        .filter(|event| !injected.contains(&event.order_id) && event.kind != EventKind::State)
        .collect();
    for (index, event) in kept.iter_mut().enumerate() {
        event.src = index as u64;
    }
    let quiet = Options { anomalies: AnomalySet::NONE, ..options };
    assert!(kept.len() > 35_000 && kept.len() < 40_000);
    assert!(kept == draw(7, quiet, kept.len()).0);
}

#[test]
fn the_start_moves_all_times_alike() {
    let early = draw(7, Options { start_ns: 0, ..Options::default() }, 5_000).0;
    let late = draw(7, Options { start_ns: 1_000, ..Options::default() }, 5_000).0;
    for (early, late) in early.iter().zip(&late) {
        assert_eq!(Event { ts_ns: early.ts_ns + 1_000, ..*early }, *late);
    }
}

#[test]
fn a_stream_at_the_end_of_time_stands_still() {
    let anomalies = AnomalySet::DEFAULT;
    let options = Options { start_ns: u64::MAX - 5, anomalies, ..Options::default() };
    let (events, _) = draw(7, options, 20_000);
    assert_eq!(events.last().map(|event| event.ts_ns), Some(u64::MAX));
}

#[test]
fn names_are_made_up_and_as_many_as_asked_for() {
    let options = Options { instruments: 2, accounts: 3, strategies: 1, ..Options::default() };
    let synth = Synth::new(Profile::equity_liquid(), 7, options).unwrap();
    assert_eq!(synth.names().instruments, ["SYN0001", "SYN0002", RESTRICTED]);
    assert_eq!(synth.names().accounts, ["acct-01", "acct-02", "acct-03"]);
    assert_eq!(synth.names().strategies, ["strat-1"]);
}

#[test]
fn a_count_out_of_range_is_refused_by_name() {
    let refused = |options| Synth::new(Profile::equity_liquid(), 7, options).unwrap_err();
    let error = refused(Options { instruments: 4_097, ..Options::default() });
    assert_eq!(error, SynthError::OutOfRange { field: "instruments", value: 4_097, max: 4_096 });
    assert_eq!(error.to_string(), "instruments is 4097, and must be from 1 to 4096");
    for (options, field) in [
        (Options { instruments: 0, ..Options::default() }, "instruments"),
        (Options { accounts: 257, ..Options::default() }, "accounts"),
        (Options { accounts: 0, ..Options::default() }, "accounts"),
        (Options { strategies: 65, ..Options::default() }, "strategies"),
        (Options { strategies: 0, ..Options::default() }, "strategies"),
    ] {
        assert!(refused(options).to_string().starts_with(field));
    }
}

#[test]
fn profiles_are_found_by_name_with_and_without_their_version() {
    for profile in Profile::all() {
        for name in [profile.name(), profile.family()] {
            assert_eq!(Profile::by_name(name).unwrap().name(), profile.name());
        }
    }
    assert_eq!(Profile::by_name("equity-liquid").unwrap().name(), "equity-liquid@1");
    assert!(Profile::by_name("equity-liquid@2").is_none());
    assert!(Profile::by_name("").is_none());
}

#[test]
fn order_ids_are_one_to_one_on_48_bits() {
    let mut ids: Vec<u64> = (1..200_000).map(order_id).collect();
    assert!(ids.iter().all(|id| *id != 0 && *id < 1 << 48));
    let odd = ids.iter().filter(|id| **id % 2 == 1).count();
    assert!((95_000..105_000).contains(&odd), "parity shows nothing: {odd}");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 199_999);
}

#[test]
fn canonical_bytes_are_laid_out_as_the_note_says() {
    let event = Event {
        ts_ns: 0x0102_0304_0506_0708,
        order_id: 2,
        px: -3,
        qty: 4,
        ref_id: 5,
        src: 6,
        instrument: 7,
        account: 8,
        strategy: u32::MAX,
        kind: EventKind::Cross,
        side: 2,
        flags: flag::NO_REF | flag::SNAPSHOT,
    };
    let bytes = canonical_bytes(&event);
    assert_eq!(bytes[..8], [8, 7, 6, 5, 4, 3, 2, 1]);
    assert_eq!((bytes[8], bytes[24], bytes[32], bytes[40]), (2, 4, 5, 6));
    assert_eq!(bytes[16..24], (-3_i64).to_le_bytes());
    assert_eq!((bytes[48], bytes[52]), (7, 8));
    assert_eq!(bytes[56..60], [0xff; 4]);
    assert_eq!(bytes[60..], [11, 2, 1, 2]);
}
