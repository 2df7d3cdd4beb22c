use super::*;
use crate::decoder::Notices;
use crate::driven::{Driven, drive};
use proptest::prelude::*;

/// A message by its parts, without what the decoder has to read them.
fn message(kind: u8, locate: u16, ns: u64, parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(locate.to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(&ns.to_be_bytes()[2..]);
    bytes.extend(parts.concat());
    bytes
}

fn frames(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in messages {
        bytes.extend((message.len() as u16).to_be_bytes());
        bytes.extend(message);
    }
    bytes
}

type Run = Driven<ItchDecoder>;

fn decode(bytes: &[u8]) -> Run {
    drive(ItchDecoder::new(0), bytes, bytes.len().max(1))
}

fn met(run: &Run) -> Vec<(Notice, u64, u64)> {
    let notices: Notices = run.decoder.counts().notices;
    notices.met().collect()
}

const AAPL: &[u8] = b"AAPL    ";

fn add(id: u64, side: u8, shares: u32, price: u32, ns: u64) -> Vec<u8> {
    let (id, shares, price) = (id.to_be_bytes(), shares.to_be_bytes(), price.to_be_bytes());
    message(b'A', 7, ns, &[&id, &[side], &shares, AAPL, &price])
}

#[test]
fn every_type_has_its_event() {
    let (two, ten) = (2_u32.to_be_bytes(), 10_u32.to_be_bytes());
    let id = |id: u64| id.to_be_bytes();
    let price = 1_000_100_u32.to_be_bytes();
    let day = [
        message(b'S', 0, 1, &[b"O"]),
        message(b'R', 7, 2, &[AAPL, &[b'N'; 20]]),
        add(11, b'B', 100, 1_000_000, 3),
        message(b'F', 7, 4, &[&id(12), b"S", &ten, AAPL, &price, b"MPID"]),
        message(b'E', 7, 5, &[&id(11), &two, &id(900)]),
        message(b'C', 7, 6, &[&id(11), &two, &id(901), b"N", &price]),
        message(b'C', 7, 7, &[&id(12), &two, &id(902), b"Y", &price]),
        message(b'X', 7, 8, &[&id(11), &two]),
        message(b'U', 7, 9, &[&id(11), &id(13), &ten, &price]),
        message(b'E', 7, 10, &[&id(13), &ten, &id(903)]),
        message(b'D', 7, 11, &[&id(12)]),
        message(b'P', 7, 12, &[&id(0), b"S", &two, AAPL, &price, &id(904)]),
        message(b'Q', 7, 13, &[&id(500), AAPL, &price, &id(905), b"O"]),
        message(b'Q', 7, 14, &[&id(0), AAPL, &[0; 4], &id(906), b"C"]),
        message(b'H', 7, 15, &[AAPL, b"H     "]),
        message(b'H', 7, 16, &[AAPL, b"T     "]),
        message(b'H', 7, 17, &[AAPL, b"Q     "]),
        message(b'B', 7, 18, &[&id(904)]),
        message(b'Z', 7, 19, &[b"what is this"]),
        message(b'E', 7, 1, &[&id(13), &ten, &id(907)]),
    ];
    let found = decode(&frames(&day));
    assert_eq!(found.error, None);
    let events = &found.events;
    let kinds: Vec<u8> = events.iter().map(|event| event.kind as u8).collect();
    assert_eq!(kinds, [1, 1, 4, 4, 4, 2, 6, 4, 3, 5, 11, 11, 7, 7, 7, 4]);
    let row = |at: usize| {
        let Event { order_id, px, qty, ref_id, side, flags, .. } = events[at];
        (order_id, px / PRICE_FACTOR, qty, ref_id, side, flags)
    };
    assert_eq!(row(0), (11, 1_000_000, 100, 0, 1, 0));
    assert_eq!(row(1), (12, 1_000_100, 10, 0, 2, 0));
    assert_eq!(row(2), (11, 1_000_000, 2, 900, 1, 0), "at the resting order's price");
    assert_eq!(row(3), (11, 1_000_100, 2, 901, 1, flag::NO_REF), "not printable");
    assert_eq!(row(4), (12, 1_000_100, 2, 902, 2, 0));
    assert_eq!(row(5), (11, 1_000_000, 2, 0, 1, 0));
    assert_eq!(row(6), (13, 1_000_100, 10, 11, 1, 0), "the side is inherited");
    assert_eq!(row(7), (13, 1_000_100, 10, 903, 1, 0), "at the replaced price");
    assert_eq!(row(8), (12, 1_000_100, 8, 0, 2, 0), "what was left of it");
    assert_eq!(row(9), (0, 1_000_100, 2, 904, 2, flag::HIDDEN));
    assert_eq!(row(10), (0, 1_000_100, 500, 905, 0, 0));
    assert_eq!(row(11), (0, 0, 0, 906, 0, flag::NO_REF), "a cross that did not happen");
    let states: Vec<i64> = events[12..15].iter().map(|event| event.qty).collect();
    assert_eq!(states, [2, 1, 0]);
    let orphan = flag::UNDEF_PX | flag::NO_REF | flag::TIME_BACK;
    assert_eq!(row(15), (13, 0, 10, 907, 0, orphan), "13 was filled: it rests no more");
    assert!(events.iter().all(|event| event.instrument == 0 && event.account == u32::MAX));
    assert_eq!(found.decoder.names().instruments, ["AAPL"]);
    // A record is a message: S and R come first.
    assert_eq!((events[0].src, events[15].src), (2, 19));
    assert_eq!((found.decoder.counts().records, found.decoder.counts().time_back), (20, 1));
    let counts: Vec<_> = met(&found).iter().map(|&(notice, count, _)| (notice, count)).collect();
    let expected = [
        (Notice::BrokenTrade, 1),
        (Notice::NoEnd, 1),
        (Notice::NoFlow, 2),
        (Notice::UnknownType, 1),
    ];
    assert_eq!(counts, expected);
}

#[test]
fn the_size_of_every_type_is_compared() {
    for (kind, size) in wire::LISTED {
        for wrong in [size - 1, size + 1] {
            let bytes = frames(&[vec![0; 1], {
                let mut m = vec![kind];
                m.resize(usize::from(wrong), 0);
                m
            }]);
            let error = decode(&bytes).error.unwrap();
            assert_eq!((error.kind, error.record, error.offset), (FeedErrorKind::BadLength, 1, 3));
            assert!(error.detail.contains(&format!("expected {size}")), "{error}");
        }
    }
    assert_eq!(wire::SIZES.iter().filter(|size| **size > 0).count(), 23);
}

#[test]
fn rows_on_unknown_orders_are_passed_on() {
    let id = 5_u64.to_be_bytes();
    let (two, price) = (2_u32.to_be_bytes(), 20_000_u32.to_be_bytes());
    let day = [
        message(b'E', 9, 1, &[&id, &two, &id]),
        message(b'C', 9, 2, &[&id, &two, &id, b"Y", &price]),
        message(b'X', 9, 3, &[&id, &two]),
        message(b'D', 9, 4, &[&id]),
        message(b'U', 9, 5, &[&id, &6_u64.to_be_bytes(), &two, &price]),
        message(b'E', 9, 6, &[&6_u64.to_be_bytes(), &two, &id]),
    ];
    let found = decode(&frames(&day));
    assert_eq!(found.error, None);
    let flags: Vec<u16> = found.events.iter().map(|event| event.flags).collect();
    let undefined = flag::UNDEF_PX;
    assert_eq!(flags, [undefined | flag::NO_REF, 0, undefined, undefined, 0, 0]);
    assert!(found.events.iter().all(|event| event.side == 0));
    // A replace names its price, so what follows on it has one.
    assert_eq!(found.events[5].px, 2_000_000_000);
    assert_eq!(found.decoder.names().instruments, ["LOCATE-9"]);
}

#[test]
fn errors_name_record_and_byte() {
    let good = add(1, b'B', 5, 100, 9);
    let at = (good.len() + 2) as u64;
    let other = |at: usize, byte: u8| {
        let mut bad = good.clone();
        bad[at] = byte;
        bad
    };
    let mut late = good.clone();
    late[5..11].copy_from_slice(&DAY_NS.to_be_bytes()[2..]);
    let id = 1_u64.to_be_bytes();
    let cases = [
        (other(19, b'X'), FeedErrorKind::BadSide),
        (other(24, b'\n'), FeedErrorKind::Corrupt),
        (late, FeedErrorKind::BadTime),
        (message(b'H', 7, 9, &[AAPL, b"?     "]), FeedErrorKind::BadKind),
        (message(b'C', 7, 9, &[&id, &[0; 4], &id, b"?", &[0; 4]]), FeedErrorKind::BadFlags),
        (message(b'R', 3, 9, &[b"        ", &[b'N'; 20]]), FeedErrorKind::BadUtf8),
        (message(b'R', 3, 9, &[b"A\0      ", &[b'N'; 20]]), FeedErrorKind::BadUtf8),
        (message(b'R', 3, 9, &[&[0; 8], &[b'N'; 20]]), FeedErrorKind::BadUtf8),
        (message(b'H', 3, 9, &[&[0; 8], b"T     "]), FeedErrorKind::BadUtf8),
        (
            message(b'Q', 7, 9, &[&[0xff; 8], AAPL, &[0; 4], &id, b"O"]),
            FeedErrorKind::NumberOutOfRange,
        ),
    ];
    for (bad, kind) in cases {
        let error = decode(&frames(&[good.clone(), bad])).error.unwrap();
        assert_eq!((error.kind, error.record, error.offset), (kind, 1, at), "{error}");
    }
    let far = drive(ItchDecoder::new(u64::MAX), &frames(&[good]), 99).error.unwrap();
    assert_eq!((far.kind, far.record, far.offset), (FeedErrorKind::BadTime, 0, 0));
}

#[test]
fn live_orders_have_a_bound() {
    let three = frames(&[add(1, b'B', 5, 1, 1), add(2, b'B', 5, 1, 2), add(3, b'B', 5, 1, 3)]);
    let error = drive(ItchDecoder::new(0).with_live_max(2), &three, 50).error.unwrap();
    assert_eq!((error.kind, error.record), (FeedErrorKind::TooManyLiveOrders, 2));
    let delete = message(b'D', 7, 3, &[&1_u64.to_be_bytes()]);
    let freed = [&three[..76], &frames(&[delete]), &three[76..]].concat();
    assert_eq!(drive(ItchDecoder::new(0).with_live_max(2), &freed, 50).error, None);
}

#[test]
fn a_frame_of_length_0_ends_the_day() {
    let day = frames(&[add(1, b'B', 5, 1, 1), message(b'S', 0, 2, &[b"C"])]);
    let bytes = [&day[..], &[0, 0], &day, b"tail"].concat();
    for size in [1, 7, 4_096] {
        let found = drive(ItchDecoder::new(0), &bytes, size);
        assert_eq!((found.error.clone(), found.events.len()), (None, 1));
        let after = (Notice::AfterEnd, day.len() as u64 + 4, day.len() as u64 + 2);
        // What stands behind the end is not even counted: one S, and no end missing.
        let flowless = (Notice::NoFlow, 1, 38);
        assert_eq!(met(&found), [after, flowless], "chunks of {size}");
    }
}

#[test]
fn a_day_that_is_cut_between_messages_is_told_once() {
    let day = [add(1, b'B', 5, 1, 1), message(b'S', 0, 2, &[b"E"]), message(b'S', 0, 2, &[b"C"])];
    let told = |messages: &[Vec<u8>], size| {
        let found = drive(ItchDecoder::new(0), &frames(messages), size);
        assert_eq!(found.error, None);
        found.decoder.counts().notices.count(Notice::NoEnd)
    };
    for size in [1, 7, 4_096] {
        assert_eq!((told(&day, size), told(&day[..2], size), told(&[], size)), (0, 1, 0));
    }
}

#[test]
fn what_itch_cannot_carry_is_refused() {
    let good = Event {
        ts_ns: 5,
        order_id: 1,
        px: 1_000_000,
        qty: 5,
        ref_id: 0,
        src: 3,
        instrument: 0,
        account: 0,
        strategy: 0,
        kind: EventKind::Add,
        side: 1,
        flags: 0,
    };
    let names = |name: &str| Names { instruments: vec![name.to_owned()], ..Names::default() };
    let write = |event: Event, name: &str| {
        let (mut out, mut places) = (Vec::new(), Vec::new());
        let written = ItchWriter::new(5).write(&[event], &names(name), &mut out, &mut places);
        written.map(|()| places).map_err(|error| (error.kind, error.record))
    };
    assert_eq!(write(good, "AAPL"), Ok(vec![2]), "behind S and R");
    let clear = Event { kind: EventKind::Clear, ..good };
    let orphan = Event { kind: EventKind::Trade, flags: flag::NO_REF, ..good };
    let cases = [
        (Event { px: 1_000_001, ..good }, FeedErrorKind::TooFine),
        (Event { px: -100_000, ..good }, FeedErrorKind::NumberOutOfRange),
        (Event { px: 429_496_729_600_000, ..good }, FeedErrorKind::NumberOutOfRange),
        (Event { qty: 1 << 32, ..good }, FeedErrorKind::NumberOutOfRange),
        (Event { flags: flag::UNDEF_PX, ..good }, FeedErrorKind::NullValue),
        (Event { side: 5, ..good }, FeedErrorKind::BadSide),
        (Event { ts_ns: 4, ..good }, FeedErrorKind::BadTime),
        (Event { ts_ns: 5 + DAY_NS, ..good }, FeedErrorKind::BadTime),
        (Event { instrument: 1, ..good }, FeedErrorKind::TooManyNames),
        (clear, FeedErrorKind::BadKind),
        (orphan, FeedErrorKind::BadFlags),
        (Event { flags: flag::SNAPSHOT, ..good }, FeedErrorKind::BadFlags),
    ];
    for (event, kind) in cases {
        assert_eq!(write(event, "AAPL"), Err((kind, 3)), "{event:?}");
    }
    for name in ["RESTRICTED", "", "A B", "zürich"] {
        assert_eq!(write(good, name), Err((FeedErrorKind::NameTooLong, 3)), "{name}");
    }
}

/// What to do with the order that `pick` takes from the live ones.
#[derive(Debug, Clone, Copy)]
struct Step {
    what: u8,
    pick: usize,
    qty: u32,
    px: u32,
    gap_ns: u32,
    buy: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..12_u8, any::<usize>(), 1..2_000_u32, 1..u32::MAX, any::<u32>(), any::<bool>());
    let step = step.prop_map(|(what, pick, qty, px, gap_ns, buy)| Step {
        what,
        pick,
        qty,
        px,
        gap_ns,
        buy,
    });
    prop::collection::vec(step, 1..150)
}

/// The events of a market that follows `steps`, as a decoder makes them; a plain list is its book.
fn market(steps: &[Step]) -> Vec<Event> {
    let mut live: Vec<Event> = Vec::new();
    let mut events = Vec::new();
    let mut ts_ns = 1_000;
    for (at, step) in steps.iter().enumerate() {
        ts_ns += u64::from(step.gap_ns);
        let mut event = Event {
            ts_ns,
            order_id: at as u64 * 3 + 1,
            px: i64::from(step.px) * PRICE_FACTOR,
            qty: i64::from(step.qty),
            ref_id: 0,
            src: 0,
            instrument: step.pick as u32 % 3,
            account: u32::MAX,
            strategy: u32::MAX,
            kind: EventKind::Add,
            side: if step.buy { 1 } else { 2 },
            flags: 0,
        };
        let picked = (!live.is_empty()).then(|| step.pick % live.len());
        let on = |event: Event, order: Event| Event {
            order_id: order.order_id,
            instrument: order.instrument,
            side: order.side,
            ..event
        };
        match (step.what, picked) {
            (1 | 2, Some(at)) => {
                let order = live[at];
                event = on(event, order);
                event.kind = if step.what == 1 { EventKind::Fill } else { EventKind::Reduce };
                event.px = order.px;
                event.qty = event.qty.min(order.qty);
                event.ref_id = if step.what == 1 { u64::from(step.px) } else { 0 };
                live[at].qty -= event.qty;
            }
            (3, Some(at)) => {
                event = on(event, live[at]);
                event.kind = EventKind::Fill;
                event.qty = event.qty.min(live[at].qty);
                event.ref_id = u64::from(step.px);
                event.flags = if step.buy { flag::NO_REF } else { 0 };
                live[at].qty -= event.qty;
            }
            (4, Some(at)) => {
                let order = live.swap_remove(at);
                event = Event { kind: EventKind::Delete, px: order.px, qty: order.qty, ..event };
                event = on(event, order);
            }
            (5, Some(at)) => {
                let order = live.swap_remove(at);
                event.kind = EventKind::Replace;
                event.ref_id = order.order_id;
                event.side = order.side;
                event.instrument = order.instrument;
                live.push(event);
            }
            (6, _) => {
                event.kind = EventKind::Trade;
                event.order_id = 0;
                event.ref_id = u64::from(step.px);
                event.flags = flag::HIDDEN;
            }
            (7, _) => {
                event.kind = EventKind::Cross;
                event = Event { order_id: 0, side: 0, ref_id: 9, ..event };
            }
            (8, _) => {
                event.kind = EventKind::State;
                event =
                    Event { order_id: 0, side: 0, px: 0, qty: i64::from(step.qty % 3), ..event };
                event.flags = flag::UNDEF_PX;
            }
            (9, _) => {
                // A row on an order that nobody added.
                event = Event { side: 0, px: 0, qty: 0, ..event };
                event.kind = EventKind::Delete;
                event.flags = flag::UNDEF_PX;
            }
            (10, _) => {
                event = Event { side: 0, px: 0, ref_id: 4, ..event };
                event.kind = EventKind::Fill;
                event.flags = flag::UNDEF_PX | flag::NO_REF;
            }
            _ => live.push(event),
        }
        live.retain(|order| order.qty > 0);
        events.push(event);
    }
    events
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn decoding_what_was_written_gives_the_events_back(
        steps in steps(), size in 1..90_usize, base_ns in 0..1_u64 << 60,
    ) {
        let names = ["A", "BRK.B", "LONGNAME"].map(str::to_owned).to_vec();
        let names = Names { instruments: names, ..Names::default() };
        let mut events = market(&steps);
        for event in &mut events {
            event.ts_ns += base_ns;
        }
        let (mut bytes, mut places) = (Vec::new(), Vec::new());
        let mut writer = ItchWriter::new(base_ns);
        for part in events.chunks(7) {
            writer.write(part, &names, &mut bytes, &mut places).unwrap();
        }
        writer.finish(&mut bytes);
        for (event, place) in events.iter_mut().zip(&places) {
            event.src = *place;
        }
        let whole = drive(ItchDecoder::new(base_ns), &bytes, bytes.len());
        prop_assert_eq!(&whole.error, &None);
        prop_assert_eq!(&whole.events, &events);
        prop_assert_eq!(whole.decoder.counts().records, writer.records());
        let count = whole.decoder.names().instruments.len();
        prop_assert_eq!(&whole.decoder.names().instruments, &names.instruments[..count]);
        let parts = drive(ItchDecoder::new(base_ns), &bytes, size);
        prop_assert_eq!(&parts.events, &whole.events);
        prop_assert_eq!(parts.decoder.counts(), whole.decoder.counts());
        // Another author reads the same messages out of it.
        let told = itchy::MessageStream::from_reader(&bytes[..bytes.len() - 2]);
        let told: Vec<_> = told.map(|message| message.unwrap().tag).collect();
        prop_assert_eq!(told.len() as u64, writer.records());
    }

    #[test]
    fn a_cut_is_an_error_behind_the_right_prefix(
        steps in steps(), cut in any::<prop::sample::Index>(),
    ) {
        let names = ["A", "B", "C"].map(str::to_owned).to_vec();
        let names = Names { instruments: names, ..Names::default() };
        let (mut bytes, mut places) = (Vec::new(), Vec::new());
        ItchWriter::new(0).write(&market(&steps), &names, &mut bytes, &mut places).unwrap();
        let whole = decode(&bytes).events;
        let part = decode(&bytes[..cut.index(bytes.len())]);
        prop_assert!(whole.starts_with(&part.events));
        if let Some(error) = part.error {
            prop_assert_eq!(error.kind, FeedErrorKind::Truncated);
        }
    }

    #[test]
    fn damage_does_not_panic(
        steps in steps(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        size in 1..90_usize,
    ) {
        let names = ["A", "B", "C"].map(str::to_owned).to_vec();
        let names = Names { instruments: names, ..Names::default() };
        let (mut bytes, mut places) = (Vec::new(), Vec::new());
        ItchWriter::new(0).write(&market(&steps), &names, &mut bytes, &mut places).unwrap();
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let whole = decode(&bytes);
        let parts = drive(ItchDecoder::new(0), &bytes, size);
        prop_assert_eq!(whole.events, parts.events);
        prop_assert_eq!(whole.error, parts.error);
    }

    #[test]
    fn any_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        decode(&bytes);
        decode(&[&[0, 36, b'A'], &bytes[..]].concat());
    }
}
