//! Columns hold what the events say, wherever the first unusual value stands and however the events
//! came in.
#![cfg(feature = "columnar")]
#![allow(clippy::unwrap_used, reason = "a test's own set-up may panic")]

mod common;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, UInt16Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use common::{events, names};
use cwts_feeds::columnar::{BATCH_ROWS, Dictionaries, EventColumns, event_schema, read_table};
use cwts_feeds::error::FeedErrorKind;
use cwts_feeds::event::{Event, EventKind, Names, flag};
use cwts_feeds::source::{Input, OpenOptions, open_events};
use proptest::prelude::*;

/// A row without Arrow: what each column must say.
type Row = (u64, u8, u64, [Option<String>; 3], u8, i64, Option<i64>, u64, u16);

fn expected(event: &Event, names: &Names) -> Row {
    let name = |table: &[String], handle: u32| table.get(handle as usize).cloned();
    let named = [
        name(&names.accounts, event.account),
        name(&names.strategies, event.strategy),
        name(&names.instruments, event.instrument),
    ];
    let px = (event.flags & flag::UNDEF_PX == 0).then_some(event.px);
    let ours = flag::ORPHAN | flag::TIME_BACK | flag::UNDEF_PX;
    let (kind, flags) = (event.kind as u8, event.flags & !ours);
    (event.ts_ns, kind, event.order_id, named, event.side, event.qty, px, event.ref_id, flags)
}

fn rows(batch: &RecordBatch) -> Vec<Row> {
    let number = |at: usize, row: usize| batch.column(at).as_primitive::<UInt64Type>().value(row);
    let signed = |at: usize, row: usize| {
        let column = batch.column(at).as_primitive::<Int64Type>();
        column.is_valid(row).then(|| column.value(row))
    };
    let word = |at: usize, row: usize| {
        let column = batch.column(at).as_dictionary::<Int32Type>();
        let key = column.key(row)?;
        Some(column.values().as_string::<i32>().value(key).to_owned())
    };
    let code = |words: &[(&str, u8)], word: Option<String>| {
        words.iter().find(|(known, _)| Some(*known) == word.as_deref()).unwrap().1
    };
    (0..batch.num_rows())
        .map(|row| {
            let named = [word(3, row), word(4, row), word(5, row)];
            let flags = batch.column(10).as_primitive::<UInt16Type>().value(row);
            let (kind, side) = (code(&KINDS, word(1, row)), code(&SIDES, word(6, row)));
            let (qty, px) = (signed(7, row).unwrap(), signed(8, row));
            (number(0, row), kind, number(2, row), named, side, qty, px, number(9, row), flags)
        })
        .collect()
}

fn table(parts: &[&[Event]], names: &Names) -> RecordBatch {
    let mut columns = EventColumns::with_capacity(0);
    for part in parts {
        columns.extend(part);
    }
    columns.finish(&Dictionaries::of(names)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn columns_say_what_the_events_say(events in events(900), at in any::<prop::sample::Index>()) {
        let at = if events.is_empty() { 0 } else { at.index(events.len()) };
        let wanted: Vec<Row> = events.iter().map(|event| expected(event, &names())).collect();
        prop_assert_eq!(&rows(&table(&[&events], &names())), &wanted);
        let (first, rest) = events.split_at(at);
        prop_assert_eq!(&rows(&table(&[first, rest], &names())), &wanted);
    }
}

#[test]
fn a_value_that_comes_late_stands_in_its_own_row() {
    let names = names();
    let plain = Event {
        ts_ns: 1,
        order_id: 2,
        px: 3,
        qty: 4,
        ref_id: 0,
        src: 0,
        instrument: 0,
        account: u32::MAX,
        strategy: u32::MAX,
        kind: EventKind::Add,
        side: 1,
        flags: 0,
    };
    let unusual = [
        Event { ref_id: 7, ..plain },
        Event { account: 0, ..plain },
        Event { strategy: 0, ..plain },
        Event { instrument: 1, ..plain },
        Event { instrument: u32::MAX, ..plain },
        Event { flags: flag::UNDEF_PX | flag::TIME_BACK | flag::HIDDEN, ..plain },
        Event { side: 6, kind: EventKind::Cross, ..plain },
        Event { side: 7, ..plain },
    ];
    for late in unusual {
        let mut events = vec![plain; 700];
        events[600] = late;
        let mut wanted: Vec<Row> = events.iter().map(|event| expected(event, &names)).collect();
        // A side that nobody knows has no word.
        wanted[600].4 = if late.side == 7 { 0 } else { late.side };
        assert_eq!(rows(&table(&[&events], &names)), wanted, "{late:?}");
        assert_eq!(rows(&table(&[&events[..601], &events[601..]], &names)), wanted, "{late:?}");
    }
    let without = rows(&table(&[&[plain]], &Names::default()));
    assert_eq!(without[0].3, [None, None, None]);
    assert_eq!(table(&[], &names).num_rows(), 0);
}

#[test]
fn a_table_has_bounded_batches_and_a_bounded_length() {
    let line = b"34200.5,1,11,5,1000000,1\n";
    let text = line.repeat(BATCH_ROWS + 3);
    let open = || open_events(Input::Bytes(&text), None, &OpenOptions::default()).unwrap();
    let batches = read_table(&mut open(), usize::MAX).unwrap();
    let lengths: Vec<usize> = batches.iter().map(RecordBatch::num_rows).collect();
    assert_eq!(lengths, [BATCH_ROWS, 3]);
    assert!(batches.iter().all(|batch| batch.schema() == event_schema()));
    let error = read_table(&mut open(), BATCH_ROWS).unwrap_err();
    assert_eq!(error.kind, FeedErrorKind::OutputTooLarge);
    assert_eq!(read_table(&mut open(), text.len() / line.len()).unwrap().len(), 2);
}

const KINDS: [(&str, u8); 11] = [
    ("add", 1),
    ("reduce", 2),
    ("delete", 3),
    ("fill", 4),
    ("trade", 5),
    ("replace", 6),
    ("state", 7),
    ("clear", 8),
    ("clock", 9),
    ("ref", 10),
    ("cross", 11),
];
const SIDES: [(&str, u8); 5] =
    [("none", 0), ("buy", 1), ("sell", 2), ("short", 5), ("short_exempt", 6)];
