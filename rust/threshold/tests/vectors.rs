//! Other people's vectors: drand's beacons, Ethereum's, Wycheproof's, RFC 9380's, FROST's.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::path::PathBuf;

use curve25519_dalek::{EdwardsPoint, Scalar as Edwards};
use cwts_threshold::{
    PublicKey, SIGNATURE_DST, Signature, min_pk, polynomial, verify, verify_with_dst,
};
use group::{Group as _, GroupEncoding as _, ff::PrimeField as _};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The shared test data: `CWTS_DATA`, or `../shared/data` beside the workspace.
fn vectors(name: &str) -> Option<Value> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let root = std::env::var_os("CWTS_DATA").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let path = root.join("crypto").join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("SKIPPED: {} is not there; set CWTS_DATA", path.display());
        return None;
    };
    Some(serde_json::from_str(&text).unwrap())
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap().trim_start_matches("0x")).unwrap()
}

fn rows(value: &Value) -> Vec<Value> {
    value.as_array().unwrap().clone()
}

fn beacon_message(beacon: &Value, round: u64) -> Vec<u8> {
    let mut message = Sha256::new();
    if beacon["scheme"] == "pedersen-bls-chained" {
        message.update(bytes(&beacon["previous_signature"]));
    }
    message.chain_update(round.to_be_bytes()).finalize().to_vec()
}

#[test]
fn drand_rounds_hold_under_drands_own_key() {
    let Some(beacons) = vectors("drand_beacons.json") else { return };
    let mut schemes = Vec::new();
    for beacon in rows(&beacons) {
        let round = beacon["round"].as_u64().unwrap();
        let (key, signature) = (bytes(&beacon["pk"]), bytes(&beacon["signature"]));
        let dst = beacon["dst"].as_str().unwrap().as_bytes();
        let holds = |round: u64, dst: &[u8]| {
            let message = beacon_message(&beacon, round);
            if beacon["pk_group"] == "G1" {
                return min_pk::verify(&key, &message, &signature, dst).unwrap();
            }
            let key = PublicKey::parse(&key).unwrap();
            let signature = Signature::parse(&signature).unwrap();
            let said = verify_with_dst(&key, &message, &signature, dst);
            assert!(dst != SIGNATURE_DST || said == verify(&key, &message, &signature));
            said
        };
        assert!(holds(round, dst), "round {round}");
        assert!(!holds(round + 1, dst), "round {round} is no other");
        let other = if dst == SIGNATURE_DST { min_pk::NUL_DST } else { SIGNATURE_DST };
        assert!(!holds(round, other), "round {round} is of one suite");
        schemes.push(beacon["scheme"].as_str().unwrap().to_owned());
    }
    schemes.dedup();
    assert_eq!(
        schemes,
        ["pedersen-bls-chained", "pedersen-bls-unchained", "bls-unchained-g1-rfc9380"]
    );
}

#[test]
fn wycheproof_signatures() {
    let Some(file) = vectors("wycheproof_bls_sig_g2_basic_verify_test.json") else { return };
    let mut seen = 0;
    for group in rows(&file["testGroups"]) {
        let key = bytes(&group["publicKey"]["pk"]);
        let dst = group["ciphersuite"].as_str().unwrap().as_bytes();
        for case in rows(&group["tests"]) {
            let said = min_pk::verify(&key, &bytes(&case["msg"]), &bytes(&case["sig"]), dst);
            let is_valid = case["result"] == "valid";
            assert_eq!(said == Ok(true), is_valid, "{}: {said:?}", case["comment"]);
            // What is not even a point, or not of the group, is told from a wrong signature.
            let malformed = ["InvalidFlags", "NotOnCurve", "IdentityPoint", "NotInSubgroup"];
            if malformed.iter().any(|flag| case["flags"][0] == *flag) {
                assert_eq!(said.unwrap_err().code(), "ENCODING", "{}", case["comment"]);
            }
            seen += 1;
        }
    }
    assert_eq!(seen, 88);
}

#[test]
fn wycheproof_and_rfc_9380_points() {
    let Some(file) = vectors("wycheproof_bls_hash_to_g2_test.json") else { return };
    let mut seen = 0;
    for group in rows(&file["testGroups"]) {
        let dst = group["dst"].as_str().unwrap().as_bytes();
        for case in rows(&group["tests"]) {
            let expected = blst::min_pk::Signature::uncompress(&bytes(&case["expected"])).unwrap();
            let got = min_pk::hash_to_g2(&bytes(&case["msg"]), dst);
            assert_eq!(got == expected.serialize(), case["result"] == "valid");
            seen += 1;
        }
    }
    assert_eq!(seen, 34);
    let file = vectors("rfc9380_BLS12381G2_SSWU_RO.json").unwrap();
    let dst = file["dst"].as_str().unwrap().as_bytes();
    for case in rows(&file["vectors"]) {
        let message = case["msg"].as_str().unwrap().as_bytes();
        assert_eq!(min_pk::hash_to_g2(message, dst), coordinates(&case["P"]));
    }
    assert_eq!(rows(&file["vectors"]).len(), 5);
}

/// `c0,c1` of x and of y, as blst writes a point: c1 first.
fn coordinates(point: &Value) -> [u8; 192] {
    let mut all = Vec::new();
    for name in ["x", "y"] {
        let (c0, c1) = point[name].as_str().unwrap().split_once(',').unwrap();
        all.extend(bytes(&c1.into()));
        all.extend(bytes(&c0.into()));
    }
    all.try_into().unwrap()
}

#[test]
fn ethereums_signatures() {
    let Some(file) = vectors("eth_bls12-381-tests_part1.json") else { return };
    let cases = |name: &str| file[name].as_object().unwrap().clone().into_iter();
    for (name, case) in cases("sign") {
        let key: [u8; 32] = bytes(&case["input"]["privkey"]).try_into().unwrap();
        let made = min_pk::sign(&key, &bytes(&case["input"]["message"]), min_pk::POP_DST);
        let expected = case["output"].is_string().then(|| bytes(&case["output"]));
        assert_eq!(made.ok().map(Vec::from), expected, "{name}");
    }
    for (name, case) in cases("verify") {
        let input = &case["input"];
        let (key, signature) = (bytes(&input["pubkey"]), bytes(&input["signature"]));
        let said = min_pk::verify(&key, &bytes(&input["message"]), &signature, min_pk::POP_DST);
        assert_eq!(said == Ok(true), case["output"].as_bool().unwrap(), "{name}");
    }
    for (name, case) in cases("aggregate") {
        let parts: Vec<Vec<u8>> = rows(&case["input"]).iter().map(bytes).collect();
        let sum = min_pk::aggregate(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let expected = case["output"].is_string().then(|| bytes(&case["output"]));
        assert_eq!(sum.ok().map(Vec::from), expected, "{name}");
    }
    for (name, case) in cases("hash_to_G2") {
        let dst = b"QUUX-V01-CS02-with-BLS12381G2_XMD:SHA-256_SSWU_RO_";
        let message = case["input"]["msg"].as_str().unwrap().as_bytes();
        assert_eq!(min_pk::hash_to_g2(message, dst), coordinates(&case["output"]), "{name}");
    }
    let counts = ["sign", "verify", "aggregate", "hash_to_G2"].map(|name| cases(name).count());
    assert_eq!(counts, [10, 29, 6, 4]);
}

fn edwards(value: &Value) -> Edwards {
    Edwards::from_repr(bytes(value).try_into().unwrap()).unwrap()
}

fn point(value: &Value) -> EdwardsPoint {
    EdwardsPoint::from_bytes(&bytes(value).try_into().unwrap()).unwrap()
}

fn interpolate(members: &[u16], values: &[Edwards]) -> Edwards {
    let weights = polynomial::weights::<Edwards>(members);
    weights.iter().zip(values).map(|(weight, value)| weight * value).sum()
}

/// Shamir's shares and Lagrange's weights, over the curve of RFC 9591's vectors.
#[test]
fn frost_shares_and_weights() {
    let Some(file) = vectors("frost_ed25519_rfc9591.json") else { return };
    let inputs = &file["inputs"];
    let secret = edwards(&inputs["group_secret_key"]);
    let rest = rows(&inputs["share_polynomial_coefficients"]);
    let coefficients: Vec<Edwards> = [secret].into_iter().chain(rest.iter().map(edwards)).collect();
    let key = EdwardsPoint::generator() * secret;
    assert_eq!(key.to_bytes().to_vec(), bytes(&inputs["verifying_key_key"]));
    let shares: Vec<Edwards> = rows(&inputs["participant_shares"])
        .iter()
        .map(|share| {
            let index = u16::try_from(share["identifier"].as_u64().unwrap()).unwrap();
            let value = edwards(&share["participant_share"]);
            assert_eq!(polynomial::value_at(&coefficients, index), value);
            value
        })
        .collect();
    assert_eq!(shares.len(), 3);
    assert_eq!(interpolate(&[1, 3], &[shares[0], shares[2]]), secret);
    assert_ne!(interpolate(&[1, 2], &[shares[0], shares[2]]), secret);
}

/// Feldman's commitments, and the sum of dealers that is nobody's secret.
#[test]
fn frost_key_generation() {
    let Some(file) = vectors("frost_ed25519_dkg.json") else { return };
    let inputs = &file["inputs"];
    let members = ["1", "2", "3"].map(|id| &inputs[id]);
    let dealt: Vec<Vec<EdwardsPoint>> = members
        .iter()
        .map(|member| rows(&member["vss_commitments"]).iter().map(point).collect())
        .collect();
    let generator = EdwardsPoint::generator();
    let mut finals = Vec::new();
    for (at, member) in members.iter().enumerate() {
        let index = u16::try_from(at + 1).unwrap();
        // The file lists under a member what it received, each under its sender.
        for (sender, share) in member["signing_shares"].as_object().unwrap() {
            let from: usize = sender.parse().unwrap();
            let committed = polynomial::evaluate(&dealt[from - 1], index);
            assert_eq!(generator * edwards(share), committed, "{sender} to {index}");
        }
        let all: Vec<EdwardsPoint> =
            (0..2).map(|k| dealt.iter().map(|commitments| commitments[k]).sum()).collect();
        let verifying = polynomial::evaluate(&all, index);
        assert_eq!(verifying.to_bytes().to_vec(), bytes(&member["verifying_share"]));
        assert_eq!(all[0].to_bytes().to_vec(), bytes(&inputs["verifying_key"]));
        let own = edwards(&member["signing_share"]);
        assert_eq!(generator * own, verifying);
        finals.push(own);
    }
    // The file's `inputs.secret` is no logarithm of its own verifying key; the dealers' sum is.
    let secret: Edwards = members.iter().map(|member| edwards(&member["signing_key"])).sum();
    assert_eq!((generator * secret).to_bytes().to_vec(), bytes(&inputs["verifying_key"]));
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        let members = [a, b].map(|at| u16::try_from(at + 1).unwrap());
        assert_eq!(interpolate(&members, &[finals[a], finals[b]]), secret);
    }
}
