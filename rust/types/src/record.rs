//! The 64-byte records of the order path: order, decision, execution report.
//!
//! Layouts: design note "risk", section 3. An [`Order`] keeps its raw bytes, so that a malformed
//! one can be refused with a reason, and logged as it came.

/// Size of an order record.
pub const ORDER_BYTES: usize = 64;
/// Size of a decision record.
pub const DECISION_BYTES: usize = 64;
/// Size of an execution report record.
pub const EXEC_BYTES: usize = 64;
/// Size of one violation behind a refusing decision.
pub const VIOLATION_BYTES: usize = 24;
/// `Decision::first` when nothing was violated.
pub const NO_CONTROL: u8 = 255;

/// Bits of [`Order::flags`].
pub mod order_flag {
    /// The sender wants the order only if it reduces.
    pub const REDUCE_ONLY: u8 = 1;
    /// Must not take liquidity.
    pub const POST_ONLY: u8 = 2;
    /// Intermarket sweep order.
    pub const ISO: u8 = 4;
    /// An odd lot is intended.
    pub const ODD_LOT: u8 = 8;
    /// A possible resend.
    pub const RESEND: u8 = 16;
    /// For the auction.
    pub const AUCTION: u8 = 32;
    /// Bits that must be zero.
    pub const RESERVED: u8 = 64 | 128;
}

/// FIX 150 `ExecType` codes that the engine acts on.
pub mod exec_type {
    /// New.
    pub const NEW: u8 = b'0';
    /// Done for day.
    pub const DONE_FOR_DAY: u8 = b'3';
    /// Canceled.
    pub const CANCELED: u8 = b'4';
    /// Replaced.
    pub const REPLACED: u8 = b'5';
    /// Pending cancel.
    pub const PENDING_CANCEL: u8 = b'6';
    /// Rejected.
    pub const REJECTED: u8 = b'8';
    /// Pending new.
    pub const PENDING_NEW: u8 = b'A';
    /// Expired.
    pub const EXPIRED: u8 = b'C';
    /// Pending replace.
    pub const PENDING_REPLACE: u8 = b'E';
    /// Trade.
    pub const TRADE: u8 = b'F';
}

/// What an order record asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum OrderKind {
    /// A new order.
    New = 1,
    /// New price and quantity for the working order `ref_id`.
    Replace = 2,
    /// Cancel of the working order `ref_id`.
    Cancel = 3,
    /// Cancel of all working orders of the account (and instrument, if not 0).
    MassCancel = 4,
}

/// FIX 54.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Side {
    /// Buy.
    Buy = 1,
    /// Sell.
    Sell = 2,
    /// Sell short.
    Short = 5,
    /// Sell short exempt.
    ShortExempt = 6,
}

impl Side {
    /// The side with this FIX code, if there is one.
    #[inline]
    pub fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Buy,
            2 => Self::Sell,
            5 => Self::Short,
            6 => Self::ShortExempt,
            _ => return None,
        })
    }

    /// Whether it buys.
    #[inline]
    pub fn is_buy(self) -> bool {
        self == Self::Buy
    }

    /// The lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
            Self::Short => "short",
            Self::ShortExempt => "short_exempt",
        }
    }
}

/// Low nibble of `type_tif`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum OrderType {
    /// Market.
    Market = 1,
    /// Limit.
    Limit = 2,
    /// Stop.
    Stop = 3,
    /// Stop limit.
    StopLimit = 4,
    /// Pegged.
    Pegged = 5,
}

impl OrderType {
    /// The type with this code, if there is one.
    #[inline]
    pub fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Market,
            2 => Self::Limit,
            3 => Self::Stop,
            4 => Self::StopLimit,
            5 => Self::Pegged,
            _ => return None,
        })
    }
}

/// An order, replace or cancel, as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Order {
    /// Log index; 0 on input.
    pub seq: u64,
    /// UTC nanoseconds, given by the gateway (in a replay: by the source).
    pub ts: u64,
    /// 1e-9 currency per whole unit; 0 = no price; may be negative.
    pub px: i64,
    /// The instrument's smallest unit; the side is never in the sign.
    pub qty: i64,
    /// Gateway order id.
    pub order_id: u64,
    /// Target of a replace or cancel, else 0.
    pub ref_id: u64,
    /// Instrument handle.
    pub instrument: u32,
    /// Account handle.
    pub account: u32,
    /// Strategy handle.
    pub strategy: u32,
    /// [`OrderKind`] as a raw byte.
    pub kind: u8,
    /// [`Side`] as a raw byte.
    pub side: u8,
    /// Low nibble [`OrderType`], high nibble FIX 59.
    pub type_tif: u8,
    /// Bits of [`order_flag`].
    pub flags: u8,
}

fn u64_at(bytes: &[u8; 64], at: usize) -> u64 {
    let mut b = [0; 8];
    b.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(b)
}

fn u32_at(bytes: &[u8; 64], at: usize) -> u32 {
    let mut b = [0; 4];
    b.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(b)
}

impl Order {
    /// The record's bytes.
    #[inline]
    pub fn to_bytes(&self) -> [u8; ORDER_BYTES] {
        let mut out = [0; ORDER_BYTES];
        out[0..8].copy_from_slice(&self.seq.to_le_bytes());
        out[8..16].copy_from_slice(&self.ts.to_le_bytes());
        out[16..24].copy_from_slice(&self.px.to_le_bytes());
        out[24..32].copy_from_slice(&self.qty.to_le_bytes());
        out[32..40].copy_from_slice(&self.order_id.to_le_bytes());
        out[40..48].copy_from_slice(&self.ref_id.to_le_bytes());
        out[48..52].copy_from_slice(&self.instrument.to_le_bytes());
        out[52..56].copy_from_slice(&self.account.to_le_bytes());
        out[56..60].copy_from_slice(&self.strategy.to_le_bytes());
        out[60] = self.kind;
        out[61] = self.side;
        out[62] = self.type_tif;
        out[63] = self.flags;
        out
    }

    /// The record with these bytes; every 64 bytes are one.
    #[inline]
    pub fn from_bytes(bytes: &[u8; ORDER_BYTES]) -> Self {
        Self {
            seq: u64_at(bytes, 0),
            ts: u64_at(bytes, 8),
            px: u64_at(bytes, 16) as i64,
            qty: u64_at(bytes, 24) as i64,
            order_id: u64_at(bytes, 32),
            ref_id: u64_at(bytes, 40),
            instrument: u32_at(bytes, 48),
            account: u32_at(bytes, 52),
            strategy: u32_at(bytes, 56),
            kind: bytes[60],
            side: bytes[61],
            type_tif: bytes[62],
            flags: bytes[63],
        }
    }

    /// What it asks for, if the byte names a kind.
    #[inline]
    pub fn order_kind(&self) -> Option<OrderKind> {
        Some(match self.kind {
            1 => OrderKind::New,
            2 => OrderKind::Replace,
            3 => OrderKind::Cancel,
            4 => OrderKind::MassCancel,
            _ => return None,
        })
    }
}

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Verdict {
    /// Accepted: credit is reserved.
    Accept = 1,
    /// Refused.
    Reject = 2,
    /// Refused by soft controls only; an override can let it through.
    SoftBlock = 3,
    /// A cancel, which risk never refuses.
    CancelPassed = 4,
}

impl Verdict {
    /// The verdict with this code, if there is one.
    pub fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Accept,
            2 => Self::Reject,
            3 => Self::SoftBlock,
            4 => Self::CancelPassed,
            _ => return None,
        })
    }
}

/// The decision on one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decision {
    /// Log index of this decision.
    pub seq: u64,
    /// Log index of its order.
    pub order_seq: u64,
    /// All violated controls.
    pub reasons: crate::Reasons,
    /// Observed value of the first violation.
    pub observed: i64,
    /// Limit of the first violation.
    pub limit: i64,
    /// The order's id.
    pub order_id: u64,
    /// Version of the limits that it used.
    pub limits_version: u32,
    /// Number of kill events so far.
    pub kill_epoch: u32,
    /// Handle at which the first violation fired.
    pub scope: u32,
    /// Bit of the first violation, or [`NO_CONTROL`].
    pub first: u8,
    /// [`crate::Level`] of the first violation.
    pub level: u8,
    /// [`Verdict`] as a byte.
    pub verdict: u8,
    /// Zero in this version.
    pub flags: u8,
}

impl Decision {
    /// A decision with its first violation filled in.
    pub fn with_violations(mut self, violations: &[Violation]) -> Self {
        let mut reasons = crate::Reasons::NONE;
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

    /// The record's bytes.
    #[inline]
    pub fn to_bytes(&self) -> [u8; DECISION_BYTES] {
        let mut out = [0; DECISION_BYTES];
        out[0..8].copy_from_slice(&self.seq.to_le_bytes());
        out[8..16].copy_from_slice(&self.order_seq.to_le_bytes());
        out[16..24].copy_from_slice(&self.reasons.0.to_le_bytes());
        out[24..32].copy_from_slice(&self.observed.to_le_bytes());
        out[32..40].copy_from_slice(&self.limit.to_le_bytes());
        out[40..48].copy_from_slice(&self.order_id.to_le_bytes());
        out[48..52].copy_from_slice(&self.limits_version.to_le_bytes());
        out[52..56].copy_from_slice(&self.kill_epoch.to_le_bytes());
        out[56..60].copy_from_slice(&self.scope.to_le_bytes());
        out[60] = self.first;
        out[61] = self.level;
        out[62] = self.verdict;
        out[63] = self.flags;
        out
    }

    /// The record with these bytes, unchecked; [`crate::Entry::decode`] checks them.
    #[inline]
    pub fn from_bytes(bytes: &[u8; DECISION_BYTES]) -> Self {
        Self {
            seq: u64_at(bytes, 0),
            order_seq: u64_at(bytes, 8),
            reasons: crate::Reasons(u64_at(bytes, 16)),
            observed: u64_at(bytes, 24) as i64,
            limit: u64_at(bytes, 32) as i64,
            order_id: u64_at(bytes, 40),
            limits_version: u32_at(bytes, 48),
            kill_epoch: u32_at(bytes, 52),
            scope: u32_at(bytes, 56),
            first: bytes[60],
            level: bytes[61],
            verdict: bytes[62],
            flags: bytes[63],
        }
    }

    /// Whether the order may go out: accepted, or a cancel.
    #[inline]
    pub fn is_accepted(&self) -> bool {
        self.verdict == Verdict::Accept as u8 || self.verdict == Verdict::CancelPassed as u8
    }
}

/// One violated control with what was seen; a refusing decision carries one for each bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Violation {
    /// The control.
    pub control: crate::Control,
    /// Where it fired.
    pub level: crate::Level,
    /// Handle at which it fired.
    pub scope: u32,
    /// What was observed, in the limit's unit.
    pub observed: i64,
    /// The limit.
    pub limit: i64,
}

impl Violation {
    /// The violation's bytes.
    pub fn to_bytes(&self) -> [u8; VIOLATION_BYTES] {
        let mut out = [0; VIOLATION_BYTES];
        out[0] = self.control as u8;
        out[1] = self.level as u8;
        out[4..8].copy_from_slice(&self.scope.to_le_bytes());
        out[8..16].copy_from_slice(&self.observed.to_le_bytes());
        out[16..24].copy_from_slice(&self.limit.to_le_bytes());
        out
    }
}

/// An execution report of the venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Exec {
    /// Log index; 0 on input.
    pub seq: u64,
    /// UTC nanoseconds.
    pub ts: u64,
    /// The order that it is about.
    pub order_id: u64,
    /// Keyed hash of the venue's execution id; 0 = none.
    pub exec_id: u64,
    /// Price of the last fill, 1e-9.
    pub last_px: i64,
    /// Quantity of the last fill.
    pub last_qty: i64,
    /// Quantity filled so far.
    pub cum_qty: i64,
    /// Venue handle.
    pub venue: u32,
    /// FIX 150 as ASCII; see [`exec_type`].
    pub exec_type: u8,
    /// FIX 39 as ASCII.
    pub ord_status: u8,
    /// Zero in this version.
    pub flags: u16,
}

impl Exec {
    /// The record's bytes.
    #[inline]
    pub fn to_bytes(&self) -> [u8; EXEC_BYTES] {
        let mut out = [0; EXEC_BYTES];
        out[0..8].copy_from_slice(&self.seq.to_le_bytes());
        out[8..16].copy_from_slice(&self.ts.to_le_bytes());
        out[16..24].copy_from_slice(&self.order_id.to_le_bytes());
        out[24..32].copy_from_slice(&self.exec_id.to_le_bytes());
        out[32..40].copy_from_slice(&self.last_px.to_le_bytes());
        out[40..48].copy_from_slice(&self.last_qty.to_le_bytes());
        out[48..56].copy_from_slice(&self.cum_qty.to_le_bytes());
        out[56..60].copy_from_slice(&self.venue.to_le_bytes());
        out[60] = self.exec_type;
        out[61] = self.ord_status;
        out[62..64].copy_from_slice(&self.flags.to_le_bytes());
        out
    }

    /// The record with these bytes; every 64 bytes are one.
    #[inline]
    pub fn from_bytes(bytes: &[u8; EXEC_BYTES]) -> Self {
        Self {
            seq: u64_at(bytes, 0),
            ts: u64_at(bytes, 8),
            order_id: u64_at(bytes, 16),
            exec_id: u64_at(bytes, 24),
            last_px: u64_at(bytes, 32) as i64,
            last_qty: u64_at(bytes, 40) as i64,
            cum_qty: u64_at(bytes, 48) as i64,
            venue: u32_at(bytes, 56),
            exec_type: bytes[60],
            ord_status: bytes[61],
            flags: u16::from_le_bytes([bytes[62], bytes[63]]),
        }
    }
}
