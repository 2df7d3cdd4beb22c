//! Tests of the generator.

mod anomalies;
mod flow;
mod laws;
mod market;
mod measure;
mod statistics;
mod stream;

use super::{Label, Options, Profile, Synth};
use crate::event::Event;

/// The first `n` events of a liquid stream, and its labels.
fn draw(seed: u64, options: Options, n: usize) -> (Vec<Event>, Vec<Label>) {
    draw_of(Profile::equity_liquid(), seed, options, n)
}

/// The first `n` events of a stream, and its labels.
fn draw_of(profile: Profile, seed: u64, options: Options, n: usize) -> (Vec<Event>, Vec<Label>) {
    let mut synth = Synth::new(profile, seed, options).unwrap();
    let (mut events, mut labels) = (Vec::new(), Vec::new());
    synth.fill(n, &mut events, &mut labels);
    assert_eq!(events.len(), n);
    (events, labels)
}
