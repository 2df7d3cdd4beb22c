//! Every comparison of a number with a limit, once: what-if curves, peaks, near misses, suggested
//! limits and the rows of use are made from this table.
//!
//! A control stands either here or in [`UNCOMPARED`], with the reason why it compares nothing that
//! a firm could set otherwise; `tests/compared.rs` asks for each.

use cwts_types::{Control, Level};

/// What a value is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// The instrument's smallest unit.
    Qty,
    /// Millionths of the base currency.
    Micros,
    /// Hundredths of a per cent.
    Bps,
    /// Ticks of the instrument.
    Ticks,
    /// A price, 1e-9.
    Price,
    /// Nanoseconds.
    Ns,
    /// Orders, messages or fills.
    Count,
}

impl Unit {
    /// The word for it in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Qty => "qty",
            Self::Micros => "micros",
            Self::Bps => "bps",
            Self::Ticks => "ticks",
            Self::Price => "price_e9",
            Self::Ns => "ns",
            Self::Count => "count",
        }
    }
}

/// What is compared, and when it refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// The order alone: refused above the limit.
    Order,
    /// The order alone: refused below the limit.
    Floor,
    /// What is in use, the order included: refused above the limit.
    Use,
    /// What is in use without the order. It latches elsewhere, and refuses while it is latched.
    Latch,
}

/// One row of [`COMPARED`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comparison {
    /// The control.
    pub control: Control,
    /// Whose limit.
    pub level: Level,
    /// What value and limit are counted in.
    pub unit: Unit,
    /// What is compared.
    pub of: Of,
}

impl Comparison {
    /// The key of its limit in the limits file.
    pub fn key(&self) -> String {
        match self.control {
            Control::CreditLimit => "credit".to_owned(),
            Control::BuyingPower => "cash".to_owned(),
            Control::SlowDown => "staged.slow_delay".to_owned(),
            Control::ReferenceStale => "price_collar.max_age".to_owned(),
            Control::AuctionRule => match self.unit {
                Unit::Qty => "auction.max_order_qty".to_owned(),
                Unit::Micros => "auction.max_order_notional".to_owned(),
                _ => "auction.collar_bps".to_owned(),
            },
            control => control.name().to_lowercase(),
        }
    }

    /// Whether `value` is refused under `limit`, were it alone and nothing latched.
    #[inline]
    pub fn is_beyond(&self, value: i64, limit: i64) -> bool {
        if self.of == Of::Floor { value < limit } else { value > limit }
    }

    /// Whether a value lies within a factor of four of its limit, or beyond it: without a division.
    #[inline]
    pub fn is_close(&self, value: i64, limit: i64) -> bool {
        if self.of == Of::Floor { value < limit.saturating_mul(4) } else { value > limit >> 2 }
    }

    /// Whether there is a limit to compare with.
    #[inline]
    pub fn is_set(&self, limit: i64) -> bool {
        if self.of == Of::Floor { limit > 0 } else { limit != i64::MAX }
    }
}

macro_rules! comparisons {
    ($($control:ident $unit:ident $of:ident [$($level:ident)*])*) => {
        /// Every comparison by number; a control's rows stand together.
        pub const COMPARED: &[Comparison] = &[$($(
            Comparison {
                control: Control::$control,
                level: Level::$level,
                unit: Unit::$unit,
                of: Of::$of,
            },
        )*)*];
    };
}

comparisons! {
    MaxOrderQty       Qty    Order [Instrument Account Strategy]
    MinOrderQty       Qty    Floor [Instrument]
    MaxOrderNotional  Micros Order [Instrument Account Strategy]
    MinOrderNotional  Micros Floor [Instrument]
    PriceCollar       Bps    Order [Instrument]
    PriceCollar       Ticks  Order [Instrument]
    PriceCollar       Price  Order [Instrument]
    ReferenceStale    Ns     Order [Instrument]
    PriceMove         Bps    Order [Instrument]
    AuctionRule       Qty    Order [Instrument]
    AuctionRule       Micros Order [Instrument]
    AuctionRule       Bps    Order [Instrument]
    Locate            Qty    Use   [AccountInstrument]
    MessageRate       Count  Use   [Account Strategy Instrument Session Venue]
    AttemptRate       Count  Use   [Strategy Session]
    DuplicateOrder    Count  Order [AccountInstrument]
    RepeatedExecution Count  Latch [Strategy]
    WindowNotional    Micros Use   [Strategy Account Customer Desk Firm]
    MaxPosition       Qty    Use   [AccountInstrument]
    MaxOpenOrders     Count  Use   [Strategy Account Customer Desk Firm]
    MaxOpenNotional   Micros Use   [Account Customer Desk Firm]
    CreditLimit       Micros Use   [Account Customer Desk Firm]
    NetExposure       Micros Use   [Account Customer Desk Firm]
    Concentration     Micros Use   [Account Customer Desk Firm]
    DailyNotional     Micros Use   [Account Customer Desk Firm]
    DailyQty          Qty    Use   [AccountInstrument]
    DailyOrders       Count  Use   [Strategy Account]
    BuyingPower       Micros Use   [Account]
    LossLimit         Micros Latch [Strategy Account Customer Desk Firm]
    Drawdown          Micros Latch [Strategy Account Customer Desk Firm]
    SlowDown          Ns     Floor [Account Customer Desk Firm]
}

/// The controls that compare no number with a limit, and what they look at instead.
pub const UNCOMPARED: &[(Control, &str)] = &[
    (Control::LimitNotSet, "whether a limit is written"),
    (Control::UnknownHandle, "whether a name is registered"),
    (Control::Malformed, "the record alone"),
    (Control::ArithmeticOverflow, "the range of 64 bits, which nobody sets"),
    (Control::LotSize, "a multiple, not a bound"),
    (Control::TickSize, "a multiple, not a bound"),
    (Control::ReferenceMissing, "whether there is a reference"),
    (Control::LuldBand, "a band that the market sets"),
    (Control::InstrumentHalted, "a state"),
    (Control::MarketWideHalt, "a state"),
    (Control::SessionClosed, "a state"),
    (Control::OrderTypeNotAllowed, "a list"),
    (Control::RestrictedInstrument, "a list"),
    (Control::NotPermitted, "a list"),
    (Control::ShortMark, "the mark against the position"),
    (Control::ShortSaleRestriction, "a bid that the market sets"),
    (Control::UnknownOrder, "whether an order works"),
    (Control::DuplicateId, "whether an id was used"),
    (Control::SelfTrade, "the price of an own order"),
    (Control::ReduceOnlyWouldIncrease, "a flag against the position"),
    (Control::KillReduceOnly, "a state"),
    (Control::KillHalted, "a state"),
    (Control::Reconciling, "a state"),
    (Control::AuditBackpressure, "the room in the log"),
];

/// The first row of each control; one beyond the table where it has none.
const FIRST: [usize; cwts_types::CONTROLS.len()] = {
    let mut first = [COMPARED.len(); cwts_types::CONTROLS.len()];
    let mut row = COMPARED.len();
    while row > 0 {
        row -= 1;
        first[COMPARED[row].control as usize] = row;
    }
    first
};

/// The first row of a control.
pub(crate) const fn first_row(control: Control) -> usize {
    FIRST[control as usize]
}

/// The row of a control at a level.
#[inline]
pub(crate) fn row_at(control: Control, level: Level) -> Option<usize> {
    let own = COMPARED[first_row(control)..].iter().take_while(|row| row.control == control);
    own.enumerate().find(|(_, row)| row.level == level).map(|(at, _)| first_row(control) + at)
}
