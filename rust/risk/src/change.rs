//! How limits change: proposed, approved, put in force, and taken back when they were temporary.
//!
//! Source: design note "risk", section 5, "Change". The fold knows who said yes to what; that the
//! signatures are theirs is checked by whoever appends an entry, and again by `cwts log verify`.
//!
//! Invariants: versions grow by one. A proposal is for the version that follows the one that its
//! maker saw, so any other change in between ends it. Where operators are listed, nothing comes
//! into force without a proposal. A temporary raise never becomes permanent by one person's hand:
//! what ends is set to the value that stood before, or to a stricter one that was set since.

use std::collections::BTreeMap;

use cwts_types::{Entry, LimitActivate, LimitApprove, LimitDirection, LimitExpire, LimitPropose};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::engine::{Engine, StepError};
use crate::limits::diff::{Direction, diff, unit_direction};
use crate::limits::schema::Stricter;
use crate::limits::units::{Place, Units, units, with_units};
use crate::limits::{LimitsFile, Right, parse, utf8};

/// A change that was proposed, and has not come into force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Its number.
    pub id: u64,
    /// The version that it becomes.
    pub version: u32,
    /// Whether it needs a second person.
    pub raises: bool,
    /// Log index of its text's first chunk.
    pub first_part: u64,
    /// Chunks of its text.
    pub parts: u16,
    /// UTC nanoseconds from which on it may come into force; 0 = at once.
    pub effective_ns: u64,
    /// UTC nanoseconds at which what it raises goes back; 0 = never.
    pub expires_ns: u64,
    /// SHA-256 of its text.
    pub sha256: [u8; 32],
    /// Who proposed it.
    pub maker: String,
    /// Who agreed, if anybody did.
    pub checker: Option<String>,
    /// Why.
    pub reason: String,
    /// Whether those who said yes signed it.
    pub authenticated: bool,
    /// Log index of its entry.
    pub seq: u64,
    /// The text.
    pub text: Vec<u8>,
}

/// One unit that a temporary raise owns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The names of its sections.
    pub path: Vec<String>,
    /// The key.
    pub key: String,
    /// The value that it goes back to, as TOML; `None` where nothing was written.
    pub value: Option<String>,
}

impl Standing {
    fn place(&self) -> Place {
        Place { path: self.path.clone(), key: self.key.clone() }
    }
}

/// A temporary raise in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Temporary {
    /// The proposal that it came from.
    pub id: u64,
    /// When it ends, in UTC nanoseconds.
    pub expires_ns: u64,
    /// What it raised, with the values to go back to.
    pub standing: Vec<Standing>,
}

/// Everything about changes that the log tells.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Changes {
    /// Number of the newest proposal; 0 = none yet.
    pub last_id: u64,
    /// Proposals for the version that follows, by number.
    pub pending: BTreeMap<u64, Proposal>,
    /// Temporary raises in force, in the order in which they came.
    pub temporary: Vec<Temporary>,
    /// The proposal that the version in force came from, its text left out.
    pub in_force: Option<Proposal>,
}

impl Changes {
    /// When the first temporary raise ends; the largest number if none is in force.
    pub fn next_expiry_ns(&self) -> u64 {
        self.temporary.iter().map(|t| t.expires_ns).min().unwrap_or(u64::MAX)
    }
}

impl Engine {
    /// What is proposed, temporary, and in force by whose word.
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Folds an entry of a change.
    pub(crate) fn change(&mut self, index: u64, entry: &Entry) -> Result<(), StepError> {
        use cwts_types::Body;
        match &entry.body {
            Body::LimitPropose(propose) => self.propose(index, propose),
            Body::LimitApprove(approve) => self.approve(approve),
            Body::LimitActivate(active) if self.is_proposed(active) => {
                let now = u64::try_from(entry.header.utc_ns).unwrap_or(0);
                self.activate_proposal(active.version, &active.sha256, active.first_part, now)
            }
            Body::LimitActivate(active) => {
                let version = active.version;
                if self.version > 0 && !self.file.operators.is_empty() {
                    return Err(wrong(0, "operators are listed, and nobody proposed it"));
                }
                let text = self.take_chunks(active.parts, version)?;
                let old = self.limits_str();
                self.activate(version, &text)?;
                self.settle(&old, true, None);
                self.changes.in_force = None;
                Ok(())
            }
            Body::LimitExpire(expire) => {
                let now = u64::try_from(entry.header.utc_ns).unwrap_or(0);
                self.expire(expire, now)
            }
            _ => Ok(()),
        }
    }

    fn is_proposed(&self, active: &LimitActivate) -> bool {
        let mut pending = self.changes.pending.values();
        pending.any(|p| p.first_part == active.first_part && p.sha256 == active.sha256)
    }

    /// Folds what other limits made of the same entries: who may change these is not asked.
    pub fn ignore_operators(&mut self) {
        self.file.operators.clear();
    }

    fn limits_str(&self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }

    fn take_chunks(&mut self, parts: u16, version: u32) -> Result<Vec<u8>, StepError> {
        let chunks = std::mem::take(&mut self.pending_text);
        if chunks.len() != usize::from(parts) {
            return Err(StepError::Version { version, current: self.version });
        }
        Ok(chunks.into_values().flatten().collect())
    }

    fn propose(&mut self, index: u64, propose: &LimitPropose) -> Result<(), StepError> {
        let id = propose.id;
        let text = self.take_chunks(propose.parts, propose.version)?;
        if id != self.changes.last_id.saturating_add(1) {
            return Err(wrong(id, "the number does not follow the last proposal's"));
        }
        if propose.version != self.version.saturating_add(1) {
            return Err(wrong(id, "it is not for the version that follows the one in force"));
        }
        if self.changes.pending.len() >= PENDING_MAX {
            return Err(wrong(id, "too many proposals wait; approve one, or change anything"));
        }
        if <[u8; 32]>::from(Sha256::digest(&text)) != propose.sha256 {
            return Err(wrong(id, "the digest is not that of the text"));
        }
        let signed = propose.signature.is_some();
        self.may_sign(id, &propose.maker, signed, propose.direction == LimitDirection::Raise)?;
        let limits = |errors| StepError::Limits { version: propose.version, errors };
        parse(utf8(&text).map_err(limits)?).map_err(limits)?;
        let raises = propose.direction == LimitDirection::Raise;
        let text_str = String::from_utf8_lossy(&text).into_owned();
        self.check_temporary(&text_str, raises, propose.expires_ns)
            .map_err(|why| StepError::Change { id, why })?;
        let proposal = Proposal {
            id,
            version: propose.version,
            raises,
            first_part: propose.first_part,
            parts: propose.parts,
            effective_ns: propose.effective_ns,
            expires_ns: propose.expires_ns,
            sha256: propose.sha256,
            maker: propose.maker.clone(),
            checker: None,
            reason: propose.reason.clone(),
            authenticated: signed,
            seq: index,
            text,
        };
        self.changes.last_id = id;
        self.changes.pending.insert(id, proposal);
        Ok(())
    }

    fn approve(&mut self, approve: &LimitApprove) -> Result<(), StepError> {
        let id = approve.id;
        let signed = approve.signature.is_some();
        self.may_sign(id, &approve.checker, signed, true)?;
        let Some(proposal) = self.changes.pending.get_mut(&id) else {
            return Err(wrong(id, "it does not wait for anybody"));
        };
        if proposal.sha256 != approve.sha256 {
            return Err(wrong(id, "another text was agreed to"));
        }
        if proposal.maker == approve.checker {
            return Err(wrong(id, "it takes a second person"));
        }
        if proposal.checker.is_some() {
            return Err(wrong(id, "it is approved already"));
        }
        proposal.checker = Some(approve.checker.clone());
        proposal.authenticated &= signed;
        Ok(())
    }

    /// Whether this person may say yes: a listed operator who signed, if operators are listed.
    fn may_sign(&self, id: u64, who: &str, signed: bool, raises: bool) -> Result<(), StepError> {
        check_signer(&self.file, who, signed, raises.then_some(Right::Raise))
            .map_err(|why| StepError::Change { id, why })
    }

    fn activate_proposal(
        &mut self,
        version: u32,
        sha256: &[u8; 32],
        first_part: u64,
        now: u64,
    ) -> Result<(), StepError> {
        let found = self.changes.pending.values().find(|p| p.first_part == first_part);
        let Some(proposal) = found.filter(|p| p.sha256 == *sha256).cloned() else {
            return Err(StepError::Version { version, current: self.version });
        };
        let id = proposal.id;
        if proposal.raises && proposal.checker.is_none() {
            return Err(wrong(id, "it raises, and nobody but its maker agreed"));
        }
        if now < proposal.effective_ns {
            return Err(wrong(id, "its time has not come"));
        }
        if proposal.version != version {
            return Err(StepError::Version { version, current: self.version });
        }
        let old = self.limits_str();
        // Chunks of a proposal that a crash cut off are nobody's.
        self.pending_text.clear();
        self.activate(version, &proposal.text)?;
        let temporary = (proposal.expires_ns != 0).then_some((id, proposal.expires_ns));
        self.settle(&old, proposal.checker.is_some(), temporary);
        self.changes.in_force = Some(Proposal { text: Vec::new(), ..proposal });
        Ok(())
    }

    /// After a change: who owns which unit. Other proposals were for this version, and are void.
    fn settle(&mut self, old: &str, two_people: bool, temporary: Option<(u64, u64)>) {
        self.changes.pending.clear();
        if self.changes.temporary.is_empty() && temporary.is_none() {
            return;
        }
        let new = self.limits_str();
        settle(&mut self.changes.temporary, old, &new, two_people, temporary);
    }

    fn expire(&mut self, expire: &LimitExpire, now: u64) -> Result<(), StepError> {
        let id = expire.id;
        let text = self.take_chunks(expire.parts, expire.version)?;
        let Some(due) = self.changes.temporary.iter().find(|t| t.id == id) else {
            return Err(wrong(id, "no raise of it is in force"));
        };
        if now < due.expires_ns {
            return Err(wrong(id, "it has not ended yet"));
        }
        if <[u8; 32]>::from(Sha256::digest(&text)) != expire.sha256 {
            return Err(wrong(id, "the digest is not that of the text"));
        }
        let (wanted, rest) = self.expired(id)?;
        let given = String::from_utf8_lossy(&text);
        // What is written beside the values is the writer's; the values are not.
        if units(&wanted) != units(&given) {
            return Err(wrong(id, "the text is not the one without what it raised"));
        }
        self.activate(expire.version, &text)?;
        self.changes.temporary = rest;
        self.changes.pending.clear();
        self.changes.in_force = None;
        Ok(())
    }

    /// The limits without what a temporary raise raised.
    ///
    /// # Errors
    /// No raise of this proposal is in force.
    pub fn expired_text(&self, id: u64) -> Result<String, StepError> {
        self.expired(id).map(|(text, _)| text)
    }

    fn expired(&self, id: u64) -> Result<(String, Vec<Temporary>), StepError> {
        let mut rest = self.changes.temporary.clone();
        let Some(at) = rest.iter().position(|t| t.id == id) else {
            return Err(wrong(id, "no raise of it is in force"));
        };
        let ended = rest.remove(at);
        let mut back = BTreeMap::new();
        for unit in ended.standing {
            // A later raise of the same unit stands on this one: it goes back to what this one
            // would have gone back to.
            let later = rest[at..].iter_mut().flat_map(|t| &mut t.standing);
            match later.into_iter().find(|u| u.path == unit.path && u.key == unit.key) {
                Some(later) => later.value = unit.value,
                None => {
                    back.insert(unit.place(), unit.value);
                }
            }
        }
        let text = with_units(&self.limits_str(), &back)
            .map_err(|error| StepError::Change { id, why: error.to_string() })?;
        Ok((text, rest))
    }

    /// Whether a text may come into force beside the temporary raises that are, and, with
    /// `expires_ns`, as one of them.
    ///
    /// # Errors
    /// What does not fit, and what to do.
    pub fn check_temporary(&self, text: &str, raises: bool, expires_ns: u64) -> Result<(), String> {
        let old = self.limits_str();
        if expires_ns != 0 {
            if !raises {
                return Err("it raises nothing, so nothing could expire".to_owned());
            }
            for row in diff(&old, text).rows {
                let bound =
                    row.place.row().is_some_and(|key| !matches!(key.stricter, Stricter::Never));
                if row.direction != Direction::Tighten && !bound {
                    return Err(format!(
                        "{}: only limits can be raised for a time; names, facts and operators \
                         change for good",
                        row.key
                    ));
                }
            }
        }
        // What is left when all of them have ended must be a file, or they could not end.
        let mut temporary = self.changes.temporary.clone();
        let added = (expires_ns != 0).then_some((0, expires_ns));
        settle(&mut temporary, &old, text, raises, added);
        let mut back = BTreeMap::new();
        for unit in temporary.iter().rev().flat_map(|t| &t.standing) {
            back.insert(unit.place(), unit.value.clone());
        }
        let ended = with_units(text, &back).map_err(|error| error.to_string())?;
        let when = "when the temporary raises have ended, the file would be wrong";
        parse(&ended).map(|_| ()).map_err(|errors| format!("{when}: {errors}"))
    }
}

/// Takes a change from `old` to `new` into the temporary raises in force.
fn settle(
    temporary: &mut Vec<Temporary>,
    old: &str,
    new: &str,
    two_people: bool,
    added: Option<(u64, u64)>,
) {
    let changed = diff(old, new);
    let (old, new) = (units(old), units(new));
    let mut standing = Vec::new();
    for row in &changed.rows {
        let place = &row.place;
        let seen = |u: &Standing| u.path == place.path && u.key == place.key;
        if standing.iter().any(seen) {
            continue;
        }
        let unit = changed.rows.iter().filter(|r| r.place == *place).map(|r| r.direction).max();
        let tightens = unit.is_none_or(Direction::is_tightening);
        if added.is_some() && !tightens {
            let value = old.get(place).map(ToString::to_string);
            standing.push(Standing { path: place.path.clone(), key: place.key.clone(), value });
            continue;
        }
        for raise in temporary.iter_mut() {
            if two_people {
                // Two people set it for good.
                raise.standing.retain(|u| !seen(u));
            } else if let Some(unit) = raise.standing.iter_mut().find(|u| seen(u)) {
                // One person may make it stricter, also than what it goes back to.
                if is_stricter(place, unit.value.as_deref(), &new) {
                    unit.value = new.get(place).map(ToString::to_string);
                }
            }
        }
    }
    temporary.retain(|raise| !raise.standing.is_empty());
    if let Some((id, expires_ns)) = added {
        temporary.push(Temporary { id, expires_ns, standing });
    }
}

/// Whether the value of a unit in `new` is stricter than this one, all else as in `new`.
fn is_stricter(place: &Place, value: Option<&str>, new: &Units) -> bool {
    let mut old = new.clone();
    match value {
        // A value out of a file that was read reads again.
        Some(value) => match units(&format!("fx = {{ x = {value} }}")).into_values().next() {
            Some(datum) => {
                old.insert(place.clone(), datum);
            }
            None => return false,
        },
        None => {
            old.remove(place);
        }
    }
    unit_direction(place, &old, new) == Some(Direction::Tighten)
}

/// Whether this person counts: with operators listed, one of them who signed, and may.
///
/// # Errors
/// Why not.
pub(crate) fn check_signer(
    file: &LimitsFile,
    who: &str,
    signed: bool,
    right: Option<Right>,
) -> Result<(), String> {
    if who.is_empty() {
        return Err("it takes a name".to_owned());
    }
    if file.operators.is_empty() {
        return if signed { Err("no operators are listed".to_owned()) } else { Ok(()) };
    }
    let Some(operator) = file.operators.get(who) else {
        return Err(format!("`{who}` is no [operator] of the limits in force"));
    };
    if let Some(right) = right.filter(|right| !operator.has(*right)) {
        return Err(format!("`{who}` may not {}", right.name()));
    }
    if !signed {
        return Err(format!("`{who}` did not sign"));
    }
    Ok(())
}

fn wrong(id: u64, why: &str) -> StepError {
    StepError::Change { id, why: why.to_owned() }
}

/// Proposals that may wait at once.
const PENDING_MAX: usize = 64;
