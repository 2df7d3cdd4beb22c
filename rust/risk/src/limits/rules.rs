//! Limits beyond the mandatory ones: sums, windows, phases, types, sessions.

use cwts_types::KillState;

use super::{Limit, RateLimit, Severities};

/// At most this much notional accepted in any window (t - w, t].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowNotional {
    /// Micros of the base currency.
    pub max: i64,
    /// Length of the window.
    pub window_ns: u64,
}

/// The most that may be lost, and how a loss is told from a bad tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LossLimit {
    /// Micros of the base currency.
    pub max: i64,
    /// Marks in a row that must lie beyond it; a fill beyond it needs no second one.
    pub confirm_marks: u32,
}

/// Sums and counts over the orders of a node or a strategy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Aggregates {
    /// Working orders.
    pub max_open_orders: Limit,
    /// Worst-case net notional on one side.
    pub net_exposure: Limit,
    /// Part of the credit that one instrument may take, 1/100 %.
    pub concentration_bps: Option<i64>,
    /// Notional of a day.
    pub daily_notional: Limit,
    /// Orders of a day.
    pub daily_orders: Limit,
    /// Notional of a short period.
    pub window_notional: Option<WindowNotional>,
    /// Loss of a day.
    pub loss_limit: Option<LossLimit>,
    /// Fall from the day's highest P&L.
    pub drawdown: Option<LossLimit>,
    /// What becomes of an order that would meet an own one, and of that one.
    pub self_trade: Option<SelfTrade>,
}

/// What happens where a new order would meet an own one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelfTrade {
    /// The new order is refused.
    RejectNewest,
    /// The own orders that it would meet are cancelled, and it passes.
    CancelOldest,
    /// The new order is refused, and the own ones are cancelled.
    CancelBoth,
}

impl SelfTrade {
    /// The words in the file.
    pub const WORDS: &[&'static str] = &["reject_newest", "cancel_oldest", "cancel_both"];

    /// The policy with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        let at = Self::WORDS.iter().position(|known| *known == word)?;
        [Self::RejectNewest, Self::CancelOldest, Self::CancelBoth].get(at).copied()
    }
}

/// A band around the reference of one period ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceMove {
    /// Width on each side, 1/100 %.
    pub bps: i64,
    /// The period.
    pub period_ns: u64,
}

/// Rules of auctions, and of orders for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Auction {
    /// Largest order.
    pub max_qty: Limit,
    /// Largest order by notional.
    pub max_notional: Limit,
    /// Whether orders without a price pass.
    pub market: bool,
    /// Band around the prior close, 1/100 %.
    pub collar_bps: Option<i64>,
}

/// Limits of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionLimits {
    /// Messages.
    pub message_rate: RateLimit,
    /// Messages, refused ones too.
    pub attempt_rate: RateLimit,
    /// Whether its orders are cancelled when it is lost.
    pub cancel_on_disconnect: bool,
}

/// Limits of a venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VenueLimits {
    /// Messages.
    pub message_rate: RateLimit,
}

/// How the gateway answers when limits come near.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControlRules {
    /// Percent at which orders must keep a distance; 0 = never.
    pub slow: i64,
    /// That distance.
    pub slow_delay_ns: u64,
    /// What a latch sets on its scope.
    pub on_auto_trip: KillState,
    /// Percent of a limit at which somebody is alerted, twice; 0 = never.
    pub alert: [u8; 2],
    /// What violations mean, where they are not hard.
    pub severity: Severities,
}

impl Default for ControlRules {
    fn default() -> Self {
        let on_auto_trip = KillState::ReduceOnly;
        Self {
            slow: 0,
            slow_delay_ns: 0,
            on_auto_trip,
            alert: [0; 2],
            severity: Severities::default(),
        }
    }
}

/// Bits of an allow list of order types.
pub mod type_bit {
    /// Words of the list, in the order of their bits: FIX 40, FIX 59, flags.
    pub const WORDS: [&str; 17] = [
        "market",
        "limit",
        "stop",
        "stop_limit",
        "pegged",
        "day",
        "gtc",
        "opg",
        "ioc",
        "fok",
        "gtx",
        "gtd",
        "close",
        "through_crossing",
        "at_crossing",
        "iso",
        "post_only",
    ];
    /// First bit of the times in force: FIX 59 is the offset.
    pub const TIF: u32 = 5;
    /// All times in force.
    pub const TIF_ALL: u32 = 0x3ff << TIF;
    /// Intermarket sweep.
    pub const ISO: u32 = 1 << 15;
    /// Post-only.
    pub const POST_ONLY: u32 = 1 << 16;
}
