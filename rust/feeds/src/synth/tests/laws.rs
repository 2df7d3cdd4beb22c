//! The committed tables are the laws that they claim to be. Floats are fine here: nothing is
//! drawn with them.

use crate::synth::chacha::ChaCha8;
use crate::synth::profile::{KERNELS, Profile};
use crate::synth::table::{CHILD_COUNTS, Counts, Exponential, INTERVALS, POINTS, Quantiles, Zipf};

/// The branching of each profile's kernels, and the size of its negative binomial law.
fn laws() -> [(Profile, [f64; KERNELS], f64); 3] {
    [
        (Profile::equity_liquid(), [0.528, 0.229, 0.147], 0.130),
        (Profile::equity_thin(), [0.548, 0.024, 0.195], 0.124),
        (Profile::future(), [0.742, 0.050, 0.133], 0.098),
    ]
}

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
    for (profile, branching, size) in laws() {
        for (kernel, mean) in branching.into_iter().enumerate() {
            let counts = Counts::read(profile.tables, POINTS + kernel * CHILD_COUNTS);
            let mut probability = (size / (size + mean)).powf(size);
            let mut sum = 0.0;
            for (k, got) in counts.sums().iter().enumerate() {
                sum += probability;
                let name = profile.name();
                assert!(
                    (*got as f64 / 4_294_967_296.0 - sum).abs() < 1e-9,
                    "{name}, {kernel}, {k}"
                );
                probability *= (k as f64 + size) / (k as f64 + 1.0) * mean / (size + mean);
            }
            assert_eq!(
                counts.sums().last(),
                Some(&(1 << 32)),
                "the cut at 512 leaves nothing over"
            );
            assert!(counts.sums().is_sorted());
        }
    }
}

#[test]
fn what_no_event_caused_arrives_as_often_as_the_rate_asks() {
    for ((profile, branching, _), rate) in laws().into_iter().zip([25.55, 2.46, 7.93]) {
        let gap_ns = 1e9 / (rate * (1.0 - branching.iter().sum::<f64>()));
        let got = profile.immigrant_gap_ns as f64;
        assert!((got / gap_ns - 1.0).abs() < 1e-6, "{}: {got}, not {gap_ns}", profile.name());
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
    let want = laws()[0].1[0] / (1.0 - sums[0] as f64 / 4_294_967_296.0);
    assert!((mean / want - 1.0).abs() < 0.01, "{mean} instead of {want}");
}

#[test]
fn inverse_distributions_rise_and_meet_their_knots() {
    for profile in Profile::all() {
        let lifetimes = Quantiles::read(profile.tables, 0);
        assert!(lifetimes.points().is_sorted());
        assert_eq!(lifetimes.points()[INTERVALS], 3_600_000_000_000, "an hour at most");
        for knots in [profile.sizes, profile.offsets] {
            assert_eq!((knots[0].0, knots[knots.len() - 1].0), (0, 10_000), "{}", profile.name());
            assert!(knots.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{}", profile.name());
        }
    }
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

/// Where the note's price offsets (thin, 1/1000 bps) and the ES day's stand in the table.
#[test]
fn price_offsets_are_those_that_were_measured() {
    let thin: &[(u32, i64)] = &[(1, -1_600), (10, 700), (50, 2_700), (90, 4_500), (99, 7_400)];
    let future: &[(u32, i64)] = &[(5, 260), (25, 260), (50, 260), (75, 5_980), (90, 30_400)];
    for (profile, measured) in [(Profile::equity_thin(), thin), (Profile::future(), future)] {
        let table = Quantiles::through(profile.offsets, 1 << 20);
        for &(percent, want) in measured {
            let got = table.at((u64::from(percent) * (1 << 32) / 100) as u32) as i64 - (1 << 20);
            assert!((got - want).abs() * 100 <= want.abs() * 2, "p{percent}: {got}, not {want}");
        }
    }
}
