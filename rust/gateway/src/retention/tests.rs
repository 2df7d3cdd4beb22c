//! Archives whose time is over, is not over, or is held.

use std::path::PathBuf;

use cwts_audit::SigningKey;
use cwts_audit::archive::archive as write_archive;
use cwts_types::ReleaseMode;

use super::*;
use crate::keeping::HoldRequest;
use crate::{KeyStore, fold_log, live, read_log};

#[test]
fn a_rule_asks_for_its_years_and_no_fewer() {
    for (rule, years, good) in [
        (None, 1, true),
        (None, 0, false),
        (Some("17a-4(a)"), 5, false),
        (Some("17a-4(a)"), 6, true),
        (Some("17a-4(b)"), 2, false),
        (Some("17a-4(b)"), 3, true),
        (Some("rts6"), 4, false),
        (Some("rts6"), 5, true),
        (Some("rts7"), 9, false),
    ] {
        let made = Retention::new(years, rule);
        assert_eq!(made.is_ok(), good, "{rule:?} {years}");
        assert!(made.err().is_none_or(|error| error.code() == "RETENTION"));
    }
}

/// An archive of a log that was written so many years ago, and the log of today.
struct Desk {
    temp: tempfile::TempDir,
    today: Gateway,
}

fn desk(days_ago: u64, holds: bool) -> Desk {
    let temp = tempfile::tempdir().unwrap();
    let old = temp.path().join("old");
    let mut gateway = live::opened(Some(&old), ReleaseMode::Async);
    gateway.submit(&live::buy(1)).unwrap();
    if holds {
        gateway.hold_case(&asked("own", ""), "bo").unwrap();
    }
    gateway.close().unwrap();
    // The same entries as if they had been written then, under a signature of their own.
    let mut entries: Vec<Vec<u8>> = Vec::new();
    read_log(&old.join("log"), &mut |_, bytes| {
        let mut bytes = bytes.to_vec();
        let mut utc = [0; 8];
        utc.copy_from_slice(&bytes[16..24]);
        let utc_ns = u64::from_le_bytes(utc) - days_ago * 24 * 60 * 60 * 1_000_000_000;
        bytes[16..24].copy_from_slice(&utc_ns.to_le_bytes());
        entries.push(bytes);
        Ok(())
    })
    .unwrap();
    let key = SigningKey::from_seed("cwts.example/old", &[7; 32]).unwrap();
    let plain = temp.path().join("plain");
    let mut storage = FsStorage::create(&plain).unwrap();
    cwts_audit::write_plain(&mut storage, &key, entries.iter().map(Vec::as_slice)).unwrap();
    let mut cold = FsStorage::create(&temp.path().join("cold")).unwrap();
    write_archive(&Published::read(&storage).unwrap(), &mut cold).unwrap();
    let mut today = live::opened(Some(temp.path()), ReleaseMode::Async);
    today.note("of today", "carl").unwrap();
    Desk { temp, today }
}

fn asked<'a>(case: &'a str, account: &'a str) -> HoldRequest<'a> {
    let between_ns = [0, i64::MAX];
    HoldRequest {
        case,
        account,
        instrument: "",
        person: "",
        between_ns,
        actor: "anna",
        reason: "asked",
    }
}

impl Desk {
    fn cold(&self) -> PathBuf {
        self.temp.path().join("cold")
    }

    fn expire(&mut self) -> Result<Expired, GatewayError> {
        let cold = self.cold();
        self.today.expire(&cold, system_utc_ns(), "carl")
    }

    /// The ACCESS entries of today's log.
    fn recorded(&mut self) -> Vec<(AccessKind, String)> {
        self.today.sync().unwrap();
        let mut found = Vec::new();
        fold_log(&self.temp.path().join("log"), |_, entry, _| {
            if let Body::Access(access) = &entry.body {
                found.push((access.kind, access.what.clone()));
            }
            Ok(())
        })
        .unwrap();
        found
    }

    fn refused(&mut self) -> String {
        let before = std::fs::read_dir(self.cold().join("archive")).unwrap().count();
        let error = self.expire().unwrap_err();
        assert_eq!(error.code(), "RETENTION");
        let after = std::fs::read_dir(self.cold().join("archive")).unwrap().count();
        assert_eq!(before, after);
        let (kind, what) = self.recorded().pop().unwrap();
        assert_eq!(kind, AccessKind::DeletionRefused);
        assert!(what.contains(&error.to_string()), "{what}");
        error.to_string()
    }
}

const SEVEN_YEARS: u64 = 7 * 366;

#[test]
fn an_archive_goes_when_its_years_are_over_and_not_a_day_before() {
    let mut desk = desk(SEVEN_YEARS - 1, false);
    assert!(desk.refused().contains("7 years are promised"));
    let mut desk = self::desk(SEVEN_YEARS, false);
    let future = system_utc_ns() + 1_000_000_000_000;
    let cold = desk.cold();
    assert_eq!(desk.today.expire(&cold, future, "carl").unwrap_err().code(), "RETENTION");
    assert!(desk.today.expire(&cold, 1, "").is_err());
    let done = desk.expire().unwrap();
    let left: Vec<_> = std::fs::read_dir(cold.join("archive")).unwrap().collect();
    assert!(left.is_empty() && !cold.join("checkpoint").exists());
    let (kind, what) = desk.recorded().pop().unwrap();
    assert_eq!(kind, AccessKind::Deleted);
    assert!(what.contains(&done.root) && what.contains(&done.origin), "{what}");
    assert!(desk.expire().is_err());
}

#[test]
fn a_case_wins_over_deletion_until_it_is_closed() {
    let mut desk = desk(SEVEN_YEARS, false);
    for (case, account) in [("all", ""), ("alphas", "alpha")] {
        desk.today.hold_case(&asked(case, account), "bo").unwrap();
        assert!(desk.refused().contains(&format!("held for case {case}")));
        desk.today.release_case(case, ["anna", "bo", "over"]).unwrap();
    }
    // Beta sent nothing in those years, and a hold of other years is of other entries.
    let later = [i64::try_from(system_utc_ns()).unwrap(), i64::MAX];
    let request = HoldRequest { between_ns: later, ..asked("later", "") };
    desk.today.hold_case(&request, "bo").unwrap();
    desk.expire().unwrap();
}

#[test]
fn a_case_that_the_old_log_left_open_holds_its_archive() {
    let mut desk = desk(SEVEN_YEARS, true);
    assert!(desk.refused().contains("held for case own"));
}

#[test]
fn a_damaged_archive_is_not_deleted() {
    let mut desk = desk(SEVEN_YEARS, false);
    let block = std::fs::read_dir(desk.cold().join("archive"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .find(|path| path.extension().is_some_and(|ending| ending == "cwz"))
        .unwrap();
    let mut bytes = std::fs::read(&block).unwrap();
    bytes[60] ^= 1;
    std::fs::write(&block, bytes).unwrap();
    assert_eq!(desk.expire().unwrap_err().code(), "TAMPER");
    assert!(block.exists());
}

#[test]
fn a_log_keeps_the_years_that_it_was_made_with() {
    let temp = tempfile::tempdir().unwrap();
    let options = crate::GatewayOptions {
        limits: None,
        dir: Some(temp.path().join("log")),
        keys: Some(KeyStore::new(temp.path().join("keys"))),
        origin: None,
        anchor: None,
        release: ReleaseMode::Async,
    };
    let years = |years| Some(Retention { years });
    Gateway::open_kept(&options, years(10)).unwrap().close().unwrap();
    let (genesis, _) = crate::reader::genesis(&temp.path().join("log")).unwrap();
    assert_eq!(genesis.retention_years, 10);
    Gateway::open_kept(&options, years(10)).unwrap().close().unwrap();
    Gateway::open_kept(&options, None).unwrap().close().unwrap();
    let error = Gateway::open_kept(&options, years(9)).unwrap_err();
    assert_eq!(error.code(), "RETENTION");
    assert!(error.to_string().contains("10 years"), "{error}");
}
