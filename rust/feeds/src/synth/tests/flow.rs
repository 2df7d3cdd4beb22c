//! Ordinary flow is a market that keeps its own rules, and stays inside the shipped limits.

use super::market::{Extremes, Market};
use super::{draw, draw_of};
use crate::event::EventKind;
use crate::synth::{Options, Profile, Synth};

/// Runs a stream past the oracle, which panics at the first event that breaks a rule.
fn watch(profile: &Profile, seed: u64, events: usize) -> Extremes {
    let (events, labels) = draw_of(profile.clone(), seed, Options::default(), events);
    let mut market = Market::default();
    let mut ts_ns = 0;
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event.src, index as u64);
        assert!(event.ts_ns >= ts_ns, "time goes back at {index}");
        ts_ns = event.ts_ns;
        assert_eq!(event.px % profile.tick_e9, 0, "a price is whole ticks");
        market.apply(event);
    }
    assert!(labels.is_empty());
    println!("{}, seed {seed}: {:?}, {} live", profile.name(), market.seen, market.live());
    market.seen
}

#[test]
fn no_order_acts_after_its_end_no_book_crosses_and_fills_are_at_the_best() {
    // The shipped defaults: 50,000; 20 M; 600 bps; 200,000; 300/s; 400/s; 17 in 1 ms.
    let liquid = Profile::equity_liquid;
    for (profile, seed, events) in
        [(liquid(), 7, 300_000), (liquid(), 8, 300_000), (Profile::equity_thin(), 7, 150_000)]
    {
        let seen = watch(&profile, seed, events);
        assert!(seen.order_qty <= 10_000, "{seen:?}");
        assert!(seen.order_notional_e9 <= 10_000_000 * 1_000_000_000, "{seen:?}");
        assert!(seen.collar_bps <= 300, "{seen:?}");
        assert!(seen.position <= 40_000, "{seen:?}");
        assert!(seen.account_per_s <= 220, "{seen:?}");
        assert!(seen.strategy_per_s <= 320, "{seen:?}");
        assert!(seen.equal_per_ms <= 9, "{seen:?}");
    }
}

#[test]
fn a_future_keeps_the_same_rules_in_whole_contracts() {
    // The shipped defaults: 350; 2 M; 600 bps; 2,000; 400/s; 600/s; 17 in 1 ms.
    for seed in [7, 8] {
        let seen = watch(&Profile::future(), seed, 150_000);
        assert!(seen.order_qty <= 233, "{seen:?}");
        assert!(seen.order_notional_e9 <= 1_500_000 * 1_000_000_000, "{seen:?}");
        assert!(seen.collar_bps <= 550, "{seen:?}");
        assert!(seen.position <= 500, "{seen:?}");
        assert!(seen.account_per_s <= 300, "{seen:?}");
        assert!(seen.strategy_per_s <= 450, "{seen:?}");
        assert!(seen.equal_per_ms <= 12, "{seen:?}");
    }
}

#[test]
fn every_shape_of_stream_keeps_the_rules() {
    for profile in Profile::all() {
        for (instruments, accounts, strategies) in [(1, 1, 1), (4_096, 256, 64), (2, 3, 1)] {
            let options = Options { instruments, accounts, strategies, ..Options::default() };
            let (events, _) = draw_of(profile.clone(), 3, options, 60_000);
            let mut market = Market::default();
            for event in &events {
                if event.kind != EventKind::Trade {
                    assert!(event.instrument < instruments);
                    assert!(event.account < accounts && event.strategy < strategies);
                }
                market.apply(event);
            }
            assert!(market.seen.position <= profile.position_max, "{:?}", market.seen);
            let fills = events.iter().filter(|event| event.kind == EventKind::Fill).count();
            assert!(fills > 1_800, "{}: {fills} fills, {instruments} books", profile.name());
        }
    }
}

#[test]
fn every_instrument_prints_before_its_first_order() {
    let options = Options { instruments: 300, ..Options::default() };
    let (events, _) = draw(1, options, 301);
    for (index, event) in events.iter().enumerate() {
        assert_eq!((event.kind, event.instrument), (EventKind::Trade, index as u32));
        assert_eq!(event.ts_ns, options.start_ns);
        assert!((50_000_000_000..500_000_000_000).contains(&event.px));
    }
}

#[test]
fn what_is_kept_does_not_grow_with_the_stream() {
    for (profile, batches) in Profile::all().into_iter().zip([200, 60, 60]) {
        let mut synth = Synth::new(profile.clone(), 5, Options::default()).unwrap();
        let mut events = Vec::new();
        let mut most = (0, 0);
        for _ in 0..batches {
            events.clear();
            synth.fill(5_000, &mut events, &mut Vec::new());
            most = (most.0.max(synth.flow.live()), most.1.max(synth.clock.pending_len()));
        }
        println!("{}: most live orders and unborn children: {most:?}", profile.name());
        assert!(most.0 < 4_000 && most.1 < 4_000, "{most:?}");
    }
}

#[test]
fn the_flow_is_spread_by_zipf() {
    let (events, _) = draw(11, Options::default(), 400_000);
    let adds = || events.iter().filter(|event| event.kind == EventKind::Add);
    let total = adds().count() as f64;
    let share = |of: &dyn Fn(&crate::event::Event) -> u32, rank: u32| {
        adds().filter(|event| of(event) == rank).count() as f64 / total
    };
    let expected = |ranks: u32, rank: u32| {
        let weight = |k: u32| f64::from(k + 1).powf(-1.1);
        weight(rank) / (0..ranks).map(weight).sum::<f64>()
    };
    for rank in 0..4 {
        for (got, want) in [
            (share(&|event| event.account, rank), expected(64, rank)),
            (share(&|event| event.strategy, rank), expected(8, rank)),
            (share(&|event| event.instrument, rank), expected(8, rank)),
        ] {
            assert!((got / want - 1.0).abs() < 0.05, "rank {rank}: {got} instead of {want}");
        }
    }
}
