//! What is refused: by which code, and at which record and byte.

use crate::model::pushed;
use cwts_feeds::dbn::{GROUP_FILLS_MAX, METADATA_BYTES_MAX};
use cwts_feeds::error::{FeedError, FeedErrorKind};
use cwts_feeds::source::{Input, OpenOptions, open_events};
use dbn::encode::EncodeRecord;
use dbn::encode::dbn::Encoder;
use dbn::{FlagSet, MboMsg, Metadata, RecordHeader, SType, Schema, rtype};

fn metadata(schema: Option<Schema>) -> Metadata {
    Metadata::builder()
        .dataset("GLBX.MDP3")
        .schema(schema)
        .start(0)
        .stype_in(Some(SType::RawSymbol))
        .stype_out(SType::InstrumentId)
        .build()
}

fn row(action: u8, order_id: u64) -> MboMsg {
    MboMsg {
        hd: RecordHeader::new::<MboMsg>(rtype::MBO, 1, 7, 5),
        order_id,
        price: 100,
        size: 1,
        flags: FlagSet::new(0),
        channel_id: 0,
        action: action.cast_signed(),
        side: b'B'.cast_signed(),
        ts_recv: 5,
        ts_in_delta: 0,
        sequence: 1,
    }
}

fn encode(schema: Option<Schema>, rows: &[MboMsg]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, &metadata(schema)).unwrap();
    for row in rows {
        encoder.encode_record(row).unwrap();
    }
    bytes
}

fn error(bytes: &[u8]) -> FeedError {
    pushed(bytes, 100).2.unwrap()
}

#[test]
fn another_schema_is_refused_by_its_name() {
    for (schema, name) in
        [(Some(Schema::Trades), "trades"), (Some(Schema::Mbp10), "mbp-10"), (None, "mixed")]
    {
        let bytes = encode(schema, &[]);
        let found = error(&bytes);
        assert_eq!(found.kind, FeedErrorKind::UnsupportedFormat);
        assert!(found.detail.contains(name), "{found}");
        // Said when the input is opened, before anybody makes a log for it.
        let opened = open_events(Input::Bytes(&bytes), None, &OpenOptions::default());
        assert_eq!(opened.err(), Some(found));
    }
    let mut unknown = encode(None, &[]);
    unknown[24..26].copy_from_slice(&999_u16.to_le_bytes());
    assert!(error(&unknown).detail.contains("number 999"));
}

#[test]
fn a_bad_record_is_named_after_the_good_ones() {
    let good = encode(Some(Schema::Mbo), &[row(b'A', 1), row(b'A', 2)]);
    let head = good.len() - 2 * 56;
    type Spoil = fn(&mut MboMsg);
    let kinds: [(Spoil, FeedErrorKind); 3] = [
        (|row| row.action = b'Z'.cast_signed(), FeedErrorKind::BadKind),
        (|row| row.side = b'Z'.cast_signed(), FeedErrorKind::BadSide),
        (|row| row.size = u32::MAX, FeedErrorKind::NullValue),
    ];
    let mut cases: Vec<(Vec<u8>, FeedErrorKind)> = Vec::new();
    for (spoil, kind) in kinds {
        let mut bad = row(b'A', 3);
        spoil(&mut bad);
        cases.push((encode(Some(Schema::Mbo), &[row(b'A', 1), row(b'A', 2), bad]), kind));
    }
    for (words, record_type, kind) in [
        (13, rtype::MBO, FeedErrorKind::LengthOutOfBound),
        // The length of a stream with send times, which this one has not.
        (16, rtype::MBO, FeedErrorKind::LengthOutOfBound),
        (0, rtype::MBO, FeedErrorKind::LengthOutOfBound),
        (3, rtype::SYSTEM, FeedErrorKind::LengthOutOfBound),
        (14, rtype::MBP_0, FeedErrorKind::BadKind),
        (14, rtype::INSTRUMENT_DEF, FeedErrorKind::BadKind),
        (b'D', b'B', FeedErrorKind::BadKind),
    ] {
        let mut bytes = good.clone();
        bytes.extend([words, record_type]);
        bytes.resize(good.len() + 64, 0);
        cases.push((bytes, kind));
    }
    for (bytes, kind) in cases {
        let (_, events, found) = pushed(&bytes, 100);
        let found = found.unwrap();
        assert_eq!((found.kind, events.len()), (kind, 2), "{found}");
        assert_eq!((found.record, found.offset), (2, (head + 112) as u64), "{found}");
    }
    // Where a size means nothing it may say so.
    let mut clear = row(b'R', 0);
    clear.size = u32::MAX;
    assert_eq!(pushed(&encode(Some(Schema::Mbo), &[clear]), 100).2, None);
}

#[test]
fn hostile_lengths_allocate_nothing_and_are_refused() {
    let good = encode(Some(Schema::Mbo), &[]);
    for length in [0, 99, METADATA_BYTES_MAX as u32 + 1, u32::MAX] {
        let mut bytes = good.clone();
        bytes[4..8].copy_from_slice(&length.to_le_bytes());
        let found = error(&bytes);
        assert_eq!((found.kind, found.offset), (FeedErrorKind::LengthOutOfBound, 4), "{found}");
    }
    // A length within the bound of which nothing comes: the end is named, nothing is reserved.
    let mut bytes = good.clone();
    bytes[4..8].copy_from_slice(&(METADATA_BYTES_MAX as u32).to_le_bytes());
    let found = error(&bytes);
    assert_eq!((found.kind, found.offset), (FeedErrorKind::Truncated, bytes.len() as u64));
    // Counts within the metadata, and the length of its symbols.
    for at in [108, 112, 116, 120, 124] {
        let mut bytes = good.clone();
        bytes[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        let found = error(&bytes);
        assert_eq!((found.kind, found.offset), (FeedErrorKind::Corrupt, 8), "{at}: {found}");
    }
    for length in [0, 1, 21, 129, u16::MAX] {
        let mut bytes = good.clone();
        bytes[53..55].copy_from_slice(&length.to_le_bytes());
        let found = error(&bytes);
        assert_eq!((found.kind, found.offset), (FeedErrorKind::LengthOutOfBound, 8), "{found}");
    }
}

#[test]
fn an_event_that_never_ends_is_refused_at_the_bound() {
    let fills: Vec<MboMsg> = (0..=GROUP_FILLS_MAX as u64).map(|id| row(b'F', id)).collect();
    let bytes = encode(Some(Schema::Mbo), &fills[..GROUP_FILLS_MAX]);
    assert_eq!(pushed(&bytes, 1 << 20).2, None);
    let found = pushed(&encode(Some(Schema::Mbo), &fills), 1 << 20).2.unwrap();
    assert_eq!(found.kind, FeedErrorKind::LengthOutOfBound);
    assert_eq!(found.record, GROUP_FILLS_MAX as u64);
}

#[test]
fn an_empty_day_is_no_error() {
    let (_, events, error) = pushed(&encode(Some(Schema::Mbo), &[]), 3);
    assert_eq!((events.len(), error), (0, None));
}
