//! Rows of the keys beyond the mandatory limits.

use super::rules::type_bit;
use super::schema::{Absent, Key, Kind, RATE, Stricter, fact, key, may};

const fn table(name: &'static str, keys: &'static [Key], text: &'static str) -> Key {
    key(name, Kind::Table(keys), Stricter::Keys, Absent::NoLimit, text)
}

const fn window_rate(name: &'static str, text: &'static str) -> Key {
    key(name, Kind::TableOrNone(RATE), Stricter::Keys, Absent::NoLimit, text)
}

const fn amount(name: &'static str, text: &'static str) -> Key {
    key(name, Kind::Money, Stricter::Smaller, Absent::Required, text)
}

const CONFIRM: Key = key(
    "confirm_marks",
    Kind::Integer(1, 1_000),
    Stricter::Smaller,
    Absent::Number(3),
    "Marks in a row that confirm it; a fill needs none.",
);
const LOSS: &[Key] = &[amount("day", "Largest loss of a day."), CONFIRM];
const DRAWDOWN: &[Key] = &[amount("max", "Largest fall from the day's highest P&L."), CONFIRM];
const SUM: &[Key] = &[
    amount("max", "Largest notional within the window."),
    key("window", Kind::Duration, Stricter::Larger, Absent::Required, "Length of the window."),
];
const MOVE: &[Key] = &[
    key("bps", Kind::Integer(0, 100_000), Stricter::Smaller, Absent::Required, "Width."),
    key("period", Kind::Duration, Stricter::Never, Absent::Required, "How far back."),
];
const AUCTION: &[Key] = &[
    may("max_order_qty", Kind::Quantity, "Largest order in an auction."),
    may("max_order_notional", Kind::Money, "The same by notional."),
    fact("market", Kind::Boolean, "Whether orders without a price pass."),
    may("collar_bps", Kind::Integer(0, 100_000), "Band around the prior close."),
];
const IDS: &[Key] = &[key(
    "max",
    Kind::Integer(1, 16_000_000),
    Stricter::Smaller,
    Absent::Required,
    "Ids remembered; then new ones are refused.",
)];
const STAGED: &[Key] = &[
    fact("slow", Kind::Integer(1, 100), "Percent at which orders must keep a distance."),
    fact("slow_delay", Kind::Duration, "That distance."),
    fact("alert", Kind::Integer(1, 99), "Percent of a limit at which somebody is alerted."),
    fact("alert_again", Kind::Integer(2, 100), "The same once more; 90 if not said."),
];

pub(super) const OPEN_ORDERS: Key = may("max_open_orders", Kind::Quantity, "Working orders.");
pub(super) const DAY_ORDERS: Key = may("daily_orders", Kind::Quantity, "Orders of a day.");
pub(super) const DAY_QTY: Key =
    may("daily_qty", Kind::Quantity, "Quantity of a day in one instrument.");
pub(super) const NET: Key = may("net_exposure", Kind::Money, "Worst-case net notional.");
pub(super) const DAY: Key = may("daily_notional", Kind::Money, "Notional of a day.");
pub(super) const CONCENTRATION: Key =
    fact("concentration", Kind::Text, "Part of the credit that one instrument may take.");
pub(super) const SELF_TRADE: Key = key(
    "self_trade",
    Kind::Choice(super::SelfTrade::WORDS),
    Stricter::Word("reject_newest"),
    Absent::NoLimit,
    "What becomes of an order that would meet an own one.",
);
pub(super) const WINDOW: Key = table("window_notional", SUM, "Notional of a short period.");
pub(super) const LOSS_LIMIT: Key = table("loss_limit", LOSS, "Loss of a day; latches.");
pub(super) const FALL: Key = table("drawdown", DRAWDOWN, "Fall of the day's P&L; latches.");
pub(super) const CASH: Key = fact("cash", Kind::Money, "Cash that margin is taken from.");
pub(super) const ATTEMPTS: Key =
    window_rate("attempt_rate", "Messages within a window, refused ones too.");
pub(super) const FILLS: Key =
    window_rate("repeated_execution", "Fills within a window that switch the strategy off.");
pub(super) const SESSION: Key = fact("session", Kind::Text, "Session over which it sends.");
pub(super) const DISCONNECT: Key = fact(
    "cancel_on_disconnect",
    Kind::Boolean,
    "Whether its orders are cancelled when it is lost; not GTC and GTD.",
);
pub(super) const ACCOUNTS: Key =
    key("accounts", Kind::Names, Stricter::Fewer, Absent::NoLimit, "Accounts that it may trade.");
pub(super) const GROUPS: Key =
    key("groups", Kind::Names, Stricter::Fewer, Absent::NoLimit, "Groups that it may trade.");
// A list that names no time in force admits all: less in it can be more.
pub(super) const TYPES: Key =
    fact("types", Kind::Choices(&type_bit::WORDS), "Types, times in force and flags.");
pub(super) const DAY_ROLL: Key =
    fact("day_roll", Kind::Text, "When the day ends: \"00:00\" or \"17:00 -05:00\".");
pub(super) const DUPLICATE_ID: Key = table("duplicate_id", IDS, "Ids of the day.");
pub(super) const BUYING_POWER: Key =
    fact("buying_power", Kind::Boolean, "Whether an account without cash has none.");
pub(super) const STAGES: Key = key(
    "staged",
    Kind::Table(STAGED),
    Stricter::Never,
    Absent::Else,
    "What happens when a limit comes near.",
);
pub(super) const SEVERITY: Key = key(
    "severity",
    Kind::Table(&super::severity::KEYS),
    Stricter::Never,
    Absent::Else,
    "What violations mean, by control: hard, soft or alert.",
);
pub(super) const AUTO_TRIP: Key =
    fact("on_auto_trip", Kind::Choice(&["REDUCE_ONLY", "HALTED"]), "What a latch sets.");
pub(super) const MIN_QTY: Key = fact("min_order_qty", Kind::Quantity, "Smallest order.");
pub(super) const MIN_NOTIONAL: Key =
    fact("min_order_notional", Kind::Money, "Smallest order by notional.");
pub(super) const PRICE_MOVE: Key =
    table("price_move", MOVE, "Band around the reference of one period ago.");
pub(super) const ON_HALT: Key = key(
    "on_halt",
    Kind::Choice(&["deny", "allow"]),
    Stricter::Word("deny"),
    Absent::Word("deny"),
    "Whether orders pass while the market is halted.",
);
const PHASE_WORDS: [&str; 7] =
    ["quoting", "trading", "pre_open", "opening", "closing", "post", "closed"];
pub(super) const PHASES: Key = key(
    "phases",
    Kind::Choices(&PHASE_WORDS),
    Stricter::Fewer,
    Absent::Else,
    "Phases in which orders pass.",
);
pub(super) const AUCTIONS: Key = table("auction", AUCTION, "Rules of auctions.");
pub(super) const REG_SHO: Key = fact("reg_sho", Kind::Boolean, "Whether Reg SHO holds.");
pub(super) const MARGIN: Key = fact("margin", Kind::Text, "Part that counts against cash.");

#[cfg(test)]
mod tests {
    use super::*;
    use cwts_types::Phase;

    #[test]
    fn the_phases_are_those_that_a_market_can_be_in() {
        let own = Phase::ALL.iter().filter(|p| !matches!(p, Phase::Halted | Phase::Reconciling));
        assert_eq!(own.map(|p| p.name()).collect::<Vec<_>>(), PHASE_WORDS);
    }
}
