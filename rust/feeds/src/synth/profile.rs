//! What one kind of market looks like to the generator: parameters and tables, nothing else.
//!
//! Source: design note "replay", section 8, fitted to real flow. A profile is versioned by its
//! name and never edited: the same name and seed give the same bytes for ever. A further profile
//! is one more constructor here, a line in [`Profile::all`], and one more table in
//! `tools/synth_tables.py`.

use super::table::{CHILD_COUNTS, POINTS};
use crate::source::AssetClass;

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
    /// Largest position of one account in one instrument, counting all its working orders of a
    /// side as filled.
    pub(crate) position_max: i64,
    /// An order of this size is one of the largest in a hundred or so: what a fat finger
    /// multiplies.
    pub(crate) large_order_qty: i64,
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
            position_max: 40_000,
            large_order_qty: 501,
        }
    }

    /// A thin share: 2.46 events a second, an execution for every three orders, half of them
    /// gone again within a third of a second.
    ///
    /// The clock's parameters are a fit of our own: under the note's the median gap lies between
    /// the bursts' milliseconds and the seconds between them, and jumps from one to the other
    /// with the seed.
    pub fn equity_thin() -> Self {
        Self {
            name: "equity-thin@1",
            tables: include_bytes!("tables/equity_thin_1.bin"),
            immigrant_gap_ns: 1_744_652_640,
            delay_ns: [1_562_500, 526_315_789, 8_620_689_655],
            print_share: 300,
            fill_share: 1_660,
            whole_share: 4_500,
            reduce_share: 10,
            cancel_share: 8_200,
            buy_share: 4_670,
            sizes: THIN_SIZES,
            offsets: EQUITY_OFFSETS,
            tick_e9: 10_000_000,
            first_px_ticks: (5_000, 50_000),
            position_max: 40_000,
            large_order_qty: 501,
        }
    }

    /// A stock-index future overnight: 7.93 events a second, bursts of a hundred in a
    /// millisecond, orders that rest for minutes, a tick of 0.25 around 4,800.
    ///
    /// The note gives no prices for it; the offsets are those of the public ES day that it was
    /// fitted to. A future has no hidden orders, hence next to no prints.
    pub fn future() -> Self {
        Self {
            name: "future@1",
            tables: include_bytes!("tables/future_1.bin"),
            immigrant_gap_ns: 1_681_378_731,
            delay_ns: [666_667, 555_555_556, 18_181_818_182],
            print_share: 0,
            fill_share: 1_550,
            whole_share: 6_800,
            reduce_share: 10,
            cancel_share: 8_200,
            buy_share: 5_240,
            sizes: FUTURE_SIZES,
            offsets: FUTURE_OFFSETS,
            tick_e9: 250_000_000,
            first_px_ticks: (19_000, 19_400),
            position_max: 500,
            large_order_qty: 17,
        }
    }

    /// Every profile.
    pub fn all() -> [Self; 3] {
        [Self::equity_liquid(), Self::equity_thin(), Self::future()]
    }

    /// The profile of that name, with or without its version.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|profile| name == profile.name || name == profile.family())
    }

    /// What is traded, where it is not shares.
    pub fn asset_class(&self) -> Option<AssetClass> {
        (self.family() == "future").then_some(AssetClass::Future)
    }

    /// The name without its version, as in `equity-liquid`.
    pub fn family(&self) -> &'static str {
        self.name.split_once('@').map_or(self.name, |(family, _)| family)
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

/// Half are one round lot, more than a third are odd lots, most of those small.
const THIN_SIZES: &[(u32, i64)] = &[
    (0, 1),
    (1_900, 10),
    (3_000, 40),
    (3_820, 99),
    (3_821, 100),
    (8_850, 100),
    (8_851, 200),
    (9_440, 200),
    (9_441, 300),
    (9_640, 300),
    (9_641, 400),
    (9_760, 500),
    (9_915, 500),
    (9_920, 600),
    (9_975, 1_000),
    (10_000, 3_000),
];

/// Whole contracts: three quarters are one, one in a hundred is 16 or more.
const FUTURE_SIZES: &[(u32, i64)] = &[
    (0, 1),
    (7_445, 1),
    (7_446, 2),
    (8_330, 2),
    (8_331, 3),
    (8_870, 3),
    (8_871, 4),
    (9_205, 4),
    (9_206, 5),
    (9_450, 8),
    (9_565, 12),
    (9_824, 12),
    (9_880, 14),
    (9_881, 16),
    (9_915, 16),
    (9_990, 73),
    (10_000, 233),
];

/// Half join the best price of a one-tick spread (0.26 bps from the mid), a quarter lie far out.
const FUTURE_OFFSETS: &[(u32, i64)] = &[
    (0, -2_000),
    (100, 0),
    (300, 260),
    (5_500, 260),
    (6_000, 780),
    (7_500, 6_000),
    (9_000, 30_400),
    (9_500, 108_000),
    (9_800, 208_000),
    (9_900, 232_000),
    (10_000, 450_000),
];
