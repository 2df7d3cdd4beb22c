//! The bodies of entries.

use crate::codec::DecodeError;
use crate::record::{Decision, Exec, Order, Violation};
use crate::scope::{KillState, Scope, ScopeKind};

mod change;
mod decode;
mod encode;
pub(crate) mod keeping;
mod kind;
mod oversight;
mod phase;
mod sealed;

pub use keeping::{
    Access, AccessKind, Amend, Archive, ArchiveCodec, Clock, ClockSource, Fsck, Hold, HoldRelease,
    KeyEpoch, Shred,
};
pub use kind::EntryType;
pub use oversight::{Alert, AlertKind, Override, TriggerCounts, TriggerRow};
pub use phase::{Phase, SessionKind};
pub use sealed::{Sealed, SealedKind};

pub use change::{LimitApprove, LimitDirection, LimitExpire, LimitPropose, Signature};

/// What the log is and who signs it; entry 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Genesis {
    /// The log's origin, as in its checkpoints.
    pub origin: String,
    /// The log's verification key; empty in a replay.
    pub log_vkey: String,
    /// The committee's verification key; empty without one.
    pub committee_vkey: String,
    /// Name and version of the software.
    pub software: String,
    /// SHA-256 of the first frame key; zero in a replay.
    pub k0_sha256: [u8; 32],
    /// How long entries are kept.
    pub retention_years: u16,
    /// Random bytes that make this log unlike any other.
    pub salt: [u8; 16],
}

/// A clean shutdown; the tree before this entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Close {
    /// Entries before this one.
    pub size: u64,
    /// Their root.
    pub root: [u8; 32],
}

/// Why an open was not clean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum RecoveryCause {
    /// The last frame ends where the file was cut or torn.
    TornTail = 1,
    /// All frames are whole, but no CLOSE was written.
    NoClose = 2,
}

/// An unclean open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    /// Entries that were good.
    pub good_size: u64,
    /// Bytes cut from the tail.
    pub cut_bytes: u64,
    /// Why.
    pub cause: RecoveryCause,
    /// Root of the good entries.
    pub root: [u8; 32],
}

/// Orders that were refused while the log had no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Who sent them.
    pub producer: u32,
    /// How many.
    pub count: u64,
    /// UTC nanoseconds of the first.
    pub from_ns: i64,
    /// UTC nanoseconds of the last.
    pub to_ns: i64,
}

/// What a client text stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum AliasKind {
    /// FIX `ClOrdID`.
    ClOrdId = 1,
    /// FIX `OrderID`.
    OrderId = 2,
    /// FIX `ExecID`.
    ExecId = 3,
    /// FIX `TradeID`.
    TradeId = 4,
}

/// A client's text for an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The order id that it stands for.
    pub id: u64,
    /// What the text is.
    pub kind: AliasKind,
    /// The text.
    pub text: Vec<u8>,
}

/// Bits of [`Reference::flags`].
pub mod reference_flag {
    /// The price is the last trade of the tape.
    pub const LAST_TRADE: u32 = 1;
    /// The price was set from outside.
    pub const EXTERNAL: u32 = 2;
    /// The price is the middle of bid and ask; nobody traded or set it.
    pub const MID: u32 = 4;
    /// The short-sale restriction of Reg SHO 201 is on from here on.
    pub const SHORT_RESTRICTED: u32 = 8;
    /// It is off from here on.
    pub const SHORT_FREE: u32 = 16;
    /// There is no limit-up limit-down band from here on.
    pub const NO_BAND: u32 = 32;
    /// All bits in use.
    pub const ALL: u32 = 63;
}

/// A reference price; 0 in a price field means that it is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reference {
    /// Instrument handle.
    pub instrument: u32,
    /// Bits of [`reference_flag`].
    pub flags: u32,
    /// The reference price, 1e-9.
    pub px: i64,
    /// National best bid, 1e-9.
    pub bid: i64,
    /// National best offer, 1e-9.
    pub ask: i64,
    /// Prior close, 1e-9.
    pub prior_close: i64,
    /// Lower limit-up limit-down band, 1e-9.
    pub luld_lo: i64,
    /// Upper limit-up limit-down band, 1e-9.
    pub luld_hi: i64,
    /// UTC nanoseconds at which it was true.
    pub ts: u64,
}

/// A version of the limits comes into force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitActivate {
    /// Version from here on; grows by one.
    pub version: u32,
    /// Chunks of the limits text, as CONFIG entries.
    pub parts: u16,
    /// Log index of the first chunk.
    pub first_part: u64,
    /// SHA-256 of the text.
    pub sha256: [u8; 32],
}

/// A new hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kill {
    /// Number of the hold; grows by one.
    pub hold: u64,
    /// Number of kill events, this one included.
    pub epoch: u32,
    /// What it sets.
    pub state: KillState,
    /// Where.
    pub scope: Scope,
    /// Rank of who holds: a lower rank cannot lift it.
    pub rank: u8,
    /// Whether reducing orders pass in HALTED.
    pub allow_reduce: bool,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// A hold is lifted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    /// The hold.
    pub hold: u64,
    /// Number of kill events, this one included.
    pub epoch: u32,
    /// Who asked.
    pub actor: String,
    /// Who agreed; never the same.
    pub approver: String,
    /// Why.
    pub reason: String,
    /// By the keys of both, in this order; `None` where no operators are listed, so that nobody
    /// proved who they are.
    pub signatures: Option<[Signature; 2]>,
}

/// Shares that somebody found to borrow: what may be sold short today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locate {
    /// Account handle.
    pub account: u32,
    /// Instrument handle.
    pub instrument: u32,
    /// Located for the day in all, the instrument's smallest unit; not below zero.
    pub qty: i64,
    /// Who says so.
    pub actor: String,
}

/// The trading state of an instrument or a venue, or whether a session is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// Whose.
    pub kind: SessionKind,
    /// Handle of the kind.
    pub handle: u32,
    /// What it is in from here on.
    pub phase: Phase,
}

/// An accepted order was not released after all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReleaseDenied {
    /// Log index of the order.
    pub order_seq: u64,
    /// Its id.
    pub order_id: u64,
    /// Number of kill events when it was held back.
    pub kill_epoch: u32,
}

/// What a CONFIG entry holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ConfigKind {
    /// A chunk of the limits file.
    Limits = 1,
    /// How a replay maps its input.
    Mapping = 2,
    /// Digests and counts of a replay's inputs.
    Summary = 3,
}

/// A chunk of configuration text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// What it belongs to.
    pub kind: ConfigKind,
    /// Number of this chunk, from 0.
    pub part: u16,
    /// How many there are.
    pub parts: u16,
    /// The chunk.
    pub text: Vec<u8>,
}

/// What a handle names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum RegisterKind {
    /// A desk.
    Desk = 1,
    /// A customer.
    Customer = 2,
    /// An account.
    Account = 3,
    /// A strategy.
    Strategy = 4,
    /// An instrument.
    Instrument = 5,
    /// A venue.
    Venue = 6,
    /// A person or algorithm.
    Actor = 7,
    /// A session over which strategies send.
    Session = 8,
}

impl RegisterKind {
    /// The kind with this code, if there is one.
    pub fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Desk,
            2 => Self::Customer,
            3 => Self::Account,
            4 => Self::Strategy,
            5 => Self::Instrument,
            6 => Self::Venue,
            7 => Self::Actor,
            8 => Self::Session,
            _ => return None,
        })
    }

    /// The lower-case word that people use.
    pub fn noun(self) -> &'static str {
        self.scope_kind().map_or("person", ScopeKind::name)
    }

    /// The kind of scope that it can be halted as; an actor cannot.
    pub fn scope_kind(self) -> Option<ScopeKind> {
        if self == Self::Actor { None } else { ScopeKind::from_code(self as u8) }
    }
}

/// A handle gets its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    /// What is named.
    pub kind: RegisterKind,
    /// The handle, from 1, without gaps within a kind.
    pub handle: u32,
    /// Handle of the parent (customer of an account, desk of a customer), or 0.
    pub parent: u32,
    /// Random bytes, so that the name cannot be guessed from the leaf's hash; zero in a replay.
    pub salt: [u8; 16],
    /// The name.
    pub name: String,
}

/// Free text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Random bytes, so that the text cannot be guessed from the leaf's hash; zero in a replay.
    pub salt: [u8; 16],
    /// The text.
    pub text: String,
}

/// A byte that is 0 or 1.
fn boolean(r: &mut crate::codec::Reader<'_>, field: &'static str) -> Result<bool, DecodeError> {
    let code = r.u8(field)?;
    r.value((code <= 1).then_some(code == 1), 1, field, code.into(), "0 or 1")
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Entry 0: the layout of every type, as JSON.
    Schema(String),
    /// Entry 1.
    Genesis(Genesis),
    /// A clean shutdown.
    Close(Close),
    /// An unclean open.
    Recovery(Recovery),
    /// An epoch of the frame keys has ended.
    KeyEpoch(KeyEpoch),
    /// A reading of the clock.
    Clock(Clock),
    /// A scheduled check of the log.
    Fsck(Fsck),
    /// Orders refused while the log had no room.
    Gap(Gap),
    /// An order, with a tail of at most 14 bytes that risk does not read.
    Order(Order, Vec<u8>),
    /// A decision, with one violation for each bit.
    Decision(Decision, Vec<Violation>),
    /// An execution report.
    Exec(Exec),
    /// A client's text for an id.
    Alias(Alias),
    /// A text about a subject, under its key.
    Sealed(Sealed),
    /// A reference price.
    Reference(Reference),
    /// A change of the limits is proposed.
    LimitPropose(LimitPropose),
    /// A second person agrees to a change.
    LimitApprove(LimitApprove),
    /// New limits.
    LimitActivate(LimitActivate),
    /// A temporary raise has ended.
    LimitExpire(LimitExpire),
    /// A new hold.
    Kill(Kill),
    /// A hold is lifted.
    Resume(Resume),
    /// One blocked order may pass.
    Override(Override),
    /// Shares located.
    Locate(Locate),
    /// The trading state of an instrument or venue, or a session's.
    Session(Session),
    /// Time passes.
    Tick,
    /// An accepted order was not released.
    ReleaseDenied(ReleaseDenied),
    /// A chunk of configuration.
    Config(Config),
    /// A handle gets its name.
    Register(Register),
    /// Somebody should look.
    Alert(Alert),
    /// A correction.
    Amend(Amend),
    /// Entries that may not be deleted.
    Hold(Hold),
    /// They may again.
    HoldRelease(HoldRelease),
    /// A data key was destroyed.
    Shred(Shred),
    /// Entries went into an archived block.
    Archive(Archive),
    /// Who got what out of the log.
    Access(Access),
    /// What controls triggered in a day.
    TriggerCounts(TriggerCounts),
    /// Free text.
    Note(Note),
}

impl Body {
    /// The type byte.
    pub fn entry_type(&self) -> EntryType {
        match self {
            Self::Schema(_) => EntryType::Schema,
            Self::Genesis(_) => EntryType::Genesis,
            Self::Close(_) => EntryType::Close,
            Self::Recovery(_) => EntryType::Recovery,
            Self::KeyEpoch(_) => EntryType::KeyEpoch,
            Self::Clock(_) => EntryType::Clock,
            Self::Fsck(_) => EntryType::Fsck,
            Self::Gap(_) => EntryType::Gap,
            Self::Order(..) => EntryType::Order,
            Self::Decision(..) => EntryType::Decision,
            Self::Exec(_) => EntryType::Exec,
            Self::Alias(_) => EntryType::Alias,
            Self::Sealed(_) => EntryType::Sealed,
            Self::Reference(_) => EntryType::Reference,
            Self::LimitPropose(_) => EntryType::LimitPropose,
            Self::LimitApprove(_) => EntryType::LimitApprove,
            Self::LimitActivate(_) => EntryType::LimitActivate,
            Self::LimitExpire(_) => EntryType::LimitExpire,
            Self::Kill(_) => EntryType::Kill,
            Self::Resume(_) => EntryType::Resume,
            Self::Override(_) => EntryType::Override,
            Self::Locate(_) => EntryType::Locate,
            Self::Session(_) => EntryType::Session,
            Self::Tick => EntryType::Tick,
            Self::ReleaseDenied(_) => EntryType::ReleaseDenied,
            Self::Config(_) => EntryType::Config,
            Self::Register(_) => EntryType::Register,
            Self::Alert(_) => EntryType::Alert,
            Self::Amend(_) => EntryType::Amend,
            Self::Hold(_) => EntryType::Hold,
            Self::HoldRelease(_) => EntryType::HoldRelease,
            Self::Shred(_) => EntryType::Shred,
            Self::Archive(_) => EntryType::Archive,
            Self::Access(_) => EntryType::Access,
            Self::TriggerCounts(_) => EntryType::TriggerCounts,
            Self::Note(_) => EntryType::Note,
        }
    }
}
