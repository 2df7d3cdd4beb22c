//! Changing limits while the gateway runs: proposed, approved, and taken back at their end.
//!
//! Source: design note "risk", section 5, "Change". A change is checked whole on a copy of the
//! engine before anything of it is logged; then all its entries follow one another under one lock,
//! so that no order is decided between them and each decision names one version.

use cwts_audit::consent::{LimitsConsent, ResumeConsent, signed_by};
use cwts_audit::holds::{ChangeAction, ChangeRequest, Yes};
use cwts_risk::limits::diff::{Diff, diff};
use cwts_risk::limits::{LimitsFile, Right};
use cwts_risk::{Engine, Proposal};
use cwts_types::{
    Body, Config, ConfigKind, Entry, Header, LimitActivate, LimitApprove, LimitDirection,
    LimitExpire, LimitPropose, Note, Signature,
};
use sha2::{Digest as _, Sha256};

use crate::GatewayError;
use crate::clock::Now;
use crate::control::clipped;
use crate::gateway::Gateway;
use crate::keys::{KeyStore, random_32};
use crate::limits_text::parse_live;
use crate::switch::read_changes;

/// A change of limits that somebody asks for.
#[derive(Debug, Clone)]
pub struct LimitsRequest<'a> {
    /// Where the text came from, for errors.
    pub path: &'a str,
    /// The new limits file, whole.
    pub text: &'a [u8],
    /// Who asks.
    pub maker: &'a str,
    /// Why.
    pub reason: &'a str,
    /// UTC nanoseconds at which what it raises goes back; 0 = never.
    pub expires_ns: u64,
}

/// A request that was checked against the limits in force.
pub(crate) struct Prepared {
    pub(crate) version: u32,
    pub(crate) diff: Diff,
    pub(crate) digest: [u8; 32],
    pub(crate) sha256: [u8; 32],
}

/// Checks a change against the limits in force; nothing happens yet.
///
/// # Errors
/// Everything that is wrong with the text, by line and key; or what keeps it from coming into
/// force.
pub(crate) fn prepare(
    engine: &Engine,
    log_id: [u8; 8],
    request: &LimitsRequest<'_>,
    utc_ns: u64,
) -> Result<Prepared, GatewayError> {
    let LimitsRequest { path, text, maker, reason, expires_ns } = *request;
    let file = parse_live(path, text)?;
    crate::names::check_parents(engine, path, &file)?;
    let refuse = |what: &str| {
        Err(GatewayError::LimitChange { path: path.to_owned(), what: what.to_owned() })
    };
    if text == engine.limits_text() {
        return refuse("is what is in force; there is nothing to change");
    }
    if engine.limits_version() == 0 {
        return refuse("no limits are in force yet; the first file comes with the gateway's start");
    }
    if maker.trim().is_empty() || reason.trim().is_empty() {
        let why = "changing limits takes a name and a reason".to_owned();
        return Err(GatewayError::Permission(why));
    }
    if expires_ns != 0 && expires_ns <= utc_ns {
        return refuse("it would end before it begins: `expires` is not later than now");
    }
    let new = String::from_utf8_lossy(text);
    let old = String::from_utf8_lossy(engine.limits_text());
    let diff = diff(&old, &new);
    let raises = !diff.is_tightening();
    if let Err(what) = engine.check_temporary(&new, raises, expires_ns) {
        return refuse(&what);
    }
    let sha256 = Sha256::digest(text).into();
    let version = engine.limits_version() + 1;
    let consent = LimitsConsent { log_id, version, sha256, effective_ns: 0, expires_ns, reason };
    Ok(Prepared { version, digest: consent.digest(), diff, sha256 })
}

/// The digest that whoever agrees to a proposal signs, too.
pub(crate) fn proposal_digest(log_id: [u8; 8], proposal: &Proposal) -> [u8; 32] {
    let Proposal { version, sha256, effective_ns, expires_ns, .. } = *proposal;
    let reason = &proposal.reason;
    LimitsConsent { log_id, version, sha256, effective_ns, expires_ns, reason }.digest()
}

/// The digest that both who lift a hold sign.
pub(crate) fn resume_digest(
    engine: &Engine,
    log_id: [u8; 8],
    hold: u64,
    reason: &str,
) -> Result<[u8; 32], GatewayError> {
    let Some(held) = engine.holds().find(|h| h.id == hold) else {
        return Err(crate::control::not_in_force(hold, engine.holds().map(|h| h.id)));
    };
    Ok(ResumeConsent { log_id, hold, kill_seq: held.seq, reason }.digest())
}

/// Whether a yes counts under these limits: with operators listed, it is one of them, who may,
/// and who signed the digest; with none, there is no signature to check.
///
/// # Errors
/// Why it does not count.
pub(crate) fn check_yes(
    file: &LimitsFile,
    yes: &Yes,
    right: Option<Right>,
    digest: &[u8; 32],
) -> Result<(), GatewayError> {
    let refuse = |why: String| Err(GatewayError::Permission(why));
    let name = &yes.name;
    if file.operators.is_empty() {
        return match yes.signature {
            None => Ok(()),
            Some(_) => refuse(format!("`{name}` signed, and no operators are listed")),
        };
    }
    let Some(operator) = file.operators.get(name) else {
        return refuse(format!("`{name}` is no [operator] of the limits in force"));
    };
    if let Some(right) = right.filter(|right| !operator.has(*right)) {
        return refuse(format!("`{name}` may not {}", right.name()));
    }
    match &yes.signature {
        None => refuse(format!("`{name}` did not sign")),
        Some(signature) if signed_by(&operator.key, digest, signature) => Ok(()),
        Some(_) => refuse(format!("the signature of `{name}` does not verify")),
    }
}

/// Signs with an operator's key, if the limits list operators.
pub(crate) fn sign(
    file: &LimitsFile,
    keys: Option<&KeyStore>,
    name: &str,
    digest: &[u8; 32],
) -> Result<Yes, GatewayError> {
    let mut signature: Option<Signature> = None;
    if file.operators.contains_key(name) {
        let store = match keys {
            Some(keys) => keys.clone(),
            None => KeyStore::from_environment()?,
        };
        signature = Some(store.operator(name)?.sign_digest(digest));
    }
    Ok(Yes { name: name.to_owned(), signature })
}

impl Gateway {
    /// Proposes new limits, signed by the maker's key from the key store if operators are listed.
    /// A pure tightening is in force when this returns; anything else waits for a second person.
    /// Gives the proposal's number.
    ///
    /// # Errors
    /// A bad file, whole, with line numbers; nobody's or the wrong signature; the log has failed.
    /// Nothing has changed then.
    pub fn propose_limits(&mut self, request: &LimitsRequest<'_>) -> Result<u64, GatewayError> {
        let (maker, reason) = (clipped(request.maker), clipped(request.reason));
        let request = LimitsRequest { maker: &maker, reason: &reason, ..request.clone() };
        self.attend()?;
        let prepared = prepare(&self.engine, self.log_id, &request, self.clock.now().utc_ns)?;
        let yes = sign(self.engine.limits(), self.keys.as_ref(), &maker, &prepared.digest)?;
        self.take_proposal(&request, &yes)
    }

    fn take_proposal(
        &mut self,
        request: &LimitsRequest<'_>,
        maker: &Yes,
    ) -> Result<u64, GatewayError> {
        let now = self.clock.now();
        let prepared = prepare(&self.engine, self.log_id, request, now.utc_ns)?;
        let raises = !prepared.diff.is_tightening();
        let right = raises.then_some(Right::Raise);
        check_yes(self.engine.limits(), maker, right, &prepared.digest)?;
        self.flush_gaps(now);
        let first_part = self.next_index();
        let mut bodies = chunks(ConfigKind::Limits, request.text);
        let parts = bodies.len() as u16;
        let id = self.engine.changes().last_id + 1;
        bodies.push(Body::LimitPropose(LimitPropose {
            id,
            version: prepared.version,
            parts,
            direction: if raises { LimitDirection::Raise } else { LimitDirection::Tighten },
            first_part,
            effective_ns: 0,
            expires_ns: request.expires_ns,
            sha256: prepared.sha256,
            maker: maker.name.clone(),
            reason: request.reason.to_owned(),
            signature: maker.signature,
        }));
        if !raises {
            bodies.push(Body::LimitActivate(LimitActivate {
                version: prepared.version,
                parts,
                first_part,
                sha256: prepared.sha256,
            }));
        }
        self.change(bodies, now)?;
        Ok(id)
    }

    /// Agrees to a proposal, signed by the checker's key if operators are listed: it is in force
    /// when this returns.
    ///
    /// # Errors
    /// It does not wait, the maker's own yes, the wrong signature, or the log has failed.
    pub fn approve_limits(&mut self, id: u64, checker: &str) -> Result<(), GatewayError> {
        self.attend()?;
        let proposal = waiting(&self.engine, id)?;
        let digest = proposal_digest(self.log_id, proposal);
        let sha256 = proposal.sha256;
        let checker = clipped(checker);
        let yes = sign(self.engine.limits(), self.keys.as_ref(), &checker, &digest)?;
        self.take_approval(id, sha256, &yes)
    }

    fn take_approval(
        &mut self,
        id: u64,
        sha256: [u8; 32],
        checker: &Yes,
    ) -> Result<(), GatewayError> {
        let proposal = check_approval(&self.engine, self.log_id, id, sha256, checker)?;
        let now = self.clock.now();
        if proposal.expires_ns != 0 && proposal.expires_ns <= now.utc_ns {
            let why = format!("proposal {id}: what it raises would have ended already");
            return Err(GatewayError::Permission(why));
        }
        let approve = LimitApprove {
            id,
            sha256,
            checker: checker.name.clone(),
            signature: checker.signature,
        };
        let activate = LimitActivate {
            version: proposal.version,
            parts: proposal.parts,
            first_part: proposal.first_part,
            sha256,
        };
        self.flush_gaps(now);
        self.change(vec![Body::LimitApprove(approve), Body::LimitActivate(activate)], now)
    }

    /// Tries entries on a copy of the engine; if all fit, logs them and goes on with the copy.
    fn change(&mut self, bodies: Vec<Body>, now: Now) -> Result<(), GatewayError> {
        let mut engine = self.engine.clone();
        let utc_ns = i64::try_from(now.utc_ns).unwrap_or(i64::MAX);
        for (i, body) in bodies.iter().enumerate() {
            let index = self.next_index() + i as u64;
            let header = Header { utc_ns, ..Header::default() };
            let entry = Entry { header, body: body.clone() };
            engine
                .step(index, &entry)
                .map_err(|source| GatewayError::Permission(source.to_string()))?;
        }
        let version = engine.limits_version();
        let moved = version != self.engine.limits_version();
        for body in bodies {
            self.append(body, now, 0)?;
        }
        self.engine = engine;
        if moved {
            self.expires_ns = self.engine.changes().next_expiry_ns();
            let file = self.engine.limits().clone();
            self.register_names(&file)?;
        }
        self.sync()
    }

    /// Takes back what temporary raises raised, if their time has come; asked before every order.
    #[cold]
    pub(crate) fn expire_limits(&mut self, now: Now) -> Result<(), GatewayError> {
        while self.engine.changes().next_expiry_ns() <= now.utc_ns {
            let due = self.engine.changes().temporary.iter().min_by_key(|t| t.expires_ns);
            let Some(id) = due.map(|t| t.id) else { break };
            if let Err(error) = self.expire_one(id, now) {
                // What cannot be taken back must not go on being used.
                self.expires_ns = u64::MAX;
                let why =
                    format!("the raise of limits proposal {id} cannot be taken back: {error}");
                let seen = self.switch.epoch();
                self.hold_firm(&why, seen)?;
                return self.take_requests();
            }
        }
        Ok(())
    }

    fn expire_one(&mut self, id: u64, now: Now) -> Result<(), GatewayError> {
        self.flush_gaps(now);
        let index = self.next_index();
        let step = |source| GatewayError::Step { index, source };
        let text = self.engine.expired_text(id).map_err(step)?;
        let first_part = index;
        let mut bodies = chunks(ConfigKind::Limits, text.as_bytes());
        bodies.push(Body::LimitExpire(LimitExpire {
            id,
            version: self.engine.limits_version() + 1,
            parts: bodies.len() as u16,
            first_part,
            sha256: Sha256::digest(text.as_bytes()).into(),
        }));
        self.change(bodies, now)
    }

    /// Takes in what other processes ask for with signatures. What is refused changes nothing and
    /// is told in a NOTE.
    pub(crate) fn take_changes(&mut self) -> Result<(), GatewayError> {
        let Some(dir) = self.dir.clone() else { return Ok(()) };
        for (path, request) in read_changes(&dir) {
            let done = match &request {
                Some(request) => self.take_change(request),
                None => Err(GatewayError::Permission("it cannot be read".to_owned())),
            };
            match done {
                Ok(()) => {}
                Err(error @ (GatewayError::LogFailed { .. } | GatewayError::Log { .. })) => {
                    return Err(error);
                }
                Err(error) => self.refuse_change(&path, &error)?,
            }
            // Durable, or told: what cannot be removed is refused the next time.
            let _ = std::fs::remove_file(&path);
        }
        Ok(())
    }

    fn take_change(&mut self, request: &ChangeRequest) -> Result<(), GatewayError> {
        let reason = clipped(&request.reason);
        match &request.action {
            ChangeAction::Propose { version, expires_ns, maker, path, text } => {
                let next = self.engine.limits_version() + 1;
                if *version != next {
                    let why = format!(
                        "it was to become version {version}, and {next} comes next: look at what \
                         is in force now and propose again"
                    );
                    return Err(GatewayError::Permission(why));
                }
                let maker = Yes { name: clipped(&maker.name), ..maker.clone() };
                let request = LimitsRequest {
                    path,
                    text,
                    maker: &maker.name,
                    reason: &reason,
                    expires_ns: *expires_ns,
                };
                self.take_proposal(&request, &maker).map(|_| ())
            }
            ChangeAction::Approve { id, sha256, checker } => {
                let checker = Yes { name: clipped(&checker.name), ..checker.clone() };
                self.take_approval(*id, *sha256, &checker)
            }
            ChangeAction::Hold { .. }
            | ChangeAction::Release { .. }
            | ChangeAction::Shred { .. } => self.take_case(request),
            ChangeAction::Override { .. } => {
                let Some((said, _, Some(_))) = crate::oversight::said_in(request) else {
                    return Err(GatewayError::Permission("nobody agreed yet".to_owned()));
                };
                self.take_override(&said)
            }
            ChangeAction::Resume { hold, actor, approver } => {
                let Some(approver) = approver else {
                    return Err(GatewayError::Permission("nobody agreed yet".to_owned()));
                };
                let signatures = actor.signature.zip(approver.signature).map(|(a, b)| [a, b]);
                self.resume_signed(*hold, &actor.name, &approver.name, &reason, signatures)
            }
        }
    }

    fn refuse_change(
        &mut self,
        path: &std::path::Path,
        why: &GatewayError,
    ) -> Result<(), GatewayError> {
        let name = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into());
        let text = clipped(&format!("{REFUSED}{name}: {why}"));
        let mut salt = [0; 16];
        salt.copy_from_slice(&random_32()?[..16]);
        let now = self.clock.now();
        self.append(Body::Note(Note { salt, text }), now, 0)?;
        self.sync()
    }

    /// The signatures of two operators for a resume, by their keys in the key store.
    pub(crate) fn sign_resume(
        &self,
        hold: u64,
        actor: &str,
        approver: &str,
        reason: &str,
    ) -> Result<Option<[Signature; 2]>, GatewayError> {
        let file = self.engine.limits();
        if file.operators.is_empty() {
            return Ok(None);
        }
        let digest = resume_digest(&self.engine, self.log_id, hold, reason)?;
        let keys = self.keys.as_ref();
        let (a, b) = (sign(file, keys, actor, &digest)?, sign(file, keys, approver, &digest)?);
        Ok(a.signature.zip(b.signature).map(|(a, b)| [a, b]))
    }

    /// Whether both who lift a hold may, and signed.
    pub(crate) fn check_resume_keys(
        &self,
        hold: u64,
        [actor, approver]: [&str; 2],
        reason: &str,
        signatures: Option<[Signature; 2]>,
    ) -> Result<(), GatewayError> {
        let digest = resume_digest(&self.engine, self.log_id, hold, reason)?;
        for (i, name) in [actor, approver].into_iter().enumerate() {
            let yes = Yes { name: name.to_owned(), signature: signatures.map(|s| s[i]) };
            check_yes(self.engine.limits(), &yes, Some(Right::Resume), &digest)?;
        }
        Ok(())
    }
}

/// A text as CONFIG entries.
pub(crate) fn chunks(kind: ConfigKind, text: &[u8]) -> Vec<Body> {
    let parts = text.len().div_ceil(CHUNK_BYTES).max(1) as u16;
    let chunk = |part: u16| {
        let from = usize::from(part) * CHUNK_BYTES;
        let to = (from + CHUNK_BYTES).min(text.len());
        Body::Config(Config { kind, part, parts, text: text[from..to].to_vec() })
    };
    (0..parts).map(chunk).collect()
}

/// The proposal with this number.
pub(crate) fn waiting(engine: &Engine, id: u64) -> Result<&Proposal, GatewayError> {
    engine.changes().pending.get(&id).ok_or_else(|| {
        let known: Vec<String> = engine.changes().pending.keys().map(u64::to_string).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let last = engine.changes().last_id;
        let why = if (1..=last).contains(&id) {
            "was put in force, or another change came first"
        } else {
            "was never made"
        };
        GatewayError::Permission(format!("limits proposal {id} {why}; waiting: {known}"))
    })
}

/// Whether a yes to a proposal counts; gives the proposal.
pub(crate) fn check_approval<'e>(
    engine: &'e Engine,
    log_id: [u8; 8],
    id: u64,
    sha256: [u8; 32],
    checker: &Yes,
) -> Result<&'e Proposal, GatewayError> {
    let proposal = waiting(engine, id)?;
    let refuse = |why: String| Err(GatewayError::Permission(why));
    if checker.name.trim().is_empty() || proposal.maker == checker.name {
        return refuse(format!(
            "proposal {id}: a raise takes a second person; `{}` proposed it",
            proposal.maker
        ));
    }
    if proposal.sha256 != sha256 {
        return refuse(format!("proposal {id}: the approval is of another text"));
    }
    let digest = proposal_digest(log_id, proposal);
    check_yes(engine.limits(), checker, Some(Right::Raise), &digest)?;
    Ok(proposal)
}

/// How a NOTE on a refused request starts.
pub(crate) const REFUSED: &str = "refused request ";
/// Text of one CONFIG entry.
const CHUNK_BYTES: usize = 60_000;
