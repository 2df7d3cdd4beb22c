//! What every room of the house agrees on: entries, records, fixed point, reason codes.
//!
//! All encodings are canonical and little-endian: `decode` accepts bytes only if encoding the
//! result gives the same bytes back. No clock, no I/O, no floats.
#![forbid(unsafe_code)]

mod body;
mod codec;
mod control;
mod decimal;
mod entry;
mod record;
mod schema;
mod scope;

pub use body::{
    Access, AccessKind, Alert, AlertKind, Alias, AliasKind, Amend, Archive, ArchiveCodec, Body,
    Clock, ClockSource, Close, Config, ConfigKind, EntryType, Fsck, Gap, Genesis, Hold,
    HoldRelease, KeyEpoch, Kill, LimitActivate, LimitApprove, LimitDirection, LimitExpire,
    LimitPropose, Locate, Note, Override, Phase, Recovery, RecoveryCause, Reference, Register,
    RegisterKind, ReleaseDenied, Resume, Sealed, SealedKind, Session, SessionKind, Shred,
    Signature, TriggerCounts, TriggerRow, reference_flag,
};
pub use codec::DecodeError;
pub use control::{CONTROLS, Control, ControlInfo, Reasons, Stage};
pub use decimal::{DecimalError, format_e9, parse_decimal, parse_e9};
pub use entry::{
    ClockState, ENTRY_BYTES_MAX, Entry, HEADER_BYTES, HOT_ENTRY_BYTES_MAX, Header, ReleaseMode,
    entry_flag, producer,
};
pub use record::{
    DECISION_BYTES, Decision, EXEC_BYTES, Exec, NO_CONTROL, ORDER_BYTES, Order, OrderKind,
    OrderType, Side, VIOLATION_BYTES, Verdict, Violation, exec_type, order_flag,
};
pub use schema::schema_json;
pub use scope::{KillState, Level, Scope, ScopeKind, UnknownScopeKind};
