//! Witnesses: the protocol's answers, a state that survives, and logs held against cosignatures.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod common;

use common::{
    START_NS, all_keys, closed_log, cosign, create, fill, small, witness_keys, witness_signer,
    witnessed_log, write_kill_files,
};
use cwts_audit::note::NoteSignature;
use cwts_audit::witness::{
    AddCheckpoint, PROOF_LINES_MAX, REQUEST_BYTES_MAX, Refusal, WITNESSED_FILE, Witness,
    cosignature, witnessed,
};
use cwts_audit::{
    Checkpoint, FindingKind, Level, MemStorage, Note, NoteKey, Published, SigningKey, VerifyKeys,
    verify,
};

const NOW: u64 = 1_795_000_000;

fn witness() -> Witness {
    let log = common::keys().signing.verify_key().clone();
    Witness::new(witness_signer(), vec![log]).unwrap()
}

/// A log that signs checkpoints of these sizes; gives its directory at each.
fn log_at(sizes: &[u64]) -> Vec<MemStorage> {
    let storage = MemStorage::new();
    let (mut writer, mut maker) = create(storage.clone(), small()).unwrap();
    let at = |&size: &u64| {
        fill(&mut writer, &mut maker, size, 8);
        writer.checkpoint().unwrap();
        MemStorage::from_image(storage.image())
    };
    sizes.iter().map(at).collect()
}

fn request(storage: &MemStorage, old: u64) -> String {
    let log = Published::read(storage).unwrap();
    let proof = log.consistency(old, log.checkpoint.size).unwrap();
    AddCheckpoint { old, proof, note: log.note, checkpoint: log.checkpoint }.encode()
}

fn submit(witness: &mut Witness, body: &str) -> Result<String, Refusal> {
    let cosigned = witness.judge(body.as_bytes(), NOW)?;
    witness.keep(cosigned.clone());
    Ok(cosigned.line())
}

#[test]
fn a_growing_log_is_cosigned_step_by_step() {
    let mut witness = witness();
    let mut old = 0;
    for log in log_at(&[2, 3, 4, 40, 300]) {
        let line = submit(&mut witness, &request(&log, old)).unwrap();
        let note = Published::read(&log).unwrap().note;
        let signature = cosignature(&note, line.as_bytes(), &witness.verify_key()).unwrap();
        assert_eq!(signature.bytes[..8], NOW.to_be_bytes());
        old = Published::read(&log).unwrap().checkpoint.size;
        // Again the same is cosigned again: the answer may have been lost.
        submit(&mut witness, &request(&log, old)).unwrap();
        let kept = Note::parse(witness.newest(&sha256(common::ORIGIN)).unwrap().as_bytes());
        let keys =
            [NoteKey::Log(common::keys().signing.verify_key().clone()), witness.verify_key()];
        assert_eq!(kept.unwrap().check_all(&keys), Ok(()));
    }
    assert_eq!(witness.newest(&sha256("other")), None);
}

fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    use std::fmt::Write as _;
    sha2::Sha256::digest(text).iter().fold(String::new(), |mut out, byte| {
        write!(out, "{byte:02x}").unwrap();
        out
    })
}

#[test]
fn each_refusal_has_its_status_and_changes_nothing() {
    let logs = log_at(&[8, 40, 60]);
    let mut witness = witness();
    submit(&mut witness, &request(&logs[1], 0)).unwrap();
    let state = witness.state();
    let good = request(&logs[2], 40);

    let stale = submit(&mut witness, &request(&logs[2], 0)).unwrap_err();
    assert_eq!((stale.status(), stale.body().as_str()), (409, "40\n"));
    assert_eq!(stale.content_type(), "text/x.tlog.size");
    assert_eq!(submit(&mut witness, &request(&logs[0], 8)), Err(Refusal::Conflict { size: 40 }));

    let unknown = SigningKey::from_seed("other.example/log", &[1; 32]).unwrap();
    let checkpoint = Checkpoint { origin: "other.example/log".into(), size: 1, root: [1; 32] };
    let note = unknown.sign(&checkpoint.encode()).unwrap();
    let body = AddCheckpoint { old: 0, proof: vec![], note: note.clone(), checkpoint }.encode();
    assert_eq!(submit(&mut witness, &body).unwrap_err().status(), 404);

    // The right name and text under another key, and the right line with a wrong bit.
    let forged = SigningKey::from_seed(common::ORIGIN, &[1; 32]).unwrap();
    let text = Published::read(&logs[2]).unwrap().note.text;
    let forged = good.split_once("\n\n").unwrap().0.to_owned()
        + "\n\n"
        + &forged.sign(&text).unwrap().encode();
    assert_eq!(submit(&mut witness, &forged).unwrap_err().status(), 403);
    let mut wrong = AddCheckpoint::parse(good.as_bytes()).unwrap();
    wrong.note.signatures[0].bytes[9] ^= 1;
    assert_eq!(submit(&mut witness, &wrong.encode()).unwrap_err().status(), 403);

    // A line by a key that it does not know is ignored.
    let mut more = AddCheckpoint::parse(good.as_bytes()).unwrap();
    more.note.signatures.push(note.signatures[0].clone());
    assert!(witness.judge(more.encode().as_bytes(), NOW).is_ok());

    let mut bad = AddCheckpoint::parse(good.as_bytes()).unwrap();
    bad.proof[0][5] ^= 1;
    assert_eq!(submit(&mut witness, &bad.encode()).unwrap_err().status(), 422);
    bad.proof.clear();
    assert_eq!(submit(&mut witness, &bad.encode()).unwrap_err().status(), 422);
    let signed = |size, root| {
        let checkpoint = Checkpoint { origin: common::ORIGIN.into(), size, root };
        let note = common::keys().signing.sign(&checkpoint.encode()).unwrap();
        AddCheckpoint { old: 40, proof: vec![], note, checkpoint }
    };
    let other_root = submit(&mut witness, &signed(40, [7; 32]).encode()).unwrap_err();
    assert_eq!(other_root, Refusal::Inconsistent { what: "another root of the same size" });
    assert_eq!(submit(&mut witness, &signed(39, [7; 32]).encode()).unwrap_err().status(), 400);
    let empty = AddCheckpoint { old: 0, ..signed(0, [7; 32]) }.encode();
    let fresh = Witness::new(witness_signer(), vec![common::keys().signing.verify_key().clone()]);
    assert_eq!(fresh.unwrap().judge(empty.as_bytes(), NOW).unwrap_err().status(), 422);
    assert_eq!(witness.state(), state);
    submit(&mut witness, &good).unwrap();
}

#[test]
fn a_body_has_one_spelling_and_a_bound() {
    let good = request(&log_at(&[40, 300])[1], 40);
    assert_eq!(AddCheckpoint::parse(good.as_bytes()).unwrap().encode(), good);
    let (head, note) = good.split_once("\n\n").unwrap();
    let lines: Vec<&str> = head.split('\n').collect();
    let proof_of = |count: usize| {
        let mut body = format!("old 40\n{}", [lines[1], "\n"].concat().repeat(count));
        body = body.trim_end().to_owned() + "\n\n" + note;
        body
    };
    assert!(AddCheckpoint::parse(proof_of(PROOF_LINES_MAX).as_bytes()).is_ok());
    let bodies = [
        proof_of(PROOF_LINES_MAX + 1),
        good.replacen("old 40", "old 040", 1),
        good.replacen("old 40", "old +40", 1),
        good.replacen("old 40", "old  40", 1),
        good.replacen("old 40", "old 18446744073709551616", 1),
        good.replacen("old 40", "new 40", 1),
        good.replacen('\n', "\r\n", 1),
        good.replacen("\n\n", "\n", 1),
        good.replacen("\n\n", "\n\n\n", 1),
        good.trim_end().to_owned(),
        format!("{good}x"),
        good.replacen("40\n", "40\nAAAA\n", 1),
        String::new(),
    ];
    for body in &bodies {
        assert_eq!(AddCheckpoint::parse(body.as_bytes()).unwrap_err().status(), 400, "{body}");
    }
    let long = vec![b'a'; REQUEST_BYTES_MAX + 1];
    assert_eq!(AddCheckpoint::parse(&long).unwrap_err(), Refusal::TooLong);
    assert_eq!(AddCheckpoint::parse(&long[1..]).unwrap_err().status(), 400);
}

#[test]
fn the_state_comes_back_and_no_other_does() {
    let other = SigningKey::from_seed("other.example/log", &[1; 32]).unwrap();
    let logs = || vec![common::keys().signing.verify_key().clone(), other.verify_key().clone()];
    let mut witness = Witness::new(witness_signer(), logs()).unwrap();
    submit(&mut witness, &request(&log_at(&[40])[0], 0)).unwrap();
    let checkpoint = Checkpoint { origin: "other.example/log".into(), size: 1, root: [1; 32] };
    let note = other.sign(&checkpoint.encode()).unwrap();
    let body = AddCheckpoint { old: 0, proof: vec![], note, checkpoint }.encode();
    let cosigned = witness.judge(body.as_bytes(), NOW).unwrap();
    let state = witness.state_with(&cosigned);
    assert_ne!(state, witness.state(), "nothing is kept yet");
    witness.keep(cosigned);
    assert_eq!(state, witness.state());

    let restored = Witness::restore(witness_signer(), logs(), state.as_bytes()).unwrap();
    assert_eq!(restored.state(), state);
    let stale = restored.judge(request(&log_at(&[60])[0], 0).as_bytes(), NOW);
    assert_eq!(stale, Err(Refusal::Conflict { size: 40 }));

    let refused = |state: &[u8]| Witness::restore(witness_signer(), logs(), state).is_err();
    for length in 0..state.len() {
        assert!(refused(&state.as_bytes()[..length]), "torn at {length}");
    }
    for bit in 0..state.len() * 8 {
        let mut flipped = state.clone().into_bytes();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(refused(&flipped), "bit {bit}");
    }
    assert!(refused(format!("{state}\n").as_bytes()));
    let stranger =
        cwts_audit::line_key::WitnessSigner::from_seed("witness.example/w1", &[5; 32]).unwrap();
    let error = Witness::restore(stranger, logs(), state.as_bytes()).unwrap_err();
    assert_eq!(error.line, 2, "{error}");
}

#[test]
fn an_answer_counts_only_with_the_line_of_the_key() {
    let mut witness = witness();
    let log = &log_at(&[40])[0];
    let note = Published::read(log).unwrap().note;
    let line = submit(&mut witness, &request(log, 0)).unwrap();
    let key = witness.verify_key();
    for wrong in ["", "\n", "x", &line.repeat(65), &line.replacen('A', "B", 1), &line[..9]] {
        assert!(cosignature(&note, wrong.as_bytes(), &key).is_err(), "{wrong:?}");
    }
    // Lines by keys that nobody asked for are ignored, as the protocol wants.
    let stray = note.encode().lines().last().unwrap().to_owned();
    let ours = cosignature(&note, format!("{stray}\n{line}").as_bytes(), &key).unwrap();
    let older = NoteSignature { name: "a.example".into(), id: [1; 4], bytes: vec![1] };
    let both = witnessed(&note, vec![older.clone()], None);
    let both = witnessed(&note, vec![ours.clone()], Some(&both));
    let names: Vec<_> = both.signatures.iter().map(|line| line.name.as_str()).collect();
    assert_eq!(names, [common::ORIGIN, "a.example", "witness.example/w1"]);
    let again = witnessed(&note, vec![ours], Some(&both));
    assert_eq!(again, both, "a line is there once");
    let moved = Note { text: "x\n".into(), signatures: vec![older] };
    assert_eq!(witnessed(&note, vec![], Some(&moved)).signatures, note.signatures);
}

#[test]
fn a_witnessed_log_verifies_with_both_keys_and_says_what_it_did_not_check() {
    let log = witnessed_log(40, 8, small());
    for level in [Level::Full, Level::Roots] {
        let verdict = verify(&log, &witness_keys(), level).unwrap();
        assert_eq!(verdict.findings, [], "{level:?}");
        let unasked = verify(&log, &all_keys(), level).unwrap();
        assert_eq!(unasked.findings, [], "{level:?}");
        let not_checked = unasked.not_checked.join("; ");
        assert!(not_checked.contains("the line by witness.example/w1"), "{not_checked}");
    }
    // A key that was given must have signed.
    let bare = verify(&closed_log(40, 8, small()), &witness_keys(), Level::Full).unwrap();
    assert_eq!(bare.findings[0].kind, FindingKind::BadSignature);
    let mut keys = witness_keys();
    let second = cwts_audit::line_key::WitnessSigner::from_seed("w2.example", &[6; 32]).unwrap();
    keys.others.push(NoteKey::Witness(second.verify_key().clone()));
    let verdict = verify(&log, &keys, Level::Full).unwrap();
    let [finding] = &verdict.findings[..] else { panic!("{:?}", verdict.findings) };
    assert_eq!((finding.kind, finding.file.as_str()), (FindingKind::BadSignature, WITNESSED_FILE));
    let only =
        VerifyKeys { others: vec![NoteKey::Witness(second.verify_key().clone())], ..all_keys() };
    let verdict = verify(&log, &only, Level::Full).unwrap();
    assert_eq!(verdict.findings[0].kind, FindingKind::UnknownLine);
}

/// Whoever has all of the log's keys can make it anew; what the witness has cosigned tells.
#[test]
fn a_history_made_anew_under_the_logs_own_keys_is_found() {
    let cosigned = witnessed_log(40, 8, small()).image()[WITNESSED_FILE].clone();
    let other = MemStorage::new();
    let (mut writer, mut maker) = create(other.clone(), small()).unwrap();
    fill(&mut writer, &mut maker, 14, 8);
    for at in 14..39 {
        writer.push(&maker.entry(at, cwts_types::Body::Tick)).unwrap();
    }
    write_kill_files(writer.storage_mut(), &maker);
    writer.close(START_NS, |size, root| common::close_entry(&mut maker, size, root)).unwrap();
    assert_eq!(verify(&other, &all_keys(), Level::Full).unwrap().findings, []);
    other.with_file(WITNESSED_FILE, |bytes| *bytes = cosigned.clone());
    for level in [Level::Full, Level::Roots] {
        let verdict = verify(&other, &witness_keys(), level).unwrap();
        let [finding] = &verdict.findings[..] else { panic!("{:?}", verdict.findings) };
        let (kind, file) = (finding.kind, finding.file.as_str());
        assert_eq!((kind, file), (FindingKind::Inconsistent, WITNESSED_FILE), "{level:?}");
    }
    let short = closed_log(16, 8, small());
    short.with_file(WITNESSED_FILE, |bytes| *bytes = cosigned);
    for level in [Level::Full, Level::Roots] {
        let verdict = verify(&short, &witness_keys(), level).unwrap();
        let [finding] = &verdict.findings[..] else { panic!("{:?}", verdict.findings) };
        assert_eq!(
            (finding.kind, finding.index_end),
            (FindingKind::Rollback, Some(19)),
            "{level:?}"
        );
    }
}

#[test]
fn a_cosigned_checkpoint_of_the_last_size_verifies_too() {
    let log = closed_log(40, 8, small());
    cosign(&log);
    assert_eq!(verify(&log, &witness_keys(), Level::Full).unwrap().findings, []);
    assert_eq!(verify(&log, &witness_keys(), Level::Roots).unwrap().findings, []);
}
