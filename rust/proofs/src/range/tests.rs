//! Forgeries of a prover who does as it likes with numbers, blindings and the library.

use curve25519_dalek_4::scalar::Scalar;

use super::*;
use crate::tests::{context, seed};

/// A commitment to any scalar, negative ones too.
fn commit(value: Scalar, blinding: Scalar) -> Point {
    let point = PEDERSEN.commit(value, blinding).compress();
    Point::parse(&point.to_bytes(), "a commitment").unwrap()
}

/// What a forger has: numbers and blindings of a range proof that need not fit the commitments.
fn forged(exposure: &Point, limit: &Limit, values: [u64; 2], blindings: [Scalar; 2]) -> Proof {
    let mut transcript = transcript(EXPOSURE_LABEL, &context(1), limit, &[*exposure]);
    let body = prove_range(&mut transcript, &values, &blindings, &seed(9)).unwrap();
    Proof::new(exposure_kind(limit), 0, body)
}

const R: u64 = 0x1234_5678;
const S: u64 = 0x9ABC_DEF0;

#[test]
fn the_forger_of_these_tests_makes_a_true_proof_of_a_true_statement() {
    let (r, s) = (Scalar::from(R), Scalar::from(S));
    let exposure = commit(Scalar::from(70_u64), r);
    let limit = Limit::Hidden(commit(Scalar::from(100_u64), s));
    let proof = forged(&exposure, &limit, [70, 30], [r, s - r]);
    assert_eq!(verify_exposure_below(&proof, &exposure, &limit, &context(1)), Ok(true));
}

#[test]
fn an_exposure_above_its_limit_has_no_proof_whatever_wraps() {
    let (r, s) = (Scalar::from(R), Scalar::from(S));
    let exposure = commit(Scalar::from(101_u64), r);
    let limit = Limit::Hidden(commit(Scalar::from(100_u64), s));
    for room in [u64::MAX, 0, 1, 1 << 63] {
        let proof = forged(&exposure, &limit, [101, room], [r, s - r]);
        assert_eq!(verify_exposure_below(&proof, &exposure, &limit, &context(1)), Ok(false));
    }
}

#[test]
fn a_negative_exposure_passes_the_room_alone_and_not_both() {
    let (r, s) = (Scalar::from(R), Scalar::from(S));
    // -5 as the group knows it; the limit has room of 105 then.
    let exposure = commit(-Scalar::from(5_u64), r);
    let limit = Limit::Hidden(commit(Scalar::from(100_u64), s));
    let Limit::Hidden(bound) = limit else { unreachable!() };
    let room = element(&bound).unwrap() - element(&exposure).unwrap();
    let mut alone = transcript(EXPOSURE_LABEL, &context(1), &limit, &[exposure]);
    let body = prove_range(&mut alone, &[105], &[s - r], &seed(2)).unwrap();
    let mut again = transcript(EXPOSURE_LABEL, &context(1), &limit, &[exposure]);
    assert!(verify_range(&mut again, &[room.compress()], &body), "the room alone is in range");

    for value in [5_u64.wrapping_neg(), 5, 0] {
        let proof = forged(&exposure, &limit, [value, 105], [r, s - r]);
        assert_eq!(verify_exposure_below(&proof, &exposure, &limit, &context(1)), Ok(false));
    }
}

#[test]
fn a_desk_below_zero_does_not_make_room_for_another() {
    let blindings = [Scalar::from(R), Scalar::from(S)];
    let desks =
        [commit(Scalar::from(150_u64), blindings[0]), commit(-Scalar::from(60_u64), blindings[1])];
    let limit = Limit::Public(100);
    // The sum, 90, is below 100, and is proven as it should be.
    let mut transcript = transcript(DESKS_LABEL, &context(1), &limit, &desks);
    let values = [150, 60_u64.wrapping_neg()];
    let mut body = prove_range(&mut transcript, &values, &blindings, &seed(3)).unwrap();
    let firm = Opening::of(90, blindings[0] + blindings[1]);
    body.extend(prove_below(&mut transcript, &firm, &OpenedLimit::Public(100), &seed(3)).unwrap());
    let proof = Proof::new(Kind::DesksSumBelowPublic, 2, body);
    assert_eq!(verify_desks_sum_below(&proof, &desks, &limit, &context(1)), Ok(false));

    // The same hand makes a true proof of desks that are numbers.
    let desks =
        [commit(Scalar::from(50_u64), blindings[0]), commit(Scalar::from(40_u64), blindings[1])];
    let mut transcript = super::transcript(DESKS_LABEL, &context(1), &limit, &desks);
    let mut body = prove_range(&mut transcript, &[50, 40], &blindings, &seed(3)).unwrap();
    body.extend(prove_below(&mut transcript, &firm, &OpenedLimit::Public(100), &seed(3)).unwrap());
    let proof = Proof::new(Kind::DesksSumBelowPublic, 2, body);
    assert_eq!(verify_desks_sum_below(&proof, &desks, &limit, &context(1)), Ok(true));
}

#[test]
fn an_opening_of_nothing_at_all_is_refused() {
    let nothing = Opening::of(0, Scalar::ZERO);
    let identity = Err(ProofError::PointIdentity { what: "the commitment" });
    assert_eq!(nothing.commitment(), identity);
    let mut file = Opening::of(1, Scalar::ONE).encode().unwrap();
    file[16..].fill(0);
    assert_eq!(Opening::decode(&file).map(|_| ()), identity.map(|_| ()));
}
