//! What holds of all proofs: they are complete, bound to all that they say, and never a panic.

use std::fmt;
use std::marker::PhantomData;
use std::sync::LazyLock;

use proptest::prelude::*;
use subtle::ConstantTimeEq as _;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::*;

pub(crate) fn seed(number: u64) -> Seed {
    let mut bytes = Zeroizing::new([0; 32]);
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    Seed::new(&bytes)
}

pub(crate) fn context(nonce: u8) -> Context {
    Context::new([7; 32], 3, Role::Account, "alpha", 4_711, [nonce; 32]).unwrap()
}

/// A proof with its statement, to be verified anywhere.
struct Case {
    proof: Proof,
    points: Vec<Point>,
    limit: Option<Limit>,
}

impl Case {
    fn holds(&self, proof: &Proof, context: &Context) -> Result<bool, ProofError> {
        match (&self.points[..], self.limit, self.proof.kind()) {
            (&[public], _, Kind::Knowledge) => verify_knowledge(proof, &public, context),
            (&[public, base, shared], _, Kind::Dleq) => {
                verify_dleq(proof, &public, &base, &shared, context)
            }
            (&[first, second], _, Kind::Equal) => verify_equal(proof, &first, &second, context),
            (&[exposure], Some(limit), Kind::ExposureBelow | Kind::ExposureBelowPublic) => {
                verify_exposure_below(proof, &exposure, &limit, context)
            }
            (desks, Some(limit), _) => verify_desks_sum_below(proof, desks, &limit, context),
            _ => unreachable!(),
        }
    }
}

/// One proof of each kind, in a context.
fn cases(number: u64, desks: usize, context: &Context) -> Vec<Case> {
    let secret = Secret::generate(&seed(number));
    let base = Secret::generate(&seed(number ^ 1)).public().unwrap();
    let public = secret.public().unwrap();
    let shared = shared_point(&secret, &base).unwrap();
    let draw = seed(number ^ 2);
    let exposure = Opening::new(number, &seed(3));
    let again = Opening::new(number, &seed(4));
    let limit = Opening::new(u64::MAX, &seed(5));
    let [c, c_again, c_limit] =
        [&exposure, &again, &limit].map(|opening| opening.commitment().unwrap());
    let hidden = OpenedLimit::Hidden(&limit);
    let open = OpenedLimit::Public(number);
    let parts: Vec<Opening> = (0..desks as u64)
        .map(|desk| {
            let share = number / desks as u64 + u64::from(desk < number % desks as u64);
            Opening::new(share, &seed(10 + desk))
        })
        .collect();
    let parts: Vec<&Opening> = parts.iter().collect();
    let committed: Vec<Point> = parts.iter().map(|part| part.commitment().unwrap()).collect();
    let case = |proof: Result<Proof, ProofError>, points: &[Point], limit| Case {
        proof: proof.unwrap(),
        points: points.to_vec(),
        limit,
    };
    vec![
        case(prove_knowledge(&secret, context, &draw), &[public], None),
        case(prove_dleq(&secret, &base, context, &draw), &[public, base, shared], None),
        case(prove_equal(&exposure, &again, context, &draw), &[c, c_again], None),
        case(
            prove_exposure_below(&exposure, &hidden, context, &draw),
            &[c],
            Some(Limit::Hidden(c_limit)),
        ),
        case(
            prove_exposure_below(&exposure, &open, context, &draw),
            &[c],
            Some(Limit::Public(number)),
        ),
        case(
            prove_desks_sum_below(&parts, &hidden, context, &draw),
            &committed,
            Some(Limit::Hidden(c_limit)),
        ),
        case(
            prove_desks_sum_below(&parts, &open, context, &draw),
            &committed,
            Some(Limit::Public(number)),
        ),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_true_is_proven_and_reads_back(number: u64, desks in 1..=DESKS_MAX) {
        for (case, kind) in cases(number, desks, &context(1)).iter().zip(Kind::ALL) {
            let bytes = case.proof.encode();
            let read = Proof::decode(&bytes).unwrap();
            prop_assert_eq!(read.kind(), kind);
            prop_assert!(bytes.len() <= PROOF_BYTES_MAX);
            prop_assert_eq!(read.encode(), bytes);
            prop_assert_eq!(case.holds(&read, &context(1)), Ok(true), "{:?}", kind);
        }
    }

    #[test]
    fn a_proof_is_about_its_own_points_alone(number: u64, desks in 2..=DESKS_MAX) {
        let stranger = Secret::generate(&seed(!number)).public().unwrap();
        for mut case in cases(number, desks, &context(1)) {
            for at in 0..case.points.len() {
                let own = std::mem::replace(&mut case.points[at], stranger);
                prop_assert_eq!(case.holds(&case.proof, &context(1)), Ok(false));
                case.points[at] = own;
            }
            let own = case.limit;
            case.limit = match own {
                Some(Limit::Hidden(_)) => Some(Limit::Hidden(stranger)),
                Some(Limit::Public(limit)) => Some(Limit::Public(limit.wrapping_add(1))),
                None => continue,
            };
            prop_assert_eq!(case.holds(&case.proof, &context(1)), Ok(false));
        }
    }
}

/// A sound file of each kind.
static FILES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut files: Vec<_> =
        cases(1_000, 2, &context(1)).iter().map(|case| case.proof.encode()).collect();
    files.push(Opening::new(1, &seed(1)).encode().unwrap().to_vec());
    files
});

/// Every decoder: what one takes, encodes to the same bytes.
fn read_anything(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(proof) = Proof::decode(bytes) {
        prop_assert_eq!(proof.encode(), bytes);
    }
    if let Ok(opening) = Opening::decode(bytes) {
        prop_assert_eq!(&opening.encode().unwrap()[..], bytes);
    }
    let _ = Point::parse(bytes, "a point");
    let _ = Context::new([0; 32], 0, Role::Firm, &String::from_utf8_lossy(bytes), 0, [0; 32]);
    Ok(())
}

proptest! {
    #[test]
    fn bytes_never_make_a_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        read_anything(&bytes)?;
    }

    /// The same behind a header, and around the right length, where random bytes never come.
    #[test]
    fn a_sound_file_with_a_few_bytes_changed_never_makes_a_decoder_panic(
        file in 0..FILES.len(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        length in prop_oneof![3 => Just(None), 1 => (0..PROOF_BYTES_MAX + 32).prop_map(Some)],
    ) {
        let mut bytes = FILES[file].clone();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.resize(length.unwrap_or(bytes.len()), 0xA5);
        read_anything(&bytes)?;
    }

    /// Any 32 bytes are a point exactly if they are the one encoding of it.
    #[test]
    fn a_point_has_one_encoding(bytes: [u8; 32]) {
        if let Ok(point) = Point::parse(&bytes, "a point") {
            prop_assert_eq!(point.element("").unwrap().compress().to_bytes(), bytes);
        }
    }
}

#[test]
fn every_flipped_bit_is_refused_or_false() {
    for (case, stride) in cases(1_000, 2, &context(1)).iter().zip([1, 1, 1, 1, 23, 23, 29]) {
        let bytes = case.proof.encode();
        for bit in (0..8 * bytes.len()).step_by(stride) {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let holds = Proof::decode(&changed).and_then(|p| case.holds(&p, &context(1)));
            assert_ne!(holds, Ok(true), "{:?}, bit {bit}", case.proof.kind());
        }
        for cut in [0, 1, 15, 16, bytes.len() - 1] {
            assert!(Proof::decode(&bytes[..cut]).is_err());
        }
        assert!(Proof::decode(&[&bytes[..], &[0]].concat()).is_err(), "a byte too many");
    }
}

#[test]
fn every_field_of_the_context_is_bound() {
    let of = |chain, epoch, role, subject, as_of, nonce| {
        Context::new([chain; 32], epoch, role, subject, as_of, [nonce; 32]).unwrap()
    };
    let own = of(7, 3, Role::Account, "alpha", 4_711, 1);
    let others = [
        of(8, 3, Role::Account, "alpha", 4_711, 1),
        of(7, 4, Role::Account, "alpha", 4_711, 1),
        of(7, 3, Role::Desk, "alpha", 4_711, 1),
        of(7, 3, Role::Account, "beta", 4_711, 1),
        of(7, 3, Role::Account, "alpha", 4_712, 1),
        of(7, 3, Role::Account, "alpha", 4_711, 2),
    ];
    for case in cases(1_000, 3, &own) {
        assert_eq!(case.holds(&case.proof, &own), Ok(true));
        for other in &others {
            assert_eq!(case.holds(&case.proof, other), Ok(false), "{other:?}");
        }
    }
    assert_eq!(own.digest(), context(1).digest());
}

#[test]
fn a_proof_of_one_kind_is_none_of_another() {
    let all = cases(1_000, 1, &context(1));
    for case in &all {
        for other in all.iter().filter(|other| other.proof.kind() != case.proof.kind()) {
            assert!(case.holds(&other.proof, &context(1)).is_err());
        }
    }
    // Nor after its header was rewritten, where the length would fit.
    for (from, to) in [(1, 2), (2, 1), (1, 3), (4, 5), (5, 4), (6, 7), (7, 6)] {
        let mut bytes = all[from - 1].proof.encode();
        bytes[10] = to as u8;
        let proof = Proof::decode(&bytes).unwrap();
        assert_eq!(all[to - 1].holds(&proof, &context(1)), Ok(false), "{from} as {to}");
    }
}

#[test]
fn what_is_false_is_not_proven() {
    let own = context(1);
    let [low, high] = [99, 101].map(|value| Opening::new(value, &seed(value)));
    let limit = Opening::new(100, &seed(1));
    let draw = seed(2);
    for opened in [OpenedLimit::Hidden(&limit), OpenedLimit::Public(100)] {
        let above = prove_exposure_below(&high, &opened, &own, &draw);
        assert_eq!(above, Err(ProofError::AboveLimit));
        assert!(prove_exposure_below(&limit, &opened, &own, &draw).is_ok(), "at the limit");
        let above = prove_desks_sum_below(&[&low, &high], &opened, &own, &draw);
        assert_eq!(above, Err(ProofError::AboveLimit));
    }
    assert_eq!(prove_equal(&low, &high, &own, &draw), Err(ProofError::ValuesDiffer));
    assert_eq!(prove_equal(&low, &low, &own, &draw), Err(ProofError::SameCommitment));
    let most = Opening::new(u64::MAX, &seed(3));
    let opened = OpenedLimit::Public(u64::MAX);
    assert_eq!(
        prove_desks_sum_below(&[&most, &low], &opened, &own, &draw),
        Err(ProofError::SumOverflow)
    );
    assert!(prove_desks_sum_below(&[&most], &opened, &own, &draw).is_ok());
    for found in [0, DESKS_MAX + 1] {
        let desks = vec![&low; found];
        let refused = Err(ProofError::Desks { found, max: DESKS_MAX });
        assert_eq!(prove_desks_sum_below(&desks, &opened, &own, &draw), refused);
    }
}

#[test]
fn desks_are_counted_and_ordered() {
    let own = context(1);
    let case = cases(1_000, 3, &own).remove(6);
    let limit = case.limit.unwrap();
    let points = &case.points;
    let verify = |points: &[Point]| verify_desks_sum_below(&case.proof, points, &limit, &own);
    assert_eq!(verify(points), Ok(true));
    assert_eq!(verify(&points[..2]), Ok(false));
    assert_eq!(verify(&[points[0], points[1], points[2], points[0]]), Ok(false));
    assert_eq!(verify(&[points[1], points[0], points[2]]), Ok(false));
    assert!(verify(&[]).is_err());
    assert!(verify(&[points[0]; DESKS_MAX + 1]).is_err());
}

#[test]
fn bad_encodings_are_named() {
    let order = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let code = |result: Result<(), ProofError>| result.unwrap_err().code();
    let secret = |bytes: [u8; 32]| Secret::parse(&Zeroizing::new(bytes)).map(|_| ());
    assert_eq!(code(secret(order)), "SCALAR_ENCODING");
    assert_eq!(code(secret([0xff; 32])), "SCALAR_ENCODING");
    assert_eq!(code(secret([0; 32])), "SECRET_ZERO");
    let mut below = order;
    below[0] -= 1;
    assert!(secret(below).is_ok());
    let point = |bytes: &[u8]| Point::parse(bytes, "a point").map(|_| ());
    assert_eq!(code(point(&[0; 32])), "POINT_IDENTITY");
    assert_eq!(code(point(&[0xff; 32])), "POINT_ENCODING");
    assert_eq!(code(point(&[1; 31])), "PROOF_LENGTH");

    let whole = cases(1_000, 1, &context(1)).remove(3).proof.encode();
    let with = |at: usize, bytes: &[u8]| {
        let mut changed = whole.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        code(Proof::decode(&changed).map(|_| ()))
    };
    assert_eq!(with(0, b"X"), "PROOF_MAGIC");
    assert_eq!(with(8, &[2]), "PROOF_VERSION");
    assert_eq!(with(10, &[0]), "PROOF_KIND");
    assert_eq!(with(10, &[8]), "PROOF_KIND");
    assert_eq!(with(10, &[1]), "PROOF_LENGTH");
    assert_eq!(with(11, &[1]), "PROOF_FIELD");
    assert_eq!(with(12, &[1]), "PROOF_FIELD");
    assert_eq!(with(10, &[6, 0]), "DESKS");
    assert_eq!(with(10, &[6, 9]), "DESKS");
    assert_eq!(with(16, &[0; 32]), "POINT_IDENTITY");
    assert_eq!(with(16, &[0xff; 32]), "POINT_ENCODING");
    assert_eq!(with(16 + 4 * 32, &order), "SCALAR_ENCODING");
    assert_eq!(with(16 + 7 * 32, &[0; 32]), "POINT_IDENTITY");
    assert_eq!(with(whole.len() - 32, &order), "SCALAR_ENCODING");
    assert_eq!(with(whole.len() - 64, &order), "SCALAR_ENCODING");
    let mut short = cases(1_000, 1, &context(1)).remove(0).proof.encode();
    short[48..].copy_from_slice(&order.iter().rev().copied().collect::<Vec<_>>());
    assert_eq!(code(Proof::decode(&short).map(|_| ())), "SCALAR_ENCODING");
}

#[test]
fn an_opening_reads_back_and_any_change_to_it_is_refused() {
    let opening = Opening::new(123_456, &seed(1));
    let file = opening.encode().unwrap();
    assert_eq!(file.len(), OPENING_BYTES);
    assert!(bool::from(Opening::decode(&file).unwrap().ct_eq(&opening)));
    assert!(!bool::from(Opening::new(123_456, &seed(2)).ct_eq(&opening)));
    assert!(!bool::from(Opening::new(123_457, &seed(1)).ct_eq(&opening)));
    for bit in 0..8 * file.len() {
        let mut changed = file.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(Opening::decode(&changed).is_err(), "bit {bit}");
    }
    assert!(Opening::decode(&file[1..]).is_err());
}

#[test]
fn a_subject_has_a_length_and_no_control_characters() {
    let of = |subject: &str| Context::new([0; 32], 0, Role::Desk, subject, 0, [0; 32]);
    for good in ["a", "Händler 7", &"x".repeat(SUBJECT_BYTES_MAX)] {
        assert!(of(good).is_ok());
    }
    for bad in ["", "a\nb", "a\0", &"x".repeat(SUBJECT_BYTES_MAX + 1)] {
        assert_eq!(of(bad), Err(ProofError::Field { field: "subject" }));
    }
    assert!(Role::ALL.iter().all(|role| Role::named(role.name()) == Some(*role)));
    assert_eq!(Role::named("Account"), None);
}

/// Tells at run time whether a type has a trait: an inherent constant goes before a trait's.
struct Has<T: ?Sized>(PhantomData<T>);

trait HasNot {
    const DEBUG: bool = false;
    const DISPLAY: bool = false;
    const CLONE: bool = false;
    const EQ: bool = false;
}

impl<T: ?Sized> HasNot for Has<T> {}

impl<T: ?Sized + fmt::Debug> Has<T> {
    const DEBUG: bool = true;
}

impl<T: ?Sized + fmt::Display> Has<T> {
    const DISPLAY: bool = true;
}

impl<T: Clone> Has<T> {
    const CLONE: bool = true;
}

impl<T: ?Sized + PartialEq> Has<T> {
    const EQ: bool = true;
}

macro_rules! traits {
    ($type:ty) => {
        [Has::<$type>::DEBUG, Has::<$type>::DISPLAY, Has::<$type>::CLONE, Has::<$type>::EQ]
    };
}

#[test]
fn secrets_are_not_printed_copied_or_compared_and_are_wiped() {
    fn is_wiped<T: ZeroizeOnDrop>() {}
    is_wiped::<Opening>();
    is_wiped::<Secret>();
    is_wiped::<Seed>();
    assert_eq!(traits!(Opening), [false; 4]);
    assert_eq!(traits!(Secret), [false; 4]);
    assert_eq!(traits!(Seed), [false; 4]);
    assert_eq!(traits!(String), [true; 4], "the question can be answered with yes");
}
