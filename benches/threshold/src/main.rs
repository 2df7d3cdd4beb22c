//! Recovery beside commonware's: one JSON object a line. `cargo run --release -- [--quick]`.
//!
//! Both get the same partials, already parsed, and give the sum without verifying it. The tests
//! hold the two against each other: same partials, same signature.

#[path = "../../../rust/gateway/benches/risk/lines/timing.rs"]
#[expect(dead_code, reason = "another benchmark needs all of it")]
mod timing;

mod ceremony;

use std::hint::black_box;
use std::num::NonZeroU32;

use commonware_codec::Encode;
use commonware_cryptography::bls12381::dkg::feldman_desmedt::deal_anonymous;
use commonware_cryptography::bls12381::primitives::group::Share;
use commonware_cryptography::bls12381::primitives::ops::{sign, threshold::recover};
use commonware_cryptography::bls12381::primitives::sharing::{Mode, Sharing as TheirSharing};
use commonware_cryptography::bls12381::primitives::variant::{MinSig, PartialSignature};
use commonware_parallel::Sequential;
use commonware_utils::N3f1;
use cwts_threshold::{
    Coefficients, Committee, Partial, Row, SIGNATURE_DST, Sharing, combine_unverified,
};
use rand::SeedableRng;

const MESSAGE: &[u8] = b"one batch";

/// A committee as both see it.
struct Both {
    ours: Sharing,
    our_partials: Vec<Partial>,
    theirs: TheirSharing<MinSig>,
    their_partials: Vec<PartialSignature<MinSig>>,
}

/// Under our suite: theirs differs in the last name, and in nothing that recovery looks at.
fn partial(share: &Share) -> PartialSignature<MinSig> {
    let value = sign::<MinSig>(&share.private, SIGNATURE_DST, MESSAGE);
    PartialSignature { index: share.index, value }
}

fn both(n: u16, seed: u64) -> Both {
    let rng = rand::rngs::StdRng::seed_from_u64(seed);
    let members = NonZeroU32::new(u32::from(n)).expect("members");
    let (theirs, shares) = deal_anonymous::<MinSig, N3f1>(rng, Mode::NonZeroCounter, members);
    let their_partials: Vec<PartialSignature<MinSig>> = shares.iter().map(partial).collect();
    let t = Committee::quorum(n);
    let encoded = theirs.encode();
    let commitments = &encoded[encoded.len() - usize::from(t) * 96..];
    let committee = Committee::new(n, t, 0).expect("a committee");
    let ours = Sharing::parse(committee, commitments).expect("their polynomial");
    let our_partials = (1..)
        .zip(&their_partials)
        .map(|(index, partial)| {
            Partial::parse(&partial.value.encode(), index, 0).expect("their partial")
        })
        .collect();
    Both { ours, our_partials, theirs, their_partials }
}

fn subsets(n: u32, t: u32) -> Vec<Vec<usize>> {
    (0u32..1 << n)
        .filter(|mask| mask.count_ones() == t)
        .map(|mask| (0..n as usize).filter(|bit| mask >> bit & 1 == 1).collect())
        .collect()
}

fn has_no_division(members: &[usize]) -> bool {
    let members: Vec<u16> = members.iter().map(|at| *at as u16 + 1).collect();
    let row = Row::of(&members);
    matches!(row.coefficients(), Coefficients::Integers { denominator: 1, .. })
}

fn print(name: &str, unit: &str, found: &(timing::Times, timing::Times, f64)) {
    let (us, them, ratio) = found;
    println!(
        "{{\"name\":\"{name}\",\"peer\":\"commonware\",\"unit\":\"{unit}\",\"ours\":{},\
         \"ours_min\":{},\"peer_value\":{},\"peer_min\":{},\"ratio\":{ratio}}}",
        us.median(),
        us.min(),
        them.median(),
        them.min()
    );
}

fn line(name: &str, rounds: usize, both: &Both, subsets: &[Vec<usize>]) {
    let ours: Vec<Vec<Partial>> =
        subsets.iter().map(|set| set.iter().map(|at| both.our_partials[*at]).collect()).collect();
    let theirs: Vec<Vec<PartialSignature<MinSig>>> = subsets
        .iter()
        .map(|set| set.iter().map(|at| both.their_partials[*at].clone()).collect())
        .collect();
    let found = timing::in_turn(
        rounds,
        || {
            timing::cpu(ours.len() * 1_000, || {
                for parts in &ours {
                    black_box(combine_unverified(&both.ours, parts).expect("t of them"));
                }
            })
        },
        || {
            timing::cpu(theirs.len() * 1_000, || {
                for parts in &theirs {
                    black_box(recover(&both.theirs, parts, &Sequential).expect("t of them"));
                }
            })
        },
    );
    print(name, "us", &found);
}

fn main() {
    let rounds = if std::env::args().any(|word| word == "--quick") { 3 } else { 9 };
    let ten = both(10, 1);
    let all = subsets(10, 7);
    let ones: Vec<Vec<usize>> = all.iter().filter(|set| has_no_division(set)).cloned().collect();
    line("recover", rounds, &ten, &all);
    line("recover_small", rounds, &ten, &ones);
    let hundred = both(100, 2);
    let dkg = timing::in_turn(
        rounds.min(5),
        || timing::cpu(1_000_000, || ceremony::ours(10)),
        || timing::cpu(1_000_000, || ceremony::theirs(10)),
    );
    print("ceremony", "ms", &dkg);
    line("recover_67_of_100", rounds, &hundred, &[(0..67).collect()]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use cwts_threshold::{BatchSecret, Signature, recover as our_recover, verify};

    #[test]
    fn the_same_partials_make_the_same_signature() {
        for (n, seed) in [(4, 3), (7, 4), (10, 5), (13, 6), (22, 7), (100, 8)] {
            let both = both(n, seed);
            let t = usize::from(Committee::quorum(n));
            for skip in 0..usize::from(n) - t + 1 {
                let theirs: Vec<_> = both.their_partials[skip..skip + t].to_vec();
                let theirs = recover(&both.theirs, &theirs, &Sequential).unwrap();
                let secret = BatchSecret::new([7; 32]);
                let parts = &both.our_partials[skip..skip + t];
                let ours = our_recover(&both.ours, MESSAGE, parts, &secret).unwrap();
                assert_eq!(ours.signature, Signature::parse(&theirs.encode()).unwrap());
                assert!(verify(both.ours.key(), MESSAGE, &ours.signature));
            }
            assert_eq!(both.ours.key().to_bytes()[..], both.theirs.public().encode()[..]);
        }
    }
}
