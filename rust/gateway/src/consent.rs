//! Who said yes, checked again: the signatures of limit changes, resumes and overrides in a log.
//!
//! `cwts log verify` asks this after the bytes are known to be right. Each signature is checked
//! against the operators of the limits in force before its entry. Orders are not folded: nothing
//! that they change decides who may say yes.

use std::path::Path;

use cwts_audit::holds::Yes;
use cwts_audit::{Finding, FindingKind, Verdict};
use cwts_risk::Engine;
use cwts_risk::limits::Right;
use cwts_risk::limits::diff::diff;
use cwts_types::{Body, Entry, entry_flag};

use crate::GatewayError;
use crate::change::{check_yes, proposal_digest, resume_digest};
use crate::reader::{genesis, read_log};

/// What was found of the consents in a log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Consents {
    /// What lacks a signature that it needs.
    findings: Vec<Finding>,
    /// Changes and resumes whose signatures all hold.
    authenticated: u64,
    /// Changes and resumes by names alone: no operators were listed.
    unauthenticated: u64,
}

/// Checks who said yes to the limit changes, resumes and overrides of a log, and adds that to what
/// the bytes gave.
///
/// # Errors
/// There is no log, or a file cannot be read.
pub fn check_consents(dir: &Path, verdict: &mut Verdict) -> Result<(), GatewayError> {
    let count = |name: &str| verdict.entry_counts.get(name).copied().unwrap_or(0);
    let asked = ["LIMIT_PROPOSE", "LIMIT_APPROVE", "LIMIT_EXPIRE", "RESUME", "OVERRIDE"];
    if asked.into_iter().all(|name| count(name) == 0) && count("LIMIT_ACTIVATE") < 2 {
        return Ok(());
    }
    // Damaged entries do not fold: what is wrong with them is told already.
    if !verdict.is_ok() {
        verdict.not_checked.push("who said yes to changes: entries are damaged".to_owned());
        return Ok(());
    }
    let consents = consents_of(dir)?;
    verdict.findings.extend(consents.findings);
    for (n, what) in [
        (consents.authenticated, "signed by operators' keys"),
        (consents.unauthenticated, "unauthenticated: no operators were listed"),
    ] {
        if n > 0 {
            let noun = if n == 1 {
                "change, resume or override is"
            } else {
                "changes, resumes and overrides are"
            };
            verdict.notes.push(format!("{n} {noun} {what}"));
        }
    }
    Ok(())
}

fn consents_of(dir: &Path) -> Result<Consents, GatewayError> {
    let (_, log_id) = genesis(dir)?;
    let mut fold = Fold { engine: Engine::new(), log_id, out: Consents::default(), ended: false };
    read_log(dir, &mut |index, bytes| {
        if let Ok(entry) = Entry::decode(bytes) {
            fold.take(index, &entry);
        }
        Ok(())
    })?;
    Ok(fold.out)
}

struct Fold {
    engine: Engine,
    log_id: [u8; 8],
    out: Consents,
    /// An entry did not fit: what follows cannot be judged.
    ended: bool,
}

impl Fold {
    fn take(&mut self, index: u64, entry: &Entry) {
        if self.ended {
            return;
        }
        if let Body::Order(order, _) = &entry.body {
            let replayed = entry.header.flags & entry_flag::REPLAYED != 0;
            let expires_ns = self.engine.changes().next_expiry_ns();
            if !replayed && order.ts >= expires_ns {
                let got =
                    format!("decided at {} under limits that ended at {expires_ns}", order.ts);
                self.wrong(index, "limits without what has ended", got);
            }
            return;
        }
        if !matches!(
            entry.body,
            Body::Config(_)
                | Body::LimitPropose(_)
                | Body::LimitApprove(_)
                | Body::LimitActivate(_)
                | Body::LimitExpire(_)
                | Body::Register(_)
                | Body::Kill(_)
                | Body::Resume(_)
                | Body::Override(_)
        ) {
            return;
        }
        self.check(index, &entry.body);
        if matches!(entry.body, Body::Override(_)) {
            // Which orders were blocked is not known here; the digest names the order's entry.
            return;
        }
        if let Err(error) = self.engine.step(index, entry) {
            self.wrong(index, "an entry that follows from those before", error);
            self.ended = true;
        }
    }

    fn check(&mut self, index: u64, body: &Body) {
        let file = self.engine.limits();
        let checked = match body {
            Body::LimitPropose(propose) => {
                let consent = cwts_audit::consent::LimitsConsent {
                    log_id: self.log_id,
                    version: propose.version,
                    sha256: propose.sha256,
                    effective_ns: propose.effective_ns,
                    expires_ns: propose.expires_ns,
                    reason: &propose.reason,
                };
                let yes = Yes { name: propose.maker.clone(), signature: propose.signature };
                check_yes(file, &yes, None, &consent.digest())
            }
            Body::LimitApprove(approve) => {
                let Some(proposal) = self.engine.changes().pending.get(&approve.id) else { return };
                let digest = proposal_digest(self.log_id, proposal);
                let yes = Yes { name: approve.checker.clone(), signature: approve.signature };
                check_yes(file, &yes, Some(Right::Raise), &digest)
            }
            Body::LimitActivate(active) if self.engine.limits_version() > 0 => {
                self.count(!file.operators.is_empty());
                let mut pending = self.engine.changes().pending.values();
                let Some(proposal) = pending.find(|p| p.first_part == active.first_part) else {
                    return;
                };
                if proposal.checker.is_some() {
                    return;
                }
                // One person's change: it must be what that person said it is.
                let old = String::from_utf8_lossy(self.engine.limits_text()).into_owned();
                let new = String::from_utf8_lossy(&proposal.text).into_owned();
                if let Some(row) =
                    diff(&old, &new).rows.iter().find(|row| !row.direction.is_tightening())
                {
                    let got = format!("`{}` raised by {} alone", row.key, proposal.maker);
                    self.wrong(index, "a second person for what is not stricter", got);
                }
                return;
            }
            Body::Resume(resume) => {
                let Ok(digest) =
                    resume_digest(&self.engine, self.log_id, resume.hold, &resume.reason)
                else {
                    return;
                };
                let listed = !file.operators.is_empty();
                let mut checked = Ok(());
                for (i, name) in [&resume.actor, &resume.approver].into_iter().enumerate() {
                    let signature = resume.signatures.map(|s| s[i]);
                    let yes = Yes { name: name.clone(), signature };
                    checked =
                        checked.and_then(|()| check_yes(file, &yes, Some(Right::Resume), &digest));
                }
                self.count(listed);
                checked
            }
            Body::Override(said) => {
                let digest = crate::oversight::override_digest(self.log_id, said);
                let listed = !file.operators.is_empty();
                let one = said.actor == said.approver;
                let mut checked = if one {
                    Err(GatewayError::Permission(format!("`{}` alone", said.actor)))
                } else {
                    Ok(())
                };
                for (i, name) in [&said.actor, &said.approver].into_iter().enumerate() {
                    let signature = said.signatures.map(|s| s[i]);
                    let yes = Yes { name: name.clone(), signature };
                    checked = checked
                        .and_then(|()| check_yes(file, &yes, Some(Right::Override), &digest));
                }
                self.count(listed);
                checked
            }
            _ => return,
        };
        if let Err(error) = checked {
            self.wrong(index, "the signature of an operator who may", error);
        }
    }

    fn count(&mut self, authenticated: bool) {
        if authenticated {
            self.out.authenticated += 1;
        } else {
            self.out.unauthenticated += 1;
        }
    }

    fn wrong(&mut self, index: u64, expected: &str, got: impl ToString) {
        if self.out.findings.len() < FINDINGS_MAX {
            let finding = Finding::new(FindingKind::ConsentBad, "wal").index(index);
            let by = "the operators of the limits in force before the entry";
            self.out.findings.push(finding.says(expected, got).by(by));
        }
    }
}

/// Findings that are told.
const FINDINGS_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use cwts_audit::SigningKey;
    use cwts_audit::consent::{LimitsConsent, ResumeConsent};
    use cwts_types::{
        Config, ConfigKind, Header, Kill, KillState, LimitActivate, LimitApprove, LimitDirection,
        LimitPropose, Resume, Scope, Signature,
    };
    use sha2::{Digest as _, Sha256};

    const LOG_ID: [u8; 8] = [9; 8];

    fn key(name: &str) -> SigningKey {
        SigningKey::from_seed(name, &[name.len() as u8; 32]).unwrap()
    }

    fn limits(qty: u32) -> String {
        let mut text = format!("schema = 1\n[account.A]\nmax_order_qty = {qty}\n");
        for name in ["bo", "anna"] {
            let key = key(name).verify_key().to_string();
            text += &format!(
                "[operator.{name}]\nkey = \"{key}\"\nmay = [\"raise\", \"resume\", \"override\"]\n"
            );
        }
        text
    }

    /// The entries of one story; `spoil` changes what is said before it is told.
    struct Story {
        fold: Fold,
        index: u64,
    }

    impl Story {
        fn new() -> Self {
            let mut engine = Engine::new();
            engine.activate(1, limits(100).as_bytes()).unwrap();
            let out = Consents::default();
            Self { fold: Fold { engine, log_id: LOG_ID, out, ended: false }, index: 20 }
        }

        fn tell(&mut self, body: Body) {
            self.index += 1;
            self.fold.take(self.index, &Entry { header: Header::default(), body });
        }

        /// A change to `qty` by anna, with this direction and the approval of bo.
        fn change(&mut self, qty: u32, direction: LimitDirection, made: Made) {
            let text = limits(qty);
            let sha256 = Sha256::digest(text.as_bytes()).into();
            let text = text.into_bytes();
            self.tell(Body::Config(Config { kind: ConfigKind::Limits, part: 0, parts: 1, text }));
            let first_part = self.index;
            let consent = LimitsConsent {
                log_id: made.log_id,
                version: 2,
                sha256,
                effective_ns: 0,
                expires_ns: 0,
                reason: "why",
            };
            self.tell(Body::LimitPropose(LimitPropose {
                id: 1,
                version: 2,
                parts: 1,
                direction,
                first_part,
                effective_ns: 0,
                expires_ns: 0,
                sha256,
                maker: "anna".to_owned(),
                reason: "why".to_owned(),
                signature: Some(key(made.maker).sign_digest(&consent.digest())),
            }));
            if direction == LimitDirection::Raise {
                let signature = Some(key(made.checker).sign_digest(&consent.digest()));
                let checker = "bo".to_owned();
                self.tell(Body::LimitApprove(LimitApprove { id: 1, sha256, checker, signature }));
            }
            let active = LimitActivate { version: 2, parts: 1, first_part, sha256 };
            self.tell(Body::LimitActivate(active));
        }

        fn findings(&self) -> Vec<&str> {
            self.fold.out.findings.iter().map(|f| f.got.as_str()).collect()
        }
    }

    /// Whose keys really signed, and for which log.
    #[derive(Clone, Copy)]
    struct Made {
        log_id: [u8; 8],
        maker: &'static str,
        checker: &'static str,
    }

    const GOOD: Made = Made { log_id: LOG_ID, maker: "anna", checker: "bo" };

    #[test]
    fn a_raise_needs_both_signatures_and_a_tightening_is_one() {
        for (qty, direction) in [(200, LimitDirection::Raise), (50, LimitDirection::Tighten)] {
            let mut story = Story::new();
            story.change(qty, direction, GOOD);
            assert_eq!(story.findings(), Vec::<&str>::new());
            assert_eq!((story.fold.out.authenticated, story.fold.out.unauthenticated), (1, 0));
            assert_eq!(story.fold.engine.limits_version(), 2);
        }
        for (made, who) in [
            (Made { maker: "bo", ..GOOD }, "`anna`"),
            (Made { checker: "anna", ..GOOD }, "`bo`"),
            (Made { checker: "mallory", ..GOOD }, "`bo`"),
        ] {
            let mut story = Story::new();
            story.change(200, LimitDirection::Raise, made);
            let found = story.findings();
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].contains(who) && found[0].contains("does not verify"), "{found:?}");
        }
        // What was said of another log says nothing of this one.
        let mut story = Story::new();
        story.change(200, LimitDirection::Raise, Made { log_id: [8; 8], ..GOOD });
        assert_eq!(story.findings().len(), 2);
    }

    #[test]
    fn a_raise_that_calls_itself_a_tightening_is_found() {
        let mut story = Story::new();
        story.change(200, LimitDirection::Tighten, GOOD);
        assert_eq!(story.findings(), ["`account.A.max_order_qty` raised by anna alone"]);
    }

    #[test]
    fn a_resume_needs_both_signatures_over_its_hold() {
        for (hold_said, signers, good) in [
            (1, ["anna", "bo"], true),
            (2, ["anna", "bo"], false),
            (1, ["anna", "anna"], false),
            (1, ["bo", "anna"], false),
        ] {
            let mut story = Story::new();
            story.tell(Body::Kill(Kill {
                hold: 1,
                epoch: 1,
                state: KillState::Halted,
                scope: Scope::FIRM,
                rank: 2,
                allow_reduce: false,
                actor: "gateway".to_owned(),
                reason: "trip".to_owned(),
            }));
            let kill_seq = story.index;
            let said = ResumeConsent { log_id: LOG_ID, hold: hold_said, kill_seq, reason: "seen" };
            let signed: [Signature; 2] = signers.map(|name| key(name).sign_digest(&said.digest()));
            story.tell(Body::Resume(Resume {
                hold: 1,
                epoch: 2,
                actor: "anna".to_owned(),
                approver: "bo".to_owned(),
                reason: "seen".to_owned(),
                signatures: Some(signed),
            }));
            assert_eq!(story.findings().is_empty(), good, "{signers:?}: {:?}", story.findings());
        }
        // Without signatures it does not even fold.
        let mut story = Story::new();
        story.tell(Body::Resume(Resume {
            hold: 1,
            epoch: 2,
            actor: "anna".to_owned(),
            approver: "bo".to_owned(),
            reason: "seen".to_owned(),
            signatures: None,
        }));
        assert!(!story.findings().is_empty());
    }

    #[test]
    fn an_override_needs_both_signatures_over_its_order_and_controls() {
        use cwts_audit::consent::OverrideConsent;
        for (order_said, controls_said, signers, good) in [
            (7, 1 << 10, ["anna", "bo"], true),
            (8, 1 << 10, ["anna", "bo"], false),
            (7, 1 << 4, ["anna", "bo"], false),
            (7, 1 << 10, ["anna", "anna"], false),
            (7, 1 << 10, ["bo", "anna"], false),
            (7, 1 << 10, ["mallory", "bo"], false),
        ] {
            let mut story = Story::new();
            let said = OverrideConsent {
                log_id: LOG_ID,
                order_id: 1,
                order_seq: order_said,
                controls: controls_said,
                expires_ns: 9,
                reason: "seen",
            };
            let signed: [Signature; 2] = signers.map(|name| key(name).sign_digest(&said.digest()));
            let mut told = cwts_types::Override {
                order_id: 1,
                order_seq: 7,
                controls: cwts_types::Reasons(1 << 10),
                expires_ns: 9,
                actor: "anna".to_owned(),
                approver: "bo".to_owned(),
                reason: "seen".to_owned(),
                signatures: Some(signed),
            };
            story.tell(Body::Override(told.clone()));
            assert_eq!(story.findings().is_empty(), good, "{signers:?}: {:?}", story.findings());
            assert_eq!(story.fold.out.authenticated, 1);
            told.signatures = None;
            story.tell(Body::Override(told));
            assert!(story.findings().last().unwrap().contains("did not sign"));
        }
    }

    /// A gateway that asked nobody would be found out by its log: the bytes are right, and what
    /// they say is not.
    #[test]
    fn a_log_with_a_resume_that_nobody_signed_does_not_verify() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("log");
        let mut gateway = crate::Gateway::open(&crate::GatewayOptions {
            limits: Some(("limits.toml".to_owned(), limits(100).into_bytes())),
            dir: Some(dir.clone()),
            keys: Some(crate::KeyStore::new(temp.path().join("keys"))),
            origin: None,
            anchor: None,
            release: cwts_types::ReleaseMode::Async,
        })
        .unwrap();
        let options = crate::HaltOptions {
            reason: "look".to_owned(),
            actor: "eve".to_owned(),
            reduce_only: false,
            allow_reduce: false,
        };
        gateway.halt("firm", &options).unwrap();
        let checked = || {
            let storage = cwts_audit::FsStorage::open(&dir).unwrap();
            let keys = cwts_audit::VerifyKeys::default();
            let mut verdict = cwts_audit::verify(&storage, &keys, cwts_audit::Level::Full).unwrap();
            check_consents(&dir, &mut verdict).unwrap();
            verdict
        };
        let now = gateway.clock.now();
        let resume = Resume {
            hold: 1,
            epoch: gateway.engine.kill_epoch() + 1,
            actor: "anna".to_owned(),
            approver: "bo".to_owned(),
            reason: "seen".to_owned(),
            signatures: None,
        };
        gateway.append(Body::Resume(resume), now, 0).unwrap();
        gateway.sync().unwrap();
        let verdict = checked();
        let found: Vec<_> = verdict.findings.iter().map(|f| f.kind).collect();
        assert!(found.contains(&FindingKind::ConsentBad) && !verdict.is_ok(), "{found:?}");
    }
}
