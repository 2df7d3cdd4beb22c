//! Legal holds: cases opened and closed by two people, in this process or from another.
//!
//! Source: design note "audit", section 10. The path is that of a resume: both sign with their
//! operators' keys where the limits list operators, and what another process asks for is checked
//! against the log first and again by the gateway that takes it in.

use std::path::Path;

use cwts_audit::cases::Cases;
use cwts_audit::consent::{HoldConsent, ReleaseConsent};
use cwts_audit::holds::{ChangeAction, ChangeRequest, Yes};
use cwts_risk::limits::{LimitsFile, Right};
use cwts_types::{Body, Hold, HoldRelease, RegisterKind, Signature};
use serde_json::{Value, json};

use crate::GatewayError;
use crate::change::{check_yes, sign};
use crate::control::clipped;
use crate::gateway::Gateway;
use crate::keys::KeyStore;
use crate::request::Requested;
use crate::request_change::{fold, halves, leave_signed, read};

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

/// What two people say of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It is opened.
    Hold(Hold),
    /// It is closed.
    Release(HoldRelease),
}

impl Said {
    fn open(folded: &Known<'_>, request: &HoldRequest<'_>) -> Result<Self, GatewayError> {
        let handle = |kind, what: &str, name: &str| match name {
            "" => Ok(0),
            name => folded.registry.handle(kind, name).ok_or_else(|| {
                let why = format!("case {}: the log knows no {what} `{name}`", request.case);
                GatewayError::Permission(why)
            }),
        };
        let [from_ns, to_ns] = request.between_ns;
        if from_ns >= to_ns {
            let why = format!("case {}: it ends before it begins", request.case);
            return Err(GatewayError::Permission(why));
        }
        Ok(Self::Hold(Hold {
            case: clipped(request.case),
            account: handle(RegisterKind::Account, "account", request.account)?,
            instrument: handle(RegisterKind::Instrument, "instrument", request.instrument)?,
            person: handle(RegisterKind::Actor, "person", request.person)?,
            from_ns,
            to_ns,
            actor: clipped(request.actor),
            approver: String::new(),
            reason: clipped(request.reason),
            signatures: None,
        }))
    }

    fn close(case: &str, actor: &str, reason: &str) -> Self {
        let [case, actor, reason] = [case, actor, reason].map(clipped);
        let (approver, signatures) = (String::new(), None);
        Self::Release(HoldRelease { case, actor, approver, reason, signatures })
    }

    /// The case.
    pub fn case(&self) -> &str {
        match self {
            Self::Hold(Hold { case, .. }) | Self::Release(HoldRelease { case, .. }) => case,
        }
    }

    /// Who asked and who agreed.
    pub fn people(&self) -> [&str; 2] {
        match self {
            Self::Hold(Hold { actor, approver, .. })
            | Self::Release(HoldRelease { actor, approver, .. }) => [actor, approver],
        }
    }

    fn signatures(&self) -> Option<[Signature; 2]> {
        match self {
            Self::Hold(Hold { signatures, .. }) | Self::Release(HoldRelease { signatures, .. }) => {
                *signatures
            }
        }
    }

    fn agree(&mut self, name: &str) {
        match self {
            Self::Hold(Hold { approver, .. }) | Self::Release(HoldRelease { approver, .. }) => {
                *approver = clipped(name);
            }
        }
    }

    fn seal(&mut self, actor: &Yes, by: &Yes) {
        let both = actor.signature.zip(by.signature).map(|(a, b)| [a, b]);
        match self {
            Self::Hold(Hold { signatures, .. }) | Self::Release(HoldRelease { signatures, .. }) => {
                *signatures = both;
            }
        }
    }

    /// Whether the case may be opened or closed now, by these two; gives the digest to sign.
    fn check(&self, cases: &Cases, log_id: [u8; 8]) -> Result<[u8; 32], GatewayError> {
        let refuse =
            |error: cwts_audit::cases::CaseError| GatewayError::Permission(error.to_string());
        match self {
            Self::Hold(hold) => {
                cases.check_hold(hold).map_err(refuse)?;
                Ok(HoldConsent { log_id, hold }.digest())
            }
            Self::Release(release) => {
                let hold_seq = cases.check_release(release).map_err(refuse)?.seq;
                let reason = &release.reason;
                Ok(ReleaseConsent { log_id, hold_seq, reason }.digest())
            }
        }
    }

    /// Whether it may be, and both signed who must.
    pub(crate) fn check_signed(
        &self,
        cases: &Cases,
        file: &LimitsFile,
        log_id: [u8; 8],
    ) -> Result<(), GatewayError> {
        let digest = self.check(cases, log_id)?;
        for (i, name) in self.people().into_iter().enumerate() {
            let yes = Yes { name: name.to_owned(), signature: self.signatures().map(|s| s[i]) };
            check_yes(file, &yes, Some(Right::Hold), &digest)?;
        }
        Ok(())
    }

    fn into_body(self) -> Body {
        match self {
            Self::Hold(hold) => Body::Hold(hold),
            Self::Release(release) => Body::HoldRelease(release),
        }
    }

    /// What an entry says of a case, if it does.
    pub(crate) fn of(body: &Body) -> Option<Self> {
        match body {
            Body::Hold(hold) => Some(Self::Hold(hold.clone())),
            Body::HoldRelease(release) => Some(Self::Release(release.clone())),
            _ => None,
        }
    }

    fn action(&self, actor: Yes, approver: Option<Yes>) -> ChangeAction {
        match self {
            Self::Hold(hold) => ChangeAction::Hold {
                case: hold.case.clone(),
                named: [hold.account, hold.instrument, hold.person],
                between_ns: [hold.from_ns, hold.to_ns],
                actor,
                approver,
            },
            Self::Release(release) => {
                ChangeAction::Release { case: release.case.clone(), actor, approver }
            }
        }
    }

    /// What a request says of a case, and who says so.
    fn in_request(request: &ChangeRequest) -> Option<(Self, Yes, Option<Yes>)> {
        let (mut said, actor, approver) = match &request.action {
            ChangeAction::Hold { case, named, between_ns, actor, approver } => {
                let [account, instrument, person] = *named;
                let [from_ns, to_ns] = *between_ns;
                let hold = Hold {
                    case: clipped(case),
                    account,
                    instrument,
                    person,
                    from_ns,
                    to_ns,
                    actor: clipped(&actor.name),
                    approver: String::new(),
                    reason: clipped(&request.reason),
                    signatures: None,
                };
                (Self::Hold(hold), actor, approver)
            }
            ChangeAction::Release { case, actor, approver } => {
                (Self::close(case, &actor.name, &request.reason), actor, approver)
            }
            _ => return None,
        };
        if let Some(yes) = approver {
            said.agree(&yes.name);
            said.seal(actor, yes);
        }
        Some((said, actor.clone(), approver.clone()))
    }
}

/// What is asked of a log before a case is opened or closed in it.
struct Known<'a> {
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

    fn sign_and_take(&mut self, mut said: Said, approver: &str) -> Result<Said, GatewayError> {
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
        self.sync()
    }

    /// Takes in what another process says of a case.
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

fn request_case(
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
        check_yes(file, &yes, Some(Right::Hold), &digest)?;
        Ok::<Yes, GatewayError>(yes)
    };
    let first = signed(&actor)?;
    let second = approver.map(|_| signed(said.people()[1])).transpose()?;
    if let Some(second) = &second {
        said.seal(&first, second);
    }
    let half = second.is_none();
    let requested = leave_signed(dir, said.action(first, second), reason_of(&said), half)?;
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
    let (folded, log_id) = fold(dir)?;
    let file = folded.engine.limits();
    let half = halves(dir).into_iter().rev().find_map(|path| {
        let request = ChangeRequest::parse(&read(&path)?).ok()?;
        let (said, actor, _) = Said::in_request(&request)?;
        let is_it = said.case() == case && matches!(said, Said::Release(_)) == release;
        is_it.then_some((path, said, actor))
    });
    let Some((path, mut said, actor)) = half else {
        let what = if release { "closed" } else { "opened" };
        let why = format!("case {case}: nobody asked yet for it to be {what}; `--as` asks");
        return Err(GatewayError::Permission(why));
    };
    said.agree(approver);
    let digest = said.check(&folded.cases, log_id)?;
    check_yes(file, &actor, Some(Right::Hold), &digest)?;
    let yes = sign(file, keys, said.people()[1], &digest)?;
    check_yes(file, &yes, Some(Right::Hold), &digest)?;
    said.seal(&actor, &yes);
    let requested = leave_signed(dir, said.action(actor, Some(yes)), reason_of(&said), false)?;
    // Left behind, it could only be completed again.
    let _ = std::fs::remove_file(path);
    Ok(CaseAsked { requested, said, signed: !file.operators.is_empty() })
}

fn reason_of(said: &Said) -> String {
    match said {
        Said::Hold(Hold { reason, .. }) | Said::Release(HoldRelease { reason, .. }) => {
            reason.clone()
        }
    }
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
