//! Threshold signing: every subset, every refusal, every name of a bad member.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use cwts_threshold::{
    BatchSecret, Coefficients, Committee, Dealing, Error, Partial, Row, Scalar, SecretKey, Seed,
    Sharing, aggregate, deal, partial_sign, recover, sign, verify, verify_batch,
};
use proptest::prelude::*;

const MESSAGE: &[u8] = b"cwts/test/v1\0one batch";

fn dealt(n: u16, t: u16) -> Dealing {
    deal(Committee::new(n, t, 3).unwrap(), &Seed::take(&mut [9; 32])).unwrap()
}

fn secret() -> BatchSecret {
    BatchSecret::new([5; 32])
}

fn partials(dealing: &Dealing) -> Vec<Partial> {
    dealing.shares.iter().map(|share| partial_sign(share, MESSAGE)).collect()
}

fn subsets(n: u16, t: u16) -> impl Iterator<Item = Vec<u16>> {
    (0u32..1 << n)
        .filter(move |mask| mask.count_ones() == u32::from(t))
        .map(move |mask| (0..n).filter(|bit| mask >> bit & 1 == 1).map(|bit| bit + 1).collect())
}

fn chosen(all: &[Partial], members: &[u16]) -> Vec<Partial> {
    members.iter().map(|member| all[usize::from(*member) - 1]).collect()
}

/// A partial of nobody: a good one of another message.
fn false_partial(dealing: &Dealing, index: u16) -> Partial {
    partial_sign(&dealing.shares[usize::from(index) - 1], b"another message")
}

#[test]
fn every_subset_gives_the_same_signature() {
    for (n, t) in [(1, 1), (4, 3), (7, 5), (10, 7)] {
        let dealing = dealt(n, t);
        let all = partials(&dealing);
        let mut first = None;
        for members in subsets(n, t) {
            let made = recover(&dealing.sharing, MESSAGE, &chosen(&all, &members), &secret());
            let made = made.unwrap();
            assert!(made.blamed.is_empty());
            assert!(verify(dealing.sharing.key(), MESSAGE, &made.signature));
            assert_eq!(*first.get_or_insert(made.signature), made.signature, "{members:?} of {n}");
        }
    }
}

#[test]
fn the_rows_are_those_of_the_design() {
    // C(n, t) rows, those with denominator 1, the most bits of a coefficient.
    for (n, t, ones, bits) in
        [(4, 3, 3, 4), (7, 5, 7, 8), (10, 7, 24, 12), (13, 9, 27, 18), (16, 11, 142, 23)]
    {
        let (mut seen, mut most) = (0, 0);
        for members in subsets(n, t) {
            let row = Row::of(&members);
            let Coefficients::Integers { weights, denominator } = row.coefficients() else {
                panic!("{members:?} is small");
            };
            assert_eq!(weights.iter().sum::<i64>(), i64::try_from(*denominator).unwrap());
            seen += u32::from(*denominator == 1);
            let widest = weights.iter().map(|w| 64 - w.unsigned_abs().leading_zeros()).max();
            most = most.max(widest.unwrap());
        }
        assert_eq!((seen, most), (ones, bits), "{t} of {n}");
    }
    let row = Row::of(&[4, 5, 6, 7, 8, 9, 10]);
    let Coefficients::Integers { weights, denominator: 1 } = row.coefficients() else { panic!() };
    assert_eq!(*weights, [210, -1008, 2100, -2400, 1575, -560, 84]);
}

#[test]
fn sixty_seven_of_a_hundred_go_through_the_field() {
    let dealing = dealt(100, 67);
    let all = partials(&dealing);
    assert!(matches!(
        Row::of(&(1..=67).collect::<Vec<_>>()).coefficients(),
        Coefficients::Field(_)
    ));
    let early = recover(&dealing.sharing, MESSAGE, &all[..67], &secret()).unwrap();
    let late = recover(&dealing.sharing, MESSAGE, &all[33..], &secret()).unwrap();
    assert!(verify(dealing.sharing.key(), MESSAGE, &early.signature));
    assert_eq!(early, late);
    let mut some = all;
    for index in [2, 40, 67] {
        some[usize::from(index) - 1] = false_partial(&dealing, index);
    }
    let blamed = recover(&dealing.sharing, MESSAGE, &some, &secret()).unwrap();
    assert_eq!((blamed.signature, blamed.blamed), (early.signature, vec![2, 40, 67]));
}

#[test]
fn a_bad_partial_is_named_and_does_no_harm() {
    let dealing = dealt(10, 7);
    let good = recover(&dealing.sharing, MESSAGE, &partials(&dealing), &secret()).unwrap();
    for bad in subsets(10, 1).chain(subsets(10, 2)).chain(subsets(10, 3)) {
        let mut all = partials(&dealing);
        for index in &bad {
            all[usize::from(*index) - 1] = false_partial(&dealing, *index);
        }
        let made = recover(&dealing.sharing, MESSAGE, &all, &secret()).unwrap();
        assert_eq!(made.signature, good.signature);
        // Nobody is blamed where the parts that were chosen were good.
        assert!(made.blamed.is_empty() || made.blamed == bad, "{bad:?}: {:?}", made.blamed);
    }
    let mut all = partials(&dealing);
    for index in [1, 2, 3, 4] {
        all[usize::from(index) - 1] = false_partial(&dealing, index);
    }
    let error = recover(&dealing.sharing, MESSAGE, &all, &secret()).unwrap_err();
    assert_eq!(error, Error::NotEnoughShares { have: 6, need: 7, blamed: vec![1, 2, 3, 4] });
}

#[test]
fn errors_that_cancel_are_found_in_a_batch_and_pass_where_only_the_sum_counts() {
    let key = SecretKey::generate(&Seed::take(&mut [1; 32]));
    let messages: [&[u8]; 2] = [b"one", b"two"];
    let (one, two) = (sign(&key, messages[0]), sign(&key, messages[1]));
    // Each is the other's: their plain sum is right.
    let swapped = [two, one];
    assert_eq!(aggregate(&swapped).unwrap(), aggregate(&[one, two]).unwrap());
    let bad = verify_batch(&key.public_key(), &messages, &swapped, &secret()).unwrap();
    assert_eq!(bad, [0, 1]);
}

#[test]
fn a_batch_names_each_bad_one() {
    let key = SecretKey::generate(&Seed::take(&mut [1; 32]));
    let texts: Vec<Vec<u8>> = (0u16..1_100).map(|at| at.to_le_bytes().to_vec()).collect();
    let messages: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
    let mut signatures: Vec<_> = messages.iter().map(|message| sign(&key, message)).collect();
    let check = |signatures: &[_]| {
        verify_batch(&key.public_key(), &messages, signatures, &secret()).unwrap()
    };
    assert!(check(&signatures).is_empty());
    signatures.swap(0, 1);
    signatures[1_050] = signatures[7];
    assert_eq!(check(&signatures), [0, 1, 1_050]);
    let error = verify_batch(&key.public_key(), &messages, &signatures[1..], &secret());
    assert_eq!(error.unwrap_err().code(), "COUNT");
    assert!(verify_batch(&key.public_key(), &[], &[], &secret()).unwrap().is_empty());
}

#[test]
fn what_no_committee_has_is_refused() {
    for (n, t) in [(0, 0), (4, 0), (4, 5), (129, 87)] {
        assert_eq!(Committee::new(n, t, 0).unwrap_err(), Error::Threshold { t, n });
    }
    for (n, t) in [(1, 1), (4, 3), (7, 5), (10, 7), (100, 67), (128, 86)] {
        assert_eq!(Committee::quorum(n), t);
    }
    let dealing = dealt(10, 7);
    let all = partials(&dealing);
    let with = |partial: Partial| {
        let parts: Vec<Partial> = all[..6].iter().copied().chain([partial]).collect();
        recover(&dealing.sharing, MESSAGE, &parts, &secret()).unwrap_err()
    };
    let bytes = all[6].to_bytes();
    let of = |index, epoch| Partial::parse(&bytes, index, epoch);
    assert_eq!(of(0, 3).unwrap_err(), Error::IndexZero);
    assert_eq!(with(of(11, 3).unwrap()), Error::IndexOutOfRange { index: 11, n: 10 });
    assert_eq!(with(of(6, 3).unwrap()), Error::DuplicateIndex { index: 6 });
    assert_eq!(with(of(7, 2).unwrap()), Error::WrongEpoch { got: 2, want: 3 });
    let few = recover(&dealing.sharing, MESSAGE, &all[..6], &secret());
    assert_eq!(few.unwrap_err(), Error::NotEnoughShares { have: 6, need: 7, blamed: vec![] });
}

#[test]
fn a_share_belongs_to_its_member_and_epoch() {
    let dealing = dealt(10, 7);
    let mut other = [8; 32];
    let others = deal(Committee::new(10, 7, 3).unwrap(), &Seed::take(&mut other)).unwrap();
    assert_eq!(other, [0; 32], "the caller's copy is wiped");
    for share in &dealing.shares {
        dealing.sharing.check_share(share).unwrap();
        let error = others.sharing.check_share(share).unwrap_err();
        assert_eq!(error, Error::ShareMismatch { index: share.index() });
    }
    let read = |index, epoch| {
        let bytes = dealing.shares[0].export();
        let share = cwts_threshold::Share::parse(&*bytes, index, epoch)?;
        dealing.sharing.check_share(&share)
    };
    assert_eq!(read(1, 3), Ok(()));
    assert_eq!(read(2, 3), Err(Error::ShareMismatch { index: 2 }));
    assert_eq!(read(11, 3), Err(Error::IndexOutOfRange { index: 11, n: 10 }));
    assert_eq!(read(0, 3), Err(Error::IndexZero));
    assert_eq!(read(1, 4), Err(Error::WrongEpoch { got: 4, want: 3 }));
}

#[test]
fn seven_members_make_the_partial_of_an_eighth() {
    // Why a partial is no evidence: here is one of member 10, made without it.
    let dealing = dealt(10, 7);
    let all = partials(&dealing);
    let real = all[9];
    assert!(real.verify(&dealing.sharing, MESSAGE).unwrap());
    assert!(!false_partial(&dealing, 10).verify(&dealing.sharing, MESSAGE).unwrap());
    let forged = cwts_threshold::forge_partial(&dealing.sharing, &all[..7], 10).unwrap();
    assert_eq!(forged, real);
}

#[test]
fn a_sharing_is_read_back_or_refused_whole() {
    let sharing = dealt(10, 7).sharing;
    let bytes = sharing.to_bytes();
    let committee = || Committee::new(10, 7, 3).unwrap();
    assert_eq!(Sharing::parse(committee(), &bytes).unwrap().to_bytes(), bytes);
    for length in [0, 95, 96 * 6, 96 * 7 - 1, 96 * 7 + 1, 96 * 8] {
        let mut other = bytes.clone();
        other.resize(length, 0);
        assert_eq!(Sharing::parse(committee(), &other).unwrap_err().code(), "COUNT");
    }
    for at in (0..7).map(|k| k * 96) {
        for (mask, said) in [(0x80, "flag"), (0x40, "infinity")] {
            let mut other = bytes.clone();
            other[at] ^= mask;
            assert!(Sharing::parse(committee(), &other).unwrap_err().to_string().contains(said));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Any t members of any committee recover what any other t do, through either arithmetic.
    #[test]
    fn any_members_of_any_committee(n in 1u16..=22, t in 1u16..=15, seed: [u8; 32], skip: u64) {
        let t = t.min(n);
        let committee = Committee::new(n, t, 0).unwrap();
        let dealing = deal(committee, &Seed::take(&mut seed.clone())).unwrap();
        let all = partials(&dealing);
        let mut order: Vec<u16> = (1..=n).collect();
        let mixed = |at: &u16| skip.rotate_left(u32::from(*at)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        order.sort_by_key(mixed);
        let mut members = order[..usize::from(t)].to_vec();
        members.sort_unstable();
        let some = recover(&dealing.sharing, MESSAGE, &chosen(&all, &members), &secret()).unwrap();
        let whole = recover(&dealing.sharing, MESSAGE, &all, &secret()).unwrap();
        prop_assert_eq!(some.signature, whole.signature);
        prop_assert!(verify(dealing.sharing.key(), MESSAGE, &some.signature));
        let weights = Row::of(&members).weights();
        prop_assert_eq!(weights, cwts_threshold::polynomial::weights::<Scalar>(&members));
    }

    #[test]
    fn no_bytes_make_a_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = cwts_threshold::Signature::parse(&bytes);
        let _ = cwts_threshold::PublicKey::parse(&bytes);
        let _ = SecretKey::parse(&bytes);
        let _ = Partial::parse(&bytes, 1, 0);
        let _ = Sharing::parse(Committee::new(2, 1, 0).unwrap(), &bytes);
    }
}
