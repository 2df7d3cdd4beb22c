//! Changing limits, and lifting holds with keys, from another process: everything is checked
//! against the log first, then a signed request waits for the gateway.

use std::path::{Path, PathBuf};

use cwts_audit::holds::{
    CHANGE_BYTES_MAX, CHANGE_SUFFIX, ChangeAction, ChangeRequest, HALF_SUFFIX, REQUESTS_DIRECTORY,
    Yes,
};
use cwts_risk::limits::Right;

use crate::change::{
    LimitsRequest, check_approval, check_yes, prepare, proposal_digest, resume_digest, sign,
    waiting,
};
use crate::clock::system_utc_ns;
use crate::control::clipped;
use crate::follow::fold_log;
use crate::keys::KeyStore;
use crate::reader::{identity, is_running};
use crate::request::{Requested, leave_text, refuse_replay};
use crate::{Folded, GatewayError};

/// What a proposal from another process was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposed {
    /// Where the request waits.
    pub requested: Requested,
    /// SHA-256 of its text, by which the log names it.
    pub sha256: [u8; 32],
    /// Whether it needs a second person.
    pub raises: bool,
    /// Whether the maker signed it.
    pub authenticated: bool,
}

/// Asks the gateway that owns this log for new limits.
///
/// # Errors
/// Everything that is wrong with the file; who may not; a key that is missing. Nothing is left
/// behind then.
pub fn request_propose(
    dir: &Path,
    request: &LimitsRequest<'_>,
    keys: Option<&KeyStore>,
) -> Result<Proposed, GatewayError> {
    let (folded, log_id) = fold(dir)?;
    let engine = &folded.engine;
    let (maker, reason) = (clipped(request.maker), clipped(request.reason));
    let request = LimitsRequest { maker: &maker, reason: &reason, ..request.clone() };
    let prepared = prepare(engine, log_id, &request, system_utc_ns())?;
    let raises = !prepared.diff.is_tightening();
    let yes = sign(engine.limits(), keys, &maker, &prepared.digest)?;
    check_yes(engine.limits(), &yes, raises.then_some(Right::Raise), &prepared.digest)?;
    let authenticated = yes.signature.is_some();
    let action = ChangeAction::Propose {
        version: prepared.version,
        expires_ns: request.expires_ns,
        maker: yes,
        path: request.path.to_owned(),
        text: request.text.to_vec(),
    };
    let requested = leave(dir, action, reason.clone())?;
    Ok(Proposed { requested, sha256: prepared.sha256, raises, authenticated })
}

/// Agrees to a proposal of the gateway that owns this log.
///
/// # Errors
/// It does not wait; who may not; a key that is missing.
pub fn request_approve(
    dir: &Path,
    id: u64,
    checker: &str,
    keys: Option<&KeyStore>,
) -> Result<Requested, GatewayError> {
    let (folded, log_id) = fold(dir)?;
    let engine = &folded.engine;
    let proposal = waiting(engine, id)?;
    let digest = proposal_digest(log_id, proposal);
    let yes = sign(engine.limits(), keys, &clipped(checker), &digest)?;
    let sha256 = check_approval(engine, log_id, id, proposal.sha256, &yes)?.sha256;
    let reason = proposal.reason.clone();
    leave(dir, ChangeAction::Approve { id, sha256, checker: yes }, reason)
}

/// Whether the limits in force of this log list operators: then resuming takes their keys.
///
/// # Errors
/// There is no log, or it does not fold.
pub fn lists_operators(dir: &Path) -> Result<bool, GatewayError> {
    Ok(!fold(dir)?.0.engine.limits().operators.is_empty())
}

/// Asks for a hold to be lifted, signed by one operator or by two. With one, the request waits
/// until [`request_resume_approval`] completes it.
///
/// # Errors
/// One person, no such hold, who may not, or a key that is missing.
pub fn request_resume_signed(
    dir: &Path,
    hold: u64,
    actor: &str,
    approver: Option<&str>,
    reason: &str,
    keys: Option<&KeyStore>,
) -> Result<Requested, GatewayError> {
    let (folded, log_id) = fold(dir)?;
    let file = folded.engine.limits();
    let (actor, reason) = (clipped(actor), clipped(reason));
    // A second person who is not there yet is somebody else.
    let second = approver.map_or_else(|| format!("not {actor}"), clipped);
    crate::control::check_resume(hold, &actor, &second, &reason)?;
    let digest = resume_digest(&folded.engine, log_id, hold, &reason)?;
    let signed = |name: &str| {
        let yes = sign(file, keys, name, &digest)?;
        check_yes(file, &yes, Some(Right::Resume), &digest)?;
        Ok::<Yes, GatewayError>(yes)
    };
    let actor = signed(&actor)?;
    let approver = approver.map(|_| signed(&second)).transpose()?;
    leave(dir, ChangeAction::Resume { hold, actor, approver }, reason)
}

/// Completes a resume that waits for a second key.
///
/// # Errors
/// None waits for this hold; the same person; who may not; or a key that is missing.
pub fn request_resume_approval(
    dir: &Path,
    hold: u64,
    approver: &str,
    keys: Option<&KeyStore>,
) -> Result<Requested, GatewayError> {
    let (folded, log_id) = fold(dir)?;
    let file = folded.engine.limits();
    let half = halves(dir).into_iter().rev().find_map(|path| {
        let request = ChangeRequest::parse(&read(&path)?).ok()?;
        match request.action {
            ChangeAction::Resume { hold: found, actor, .. } if found == hold => {
                Some((path, actor, request.reason))
            }
            _ => None,
        }
    });
    let Some((path, actor, reason)) = half else {
        let why =
            format!("hold {hold}: nobody asked yet for it to be lifted; `--as` and `--reason` ask");
        return Err(GatewayError::Permission(why));
    };
    let approver = clipped(approver);
    crate::control::check_resume(hold, &actor.name, &approver, &reason)?;
    let digest = resume_digest(&folded.engine, log_id, hold, &reason)?;
    check_yes(file, &actor, Some(Right::Resume), &digest)?;
    let yes = sign(file, keys, &approver, &digest)?;
    check_yes(file, &yes, Some(Right::Resume), &digest)?;
    let action = ChangeAction::Resume { hold, actor, approver: Some(yes) };
    let requested = leave(dir, action, reason)?;
    // Left behind, it could only be completed again, and then names no hold in force.
    let _ = std::fs::remove_file(path);
    Ok(requested)
}

pub(crate) fn fold(dir: &Path) -> Result<(Folded, [u8; 8]), GatewayError> {
    refuse_replay(dir)?;
    let (_, log_id) = identity(dir)?;
    Ok((fold_log(dir, |_, _, _| Ok(()))?, log_id))
}

fn leave(dir: &Path, action: ChangeAction, reason: String) -> Result<Requested, GatewayError> {
    let half = matches!(action, ChangeAction::Resume { approver: None, .. });
    leave_signed(dir, action, reason, half)
}

/// Leaves a request for the gateway, or one that waits for a second signature.
pub(crate) fn leave_signed(
    dir: &Path,
    action: ChangeAction,
    reason: String,
    half: bool,
) -> Result<Requested, GatewayError> {
    let request = ChangeRequest { action, reason, utc_ns: system_utc_ns() };
    let running = is_running(dir);
    let suffix = if half { HALF_SUFFIX } else { CHANGE_SUFFIX };
    let path = leave_text(dir, request.utc_ns, suffix, &request.encode())?;
    Ok(Requested { running, path })
}

/// Requests that wait for a second signature, by name.
pub(crate) fn halves(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir.join(REQUESTS_DIRECTORY)) else { return Vec::new() };
    let is_half = |p: &PathBuf| p.to_string_lossy().ends_with(HALF_SUFFIX);
    let mut paths: Vec<PathBuf> =
        entries.filter_map(|e| Some(e.ok()?.path())).filter(is_half).take(HALVES_MAX).collect();
    paths.sort();
    paths
}

pub(crate) fn read(path: &Path) -> Option<Vec<u8>> {
    let size = std::fs::metadata(path).ok()?.len();
    if size > CHANGE_BYTES_MAX as u64 {
        return None;
    }
    std::fs::read(path).ok()
}

/// Half-signed requests that are looked at.
const HALVES_MAX: usize = 4_096;
