//! Legal holds: cases opened and closed by two people, in this process or from another.
//!
//! Source: design note "audit", section 10. The path is that of a resume: both sign with their
//! operators' keys where the limits list operators, and what another process asks for is checked
//! against the log first and again by the gateway that takes it in.

use std::path::Path;

use cwts_audit::cases::Cases;
use cwts_audit::holds::{ChangeRequest, Yes};
use cwts_types::RegisterKind;
use serde_json::{Value, json};

use crate::GatewayError;
use crate::change::{check_yes, sign};
use crate::control::clipped;
use crate::gateway::Gateway;
use crate::keys::KeyStore;
use crate::request::Requested;
use crate::request_change::{fold, halves, leave_signed, read};

mod said;

pub use said::Said;

/// A case that somebody opens; an empty name is any.
#[derive(Debug, Clone)]
pub struct HoldRequest<'a> {
    /// Its name.
    pub case: &'a str,
    /// Name of an account.
    pub account: &'a str,
    /// Name of an instrument.
    pub instrument: &'a str,
    /// Name of a person or algorithm.
    pub person: &'a str,
    /// UTC nanoseconds: from which on, and before which.
    pub between_ns: [i64; 2],
    /// Who asks.
    pub actor: &'a str,
    /// Why.
    pub reason: &'a str,
}

/// What is asked of a log before a case is opened or closed in it.
pub(crate) struct Known<'a> {
    registry: &'a cwts_risk::Registry,
}

impl Gateway {
    /// The open cases.
    pub fn cases(&self) -> &Cases {
        &self.cases
    }

    /// Opens a case: what it holds may not be deleted. Signed by the keys of both if operators are
    /// listed. It is durable when this returns.
    ///
    /// # Errors
    /// The name was used, one person, who may not, no key, or the log has failed.
    pub fn hold_case(
        &mut self,
        request: &HoldRequest<'_>,
        approver: &str,
    ) -> Result<Said, GatewayError> {
        self.attend()?;
        let said = Said::open(&Known { registry: self.engine.registry() }, request)?;
        self.sign_and_take(said, approver)
    }

    /// Closes a case, likewise.
    ///
    /// # Errors
    /// It is not open; else as [`Gateway::hold_case`].
    pub fn release_case(
        &mut self,
        case: &str,
        [actor, approver, reason]: [&str; 3],
    ) -> Result<Said, GatewayError> {
        self.attend()?;
        self.sign_and_take(Said::close(case, actor, reason), approver)
    }

    pub(crate) fn sign_and_take(
        &mut self,
        mut said: Said,
        approver: &str,
    ) -> Result<Said, GatewayError> {
        said.agree(approver);
        let digest = said.check(&self.cases, self.log_id)?;
        let (file, keys) = (self.engine.limits(), self.keys.as_ref());
        let [actor, approver] = said.people().map(|name| sign(file, keys, name, &digest));
        said.seal(&actor?, &approver?);
        self.take_said(&said)?;
        Ok(said)
    }

    fn take_said(&mut self, said: &Said) -> Result<(), GatewayError> {
        said.check_signed(&self.cases, self.engine.limits(), self.log_id)?;
        let now = self.clock.now();
        self.flush_gaps(now);
        let index = self.next_index();
        let body = said.clone().into_body();
        let utc_ns = i64::try_from(now.utc_ns).unwrap_or(i64::MAX);
        self.append(body.clone(), now, 0)?;
        self.cases.apply(index, utc_ns, &body).map_err(|error| self.fail(error.to_string()))?;
        self.sync()?;
        // Once the log says so for good, and never before: a crash in between is made good by the
        // next start.
        if let Said::Shred(shred) = said {
            self.destroy_key((shred.kind, shred.subject))
        } else {
            Ok(())
        }
    }

    /// Takes in what another process says of a case, or of a subject's key.
    pub(crate) fn take_case(&mut self, request: &ChangeRequest) -> Result<(), GatewayError> {
        let Some((said, _, Some(_))) = Said::in_request(request) else {
            return Err(GatewayError::Permission("nobody agreed yet".to_owned()));
        };
        self.take_said(&said)
    }
}

/// What was asked of a log in another process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseAsked {
    /// Where the request waits.
    pub requested: Requested,
    /// What it says.
    pub said: Said,
    /// Whether operators' keys are asked for.
    pub signed: bool,
}

/// Asks the owner of this log to open a case. Without an approver the request waits until
/// [`request_case_approval`] completes it.
///
/// # Errors
/// The name was used, one person, who may not, or a key that is missing. Nothing is left behind.
pub fn request_hold(
    dir: &Path,
    request: &HoldRequest<'_>,
    approver: Option<&str>,
    keys: Option<&KeyStore>,
) -> Result<CaseAsked, GatewayError> {
    request_case(dir, |known| Said::open(known, request), approver, keys)
}

/// Asks the owner of this log to close a case, likewise.
///
/// # Errors
/// It is not open; else as [`request_hold`].
pub fn request_release(
    dir: &Path,
    case: &str,
    [actor, reason]: [&str; 2],
    approver: Option<&str>,
    keys: Option<&KeyStore>,
) -> Result<CaseAsked, GatewayError> {
    request_case(dir, |_| Ok(Said::close(case, actor, reason)), approver, keys)
}

pub(crate) fn request_case(
    dir: &Path,
    said: impl FnOnce(&Known<'_>) -> Result<Said, GatewayError>,
    approver: Option<&str>,
    keys: Option<&KeyStore>,
) -> Result<CaseAsked, GatewayError> {
    let (folded, log_id) = fold(dir)?;
    let file = folded.engine.limits();
    let mut said = said(&Known { registry: folded.engine.registry() })?;
    let actor = said.people()[0].to_owned();
    // A second person who is not there yet is somebody else.
    said.agree(&approver.map_or_else(|| format!("not {actor}"), clipped));
    let digest = said.check(&folded.cases, log_id)?;
    let signed = |name: &str| {
        let yes = sign(file, keys, name, &digest)?;
        check_yes(file, &yes, Some(said.right()), &digest)?;
        Ok::<Yes, GatewayError>(yes)
    };
    let first = signed(&actor)?;
    let second = approver.map(|_| signed(said.people()[1])).transpose()?;
    if let Some(second) = &second {
        said.seal(&first, second);
    }
    let half = second.is_none();
    let requested = leave_signed(dir, said.action(first, second), said.reason().to_owned(), half)?;
    Ok(CaseAsked { requested, said, signed: !file.operators.is_empty() })
}

/// Completes the opening of a case, or its closing if `release`, that waits for a second person.
///
/// # Errors
/// None waits for this case; the same person; who may not; or a key that is missing.
pub fn request_case_approval(
    dir: &Path,
    case: &str,
    release: bool,
    approver: &str,
    keys: Option<&KeyStore>,
) -> Result<CaseAsked, GatewayError> {
    let is_it =
        |said: &Said| said.case() == Some(case) && matches!(said, Said::Release(_)) == release;
    let what = if release { "closed" } else { "opened" };
    let what = format!("case {case}: nobody asked yet for it to be {what}");
    request_second(dir, &is_it, &what, approver, keys)
}

/// Completes what waits for a second person; `missing` tells that nothing does.
pub(crate) fn request_second(
    dir: &Path,
    is_it: &dyn Fn(&Said) -> bool,
    missing: &str,
    approver: &str,
    keys: Option<&KeyStore>,
) -> Result<CaseAsked, GatewayError> {
    let (folded, log_id) = fold(dir)?;
    let file = folded.engine.limits();
    let half = halves(dir).into_iter().rev().find_map(|path| {
        let request = ChangeRequest::parse(&read(&path)?).ok()?;
        let (said, actor, _) = Said::in_request(&request)?;
        is_it(&said).then_some((path, said, actor))
    });
    let Some((path, mut said, actor)) = half else {
        return Err(GatewayError::Permission(format!("{missing}; `--as` asks")));
    };
    said.agree(approver);
    let digest = said.check(&folded.cases, log_id)?;
    check_yes(file, &actor, Some(said.right()), &digest)?;
    let yes = sign(file, keys, said.people()[1], &digest)?;
    check_yes(file, &yes, Some(said.right()), &digest)?;
    said.seal(&actor, &yes);
    let requested =
        leave_signed(dir, said.action(actor, Some(yes)), said.reason().to_owned(), false)?;
    // Left behind, it could only be completed again.
    let _ = std::fs::remove_file(path);
    Ok(CaseAsked { requested, said, signed: !file.operators.is_empty() })
}

/// The open cases as people and programs read them.
pub fn case_rows(cases: &Cases, registry: &cwts_risk::Registry) -> Value {
    let name = |kind, handle| (handle != 0).then(|| registry.name(kind, handle)).flatten();
    let rows = cases.open().map(|case| {
        let hold = &case.hold;
        json!({
            "case": hold.case,
            "seq": case.seq,
            "utc_ns": case.utc_ns,
            "account": name(RegisterKind::Account, hold.account),
            "instrument": name(RegisterKind::Instrument, hold.instrument),
            "person": name(RegisterKind::Actor, hold.person),
            "from_ns": hold.from_ns,
            "to_ns": hold.to_ns,
            "actor": hold.actor,
            "approver": hold.approver,
            "reason": hold.reason,
            "authenticated": hold.signatures.is_some(),
        })
    });
    rows.collect()
}

/// The open cases of a log that any process may own.
///
/// # Errors
/// There is no log, or it does not fold.
pub fn open_cases(dir: &Path) -> Result<Value, GatewayError> {
    let folded = crate::fold_log(dir, |_, _, _| Ok(()))?;
    Ok(case_rows(&folded.cases, folded.engine.registry()))
}

#[cfg(test)]
mod tests;
