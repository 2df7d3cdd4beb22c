//! Legal holds: the cases for which entries may not be deleted, as the log's entries make them.
//!
//! Source: design note "audit", section 10. A case is opened by one HOLD and closed by one
//! HOLD_RELEASE, each by two people; its name is used once, so that what was signed for it counts
//! once. A hold wins over every deletion, so what an entry does not say is read in its favour.

use std::collections::{BTreeMap, BTreeSet};

use cwts_types::{Body, Entry, EntryType, Hold, HoldRelease, Register, RegisterKind};

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
}

impl Cases {
    /// Takes one entry in; what is none of HOLD, HOLD_RELEASE and REGISTER changes nothing.
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
mod tests {
    use super::*;
    use cwts_types::{Clock, ClockSource, Decision, Exec, Header, Note, Order};

    fn hold(case: &str) -> Hold {
        Hold {
            case: case.to_owned(),
            account: 0,
            instrument: 0,
            person: 0,
            from_ns: 10,
            to_ns: 20,
            actor: "anna".to_owned(),
            approver: "bo".to_owned(),
            reason: "regulator asked".to_owned(),
            signatures: None,
        }
    }

    fn release(case: &str) -> HoldRelease {
        let Hold { case, actor, approver, reason, signatures, .. } = hold(case);
        HoldRelease { case, actor, approver, reason, signatures }
    }

    fn account(handle: u32) -> Body {
        let (kind, name) = (RegisterKind::Account, format!("A{handle}"));
        Body::Register(Register { kind, handle, parent: 0, salt: [0; 16], name })
    }

    #[test]
    fn a_case_is_opened_once_and_closed_once_by_two_people() {
        let mut cases = Cases::default();
        cases.apply(5, 1, &Body::Hold(hold("c1"))).unwrap();
        assert_eq!(cases.get("c1").unwrap().seq, 5);
        let again = cases.apply(6, 1, &Body::Hold(hold("c1")));
        assert_eq!(again, Err(CaseError::Used { case: "c1".to_owned(), seq: 5 }));
        let other = cases.check_release(&release("c2")).unwrap_err().to_string();
        assert_eq!(other, "case c2 is not open; open: c1");
        for (actor, approver) in [("anna", "anna"), ("", "bo"), ("anna", " ")] {
            let one = |case: &str| HoldRelease {
                actor: actor.to_owned(),
                approver: approver.to_owned(),
                ..release(case)
            };
            assert!(matches!(cases.check_release(&one("c1")), Err(CaseError::OnePerson { .. })));
            let opened =
                Hold { actor: actor.to_owned(), approver: approver.to_owned(), ..hold("n") };
            assert!(matches!(cases.check_hold(&opened), Err(CaseError::OnePerson { .. })));
        }
        cases.apply(7, 1, &Body::HoldRelease(release("c1"))).unwrap();
        assert!(cases.open().next().is_none());
        assert!(cases.apply(8, 1, &Body::HoldRelease(release("c1"))).is_err());
        // A name that was used is used, whether its case is open or not.
        assert!(cases.apply(9, 1, &Body::Hold(hold("c1"))).is_err());
        for bad in [hold(""), hold(&"x".repeat(129)), Hold { reason: " ".to_owned(), ..hold("n") }]
        {
            assert!(matches!(cases.check_hold(&bad), Err(CaseError::Nameless { .. })), "{bad:?}");
        }
        assert!(cases.check_hold(&hold(&"x".repeat(128))).is_ok());
    }

    #[test]
    fn a_hold_names_what_is_registered() {
        let mut cases = Cases::default();
        let of = |account| Hold { account, ..hold("c") };
        assert!(matches!(cases.check_hold(&of(1)), Err(CaseError::Unknown { handle: 1, .. })));
        cases.apply(2, 0, &account(1)).unwrap();
        assert!(cases.check_hold(&of(1)).is_ok());
        assert!(cases.check_hold(&of(2)).is_err());
    }

    #[test]
    fn a_hold_selects_by_time_and_by_what_an_entry_names() {
        let entry = |utc_ns, actor, body| Entry {
            header: Header { utc_ns, actor, ..Header::default() },
            body,
        };
        let order = |account, instrument, order_id| {
            let order = Order { account, instrument, order_id, ..Order::default() };
            Body::Order(order, Vec::new())
        };
        let keeps = |hold: &Hold, entry: &Entry| Selection::new(hold).keeps(7, entry);
        let all = hold("c");
        for (utc_ns, held) in [(9, false), (10, true), (19, true), (20, false)] {
            assert_eq!(keeps(&all, &entry(utc_ns, 0, order(1, 1, 1))), held, "{utc_ns}");
        }
        let one = Hold { account: 1, ..hold("c") };
        let mut kept = Selection::new(&one);
        assert!(kept.keeps(7, &entry(10, 0, order(1, 7, 100))));
        assert!(!kept.keeps(8, &entry(10, 0, order(2, 7, 200))));
        // What is said of a kept order is kept, whenever it is said; of another, never.
        let exec = |order_id| Body::Exec(Exec { order_id, ..Exec::default() });
        assert!(kept.keeps(9, &entry(99, 0, exec(100))));
        assert!(!kept.keeps(10, &entry(10, 0, exec(200))));
        let decision = |order_seq| {
            let decision = Decision::from_bytes(&[0; cwts_types::DECISION_BYTES]);
            Body::Decision(Decision { order_seq, ..decision }, Vec::new())
        };
        assert!(kept.keeps(11, &entry(99, 0, decision(7))));
        assert!(!kept.keeps(12, &entry(10, 0, decision(8))));
        let thing = Hold { instrument: 3, ..hold("c") };
        assert!(keeps(&thing, &entry(10, 0, order(1, 3, 1))));
        assert!(!keeps(&thing, &entry(10, 0, order(1, 4, 1))));
        let note = || Body::Note(Note { salt: [0; 16], text: "t".to_owned() });
        let person = Hold { person: 9, ..hold("c") };
        assert!(keeps(&person, &entry(10, 9, note())) && keeps(&person, &entry(10, 0, note())));
        assert!(!keeps(&person, &entry(10, 8, note())) && keeps(&one, &entry(10, 8, note())));
        let clock = Body::Clock(Clock {
            source: ClockSource::None,
            status: 0,
            flags: 0,
            maxerror_us: 0,
            esterror_us: 0,
            offset_ns: 0,
            freq: 0,
            tai: 0,
            bound_us: 0,
            raw_ns: 0,
            utc_minus_mono_ns: 0,
        });
        assert!(keeps(&all, &entry(10, 0, clock.clone())));
        assert!(!keeps(&one, &entry(10, 0, clock)));
    }
}
