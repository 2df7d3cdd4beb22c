//! Halting and resuming: requests become entries, entries become state, state reaches the page.

use std::path::Path;

use cwts_audit::holds::{KillAction, KillRequest, NamedScope};
use cwts_audit::{FsStorage, storage::replace_file};
use cwts_types::{Body, Kill, KillState, RegisterKind, Resume, Scope, ScopeKind, Signature};

use crate::clock::{Now, system_utc_ns};
use crate::gateway::Gateway;
use crate::switch::{FileRequest, LocalRequest};
use crate::{GatewayError, KillSwitch};

/// Rank of a person who may halt.
pub const RANK_OPERATOR: u8 = 1;
/// Rank of the gateway's own holds: after a damaged page or an unreadable request.
pub const RANK_RISK: u8 = 2;

/// How a halt is asked for.
#[derive(Debug, Clone)]
pub struct HaltOptions {
    /// Why.
    pub reason: String,
    /// Who.
    pub actor: String,
    /// REDUCE_ONLY instead of HALTED.
    pub reduce_only: bool,
    /// Whether reducing orders pass in HALTED.
    pub allow_reduce: bool,
}

/// Raises the switch for a scope, before any lock is taken: the next order already sees it.
///
/// Gives the ticket by which [`Gateway::hold_of`] knows the hold that comes of it.
pub fn raise(
    switch: &KillSwitch,
    scope: &NamedScope,
    slot: Option<u32>,
    options: &HaltOptions,
) -> u64 {
    let scope = scope.clone();
    let action =
        if options.reduce_only { KillAction::Reduce(scope) } else { KillAction::Halt(scope) };
    let request = KillRequest {
        action,
        actor: options.actor.clone(),
        reason: options.reason.clone(),
        utc_ns: system_utc_ns(),
        // The request in a file asks for that: this one would not outlive the process.
        cancel_working: false,
    };
    let ticket = switch.next_ticket();
    let allow_reduce = options.allow_reduce;
    let local = LocalRequest { request, allow_reduce, rank: RANK_OPERATOR, ticket };
    switch.raise(slot.map(|s| s as usize), local);
    ticket
}

impl Gateway {
    /// The slot of a scope in the kill page.
    pub fn slot(&self, scope: Scope) -> Option<u32> {
        self.holds.slot(scope)
    }

    /// The scope as the kill files name it.
    pub fn named(&self, scope: Scope) -> NamedScope {
        let slot = self.holds.slot(scope).unwrap_or(0);
        self.holds.scopes()[slot as usize].clone()
    }

    /// Halts a scope: it works at once, and this returns when it is durable. Gives the holds that
    /// it made.
    ///
    /// # Errors
    /// The scope is unknown (nothing happened), or the log has failed (everything is halted).
    pub fn halt(&mut self, scope: &str, options: &HaltOptions) -> Result<u64, GatewayError> {
        let scope = self.engine.registry().scope(scope)?;
        let ticket = raise(&self.switch, &self.named(scope), self.slot(scope), options);
        self.attend()?;
        Ok(self.hold_of(ticket))
    }

    /// The hold that a raise with this ticket became; asked once. Others may halt at the same
    /// time, so the newest hold need not be the caller's.
    pub fn hold_of(&mut self, ticket: u64) -> u64 {
        self.tickets.remove(&ticket).unwrap_or_else(|| self.engine.next_hold() - 1)
    }

    /// Lifts a hold; two people, never one.
    ///
    /// # Errors
    /// No such hold, one person, or the log has failed.
    pub fn resume(
        &mut self,
        hold: u64,
        actor: &str,
        approver: &str,
        reason: &str,
    ) -> Result<(), GatewayError> {
        self.attend()?;
        let (actor, approver, reason) = (clipped(actor), clipped(approver), clipped(reason));
        check_resume(hold, &actor, &approver, &reason)?;
        let signatures = self.sign_resume(hold, &actor, &approver, &reason)?;
        self.resume_signed(hold, &actor, &approver, &reason, signatures)
    }

    /// Lifts a hold with the signatures of both, if operators are listed.
    pub(crate) fn resume_signed(
        &mut self,
        hold: u64,
        actor: &str,
        approver: &str,
        reason: &str,
        signatures: Option<[Signature; 2]>,
    ) -> Result<(), GatewayError> {
        let before = self.page_states();
        let seen = self.switch.epoch();
        self.resume_checked(hold, [actor, approver], reason, signatures, seen)?;
        match self.persist_kill(self.seen_epoch) {
            // Somebody halted meanwhile: take that in, too.
            Err(_) if self.switch.epoch() != self.seen_epoch => self.settle(&before),
            other => other,
        }
    }

    fn resume_checked(
        &mut self,
        hold: u64,
        [actor, approver]: [&str; 2],
        reason: &str,
        signatures: Option<[Signature; 2]>,
        page_epoch: u64,
    ) -> Result<(), GatewayError> {
        // As the entry will have them: two spellings of one entry are one person.
        let (actor, approver, reason) = (clipped(actor), clipped(approver), clipped(reason));
        check_resume(hold, &actor, &approver, &reason)?;
        if !self.engine.holds().any(|h| h.id == hold) {
            return Err(not_in_force(hold, self.engine.holds().map(|h| h.id)));
        }
        self.check_resume_keys(hold, [&actor, &approver], &reason, signatures)?;
        let resume = Resume {
            hold,
            epoch: self.next_kill_epoch(page_epoch),
            actor,
            approver,
            reason,
            signatures,
        };
        let now = self.clock.now();
        self.log_kill_event(Body::Resume(resume), now)
    }

    /// Turns everything that moved the switch into entries, state and page.
    #[cold]
    pub(crate) fn take_requests(&mut self) -> Result<(), GatewayError> {
        let before = self.page_states();
        self.settle(&before)
    }

    /// `before` is what the holds explained of the page until now: a cell that a resume is about
    /// to lower still shows it.
    fn settle(&mut self, before: &[u8]) -> Result<(), GatewayError> {
        let mut taken: Vec<std::path::PathBuf> = Vec::new();
        for _ in 0..ROUNDS_MAX {
            let seen = self.switch.epoch();
            for local in self.switch.take_local() {
                self.take_one(&local.request, local.allow_reduce, local.rank, seen)?;
                self.tickets.insert(local.ticket, self.engine.next_hold() - 1);
            }
            for file in self.switch.read_files() {
                // A second round finds the files of the first one still there.
                if !taken.contains(&file.path) {
                    self.take_file(&file, seen)?;
                    taken.push(file.path);
                }
            }
            self.explain_page(seen, before)?;
            match self.persist_kill(seen) {
                Ok(()) => {
                    // The block holds and is durable; a crash in here leaves the requests.
                    self.cancel_wanted()?;
                    for path in &taken {
                        // Done and durable; what cannot be removed is taken again, and halts again.
                        let _ = std::fs::remove_file(path);
                    }
                    return Ok(());
                }
                // Somebody halted meanwhile: take that in, too.
                Err(_) if self.switch.epoch() != seen => {}
                Err(error) => return Err(error),
            }
        }
        Err(self.fail("the kill page does not come to rest".to_owned()))
    }

    fn take_file(&mut self, file: &FileRequest, seen: u64) -> Result<(), GatewayError> {
        if let Some(request) = &file.request {
            if request.cancel_working {
                return self.take_cancelling(request, seen);
            }
            return self.take_one(request, false, RANK_OPERATOR, seen);
        }
        let name = file.path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into());
        self.hold_firm(&format!("unreadable kill request {name}"), seen)
    }

    pub(crate) fn take_one(
        &mut self,
        request: &KillRequest,
        allow_reduce: bool,
        rank: u8,
        seen: u64,
    ) -> Result<(), GatewayError> {
        let (state, named) = match &request.action {
            KillAction::Halt(scope) => (KillState::Halted, scope),
            KillAction::Reduce(scope) => (KillState::ReduceOnly, scope),
            KillAction::Resume { hold, approver } => {
                let people = [request.actor.as_str(), approver.as_str()];
                let done = self.resume_checked(*hold, people, &request.reason, None, seen);
                return match done {
                    // A resume that is refused changes nothing: the hold stays.
                    Err(GatewayError::Permission(_)) => Ok(()),
                    other => other,
                };
            }
        };
        let Some(scope) = self.scope_of(named) else {
            let why =
                format!("kill request for an unknown scope {}:{}", named.kind.name(), named.name);
            return self.hold_firm(&why, seen);
        };
        self.log_kill(scope, state, allow_reduce, rank, &request.actor, &request.reason, seen)
    }

    pub(crate) fn scope_of(&self, named: &NamedScope) -> Option<Scope> {
        if named.kind == ScopeKind::Firm {
            return Some(Scope::FIRM);
        }
        let kind = RegisterKind::from_code(named.kind as u8)?;
        let handle = self.engine.registry().handle(kind, &named.name)?;
        Some(Scope { kind: named.kind, handle })
    }

    /// A cell that is stricter than the holds explain: somebody raised it without a request that
    /// could be read. It is believed.
    fn explain_page(&mut self, seen: u64, before: &[u8]) -> Result<(), GatewayError> {
        let scopes: Vec<NamedScope> = self.holds.scopes().to_vec();
        for (slot, named) in scopes.iter().enumerate().take(cwts_audit::holds::PAGE_SLOTS) {
            let state = self.switch.state(slot);
            let Some(scope) = self.scope_of(named) else { continue };
            let explained = before.get(slot).copied().unwrap_or(0);
            if state as u8 > explained && state > self.engine.scope_state(scope) {
                let why = "the kill page was raised without a request";
                self.log_kill(scope, state, false, RANK_RISK, GATEWAY_ACTOR, why, seen)?;
            }
        }
        Ok(())
    }

    /// Halts the firm on the gateway's own account.
    pub(crate) fn hold_firm(&mut self, why: &str, seen: u64) -> Result<(), GatewayError> {
        self.restrict_firm(KillState::Halted, why, seen)
    }

    /// Restricts the firm on the gateway's own account.
    pub(crate) fn restrict_firm(
        &mut self,
        state: KillState,
        why: &str,
        seen: u64,
    ) -> Result<(), GatewayError> {
        self.log_kill(Scope::FIRM, state, false, RANK_RISK, GATEWAY_ACTOR, why, seen)
    }

    #[expect(clippy::too_many_arguments, reason = "one argument a field of the KILL entry")]
    fn log_kill(
        &mut self,
        scope: Scope,
        state: KillState,
        allow_reduce: bool,
        rank: u8,
        actor: &str,
        reason: &str,
        seen: u64,
    ) -> Result<(), GatewayError> {
        let kill = Kill {
            hold: self.engine.next_hold(),
            epoch: self.next_kill_epoch(seen),
            state,
            scope,
            rank,
            allow_reduce,
            actor: clipped(actor),
            reason: clipped(reason),
        };
        let now = self.clock.now();
        self.log_kill_event(Body::Kill(kill), now)
    }

    /// Always ahead of the page's number, so that the page can be rewritten.
    fn next_kill_epoch(&self, page_epoch: u64) -> u32 {
        let page = u32::try_from(page_epoch).unwrap_or(u32::MAX - 1);
        self.engine.kill_epoch().max(page).saturating_add(1)
    }

    /// Appends a kill event and folds it, so that the state is the log's.
    fn log_kill_event(&mut self, body: Body, now: Now) -> Result<(), GatewayError> {
        let index = self.next_index();
        let header = self.header(0, now);
        let entry = cwts_types::Entry { header, body };
        // It holds from here on, whatever the log does.
        self.engine.step(index, &entry).map_err(|source| GatewayError::Step { index, source })?;
        let folded = self.holds.apply(index, &entry.body);
        let appended = match &mut self.log {
            Some(log) => log.push(&entry.to_bytes()),
            None => {
                self.next_index += 1;
                true
            }
        };
        if !appended {
            return Err(self.fail("the log takes no kill event".to_owned()));
        }
        folded.map_err(|e| self.fail(e.to_string()))
    }

    /// fsync of the log, then `kill.state`, then the page: in this order a crash only ever leaves
    /// something stricter behind.
    fn persist_kill(&mut self, seen: u64) -> Result<(), GatewayError> {
        self.sync()?;
        if let Some(dir) = self.dir.clone() {
            self.write_kill_files(&dir)?;
        }
        let mut epoch = u64::from(self.engine.kill_epoch());
        let states = self.page_states();
        if epoch <= seen {
            if self.switch.shows(&states) {
                // The number moved and nothing came of it (a refused resume): leave the page.
                self.seen_epoch = seen;
                return Ok(());
            }
            // A raise that lagged behind its request moved the number past the entry's while a
            // resume was taken in. The page must show the lowered state all the same, or the next
            // look would believe that somebody raised it without a request.
            epoch = seen.saturating_add(1);
        }
        self.switch.store(seen, epoch, &states)?;
        self.seen_epoch = if self.dir.is_some() { epoch } else { seen };
        Ok(())
    }

    pub(crate) fn page_states(&self) -> Vec<u8> {
        let scopes = self.holds.scopes().iter().take(cwts_audit::holds::PAGE_SLOTS);
        scopes
            .map(|named| {
                let scope = self.scope_of(named);
                scope.map_or(KillState::Halted, |s| self.engine.scope_state(s)) as u8
            })
            .collect()
    }

    /// Writes `kill.scopes` and `kill.state`, each whole or not at all.
    pub(crate) fn write_kill_files(&self, dir: &Path) -> Result<(), GatewayError> {
        let mut storage = FsStorage::open(dir)?;
        for (name, bytes) in self.holds.files() {
            if name != cwts_audit::holds::PAGE_FILE {
                replace_file(&mut storage, name, &bytes)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

/// Two people, and a reason that one of them wrote.
pub(crate) fn check_resume(
    hold: u64,
    actor: &str,
    approver: &str,
    reason: &str,
) -> Result<(), GatewayError> {
    if actor.is_empty() || approver.is_empty() || actor == approver {
        let why = format!(
            "hold {hold}: resuming takes a second person; `{actor}` asked and `{approver}` agreed"
        );
        return Err(GatewayError::Permission(why));
    }
    if reason.trim().is_empty() {
        return Err(GatewayError::Permission(format!("hold {hold}: resuming takes a reason")));
    }
    Ok(())
}

/// What to say of a hold that is not there.
pub(crate) fn not_in_force(hold: u64, known: impl Iterator<Item = u64>) -> GatewayError {
    let known: Vec<String> = known.map(|id| id.to_string()).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    GatewayError::Permission(format!("hold {hold} is not in force; in force: {known}"))
}

/// A text that fits an entry.
pub(crate) fn clipped(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').take(TEXT_CHARS_MAX).collect()
}

/// The gateway as the one who halts.
pub(crate) const GATEWAY_ACTOR: &str = "gateway";
/// Longest actor or reason.
const TEXT_CHARS_MAX: usize = 1_024;
/// Rounds in which the page may move under us.
const ROUNDS_MAX: usize = 64;
