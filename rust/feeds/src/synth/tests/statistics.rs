//! The flow looks like the flow that it was fitted to.

use super::measure::{Measured, NS_PER_S};
use crate::event::Event;
use crate::synth::{Options, Profile, Synth};

const SEEDS: [u64; 8] = [1, 2, 3, 4, 5, 6, 7, 8];
const SECONDS: u64 = 3_600;

/// One hour of ordinary flow, without the opening prints.
fn hour(profile: Profile, seed: u64) -> Vec<Event> {
    let options = Options::default();
    let mut synth = Synth::new(profile, seed, options).unwrap();
    let mut events = Vec::new();
    let end_ns = options.start_ns + SECONDS * NS_PER_S;
    while events.last().is_none_or(|event: &Event| event.ts_ns < end_ns) {
        synth.fill(8_192, &mut events, &mut Vec::new());
    }
    events.retain(|event| event.ts_ns < end_ns);
    events.split_off(synth.names().instruments.len())
}

fn within(name: &str, got: f64, target: f64, low: f64, high: f64) {
    assert!(
        (low * target..=high * target).contains(&got),
        "{name}: got {got}, which is not in {low} to {high} times {target}"
    );
}

#[test]
fn eight_hours_of_equity_liquid_are_within_the_bounds_of_the_note() {
    let runs = SEEDS.map(|seed| {
        let events = hour(Profile::equity_liquid(), seed);
        Measured::of(&events, Options::default().start_ns, SECONDS)
    });
    let got = Measured::mean(runs.to_vec());
    println!("{got:#?}");
    within("rate", got.rate, 25.55, 0.9, 1.1);
    within("gap p50", got.gap_p50_ms, 0.459, 0.65, 1.35);
    within("Fano 1 s", got.fano[0], 45.7, 0.5, 2.0);
    within("Fano 10 s", got.fano[1], 113.0, 0.5, 2.0);
    within("Fano 60 s", got.fano[2], 257.0, 0.5, 2.0);
    within("most in 1 ms", got.max_1ms, 60.0, 0.5, 2.0);
    for (name, got, target) in [
        ("submits", got.mix[0], 0.481),
        ("cancels", got.mix[1], 0.451),
        ("fills", got.mix[2], 0.044),
        ("prints", got.mix[3], 0.024),
        ("submits per fill", got.submits_per_fill, 10.9),
        ("lifetime p10", got.lifetime_s[0], 0.0026),
        ("lifetime p50", got.lifetime_s[1], 0.37),
        ("lifetime p90", got.lifetime_s[2], 11.0),
        ("share below 50 ms", got.fast_share, 0.26),
        ("size p50", got.size_p50, 100.0),
        ("mean size", got.size_mean, 112.0),
        ("size p99", got.size_p99, 1_000.0),
        ("share of size 100", got.size_100_share, 0.53),
        ("buys", got.buy_share, 0.467),
    ] {
        within(name, got, target, 0.8, 1.2);
    }
}
