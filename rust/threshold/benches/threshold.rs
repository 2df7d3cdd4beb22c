//! What a certificate costs beside plain verification: one JSON object a line.
//!
//! `cargo bench -p cwts-threshold --bench threshold -- [--quick]`. Both sides of a comparison run
//! in turn, on the CPU time of one thread.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]
#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

#[path = "../../gateway/benches/risk/lines/timing.rs"]
#[expect(dead_code, reason = "another benchmark needs all of it")]
mod timing;

use std::hint::black_box;

use cwts_threshold::{
    BatchSecret, Committee, Dealing, Partial, SecretKey, Seed, Signature, deal, partial_sign,
    recover, sign, verify, verify_batch,
};

const MESSAGE: &[u8] = b"cwts/bench/v1\0one batch";
const BATCH: usize = 1_000;

struct Line {
    name: &'static str,
    peer: &'static str,
}

/// Both sides are in microseconds of one unit: a certificate, or a signature of a batch.
fn line(
    at: Line,
    rounds: usize,
    (units, ours): (usize, &dyn Fn()),
    (peer_units, theirs): (usize, &dyn Fn()),
) {
    let (us, them, ratio) = timing::in_turn(
        rounds,
        || timing::cpu(units * 1_000, ours),
        || timing::cpu(peer_units * 1_000, theirs),
    );
    println!(
        "{}",
        serde_json::json!({
            "name": at.name, "peer": at.peer, "unit": "us", "ours": us.median(),
            "ours_min": us.min(), "peer_value": them.median(), "peer_min": them.min(),
            "ratio": ratio,
        })
    );
}

fn encoded(dealing: &Dealing) -> Vec<([u8; 48], u16)> {
    let partials = dealing.shares.iter().map(|share| partial_sign(share, MESSAGE));
    partials.map(|partial| (partial.to_bytes(), partial.index())).collect()
}

fn parse(parts: &[([u8; 48], u16)]) -> Vec<Partial> {
    parts.iter().map(|(bytes, index)| Partial::parse(bytes, *index, 0).unwrap()).collect()
}

fn committee(n: u16, rounds: usize) {
    let t = Committee::quorum(n);
    let dealing = deal(Committee::new(n, t, 0).unwrap(), &Seed::take(&mut [9; 32])).unwrap();
    let all = encoded(&dealing);
    let key = dealing.sharing.key();
    let secret = BatchSecret::new([7; 32]);
    let whole = recover(&dealing.sharing, MESSAGE, &parse(&all), &secret).unwrap().signature;
    let signature = whole.to_bytes();
    // Sets that slide over the members: cheap rows and dear ones.
    let sets: Vec<Vec<([u8; 48], u16)>> = (0..usize::from(n))
        .map(|skip| {
            let slide = all.iter().cycle().skip(skip).take(usize::from(t));
            let mut set: Vec<_> = slide.copied().collect();
            set.sort_by_key(|(_, index)| *index);
            set
        })
        .collect();
    let certificate = || {
        for set in &sets {
            black_box(recover(&dealing.sharing, MESSAGE, &parse(set), &secret).unwrap());
        }
    };
    let plain = || {
        let signature = Signature::parse(&signature).unwrap();
        assert!(verify(key, MESSAGE, &signature));
    };
    let each = || {
        for (bytes, index) in &all[..usize::from(t)] {
            let partial = Partial::parse(bytes, *index, 0).unwrap();
            assert!(partial.verify(&dealing.sharing, MESSAGE).unwrap());
        }
    };
    let name = if n == 10 { "certificate_7_of_10" } else { "certificate_67_of_100" };
    let units = sets.len();
    line(Line { name, peer: "own verify" }, rounds, (units, &certificate), (1, &plain));
    line(Line { name, peer: "own verify each" }, rounds, (units, &certificate), (1, &each));
    if n == 10 {
        let mut bad = all.clone();
        for at in [1, 4, 8] {
            bad[at].0 = partial_sign(&dealing.shares[at], b"another").to_bytes();
        }
        let blamed = || {
            let found = recover(&dealing.sharing, MESSAGE, &parse(&bad), &secret).unwrap();
            assert_eq!(found.blamed, [2, 5, 9]);
        };
        let at = Line { name: "three_blamed", peer: "own certificate" };
        line(at, rounds, (1, &blamed), (units, &certificate));
    }
}

fn batch(rounds: usize) {
    let key = SecretKey::generate(&Seed::take(&mut [1; 32]));
    let texts: Vec<[u8; 8]> = (0..BATCH as u64).map(u64::to_le_bytes).collect();
    let messages: Vec<&[u8]> = texts.iter().map(|text| &text[..]).collect();
    let signatures: Vec<[u8; 48]> =
        messages.iter().map(|message| sign(&key, message).to_bytes()).collect();
    let public = key.public_key();
    let secret = BatchSecret::new([7; 32]);
    let parsed = || signatures.iter().map(|one| Signature::parse(one).unwrap());
    let at_once = || {
        let parsed: Vec<Signature> = parsed().collect();
        assert!(verify_batch(&public, &messages, &parsed, &secret).unwrap().is_empty());
    };
    let one_by_one = || {
        for (message, signature) in messages.iter().zip(parsed()) {
            assert!(verify(&public, message, &signature));
        }
    };
    let at = Line { name: "verify_batch", peer: "own loop" };
    line(at, rounds, (BATCH, &at_once), (BATCH, &one_by_one));
}

fn main() {
    let rounds = if std::env::args().any(|word| word == "--quick") { 3 } else { 9 };
    committee(10, rounds);
    committee(100, rounds.min(5));
    batch(rounds.min(5));
}
