//! A gateway's log before, while and after its segments are archived.

use std::path::Path;

use cwts_audit::{Level, VerifyKeys, verify};
use cwts_types::ReleaseMode;

use super::*;
use crate::follow::fold_log;
use crate::{GatewayOptions, KeyStore, live};

fn verified(log: &Path) -> cwts_audit::Verdict {
    let storage = FsStorage::open(log).unwrap();
    let mut verdict = verify(&storage, &VerifyKeys::default(), Level::Full).unwrap();
    crate::check_consents(log, &mut verdict).unwrap();
    crate::check_decisions(log, &mut verdict).unwrap();
    verdict
}

fn to_archive(temp: &Path) -> Gateway {
    let options = GatewayOptions {
        limits: None,
        dir: Some(temp.join("log")),
        keys: Some(KeyStore::new(temp.join("keys"))),
        origin: None,
        anchor: None,
        release: ReleaseMode::Async,
    };
    Gateway::open_to_archive(&options).unwrap()
}

#[test]
fn a_gateway_goes_on_over_archived_entries() {
    let temp = tempfile::tempdir().unwrap();
    let log = temp.path().join("log");
    let mut gateway = live::opened(Some(temp.path()), ReleaseMode::Async);
    for n in 0..1_000 {
        gateway.submit(&live::buy(1 + n % 2)).unwrap();
    }
    gateway.close().unwrap();
    let plain = fold_log(&log, |_, _, _| Ok(())).unwrap();
    let mut gateway = to_archive(temp.path());
    assert_eq!(gateway.archive_before(1).unwrap(), ArchivedNow::default());
    let done = gateway.archive_before(u64::MAX).unwrap();
    assert_eq!((done.entries, done.end), (plain.facts.size, plain.facts.size), "{done:?}");
    assert!(done.freed > 5 * done.bytes && done.blocks == 1, "{done:?}");
    assert!(!log.join("wal/00000000000000000000.wal").exists());
    // What is archived is not archived again; the segment in use stays.
    let again = gateway.archive_before(u64::MAX).unwrap();
    assert_eq!((again.blocks, again.freed, again.end), (0, 0, done.end));
    gateway.submit(&live::buy(1)).unwrap();
    gateway.close().unwrap();
    let verdict = verified(&log);
    assert!(verdict.is_ok() && verdict.clean, "{:?}", verdict.findings);
    assert_eq!(verdict.entry_counts["DECISION"], 1_001);
    // State, holdings and counters come out of the blocks.
    let folded = fold_log(&log, |_, _, _| Ok(())).unwrap();
    assert_eq!(folded.engine.decisions(), plain.engine.decisions() + 1);
    let mut gateway = live::opened_with(None, Some(temp.path()), ReleaseMode::Async);
    assert_eq!(gateway.engine().decisions(), 1_001);
    assert!(unarchive(&log).is_err());
    gateway.submit(&live::buy(2)).unwrap();
    gateway.close().unwrap();
    assert!(unarchive(&log).unwrap() > 0);
    assert!(log.join("wal/00000000000000000000.wal").exists());
    let verdict = verified(&log);
    assert!(verdict.is_ok() && verdict.clean, "{:?}", verdict.findings);
}

/// A decision that was changed in a block, with all that names its bytes made to fit.
#[test]
fn a_block_that_was_made_anew_around_a_lie_does_not_verify() {
    let temp = tempfile::tempdir().unwrap();
    let log = temp.path().join("log");
    let mut gateway = live::opened(Some(temp.path()), ReleaseMode::Async);
    gateway.submit(&live::buy(1)).unwrap();
    gateway.close().unwrap();
    let mut gateway = to_archive(temp.path());
    gateway.archive_before(u64::MAX).unwrap();
    gateway.close().unwrap();
    let name = std::fs::read_dir(log.join("archive"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .find(|path| path.extension().is_some_and(|ending| ending == "cwz"))
        .unwrap();
    let held = cwts_audit::cold::Block::decode(&std::fs::read(&name).unwrap()).unwrap();
    let mut forged = cwts_audit::cold::Block::new(0);
    let last = held.entries().count() - 1;
    for (at, entry) in held.entries().enumerate() {
        let mut entry = entry.to_vec();
        if at == last {
            entry[20] ^= 1;
        }
        forged.push(&entry).unwrap();
    }
    let bytes = forged.encode();
    let manifest = name.with_extension("json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let mut range = cwts_audit::CompactRange::new();
    forged.entries().for_each(|entry| {
        range.append(entry);
    });
    let (head, rest) = text.split_once("\"root\":\"").unwrap();
    let rest = rest.split_once("\",\"sha256").unwrap().1;
    let sha256 = crate::sha256_hex(&bytes);
    let tail = rest.split_once('}').unwrap().1;
    let root = crate::hex(&range.root());
    let text = format!("{head}\"root\":\"{root}\",\"sha256\":\"{sha256}\"}}{tail}");
    std::fs::write(&name, bytes).unwrap();
    std::fs::write(&manifest, text).unwrap();
    let storage = FsStorage::open(&log).unwrap();
    let verdict = verify(&storage, &VerifyKeys::default(), Level::Full).unwrap();
    let kinds: Vec<_> = verdict.findings.iter().map(|f| f.kind).collect();
    assert!(kinds.contains(&cwts_audit::FindingKind::ArchiveDiffers), "{kinds:?}");
    assert!(kinds.len() > 1, "the entry itself is not under the root: {kinds:?}");
}
