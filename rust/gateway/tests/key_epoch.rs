//! The frame key of a live log: when it evolves, where its seals stand, and who keeps `K_0`.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod live;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use cwts_audit::{FsStorage, KeyChain, Level, Verdict, VerifyKeys, verify};
use cwts_gateway::{Escrow, Gateway, GatewayOptions, KeyLife, KeyStore, fold_log, read_k0};
use cwts_types::{EntryType, ReleaseMode};

const NEVER_NS: u64 = u64::MAX;

/// What types the entries of a log have, in order; folded as a follower does.
fn types(log: &Path) -> Vec<EntryType> {
    let mut types = Vec::new();
    fold_log(log, |_, entry, _| {
        types.push(entry.body.entry_type());
        Ok(())
    })
    .unwrap();
    types
}

fn epochs(log: &Path) -> usize {
    types(log).iter().filter(|kind| **kind == EntryType::KeyEpoch).count()
}

fn checked(log: &Path, k0: Option<KeyChain>) -> Verdict {
    let keys = VerifyKeys { k0, ..VerifyKeys::default() };
    verify(&FsStorage::open(log).unwrap(), &keys, Level::Full).unwrap()
}

fn file(temp: &Path, name: &str) -> PathBuf {
    let folders: Vec<_> = fs::read_dir(temp.join("keys")).unwrap().collect();
    assert_eq!(folders.len(), 1);
    folders[0].as_ref().unwrap().path().join(name)
}

#[test]
fn a_busy_log_changes_its_key_by_count_and_every_epoch_verifies() {
    let temp = tempfile::tempdir().unwrap();
    let log = temp.path().join("log");
    for run in 0..2 {
        let mut gateway = live::opened(Some(temp.path()), ReleaseMode::Async);
        gateway.set_key_life(KeyLife { entries: 100, ns: NEVER_NS });
        for _ in 0..500 {
            gateway.submit(&live::buy(1)).unwrap();
        }
        gateway.close().unwrap();
        // A key serves 100 entries, or one more where an order and its decision end there.
        let types = types(&log);
        let at: Vec<usize> =
            (0..types.len()).filter(|at| types[*at] == EntryType::KeyEpoch).collect();
        assert!(at.len() >= 9 * (run + 1), "{at:?}");
        assert!(at.windows(2).all(|two| (101..=102).contains(&(two[1] - two[0]))), "{at:?}");
        assert!(at.iter().all(|at| types[at - 1] != EntryType::Order), "{at:?}");
        let k0 = read_k0(&file(temp.path(), "k0.key")).unwrap();
        let verdict = checked(&log, Some(k0));
        assert_eq!(verdict.findings, []);
        assert!(verdict.not_checked.iter().all(|what| !what.contains("MAC")), "{verdict:?}");
        // One slot, of this epoch: the keys before are gone.
        let held = fs::read(file(temp.path(), "epoch.key")).unwrap();
        assert_eq!((held.len(), held[12], usize::from(held[16])), (100, 1, at.len()));
    }
    for name in ["epoch.key", "k0.key", "ed25519.key"] {
        let mode = fs::metadata(file(temp.path(), name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn an_idle_log_does_not_change_its_key() {
    let temp = tempfile::tempdir().unwrap();
    let log = temp.path().join("log");
    let mut gateway = live::opened(Some(temp.path()), ReleaseMode::Durable);
    // Whatever was written has served its time at once.
    gateway.set_key_life(KeyLife { entries: u64::MAX, ns: 0 });
    gateway.poll().unwrap();
    gateway.sync().unwrap();
    let before = epochs(&log);
    assert_eq!(before, 1);
    for _ in 0..20 {
        gateway.poll().unwrap();
    }
    gateway.sync().unwrap();
    assert_eq!(epochs(&log), before, "nothing was written but the seal");
    gateway.submit(&live::buy(1)).unwrap();
    gateway.poll().unwrap();
    gateway.poll().unwrap();
    gateway.sync().unwrap();
    assert_eq!(epochs(&log), before + 1);
    gateway.set_key_life(KeyLife::default());
    gateway.submit(&live::buy(1)).unwrap();
    gateway.poll().unwrap();
    gateway.close().unwrap();
    assert_eq!(epochs(&log), before + 1, "ten seconds are not over");
    assert_eq!(KeyLife::default(), KeyLife { entries: 65_536, ns: 10_000_000_000 });
}

#[test]
fn a_killed_gateway_goes_on_in_its_epoch() {
    let temp = tempfile::tempdir().unwrap();
    let log = temp.path().join("log");
    for _ in 0..3 {
        let mut gateway = live::opened(Some(temp.path()), ReleaseMode::Durable);
        gateway.set_key_life(KeyLife { entries: 8, ns: NEVER_NS });
        for _ in 0..20 {
            gateway.submit(&live::buy(1)).unwrap();
        }
        // Dropped, not closed: as after a crash.
    }
    live::opened(Some(temp.path()), ReleaseMode::Durable).close().unwrap();
    let verdict = checked(&log, Some(read_k0(&file(temp.path(), "k0.key")).unwrap()));
    assert_eq!(verdict.findings, []);
    assert!(verdict.entry_counts["KEY_EPOCH"] > 9, "{:?}", verdict.entry_counts);
}

#[test]
fn a_lost_key_file_is_made_again_from_k_0() {
    let temp = tempfile::tempdir().unwrap();
    let mut gateway = live::opened(Some(temp.path()), ReleaseMode::Durable);
    gateway.set_key_life(KeyLife { entries: 8, ns: NEVER_NS });
    for _ in 0..20 {
        gateway.submit(&live::buy(1)).unwrap();
    }
    gateway.close().unwrap();
    let held = fs::read(file(temp.path(), "epoch.key")).unwrap();
    fs::remove_file(file(temp.path(), "epoch.key")).unwrap();
    live::opened(Some(temp.path()), ReleaseMode::Durable).close().unwrap();
    assert_eq!(fs::read(file(temp.path(), "epoch.key")).unwrap(), held);
    // Without either the log cannot be continued, and says which file it misses.
    fs::remove_file(file(temp.path(), "epoch.key")).unwrap();
    fs::remove_file(file(temp.path(), "k0.key")).unwrap();
    let keys = KeyStore::new(temp.path().join("keys"));
    let options = GatewayOptions {
        limits: None,
        dir: Some(temp.path().join("log")),
        keys: Some(keys),
        origin: None,
        anchor: None,
        release: ReleaseMode::Durable,
    };
    let refused = Gateway::open(&options).unwrap_err().to_string();
    assert!(refused.contains("epoch.key"), "{refused}");
}

#[test]
fn a_log_is_made_in_advance_and_k_0_goes_where_it_is_told_to() {
    for (number, escrow) in ["folder", "file", "caller"].into_iter().enumerate() {
        let temp = tempfile::tempdir().unwrap();
        let (log, out) = (temp.path().join("log"), temp.path().join("k0.txt"));
        let store = KeyStore::new(temp.path().join("keys"));
        let escrow = match escrow {
            "folder" => Escrow::KeyFolder,
            "file" => Escrow::File(out.clone()),
            _ => Escrow::Caller,
        };
        let made = Gateway::init_log(&log, &store, None, &escrow).unwrap();
        let kept = match (&made.escrow, &made.k0) {
            (Some(path), None) => PathBuf::from(path),
            (None, Some(line)) => {
                fs::write(&out, line.as_bytes()).unwrap();
                out.clone()
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(store.k0_on_host(&log).unwrap().is_some(), number == 0);
        assert_eq!(file(temp.path(), "k0.key").exists(), number == 0);
        // The gateway goes on with it, and K_0 checks what it writes.
        let mut gateway = live::opened(Some(temp.path()), ReleaseMode::Durable);
        gateway.set_key_life(KeyLife { entries: 8, ns: NEVER_NS });
        for _ in 0..20 {
            gateway.submit(&live::buy(1)).unwrap();
        }
        gateway.close().unwrap();
        let vkey = Some(made.vkey.parse().unwrap());
        let keys = VerifyKeys { vkey, k0: Some(read_k0(&kept).unwrap()), ..VerifyKeys::default() };
        let verdict = verify(&FsStorage::open(&log).unwrap(), &keys, Level::Full).unwrap();
        assert_eq!((verdict.findings, verdict.not_checked), (vec![], vec![]));
        assert!(verdict.entry_counts["KEY_EPOCH"] > 3);
        // Once: a log that is there keeps the keys that it has.
        let again = Gateway::init_log(&log, &store, None, &escrow).unwrap_err().to_string();
        assert!(again.contains("holds a log already"), "{again}");
    }
}

#[test]
fn an_escrow_file_overwrites_nothing_and_never_lies_under_the_log() {
    let temp = tempfile::tempdir().unwrap();
    let (log, store) = (temp.path().join("log"), KeyStore::new(temp.path().join("keys")));
    let there = temp.path().join("there");
    fs::write(&there, "x").unwrap();
    for (path, why) in [
        (there.clone(), "exists"),
        (log.join("k0"), "no folder that exists"),
        (temp.path().join("nowhere/k0"), "no folder that exists"),
    ] {
        let escrow = Escrow::File(path);
        let refused = Gateway::init_log(&log, &store, None, &escrow).unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
    fs::create_dir(&log).unwrap();
    let refused = Gateway::init_log(&log, &store, None, &Escrow::File(log.join("k0")));
    assert!(refused.unwrap_err().to_string().contains("under the log"));
    assert_eq!(fs::read(&there).unwrap(), b"x");
    assert!(!temp.path().join("keys").exists(), "no key was made");
}

#[test]
fn a_k_0_of_another_form_is_refused_with_its_reason() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("k0");
    let digits = "00".repeat(32);
    let line = format!("cwts-k0-v1 0123456789abcdef {digits}\n");
    fs::write(&path, &line).unwrap();
    let from_line = read_k0(&path).unwrap().digest();
    // As releases before this one wrote it.
    fs::write(&path, [0; 32]).unwrap();
    assert_eq!(read_k0(&path).unwrap().digest(), from_line);
    for bad in [
        String::new(),
        line.replace("v1", "v2"),
        line.replace("0123456789abcdef", "0123456789abcde"),
        line.replace(&digits, &"00".repeat(31)),
        line.replace(&digits, &format!("{}g0", "00".repeat(31))),
        line.replace(&digits, &format!("{}+1", "00".repeat(31))),
        format!("{line}{line}"),
    ] {
        fs::write(&path, &bad).unwrap();
        assert!(read_k0(&path).is_err(), "{bad:?}");
    }
}
