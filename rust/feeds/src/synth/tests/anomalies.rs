//! Every anomaly does what its label says, measured by plain controls at the shipped limits.

use std::collections::BTreeSet;

use super::market::Market;
use super::{draw, draw_of};
use crate::event::{Event, EventKind, flag};
use crate::synth::{AnomalyKind, AnomalySet, Label, Options, Profile};

const SPAN: u64 = 60_000;

/// What the shipped default limits say of one account.
struct Shipped {
    order_qty: i64,
    position: i64,
    account_per_s: usize,
    strategy_per_s: usize,
}

const EQUITY: Shipped =
    Shipped { order_qty: 50_000, position: 200_000, account_per_s: 300, strategy_per_s: 400 };
const FUTURE: Shipped =
    Shipped { order_qty: 350, position: 2_000, account_per_s: 400, strategy_per_s: 600 };

fn options(anomalies: AnomalySet) -> Options {
    Options { anomalies, span_events: SPAN, ..Options::default() }
}

/// The expected reasons that plain controls find among the events of `label`.
fn found(label: &Label, events: &[Event], shipped: &Shipped) -> BTreeSet<&'static str> {
    let mine = |event: &Event| label.order_ids.contains(&event.order_id);
    let mut market = Market::default();
    let mut reasons = BTreeSet::new();
    let mut last_ns = 0;
    let mut halted = None;
    for event in events {
        if !mine(event) {
            // Other anomalies' orders are no ordinary flow either: they are left out.
            match event.kind {
                EventKind::State => halted = (event.qty == 2).then_some(event.instrument),
                EventKind::Add | EventKind::Trade => drop(market.apply(event)),
                _ if market.knows(event.order_id) => drop(market.apply(event)),
                _ => {}
            }
            last_ns = event.ts_ns;
            continue;
        }
        if event.ts_ns < last_ns {
            // It follows its model by 20 us, in which ordinary events may come.
            assert!((4_999_980_000..=5_000_000_000).contains(&(last_ns - event.ts_ns)));
            assert_eq!(event.flags, flag::TIME_BACK);
            reasons.insert("TIME_BACK");
            continue;
        }
        last_ns = event.ts_ns;
        if event.kind == EventKind::Delete {
            if label.kind == AnomalyKind::UnknownCancel {
                reasons.insert("UNKNOWN_ORDER");
            } else if label.kind != AnomalyKind::ClockBack {
                market.release(event);
            }
            continue;
        }
        let observed = market.observe(event);
        if event.qty > shipped.order_qty {
            reasons.insert("MAX_ORDER_QTY");
        }
        if observed.collar_bps.is_some_and(|bps| bps > 600) {
            reasons.insert("PRICE_COLLAR");
        }
        if observed.equal_per_ms > 17 {
            reasons.insert("DUPLICATE_ORDER");
        }
        if observed.strategy_per_s > shipped.strategy_per_s
            && observed.account_per_s > shipped.account_per_s
        {
            reasons.insert("MESSAGE_RATE");
        }
        if event.instrument == 8 {
            reasons.insert("RESTRICTED_INSTRUMENT");
        }
        if observed.position > shipped.position {
            reasons.insert("MAX_POSITION");
        }
        if halted == Some(event.instrument) {
            reasons.insert("INSTRUMENT_HALTED");
        }
    }
    reasons
}

/// The stream as one label's test sees it: ordinary events and its own.
fn without_others(events: &[Event], labels: &[Label], label: &Label) -> Vec<Event> {
    let others: BTreeSet<u64> = labels
        .iter()
        .filter(|other| *other != label)
        .flat_map(|other| other.order_ids.iter().copied())
        .collect();
    events.iter().filter(|event| !others.contains(&event.order_id)).copied().collect()
}

#[test]
fn each_anomaly_meets_exactly_the_control_that_it_expects() {
    let all = AnomalySet::DEFAULT.with(AnomalyKind::HaltInBurst);
    for (profile, shipped) in Profile::all().iter().zip([EQUITY, EQUITY, FUTURE]) {
        for seed in [7, 21, 1_000_003] {
            let (events, labels) = draw_of(profile.clone(), seed, options(all), SPAN as usize);
            assert_eq!(labels.len(), 10, "every kind begins within the span");
            for label in &labels {
                let seen = without_others(&events, &labels, label);
                let mut reasons = found(label, &seen, &shipped);
                if label.kind == AnomalyKind::FatFingerQty {
                    // A hundred times a large order may be too much for the position as well.
                    reasons.remove("MAX_POSITION");
                }
                let expected: BTreeSet<&str> = label.expect.iter().copied().collect();
                let name = profile.name();
                assert_eq!(reasons, expected, "{name}, seed {seed}, {}", label.kind.name());
            }
        }
    }
}

#[test]
fn the_default_set_has_nine_labels_in_the_order_of_the_stream() {
    let (events, labels) = draw(7, options(AnomalySet::DEFAULT), SPAN as usize);
    let kinds: Vec<&str> = labels.iter().map(|label| label.kind.name()).collect();
    assert_eq!(
        kinds,
        [
            "fat-finger-qty",
            "fat-finger-price",
            "duplicate-burst",
            "runaway-loop",
            "off-collar",
            "restricted",
            "clock-back",
            "unknown-cancel",
            "oversell",
        ]
    );
    assert!(labels.is_sorted_by_key(|label| label.seq));
    for label in &labels {
        let first = events.iter().find(|event| label.order_ids.contains(&event.order_id)).unwrap();
        assert_eq!(first.src, label.seq, "{}", label.kind.name());
        assert_eq!(label.expect, label.kind.expect());
    }
    let counts: Vec<usize> = labels.iter().map(|label| label.order_ids.len()).collect();
    assert_eq!(counts, [1, 1, 20, 2_000, 1, 1, 1, 1, 16]);
}

#[test]
fn every_injected_order_is_cancelled_and_none_but_the_unknown_cancel_stands_alone() {
    let (events, labels) = draw(9, options(AnomalySet::DEFAULT), SPAN as usize);
    for label in &labels {
        for order_id in &label.order_ids {
            let kinds: Vec<EventKind> = events
                .iter()
                .filter(|event| event.order_id == *order_id)
                .map(|event| event.kind)
                .collect();
            if label.kind == AnomalyKind::UnknownCancel {
                assert_eq!(kinds, [EventKind::Delete]);
            } else {
                assert_eq!(kinds, [EventKind::Add, EventKind::Delete], "{}", label.kind.name());
            }
        }
    }
}

#[test]
fn the_runaway_loop_sends_a_thousand_orders_a_second_from_one_strategy() {
    let set = AnomalySet::NONE.with(AnomalyKind::RunawayLoop);
    let (events, labels) = draw(4, options(set), SPAN as usize);
    let sent: Vec<&Event> = events
        .iter()
        .filter(|event| {
            event.kind == EventKind::Add && labels[0].order_ids.contains(&event.order_id)
        })
        .collect();
    assert_eq!(sent.len(), 2_000);
    assert_eq!(sent[1_999].ts_ns - sent[0].ts_ns, 1_999_000_000);
    assert!(sent.iter().all(|event| event.strategy == sent[0].strategy));
    assert!(sent.iter().all(|event| event.account == sent[0].account));
}

#[test]
fn a_label_is_one_line_of_json() {
    let label = Label {
        seq: 12,
        kind: AnomalyKind::OffCollar,
        expect: AnomalyKind::OffCollar.expect(),
        order_ids: vec![3, 4],
    };
    assert_eq!(
        label.to_ndjson(),
        "{\"seq\":12,\"kind\":\"off-collar\",\"expect\":[\"PRICE_COLLAR\"],\"order_ids\":[3,4]}\n"
    );
}

#[test]
fn sets_hold_what_was_put_in() {
    assert_eq!(AnomalySet::NONE.kinds().count(), 0);
    assert_eq!(AnomalySet::DEFAULT.kinds().count(), 9);
    assert!(!AnomalySet::DEFAULT.contains(AnomalyKind::HaltInBurst));
    let one = AnomalySet::NONE.with(AnomalyKind::Oversell);
    assert_eq!(one.kinds().collect::<Vec<_>>(), [AnomalyKind::Oversell]);
}
