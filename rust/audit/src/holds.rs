//! Kill state beside the log: which scopes there are, which holds stand, and what the shared
//! page must show.
//!
//! The log alone decides: [`HoldsFold`] folds REGISTER, KILL and RESUME into exactly the bytes
//! of `kill.scopes`, `kill.state` and `kill.page`, so a verifier can recompute all three.
//! Invariant: every text ends with the SHA-256 of all bytes before it, and parses only if
//! encoding the result gives it back.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use cwts_types::{Body, KillState, Scope, ScopeKind};
use sha2::{Digest, Sha256};

/// Names of the scopes, in slot order.
pub const SCOPES_FILE: &str = "kill.scopes";
/// The holds that stand.
pub const STATE_FILE: &str = "kill.state";
/// The page that processes share.
pub const PAGE_FILE: &str = "kill.page";
/// Where requests of other processes wait.
pub const REQUESTS_DIRECTORY: &str = "requests/";
/// Length of the page.
pub const PAGE_BYTES: usize = 16 * 1024;
/// Scopes with a cell of their own; a halt of one beyond waits for its request to be read.
pub const PAGE_SLOTS: usize = PAGE_BYTES / PAGE_LINE_BYTES - 1;
/// The longest kill text that is read.
pub const KILL_TEXT_BYTES_MAX: usize = 64 << 20;
/// The longest request that is read.
pub const REQUEST_BYTES_MAX: usize = 16 * 1024;

/// Why a kill text is refused, or an entry does not fit those before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HoldsError {
    /// The text is not of its form.
    #[error("line {line}: {what}")]
    Malformed {
        /// Which line, from 1.
        line: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// The digest at the end is not that of the bytes before it.
    #[error("the sha256 in the last line is not that of the lines before")]
    Digest,
    /// A scope was registered before.
    #[error("{kind} {handle} is registered twice")]
    ScopeTwice {
        /// Its kind.
        kind: &'static str,
        /// Its handle.
        handle: u32,
    },
    /// A hold is on a scope that no entry registered.
    #[error("{kind} {handle} is not registered")]
    ScopeUnknown {
        /// Its kind.
        kind: &'static str,
        /// Its handle.
        handle: u32,
    },
    /// The numbers of holds must grow.
    #[error("hold {hold} follows hold {last}")]
    HoldOrder {
        /// The new hold.
        hold: u64,
        /// The newest before.
        last: u64,
    },
    /// The epoch must grow with each kill event.
    #[error("kill epoch {epoch} follows {last}")]
    EpochOrder {
        /// The new epoch.
        epoch: u32,
        /// The one before.
        last: u32,
    },
    /// A resume names no standing hold.
    #[error("hold {hold} does not stand")]
    HoldUnknown {
        /// The hold.
        hold: u64,
    },
    /// A resume takes two people.
    #[error("hold {hold} was lifted by `{actor}` alone")]
    OnePerson {
        /// The hold.
        hold: u64,
        /// Who.
        actor: String,
    },
}

/// One scope, whose slot is its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedScope {
    /// Kind.
    pub kind: ScopeKind,
    /// Name.
    pub name: String,
}

/// One standing hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Number of the hold.
    pub id: u64,
    /// Slot of its scope.
    pub slot: u32,
    /// What it sets: never ACTIVE.
    pub state: KillState,
    /// Rank of who holds.
    pub rank: u8,
    /// Whether reducing orders pass in HALTED.
    pub allow_reduce: bool,
    /// Log index of its KILL.
    pub seq: u64,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// What `kill.state` says.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct KillSnapshot {
    /// Number of kill events so far.
    pub epoch: u32,
    /// Log index of the last KILL or RESUME; 0 without one.
    pub seq: u64,
    /// The standing holds, by id.
    pub holds: Vec<Hold>,
}

/// Folds the log into scopes, holds and epoch.
#[derive(Clone, Debug)]
pub struct HoldsFold {
    scopes: Vec<NamedScope>,
    slots: BTreeMap<Scope, u32>,
    holds: BTreeMap<u64, Hold>,
    epoch: u32,
    seq: u64,
    last_hold: u64,
}

impl Default for HoldsFold {
    fn default() -> Self {
        let firm = NamedScope { kind: ScopeKind::Firm, name: "firm".to_owned() };
        Self {
            scopes: vec![firm],
            slots: BTreeMap::from([(Scope::FIRM, 0)]),
            holds: BTreeMap::new(),
            epoch: 0,
            seq: 0,
            last_hold: 0,
        }
    }
}

impl HoldsFold {
    /// The firm, and no hold.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in the entry at `index`; entries of other types change nothing.
    pub fn apply(&mut self, index: u64, body: &Body) -> Result<(), HoldsError> {
        match body {
            Body::Register(register) => {
                let Some(kind) = register.kind.scope_kind() else { return Ok(()) };
                let scope = Scope { kind, handle: register.handle };
                let slot = self.scopes.len() as u32;
                if self.slots.contains_key(&scope) {
                    let (kind, handle) = (kind.name(), scope.handle);
                    return Err(HoldsError::ScopeTwice { kind, handle });
                }
                self.slots.insert(scope, slot);
                self.scopes.push(NamedScope { kind, name: register.name.clone() });
            }
            Body::Kill(kill) => {
                let Some(&slot) = self.slots.get(&kill.scope) else {
                    let (kind, handle) = (kill.scope.kind.name(), kill.scope.handle);
                    return Err(HoldsError::ScopeUnknown { kind, handle });
                };
                if kill.hold <= self.last_hold && self.last_hold > 0 {
                    return Err(HoldsError::HoldOrder { hold: kill.hold, last: self.last_hold });
                }
                self.step_epoch(kill.epoch)?;
                self.last_hold = kill.hold;
                self.seq = index;
                let hold = Hold {
                    id: kill.hold,
                    slot,
                    state: kill.state,
                    rank: kill.rank,
                    allow_reduce: kill.allow_reduce,
                    seq: index,
                    actor: kill.actor.clone(),
                    reason: kill.reason.clone(),
                };
                self.holds.insert(kill.hold, hold);
            }
            Body::Resume(resume) => {
                if !self.holds.contains_key(&resume.hold) {
                    return Err(HoldsError::HoldUnknown { hold: resume.hold });
                }
                if resume.actor == resume.approver {
                    let actor = resume.actor.clone();
                    return Err(HoldsError::OnePerson { hold: resume.hold, actor });
                }
                self.step_epoch(resume.epoch)?;
                self.holds.remove(&resume.hold);
                self.seq = index;
            }
            _ => {}
        }
        Ok(())
    }

    /// The scopes, in slot order.
    pub fn scopes(&self) -> &[NamedScope] {
        &self.scopes
    }

    /// The slot of a scope.
    pub fn slot(&self, scope: Scope) -> Option<u32> {
        self.slots.get(&scope).copied()
    }

    /// Number of kill events so far.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The standing holds and the epoch.
    pub fn snapshot(&self) -> KillSnapshot {
        let holds = self.holds.values().cloned().collect();
        KillSnapshot { epoch: self.epoch, seq: self.seq, holds }
    }

    /// The bytes of `kill.scopes`, `kill.state` and `kill.page`, each with its name.
    pub fn files(&self) -> [(&'static str, Vec<u8>); 3] {
        let snapshot = self.snapshot();
        let page = snapshot.page();
        [
            (SCOPES_FILE, encode_scopes(&self.scopes).into_bytes()),
            (STATE_FILE, snapshot.encode().into_bytes()),
            (PAGE_FILE, page),
        ]
    }

    fn step_epoch(&mut self, epoch: u32) -> Result<(), HoldsError> {
        if epoch <= self.epoch {
            return Err(HoldsError::EpochOrder { epoch, last: self.epoch });
        }
        self.epoch = epoch;
        Ok(())
    }
}

impl KillSnapshot {
    /// The text of `kill.state`.
    pub fn encode(&self) -> String {
        let mut text = format!("{STATE_HEAD}\nepoch {}\nseq {}\n", self.epoch, self.seq);
        for hold in &self.holds {
            let Hold { id, slot, state, rank, allow_reduce, seq, actor, reason } = hold;
            let (state, flags) = (*state as u8, u8::from(*allow_reduce));
            let (actor, reason) = (percent(actor), percent(reason));
            // Writing to a String cannot fail.
            let _ =
                writeln!(text, "hold {id} {slot} {state} {rank} {flags} {seq} {actor} {reason}");
        }
        seal(text)
    }

    /// Reads `kill.state`.
    pub fn parse(bytes: &[u8]) -> Result<Self, HoldsError> {
        let mut lines = Lines::open(bytes, STATE_HEAD)?;
        let epoch = lines.field("epoch")?;
        let seq = lines.field("seq")?;
        let mut parsed = Self { epoch, seq, holds: Vec::new() };
        while let Some(line) = lines.next() {
            let words: Vec<&str> = line.split(' ').collect();
            let ["hold", id, slot, state, rank, flags, seq, actor, reason] = words[..] else {
                return Err(lines.wrong("a hold has nine words"));
            };
            let state = state.parse().ok().and_then(KillState::from_code);
            let state = state.filter(|s| *s != KillState::Active);
            parsed.holds.push(Hold {
                id: lines.number(id)?,
                slot: lines.number(slot)?,
                state: state.ok_or_else(|| lines.wrong("a hold's state is 1 or 2"))?,
                rank: lines.number(rank)?,
                allow_reduce: lines.number::<u8>(flags)? == 1,
                seq: lines.number(seq)?,
                actor: lines.text(actor)?,
                reason: lines.text(reason)?,
            });
        }
        canonical(bytes, &parsed.encode())?;
        Ok(parsed)
    }

    /// The page that these holds make: each scope's own state is its strictest hold.
    pub fn page(&self) -> Vec<u8> {
        let mut states = Vec::new();
        for hold in &self.holds {
            let slot = hold.slot as usize;
            if slot >= PAGE_SLOTS {
                continue;
            }
            if states.len() <= slot {
                states.resize(slot + 1, KillState::Active);
            }
            states[slot] = states[slot].max(hold.state);
        }
        page_image(self.epoch.into(), &states)
    }
}

/// The bytes of a kill page: line 0 holds magic, version and epoch, line 1 + slot a state.
pub fn page_image(epoch: u64, states_by_slot: &[KillState]) -> Vec<u8> {
    let mut page = vec![0; PAGE_BYTES];
    page[..8].copy_from_slice(PAGE_MAGIC);
    page[8..16].copy_from_slice(&PAGE_VERSION.to_le_bytes());
    page[16..24].copy_from_slice(&epoch.to_le_bytes());
    for (slot, state) in states_by_slot.iter().take(PAGE_SLOTS).enumerate() {
        let at = (slot + 1) * PAGE_LINE_BYTES;
        page[at..at + 8].copy_from_slice(&u64::from(*state as u8).to_le_bytes());
    }
    page
}

/// Whether `page` is a page of this form that is nowhere laxer than `least`: same words, a
/// state as strict or stricter in each cell, an epoch as high or higher.
pub fn page_is_at_least(page: &[u8], least: &[u8]) -> bool {
    if page.len() != PAGE_BYTES || least.len() != PAGE_BYTES || page[..16] != least[..16] {
        return false;
    }
    let (words, _) = page.as_chunks::<8>();
    let (floors, _) = least.as_chunks::<8>();
    let per_line = PAGE_LINE_BYTES / 8;
    words.iter().zip(floors).enumerate().skip(2).all(|(at, (word, floor))| {
        let (word, floor) = (u64::from_le_bytes(*word), u64::from_le_bytes(*floor));
        let ceiling = match (at, at % per_line) {
            (2, _) => u64::from(u32::MAX),
            (_, 0) if at >= per_line => KillState::Halted as u64,
            _ => 0,
        };
        (floor..=ceiling.max(floor)).contains(&word)
    })
}

/// The text of `kill.scopes`.
pub fn encode_scopes(scopes: &[NamedScope]) -> String {
    let mut text = format!("{SCOPES_HEAD}\n");
    for (slot, scope) in scopes.iter().enumerate() {
        let _ = writeln!(text, "{slot} {} {}", scope.kind.name(), percent(&scope.name));
    }
    seal(text)
}

/// Reads `kill.scopes`.
pub fn parse_scopes(bytes: &[u8]) -> Result<Vec<NamedScope>, HoldsError> {
    let mut lines = Lines::open(bytes, SCOPES_HEAD)?;
    let mut scopes = Vec::new();
    while let Some(line) = lines.next() {
        let words: Vec<&str> = line.split(' ').collect();
        let [_, kind, name] = words[..] else { return Err(lines.wrong("a scope has three words")) };
        let kind = kind.parse().map_err(|_| lines.wrong("no kind of scope"))?;
        scopes.push(NamedScope { kind, name: lines.text(name)? });
    }
    let firm = scopes.first().is_some_and(|s| s.kind == ScopeKind::Firm && s.name == "firm");
    if !firm {
        return Err(HoldsError::Malformed { line: 2, what: "slot 0 is `firm firm`" });
    }
    canonical(bytes, &encode_scopes(&scopes))?;
    Ok(scopes)
}

/// What another process asks of the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KillRequest {
    /// What is asked.
    pub action: KillAction,
    /// Who asks.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When.
    pub utc_ns: u64,
}

/// The three requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KillAction {
    /// Halt a scope.
    Halt(NamedScope),
    /// Let a scope only reduce.
    Reduce(NamedScope),
    /// Lift a hold.
    Resume {
        /// Which.
        hold: u64,
        /// Who agreed.
        approver: String,
    },
}

impl KillRequest {
    /// The text of the request.
    pub fn encode(&self) -> String {
        let mut text = format!("{REQUEST_HEAD}\n");
        match &self.action {
            KillAction::Halt(scope) | KillAction::Reduce(scope) => {
                let halt = matches!(self.action, KillAction::Halt(_));
                let kind = if halt { "halt" } else { "reduce" };
                let (scope, name) = (scope.kind.name(), percent(&scope.name));
                let _ = writeln!(text, "kind {kind}\nscope {scope} {name}");
            }
            KillAction::Resume { hold, approver } => {
                let _ = writeln!(text, "kind resume\nhold {hold}\napprover {}", percent(approver));
            }
        }
        let (actor, reason) = (percent(&self.actor), percent(&self.reason));
        let _ = writeln!(text, "actor {actor}\nreason {reason}\nutc_ns {}", self.utc_ns);
        seal(text)
    }

    /// Reads a request.
    pub fn parse(bytes: &[u8]) -> Result<Self, HoldsError> {
        let mut lines = Lines::open(bytes, REQUEST_HEAD)?;
        let action = match lines.value("kind")? {
            kind @ ("halt" | "reduce") => {
                let scope = lines.value("scope")?;
                let (scope, name) =
                    scope.split_once(' ').ok_or_else(|| lines.wrong("a scope is kind and name"))?;
                let scope = scope.parse().map_err(|_| lines.wrong("no kind of scope"))?;
                let scope = NamedScope { kind: scope, name: lines.text(name)? };
                if kind == "halt" { KillAction::Halt(scope) } else { KillAction::Reduce(scope) }
            }
            "resume" => {
                let hold = lines.field("hold")?;
                let approver = lines.value("approver")?;
                KillAction::Resume { hold, approver: lines.text(approver)? }
            }
            _ => return Err(lines.wrong("the kind is halt, reduce or resume")),
        };
        let actor = lines.value("actor")?;
        let actor = lines.text(actor)?;
        let reason = lines.value("reason")?;
        let reason = lines.text(reason)?;
        let utc_ns = lines.field("utc_ns")?;
        let parsed = Self { action, actor, reason, utc_ns };
        canonical(bytes, &parsed.encode())?;
        Ok(parsed)
    }

    /// The path of a request's file; `None` unless the name is 1 to 64 of `a-z A-Z 0-9 . _ -`
    /// and does not start with a dot.
    pub fn path(name: &str) -> Option<String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let fits = (1..=64).contains(&name.len()) && !name.starts_with('.');
        (fits && name.chars().all(plain)).then(|| format!("{REQUESTS_DIRECTORY}{name}.req"))
    }

    /// Whether a file's name is one that [`KillRequest::path`] gives.
    pub fn is_path(path: &str) -> bool {
        path.strip_prefix(REQUESTS_DIRECTORY)
            .and_then(|name| name.strip_suffix(".req"))
            .and_then(Self::path)
            .is_some_and(|p| p == path)
    }
}

/// The lines of a sealed text, with the number of the one last read.
struct Lines<'a> {
    lines: std::str::Split<'a, char>,
    line: usize,
}

impl<'a> Lines<'a> {
    /// Checks the digest and the first line.
    fn open(bytes: &'a [u8], head: &str) -> Result<Self, HoldsError> {
        let wrong = |what| HoldsError::Malformed { line: 1, what };
        let text = str::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8"))?;
        let end = text.len().checked_sub(SEAL_BYTES).ok_or(wrong("it is too short"))?;
        let (body, trailer) = text.split_at_checked(end).ok_or(wrong("it has no digest"))?;
        if trailer != seal_line(body) {
            return Err(HoldsError::Digest);
        }
        let body = body.strip_suffix('\n').ok_or(wrong("it has no lines"))?;
        let mut lines = Self { lines: body.split('\n'), line: 0 };
        if lines.next() == Some(head) { Ok(lines) } else { Err(wrong("the first line is unknown")) }
    }

    fn next(&mut self) -> Option<&'a str> {
        self.line += 1;
        self.lines.next()
    }

    fn wrong(&self, what: &'static str) -> HoldsError {
        HoldsError::Malformed { line: self.line, what }
    }

    /// The rest of the next line, which must start with this word.
    fn value(&mut self, key: &'static str) -> Result<&'a str, HoldsError> {
        let line = self.next().unwrap_or_default();
        let (word, value) = line.split_once(' ').ok_or_else(|| self.wrong(key))?;
        if word == key { Ok(value) } else { Err(self.wrong(key)) }
    }

    fn field<T: std::str::FromStr>(&mut self, key: &'static str) -> Result<T, HoldsError> {
        let value = self.value(key)?;
        self.number(value)
    }

    fn number<T: std::str::FromStr>(&self, word: &str) -> Result<T, HoldsError> {
        word.parse().map_err(|_| self.wrong("a number does not fit its field"))
    }

    fn text(&self, word: &str) -> Result<String, HoldsError> {
        unpercent(word).ok_or_else(|| self.wrong("a text is not percent-encoded"))
    }
}

fn canonical(bytes: &[u8], again: &str) -> Result<(), HoldsError> {
    let what = "it can be written in another way";
    if again.as_bytes() == bytes { Ok(()) } else { Err(HoldsError::Malformed { line: 1, what }) }
}

fn seal(mut body: String) -> String {
    let line = seal_line(&body);
    body.push_str(&line);
    body
}

fn seal_line(body: &str) -> String {
    let mut line = String::from("sha256 ");
    for byte in Sha256::digest(body.as_bytes()) {
        let _ = write!(line, "{byte:02x}");
    }
    line.push('\n');
    line
}

/// One word: printable ASCII stands for itself, all else and `%` as `%XX`; `%` alone is empty.
fn percent(text: &str) -> String {
    if text.is_empty() {
        return "%".to_owned();
    }
    let mut word = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && byte != b'%' {
            word.push(char::from(byte));
        } else {
            let _ = write!(word, "%{byte:02X}");
        }
    }
    word
}

fn unpercent(word: &str) -> Option<String> {
    if word == "%" {
        return Some(String::new());
    }
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (digits, after) = rest.split_first_chunk::<2>()?;
        let hex = |digit: u8| char::from(digit).to_digit(16);
        bytes.push((hex(digits[0])? * 16 + hex(digits[1])?) as u8);
        rest = after;
    }
    let text = String::from_utf8(bytes).ok()?;
    (percent(&text) == word).then_some(text)
}

const SCOPES_HEAD: &str = "cwts kill scopes v1";
const STATE_HEAD: &str = "cwts kill state v1";
const REQUEST_HEAD: &str = "cwts kill request v1";
/// `sha256 `, 64 digits, a line feed.
const SEAL_BYTES: usize = 72;
const PAGE_MAGIC: &[u8; 8] = b"CWTSKILL";
const PAGE_VERSION: u64 = 1;
/// A cell has a cache line to itself.
const PAGE_LINE_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use cwts_types::{Kill, Register, RegisterKind, Resume};

    use super::*;

    fn register(kind: RegisterKind, handle: u32, name: &str) -> Body {
        Body::Register(Register { kind, handle, parent: 0, salt: [0; 16], name: name.to_owned() })
    }

    fn kill(hold: u64, epoch: u32, scope: Scope, state: KillState) -> Body {
        let (actor, reason) = ("anna".to_owned(), "fat finger, 100 %\n\u{e9}".to_owned());
        Body::Kill(Kill { hold, epoch, state, scope, rank: 2, allow_reduce: true, actor, reason })
    }

    fn resume(hold: u64, epoch: u32, approver: &str) -> Body {
        Body::Resume(Resume {
            hold,
            epoch,
            authenticated: false,
            actor: "anna".to_owned(),
            approver: approver.to_owned(),
            reason: String::new(),
        })
    }

    fn folded() -> HoldsFold {
        let account = Scope { kind: ScopeKind::Account, handle: 1 };
        let mut fold = HoldsFold::new();
        for (index, body) in [
            register(RegisterKind::Account, 1, "ACC 1"),
            register(RegisterKind::Actor, 1, "anna"),
            register(RegisterKind::Instrument, 1, "AAPL"),
            kill(1, 1, account, KillState::ReduceOnly),
            kill(2, 2, account, KillState::Halted),
            kill(3, 3, Scope::FIRM, KillState::Halted),
            resume(3, 4, "bo"),
        ]
        .iter()
        .enumerate()
        {
            fold.apply(index as u64, body).unwrap();
        }
        fold
    }

    #[test]
    fn the_fold_gives_the_three_files() {
        let fold = folded();
        let [(_, scopes), (_, state), (_, page)] = fold.files();
        let text = String::from_utf8(scopes.clone()).unwrap();
        assert!(text.starts_with(
            "cwts kill scopes v1\n0 firm firm\n1 account ACC%201\n2 instrument AAPL\nsha256 "
        ));
        assert_eq!(parse_scopes(&scopes).unwrap(), fold.scopes());
        let text = String::from_utf8(state.clone()).unwrap();
        assert!(text.starts_with(
            "cwts kill state v1\nepoch 4\nseq 6\n\
             hold 1 1 1 2 1 3 anna fat%20finger,%20100%20%25%0A%C3%A9\nhold 2 1 2 2 1 4 anna "
        ));
        assert_eq!(KillSnapshot::parse(&state).unwrap(), fold.snapshot());
        assert_eq!(page.len(), PAGE_BYTES);
        assert_eq!(page[16], 4);
        assert_eq!((page[64], page[128], page[192]), (0, 2, 0), "firm, account, instrument");
        assert_eq!(page.iter().filter(|b| **b != 0).count(), 8 + 1 + 1 + 1);
    }

    #[test]
    fn every_bit_of_every_text_counts() {
        let [(_, scopes), (_, state), _] = folded().files();
        let scope = NamedScope { kind: ScopeKind::Account, name: String::new() };
        let request = KillRequest {
            action: KillAction::Halt(scope.clone()),
            actor: "anna".to_owned(),
            reason: "-".to_owned(),
            utc_ns: 7,
        };
        let resume = KillAction::Resume { hold: 2, approver: "bo".to_owned() };
        for action in [request.action.clone(), KillAction::Reduce(scope), resume] {
            let request = KillRequest { action, ..request.clone() };
            assert_eq!(KillRequest::parse(request.encode().as_bytes()), Ok(request));
        }
        let request = request.encode().into_bytes();
        let flip_all = |bytes: &[u8], parses: &dyn Fn(&[u8]) -> bool| {
            assert!(parses(bytes));
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.to_vec();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert!(!parses(&flipped), "bit {bit}");
            }
            (0..bytes.len()).for_each(|n| assert!(!parses(&bytes[..n]), "cut to {n}"));
        };
        flip_all(&scopes, &|b| parse_scopes(b).is_ok());
        flip_all(&state, &|b| KillSnapshot::parse(b).is_ok());
        flip_all(&request, &|b| KillRequest::parse(b).is_ok());
    }

    #[test]
    fn another_spelling_is_refused_though_its_digest_is_right() {
        for body in [
            "cwts kill state v1\nepoch 04\nseq 6\n",
            "cwts kill state v1\nepoch 4\nseq 6\nhold 1 1 1 2 3 3 a b\n",
            "cwts kill state v1\nepoch 4\nseq 6\nhold 1 1 0 2 1 3 a b\n",
            "cwts kill state v1\nepoch 4\nseq 6\nhold 1 1 1 2 1 3 a %2f\n",
            "cwts kill state v1\nseq 6\nepoch 4\n",
            "cwts kill state v2\nepoch 4\nseq 6\n",
        ] {
            assert!(KillSnapshot::parse(seal(body.to_owned()).as_bytes()).is_err(), "{body}");
        }
        let body = "cwts kill scopes v1\n0 desk firm\n";
        assert!(parse_scopes(seal(body.to_owned()).as_bytes()).is_err());
    }

    #[test]
    fn entries_that_do_not_follow_are_refused() {
        let mut fold = folded();
        let firm = Scope::FIRM;
        let unknown = Scope { kind: ScopeKind::Venue, handle: 9 };
        for (body, error) in [
            (register(RegisterKind::Account, 1, "x"), "registered twice"),
            (kill(4, 5, unknown, KillState::Halted), "not registered"),
            (kill(3, 5, firm, KillState::Halted), "follows hold"),
            (kill(4, 4, firm, KillState::Halted), "epoch 4 follows 4"),
            (resume(3, 5, "bo"), "does not stand"),
            (resume(2, 5, "anna"), "alone"),
        ] {
            let told = fold.apply(9, &body).unwrap_err().to_string();
            assert!(told.contains(error), "{told}");
        }
        assert_eq!(fold.snapshot(), folded().snapshot(), "a refused entry changes nothing");
    }

    #[test]
    fn a_pending_page_may_be_stricter_and_never_laxer() {
        let floor = folded().snapshot().page();
        assert!(page_is_at_least(&floor, &floor));
        let mut page = floor.clone();
        page[64] = 2;
        page[16] = 5;
        assert!(page_is_at_least(&page, &floor));
        for (at, value) in [(64, 3), (128, 1), (16, 3), (72, 1), (0, 0), (8, 2), (24, 1)] {
            let mut page = floor.clone();
            page[at] = value;
            assert!(!page_is_at_least(&page, &floor), "byte {at} = {value}");
        }
        assert!(!page_is_at_least(&floor[1..], &floor));
    }

    #[test]
    fn request_names_stay_in_their_directory() {
        assert_eq!(KillRequest::path("a-1").as_deref(), Some("requests/a-1.req"));
        for bad in ["", ".x", "a/b", "a b", &"x".repeat(65)] {
            assert_eq!(KillRequest::path(bad), None);
        }
        assert!(KillRequest::is_path("requests/a-1.req"));
        assert!(!KillRequest::is_path("requests/a/b.req") && !KillRequest::is_path("a.req"));
    }
}
