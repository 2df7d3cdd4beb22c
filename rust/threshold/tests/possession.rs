//! A member proves that it has its share, and that a partial is made with it.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use cwts_threshold::{
    Committee, Dealing, Error, Partial, SHARE_PROOF_BYTES, Scalar, Seed, ShareProof, deal,
    forge_partial, partial_sign, prove_partial, prove_share, verify_partial_proof, verify_share,
};
use proptest::prelude::*;

const MESSAGE: &[u8] = b"cwts/test/v1\0one batch";

fn dealt(tag: u8) -> Dealing {
    deal(Committee::new(4, 3, 5).unwrap(), &Seed::take(&mut [tag; 32])).unwrap()
}

#[test]
fn a_member_and_nobody_else_shows_that_it_has_its_share() {
    let (dealing, other) = (dealt(1), dealt(2));
    for share in &dealing.shares {
        let proof = prove_share(share, &[7; 32]);
        assert_eq!(proof, prove_share(share, &[7; 32]), "the same statement, the same proof");
        let holds = |index, session| verify_share(&dealing.sharing, index, &session, &proof);
        assert!(holds(share.index(), [7; 32]).unwrap());
        assert!(!holds(share.index(), [8; 32]).unwrap(), "an old answer");
        assert!(!holds(share.index() % 4 + 1, [7; 32]).unwrap(), "another member");
        assert!(!verify_share(&other.sharing, share.index(), &[7; 32], &proof).unwrap());
    }
    let proof = prove_share(&dealing.shares[0], &[7; 32]);
    let said = verify_share(&dealing.sharing, 5, &[7; 32], &proof);
    assert_eq!(said, Err(Error::IndexOutOfRange { index: 5, n: 4 }));
}

#[test]
fn a_partial_is_checked_without_a_pairing() {
    let dealing = dealt(1);
    for share in &dealing.shares {
        let (partial, proof) = prove_partial(share, MESSAGE);
        assert_eq!(partial, partial_sign(share, MESSAGE));
        let holds = |message: &[u8], partial| {
            verify_partial_proof(&dealing.sharing, message, partial, &proof).unwrap()
        };
        assert!(holds(MESSAGE, partial));
        assert!(!holds(b"another", partial));
        assert!(!holds(MESSAGE, partial_sign(share, b"another")));
        let as_another = Partial::parse(&partial.to_bytes(), share.index() % 4 + 1, 5).unwrap();
        assert!(!holds(MESSAGE, as_another));
        let early = Partial::parse(&partial.to_bytes(), share.index(), 4).unwrap();
        let said = verify_partial_proof(&dealing.sharing, MESSAGE, early, &proof);
        assert_eq!(said, Err(Error::WrongEpoch { got: 4, want: 5 }));
    }
    // A partial that others made is right, and nobody who lacks the share can prove it.
    let parts: Vec<Partial> =
        dealing.shares[..3].iter().map(|share| partial_sign(share, MESSAGE)).collect();
    let made = forge_partial(&dealing.sharing, &parts, 4).unwrap();
    assert!(made.verify(&dealing.sharing, MESSAGE).unwrap());
    let (_, of_another) = prove_partial(&dealing.shares[0], MESSAGE);
    assert!(!verify_partial_proof(&dealing.sharing, MESSAGE, made, &of_another).unwrap());
}

/// Special soundness: two answers to one commitment give the secret away. A prover that reuses a
/// nonce does that; this one does not.
#[test]
fn two_answers_under_one_nonce_would_give_the_share_away() {
    let dealing = dealt(1);
    let share = &dealing.shares[0];
    let scalars = |session: u8| {
        let bytes = prove_share(share, &[session; 32]).to_bytes();
        let read = |at: usize| {
            let half: [u8; 32] = bytes[at..at + 32].try_into().unwrap();
            Option::<Scalar>::from(Scalar::from_bytes_be(&half)).unwrap()
        };
        (read(0), read(32))
    };
    let ((c1, z1), (c2, z2)) = (scalars(1), scalars(2));
    let secret: Option<Scalar> = Scalar::from_bytes_be(&share.export()).into();
    let secret = secret.unwrap();
    let inverse = |scalar: Scalar| {
        let inverse: Option<Scalar> = group::ff::Field::invert(&scalar).into();
        inverse.unwrap()
    };
    // The extractor, on answers that share a nonce: it works.
    let nonce = z1 - c1 * secret;
    let second = nonce + c2 * secret;
    assert_eq!((z1 - second) * inverse(c1 - c2), secret);
    // On two real answers it finds nothing: the nonces differ.
    assert_ne!((z1 - z2) * inverse(c1 - c2), secret);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_changed_proof_holds_nowhere(at in 0..SHARE_PROOF_BYTES * 8) {
        let dealing = dealt(3);
        let (partial, proof) = prove_partial(&dealing.shares[1], MESSAGE);
        let mut bytes = proof.to_bytes();
        bytes[at / 8] ^= 1 << (at % 8);
        if let Ok(other) = ShareProof::parse(&bytes) {
            let said = verify_partial_proof(&dealing.sharing, MESSAGE, partial, &other);
            prop_assert_eq!(said, Ok(false));
        }
    }

    #[test]
    fn a_proof_has_one_spelling(bytes in prop::collection::vec(any::<u8>(), 0..130)) {
        if let Ok(proof) = ShareProof::parse(&bytes) {
            prop_assert_eq!(&proof.to_bytes()[..], &bytes[..]);
        }
    }
}
