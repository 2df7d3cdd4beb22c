//! decode(encode(events)) == events, for CSV, Arrow and Parquet.
#![cfg(feature = "columnar")]
#![allow(clippy::unwrap_used, reason = "a test's own set-up may panic")]

mod common;

use arrow_array::{ArrayRef, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_array::{StringViewArray, TimestampMicrosecondArray, UInt8Array};
use arrow_schema::{Field, Schema};
use common::{Decoded, Dribble, decode, decode_bytes, events, gzip, names, renumbered};
use cwts_feeds::columnar::{ArrowFileWriter, ParquetFileWriter, SCALE_KEY};
use cwts_feeds::csv_rows::{csv_header, write_csv_rows};
use cwts_feeds::decoder::ORDER_TEXT_BASE;
use cwts_feeds::error::FeedErrorKind;
use cwts_feeds::event::{Event, EventKind, flag};
use cwts_feeds::sniff::Format;
use cwts_feeds::source::{Input, OpenOptions};
use proptest::prelude::*;
use std::collections::HashMap;
use std::io::Cursor;
use std::sync::Arc;

fn csv(events: &[Event]) -> Vec<u8> {
    let mut text = csv_header().as_bytes().to_vec();
    write_csv_rows(events, &names(), &mut text);
    text
}

fn arrow(events: &[Event]) -> Vec<u8> {
    let mut writer = ArrowFileWriter::new(Vec::new()).unwrap();
    for part in events.chunks(50) {
        writer.write(part, &names()).unwrap();
    }
    writer.finish().unwrap()
}

fn arrow_stream(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = arrow_ipc::writer::StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

fn parquet(events: &[Event]) -> Vec<u8> {
    let mut writer = ParquetFileWriter::new(Vec::new()).unwrap();
    for part in events.chunks(50) {
        writer.write(part, &names()).unwrap();
    }
    writer.finish().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_format_gives_the_events_back(events in events(200)) {
        let mut tables = Vec::new();
        for bytes in [csv(&events), arrow(&events), parquet(&events)] {
            let decoded = decode_bytes(&bytes);
            prop_assert_eq!(&decoded.error, &None);
            prop_assert_eq!(&renumbered(&decoded, &names()), &events);
            prop_assert_eq!(decoded.facts.unwrap().counts.records, events.len() as u64);
            tables.push((decoded.events, decoded.names));
        }
        // The formats also agree in their handles: names count in the order of the rows.
        prop_assert!(tables.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn chunks_of_any_size_give_the_same(events in events(80), size in 1_usize..40) {
        for bytes in [csv(&events), arrow(&events), parquet(&events), gzip(&csv(&events))] {
            let whole = decode_bytes(&bytes);
            let input = Input::Stream(Box::new(Dribble(&bytes, size)));
            let parts = decode(input, None, &OpenOptions::default());
            prop_assert_eq!(&parts.events, &whole.events);
            prop_assert_eq!(parts.facts.unwrap().sha256, whole.facts.unwrap().sha256);
            let file = Input::File(Box::new(Cursor::new(bytes.clone())));
            let in_place = decode(file, None, &OpenOptions::default());
            prop_assert_eq!(&in_place.error, &None);
            prop_assert_eq!(&in_place.events, &whole.events);
            prop_assert_eq!(in_place.facts.unwrap().sha256, whole.facts.unwrap().sha256);
        }
    }

    #[test]
    fn a_cut_gives_a_prefix_and_columnar_cuts_an_error(
        events in events(120), cut in 9_usize..4_000,
    ) {
        prop_assume!(!events.is_empty());
        for bytes in [arrow(&events), parquet(&events)] {
            let cut = cut % (bytes.len() - 9) + 9;
            let whole = decode_bytes(&bytes);
            let part = decode_bytes(&bytes[..cut]);
            prop_assert!(whole.events.starts_with(&part.events));
            prop_assert!(part.error.is_some(), "cut at {} of {}", cut, bytes.len());
        }
    }

    #[test]
    fn damage_is_an_error_or_events_never_a_panic(
        events in events(40),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        for (format, bytes) in [
            (Format::Csv, csv(&events)),
            (Format::Arrow, arrow(&events)),
            (Format::Parquet, parquet(&events)),
        ] {
            let mut bytes = bytes;
            for (at, value) in &damage {
                let at = at.index(bytes.len());
                bytes[at] = *value;
            }
            decode(Input::Bytes(&bytes), Some(format), &OpenOptions::default());
        }
    }

    #[test]
    fn any_bytes_do_not_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        magic in prop::sample::select(vec![&b""[..], b"ARROW1\0\0", b"\xff\xff\xff\xff", b"PAR1",
            b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"PK\x03\x04",
            b"ts,kind,order_id,side,qty,price\n"]),
    ) {
        let bytes = [magic, &bytes[..]].concat();
        decode_bytes(&bytes);
        for format in Format::ALL {
            decode(Input::Bytes(&bytes), Some(format), &OpenOptions::default());
        }
        let tail = [&bytes[..], &(bytes.len() as u32 / 2).to_le_bytes(), b"PAR1"].concat();
        decode(Input::Bytes(&tail), Some(Format::Parquet), &OpenOptions::default());
    }
}

const HEADER: &str = "ts,kind,order_id,instrument,side,qty,price";

fn rows(header: &str, rows: &str) -> Decoded {
    decode_bytes(format!("{header}\n{rows}").as_bytes())
}

#[test]
fn csv_words_codes_and_defaults() {
    let text = "2024-01-02T03:04:05.123456789Z,add,ord-1,AAPL,buy,100,1.5\n\
        1704164645123456790,4,ord-1,AAPL,1,60,1.5\r\n\
        1704164645123456789,ADD,7,\"A,B\",short_exempt,1,\n\
        1704164645123456791,state,,AAPL,,2,\n\
        1704164645123456792,trade,,AAPL,none,5,-0.000000001\n\n";
    let decoded = rows(HEADER, text);
    assert_eq!(decoded.error, None);
    let events = &decoded.events;
    assert_eq!(events.len(), 5);
    assert_eq!(events[0].ts_ns, 1_704_164_645_123_456_789);
    assert_eq!((events[0].order_id, events[0].px), (ORDER_TEXT_BASE, 1_500_000_000));
    assert_eq!((events[1].order_id, events[1].kind), (ORDER_TEXT_BASE, EventKind::Fill));
    assert_eq!((events[2].order_id, events[2].side, events[2].instrument), (7, 6, 1));
    assert_eq!(events[2].flags, flag::UNDEF_PX | flag::TIME_BACK);
    assert_eq!((events[3].kind, events[3].qty, events[3].order_id), (EventKind::State, 2, 0));
    assert_eq!(events[4].px, -1);
    assert_eq!(decoded.order_texts, ["ord-1"]);
    assert_eq!(decoded.names.instruments, ["AAPL", "A,B"]);
    assert_eq!(decoded.names.accounts, ["default"]);
    assert_eq!(decoded.names.strategies, ["default"]);
    assert_eq!(decoded.facts.unwrap().counts.time_back, 1);
}

#[test]
fn csv_errors_name_the_record() {
    let good = "1,add,1,A,buy,1,1\n";
    let cases = [
        ("2,add,1,A,buy,1", FeedErrorKind::BadFieldCount),
        ("x,add,1,A,buy,1,1", FeedErrorKind::BadTime),
        ("2,new,1,A,buy,1,1", FeedErrorKind::BadKind),
        ("2,add,1,A,long,1,1", FeedErrorKind::BadSide),
        ("2,add,1,A,buy,1.5,1", FeedErrorKind::TooFine),
        ("2,add,1,A,buy,-1,1", FeedErrorKind::NumberOutOfRange),
        ("2,add,1,A,buy,1,1.0000000001", FeedErrorKind::TooFine),
        ("2,add,1,A,buy,1,1e3", FeedErrorKind::BadNumber),
        ("2,add,1,A,buy,1,9223372037", FeedErrorKind::NumberOutOfRange),
        ("2,add,,A,buy,1,1", FeedErrorKind::NullValue),
        ("2,add,1,A,buy,,1", FeedErrorKind::NullValue),
        ("2,state,,A,,3,", FeedErrorKind::NumberOutOfRange),
        ("2,add,1,\"A,buy,1,1", FeedErrorKind::Truncated),
    ];
    for (bad, kind) in cases {
        let decoded = rows(HEADER, &format!("{good}{good}{bad}\n"));
        let error = decoded.error.expect(bad);
        assert_eq!(
            (error.kind, error.record, decoded.events.len()),
            (kind, 2, 2),
            "{bad}: {error}"
        );
        assert_eq!(error.offset, (HEADER.len() + 1 + 2 * good.len()) as u64, "{bad}: {error}");
    }
    let error = rows("ts,kind,order_id,side,qty,price", good).error.unwrap();
    assert_eq!(error.kind, FeedErrorKind::MissingColumn);
    let error = rows("ts,kind,order_id,instrument,side,qty,price,Price", good).error.unwrap();
    assert_eq!(error.kind, FeedErrorKind::BadHeader);
    let long = format!("1,add,1,A,buy,1,{}\n", "1".repeat(70_000));
    assert_eq!(rows(HEADER, &long).error.unwrap().kind, FeedErrorKind::LineTooLong);
    let name = format!("1,add,1,{},buy,1,1\n", "x".repeat(200));
    assert_eq!(rows(HEADER, &name).error.unwrap().kind, FeedErrorKind::NameTooLong);
}

/// A batch of one row whose columns are as another tool could have made them.
fn foreign(price: ArrayRef, metadata: &[(&str, &str)]) -> RecordBatch {
    let metadata: HashMap<String, String> =
        metadata.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("ts", Arc::new(TimestampMicrosecondArray::from(vec![1_700_000_000_000_001]))),
        ("kind", Arc::new(StringViewArray::from(vec!["add"]))),
        ("order_id", Arc::new(StringArray::from(vec!["ord-1"]))),
        ("instrument", Arc::new(StringArray::from(vec!["A"]))),
        ("side", Arc::new(UInt8Array::from(vec![2]))),
        ("qty", Arc::new(Int64Array::from(vec![5]))),
        ("note", Arc::new(Float64Array::from(vec![0.5]))),
        ("price", price),
    ];
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, array)| {
            let field = Field::new(*name, array.data_type().clone(), true);
            if *name == "price" { field.with_metadata(metadata.clone()) } else { field }
        })
        .collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

fn price_of(price: ArrayRef, metadata: &[(&str, &str)]) -> Result<i64, FeedErrorKind> {
    let decoded = decode_bytes(&arrow_stream(&foreign(price, metadata)));
    match decoded.error {
        Some(error) => Err(error.kind),
        None => {
            let event = decoded.events[0];
            assert_eq!(event.ts_ns, 1_700_000_000_000_001_000);
            assert_eq!((event.order_id, event.side, event.qty), (ORDER_TEXT_BASE, 2, 5));
            assert_eq!(decoded.order_texts, ["ord-1"]);
            Ok(event.px)
        }
    }
}

#[test]
fn prices_of_every_exact_type_are_read_and_floats_are_refused() {
    let whole = |value: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![value])) };
    let decimal = |value: i128, scale: i8| -> ArrayRef {
        Arc::new(Decimal128Array::from(vec![value]).with_precision_and_scale(38, scale).unwrap())
    };
    assert_eq!(price_of(whole(1_500_000_000), &[]), Ok(1_500_000_000));
    assert_eq!(price_of(whole(15_000), &[(SCALE_KEY, "4")]), Ok(1_500_000_000));
    assert_eq!(price_of(whole(15_000), &[(SCALE_KEY, "four")]), Err(FeedErrorKind::BadColumn));
    assert_eq!(
        price_of(whole(i64::MAX), &[(SCALE_KEY, "0")]),
        Err(FeedErrorKind::NumberOutOfRange)
    );
    assert_eq!(price_of(decimal(150, 2), &[]), Ok(1_500_000_000));
    assert_eq!(price_of(decimal(1_500_000_000_000, 12), &[]), Ok(1_500_000_000));
    assert_eq!(price_of(decimal(1_500_000_000_001, 12), &[]), Err(FeedErrorKind::TooFine));
    assert_eq!(price_of(decimal(-2, -3), &[]), Ok(-2_000_000_000_000));
    assert_eq!(price_of(Arc::new(StringArray::from(vec!["1.5"])), &[]), Ok(1_500_000_000));
    let batch = foreign(Arc::new(Float64Array::from(vec![1.5])), &[]);
    let error = decode_bytes(&arrow_stream(&batch)).error.unwrap();
    assert_eq!(error.kind, FeedErrorKind::FloatPrice);
    assert!(error.detail.contains("'price'"), "{error}");
}

#[test]
fn a_null_where_the_event_needs_a_value_names_the_record() {
    let events: Vec<Event> =
        decode_bytes(format!("{HEADER}\n1,add,1,A,buy,1,1\n2,add,2,A,buy,1,1\n").as_bytes()).events;
    let names =
        cwts_feeds::event::Names { instruments: vec!["A".to_owned()], ..Default::default() };
    let batch = cwts_feeds::columnar::events_to_batch(&events, &names).unwrap();
    let at = batch.schema().index_of("qty").unwrap();
    let mut fields: Vec<Field> =
        batch.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
    fields[at] = Field::new("qty", arrow_schema::DataType::Int64, true);
    let mut columns = batch.columns().to_vec();
    columns[at] = Arc::new(Int64Array::from(vec![Some(1), None]));
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    let decoded = decode_bytes(&arrow_stream(&batch));
    let error = decoded.error.unwrap();
    assert_eq!((error.kind, error.record), (FeedErrorKind::NullValue, 1));
    assert_eq!(decoded.events.len(), 1);
}

#[test]
fn columns_that_no_event_carries_are_named() {
    use cwts_feeds::source::{EventSource, open_events};
    let bytes = arrow_stream(&foreign(Arc::new(StringArray::from(vec!["1"])), &[]));
    let mut source = open_events(Input::Bytes(&bytes), None, &OpenOptions::default()).unwrap();
    source.next_batch(&mut Vec::new()).unwrap();
    assert_eq!(source.ignored_columns(), ["note"]);
}
