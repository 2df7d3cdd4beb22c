//! The public LOBSTER samples, where the data directory holds them.
#![allow(clippy::unwrap_used, reason = "a test's own set-up may panic")]

mod common;

use common::{AAPL, AMZN, Dribble, decode, decode_bytes, gzip, sample, sample_packed};
use cwts_feeds::decoder::Decoder;
use cwts_feeds::error::FeedErrorKind;
use cwts_feeds::event::{Event, EventKind, flag};
use cwts_feeds::lobster::LobsterDecoder;
use cwts_feeds::sniff::Format;
use cwts_feeds::source::{Input, OpenOptions};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

fn count(events: &[Event], kind: EventKind) -> usize {
    events.iter().filter(|event| event.kind == kind).count()
}

#[test]
fn amazon_has_57515_rows_and_the_known_mix() {
    let Some(bytes) = sample(AMZN) else { return };
    let options = OpenOptions { symbol: Some("AMZN".to_owned()), ..OpenOptions::default() };
    let decoded = decode(Input::Bytes(&bytes), None, &options);
    assert_eq!(decoded.error, None);
    let events = &decoded.events;
    assert_eq!(events.len(), 57_515);
    assert_eq!(decoded.names.instruments, ["AMZN"]);
    assert_eq!(count(events, EventKind::Add), 27_845);
    assert_eq!(count(events, EventKind::Fill), 8_974);
    // Orphans of a level-1 file: 4,392 deletes, 3,071 fills, 4 reduces.
    let mut added = BTreeSet::new();
    let mut orphans = [0; 12];
    for event in events {
        match event.kind {
            EventKind::Add => {
                added.insert(event.order_id);
            }
            EventKind::Delete | EventKind::Fill | EventKind::Reduce => {
                orphans[event.kind as usize] += usize::from(!added.contains(&event.order_id));
            }
            _ => {}
        }
    }
    assert_eq!((orphans[3], orphans[4], orphans[2]), (4_392, 3_071, 4));
    let ties = events.windows(2).filter(|pair| pair[0].ts_ns == pair[1].ts_ns).count();
    assert_eq!(ties, 4_499);
    assert!(events.iter().all(|event| event.flags & flag::TIME_BACK == 0));
    let facts = decoded.facts.unwrap();
    assert_eq!((facts.format, facts.bytes), (Format::Lobster, bytes.len() as u64));
    assert_eq!(facts.sha256, Some(Sha256::digest(&bytes).into()));
    let first = events[0];
    assert_eq!((first.ts_ns, first.px, first.side), (34_200_017_460_000, 223_820_000_000, 2));
    assert_eq!((first.kind, first.flags), (EventKind::Trade, flag::HIDDEN));
}

#[test]
fn apple_has_999_rows() {
    let Some(packed) = sample_packed(AAPL) else { return };
    let decoded = decode_bytes(&packed);
    assert_eq!((decoded.error, decoded.events.len()), (None, 999));
    assert_eq!(decoded.events[0].ts_ns, 34_200_004_241_176);
    assert_eq!(decoded.events[1].ts_ns, 34_200_004_260_640);
}

#[test]
fn order_book_files_are_refused_with_a_hint() {
    for path in [
        "orderflow/lobster/AAPL_2012-06-21_first998_orderbook_10.csv.gz",
        "orderflow/lobster/AMZN_2012-06-21_34200000_57600000_orderbook_1.csv.gz",
    ] {
        let Some(packed) = sample_packed(path) else { return };
        let error = decode_bytes(&packed).error.unwrap();
        assert_eq!(error.kind, FeedErrorKind::OrderbookFile);
    }
}

#[test]
fn other_formats_are_refused_by_name() {
    for (file, name) in [
        ("orderflow/cme_mbo/esh4-glbx-mdp3-20231224.mbo.dbn.zst", "dbn"),
        ("orderflow/cme_mbo/esh4-glbx-mdp3-20231225.mbo.dbn.zst", "dbn"),
    ] {
        let Some(packed) = sample_packed(file) else { return };
        let error = decode_bytes(&packed).error.unwrap();
        assert_eq!(error.kind, FeedErrorKind::UnsupportedFormat, "{file}: {error}");
        assert!(error.detail.contains(name), "{file}: {error}");
    }
}

#[test]
fn chunks_of_any_size_give_the_same_events() {
    let Some(bytes) = sample(AMZN) else { return };
    let whole = decode_bytes(&bytes);
    for size in [1, 7, 4 << 10, 1 << 20] {
        assert!(pushed(&bytes, size) == whole.events, "chunk of {size}");
        let input = Input::Stream(Box::new(Dribble(&bytes, size)));
        let streamed = decode(input, None, &OpenOptions::default());
        assert!(streamed.events == whole.events, "stream of {size}");
        assert_eq!(streamed.facts.unwrap().sha256, whole.facts.unwrap().sha256);
    }
}

/// Hands the decoder chunks of `size`, and its own tail again, as the trait asks.
fn pushed(bytes: &[u8], size: usize) -> Vec<Event> {
    let mut decoder = LobsterDecoder::new(0, "AMZN");
    let (mut events, mut held) = (Vec::new(), Vec::new());
    for chunk in bytes.chunks(size) {
        held.extend_from_slice(chunk);
        loop {
            let before = events.len();
            let consumed = decoder.push(&held, false, &mut events).unwrap();
            held.drain(..consumed);
            if consumed == 0 && events.len() == before {
                break;
            }
        }
    }
    loop {
        let before = events.len();
        let consumed = decoder.push(&held, true, &mut events).unwrap();
        held.drain(..consumed);
        if consumed == 0 && events.len() == before {
            return events;
        }
    }
}

#[test]
fn a_cut_anywhere_is_an_error_or_a_clean_end_after_the_right_prefix() {
    for path in [AMZN, AAPL] {
        let Some(bytes) = sample(path) else { return };
        let whole = decode_bytes(&bytes).events;
        let packed = gzip(&bytes);
        let mut clean = 0;
        for cut in (1..bytes.len()).step_by(997) {
            let part =
                decode(Input::Bytes(&bytes[..cut]), Some(Format::Lobster), &OpenOptions::default());
            assert!(whole.starts_with(&part.events), "cut at {cut}");
            clean += usize::from(part.error.is_none());
        }
        assert!(clean > 0, "some cut falls on a line's end");
        for cut in (1..packed.len()).step_by(997) {
            let part = decode_bytes(&packed[..cut]);
            assert!(whole.starts_with(&part.events), "packed cut at {cut}");
            let error = part.error.unwrap();
            let expected = if cut == 1 {
                // One byte is not even a gzip magic.
                FeedErrorKind::UnknownFormat
            } else {
                FeedErrorKind::Truncated
            };
            assert_eq!(error.kind, expected, "packed cut at {cut}: {error}");
            assert_eq!(error.offset, if cut == 1 { 0 } else { cut as u64 });
        }
    }
}
