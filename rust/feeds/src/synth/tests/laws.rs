//! The committed tables are the laws that they claim to be. Floats are fine here: nothing is
//! drawn with them.

use crate::synth::chacha::ChaCha8;
use crate::synth::profile::{KERNELS, Profile};
use crate::synth::table::{CHILD_COUNTS, Counts, Exponential, INTERVALS, POINTS, Quantiles, Zipf};

const BRANCHING: [f64; KERNELS] = [0.528, 0.229, 0.147];
const SIZE: f64 = 0.130;

#[test]
fn exponential_waits_have_the_exponential_law() {
    let unit = Exponential::new();
    let mut stream = ChaCha8::new(1, 9);
    let n = 400_000;
    let waits: Vec<f64> =
        (0..n).map(|_| unit.draw_ns(1_000_000_000, &mut stream) as f64 / 1e9).collect();
    let mean = waits.iter().sum::<f64>() / f64::from(n);
    let squares = waits.iter().map(|wait| wait * wait).sum::<f64>() / f64::from(n);
    assert!((mean - 1.0).abs() < 0.01, "mean {mean}");
    assert!((squares - 2.0).abs() < 0.05, "second moment {squares}");
    // The part past the table's end, e^-9, is there too: the law has no last interval.
    for beyond in [1.0, 5.0, 9.0_f64] {
        let got = waits.iter().filter(|wait| **wait > beyond).count() as f64;
        let want = f64::from(n) * (-beyond).exp();
        assert!((got - want).abs() < 5.0 * want.sqrt(), "{got} over {beyond}, not {want}");
    }
}

#[test]
fn children_have_the_negative_binomial_law() {
    let tables = Profile::equity_liquid().tables;
    for (kernel, mean) in BRANCHING.into_iter().enumerate() {
        let counts = Counts::read(tables, POINTS + kernel * CHILD_COUNTS);
        let mut probability = (SIZE / (SIZE + mean)).powf(SIZE);
        let mut sum = 0.0;
        for (k, got) in counts.sums().iter().enumerate() {
            sum += probability;
            assert!((*got as f64 / 4_294_967_296.0 - sum).abs() < 1e-9, "kernel {kernel}, {k}");
            probability *= (k as f64 + SIZE) / (k as f64 + 1.0) * mean / (SIZE + mean);
        }
        assert_eq!(counts.sums().last(), Some(&(1 << 32)), "the cut at 512 leaves nothing over");
        assert!(counts.sums().is_sorted());
    }
}

#[test]
fn one_or_more_is_the_law_given_that_it_is_not_none() {
    let counts = Counts::read(Profile::equity_liquid().tables, POINTS);
    let sums = counts.sums();
    assert_eq!(counts.at(0), 0);
    assert_eq!(counts.at(sums[0] as u32 - 1), 0);
    assert_eq!(counts.at(sums[0] as u32), 1);
    assert_eq!(counts.at(u32::MAX), sums.iter().position(|sum| *sum == 1 << 32).unwrap());
    assert_eq!(counts.at_least_one(0), 1);
    let n = 1_u32 << 16;
    let mean = (0..n).map(|i| counts.at_least_one(i << 16) as f64).sum::<f64>() / f64::from(n);
    let want = BRANCHING[0] / (1.0 - sums[0] as f64 / 4_294_967_296.0);
    assert!((mean / want - 1.0).abs() < 0.01, "{mean} instead of {want}");
}

#[test]
fn inverse_distributions_rise_and_meet_their_knots() {
    let lifetimes = Quantiles::read(Profile::equity_liquid().tables, 0);
    assert!(lifetimes.points().is_sorted());
    assert_eq!(lifetimes.points()[INTERVALS], 3_600_000_000_000, "an hour at most");
    let size = Quantiles::through(Profile::equity_liquid().sizes, 0);
    assert!(size.points().is_sorted());
    assert_eq!((size.points()[0], size.points()[INTERVALS]), (1, 9_000));
    assert_eq!(size.points()[INTERVALS / 2], 100);
    let line = Quantiles::through(&[(0, -50), (10_000, 50)], 50);
    assert_eq!((line.at(0), line.at(1 << 31), line.at(u32::MAX)), (0, 50, 99));
}

#[test]
fn ranks_cover_their_table_and_no_more() {
    for ranks in [1, 2, 8, 64, 4_096] {
        let zipf = Zipf::new(ranks);
        assert_eq!(zipf.at(0), 0);
        assert_eq!(zipf.at(u32::MAX), ranks as u32 - 1);
        let mut last = 0;
        for draw in (0..1 << 16).map(|lead| lead << 16) {
            assert!(zipf.at(draw) >= last);
            last = zipf.at(draw);
        }
    }
}
