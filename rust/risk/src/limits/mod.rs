//! The limits file: what it may say, and what it means before names become handles.
//!
//! Source: design note "risk", section 5. A missing limit is [`Limit::Unset`], never "unlimited":
//! unlimited must be written out as `"none"`. Money limits are in the firm's base currency.

pub mod diff;
pub mod effective;
pub mod operators;
mod parse;
mod rules;
pub mod schema;
mod schema_rules;
mod section;
mod section_rules;
mod severity;
pub mod units;
mod value;

use std::collections::BTreeMap;

pub use operators::{Operator, Right};
pub use parse::{error_at, parse, utf8};
pub use rules::{
    Aggregates, Auction, ControlRules, LossLimit, PriceMove, SelfTrade, SessionLimits, VenueLimits,
    WindowNotional, type_bit,
};
pub use section::nearest;
pub use severity::{Severities, Severity, can_soften};

/// Largest limits file.
pub const LIMITS_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Longest message-rate window by count.
pub const RATE_MAX: i64 = 65_535;

/// One limit as the file gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Limit {
    /// Not written: if it is mandatory, orders are refused.
    #[default]
    Unset,
    /// Written as `"none"`.
    Unlimited,
    /// At most this (micros of the base currency, or units).
    At(i64),
}

impl Limit {
    /// The more specific limit wins: `self` unless it is unset.
    pub fn or(self, general: Self) -> Self {
        if self == Self::Unset { general } else { self }
    }

    /// The largest admitted value; no limit admits everything.
    pub fn at_most(self) -> i64 {
        if let Self::At(value) = self { value } else { i64::MAX }
    }

    /// Whether it is written.
    pub fn is_set(self) -> bool {
        self != Self::Unset
    }
}

/// One thing that is wrong with a limits file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {key}: {message}")]
pub struct LimitError {
    /// Line, from 1.
    pub line: usize,
    /// Column in bytes, from 1.
    pub column: usize,
    /// Dotted key.
    pub key: String,
    /// What is wrong, and what is allowed.
    pub message: String,
}

/// All that is wrong with a limits file; nothing of it was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitErrors(pub Vec<LimitError>);

impl std::fmt::Display for LimitErrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for LimitErrors {}

/// Which messages a rate counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Counts {
    /// Everything that left: orders, replaces, cancels.
    #[default]
    All,
    /// Accepted new orders only; for replays.
    AcceptedNew,
}

/// At most `max` messages in any window (t - w, t].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Largest count.
    pub max: u32,
    /// Length of the window.
    pub window_ns: u64,
    /// What is counted.
    pub counts: Counts,
}

/// A rate as the file gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RateLimit {
    /// Not written.
    #[default]
    Unset,
    /// Written as `"none"`.
    Unlimited,
    /// A window.
    At(Rate),
}

/// At most `max` equal orders within the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duplicates {
    /// Equal orders that make the next one a duplicate.
    pub max: u32,
    /// Length of the window; an order exactly this old no longer counts.
    pub window_ns: u64,
    /// What it means, if the account says so itself.
    pub severity: Option<Severity>,
}

/// Where the reference price comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReferenceSource {
    /// The last trade of the tape.
    #[default]
    LastTrade,
    /// `set_reference`.
    External,
    /// The middle of bid and ask: of `set_reference`, or of the book that a replay rebuilds.
    Mid,
    /// The `ref` rows of a replayed file.
    Column,
}

/// The band around the reference price; the narrowest of the given rules holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Collar {
    /// Basis points of the reference.
    pub bps: Option<i64>,
    /// Ticks.
    pub ticks: Option<i64>,
    /// Absolute distance, 1e-9.
    pub absolute_e9: Option<i64>,
    /// Where the reference comes from.
    pub reference: ReferenceSource,
    /// Oldest reference that counts; 0 = any age.
    pub max_age_ns: u64,
    /// Whether a missing reference lets limit orders pass.
    pub allow_missing: bool,
}

/// Largest position on each side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PositionLimit {
    /// Largest long position.
    pub long: Limit,
    /// Largest short position.
    pub short: Limit,
}

/// A deny list and an optional allow list of symbols.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Restricted {
    /// Refused.
    pub deny: Vec<String>,
    /// If given, everything else is refused.
    pub allow: Option<Vec<String>>,
}

impl Restricted {
    /// Whether it refuses nothing.
    pub fn is_empty(&self) -> bool {
        self.deny.is_empty() && self.allow.is_none()
    }

    /// Whether the symbol is refused.
    pub fn refuses(&self, symbol: &str) -> bool {
        self.deny.iter().any(|s| s == symbol)
            || self.allow.as_ref().is_some_and(|list| list.iter().all(|s| s != symbol))
    }
}

/// Limits of the firm, a desk or a customer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeLimits {
    /// Name of the parent desk (customers only).
    pub desk: Option<String>,
    /// Working plus held notional.
    pub credit: Limit,
    /// Working notional.
    pub max_open_notional: Limit,
    /// Sums and counts over its orders.
    pub aggregates: Aggregates,
    /// Symbols.
    pub restricted: Restricted,
}

/// Limits of an account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountLimits {
    /// Name of the customer, if any.
    pub customer: Option<String>,
    /// Largest order.
    pub max_order_qty: Limit,
    /// Largest order by notional.
    pub max_order_notional: Limit,
    /// Working plus held notional.
    pub credit: Limit,
    /// Working notional.
    pub max_open_notional: Limit,
    /// Messages.
    pub message_rate: RateLimit,
    /// Equal orders.
    pub duplicate_order: Option<Duplicates>,
    /// Default position limit of its instruments.
    pub max_position: PositionLimit,
    /// Quantity of a day in each of its instruments.
    pub daily_qty: Limit,
    /// Cash that margin is taken from.
    pub cash: Limit,
    /// Sums and counts over its orders.
    pub aggregates: Aggregates,
    /// What is said of single symbols.
    pub instrument: BTreeMap<String, HoldingRules>,
    /// Symbols.
    pub restricted: Restricted,
}

/// Limits of an account in one instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HoldingRules {
    /// Largest position.
    pub max_position: PositionLimit,
    /// Quantity of a day.
    pub daily_qty: Limit,
}

/// Limits of a strategy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StrategyLimits {
    /// Largest order.
    pub max_order_qty: Limit,
    /// Largest order by notional.
    pub max_order_notional: Limit,
    /// Messages.
    pub message_rate: RateLimit,
    /// Messages, refused ones too.
    pub attempt_rate: RateLimit,
    /// Fills that switch the strategy off.
    pub repeated_execution: Option<Rate>,
    /// Session over which it sends.
    pub session: Option<String>,
    /// Accounts that it may trade; all if not said.
    pub accounts: Option<Vec<String>>,
    /// Groups of instruments that it may trade; all if not said.
    pub groups: Option<Vec<String>>,
    /// Order types and times in force, as bits of [`type_bit`]; all if not said.
    pub types: Option<u32>,
    /// Sums and counts over its orders.
    pub aggregates: Aggregates,
}

/// What is said of an instrument, or of a group as the default of its instruments.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InstrumentLimits {
    /// Group whose values fill what is not said here.
    pub group: Option<String>,
    /// Venue.
    pub venue: Option<String>,
    /// Currency; the base currency if not said.
    pub currency: Option<String>,
    /// Smallest price step, 1e-9.
    pub tick_e9: Option<i64>,
    /// Smallest quantity step.
    pub lot: Option<i64>,
    /// Contract multiplier.
    pub multiplier: Option<i64>,
    /// Decimals of the quantity's smallest unit.
    pub qty_decimals: Option<u32>,
    /// Whether prices of zero and below are real (spreads).
    pub allow_nonpositive: Option<bool>,
    /// Largest order.
    pub max_order_qty: Limit,
    /// Largest order by notional.
    pub max_order_notional: Limit,
    /// Band around the reference.
    pub price_collar: Option<Collar>,
    /// Messages.
    pub message_rate: RateLimit,
    /// Smallest order.
    pub min_order_qty: Limit,
    /// Smallest order by notional.
    pub min_order_notional: Limit,
    /// Band around the reference of one period ago.
    pub price_move: Option<PriceMove>,
    /// Whether orders pass while the instrument or its venue is halted.
    pub trades_halted: Option<bool>,
    /// Phases in which orders pass, as bits of [`cwts_types::Phase`].
    pub phases: Option<u32>,
    /// Rules of auctions.
    pub auction: Option<Auction>,
    /// Order types and times in force, as bits of [`type_bit`]; all if not said.
    pub types: Option<u32>,
    /// Whether Reg SHO holds: marks, locates and the short-sale restriction.
    pub reg_sho: Option<bool>,
    /// Part of the notional that counts against cash, 1/100 %.
    pub margin_bps: Option<i64>,
}

impl InstrumentLimits {
    /// This instrument with its group's values where it says nothing itself.
    #[must_use]
    pub fn with_defaults(&self, group: &Self) -> Self {
        Self {
            group: self.group.clone(),
            venue: self.venue.clone().or_else(|| group.venue.clone()),
            currency: self.currency.clone().or_else(|| group.currency.clone()),
            tick_e9: self.tick_e9.or(group.tick_e9),
            lot: self.lot.or(group.lot),
            multiplier: self.multiplier.or(group.multiplier),
            qty_decimals: self.qty_decimals.or(group.qty_decimals),
            allow_nonpositive: self.allow_nonpositive.or(group.allow_nonpositive),
            max_order_qty: self.max_order_qty.or(group.max_order_qty),
            max_order_notional: self.max_order_notional.or(group.max_order_notional),
            price_collar: self.price_collar.or(group.price_collar),
            message_rate: if self.message_rate == RateLimit::Unset {
                group.message_rate
            } else {
                self.message_rate
            },
            min_order_qty: self.min_order_qty.or(group.min_order_qty),
            min_order_notional: self.min_order_notional.or(group.min_order_notional),
            price_move: self.price_move.or(group.price_move),
            trades_halted: self.trades_halted.or(group.trades_halted),
            phases: self.phases.or(group.phases),
            auction: self.auction.or(group.auction),
            types: self.types.or(group.types),
            reg_sho: self.reg_sho.or(group.reg_sho),
            margin_bps: self.margin_bps.or(group.margin_bps),
        }
    }
}

/// How a replay maps a market's flow to orders; only replays read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReplayRules {
    /// Whether a REPLACE passes without a decision.
    pub replace_apply: bool,
    /// Whether every order is one account's (`mapping = "all"`), if the file says so.
    pub mapping_all: Option<bool>,
}

/// A whole limits file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LimitsFile {
    /// Missing mandatory limits are not checked; replay and what-if only.
    pub unlisted_off: bool,
    /// Currency of all money limits.
    pub base_currency: String,
    /// The firm.
    pub firm: NodeLimits,
    /// Desks by name.
    pub desks: BTreeMap<String, NodeLimits>,
    /// Customers by name.
    pub customers: BTreeMap<String, NodeLimits>,
    /// Accounts by name; `*` serves accounts that a replay finds in its file.
    pub accounts: BTreeMap<String, AccountLimits>,
    /// Strategies by name; `*` as for accounts.
    pub strategies: BTreeMap<String, StrategyLimits>,
    /// Sessions by name.
    pub sessions: BTreeMap<String, SessionLimits>,
    /// Venues by name.
    pub venues: BTreeMap<String, VenueLimits>,
    /// How the gateway answers when limits come near.
    pub control: ControlRules,
    /// When the day ends: nanoseconds after midnight UTC.
    pub day_roll_ns: u64,
    /// Ids remembered for a day; none if not said.
    pub duplicate_ids: Option<u64>,
    /// Whether an account without cash has none, instead of no such limit.
    pub buying_power: bool,
    /// Groups by name; `replay` serves instruments that a replay finds in its file.
    pub groups: BTreeMap<String, InstrumentLimits>,
    /// Instruments by symbol.
    pub instruments: BTreeMap<String, InstrumentLimits>,
    /// Firm-wide lists.
    pub restricted: Restricted,
    /// Price of one unit of a currency in the base currency, 1e-9.
    pub fx_e9: BTreeMap<String, i64>,
    /// Whether any account, customer, desk or the firm has a list of its own.
    pub scopes_lists: bool,
    /// Whose keys change limits and lift holds, by name.
    pub operators: BTreeMap<String, Operator>,
    /// Replay only.
    pub replay: ReplayRules,
    /// Whether the file uses a key that only a replay may use, and which.
    pub replay_only: Option<&'static str>,
}

impl LimitsFile {
    /// The sums and counts of every owner in the file.
    pub fn aggregates(&self) -> impl Iterator<Item = &Aggregates> {
        let nodes = self.desks.values().chain(self.customers.values()).chain([&self.firm]);
        let nodes = nodes.map(|node| &node.aggregates);
        let accounts = self.accounts.values().map(|account| &account.aggregates);
        nodes.chain(accounts).chain(self.strategies.values().map(|s| &s.aggregates))
    }
}

/// Name of the template that serves what a replay finds in its file.
pub const ANY: &str = "*";
/// Group of the instruments that a replay finds in its file.
pub const REPLAY_GROUP: &str = "replay";
