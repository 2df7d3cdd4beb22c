//! Other people's vectors: RFC 6962 hashes and proofs, signed notes, checkpoints.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cwts_audit::line_key::{CommitteeKey, LineKey as _, NoteKey, WitnessSigner};
use cwts_audit::merkle::{
    CompactRange, Hash, ProofError, empty_root, leaf_hash, node_hash, verify_consistency,
    verify_inclusion,
};
use cwts_audit::note::{Checkpoint, Note, NoteError, NoteSignature, SigningKey, VerifyKey};
use serde_json::Value;

/// The shared test data: `CWTS_DATA`, or `../shared/data` beside the workspace.
fn vector_file(name: &str) -> Option<String> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let root = std::env::var_os("CWTS_DATA").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let path = root.join("audit").join(name);
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        eprintln!("SKIPPED: {} is not there; set CWTS_DATA", path.display());
    }
    text
}

fn vectors(name: &str) -> Option<Value> {
    vector_file(name).map(|text| serde_json::from_str(&text).unwrap())
}

fn hex(value: &Value) -> Vec<u8> {
    let digits = value.as_str().unwrap();
    (0..digits.len() / 2)
        .map(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap())
        .collect()
}

fn hash(value: &Value) -> Option<Hash> {
    STANDARD.decode(value.as_str()?).ok()?.try_into().ok()
}

/// A proof that holds something else than hashes has the wrong form already.
fn proof(value: &Value) -> Option<Vec<Hash>> {
    value.as_array().map_or(Some(Vec::new()), |hashes| hashes.iter().map(hash).collect())
}

#[test]
fn rfc_6962_roots_leaves_and_nodes() {
    let Some(v) = vectors("rfc6962_vectors.json") else { return };
    let mut range = CompactRange::new();
    assert_eq!(range.root().to_vec(), hex(&v["roots_hex"][0]));
    assert_eq!(empty_root(), range.root());
    for (n, leaf) in v["leaves_hex"].as_array().unwrap().iter().enumerate() {
        range.append(&hex(leaf));
        assert_eq!(range.root().to_vec(), hex(&v["roots_hex"][n + 1]), "size {}", n + 1);
    }
    assert_eq!(range.size(), 8);
    assert_eq!(leaf_hash(b"L123456").to_vec(), hex(&v["leaf_L123456"]));
    // The published node vector hashes children that are shorter than a hash: plain SHA-256.
    let node = {
        use sha2::Digest;
        sha2::Sha256::new().chain_update(b"\x01N123N456").finalize().to_vec()
    };
    assert_eq!(node, hex(&v["node_N123_N456"]));
    assert_ne!(node_hash(&[1; 32], &[2; 32]), node_hash(&[2; 32], &[1; 32]));
}

#[test]
fn every_inclusion_probe_gets_its_verdict() {
    let Some(probes) = vectors("rfc6962_probes/inclusion.json") else { return };
    let probes = probes.as_array().unwrap();
    assert!(probes.len() > 50);
    for p in probes {
        let number = |key: &str| p[key].as_u64().unwrap();
        let held = (|| {
            let (leaf, root) = (hash(&p["leafHash"])?, hash(&p["root"])?);
            let proof = proof(&p["proof"])?;
            verify_inclusion(&leaf, number("leafIdx"), number("treeSize"), &root, &proof).ok()
        })();
        assert_eq!(held.is_none(), p["wantErr"].as_bool().unwrap(), "{}", p["file"]);
    }
}

#[test]
fn every_consistency_probe_gets_its_verdict() {
    let Some(probes) = vectors("rfc6962_probes/consistency.json") else { return };
    let probes = probes.as_array().unwrap();
    assert!(probes.len() > 50);
    for p in probes {
        let number = |key: &str| p[key].as_u64().unwrap();
        let held = (|| {
            let (old, new) = (hash(&p["root1"])?, hash(&p["root2"])?);
            let proof = proof(&p["proof"])?;
            verify_consistency(number("size1"), number("size2"), &old, &new, &proof).ok()
        })();
        assert_eq!(held.is_none(), p["wantErr"].as_bool().unwrap(), "{}", p["file"]);
    }
}

#[test]
fn a_proof_of_nothing_must_be_empty() {
    let root = leaf_hash(b"x");
    assert_eq!(verify_consistency(0, 1, &empty_root(), &root, &[]), Ok(()));
    assert_eq!(
        verify_consistency(0, 1, &empty_root(), &root, &[root]),
        Err(ProofError::Length { hashes: 1 })
    );
}

#[test]
fn signed_note_cases_get_their_verdicts() {
    let Some(v) = vectors("signed_note_cases.json") else { return };
    for case in v["cases"].as_array().unwrap() {
        let keys: Vec<VerifyKey> = case["keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|k| k.as_str().unwrap().parse().unwrap())
            .collect();
        let note = case["note"].as_str().unwrap();
        let checked = Note::parse(note.as_bytes()).and_then(|n| Ok((n.check(&keys)?, n)));
        assert_eq!(checked.is_ok(), case["ok"].as_bool().unwrap(), "{}", case["n"]);
        if let Ok((lines, parsed)) = checked {
            assert_eq!(lines.verified.len() as u64, case["verified"].as_u64().unwrap());
            assert_eq!(lines.unknown.len() as u64, case["unverified"].as_u64().unwrap());
            assert_eq!(parsed.encode(), note);
            assert_eq!(parsed.check_all(&keys).is_ok(), lines.unknown.is_empty());
        }
    }
}

#[test]
fn checkpoint_cases_are_refused_or_read() {
    let Some(v) = vectors("checkpoint_parse.json") else { return };
    for case in v["cases"].as_array().unwrap() {
        let (text, ok) = (case[1].as_str().unwrap(), case[2].as_bool().unwrap());
        let parsed = Checkpoint::parse(text);
        // Go takes a hash of any length: the one good case has a short one, which is refused here.
        assert!(parsed.is_err(), "{}", case[0]);
        if ok {
            let what = "the root is not 32 bytes";
            assert_eq!(parsed, Err(NoteError::Checkpoint { what }));
        }
    }
    let good = Checkpoint { origin: "Log".to_owned(), size: 123, root: [7; 32] };
    assert_eq!(Checkpoint::parse(&good.encode()), Ok(good.clone()));
    for (from, to) in [("123", "0123"), ("123", "+123"), ("123", "-1"), ("\n123", "\n123\nx")] {
        assert!(Checkpoint::parse(&good.encode().replacen(from, to, 1)).is_err(), "{to}");
    }
}

#[test]
fn a_real_foreign_checkpoint_verifies() {
    let Some(note) = vector_file("sumdb_checkpoint_63096908.txt") else { return };
    let key = vector_file("sumdb_vkey.txt").unwrap();
    let key: VerifyKey = key.trim().parse().unwrap();
    let note = Note::parse(note.as_bytes()).unwrap();
    note.check_all(&[key]).unwrap();
    let head = Checkpoint::parse(&note.text).unwrap();
    assert_eq!((head.origin.as_str(), head.size), ("go.sum database tree", 63_096_908));
}

#[test]
fn the_published_checkpoint_comes_out_byte_for_byte() {
    let mut seed = [0; 32];
    (0..32).for_each(|i| seed[i] = i as u8);
    let key = SigningKey::from_seed("cwts.example/gw1", &seed).unwrap();
    let vkey = "cwts.example/gw1+e8d6e01f+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
    assert_eq!(key.verify_key().to_string(), vkey);
    let mut range = CompactRange::new();
    for entry in ["entry 0", "entry 1", "entry 2"] {
        range.append(entry.as_bytes());
    }
    let head = Checkpoint { origin: "cwts.example/gw1".to_owned(), size: 3, root: range.root() };
    let note = key.sign(&head.encode()).unwrap();
    assert_eq!(
        note.encode(),
        "cwts.example/gw1\n3\nlPvQ3YNvUDAWkubQ6t5yjuGexSv/8WBu2AfIV11aqhk=\n\n\
         \u{2014} cwts.example/gw1 6NbgH5MDKl6ywlR8FqF3zJKovcq/x6JRV30fpG+u7en1x7xyrxCrWyTc7BBM42sr\
         qSFR+kzVEVzWndNjrRZ4XeBulwU=\n"
    );
    // With the committee's line behind it, the log's line still verifies, and the other is named.
    let both = note.encode()
        + "\u{2014} cwts.example/gw1/committee CpM85QAAAAAAAAABAAAAAAAAAAWiH99F8NvnWhdDvBep8y8+y9rz\
           0GxMMVBNz1xdcK+gRARzJdCtB9JQD/qllZP2kiw=\n";
    let both = Note::parse(both.as_bytes()).unwrap();
    let keys = [key.verify_key().clone()];
    assert_eq!(both.check(&keys).unwrap().unknown, [1]);
    let name = "cwts.example/gw1/committee".to_owned();
    assert_eq!(both.check_all(&keys), Err(NoteError::UnknownLine { name: name.clone() }));

    // With its key every line is verified, by a third implementation of BLS.
    let mut secret = [0; 32];
    let half = 0x1234_5678_90ab_cdef_1234_5678_90ab_cdef_u128;
    secret[16..].copy_from_slice(&half.to_be_bytes());
    let public = blst::min_sig::SecretKey::from_bytes(&secret).unwrap().sk_to_pk();
    let committee = CommitteeKey::from_bytes(&name, &public.to_bytes()).unwrap();
    let committee: NoteKey = committee.to_string().parse().unwrap();
    let keys = [NoteKey::Log(key.verify_key().clone()), committee.clone()];
    assert_eq!(both.check_all(&keys), Ok(()));
    assert_eq!(committee.speaks_for(), Some("cwts.example/gw1"));
    // Every bit of the line counts, epoch and view included.
    let line = both.signatures[1].bytes.clone();
    for bit in 0..line.len() * 8 {
        let mut flipped = both.clone();
        flipped.signatures[1].bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(flipped.check_all(&keys).is_err(), "bit {bit}");
    }
    assert!(!committee.verifies(&both.text, &line[..63]));
}

#[test]
fn a_witness_line_carries_its_time() {
    let log = SigningKey::from_seed("a.example/log", &[3; 32]).unwrap();
    let witness = WitnessSigner::from_seed("w.example", &[4; 32]).unwrap();
    let witness_key: NoteKey = witness.verify_key().to_string().parse().unwrap();
    assert_eq!(witness_key.id(), witness.verify_key().id());
    let head = Checkpoint { origin: "a.example/log".to_owned(), size: 0, root: empty_root() };
    let mut note = log.sign(&head.encode()).unwrap();
    let (name, id) = (witness_key.name().to_owned(), witness_key.id());
    let bytes = witness.cosign(&note.text, 1_795_000_000);
    note.signatures.push(NoteSignature { name, id, bytes });
    let note = Note::parse(note.encode().as_bytes()).unwrap();
    let keys = [NoteKey::Log(log.verify_key().clone()), witness_key.clone()];
    note.check_all(&keys).unwrap();
    // It has seen the checkpoint; it does not speak for the log.
    assert_eq!(witness_key.speaks_for(), None);
    let mut later = note.clone();
    later.signatures[1].bytes[7] ^= 1;
    let name = "w.example".to_owned();
    assert_eq!(later.check_all(&keys), Err(NoteError::BadSignature { name }));
    // The same 32 bytes as a log's key are another key.
    let plain: NoteKey =
        log.verify_key().renamed("w.example").unwrap().to_string().parse().unwrap();
    assert_ne!(plain.id(), witness_key.id());
}

#[test]
fn every_bit_of_a_note_and_of_a_key_counts() {
    let key = SigningKey::from_seed("a.example/b", &[3; 32]).unwrap();
    let keys = [key.verify_key().clone()];
    let note = key.sign("text\n\nwith a blank line\n").unwrap().encode().into_bytes();
    for bit in 0..note.len() * 8 {
        let mut flipped = note.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let held = Note::parse(&flipped).and_then(|n| n.check_all(&keys));
        assert!(held.is_err(), "bit {bit}");
    }
    let text = keys[0].to_string();
    for bit in 0..text.len() * 8 {
        let mut flipped = text.clone().into_bytes();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let parsed = String::from_utf8(flipped).ok().and_then(|t| t.parse::<VerifyKey>().ok());
        assert!(parsed.is_none(), "bit {bit}");
    }
}
