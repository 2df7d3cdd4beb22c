//! Sizes that a columnar file announces and cannot have: refused before memory is reserved.
#![cfg(feature = "columnar")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod common;

use arrow_ipc::CompressionType;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use common::{decode, decode_bytes};
use cwts_feeds::columnar::{event_schema, events_to_batch};
use cwts_feeds::error::FeedErrorKind;
use cwts_feeds::event::{Event, EventKind, Names};
use cwts_feeds::source::{Input, OpenOptions};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use std::io::Cursor;

/// The same event over and over: it packs to next to nothing.
fn rows(count: usize) -> (Vec<Event>, Names) {
    let event = Event {
        ts_ns: 1_735_828_200_000_000_000,
        order_id: 1,
        px: 1,
        qty: 1,
        ref_id: 0,
        src: 0,
        instrument: 0,
        account: 0,
        strategy: 0,
        kind: EventKind::Add,
        side: 1,
        flags: 0,
    };
    let one = || vec!["one".to_owned()];
    (vec![event; count], Names { instruments: one(), accounts: one(), strategies: one() })
}

#[test]
fn an_arrow_buffer_that_announces_more_than_it_can_hold() {
    const ROWS: usize = 5_000;
    let (events, names) = rows(ROWS);
    let options =
        IpcWriteOptions::default().try_with_compression(Some(CompressionType::ZSTD)).unwrap();
    let mut writer =
        StreamWriter::try_new_with_options(Vec::new(), &event_schema(), options).unwrap();
    writer.write(&events_to_batch(&events, &names).unwrap()).unwrap();
    let mut bytes = writer.into_inner().unwrap();
    let whole = decode_bytes(&bytes);
    assert_eq!((whole.events.len(), whole.error), (ROWS, None), "packed and honest, it is read");

    // A packed buffer starts with its unpacked length; the first of this length is a column.
    let honest = (ROWS as u64 * 8).to_le_bytes();
    let at = bytes.windows(8).position(|eight| eight == honest).unwrap();
    // The row count of the message may come first: the length is followed by a zstd frame.
    let at = (at..bytes.len() - 12)
        .find(|&at| bytes[at..at + 8] == honest && bytes[at + 8..at + 12] == ZSTD_MAGIC)
        .unwrap();
    bytes[at..at + 8].copy_from_slice(&(900_u64 << 20).to_le_bytes());
    let error = decode_bytes(&bytes).error.unwrap();
    assert_eq!(error.kind, FeedErrorKind::LengthOutOfBound, "{error}");
    assert!(error.detail.contains("943718400 bytes"), "{error}");
}

#[test]
fn a_parquet_page_that_announces_more_than_it_can_hold() {
    const ROWS: usize = 200_000;
    let (events, names) = rows(ROWS);
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_data_page_size_limit(8 << 20)
        .set_data_page_row_count_limit(ROWS)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).unwrap()))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), event_schema(), Some(properties)).unwrap();
    writer.write(&events_to_batch(&events, &names).unwrap()).unwrap();
    let mut bytes = writer.into_inner().unwrap();
    let whole = decode_bytes(&bytes);
    assert_eq!((whole.events.len(), whole.error), (ROWS, None), "a page of 1.6 MB is no attack");

    // The first page's head: type 0, then its unpacked size, a varint of four bytes here.
    assert_eq!(bytes[4..7], [0x15, 0, 0x15]);
    assert!(bytes[7..10].iter().all(|byte| byte & 0x80 != 0) && bytes[10] & 0x80 == 0);
    bytes[7..11].copy_from_slice(&[0xfe, 0xff, 0xff, 0x7f]);
    for input in [Input::Bytes(&bytes), Input::File(Box::new(Cursor::new(bytes.clone())))] {
        let error = decode(input, None, &OpenOptions::default()).error.unwrap();
        assert_eq!(error.kind, FeedErrorKind::LengthOutOfBound, "{error}");
        assert!(error.detail.contains("page of 134217727 bytes"), "{error}");
        assert_eq!(error.offset, 4);
    }
}

const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
