//! Rebuilt books against what others publish of them: ES by orders, AMZN by its order book file.

use crate::common::{AMZN, decode_bytes, sample as lobster};
use crate::model::{ES_24, ES_25, pushed, sample};
use cwts_feeds::book::{BookSide, Books, FillRule, Level};
use cwts_feeds::event::{Event, EventKind};
use std::collections::BTreeSet;

const POINT: i64 = 1_000_000_000;

fn total(levels: &[(i64, Level)]) -> (usize, i128, usize) {
    let qty = levels.iter().map(|row| row.1.qty).sum();
    (levels.len(), qty, levels.iter().map(|row| row.1.orders).sum())
}

#[test]
fn es_ends_with_the_published_book() {
    let Some((_, first)) = sample(ES_24) else { return };
    let Some((_, second)) = sample(ES_25) else { return };
    // Both days, and the second alone: it repeats all 8,725 orders of the first as a snapshot.
    for files in [&[&first, &second][..], &[&second]] {
        let mut books = Books::new(FillRule::Follows);
        let (mut records, mut last) = (0, (0, 0));
        for bytes in files {
            let (decoder, events, error) = pushed(bytes, 1 << 20);
            assert_eq!(error, None);
            for event in &events {
                books.apply(event).unwrap();
            }
            records += events.len();
            last = (decoder.last_sequence(), decoder.last_recv_ns());
        }
        assert_eq!(records, if files.len() == 2 { 77_517 } else { 68_792 });
        assert_eq!(last, (59_585, 1_703_548_799_446_821_072));
        let bids = books.levels(0, BookSide::Bid);
        let asks = books.levels(0, BookSide::Ask);
        assert_eq!((bids[0].0, asks[0].0), (4_810 * POINT, 4_810 * POINT + POINT / 4));
        let ((bid_levels, bid_qty, bid_orders), (ask_levels, ask_qty, ask_orders)) =
            (total(&bids), total(&asks));
        assert_eq!((bid_levels, ask_levels), (922, 565));
        assert_eq!((bid_qty, ask_qty), (22_050, 20_110));
        assert_eq!((bid_orders + ask_orders, books.live_orders()), (11_217, 11_217));
    }
}

/// The file of level 1 shows an order only while it is the best, so what a level holds is known
/// only where it began empty: an order better than the best. From there on, for as long as it stays
/// the best, the rebuilt level must be the published one. An order that was overtaken may go
/// unseen, and then lies in the rebuilt book as a better price than the best: those rows compare
/// the level alone.
#[test]
fn amzn_tops_are_those_of_its_order_book_file() {
    let Some(messages) = lobster(AMZN) else { return };
    let published = "orderflow/lobster/AMZN_2012-06-21_34200000_57600000_orderbook_1.csv.gz";
    let Some(published) = lobster(published) else { return };
    let published = String::from_utf8(published).unwrap();
    let rows: Vec<[i64; 4]> = published
        .lines()
        .filter_map(|line| {
            let row: Vec<i64> =
                line.split(',').map_while(|field| field.trim().parse().ok()).collect();
            row.try_into().ok()
        })
        .collect();
    let events = decode_bytes(&messages).events;
    assert_eq!(rows.len(), events.len());
    let mut books = Books::new(FillRule::Reduces);
    let mut added = BTreeSet::new();
    let mut began: [Option<i64>; 2] = [None; 2];
    let (mut compared, mut tops) = (0, 0);
    for (at, event) in events.iter().enumerate() {
        books.apply(event).unwrap();
        if event.kind == EventKind::Add {
            added.insert(event.order_id);
        }
        for (side, code, price_at) in [(BookSide::Ask, 2, 0), (BookSide::Bid, 1, 2)] {
            let began = &mut began[usize::from(code == 1)];
            let (px, qty) = (rows[at][price_at] * 100_000, rows[at][price_at + 1]);
            let is_better = at > 0 && {
                let before = rows[at - 1][price_at] * 100_000;
                if side == BookSide::Bid { event.px > before } else { event.px < before }
            };
            if event.kind == EventKind::Add && event.side == code && is_better {
                // Unless an order lies there whose end went unseen.
                let levels = books.levels(0, side);
                let level = levels.iter().find(|row| row.0 == event.px).map(|row| row.1.orders);
                *began = (level == Some(1)).then_some(event.px);
            }
            let touched = is_orphan(event, &added) && event.side == code;
            if *began != Some(px) || touched && event.px == px {
                *began = None;
                continue;
            }
            let levels = books.levels(0, side);
            let level = levels.iter().find(|row| row.0 == px).map(|row| row.1.qty);
            assert_eq!(level, Some(i128::from(qty)), "row {at}, {side:?}");
            compared += 1;
            tops += usize::from(levels[0].0 == px);
        }
    }
    assert!(compared > 10_000 && tops > 2_000, "{compared} compared, {tops} tops");
}

fn is_orphan(event: &Event, added: &BTreeSet<u64>) -> bool {
    matches!(event.kind, EventKind::Reduce | EventKind::Delete | EventKind::Fill)
        && !added.contains(&event.order_id)
}
