//! The bodies of entries. Codes: design note "audit", section 3; new types take new codes here.

use crate::codec::{DecodeError, Reader, put_blob};
use crate::record::{
    DECISION_BYTES, Decision, EXEC_BYTES, Exec, NO_CONTROL, ORDER_BYTES, Order, Verdict, Violation,
};
use crate::scope::{KillState, Level, Scope, ScopeKind};
use crate::{Control, Reasons};

macro_rules! entry_types {
    ($($code:literal $variant:ident $name:literal)*) => {
        /// The type byte of an entry.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum EntryType {
            $(#[doc = $name] $variant = $code,)*
        }

        impl EntryType {
            /// All types of this release, by ascending code.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The type with this code, if there is one.
            #[inline]
            pub fn from_code(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The stable name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

entry_types! {
    0x00 Schema "SCHEMA"
    0x01 Genesis "GENESIS"
    0x02 Close "CLOSE"
    0x03 Recovery "RECOVERY"
    0x08 Gap "GAP"
    0x10 Order "ORDER"
    0x11 Decision "DECISION"
    0x12 Exec "EXEC"
    0x14 Alias "ALIAS"
    0x20 Reference "REFERENCE"
    0x23 LimitActivate "LIMIT_ACTIVATE"
    0x25 Kill "KILL"
    0x26 Resume "RESUME"
    0x29 Session "SESSION"
    0x2A Tick "TICK"
    0x2B ReleaseDenied "RELEASE_DENIED"
    0x2C Config "CONFIG"
    0x2D Register "REGISTER"
    0x7F Note "NOTE"
}

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
    /// All bits in use.
    pub const ALL: u32 = 3;
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
    /// Whether both people proved who they are.
    pub authenticated: bool,
    /// Who asked.
    pub actor: String,
    /// Who agreed; never the same.
    pub approver: String,
    /// Why.
    pub reason: String,
}

/// The trading state of an instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// Instrument handle.
    pub instrument: u32,
    /// 0 quoting, 1 trading, 2 halted.
    pub phase: u8,
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
            _ => return None,
        })
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
    /// A reference price.
    Reference(Reference),
    /// New limits.
    LimitActivate(LimitActivate),
    /// A new hold.
    Kill(Kill),
    /// A hold is lifted.
    Resume(Resume),
    /// The trading state of an instrument.
    Session(Session),
    /// Time passes.
    Tick,
    /// An accepted order was not released.
    ReleaseDenied(ReleaseDenied),
    /// A chunk of configuration.
    Config(Config),
    /// A handle gets its name.
    Register(Register),
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
            Self::Gap(_) => EntryType::Gap,
            Self::Order(..) => EntryType::Order,
            Self::Decision(..) => EntryType::Decision,
            Self::Exec(_) => EntryType::Exec,
            Self::Alias(_) => EntryType::Alias,
            Self::Reference(_) => EntryType::Reference,
            Self::LimitActivate(_) => EntryType::LimitActivate,
            Self::Kill(_) => EntryType::Kill,
            Self::Resume(_) => EntryType::Resume,
            Self::Session(_) => EntryType::Session,
            Self::Tick => EntryType::Tick,
            Self::ReleaseDenied(_) => EntryType::ReleaseDenied,
            Self::Config(_) => EntryType::Config,
            Self::Register(_) => EntryType::Register,
            Self::Note(_) => EntryType::Note,
        }
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Schema(json) => put_blob(out, json.as_bytes()),
            Self::Genesis(b) => {
                put_blob(out, b.origin.as_bytes());
                put_blob(out, b.log_vkey.as_bytes());
                put_blob(out, b.committee_vkey.as_bytes());
                put_blob(out, b.software.as_bytes());
                out.extend_from_slice(&b.k0_sha256);
                out.extend_from_slice(&b.retention_years.to_le_bytes());
                out.extend_from_slice(&b.salt);
            }
            Self::Close(b) => {
                out.extend_from_slice(&b.size.to_le_bytes());
                out.extend_from_slice(&b.root);
            }
            Self::Recovery(b) => {
                out.extend_from_slice(&b.good_size.to_le_bytes());
                out.extend_from_slice(&b.cut_bytes.to_le_bytes());
                out.extend_from_slice(&[b.cause as u8, 0, 0, 0, 0, 0, 0, 0]);
                out.extend_from_slice(&b.root);
            }
            Self::Gap(b) => {
                out.extend_from_slice(&b.producer.to_le_bytes());
                out.extend_from_slice(&[0; 4]);
                out.extend_from_slice(&b.count.to_le_bytes());
                out.extend_from_slice(&b.from_ns.to_le_bytes());
                out.extend_from_slice(&b.to_ns.to_le_bytes());
            }
            Self::Order(order, tail) => {
                out.extend_from_slice(&order.to_bytes());
                out.extend_from_slice(tail);
            }
            Self::Decision(decision, violations) => {
                out.extend_from_slice(&decision.to_bytes());
                for violation in violations {
                    out.extend_from_slice(&violation.to_bytes());
                }
            }
            Self::Exec(exec) => out.extend_from_slice(&exec.to_bytes()),
            Self::Alias(b) => {
                out.extend_from_slice(&b.id.to_le_bytes());
                out.extend_from_slice(&[b.kind as u8, 0]);
                put_blob(out, &b.text);
            }
            Self::Reference(b) => {
                out.extend_from_slice(&b.instrument.to_le_bytes());
                out.extend_from_slice(&b.flags.to_le_bytes());
                for px in [b.px, b.bid, b.ask, b.prior_close, b.luld_lo, b.luld_hi] {
                    out.extend_from_slice(&px.to_le_bytes());
                }
                out.extend_from_slice(&b.ts.to_le_bytes());
            }
            Self::LimitActivate(b) => {
                out.extend_from_slice(&b.version.to_le_bytes());
                out.extend_from_slice(&b.parts.to_le_bytes());
                out.extend_from_slice(&[0; 2]);
                out.extend_from_slice(&b.first_part.to_le_bytes());
                out.extend_from_slice(&b.sha256);
            }
            Self::Kill(b) => {
                out.extend_from_slice(&b.hold.to_le_bytes());
                out.extend_from_slice(&b.epoch.to_le_bytes());
                out.extend_from_slice(&[
                    b.state as u8,
                    b.scope.kind as u8,
                    b.rank,
                    u8::from(b.allow_reduce),
                ]);
                out.extend_from_slice(&b.scope.handle.to_le_bytes());
                put_blob(out, b.actor.as_bytes());
                put_blob(out, b.reason.as_bytes());
            }
            Self::Resume(b) => {
                out.extend_from_slice(&b.hold.to_le_bytes());
                out.extend_from_slice(&b.epoch.to_le_bytes());
                out.extend_from_slice(&[u8::from(b.authenticated), 0, 0, 0]);
                put_blob(out, b.actor.as_bytes());
                put_blob(out, b.approver.as_bytes());
                put_blob(out, b.reason.as_bytes());
            }
            Self::Session(b) => {
                out.extend_from_slice(&b.instrument.to_le_bytes());
                out.extend_from_slice(&[b.phase, 0, 0, 0]);
            }
            Self::Tick => {}
            Self::ReleaseDenied(b) => {
                out.extend_from_slice(&b.order_seq.to_le_bytes());
                out.extend_from_slice(&b.order_id.to_le_bytes());
                out.extend_from_slice(&b.kill_epoch.to_le_bytes());
                out.extend_from_slice(&[0; 4]);
            }
            Self::Config(b) => {
                out.extend_from_slice(&[b.kind as u8, 0]);
                out.extend_from_slice(&b.part.to_le_bytes());
                out.extend_from_slice(&b.parts.to_le_bytes());
                put_blob(out, &b.text);
            }
            Self::Register(b) => {
                out.extend_from_slice(&[b.kind as u8, 0, 0, 0]);
                out.extend_from_slice(&b.handle.to_le_bytes());
                out.extend_from_slice(&b.parent.to_le_bytes());
                out.extend_from_slice(&b.salt);
                put_blob(out, b.name.as_bytes());
            }
            Self::Note(b) => {
                out.extend_from_slice(&b.salt);
                put_blob(out, b.text.as_bytes());
            }
        }
    }

    pub(crate) fn decode(kind: EntryType, r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match kind {
            EntryType::Schema => Self::Schema(r.text("json")?),
            EntryType::Genesis => Self::Genesis(Genesis {
                origin: r.text("origin")?,
                log_vkey: r.text("log_vkey")?,
                committee_vkey: r.text("committee_vkey")?,
                software: r.text("software")?,
                k0_sha256: r.array("k0_sha256")?,
                retention_years: r.u16("retention_years")?,
                salt: r.array("salt")?,
            }),
            EntryType::Close => Self::Close(Close { size: r.u64("size")?, root: r.array("root")? }),
            EntryType::Recovery => Self::Recovery(decode_recovery(r)?),
            EntryType::Gap => {
                let producer = r.u32("producer")?;
                r.zero(4, "reserved")?;
                Self::Gap(Gap {
                    producer,
                    count: r.u64("count")?,
                    from_ns: r.i64("from_ns")?,
                    to_ns: r.i64("to_ns")?,
                })
            }
            EntryType::Order => decode_order(r)?,
            EntryType::Decision => decode_decision(r)?,
            EntryType::Exec => Self::Exec(Exec::from_bytes(&r.array::<EXEC_BYTES>("exec")?)),
            EntryType::Alias => Self::Alias(decode_alias(r)?),
            EntryType::Reference => Self::Reference(decode_reference(r)?),
            EntryType::LimitActivate => {
                let version = r.u32("version")?;
                let parts = r.u16("parts")?;
                r.zero(2, "reserved")?;
                Self::LimitActivate(LimitActivate {
                    version,
                    parts,
                    first_part: r.u64("first_part")?,
                    sha256: r.array("sha256")?,
                })
            }
            EntryType::Kill => Self::Kill(decode_kill(r)?),
            EntryType::Resume => {
                let hold = r.u64("hold")?;
                let epoch = r.u32("epoch")?;
                let authenticated = boolean(r, "authenticated")?;
                r.zero(3, "reserved")?;
                Self::Resume(Resume {
                    hold,
                    epoch,
                    authenticated,
                    actor: r.text("actor")?,
                    approver: r.text("approver")?,
                    reason: r.text("reason")?,
                })
            }
            EntryType::Session => {
                let instrument = r.u32("instrument")?;
                let phase = r.u8("phase")?;
                let phase =
                    r.value((phase <= 2).then_some(phase), 1, "phase", phase.into(), "0 to 2")?;
                r.zero(3, "reserved")?;
                Self::Session(Session { instrument, phase })
            }
            EntryType::Tick => Self::Tick,
            EntryType::ReleaseDenied => {
                let order_seq = r.u64("order_seq")?;
                let order_id = r.u64("order_id")?;
                let kill_epoch = r.u32("kill_epoch")?;
                r.zero(4, "reserved")?;
                Self::ReleaseDenied(ReleaseDenied { order_seq, order_id, kill_epoch })
            }
            EntryType::Config => Self::Config(decode_config(r)?),
            EntryType::Register => Self::Register(decode_register(r)?),
            EntryType::Note => Self::Note(Note { salt: r.array("salt")?, text: r.text("text")? }),
        })
    }
}

fn boolean(r: &mut Reader<'_>, field: &'static str) -> Result<bool, DecodeError> {
    let code = r.u8(field)?;
    r.value((code <= 1).then_some(code == 1), 1, field, code.into(), "0 or 1")
}

fn decode_recovery(r: &mut Reader<'_>) -> Result<Recovery, DecodeError> {
    let good_size = r.u64("good_size")?;
    let cut_bytes = r.u64("cut_bytes")?;
    let code = r.u8("cause")?;
    let cause = match code {
        1 => Some(RecoveryCause::TornTail),
        2 => Some(RecoveryCause::NoClose),
        _ => None,
    };
    let cause = r.value(cause, 1, "cause", code.into(), "1 or 2")?;
    r.zero(7, "reserved")?;
    Ok(Recovery { good_size, cut_bytes, cause, root: r.array("root")? })
}

fn decode_order(r: &mut Reader<'_>) -> Result<Body, DecodeError> {
    let order = Order::from_bytes(&r.array::<ORDER_BYTES>("order")?);
    let at = r.at();
    let tail = r.rest();
    if tail.len() > ORDER_TAIL_BYTES_MAX {
        let extra = tail.len() - ORDER_TAIL_BYTES_MAX;
        return Err(DecodeError::Long { offset: at + ORDER_TAIL_BYTES_MAX, extra });
    }
    Ok(Body::Order(order, tail.to_vec()))
}

fn decode_decision(r: &mut Reader<'_>) -> Result<Body, DecodeError> {
    let at = r.at();
    let decision = Decision::from_bytes(&r.array::<DECISION_BYTES>("decision")?);
    let wrong = |field, value, allowed| DecodeError::Value { offset: at, field, value, allowed };
    if !decision.reasons.is_known() {
        return Err(wrong("reasons", decision.reasons.0, "known bits"));
    }
    let first = decision.reasons.first().map_or(NO_CONTROL, |c| c as u8);
    if decision.first != first {
        return Err(wrong("first", decision.first.into(), "the lowest bit of reasons"));
    }
    if Level::from_code(decision.level).is_none() {
        return Err(wrong("level", decision.level.into(), "a known level"));
    }
    if Verdict::from_code(decision.verdict).is_none() {
        return Err(wrong("verdict", decision.verdict.into(), "1 to 4"));
    }
    if decision.flags != 0 {
        return Err(wrong("flags", decision.flags.into(), "0"));
    }
    let refused =
        decision.verdict == Verdict::Reject as u8 || decision.verdict == Verdict::SoftBlock as u8;
    if refused == decision.reasons.is_empty() && decision.verdict != Verdict::CancelPassed as u8 {
        return Err(wrong(
            "verdict",
            decision.verdict.into(),
            "a refusal exactly when reasons exist",
        ));
    }
    let mut violations = Vec::new();
    if decision.verdict != Verdict::Accept as u8 {
        for control in decision.reasons.iter() {
            violations.push(decode_violation(r, control)?);
        }
    }
    Ok(Body::Decision(decision, violations))
}

fn decode_violation(r: &mut Reader<'_>, control: Control) -> Result<Violation, DecodeError> {
    let code = r.u8("violation.control")?;
    let same = (code == control as u8).then_some(());
    r.value(same, 1, "violation.control", code.into(), "the next bit of reasons")?;
    let code = r.u8("violation.level")?;
    let level =
        r.value(Level::from_code(code), 1, "violation.level", code.into(), "a known level")?;
    r.zero(2, "reserved")?;
    Ok(Violation {
        control,
        level,
        scope: r.u32("violation.scope")?,
        observed: r.i64("violation.observed")?,
        limit: r.i64("violation.limit")?,
    })
}

fn decode_alias(r: &mut Reader<'_>) -> Result<Alias, DecodeError> {
    let id = r.u64("id")?;
    let code = r.u8("kind")?;
    let kind = match code {
        1 => Some(AliasKind::ClOrdId),
        2 => Some(AliasKind::OrderId),
        3 => Some(AliasKind::ExecId),
        4 => Some(AliasKind::TradeId),
        _ => None,
    };
    let kind = r.value(kind, 1, "kind", code.into(), "1 to 4")?;
    r.zero(1, "reserved")?;
    Ok(Alias { id, kind, text: r.blob("text")? })
}

fn decode_reference(r: &mut Reader<'_>) -> Result<Reference, DecodeError> {
    let instrument = r.u32("instrument")?;
    let flags = r.u32("flags")?;
    let ok = (flags & !reference_flag::ALL == 0).then_some(());
    r.value(ok, 4, "flags", flags.into(), "known bits")?;
    Ok(Reference {
        instrument,
        flags,
        px: r.i64("px")?,
        bid: r.i64("bid")?,
        ask: r.i64("ask")?,
        prior_close: r.i64("prior_close")?,
        luld_lo: r.i64("luld_lo")?,
        luld_hi: r.i64("luld_hi")?,
        ts: r.u64("ts")?,
    })
}

fn decode_kill(r: &mut Reader<'_>) -> Result<Kill, DecodeError> {
    let hold = r.u64("hold")?;
    let epoch = r.u32("epoch")?;
    let code = r.u8("state")?;
    let state = KillState::from_code(code).filter(|s| *s != KillState::Active);
    let state = r.value(state, 1, "state", code.into(), "1 or 2")?;
    let code = r.u8("scope_kind")?;
    let kind = r.value(ScopeKind::from_code(code), 1, "scope_kind", code.into(), "0 to 6")?;
    let rank = r.u8("rank")?;
    let allow_reduce = boolean(r, "allow_reduce")?;
    let scope = Scope { kind, handle: r.u32("scope")? };
    Ok(Kill {
        hold,
        epoch,
        state,
        scope,
        rank,
        allow_reduce,
        actor: r.text("actor")?,
        reason: r.text("reason")?,
    })
}

fn decode_config(r: &mut Reader<'_>) -> Result<Config, DecodeError> {
    let code = r.u8("kind")?;
    let kind = match code {
        1 => Some(ConfigKind::Limits),
        2 => Some(ConfigKind::Mapping),
        3 => Some(ConfigKind::Summary),
        _ => None,
    };
    let kind = r.value(kind, 1, "kind", code.into(), "1 to 3")?;
    r.zero(1, "reserved")?;
    let part = r.u16("part")?;
    let parts = r.u16("parts")?;
    r.value((part < parts).then_some(()), 2, "parts", parts.into(), "more than part")?;
    Ok(Config { kind, part, parts, text: r.blob("text")? })
}

fn decode_register(r: &mut Reader<'_>) -> Result<Register, DecodeError> {
    let code = r.u8("kind")?;
    let kind = r.value(RegisterKind::from_code(code), 1, "kind", code.into(), "1 to 7")?;
    r.zero(3, "reserved")?;
    Ok(Register {
        kind,
        handle: r.u32("handle")?,
        parent: r.u32("parent")?,
        salt: r.array("salt")?,
        name: r.text("name")?,
    })
}

impl Decision {
    /// A decision with its first violation filled in.
    pub fn with_violations(mut self, violations: &[Violation]) -> Self {
        let mut reasons = Reasons::NONE;
        for violation in violations {
            reasons.insert(violation.control);
        }
        self.reasons = reasons;
        if let Some(first) = violations.first() {
            self.first = first.control as u8;
            self.level = first.level as u8;
            self.scope = first.scope;
            self.observed = first.observed;
            self.limit = first.limit;
        }
        self
    }
}

/// An order's tail still fits two SHA-256 blocks.
const ORDER_TAIL_BYTES_MAX: usize = 14;
