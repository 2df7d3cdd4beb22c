//! What a market, an instrument or a session is in.

/// Whose state a SESSION entry gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum SessionKind {
    /// An instrument.
    Instrument = 0,
    /// A venue.
    Venue = 1,
    /// A session over which strategies send.
    Session = 2,
}

impl SessionKind {
    /// The kind with this code, if there is one.
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Instrument, Self::Venue, Self::Session].into_iter().find(|k| *k as u8 == code)
    }
}

/// A phase of trading. Instruments and venues have the first eight, a venue also the ninth; a
/// session is up while it is in [`Phase::Trading`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Phase {
    /// Orders are taken and nothing trades.
    Quoting = 0,
    /// Continuous trading; for a session: up.
    Trading = 1,
    /// Halted by regulation or the venue.
    Halted = 2,
    /// Before the opening.
    PreOpen = 3,
    /// The opening auction.
    Opening = 4,
    /// The closing auction.
    Closing = 5,
    /// After the close.
    Post = 6,
    /// Closed; for a session: down.
    Closed = 7,
    /// The venue's orders are not yet matched with ours.
    Reconciling = 8,
}

impl Phase {
    /// All phases, in code order.
    pub const ALL: [Self; 9] = [
        Self::Quoting,
        Self::Trading,
        Self::Halted,
        Self::PreOpen,
        Self::Opening,
        Self::Closing,
        Self::Post,
        Self::Closed,
        Self::Reconciling,
    ];

    /// The phase with this code, if there is one.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// Whether a SESSION entry of this kind may carry it.
    pub fn fits(self, kind: SessionKind) -> bool {
        match kind {
            SessionKind::Instrument => self != Self::Reconciling,
            SessionKind::Venue => true,
            SessionKind::Session => matches!(self, Self::Trading | Self::Closed),
        }
    }

    /// The name in a limits file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quoting => "quoting",
            Self::Trading => "trading",
            Self::Halted => "halted",
            Self::PreOpen => "pre_open",
            Self::Opening => "opening",
            Self::Closing => "closing",
            Self::Post => "post",
            Self::Closed => "closed",
            Self::Reconciling => "reconciling",
        }
    }

    /// Whether it is an auction.
    pub fn is_auction(self) -> bool {
        matches!(self, Self::Opening | Self::Closing)
    }
}
