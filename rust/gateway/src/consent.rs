//! Who said yes, checked again: the signatures of limit changes, resumes, overrides, legal holds
//! and shreds in a log.
//!
//! `cwts log verify` asks this after the bytes are known to be right. Each signature is checked
//! against the operators of the limits in force before its entry. Orders are not folded: nothing
//! that they change decides who may say yes.

use std::path::Path;

use cwts_audit::cases::Cases;
use cwts_audit::holds::Yes;
use cwts_audit::{Finding, FindingKind, Verdict};
use cwts_risk::Engine;
use cwts_risk::limits::Right;
use cwts_risk::limits::diff::diff;
use cwts_types::{Body, Entry, entry_flag};

use crate::GatewayError;
use crate::change::{check_yes, proposal_digest, resume_digest};
use crate::keeping::Said;
use crate::reader::{genesis, read_log};
use crate::shredding::check_shred_years;

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
    let asked = [
        "LIMIT_PROPOSE",
        "LIMIT_APPROVE",
        "LIMIT_EXPIRE",
        "RESUME",
        "OVERRIDE",
        "HOLD",
        "HOLD_RELEASE",
        "SHRED",
    ];
    if asked.into_iter().all(|name| count(name) == 0) && count("LIMIT_ACTIVATE") < 2 {
        return Ok(());
    }
    // Damaged entries do not fold: what is wrong with them is told already.
    if !verdict.is_ok() {
        verdict.not_checked.push("who said yes to changes: entries are damaged".to_owned());
        return Ok(());
    }
    if count("SHRED") > 0 {
        check_shred_years(dir, verdict)?;
    }
    let consents = consents_of(dir)?;
    verdict.findings.extend(consents.findings);
    for (n, what) in [
        (consents.authenticated, "signed by operators' keys"),
        (consents.unauthenticated, "unauthenticated: no operators were listed"),
    ] {
        if n > 0 {
            let noun = if n == 1 {
                "change, resume, override or hold is"
            } else {
                "changes, resumes, overrides and holds are"
            };
            verdict.notes.push(format!("{n} {noun} {what}"));
        }
    }
    Ok(())
}

fn consents_of(dir: &Path) -> Result<Consents, GatewayError> {
    let (_, log_id) = genesis(dir)?;
    let mut fold = Fold::new(Engine::new(), log_id);
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
    cases: Cases,
    log_id: [u8; 8],
    out: Consents,
    /// An entry did not fit: what follows cannot be judged.
    ended: bool,
}

impl Fold {
    fn new(engine: Engine, log_id: [u8; 8]) -> Self {
        let (cases, out) = (Cases::default(), Consents::default());
        Self { engine, cases, log_id, out, ended: false }
    }

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
        if let Some(said) = Said::of(&entry.body) {
            let file = self.engine.limits();
            let (checked, listed) =
                (said.check_signed(&self.cases, file, self.log_id), !file.operators.is_empty());
            self.count(listed);
            if let Err(error) = checked {
                self.wrong(index, "the signatures of two operators who may", error);
            }
        }
        // One that does not follow is told by the check of the entries themselves.
        let _ = self.cases.apply(index, entry.header.utc_ns, &entry.body);
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
mod tests;
