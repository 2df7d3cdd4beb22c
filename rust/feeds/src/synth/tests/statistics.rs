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

/// A row of the note's table.
struct Target {
    rate: f64,
    gap_p50_ms: f64,
    fano: [f64; 3],
    max_1ms: f64,
    submits_per_fill: f64,
    lifetime_s: [f64; 3],
    fast_share: f64,
    size_p50: f64,
    size_mean: f64,
    size_p99: f64,
    buy_share: f64,
}

fn within(name: &str, got: f64, target: f64, low: f64, high: f64) {
    assert!(
        (low * target..=high * target).contains(&got),
        "{name}: got {got}, which is not in {low} to {high} times {target}"
    );
}

/// The mean over the seeds, held to the note's bounds; more of it for a profile to ask about.
fn eight_hours(profile: fn() -> Profile, target: &Target) -> Measured {
    let runs = SEEDS.map(|seed| {
        let events = hour(profile(), seed);
        Measured::of(&events, Options::default().start_ns, SECONDS)
    });
    let got = Measured::mean(runs.to_vec());
    println!("{got:#?}");
    within("rate", got.rate, target.rate, 0.9, 1.1);
    within("gap p50", got.gap_p50_ms, target.gap_p50_ms, 0.65, 1.35);
    for (name, got, target) in [
        ("Fano 1 s", got.fano[0], target.fano[0]),
        ("Fano 10 s", got.fano[1], target.fano[1]),
        ("Fano 60 s", got.fano[2], target.fano[2]),
        ("most in 1 ms", got.max_1ms, target.max_1ms),
    ] {
        within(name, got, target, 0.5, 2.0);
    }
    for (name, got, target) in [
        ("submits per fill", got.submits_per_fill, target.submits_per_fill),
        ("lifetime p10", got.lifetime_s[0], target.lifetime_s[0]),
        ("lifetime p50", got.lifetime_s[1], target.lifetime_s[1]),
        ("lifetime p90", got.lifetime_s[2], target.lifetime_s[2]),
        ("share below 50 ms", got.fast_share, target.fast_share),
        ("size p50", got.size_p50, target.size_p50),
        ("mean size", got.size_mean, target.size_mean),
        ("size p99", got.size_p99, target.size_p99),
        ("buys", got.buy_share, target.buy_share),
    ] {
        within(name, got, target, 0.8, 1.2);
    }
    got
}

#[test]
fn eight_hours_of_equity_liquid_are_within_the_bounds_of_the_note() {
    let target = Target {
        rate: 25.55,
        gap_p50_ms: 0.459,
        fano: [45.7, 113.0, 257.0],
        max_1ms: 60.0,
        submits_per_fill: 10.9,
        lifetime_s: [0.0026, 0.37, 11.0],
        fast_share: 0.26,
        size_p50: 100.0,
        size_mean: 112.0,
        size_p99: 1_000.0,
        buy_share: 0.467,
    };
    let got = eight_hours(Profile::equity_liquid, &target);
    for (name, got, target) in [
        ("submits", got.mix[0], 0.481),
        ("cancels", got.mix[1], 0.451),
        ("fills", got.mix[2], 0.044),
        ("prints", got.mix[3], 0.024),
        ("share of size 100", got.size_100_share, 0.53),
    ] {
        within(name, got, target, 0.8, 1.2);
    }
}

#[test]
fn eight_hours_of_equity_thin_are_within_the_bounds_of_the_note() {
    let target = Target {
        rate: 2.46,
        gap_p50_ms: 1.98,
        fano: [16.0, 30.0, 63.0],
        max_1ms: 32.0,
        submits_per_fill: 3.1,
        lifetime_s: [0.000_26, 0.31, 5.9],
        fast_share: 0.39,
        size_p50: 100.0,
        size_mean: 96.0,
        size_p99: 500.0,
        buy_share: 0.467,
    };
    let got = eight_hours(Profile::equity_thin, &target);
    within("share of size 100", got.size_100_share, 0.50, 0.8, 1.2);
}

#[test]
fn eight_hours_of_the_future_are_within_the_bounds_of_the_note() {
    let target = Target {
        rate: 7.93,
        gap_p50_ms: 0.0825,
        fano: [81.0, 248.0, 883.0],
        max_1ms: 159.0,
        submits_per_fill: 3.2,
        lifetime_s: [0.0011, 4.1, 168.0],
        fast_share: 0.18,
        size_p50: 1.0,
        size_mean: 2.2,
        size_p99: 16.0,
        buy_share: 0.524,
    };
    eight_hours(Profile::future, &target);
}
