//! One market event, as every decoder emits it and every mapping reads it.
//!
//! The layout is design note "replay", section 3: 64 bytes, little-endian, one cache line. An
//! `Event` is the market's; it is never logged. What is logged is `cwts_types::Order`.

/// What happened in the market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum EventKind {
    /// A new resting order.
    Add = 1,
    /// A partial cancel; `qty` is the quantity taken off.
    Reduce = 2,
    /// A full cancel.
    Delete = 3,
    /// An execution of a resting order; `side` is the resting side.
    Fill = 4,
    /// A print that names no visible order.
    Trade = 5,
    /// A change of price or quantity; `qty` is the new absolute quantity.
    Replace = 6,
    /// A change of the instrument's trading state; `qty` is 0 quoting, 1 trading, 2 halted.
    State = 7,
    /// The book is emptied.
    Clear = 8,
    /// A clock reading without an event.
    Clock = 9,
    /// An external reference price.
    Ref = 10,
    /// A cross or auction print.
    Cross = 11,
}

impl EventKind {
    /// The kind with this code, if there is one.
    pub fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Add,
            2 => Self::Reduce,
            3 => Self::Delete,
            4 => Self::Fill,
            5 => Self::Trade,
            6 => Self::Replace,
            7 => Self::State,
            8 => Self::Clear,
            9 => Self::Clock,
            10 => Self::Ref,
            11 => Self::Cross,
            _ => return None,
        })
    }
}

/// Bits of [`Event::flags`].
pub mod flag {
    /// A row of a book snapshot, not an order.
    pub const SNAPSHOT: u16 = 1;
    /// The last row of one venue event.
    pub const EVENT_END: u16 = 2;
    /// A row that follows from a fill in the same event.
    pub const CONSEQUENCE: u16 = 4;
    /// A row on an order id that was never added in the file.
    pub const ORPHAN: u16 = 8;
    /// An execution against a hidden order.
    pub const HIDDEN: u16 = 16;
    /// The timestamp is earlier than that of the row before.
    pub const TIME_BACK: u16 = 32;
    /// The row carries no price.
    pub const UNDEF_PX: u16 = 64;
    /// The venue marks the timestamp as unreliable.
    pub const BAD_TS: u16 = 128;
    /// A possible duplicate (FIX 43=Y).
    pub const POSSDUP: u16 = 256;
    /// A print that must not move the reference price.
    pub const NO_REF: u16 = 512;
    /// A venue's report on an order of the party whose log this is: of a DELETE `ref_id` is the
    /// FIX execution type that ended the order, of a FILL the execution's id.
    pub const REPORT: u16 = 1024;
}

/// One market event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Exchange event time, UTC epoch nanoseconds.
    pub ts_ns: u64,
    /// Venue order id; text ids are interned in file order.
    pub order_id: u64,
    /// Price in 1e-9 currency units; meaningless with [`flag::UNDEF_PX`].
    pub px: i64,
    /// Quantity in the instrument's smallest unit.
    pub qty: i64,
    /// The replaced order's old id, or a match number.
    pub ref_id: u64,
    /// Record number in the file, 0-based.
    pub src: u64,
    /// Interned instrument: index into the file's symbol table, 0-based.
    pub instrument: u32,
    /// Interned account: index into the file's account table; `u32::MAX` when the format has none.
    pub account: u32,
    /// Interned strategy: index into the file's strategy table; `u32::MAX` when it has none.
    pub strategy: u32,
    /// What happened.
    pub kind: EventKind,
    /// FIX 54: 0 none, 1 buy, 2 sell, 5 short, 6 short exempt.
    pub side: u8,
    /// Bits of [`flag`].
    pub flags: u16,
}

/// The names behind an input's handles, in order of first appearance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Symbols; an event's `instrument` is an index into this table.
    pub instruments: Vec<String>,
    /// Accounts.
    pub accounts: Vec<String>,
    /// Strategies.
    pub strategies: Vec<String>,
}
