//! The IETF's vectors, byte for byte: draft-irtf-cfrg-sigma-protocols over BLS12-381 and
//! draft-irtf-cfrg-fiat-shamir with SHAKE128. They are the builder, codec and transcript that the
//! proofs of this crate are made with.
//!
//! The files of the shared data are of a draft in which element 0 is the generator; the library
//! follows one in which 0 is the identity and 1 the generator. So an instance is read here, and
//! its bytes go into the transcript as the vector has them; all else is the library's.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::path::PathBuf;

use bls12_381::{G1Projective, Scalar};
use serde_json::Value;
use sigma_proofs::codec::{GroupCodec as _, ScalarCodec};
use sigma_proofs::errors::{InvalidWitness, VerificationError};
use sigma_proofs::linear_relation::{Equation, Instance};
use sigma_proofs::traits::{SigmaProtocol, SigmaProtocolSimulator, Transcript};
use sigma_proofs::{
    NargCodec, SessionId, derive_session_id, prove_batchable_with, prove_compact_with,
    verify_batchable_with, verify_compact_with,
};
use spongefish::instantiations::Shake128;
use spongefish::{
    DuplexSpongeInit, DuplexSpongeInterface as _, Encoding, NargReader, PrivateRng, VerifierState,
};

/// The vectors of a file: `CWTS_DATA`, or `../shared/data` beside the workspace.
fn vectors(name: &str, count: usize) -> Option<Vec<Value>> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let data = std::env::var_os("CWTS_DATA").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let path = data.join("crypto").join(name);
    if !path.is_file() {
        eprintln!(
            "skipped: {} is not there; set CWTS_DATA to the folder of shared data",
            path.display()
        );
        return None;
    }
    let found: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(found.len(), count, "{name}: not the file that this test is about");
    Some(found)
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
        .collect()
}

fn bytes(vector: &Value, key: &str) -> Vec<u8> {
    hex(vector[key].as_str().unwrap())
}

fn array(vector: &Value, key: &str) -> [u8; 32] {
    bytes(vector, key).try_into().unwrap()
}

/// An instance with the bytes that the vector has for it.
struct Recorded {
    instance: Instance<G1Projective>,
    bytes: Vec<u8>,
}

impl Recorded {
    fn read(bytes: Vec<u8>) -> Self {
        let mut reader = NargReader::new(&bytes);
        let word = |reader: &mut NargReader<'_>| {
            u32::from_le_bytes(reader.take(4).unwrap().try_into().unwrap())
        };
        let scalar = |reader: &mut NargReader<'_>| Scalar::deserialize_scalar(reader).unwrap();
        let mut equations = Vec::new();
        for _ in 0..word(&mut reader) {
            // The one difference: everything stands an element further on.
            let mut image = Vec::new();
            for _ in 0..word(&mut reader) {
                image.push((word(&mut reader) + 1, scalar(&mut reader)));
            }
            let mut terms = Vec::new();
            for _ in 0..word(&mut reader) {
                let index = word(&mut reader);
                terms.push((index, word(&mut reader) + 1, scalar(&mut reader)));
            }
            equations.push(Equation { image, terms });
        }
        let mut elements = Vec::new();
        while !reader.is_empty() {
            elements.push(G1Projective::deserialize_element(&mut reader).unwrap());
        }
        Self { instance: Instance::new(elements, equations).unwrap(), bytes }
    }
}

impl SigmaProtocol for Recorded {
    type Commitment = <Instance<G1Projective> as SigmaProtocol>::Commitment;
    type Challenge = Scalar;
    type Response = Vec<Scalar>;
    type ProverState = <Instance<G1Projective> as SigmaProtocol>::ProverState;
    type Witness = [Scalar];

    fn prover_commit(
        &self,
        witness: &[Scalar],
        rng: &mut PrivateRng<impl DuplexSpongeInit<U = u8>>,
    ) -> Result<(Self::Commitment, Self::ProverState), InvalidWitness> {
        self.instance.prover_commit(witness, rng)
    }

    fn prover_response(
        &self,
        state: Self::ProverState,
        challenge: &Scalar,
    ) -> Result<Vec<Scalar>, InvalidWitness> {
        self.instance.prover_response(state, challenge)
    }

    fn verifier(
        &self,
        commitment: &Self::Commitment,
        challenge: &Scalar,
        response: &Vec<Scalar>,
    ) -> Result<(), VerificationError> {
        self.instance.verifier(commitment, challenge, response)
    }
}

impl SigmaProtocolSimulator for Recorded {
    fn simulate_response(
        &self,
        rng: &mut PrivateRng<impl DuplexSpongeInit<U = u8>>,
    ) -> Vec<Scalar> {
        self.instance.simulate_response(rng)
    }

    fn simulate_commitment(
        &self,
        challenge: &Scalar,
        response: &Vec<Scalar>,
    ) -> Result<Self::Commitment, VerificationError> {
        self.instance.simulate_commitment(challenge, response)
    }

    fn simulate_transcript(
        &self,
        rng: &mut PrivateRng<impl DuplexSpongeInit<U = u8>>,
    ) -> Result<Transcript<Self>, VerificationError> {
        self.instance.simulate_transcript(rng)
    }
}

impl NargCodec for Recorded {
    fn encode_instance(&self) -> impl AsRef<[u8]> {
        &self.bytes
    }

    fn serialize_commitment_into(&self, commitment: &Self::Commitment, out: &mut Vec<u8>) {
        self.instance.serialize_commitment_into(commitment, out);
    }

    fn serialize_response_into(&self, response: &Vec<Scalar>, out: &mut Vec<u8>) {
        self.instance.serialize_response_into(response, out);
    }

    fn deserialize_commitment(
        &self,
        reader: &mut NargReader<'_>,
    ) -> Result<Self::Commitment, VerificationError> {
        self.instance.deserialize_commitment(reader)
    }

    fn deserialize_response(
        &self,
        reader: &mut NargReader<'_>,
    ) -> Result<Vec<Scalar>, VerificationError> {
        self.instance.deserialize_response(reader)
    }
}

/// The draft's generator of nonces for its vectors.
fn nonces(flavor: &str, vector: &Value) -> PrivateRng<Shake128> {
    let [suite, relation] = ["Ciphersuite", "Relation"].map(|key| vector[key].as_str().unwrap());
    let tag = format!("TestDRNG-SIGMA-PROOFS-{flavor}-{suite}-{relation}");
    PrivateRng::from_seed(*derive_session_id::<Shake128>(tag.as_bytes()).as_bytes())
}

#[test]
fn sigma_protocols_over_bls12_381() {
    let Some(found) = vectors("sigma-proofs_Shake128_BLS12381.json", 14) else { return };
    for vector in &found {
        let id = vector["Id"].as_str().unwrap();
        assert_eq!(vector["Expected"], "accept", "{id}");
        let session = derive_session_id::<Shake128>(vector["Tag"].as_str().unwrap().as_bytes());
        assert_eq!(*session.as_bytes(), array(vector, "SessionId"), "{id}");
        let recorded = Recorded::read(bytes(vector, "Instance"));
        let witness_bytes = bytes(vector, "Witness");
        let mut reader = NargReader::new(&witness_bytes);
        let mut witness = Vec::new();
        while !reader.is_empty() {
            witness.push(Scalar::deserialize_scalar(&mut reader).unwrap());
        }
        let narg = bytes(vector, "NargString");
        let is_compact = vector["Flavor"] == "compact";
        let made = if is_compact {
            let mut nonces = nonces("CMPT", vector);
            prove_compact_with::<Shake128, _>(&session, &recorded, &witness, &mut nonces)
        } else {
            let mut nonces = nonces("DSFS", vector);
            prove_batchable_with::<Shake128, _>(&session, &recorded, &witness, &mut nonces)
        };
        assert_eq!(made.unwrap(), narg, "{id}: another proof");
        let verify = |session: &SessionId, narg: &[u8]| {
            if is_compact {
                verify_compact_with::<Shake128, _>(session, &recorded, narg).is_ok()
            } else {
                verify_batchable_with::<Shake128, _>(session, &recorded, narg).is_ok()
            }
        };
        assert!(verify(&session, &narg), "{id}");
        assert!(!verify(&SessionId::from_bytes([0; 32]), &narg), "{id}: another session");
        assert!(!verify(&session, &[&narg[..], &[0]].concat()), "{id}: a byte more");
        for at in 0..narg.len() {
            let mut changed = narg.clone();
            changed[at] ^= 1;
            assert!(!verify(&session, &changed), "{id}: byte {at}");
        }
    }
}

/// What a sponge gives after a vector's operations.
fn squeezed(vector: &Value) -> Vec<u8> {
    let mut sponge = Shake128::init(&array(vector, "SessionId"));
    let mut out = Vec::new();
    for operation in vector["Operations"].as_array().unwrap() {
        if operation["type"] == "absorb" {
            sponge.absorb(&bytes(operation, "data"));
        } else {
            let mut part = vec![0; operation["length"].as_u64().unwrap() as usize];
            sponge.squeeze(&mut part);
            out.extend(part);
        }
    }
    out
}

#[test]
fn fiat_shamir_with_shake128() {
    let Some(found) = vectors("fiatShamirShake128Vectors.json", 13) else { return };
    for vector in &found {
        let id = vector["Id"].as_str().unwrap();
        match vector["Function"].as_str().unwrap() {
            "DuplexSponge" => assert_eq!(squeezed(vector), bytes(vector, "Output"), "{id}"),
            "DeriveSessionID" => {
                let session = derive_session_id::<Shake128>(&bytes(vector, "Tag"));
                assert_eq!(session.as_bytes()[..], bytes(vector, "Output"), "{id}");
            }
            "DecodeUint" => {
                let uniform = squeezed(vector);
                assert_eq!(uniform, bytes(vector, "Output"), "{id}");
                let mut challenge = Vec::new();
                p256::Scalar::from_uniform_bytes(&uniform).serialize_scalar(&mut challenge);
                let wanted = vector["Challenge"].as_str().unwrap().trim_start_matches("0x");
                assert_eq!(challenge, hex(wanted), "{id}");
            }
            "Sumcheck" => {
                assert_eq!(
                    sumcheck(vector),
                    vector["FinalEvaluation"].as_str().map(number),
                    "{id}"
                );
            }
            other => panic!("{id}: {other} is not known"),
        }
    }
}

/// The modulus of the draft's sumcheck, 2^31 - 1.
const P: u64 = (1 << 31) - 1;

fn number(text: &str) -> u64 {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap()
}

/// Bytes as the draft absorbs them.
struct Absorbed(Vec<u8>);

impl Encoding<u8> for Absorbed {
    fn encode(&self) -> impl AsRef<[u8]> {
        &self.0
    }
}

/// The evaluation that a sumcheck over a multilinear polynomial ends with, or `None` if it is
/// refused (Lund, Fortnow, Karloff, Nisan 1992).
fn sumcheck(vector: &Value) -> Option<u64> {
    let variables = vector["NumVariables"].as_u64().unwrap() as u32;
    let mut claim = number(vector["ClaimedSum"].as_str().unwrap());
    let session = SessionId::from_bytes(array(vector, "SessionId"));
    let statement = [variables.to_le_bytes(), (claim as u32).to_le_bytes()].concat();
    let narg = bytes(vector, "Narg");
    let mut verifier = VerifierState::<Shake128>::new(&session, &Absorbed(statement), &narg);
    for _ in 0..variables {
        let mut next = || {
            let read = verifier.prover_message_as(|reader| {
                let word = u64::from(u32::from_le_bytes(reader.take_array::<4>()?));
                if word < P { Ok(word) } else { Err(VerificationError) }
            });
            read.ok()
        };
        let (constant, slope) = (next()?, next()?);
        if (2 * constant + slope) % P != claim {
            return None;
        }
        let challenge = verifier.verifier_message_as(4, |word: &[u8]| {
            u64::from(u32::from_le_bytes(word.try_into().unwrap())) % P
        });
        claim = (constant + slope * challenge) % P;
    }
    verifier.check_eof().ok()?;
    Some(claim)
}
