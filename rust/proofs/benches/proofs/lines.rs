//! What the benchmark measures, each as a line.

use std::hint::black_box;

use cwts_proofs::{
    Context, DESKS_MAX, Limit, OpenedLimit, Opening, Point, Proof, ProofError, Role, Secret, Seed,
    prove_desks_sum_below, prove_dleq, prove_equal, prove_exposure_below, prove_knowledge,
    shared_point, verify_desks_sum_below, verify_dleq, verify_equal, verify_exposure_below,
    verify_knowledge,
};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::timing::{Times, cpu};

fn seed(number: u8) -> Seed {
    Seed::new(&Zeroizing::new([number; 32]))
}

/// Times both sides of a kind of proof and prints a line for each.
fn pair(
    name: &str,
    (rounds, proofs): (usize, usize),
    prove: impl Fn(&Seed) -> Result<Proof, ProofError>,
    verify: impl Fn(&Proof) -> Result<bool, ProofError>,
    say: &mut dyn FnMut(Value),
) {
    let proof = prove(&seed(1)).unwrap();
    assert_eq!(verify(&proof), Ok(true));
    let mut line = |side: &str, times: &Times| {
        say(json!({
            "name": format!("{name}_{side}"), "unit": "us", "ours": times.median() / 1e3,
            "ours_min": times.min() / 1e3, "bytes": proof.encode().len(),
        }));
    };
    let proving = Times::alone(rounds, || {
        cpu(proofs, || {
            for number in 0..proofs {
                black_box(prove(&seed(number as u8)).unwrap());
            }
        })
    });
    line("prove", &proving);
    let encoded = proof.encode();
    let verifying = Times::alone(rounds, || {
        cpu(proofs, || {
            for _ in 0..proofs {
                assert_eq!(verify(&Proof::decode(black_box(&encoded)).unwrap()), Ok(true));
            }
        })
    });
    line("verify", &verifying);
}

/// Runs all; a verification is counted from the proof's bytes on.
pub(crate) fn all(is_quick: bool, say: &mut dyn FnMut(Value)) {
    let (many, few) = if is_quick { ((2, 4), (2, 1)) } else { ((9, 200), (9, 10)) };
    let context = Context::new([7; 32], 3, Role::Account, "alpha", 4_711, [9; 32]).unwrap();
    let secret = Secret::generate(&seed(2));
    let public = secret.public().unwrap();
    let base = Secret::generate(&seed(3)).public().unwrap();
    let shared = shared_point(&secret, &base).unwrap();
    pair(
        "schnorr",
        many,
        |seed| prove_knowledge(&secret, &context, seed),
        |proof| verify_knowledge(proof, &public, &context),
        say,
    );
    pair(
        "dleq",
        many,
        |seed| prove_dleq(&secret, &base, &context, seed),
        |proof| verify_dleq(proof, &public, &base, &shared, &context),
        say,
    );
    let [exposure, again] = [4, 5].map(|number| Opening::new(1_250_000, &seed(number)));
    let limit = Opening::new(100_000_000, &seed(6));
    let [c, c_again, c_limit] =
        [&exposure, &again, &limit].map(|opening| opening.commitment().unwrap());
    pair(
        "equal",
        many,
        |seed| prove_equal(&exposure, &again, &context, seed),
        |proof| verify_equal(proof, &c, &c_again, &context),
        say,
    );
    let (opened, hidden) = (OpenedLimit::Hidden(&limit), Limit::Hidden(c_limit));
    pair(
        "exposure_below",
        few,
        |seed| prove_exposure_below(&exposure, &opened, &context, seed),
        |proof| verify_exposure_below(proof, &c, &hidden, &context),
        say,
    );
    let desks: [&Opening; DESKS_MAX] = [&exposure; DESKS_MAX];
    let points: [Point; DESKS_MAX] = [c; DESKS_MAX];
    pair(
        "desks_sum_below_8",
        few,
        |seed| prove_desks_sum_below(&desks, &opened, &context, seed),
        |proof| verify_desks_sum_below(proof, &points, &hidden, &context),
        say,
    );
}
