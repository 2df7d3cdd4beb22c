//! The public day in ITCH, where the data directory holds it: against LOBSTER's rows of the same
//! day, and against another author's parser.
#![allow(clippy::unwrap_used, reason = "a test's own set-up may panic")]

mod common;

use common::{AMZN, Dribble, decode, decode_bytes, gzip, sample};
use cwts_feeds::decoder::Notice;
use cwts_feeds::error::FeedErrorKind;
use cwts_feeds::event::{Event, EventKind, flag};
use cwts_feeds::sniff::Format;
use cwts_feeds::source::{Input, OpenOptions};
use itchy::Body;
use std::collections::{BTreeMap, BTreeSet};

const ITCH: &str = "orderflow/itch50/AMZN_2012-06-21_from_lobster.itch50.gz";

#[test]
fn the_day_has_50051_messages_of_the_known_types() {
    let Some(bytes) = sample(ITCH) else { return };
    let decoded = decode_bytes(&bytes);
    assert_eq!(decoded.error, None);
    let facts = decoded.facts.unwrap();
    assert_eq!((facts.format, facts.counts.records), (Format::Itch, 50_051));
    assert_eq!(facts.counts.notices.count(Notice::NoFlow), 3);
    assert_eq!(decoded.names.instruments, ["AMZN"]);
    let count = |kind| decoded.events.iter().filter(|event| event.kind == kind).count();
    let kinds = [EventKind::Add, EventKind::Fill, EventKind::Delete, EventKind::Reduce];
    assert_eq!(kinds.map(count), [27_845, 5_903, 13_843, 12]);
    assert_eq!(count(EventKind::Trade), 2_445);
    assert_eq!(decoded.events.len(), 50_048);
}

/// LOBSTER's rows without those on orders that the file never added.
fn lobster_rows() -> Option<Vec<Event>> {
    let mut added = BTreeSet::new();
    let mut rows = decode_bytes(&sample(AMZN)?).events;
    rows.retain(|event| match event.kind {
        EventKind::Add => added.insert(event.order_id),
        EventKind::Trade => true,
        _ => added.contains(&event.order_id),
    });
    Some(rows)
}

#[test]
fn every_row_equals_that_of_the_csv_day() {
    let (Some(bytes), Some(rows)) = (sample(ITCH), lobster_rows()) else { return };
    let events = decode_bytes(&bytes).events;
    assert_eq!(events.len(), rows.len());
    let mut other_qty = 0;
    for (event, row) in events.iter().zip(&rows) {
        // A match number and the record are the format's own, and a deletion names no quantity.
        let mut same = Event { ref_id: row.ref_id, src: row.src, ..*event };
        if event.kind == EventKind::Delete && event.qty != row.qty {
            same.qty = row.qty;
            other_qty += 1;
        }
        assert_eq!(same, *row, "record {}", event.src);
    }
    // LOBSTER's day deletes 200 shares of order 35699321, of which its own rows leave 400.
    assert_eq!(other_qty, 1);
}

#[test]
fn another_parser_reads_the_same() {
    let Some(bytes) = sample(ITCH) else { return };
    let events = decode_bytes(&bytes).events;
    let mut prices = BTreeMap::new();
    let mut at = 0;
    for (record, message) in itchy::MessageStream::from_reader(&bytes[..]).enumerate() {
        let message = message.unwrap();
        let (id, qty, price) = match message.body {
            Body::AddOrder(order) => {
                prices.insert(order.reference, order.price.raw());
                (order.reference, order.shares, order.price.raw())
            }
            Body::OrderExecuted { reference, executed, .. } => {
                (reference, executed, prices[&reference])
            }
            Body::OrderCancelled { reference, cancelled } => {
                (reference, cancelled, prices[&reference])
            }
            Body::DeleteOrder { reference } => {
                (reference, events[at].qty as u32, prices[&reference])
            }
            Body::NonCrossTrade(trade) => (trade.reference, trade.shares, trade.price.raw()),
            Body::SystemEvent { .. } | Body::StockDirectory(_) => continue,
            other => panic!("record {record}: {other:?} is not in this day"),
        };
        let event = events[at];
        assert_eq!((event.src, event.ts_ns), (record as u64, message.timestamp));
        assert_eq!((event.order_id, event.qty), (id, i64::from(qty)), "record {record}");
        assert_eq!(event.px, i64::from(price) * 100_000, "record {record}");
        at += 1;
    }
    assert_eq!(at, events.len());
}

#[test]
fn chunks_of_any_size_give_the_same_events() {
    let Some(bytes) = sample(ITCH) else { return };
    let whole = decode_bytes(&bytes);
    for size in [1, 7, 4 << 10, 1 << 20] {
        let input = Input::Stream(Box::new(Dribble(&bytes, size)));
        let streamed = decode(input, None, &OpenOptions::default());
        assert!(streamed.events == whole.events, "stream of {size}");
        assert_eq!(streamed.facts.unwrap().sha256, whole.facts.unwrap().sha256);
    }
}

#[test]
fn a_cut_anywhere_is_an_error_or_a_clean_end_after_the_right_prefix() {
    let Some(bytes) = sample(ITCH) else { return };
    let whole = decode_bytes(&bytes).events;
    let packed = gzip(&bytes);
    for cut in (1..bytes.len()).step_by(997) {
        let input = Input::Bytes(&bytes[..cut]);
        let part = decode(input, Some(Format::Itch), &OpenOptions::default());
        assert!(whole.starts_with(&part.events), "cut at {cut}");
        if let Some(error) = part.error {
            assert_eq!(error.kind, FeedErrorKind::Truncated, "cut at {cut}: {error}");
            assert!(error.offset < cut as u64);
        }
    }
    for cut in (997..packed.len()).step_by(997) {
        let part = decode_bytes(&packed[..cut]);
        assert!(whole.starts_with(&part.events), "packed cut at {cut}");
        assert_eq!(part.error.unwrap().kind, FeedErrorKind::Truncated, "packed cut at {cut}");
    }
}

#[test]
fn times_count_from_the_midnight_that_is_given() {
    let Some(bytes) = sample(ITCH) else { return };
    let options = OpenOptions { base_ns: 1_340_251_200_000_000_000, ..OpenOptions::default() };
    let decoded = decode(Input::Bytes(&bytes), None, &options);
    assert_eq!(decoded.events[0].ts_ns, options.base_ns + 34_200_017_460_000);
    assert_eq!(decoded.events[0].flags, flag::HIDDEN);
}
