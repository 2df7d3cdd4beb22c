//! Kill states and the scopes that they hold in.

/// What a scope may still do. Ordered: the stricter state is the larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
pub enum KillState {
    /// Everything that the limits allow.
    #[default]
    Active = 0,
    /// Reducing orders and cancels only.
    ReduceOnly = 1,
    /// Cancels only.
    Halted = 2,
}

impl KillState {
    /// The state with this code, if there is one.
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Active, Self::ReduceOnly, Self::Halted].into_iter().find(|s| *s as u8 == code)
    }

    /// The standard name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::ReduceOnly => "REDUCE_ONLY",
            Self::Halted => "HALTED",
        }
    }
}

/// The kinds of thing that can be halted by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ScopeKind {
    /// The whole firm.
    Firm = 0,
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
    /// A session over which strategies send.
    Session = 8,
}

/// A word that names no kind of scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no kind of scope; use firm, desk, customer, account, strategy, instrument, \
     venue, session"
)]
pub struct UnknownScopeKind(pub String);

impl ScopeKind {
    /// All kinds, in code order.
    pub const ALL: [Self; 8] = [
        Self::Firm,
        Self::Desk,
        Self::Customer,
        Self::Account,
        Self::Strategy,
        Self::Instrument,
        Self::Venue,
        Self::Session,
    ];

    /// The kind with this code, if there is one. Codes are those of [`crate::RegisterKind`].
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == code)
    }

    /// The lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Firm => "firm",
            Self::Desk => "desk",
            Self::Customer => "customer",
            Self::Account => "account",
            Self::Strategy => "strategy",
            Self::Instrument => "instrument",
            Self::Venue => "venue",
            Self::Session => "session",
        }
    }
}

impl std::str::FromStr for ScopeKind {
    type Err = UnknownScopeKind;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|k| k.name() == word)
            .ok_or_else(|| UnknownScopeKind(word.to_owned()))
    }
}

/// One scope: a kind and the handle within it (0 for the firm).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// The kind.
    pub kind: ScopeKind,
    /// The handle; 0 for the firm.
    pub handle: u32,
}

impl Scope {
    /// The whole firm.
    pub const FIRM: Self = Self { kind: ScopeKind::Firm, handle: 0 };
}

/// Where in the hierarchy a control fired. The code is `level` in a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Level {
    /// No level: the record itself.
    Order = 0,
    /// The instrument.
    Instrument = 1,
    /// The account.
    Account = 2,
    /// The account in one instrument.
    AccountInstrument = 3,
    /// The strategy.
    Strategy = 4,
    /// The customer.
    Customer = 5,
    /// The desk.
    Desk = 6,
    /// The firm.
    Firm = 7,
    /// The venue.
    Venue = 8,
    /// The session over which the strategy sends.
    Session = 9,
}

impl Level {
    /// All levels, in code order.
    pub const ALL: [Self; 10] = [
        Self::Order,
        Self::Instrument,
        Self::Account,
        Self::AccountInstrument,
        Self::Strategy,
        Self::Customer,
        Self::Desk,
        Self::Firm,
        Self::Venue,
        Self::Session,
    ];

    /// The level with this code, if there is one.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// The lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Instrument => "instrument",
            Self::Account => "account",
            Self::AccountInstrument => "account-instrument",
            Self::Strategy => "strategy",
            Self::Customer => "customer",
            Self::Desk => "desk",
            Self::Firm => "firm",
            Self::Venue => "venue",
            Self::Session => "session",
        }
    }
}
