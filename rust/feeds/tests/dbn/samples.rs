//! The public files: facts that others state of them, and the crate's own decoder beside ours.

use crate::common::{Dribble, decode, decode_bytes, gzip, zstd};
use crate::model::{ES_24, ES_25, events, pushed, sample};
use cwts_feeds::decoder::Decoder;
use cwts_feeds::error::FeedErrorKind;
use cwts_feeds::event::{Event, EventKind, flag};
use cwts_feeds::sniff::Format;
use cwts_feeds::source::{Input, OpenOptions};
use dbn::MboMsg;
use dbn::decode::{DbnMetadata as _, DecodeRecord as _, dbn::Decoder as CrateDecoder};
use sha2::{Digest, Sha256};

fn count(events: &[Event], kind: EventKind, flags: u16, wanted: u16) -> usize {
    events.iter().filter(|event| event.kind == kind && event.flags & flags == wanted).count()
}

#[test]
fn es_has_the_known_rows() {
    let Some((packed, bytes)) = sample(ES_25) else { return };
    let decoded = decode_bytes(&packed);
    assert_eq!(decoded.error, None);
    let events = &decoded.events;
    assert_eq!(
        (events.len(), decoded.names.instruments.as_slice()),
        (68_792, &["ESH4".into()][..])
    );
    // Counting a snapshot's rows as orders gives 29,216.
    assert_eq!(count(events, EventKind::Add, flag::SNAPSHOT, 0), 20_491);
    assert_eq!(count(events, EventKind::Add, flag::SNAPSHOT, flag::SNAPSHOT), 8_725);
    assert_eq!(count(events, EventKind::Fill, flag::NO_REF, flag::NO_REF), 6_371);
    let fills: i64 = events.iter().filter(|e| e.kind == EventKind::Fill).map(|e| e.qty).sum();
    let trades: i64 = events.iter().filter(|e| e.kind == EventKind::Trade).map(|e| e.qty).sum();
    assert_eq!((fills, trades), (10_201, 9_892));
    // Of 6,371 fills all but 7 have a row that follows from them in the same event.
    let mut followed = 0;
    for (at, _) in events.iter().enumerate().filter(|(_, e)| e.kind == EventKind::Fill) {
        let end = events[at..].iter().position(|e| e.flags & flag::EVENT_END != 0).unwrap();
        followed += usize::from(
            events[at..=at + end]
                .iter()
                .any(|e| e.flags & flag::CONSEQUENCE != 0 && e.order_id == events[at].order_id),
        );
    }
    assert_eq!(followed, 6_364);
    assert!(events.iter().all(|event| event.flags & flag::TIME_BACK == 0));
    let facts = decoded.facts.unwrap();
    assert_eq!((facts.format, facts.bytes), (Format::Dbn, bytes.len() as u64));
    assert_eq!(facts.sha256, Some(Sha256::digest(&bytes).into()));
    assert_eq!((facts.counts.records, facts.counts.skipped), (68_792, 0));
}

#[test]
fn the_crates_own_decoder_sees_the_same_records() {
    for path in [ES_24, ES_25] {
        let Some((_, bytes)) = sample(path) else { return };
        let mut theirs = CrateDecoder::new(&bytes[..]).unwrap();
        let metadata = theirs.metadata().clone();
        let mut records: Vec<MboMsg> = Vec::new();
        while let Some(record) = theirs.decode_record::<MboMsg>().unwrap() {
            records.push(record.clone());
        }
        let places: Vec<u64> = (0..records.len() as u64).collect();
        let (wanted, names) = events(&metadata, &records, &places);
        let ours = decode_bytes(&bytes);
        assert_eq!((ours.error, ours.names.instruments), (None, names), "{path}");
        assert!(ours.events == wanted, "{path}");
        let (decoder, _, _) = pushed(&bytes, 1 << 20);
        let last = records.last().unwrap();
        assert_eq!(
            (decoder.last_sequence(), decoder.last_recv_ns()),
            (last.sequence, last.ts_recv)
        );
    }
}

#[test]
fn chunks_and_packings_give_the_same_events() {
    for path in [ES_24, ES_25] {
        let Some((packed, bytes)) = sample(path) else { return };
        let whole = decode_bytes(&packed);
        assert_eq!(whole.error, None);
        for size in [1, 7, 4 << 10, 1 << 20] {
            let (decoder, events, error) = pushed(&bytes, size);
            assert_eq!(error, None, "{path} in chunks of {size}");
            assert!(events == whole.events, "{path} in chunks of {size}");
            assert_eq!(decoder.names().instruments, whole.names.instruments);
            let input = Input::Stream(Box::new(Dribble(&bytes, size)));
            assert!(decode(input, None, &OpenOptions::default()).events == whole.events);
        }
        for unpacked in [bytes.clone(), zstd(&bytes), gzip(&bytes)] {
            let again = decode_bytes(&unpacked);
            assert!(again.error.is_none() && again.events == whole.events, "{path}");
            assert_eq!(again.facts.unwrap().sha256, whole.facts.unwrap().sha256);
        }
    }
}

#[test]
fn a_cut_anywhere_is_an_error_or_a_clean_end_after_the_right_prefix() {
    for path in [ES_24, ES_25] {
        let Some((packed, bytes)) = sample(path) else { return };
        // The head, then the file's last records: where the fills are.
        let head = 8 + u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
        let tail = bytes.len() - 56 * 8_000;
        let short = [&bytes[..head], &bytes[tail..]].concat();
        let whole = decode_bytes(&short).events;
        assert_eq!(whole.len(), 8_000);
        let mut clean = 0;
        for cut in (1..short.len()).step_by(997).chain((head + 56..short.len()).step_by(56 * 997)) {
            let part =
                decode(Input::Bytes(&short[..cut]), Some(Format::Dbn), &OpenOptions::default());
            assert!(whole.starts_with(&part.events), "{path} cut at {cut}");
            let Some(error) = part.error else {
                assert_eq!((cut - head) % 56, 0, "{path} cut at {cut}");
                clean += 1;
                continue;
            };
            assert_eq!(error.kind, FeedErrorKind::Truncated, "{path} cut at {cut}: {error}");
            let record = cut.saturating_sub(head) / 56;
            let offset = if cut < head { cut } else { head + record * 56 };
            assert_eq!((error.record, error.offset), (record as u64, offset as u64), "{cut}");
        }
        assert!(clean > 0, "some cut falls between records");
        for cut in (8..packed.len()).step_by(997 * 7) {
            let part = decode_bytes(&packed[..cut]);
            let error = part.error.unwrap();
            assert_eq!((error.kind, error.offset), (FeedErrorKind::Truncated, cut as u64));
        }
    }
}
