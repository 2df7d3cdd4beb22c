//! The ground truth: what may go wrong, what should catch it, and where it was put.
//!
//! A label is written beside the events, never into them: nothing in an event tells an injected
//! order from an ordinary one, or the engine could see it.

use std::fmt::Write as _;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum AnomalyKind {
    /// An ordinary order with a hundred times its quantity.
    FatFingerQty,
    /// An ordinary order at ten times its price.
    FatFingerPrice,
    /// Twenty equal orders in a millisecond.
    DuplicateBurst,
    /// One strategy sends 1,000 orders a second for 2 s.
    RunawayLoop,
    /// An order 15 % away from the market.
    OffCollar,
    /// An order in the instrument that is named `RESTRICTED`.
    Restricted,
    /// An order stamped 5 s before the event in front of it.
    ClockBack,
    /// A cancel of an order that never was.
    UnknownCancel,
    /// Sells until the account is short beyond its position limit.
    Oversell,
    /// A burst of orders into a halt.
    HaltInBurst,
}

impl AnomalyKind {
    /// Every kind, in the order in which a stream shows them.
    pub const ALL: [Self; 10] = [
        Self::FatFingerQty,
        Self::FatFingerPrice,
        Self::DuplicateBurst,
        Self::RunawayLoop,
        Self::OffCollar,
        Self::Restricted,
        Self::ClockBack,
        Self::UnknownCancel,
        Self::Oversell,
        Self::HaltInBurst,
    ];

    /// The name in a label.
    pub fn name(self) -> &'static str {
        match self {
            Self::FatFingerQty => "fat-finger-qty",
            Self::FatFingerPrice => "fat-finger-price",
            Self::DuplicateBurst => "duplicate-burst",
            Self::RunawayLoop => "runaway-loop",
            Self::OffCollar => "off-collar",
            Self::Restricted => "restricted",
            Self::ClockBack => "clock-back",
            Self::UnknownCancel => "unknown-cancel",
            Self::Oversell => "oversell",
            Self::HaltInBurst => "halt-in-burst",
        }
    }

    /// The controls, or the counters, of which one must name at least one event of the anomaly.
    pub fn expect(self) -> &'static [&'static str] {
        match self {
            Self::FatFingerQty => &["MAX_ORDER_QTY"],
            Self::FatFingerPrice | Self::OffCollar => &["PRICE_COLLAR"],
            Self::DuplicateBurst => &["DUPLICATE_ORDER"],
            Self::RunawayLoop => &["MESSAGE_RATE"],
            Self::Restricted => &["RESTRICTED_INSTRUMENT"],
            Self::ClockBack => &["TIME_BACK"],
            Self::UnknownCancel => &["UNKNOWN_ORDER"],
            Self::Oversell => &["MAX_POSITION"],
            Self::HaltInBurst => &["INSTRUMENT_HALTED"],
        }
    }
}

/// Which anomalies a stream shows, each once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnomalySet(u16);

impl AnomalySet {
    /// Ordinary flow only.
    pub const NONE: Self = Self(0);
    /// The nine that the shipped default limits find.
    pub const DEFAULT: Self = Self((1 << 9) - 1);
    /// The eight of those that can happen in anybody's file: its symbols are not restricted.
    pub const FILE: Self = Self(Self::DEFAULT.0 & !(1 << AnomalyKind::Restricted as u16));

    /// This set and `kind`.
    #[must_use]
    pub const fn with(self, kind: AnomalyKind) -> Self {
        Self(self.0 | 1 << kind as u16)
    }

    /// Whether `kind` is in the set.
    pub const fn contains(self, kind: AnomalyKind) -> bool {
        self.0 & 1 << kind as u16 != 0
    }

    /// The kinds in the set, in the order of [`AnomalyKind::ALL`].
    pub fn kinds(self) -> impl Iterator<Item = AnomalyKind> {
        AnomalyKind::ALL.into_iter().filter(move |kind| self.contains(*kind))
    }
}

/// One anomaly of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Index in the stream ([`crate::event::Event::src`]) of its first event.
    pub seq: u64,
    /// What it is.
    pub kind: AnomalyKind,
    /// Controls or counters, one of which must name one of its events.
    pub expect: &'static [&'static str],
    /// Order ids of its events; the later ones may not have been emitted yet.
    pub order_ids: Vec<u64>,
}

impl Label {
    /// One line of `labels.ndjson`, with its newline.
    pub fn to_ndjson(&self) -> String {
        // Names and numbers only: nothing here needs escaping.
        let mut line = format!(r#"{{"seq":{},"kind":"{}","expect":["#, self.seq, self.kind.name());
        for (i, reason) in self.expect.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            let _ = write!(line, r#"{comma}"{reason}""#);
        }
        line.push_str(r#"],"order_ids":["#);
        for (i, order_id) in self.order_ids.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            let _ = write!(line, "{comma}{order_id}");
        }
        line.push_str("]}\n");
        line
    }
}
