//! What makes a sigma protocol one: two answers give the secret, and one gives nothing.

use proptest::prelude::*;
use sigma_proofs::codec::ScalarCodec as _;
use sigma_proofs::traits::{SigmaProtocol as _, SigmaProtocolSimulator as _};
use spongefish::NargReader;

use super::*;
use crate::tests::{context, seed};
use crate::{Opening, range};

type Rng = PrivateRng<Shake128>;
type Relation = Instance<RistrettoPoint>;
type Moves = (Vec<RistrettoPoint>, Scalar, Vec<Scalar>);

fn rng(number: u64) -> Rng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    Rng::from_seed(bytes)
}

/// The three relations that are proven here, with the secret that is one's own.
fn relations(secret: &Secret, number: u64) -> Vec<Relation> {
    let base = Secret::generate(&seed(!number)).public().unwrap();
    let shared = shared_point(secret, &base).unwrap();
    let blinding = shared_point(secret, &range::blinding_base()).unwrap();
    vec![
        knowledge(&secret.public().unwrap()).unwrap(),
        dleq(&secret.public().unwrap(), &base, &shared).unwrap(),
        multiple(&blinding, &range::blinding_base()).unwrap(),
    ]
}

/// The secret, out of two accepting transcripts that begin alike.
fn extracted(one: (Scalar, Scalar), other: (Scalar, Scalar)) -> Scalar {
    (one.1 - other.1) * (one.0 - other.0).invert()
}

proptest! {
    #[test]
    fn two_accepting_transcripts_with_one_commitment_give_the_secret(number: u64, nonce: u64) {
        let secret = Secret::generate(&seed(number));
        for relation in relations(&secret, number) {
            let mut draws = rng(nonce ^ u64::MAX);
            let answers: Vec<Moves> = (0..2).map(|_| {
                // The prover is set back to the moment before the challenge.
                let (commitment, state) =
                    relation.prover_commit(&[secret.scalar()], &mut rng(nonce)).unwrap();
                let challenge = Scalar::sample(&mut draws);
                let response = relation.prover_response(state, &challenge).unwrap();
                prop_assert!(relation.verifier(&commitment, &challenge, &response).is_ok());
                Ok((commitment, challenge, response))
            }).collect::<Result<_, TestCaseError>>()?;
            prop_assert_eq!(&answers[0].0, &answers[1].0);
            prop_assert_ne!(answers[0].1, answers[1].1);
            let found = extracted(
                (answers[0].1, answers[0].2[0]),
                (answers[1].1, answers[1].2[0]),
            );
            prop_assert_eq!(found, secret.scalar());
        }
    }
}

/// Challenge and response of a compact proof.
fn answer(body: &[u8]) -> (Scalar, Scalar) {
    let mut reader = NargReader::new(body);
    let mut next = || Scalar::deserialize_scalar(&mut reader).unwrap();
    (next(), next())
}

#[test]
fn a_seed_used_twice_does_not_give_the_secret_away_and_would_if_it_were_the_nonce() {
    let secret = Secret::generate(&seed(1));
    let relation = knowledge(&secret.public().unwrap()).unwrap();
    let sessions = [1, 2].map(|nonce| session(KNOWLEDGE_TAG, &context(nonce), &[]));
    let [one, other] = sessions.each_ref().map(|session| {
        let body = prove_compact_with::<Shake128, _>(
            session,
            &relation,
            &[secret.scalar()],
            &mut PrivateRng::<Shake128>::from_seed([9; 32]),
        );
        answer(&body.unwrap())
    });
    assert_eq!(extracted(one, other), secret.scalar(), "the extractor works on whole proofs too");

    let [one, other] =
        sessions.each_ref().map(|s| answer(&prove(&relation, &secret, s, &seed(9)).unwrap()));
    assert_ne!(extracted(one, other), secret.scalar());
    let nonces = [one, other].map(|(challenge, response)| response - challenge * secret.scalar());
    assert_ne!(nonces[0], nonces[1]);
}

/// Transcripts of each side.
const TRANSCRIPTS: usize = 2_000;
/// Two samples of 16 bins: chi squared with 15 degrees of freedom is above this once in 2 million.
const CHI_SQUARED_MAX: f64 = 60.0;

/// What a distinguisher looks at, each from 0 to 15; `x` is what it could look at if it had the
/// secret.
fn marks((commitment, challenge, response): &Moves, x: &Scalar) -> Vec<usize> {
    let mut out = Vec::new();
    for point in commitment {
        let bytes = point.compress().to_bytes();
        out.extend([usize::from(bytes[0] >> 1 & 15), usize::from(bytes[15] >> 4)]);
    }
    let z = response[0];
    let c = *challenge;
    for scalar in [c, z, z - c, z + c, z - c * x] {
        let bytes = scalar.to_bytes();
        out.extend([usize::from(bytes[0] & 15), usize::from(bytes[30] >> 4)]);
    }
    out
}

/// The largest two-sample chi squared over all marks.
fn distance(ours: &[Moves], theirs: &[Moves], x: &Scalar) -> f64 {
    let counts = |moves: &[Moves]| {
        let mut counts: Vec<[f64; 16]> = Vec::new();
        for one in moves {
            let found = marks(one, x);
            counts.resize(found.len(), [0.0; 16]);
            for (bins, mark) in counts.iter_mut().zip(found) {
                bins[mark] += 1.0;
            }
        }
        counts
    };
    let chi = |(a, b): (&[f64; 16], &[f64; 16])| -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b).powi(2) / (a + b).max(1.0)).sum()
    };
    counts(ours).iter().zip(&counts(theirs)).map(chi).fold(0.0, f64::max)
}

fn real(relation: &Relation, secret: &Secret, draws: &mut Rng) -> Moves {
    let (commitment, state) = relation.prover_commit(&[secret.scalar()], draws).unwrap();
    let challenge = Scalar::sample(draws);
    let response = relation.prover_response(state, &challenge).unwrap();
    (commitment, challenge, response)
}

/// A transcript out of a challenge and a response that the caller draws.
fn solved(relation: &Relation, challenge: Scalar, response: Scalar) -> Moves {
    let commitment = relation.simulate_commitment(&challenge, &vec![response]).unwrap();
    (commitment, challenge, vec![response])
}

#[test]
fn simulated_transcripts_look_like_real_ones_and_wrong_ones_do_not() {
    let secret = Secret::generate(&seed(5));
    let short = |draws: &mut Rng| {
        let mut bytes = [0; 32];
        draws.fill_bytes(&mut bytes[..30]);
        Scalar::from_canonical_bytes(bytes).unwrap()
    };
    for (number, relation) in relations(&secret, 5).iter().enumerate() {
        let draws = &mut rng(number as u64);
        let mut many = |make: &mut dyn FnMut(&mut Rng) -> Moves| -> Vec<Moves> {
            let moves: Vec<_> = (0..TRANSCRIPTS).map(|_| make(draws)).collect();
            let holds = |(t, c, z): &Moves| relation.verifier(t, c, z).is_ok();
            assert!(moves.iter().all(holds), "relation {number}");
            moves
        };
        let ours = many(&mut |draws| real(relation, &secret, draws));
        let simulated = many(&mut |draws| relation.simulate_transcript(draws).unwrap());
        let found = distance(&ours, &simulated, &secret.scalar());
        assert!(found < CHI_SQUARED_MAX, "relation {number}: {found}");

        // Each of these verifies, and yet is no simulator.
        let short_response = many(&mut |d| solved(relation, Scalar::sample(d), short(d)));
        let short_challenge = many(&mut |d| solved(relation, short(d), Scalar::sample(d)));
        let one_draw = many(&mut |d| {
            let both = Scalar::sample(d);
            solved(relation, both, both)
        });
        // And this is a prover with a short nonce: what gave keys away in practice.
        let short_nonce = many(&mut |d| {
            let challenge = Scalar::sample(d);
            solved(relation, challenge, short(d) + challenge * secret.scalar())
        });
        for wrong in [short_response, short_challenge, one_draw, short_nonce] {
            let found = distance(&ours, &wrong, &secret.scalar());
            assert!(found > CHI_SQUARED_MAX, "relation {number}: {found}");
        }
        let (_, challenge, response) = &ours[0];
        let elsewhere = &ours[1].0;
        assert!(relation.verifier(elsewhere, challenge, response).is_err());
    }
}

#[test]
fn equality_is_bound_to_both_commitments_and_not_to_their_difference() {
    let openings = [1, 2].map(|number| Opening::new(700, &seed(number)));
    let [first, second] = openings.each_ref().map(|opening| opening.commitment().unwrap());
    let proof = crate::prove_equal(&openings[0], &openings[1], &context(1), &seed(3)).unwrap();
    assert_eq!(crate::verify_equal(&proof, &first, &second, &context(1)), Ok(true));
    // The same point added to both: the same difference, other commitments.
    let shift = Secret::generate(&seed(4)).public().unwrap().element("").unwrap();
    let moved = [first, second].map(|point| {
        let sum = point.element("").unwrap() + shift;
        Point::parse(&sum.compress().to_bytes(), "").unwrap()
    });
    assert_eq!(range::difference(&moved[0], &moved[1]), range::difference(&first, &second));
    assert_eq!(crate::verify_equal(&proof, &moved[0], &moved[1], &context(1)), Ok(false));
    assert_eq!(crate::verify_equal(&proof, &second, &first, &context(1)), Ok(false));
}

#[test]
fn both_versions_of_the_group_have_one_base() {
    let base = RistrettoPoint::mul_base(&Scalar::ONE).compress().to_bytes();
    let opening = Opening::new(1, &seed(1));
    let blinding = opening.blinding();
    let commitment = opening.commitment().unwrap().element("").unwrap();
    let hiding = range::blinding_base().element("").unwrap()
        * Scalar::from_canonical_bytes(blinding.to_bytes()).unwrap();
    assert_eq!((commitment - hiding).compress().to_bytes(), base);
}
