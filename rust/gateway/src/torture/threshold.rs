//! What must hold of threshold keys, signatures and ceremonies: one spelling of each, and no
//! changed transcript makes a key that nobody made.

use std::sync::LazyLock;

use cwts_threshold::ceremony::{
    Ceremony, CeremonyError, CeremonyKind, CeremonyRole, Effect, Identity, Info, Input, Output,
    Terms, verify_transcript,
};
use cwts_threshold::{
    Committee, Lock, Partial, PublicKey, SECRET_FILE_BYTES, Seed, SeedFile, Sharing, Signature,
    partial_sign, verify,
};
use ed25519_dalek::SigningKey;

use super::Outcome;

pub(super) const TOKENS: &[&[u8]] = &[b"CWTSCTRN\x01\0", b"CWTSSEED\x01\0"];

const CHAIN: [u8; 32] = [7; 32];
const NUMBER: u64 = 1;
const LOCK: [u8; 32] = [9; 32];
const TIME_NS: u64 = 0;

/// A ceremony of one member, and what it made.
struct Sample {
    info: Vec<u8>,
    output: Output,
    transcript: Vec<u8>,
    signature: [u8; 48],
    partial: [u8; 48],
    seed: Vec<u8>,
}

static SAMPLE: LazyLock<Result<Sample, String>> =
    LazyLock::new(|| sample().map_err(|error| error.to_string()));

fn seed(tag: u8) -> Seed {
    Seed::take(&mut [tag; 32])
}

fn sample() -> Result<Sample, CeremonyError> {
    let keys = [1, 2].map(|tag| SigningKey::from_bytes(&[tag; 32]));
    let member = Identity::derive(&seed(1), &keys[0], CHAIN, NUMBER)?.keys().clone();
    let info = Info::new(Terms {
        kind: CeremonyKind::New,
        chain: CHAIN,
        number: NUMBER,
        old_epoch: 0,
        previous: [0; 32],
        sequencer: keys[1].verifying_key().to_bytes(),
        dealers: vec![member.clone()],
        players: vec![member],
    })?;
    let [one, orders] = keys;
    let mut everybody = [
        Ceremony::new(CeremonyRole::Sequencer, info.clone(), seed(2), orders, None)?,
        Ceremony::new(CeremonyRole::Member, info.clone(), seed(1), one, None)?,
    ];
    let (mut waiting, mut made, mut pos) = (std::collections::VecDeque::new(), None, 0);
    let mut take = |effects: Vec<Effect>, waiting: &mut std::collections::VecDeque<Vec<u8>>| {
        for effect in effects {
            match effect {
                Effect::Submit(bytes) | Effect::Append { bytes, .. } => waiting.push_back(bytes),
                Effect::Activated { output, certificate, share: Some(share) } => {
                    made = Some((output, certificate, share));
                }
                _ => {}
            }
        }
    };
    for part in &mut everybody {
        let mut effects = Vec::new();
        part.step(TIME_NS, Input::Start, &mut effects);
        take(effects, &mut waiting);
    }
    while let Some(bytes) = waiting.pop_front() {
        for part in &mut everybody {
            let mut effects = Vec::new();
            part.step(TIME_NS, Input::Delivered { pos, bytes: &bytes }, &mut effects);
            take(effects, &mut waiting);
        }
        pos += 1;
    }
    let missing = CeremonyError::Field { field: "sample", reason: "made no key" };
    let (output, certificate, share) = made.ok_or(missing)?;
    let sealed = SeedFile { chain: CHAIN, number: NUMBER }
        .seal(&seed(1), Lock::Key(&LOCK), &[3; 16], &[4; 12])
        .map_err(|_| CeremonyError::Field { field: "sample", reason: "was not sealed" })?;
    Ok(Sample {
        info: info.to_bytes().to_vec(),
        transcript: everybody[1].transcript(),
        signature: certificate.to_bytes(),
        partial: partial_sign(&share, b"a message").to_bytes(),
        output: *output,
        seed: sealed,
    })
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let Ok(sample) = SAMPLE.as_ref() else { return Vec::new() };
    vec![
        sample.output.sharing().key().to_bytes().to_vec(),
        sample.signature.to_vec(),
        sample.partial.to_vec(),
        sample.seed.clone(),
    ]
}

/// Keys, signatures, sharings and files of secrets, each told by its length.
pub(super) fn check(bytes: &[u8]) -> Result<Outcome, String> {
    let sample = SAMPLE.as_ref().map_err(Clone::clone)?;
    let same = |what: &str, again: &[u8]| {
        if again == bytes {
            return Ok(Outcome::accepted(what));
        }
        Err(format!("{what} is written in another way"))
    };
    if bytes.len() == SECRET_FILE_BYTES {
        let file = SeedFile { chain: CHAIN, number: NUMBER };
        return match file.open(bytes, Lock::Key(&LOCK)) {
            Ok(_) if bytes == sample.seed => Ok(Outcome::accepted("a seed")),
            Ok(_) => Err("a changed file was opened".to_owned()),
            Err(error) => Ok(Outcome::refused(error.to_string())),
        };
    }
    if bytes.len() == sample.signature.len() {
        let _ = Partial::parse(bytes, 1, 1);
        return match Signature::parse(bytes) {
            Ok(signature) => {
                let message = sample.output.activation();
                let holds = verify(sample.output.sharing().key(), &message, &signature);
                if holds && bytes != sample.signature {
                    return Err("a second signature of one message".to_owned());
                }
                same("a signature", &signature.to_bytes())
            }
            Err(error) => Ok(Outcome::refused(error.to_string())),
        };
    }
    let parsed = match bytes.len() / cwts_threshold::G2_BYTES {
        0 | 1 => PublicKey::parse(bytes).map(|key| key.to_bytes().to_vec()),
        t => Committee::new(t as u16, t as u16, 0)
            .and_then(|committee| Sharing::parse(committee, bytes))
            .map(|sharing| sharing.to_bytes()),
    };
    match parsed {
        Ok(again) => same("a key", &again),
        Err(error) => Ok(Outcome::refused(error.to_string())),
    }
}

pub(super) fn ceremony_seeds() -> Vec<Vec<u8>> {
    let Ok(sample) = SAMPLE.as_ref() else { return Vec::new() };
    vec![sample.transcript.clone(), sample.info.clone(), sample.output.to_bytes()]
}

/// Transcripts, informations and outputs.
pub(super) fn ceremony(bytes: &[u8]) -> Result<Outcome, String> {
    let sample = SAMPLE.as_ref().map_err(Clone::clone)?;
    if bytes.starts_with(b"CWTSCTRN") {
        let found = match verify_transcript(bytes) {
            Ok(found) => found,
            Err(error) => return Ok(Outcome::refused(error.to_string())),
        };
        let made = found.output.as_ref().filter(|_| found.certificate.is_some());
        if made.is_some_and(|output| output.digest() != sample.output.digest()) {
            return Err("a changed transcript made another key".to_owned());
        }
        return Ok(Outcome::accepted(format!("{:?}", found.phase)));
    }
    let (info, output) = (Info::parse(bytes), Output::parse(bytes));
    match (info, output) {
        (Ok(info), _) if info.to_bytes() == bytes => Ok(Outcome::accepted("an information")),
        (_, Ok(output)) if output.to_bytes() == bytes => Ok(Outcome::accepted("an output")),
        (Err(error), Err(_)) => Ok(Outcome::refused(error.to_string())),
        _ => Err("it is written in another way".to_owned()),
    }
}
