//! Legal holds: the cases for which entries may not be deleted, as the log's entries make them.
//!
//! Source: design note "audit", section 10. A case is opened by one HOLD and closed by one
//! HOLD_RELEASE, each by two people; its name is used once, so that what was signed for it counts
//! once. A hold wins over every deletion, so what an entry does not say is read in its favour: a
//! case keeps every subject's key but those of whom it names another of the same kind.

use std::collections::{BTreeMap, BTreeSet};

use cwts_types::{
    Body, Entry, EntryType, Hold, HoldRelease, Register, RegisterKind, Sealed, Shred,
};

/// A case that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCase {
    /// Log index of its HOLD.
    pub seq: u64,
    /// When it was made, UTC nanoseconds.
    pub utc_ns: i64,
    /// What it holds, and by whom.
    pub hold: Hold,
}

/// Why a HOLD or a HOLD_RELEASE does not follow from the entries before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaseError {
    /// One person, or nobody.
    #[error("case {case}: it takes a second person; `{actor}` asked and `{approver}` agreed")]
    OnePerson {
        /// The case.
        case: String,
        /// Who asked.
        actor: String,
        /// Who agreed.
        approver: String,
    },
    /// The case has no name, or nobody said why.
    #[error("case {case:?}: a case has a name of 1 to {CASE_CHARS_MAX} characters, and a reason")]
    Nameless {
        /// The case.
        case: String,
    },
    /// The name was used before.
    #[error("case {case}: the name was used at entry {seq}; a case is opened once")]
    Used {
        /// The case.
        case: String,
        /// By which entry.
        seq: u64,
    },
    /// There is no such open case.
    #[error("case {case} is not open; open: {open}")]
    NotOpen {
        /// The case.
        case: String,
        /// The open ones, for people.
        open: String,
    },
    /// A number that no entry has given a name.
    #[error("case {case}: no {kind} is registered under the number {handle}")]
    Unknown {
        /// The case.
        case: String,
        /// What is meant.
        kind: &'static str,
        /// The number.
        handle: u32,
    },
    /// A subject's key was destroyed, and its number is nobody else's.
    #[error("{} number {handle}: its key was destroyed by entry {seq}", subject_noun(*kind))]
    Shredded {
        /// Code of its kind.
        kind: u8,
        /// Its number.
        handle: u32,
        /// The SHRED.
        seq: u64,
    },
    /// A subject's key may not be destroyed.
    #[error("{} number {handle}: kept for case {case}", subject_noun(*kind))]
    Kept {
        /// Code of its kind.
        kind: u8,
        /// Its number.
        handle: u32,
        /// An open case.
        case: String,
    },
    /// A shred by one person, without a reason, or of nobody.
    #[error("shred of {} number {handle}: {why}", subject_noun(*kind))]
    ShredBad {
        /// Code of its kind.
        kind: u8,
        /// Its number.
        handle: u32,
        /// What is missing.
        why: String,
    },
    /// More cases than a log may have.
    #[error("case {case}: a log has at most {CASES_MAX} cases")]
    TooMany {
        /// The case.
        case: String,
    },
}

/// The fold over a log's entries that says which cases are open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cases {
    open: BTreeMap<String, OpenCase>,
    /// Every name so far and the entry that used it.
    used: BTreeMap<String, u64>,
    /// How many names of each kind there are: handles are given in order, from 1.
    registered: BTreeMap<u8, u32>,
    /// Subjects whose key was destroyed, by kind and number, and the entry that says so.
    shredded: BTreeMap<(u8, u32), u64>,
}

impl Cases {
    /// Takes one entry in; only HOLD, HOLD_RELEASE, SHRED and REGISTER change anything.
    ///
    /// # Errors
    /// It does not follow from the entries before: nothing has changed then.
    pub fn apply(&mut self, index: u64, utc_ns: i64, body: &Body) -> Result<(), CaseError> {
        match body {
            Body::Hold(hold) => {
                self.check_hold(hold)?;
                self.used.insert(hold.case.clone(), index);
                let opened = OpenCase { seq: index, utc_ns, hold: hold.clone() };
                self.open.insert(hold.case.clone(), opened);
            }
            Body::HoldRelease(release) => {
                self.check_release(release)?;
                self.open.remove(&release.case);
            }
            Body::Shred(shred) => {
                self.check_shred(shred)?;
                self.shredded.insert((shred.kind, shred.subject), index);
            }
            Body::Sealed(Sealed { kind, subject, .. }) => self.check_sealed(*kind, *subject)?,
            Body::Register(Register { kind, handle, .. }) => {
                let last = self.registered.entry(*kind as u8).or_default();
                *last = (*last).max(*handle);
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether this HOLD may come next.
    ///
    /// # Errors
    /// Why not.
    pub fn check_hold(&self, hold: &Hold) -> Result<(), CaseError> {
        let case = hold.case.clone();
        check_said(&case, &hold.actor, &hold.approver, &hold.reason)?;
        if let Some(seq) = self.used.get(&case) {
            return Err(CaseError::Used { case, seq: *seq });
        }
        if self.used.len() >= CASES_MAX {
            return Err(CaseError::TooMany { case });
        }
        for (code, kind, handle) in [
            (RegisterKind::Account, "account", hold.account),
            (RegisterKind::Instrument, "instrument", hold.instrument),
            (RegisterKind::Actor, "person", hold.person),
        ] {
            if handle > self.registered.get(&(code as u8)).copied().unwrap_or(0) {
                return Err(CaseError::Unknown { case, kind, handle });
            }
        }
        Ok(())
    }

    /// Whether this HOLD_RELEASE may come next; gives the case that it closes.
    ///
    /// # Errors
    /// Why not.
    pub fn check_release(&self, release: &HoldRelease) -> Result<&OpenCase, CaseError> {
        let open = self.get(&release.case)?;
        check_said(&release.case, &release.actor, &release.approver, &release.reason)?;
        Ok(open)
    }

    /// Whether this SHRED may come next.
    ///
    /// # Errors
    /// Why not.
    pub fn check_shred(&self, shred: &Shred) -> Result<(), CaseError> {
        let Shred { kind, subject: handle, .. } = *shred;
        let bad = |why: String| Err(CaseError::ShredBad { kind, handle, why });
        let [actor, approver] = [shred.actor.trim(), shred.approver.trim()];
        if actor.is_empty() || approver.is_empty() || actor == approver {
            let (actor, approver) = (&shred.actor, &shred.approver);
            return bad(format!(
                "it takes a second person; `{actor}` asked and `{approver}` agreed"
            ));
        }
        if shred.reason.trim().is_empty() {
            return bad("nobody said why".to_owned());
        }
        self.check_subject(kind, handle)?;
        let kept = self.open.values().find(|case| match RegisterKind::from_code(kind) {
            Some(RegisterKind::Account) => [0, handle].contains(&case.hold.account),
            Some(RegisterKind::Actor) => [0, handle].contains(&case.hold.person),
            // A case names no desk and no customer, and may be about any.
            _ => true,
        });
        match kept {
            Some(case) => Err(CaseError::Kept { kind, handle, case: case.hold.case.clone() }),
            None => Ok(()),
        }
    }

    /// Whether a text about this subject may come next.
    ///
    /// # Errors
    /// Nobody has the number, or its key was destroyed.
    pub fn check_sealed(&self, kind: RegisterKind, handle: u32) -> Result<(), CaseError> {
        self.check_subject(kind as u8, handle)
    }

    fn check_subject(&self, kind: u8, handle: u32) -> Result<(), CaseError> {
        if let Some(seq) = self.shredded.get(&(kind, handle)) {
            return Err(CaseError::Shredded { kind, handle, seq: *seq });
        }
        if (1..=self.registered.get(&kind).copied().unwrap_or(0)).contains(&handle) {
            return Ok(());
        }
        let why = "no entry has given the number a name".to_owned();
        Err(CaseError::ShredBad { kind, handle, why })
    }

    /// Subjects whose key was destroyed: kind, number, and the SHRED's index.
    pub fn shredded(&self) -> impl Iterator<Item = (u8, u32, u64)> {
        self.shredded.iter().map(|((kind, handle), seq)| (*kind, *handle, *seq))
    }

    /// The open case of this name.
    ///
    /// # Errors
    /// It is not open.
    pub fn get(&self, case: &str) -> Result<&OpenCase, CaseError> {
        self.open.get(case).ok_or_else(|| {
            let open: Vec<&str> = self.open.keys().map(String::as_str).collect();
            let open = if open.is_empty() { "none".to_owned() } else { open.join(", ") };
            CaseError::NotOpen { case: case.to_owned(), open }
        })
    }

    /// The open cases, by name.
    pub fn open(&self) -> impl Iterator<Item = &OpenCase> {
        self.open.values()
    }
}

/// What one hold keeps of a log, asked entry by entry from the log's start.
///
/// An entry is kept if it is of the hold's time and names what the hold names; so is what later
/// says more of an order that is kept. One that names no account, instrument or person of its own,
/// such as limits or a price, may be about any and is kept; what the log writes about itself is
/// about none.
#[derive(Clone, Debug)]
pub struct Selection<'h> {
    hold: &'h Hold,
    /// Log indices and ids of the orders that are kept.
    orders: BTreeSet<u64>,
    ids: BTreeSet<u64>,
}

impl<'h> Selection<'h> {
    /// Nothing was asked yet.
    pub fn new(hold: &'h Hold) -> Self {
        Self { hold, orders: BTreeSet::new(), ids: BTreeSet::new() }
    }

    /// The case that keeps.
    pub fn case(&self) -> &'h str {
        &self.hold.case
    }

    /// Whether the hold keeps this entry.
    pub fn keeps(&mut self, index: u64, entry: &Entry) -> bool {
        let Hold { account, instrument, person, from_ns, to_ns, .. } = *self.hold;
        let is_of_its_time = (from_ns..to_ns).contains(&entry.header.utc_ns);
        if [account, instrument, person] == [0; 3] {
            return is_of_its_time;
        }
        let fits = |wanted: u32, said: u32| wanted == 0 || said == wanted;
        match &entry.body {
            Body::Order(order, _) => {
                let is_kept = is_of_its_time
                    && fits(account, order.account)
                    && fits(instrument, order.instrument)
                    && fits(person, entry.header.actor);
                if is_kept {
                    self.orders.insert(index);
                    self.ids.insert(order.order_id);
                }
                is_kept
            }
            Body::Decision(decision, _) => self.orders.contains(&decision.order_seq),
            Body::ReleaseDenied(denied) => self.orders.contains(&denied.order_seq),
            Body::Override(said) => self.orders.contains(&said.order_seq),
            Body::Exec(exec) => self.ids.contains(&exec.order_id),
            Body::Alias(_) => is_of_its_time,
            Body::Reference(price) => is_of_its_time && fits(instrument, price.instrument),
            _ if is_of_the_log(entry.body.entry_type()) => false,
            _ => {
                let actor = entry.header.actor;
                is_of_its_time && (actor == 0 || fits(person, actor))
            }
        }
    }
}

fn subject_noun(kind: u8) -> &'static str {
    RegisterKind::from_code(kind).map_or("subject", RegisterKind::noun)
}

/// What a log writes about itself, and nobody's business.
fn is_of_the_log(kind: EntryType) -> bool {
    matches!(
        kind,
        EntryType::Close
            | EntryType::Recovery
            | EntryType::KeyEpoch
            | EntryType::Clock
            | EntryType::Fsck
            | EntryType::Tick
            | EntryType::Archive
    )
}

fn check_said(case: &str, actor: &str, approver: &str, reason: &str) -> Result<(), CaseError> {
    let name = case.to_owned();
    if case.trim().is_empty() || case.chars().count() > CASE_CHARS_MAX || reason.trim().is_empty() {
        return Err(CaseError::Nameless { case: name });
    }
    if actor.trim().is_empty() || approver.trim().is_empty() || actor == approver {
        let (actor, approver) = (actor.to_owned(), approver.to_owned());
        return Err(CaseError::OnePerson { case: name, actor, approver });
    }
    Ok(())
}

/// The longest name of a case, characters.
pub const CASE_CHARS_MAX: usize = 128;
/// Cases that one log may open.
pub const CASES_MAX: usize = 65_536;

#[cfg(test)]
mod tests;
