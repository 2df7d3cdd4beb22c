//! What two people say, as an entry has it, as a request has it, and as they sign it.

use cwts_audit::cases::{CaseError, Cases};
use cwts_audit::consent::{HoldConsent, ReleaseConsent, ShredConsent};
use cwts_audit::holds::{ChangeAction, ChangeRequest, Yes};
use cwts_risk::limits::{LimitsFile, Right};
use cwts_types::{Body, Hold, HoldRelease, RegisterKind, Shred, Signature};

use super::{HoldRequest, Known};
use crate::GatewayError;
use crate::change::check_yes;
use crate::control::clipped;

/// What two people say of a case, or of a subject's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It is opened.
    Hold(Hold),
    /// It is closed.
    Release(HoldRelease),
    /// The key is destroyed.
    Shred(Shred),
}

impl Said {
    pub(super) fn open(
        folded: &Known<'_>,
        request: &HoldRequest<'_>,
    ) -> Result<Self, GatewayError> {
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

    pub(super) fn close(case: &str, actor: &str, reason: &str) -> Self {
        let [case, actor, reason] = [case, actor, reason].map(clipped);
        let (approver, signatures) = (String::new(), None);
        Self::Release(HoldRelease { case, actor, approver, reason, signatures })
    }

    pub(crate) fn shred((kind, subject): (u8, u32), actor: &str, reason: &str) -> Self {
        let [actor, reason] = [actor, reason].map(clipped);
        let (approver, signatures) = (String::new(), None);
        Self::Shred(Shred { kind, subject, actor, approver, reason, signatures })
    }

    /// The case, if it is about one.
    pub fn case(&self) -> Option<&str> {
        match self {
            Self::Hold(Hold { case, .. }) | Self::Release(HoldRelease { case, .. }) => Some(case),
            Self::Shred(_) => None,
        }
    }

    /// Why.
    pub fn reason(&self) -> &str {
        match self {
            Self::Hold(Hold { reason, .. })
            | Self::Release(HoldRelease { reason, .. })
            | Self::Shred(Shred { reason, .. }) => reason,
        }
    }

    /// What both must have the right to.
    pub(super) fn right(&self) -> Right {
        if matches!(self, Self::Shred(_)) { Right::Shred } else { Right::Hold }
    }

    /// Who asked and who agreed.
    pub fn people(&self) -> [&str; 2] {
        match self {
            Self::Hold(Hold { actor, approver, .. })
            | Self::Release(HoldRelease { actor, approver, .. })
            | Self::Shred(Shred { actor, approver, .. }) => [actor, approver],
        }
    }

    fn signatures(&self) -> Option<[Signature; 2]> {
        match self {
            Self::Hold(Hold { signatures, .. })
            | Self::Release(HoldRelease { signatures, .. })
            | Self::Shred(Shred { signatures, .. }) => *signatures,
        }
    }

    pub(super) fn agree(&mut self, name: &str) {
        match self {
            Self::Hold(Hold { approver, .. })
            | Self::Release(HoldRelease { approver, .. })
            | Self::Shred(Shred { approver, .. }) => *approver = clipped(name),
        }
    }

    pub(super) fn seal(&mut self, actor: &Yes, by: &Yes) {
        let both = actor.signature.zip(by.signature).map(|(a, b)| [a, b]);
        match self {
            Self::Hold(Hold { signatures, .. })
            | Self::Release(HoldRelease { signatures, .. })
            | Self::Shred(Shred { signatures, .. }) => *signatures = both,
        }
    }

    /// Whether it may be done now, by these two; gives the digest to sign.
    pub(super) fn check(&self, cases: &Cases, log_id: [u8; 8]) -> Result<[u8; 32], GatewayError> {
        let refuse = |error: CaseError| match error {
            CaseError::Kept { .. } => GatewayError::Retention(error.to_string()),
            _ => GatewayError::Permission(error.to_string()),
        };
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
            Self::Shred(shred) => {
                cases.check_shred(shred).map_err(refuse)?;
                Ok(ShredConsent { log_id, shred }.digest())
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
            check_yes(file, &yes, Some(self.right()), &digest)?;
        }
        Ok(())
    }

    pub(super) fn into_body(self) -> Body {
        match self {
            Self::Hold(hold) => Body::Hold(hold),
            Self::Release(release) => Body::HoldRelease(release),
            Self::Shred(shred) => Body::Shred(shred),
        }
    }

    /// What an entry says of a case or a key, if it does.
    pub(crate) fn of(body: &Body) -> Option<Self> {
        match body {
            Body::Hold(hold) => Some(Self::Hold(hold.clone())),
            Body::HoldRelease(release) => Some(Self::Release(release.clone())),
            Body::Shred(shred) => Some(Self::Shred(shred.clone())),
            _ => None,
        }
    }

    pub(super) fn action(&self, actor: Yes, approver: Option<Yes>) -> ChangeAction {
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
            Self::Shred(shred) => {
                ChangeAction::Shred { subject: (shred.kind, shred.subject), actor, approver }
            }
        }
    }

    /// What a request says of a case or a key, and who says so.
    pub(super) fn in_request(request: &ChangeRequest) -> Option<(Self, Yes, Option<Yes>)> {
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
            ChangeAction::Shred { subject, actor, approver } => {
                (Self::shred(*subject, &actor.name, &request.reason), actor, approver)
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
