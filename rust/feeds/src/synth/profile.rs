//! What one kind of market looks like to the generator: parameters and tables, nothing else.
//!
//! Source: design note "replay", section 8, fitted to real flow. A profile is versioned by its
//! name and never edited: the same name and seed give the same bytes for ever. A further profile
//! is one more constructor here and one more table in `tools/synth_tables.py`.

use super::table::{CHILD_COUNTS, POINTS};

/// Kernels of the clock: a fast one for bursts, two slower ones for activity that comes in waves.
pub(crate) const KERNELS: usize = 3;

/// One versioned description of order flow.
#[derive(Debug, Clone)]
pub struct Profile {
    pub(crate) name: &'static str,
    /// The lifetime law, then one child law a kernel (`tools/synth_tables.py`).
    pub(crate) tables: &'static [u8; 8 * (POINTS + KERNELS * CHILD_COUNTS)],
    /// Mean gap between two events that no other event caused: 1 / (rate * (1 - sum of n)).
    pub(crate) immigrant_gap_ns: u64,
    /// Mean delay of a child after its parent, one a kernel: 1 / beta.
    pub(crate) delay_ns: [u64; KERNELS],
    /// Chances in 1/10,000, of an event unless said otherwise.
    pub(crate) print_share: u32,
    pub(crate) fill_share: u32,
    /// Of a fill: that it takes the whole order.
    pub(crate) whole_share: u32,
    /// Of a cancel: that it takes a part only.
    pub(crate) reduce_share: u32,
    /// Of an event, while some order's time is up: that it cancels.
    pub(crate) cancel_share: u32,
    /// Of an order: that it buys.
    pub(crate) buy_share: u32,
    /// Sizes: (cumulative share in 1/10,000, quantity).
    pub(crate) sizes: &'static [(u32, i64)],
    /// Distance from the prior mid, away from the market positive: (share, 1/1000 bps).
    pub(crate) offsets: &'static [(u32, i64)],
    pub(crate) tick_e9: i64,
    /// First prices lie in this range, in ticks.
    pub(crate) first_px_ticks: (u32, u32),
    /// The shipped default limit of one order's quantity, which a fat finger must exceed.
    pub(crate) order_qty_limit: i64,
}

impl Profile {
    /// A liquid share: 25.55 events a second, bursts of dozens in a millisecond.
    ///
    /// The clock's parameters are the note's. Of the lifetimes the note gives what was measured;
    /// the law that is drawn from was chosen so that a cancelled order's age comes out right, which
    /// is more than what was drawn for it: it waits for an event that can be its cancel.
    pub fn equity_liquid() -> Self {
        Self {
            name: "equity-liquid@1",
            tables: include_bytes!("tables/equity_liquid_1.bin"),
            immigrant_gap_ns: 407_697_326,
            delay_ns: [311_429, 138_888_889, 6_369_426_752],
            print_share: 240,
            fill_share: 440,
            whole_share: 6_800,
            reduce_share: 10,
            cancel_share: 8_200,
            buy_share: 4_670,
            sizes: LIQUID_SIZES,
            offsets: EQUITY_OFFSETS,
            tick_e9: 10_000_000,
            first_px_ticks: (5_000, 50_000),
            order_qty_limit: 50_000,
        }
    }

    /// The profile of that name, with or without its version.
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "equity-liquid" | "equity-liquid@1" => Some(Self::equity_liquid()),
            _ => None,
        }
    }

    /// Name and version, as in `equity-liquid@1`.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

/// Half are one round lot, a third are odd lots, one in a hundred is ten lots or more.
const LIQUID_SIZES: &[(u32, i64)] = &[
    (0, 1),
    (1_000, 10),
    (2_300, 40),
    (3_200, 80),
    (3_400, 100),
    (8_700, 100),
    (8_701, 200),
    (9_250, 200),
    (9_251, 300),
    (9_450, 300),
    (9_451, 400),
    (9_600, 500),
    (9_850, 500),
    (9_880, 800),
    (9_885, 1_000),
    (9_980, 1_000),
    (9_992, 2_500),
    (10_000, 9_000),
];

/// The shape measured on the thin share of the note, whose spread in bps is the liquid one's too.
const EQUITY_OFFSETS: &[(u32, i64)] = &[
    (0, -3_000),
    (100, -1_600),
    (1_000, 700),
    (5_000, 2_700),
    (9_000, 4_500),
    (9_900, 7_400),
    (10_000, 30_000),
];
