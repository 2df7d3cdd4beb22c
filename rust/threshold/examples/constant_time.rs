//! Whether the time that a secret's work takes tells the secret: Welch's t of two classes of
//! inputs, drawn at random for each run; `checks/constant_time.sh` runs it.
//!
//! Source: Reparaz, Balasch, Verbauwhede 2017 ("dudect"): the slowest runs are cut off, and |t|
//! above 4.5 is suspicious; noise of a shared machine hits both classes alike. The last row is a
//! comparison that ends early: it must be found, or nothing above says anything.
#![expect(clippy::print_stdout, reason = "an example prints")]
#![expect(clippy::unwrap_used, reason = "an example may panic")]

use std::hint::black_box;

use cwts_threshold::{Committee, Lock, Seed, SeedFile, Share, deal, partial_sign};
use rustix::time::{ClockId, clock_gettime};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

/// Above this a leak is believed, and below it none is: a real one is far off either.
const SUSPICIOUS: f64 = 10.0;
/// A look that is suspicious is repeated: a leak stays, a burst of the machine does not.
const LOOKS: usize = 3;
const SLOWEST_CUT: f64 = 0.9;

/// A coin and bytes that are the same in every run of this program.
struct Draws(u64);

impl Draws {
    fn bytes(&mut self) -> [u8; 32] {
        self.0 += 1;
        Sha256::digest(self.0.to_le_bytes()).into()
    }

    fn coin(&mut self) -> bool {
        self.bytes()[0] & 1 == 1
    }
}

fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Times `work` on inputs of two classes; gives t.
fn t_of<I>(
    runs: usize,
    draws: &mut Draws,
    mut input: impl FnMut(&mut Draws, bool) -> I,
    work: impl Fn(&I),
) -> f64 {
    let mut times: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
    let prepared: Vec<(bool, I)> = (0..runs)
        .map(|_| {
            let class = draws.coin();
            (class, input(draws, class))
        })
        .collect();
    for (class, input) in &prepared {
        let start = now_ns();
        work(black_box(input));
        times[usize::from(*class)].push((now_ns() - start) as f64);
    }
    let mut all: Vec<f64> = times.concat();
    all.sort_by(f64::total_cmp);
    let cut = all[(all.len() as f64 * SLOWEST_CUT) as usize];
    let [a, b] = times.map(|times| {
        let kept: Vec<f64> = times.into_iter().filter(|time| *time <= cut).collect();
        let n = kept.len() as f64;
        let mean = kept.iter().sum::<f64>() / n;
        let variance = kept.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (n - 1.0);
        (mean, variance / n)
    });
    (a.0 - b.0) / (a.1 + b.1).sqrt()
}

/// The smallest |t| of a few looks; ends with the first that is not suspicious.
fn look(name: &str, mut once: impl FnMut() -> f64) -> bool {
    let mut least = f64::INFINITY;
    for _ in 0..LOOKS {
        least = least.min(once().abs());
        if least < SUSPICIOUS {
            break;
        }
    }
    println!("{name:<28} |t| = {least:>8.1}");
    least >= SUSPICIOUS
}

/// What must never be written: the planted fault.
fn ends_early(a: &[u8; 32], b: &[u8; 32]) -> bool {
    for (a, b) in a.iter().zip(b) {
        if a != b {
            return false;
        }
    }
    true
}

fn share(bytes: &[u8; 32]) -> Share {
    let mut below = *bytes;
    below[0] &= 0x3f;
    Share::parse(&below, 1, 0).unwrap()
}

fn main() {
    let draws = &mut Draws(0);
    let mut leaks = Vec::new();
    // One bit set against all random ones: a loop over bits would tell.
    let sparse = {
        let mut one = [0; 32];
        one[31] = 1;
        one
    };
    let class_of = |draws: &mut Draws, class: bool| if class { draws.bytes() } else { sparse };

    let mut take = |name: &'static str, found: bool| {
        if found {
            leaks.push(name);
        }
    };
    take(
        "partial_sign",
        look("partial_sign", || {
            t_of(
                4_000,
                draws,
                |d, class| share(&class_of(d, class)),
                |share| {
                    black_box(partial_sign(share, b"a message"));
                },
            )
        }),
    );
    let dealing = deal(Committee::new(1, 1, 0).unwrap(), &Seed::take(&mut [7; 32])).unwrap();
    let secret: [u8; 32] = *dealing.shares[0].export();
    let near = |draws: &mut Draws, class: bool| if class { draws.bytes() } else { secret };
    take(
        "comparison of secrets",
        look("comparison of secrets", || {
            t_of(200_000, draws, near, |other| {
                black_box(bool::from(secret.ct_eq(other)));
            })
        }),
    );
    let file = SeedFile { chain: [1; 32], number: 1 };
    let key = draws.bytes();
    let sealed =
        file.seal(&Seed::take(&mut draws.bytes()), Lock::Key(&key), &[2; 16], &[3; 12]).unwrap();
    // A tag that is wrong in its first byte, or in its last.
    let forged = |_: &mut Draws, class: bool| {
        let mut bytes = sealed.clone();
        let at = if class { bytes.len() - 16 } else { bytes.len() - 1 };
        bytes[at] ^= 1;
        bytes
    };
    take(
        "tag of a sealed seed",
        look("tag of a sealed seed", || {
            t_of(40_000, draws, forged, |bytes| {
                black_box(file.open(bytes, Lock::Key(&key)).is_err());
            })
        }),
    );
    let planted = look("planted: ends early", || {
        t_of(200_000, draws, near, |other| {
            black_box(ends_early(&secret, other));
        })
    });
    assert!(leaks.is_empty(), "the time tells the secret: {leaks:?}");
    assert!(planted, "a comparison that ends early was not found");
    println!("no leak was found, and the planted one was");
}
