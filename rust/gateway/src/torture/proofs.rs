//! What must hold of a proof's bytes: what is taken has one spelling, and nobody's forgery holds.

use std::sync::LazyLock;

use cwts_proofs::{
    Context, Kind, Limit, OpenedLimit, Opening, Point, Proof, ProofError, Role, Secret, Seed,
    prove_desks_sum_below, prove_equal, prove_exposure_below, prove_knowledge,
    verify_desks_sum_below, verify_equal, verify_exposure_below, verify_knowledge,
};
use zeroize::Zeroizing;

use super::Outcome;

pub(super) const TOKENS: &[&[u8]] = &[b"CWTSPROF\x01\0", b"CWTSOPEN\x01\0"];

/// A statement of each kind that has one, its proof, and a file of an opening.
struct Sample {
    context: Context,
    public: Point,
    exposures: [Point; 2],
    limit: Point,
    files: Vec<Vec<u8>>,
}

static SAMPLE: LazyLock<Result<Sample, ProofError>> = LazyLock::new(|| {
    let seed = |number: u8| Seed::new(&Zeroizing::new([number; 32]));
    let context = Context::new([1; 32], 2, Role::Desk, "alpha", 3, [4; 32])?;
    let secret = Secret::generate(&seed(1));
    let [exposure, again, limit] =
        [(500, 2), (500, 3), (1_000, 4)].map(|(value, number)| Opening::new(value, &seed(number)));
    let hidden = OpenedLimit::Hidden(&limit);
    let files = vec![
        prove_knowledge(&secret, &context, &seed(5))?.encode(),
        prove_equal(&exposure, &again, &context, &seed(6))?.encode(),
        prove_exposure_below(&exposure, &hidden, &context, &seed(7))?.encode(),
        prove_desks_sum_below(&[&exposure, &again], &hidden, &context, &seed(8))?.encode(),
        exposure.encode()?.to_vec(),
    ];
    Ok(Sample {
        context,
        public: secret.public()?,
        exposures: [exposure.commitment()?, again.commitment()?],
        limit: limit.commitment()?,
        files,
    })
});

pub(super) fn seeds() -> Vec<Vec<u8>> {
    SAMPLE.as_ref().map(|sample| sample.files.clone()).unwrap_or_default()
}

pub(super) fn check(bytes: &[u8]) -> Result<Outcome, String> {
    let sample = SAMPLE.as_ref().map_err(ToString::to_string)?;
    if bytes.starts_with(b"CWTSOPEN") {
        return match Opening::decode(bytes).and_then(|opening| opening.encode()) {
            Ok(again) if again[..] == *bytes => Ok(Outcome::accepted("an opening")),
            Ok(_) => Err("the opening is written in another way".to_owned()),
            Err(error) => Ok(Outcome::refused(error.to_string())),
        };
    }
    let proof = match Proof::decode(bytes) {
        Ok(proof) => proof,
        Err(error) => return Ok(Outcome::refused(error.to_string())),
    };
    if proof.encode() != bytes {
        return Err("the proof is written in another way".to_owned());
    }
    let (context, limit) = (&sample.context, Limit::Hidden(sample.limit));
    let [first, second] = &sample.exposures;
    let holds = match proof.kind() {
        Kind::Knowledge => verify_knowledge(&proof, &sample.public, context),
        Kind::Equal => verify_equal(&proof, first, second, context),
        Kind::ExposureBelow => verify_exposure_below(&proof, first, &limit, context),
        Kind::DesksSumBelow => verify_desks_sum_below(&proof, &[*first, *second], &limit, context),
        _ => Ok(false),
    };
    match holds {
        Ok(true) if !sample.files.iter().any(|file| file == bytes) => {
            Err(format!("forged: {}", proof.kind().name()))
        }
        Ok(holds) => Ok(Outcome::accepted(format!("{}: {holds}", proof.kind().name()))),
        Err(error) => Ok(Outcome::refused(error.to_string())),
    }
}
