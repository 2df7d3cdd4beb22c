//! What an `mbo` record means, written a second time and the slow way: design note "replay", 5.2.

use cwts_feeds::dbn::DbnDecoder;
use cwts_feeds::decoder::Decoder;
use cwts_feeds::error::FeedError;
use cwts_feeds::event::{Event, EventKind, flag};
use dbn::{Action, MboMsg, Metadata, SType, Side, UNDEF_PRICE, UNDEF_TIMESTAMP};
use std::io::Read;

pub(crate) const ES_24: &str = "orderflow/cme_mbo/esh4-glbx-mdp3-20231224.mbo.dbn.zst";
pub(crate) const ES_25: &str = "orderflow/cme_mbo/esh4-glbx-mdp3-20231225.mbo.dbn.zst";

/// A public file, packed and unpacked.
pub(crate) fn sample(path: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let packed = crate::common::sample_packed(path)?;
    let mut bytes = Vec::new();
    zstd::Decoder::new(&packed[..]).unwrap().read_to_end(&mut bytes).unwrap();
    Some((packed, bytes))
}

/// The events of a stream's `mbo` records, and their symbols; `places[i]` is the record number of
/// record i, which others may stand between.
pub(crate) fn events(
    metadata: &Metadata,
    records: &[MboMsg],
    places: &[u64],
) -> (Vec<Event>, Vec<String>) {
    let (mut out, mut names) = (Vec::new(), Vec::<String>::new());
    let mut last_ns = 0;
    for (at, record) in records.iter().enumerate() {
        let kind = match record.action().unwrap() {
            Action::Add => EventKind::Add,
            Action::Modify => EventKind::Replace,
            Action::Cancel => EventKind::Reduce,
            Action::Clear => EventKind::Clear,
            Action::Trade => EventKind::Trade,
            Action::Fill => EventKind::Fill,
            Action::None => continue,
        };
        let mut flags = 0;
        let mut set = |on: bool, bit: u16| flags |= if on { bit } else { 0 };
        let is_snapshot = record.flags.is_snapshot();
        set(is_snapshot, flag::SNAPSHOT);
        set(record.flags.is_last(), flag::EVENT_END);
        set(record.flags.is_bad_ts_recv(), flag::BAD_TS);
        set(record.price == UNDEF_PRICE, flag::UNDEF_PX);
        set(kind == EventKind::Fill, flag::NO_REF);
        let may_follow = matches!(kind, EventKind::Reduce | EventKind::Replace);
        set(may_follow && was_filled(&records[..at], record), flag::CONSEQUENCE);
        let has_time = record.hd.ts_event != UNDEF_TIMESTAMP;
        set(!has_time, flag::BAD_TS);
        let ts_ns = if has_time { record.hd.ts_event } else { last_ns };
        if !is_snapshot {
            set(ts_ns < last_ns, flag::TIME_BACK);
            last_ns = ts_ns;
        }
        let name = symbol(metadata, record);
        let instrument = names.iter().position(|known| *known == name).unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        });
        out.push(Event {
            ts_ns,
            order_id: record.order_id,
            px: if record.price == UNDEF_PRICE { 0 } else { record.price },
            qty: if kind == EventKind::Clear { 0 } else { i64::from(record.size) },
            ref_id: 0,
            src: places[at],
            instrument: instrument as u32,
            account: u32::MAX,
            strategy: u32::MAX,
            kind,
            side: match record.side().unwrap() {
                Side::Bid => 1,
                Side::Ask => 2,
                Side::None => 0,
            },
            flags,
        });
    }
    (out, names)
}

/// Whether the venue event of `record` has filled its order before.
fn was_filled(before: &[MboMsg], record: &MboMsg) -> bool {
    let same = |other: &&MboMsg| {
        (other.hd.publisher_id, other.hd.instrument_id)
            == (record.hd.publisher_id, record.hd.instrument_id)
    };
    let mut event = before.iter().rev().filter(same).take_while(|other| !other.flags.is_last());
    event.any(|other| other.action == b'F'.cast_signed() && other.order_id == record.order_id)
}

fn symbol(metadata: &Metadata, record: &MboMsg) -> String {
    const DAY_NS: u64 = 86_400_000_000_000;
    let day = (record.ts_recv / DAY_NS) as i32 + 2_440_588;
    let mut found = None;
    for mapping in &metadata.mappings {
        for interval in &mapping.intervals {
            let (id, symbol) = match metadata.stype_out {
                SType::InstrumentId => (&interval.symbol, &mapping.raw_symbol),
                _ => (&mapping.raw_symbol, &interval.symbol),
            };
            let days = interval.start_date.to_julian_day()..interval.end_date.to_julian_day();
            if *id == record.hd.instrument_id.to_string() && days.contains(&day) {
                found = Some(symbol.clone());
            }
        }
    }
    found.unwrap_or_else(|| format!("{}:{}", record.hd.publisher_id, record.hd.instrument_id))
}

/// Hands a decoder chunks of `size`, and its own tail again, as the trait asks.
pub(crate) fn pushed(bytes: &[u8], size: usize) -> (DbnDecoder, Vec<Event>, Option<FeedError>) {
    let mut decoder = DbnDecoder::new();
    let (mut events, mut held, mut start) = (Vec::new(), Vec::new(), 0);
    for chunk in bytes.chunks(size).map(Some).chain([None]) {
        held.drain(..start);
        held.extend_from_slice(chunk.unwrap_or_default());
        start = 0;
        loop {
            let before = events.len();
            match decoder.push(&held[start..], chunk.is_none(), &mut events) {
                Err(error) => return (decoder, events, Some(error)),
                Ok(0) if events.len() == before => break,
                Ok(consumed) => start += consumed,
            }
        }
    }
    (decoder, events, None)
}
