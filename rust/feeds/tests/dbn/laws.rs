//! What the crate's encoder writes, ours reads as the rules say: every version, any flags.

use crate::common::decode_bytes;
use crate::model::{events, pushed};
use cwts_feeds::decoder::{Decoder, Notice};
use dbn::encode::EncodeRecord;
use dbn::encode::dbn::Encoder;
use dbn::record::WithTsOut;
use dbn::{
    FlagSet, MappingInterval, MboMsg, Metadata, RecordHeader, SType, Schema, SymbolMapping,
    UNDEF_PRICE, UNDEF_TIMESTAMP, rtype,
};
use proptest::prelude::*;
use time::{Date, Month};

/// 2 January 2026, midnight UTC.
const START: u64 = 1_767_312_000_000_000_000;
const DAY_NS: u64 = 86_400_000_000_000;

/// A stream: its metadata, its `mbo` records, and where a message of the gateway stands.
#[derive(Debug, Clone)]
struct Stream {
    metadata: Metadata,
    records: Vec<MboMsg>,
    heartbeats: Vec<bool>,
}

impl Stream {
    /// The bytes, and the record number of each `mbo` record.
    fn encode(&self) -> (Vec<u8>, Vec<u64>) {
        let (mut bytes, mut places, mut number) = (Vec::new(), Vec::new(), 0);
        let mut encoder = Encoder::new(&mut bytes, &self.metadata).unwrap();
        for (record, heartbeat) in self.records.iter().zip(&self.heartbeats) {
            if *heartbeat {
                if self.metadata.version == 1 {
                    encoder.encode_record(&dbn::v1::SystemMsg::heartbeat(START)).unwrap();
                } else {
                    encoder.encode_record(&dbn::SystemMsg::heartbeat(START)).unwrap();
                }
                number += 1;
            }
            if self.metadata.ts_out {
                encoder.encode_record(&WithTsOut::new(record.clone(), u64::MAX)).unwrap();
            } else {
                encoder.encode_record(record).unwrap();
            }
            places.push(number);
            number += 1;
        }
        (bytes, places)
    }
}

fn day(day: u8) -> Date {
    Date::from_calendar_date(2026, Month::January, day).unwrap()
}

/// Instrument 10 changes its symbol on 3 January and has none on the 4th; 11 has one of its own
/// throughout; 12 has none; from the 3rd, 11's old symbol stands for 13.
fn mappings(ids_are_out: bool) -> Vec<SymbolMapping> {
    let rows = [
        ("ESH6", 10, 2, 3),
        ("ESM6", 10, 3, 4),
        ("NQH6", 11, 2, 9),
        ("ESH6", 13, 3, 5),
        ("GONE", 0, 2, 3),
    ];
    rows.map(|(symbol, id, from, to)| {
        let id = if id == 0 { String::new() } else { id.to_string() };
        let (raw_symbol, symbol) =
            if ids_are_out { (symbol.to_owned(), id) } else { (id, symbol.to_owned()) };
        let interval = MappingInterval { start_date: day(from), end_date: day(to), symbol };
        SymbolMapping { raw_symbol, intervals: vec![interval] }
    })
    .to_vec()
}

fn record() -> impl Strategy<Value = MboMsg> {
    let ids = (1..3_u16, 10..14_u32, 0..6_u64);
    let price = prop_oneof![any::<i64>(), Just(UNDEF_PRICE), Just(-250_000_000)];
    let times = (
        prop_oneof![9 => 0..5 * DAY_NS, 1 => Just(u64::MAX - START)],
        prop_oneof![9 => 0..5 * DAY_NS, 1 => Just(u64::MAX - START)],
    );
    let words = (prop::sample::select(&b"ACMRTFN"[..]), prop::sample::select(&b"ABN"[..]));
    let sized = (0..u32::MAX, any::<u8>(), any::<u32>());
    (ids, price, times, words, sized).prop_map(|(ids, price, times, words, sized)| {
        let (publisher, instrument, order_id) = ids;
        MboMsg {
            hd: RecordHeader::new::<MboMsg>(rtype::MBO, publisher, instrument, START + times.0),
            order_id,
            price,
            size: sized.0,
            // LAST in half of the rows, so that events have several.
            flags: FlagSet::new(sized.1),
            channel_id: 0,
            action: words.0.cast_signed(),
            side: words.1.cast_signed(),
            ts_recv: START + times.1,
            ts_in_delta: 0,
            sequence: sized.2,
        }
    })
}

fn stream() -> impl Strategy<Value = Stream> {
    let rows = prop::collection::vec((record(), prop::bool::weighted(0.1)), 0..60);
    (1..=3_u8, any::<bool>(), any::<bool>(), rows).prop_map(
        |(version, ts_out, ids_are_out, rows)| {
            let (stype_in, stype_out) = if ids_are_out {
                (SType::RawSymbol, SType::InstrumentId)
            } else {
                (SType::InstrumentId, SType::RawSymbol)
            };
            let mut metadata = Metadata::builder()
                .version(version)
                .dataset("GLBX.MDP3")
                .schema(Some(Schema::Mbo))
                .start(START)
                .stype_in(Some(stype_in))
                .stype_out(stype_out)
                .ts_out(ts_out)
                .symbols(vec!["ESH6".to_owned(), "NQH6".to_owned()])
                .mappings(mappings(ids_are_out))
                .build();
            metadata.symbol_cstr_len = if version == 1 { 22 } else { 71 };
            let (records, heartbeats) = rows.into_iter().unzip();
            Stream { metadata, records, heartbeats }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_the_crate_encodes_decodes_by_the_rules(stream in stream(), size in 1..400_usize) {
        let (bytes, places) = stream.encode();
        let (wanted, names) = events(&stream.metadata, &stream.records, &places);
        let whole = decode_bytes(&bytes);
        prop_assert_eq!(&whole.error, &None);
        prop_assert_eq!(&whole.events, &wanted);
        prop_assert_eq!(&whole.names.instruments, &names);
        let (decoder, chunked, error) = pushed(&bytes, size);
        prop_assert_eq!(error, None);
        prop_assert_eq!(&chunked, &wanted);
        let counts = decoder.counts();
        let all = places.last().map_or(0, |place| place + 1);
        let passed_over = counts.notices.count(Notice::NoFlow);
        prop_assert_eq!(counts.records - passed_over, wanted.len() as u64);
        prop_assert_eq!(counts.records, all);
    }

    #[test]
    fn damaged_streams_do_not_panic_and_name_a_place(
        stream in stream(),
        hits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let (mut bytes, _) = stream.encode();
        for (at, byte) in hits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        let (_, _, error) = pushed(&bytes, 64);
        if let Some(error) = error {
            prop_assert!(error.offset <= bytes.len() as u64, "{}", error);
        }
    }

    #[test]
    fn any_bytes_behind_the_magic_do_not_panic(
        version in 0..5_u8,
        length in 0..200_u32,
        tail in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let bytes = [b"DBN".as_slice(), &[version], &length.to_le_bytes(), &tail].concat();
        pushed(&bytes, 50);
        decode_bytes(&bytes);
    }
}

#[test]
fn the_last_moment_is_no_moment() {
    assert_eq!(START + (u64::MAX - START), UNDEF_TIMESTAMP);
}
