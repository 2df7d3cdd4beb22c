//! Keys of the rules beyond the mandatory limits.

use cwts_types::{KillState, Phase};

use super::rules::type_bit;
use super::rules::{
    Aggregates, Auction, ControlRules, LossLimit, PriceMove, SelfTrade, WindowNotional,
};
use super::section::{Section, Sink};

impl Section<'_> {
    /// Sums and counts of a firm, desk or customer.
    pub(super) fn node_aggregates(&mut self, sink: &mut Sink<'_>) -> Aggregates {
        Aggregates {
            net_exposure: self.money("net_exposure", sink),
            concentration_bps: self.percent_bps("concentration", WHOLE_BPS, sink),
            daily_notional: self.money("daily_notional", sink),
            self_trade: self
                .choice("self_trade", SelfTrade::WORDS, sink)
                .and_then(SelfTrade::from_word),
            ..self.shared_aggregates(sink)
        }
    }

    /// Those of an account: a node, and it counts orders.
    pub(super) fn account_aggregates(&mut self, sink: &mut Sink<'_>) -> Aggregates {
        let daily_orders = self.quantity("daily_orders", sink);
        Aggregates { daily_orders, ..self.node_aggregates(sink) }
    }

    /// Those of a strategy.
    pub(super) fn strategy_aggregates(&mut self, sink: &mut Sink<'_>) -> Aggregates {
        let daily_orders = self.quantity("daily_orders", sink);
        Aggregates { daily_orders, ..self.shared_aggregates(sink) }
    }

    fn shared_aggregates(&mut self, sink: &mut Sink<'_>) -> Aggregates {
        Aggregates {
            max_open_orders: self.quantity("max_open_orders", sink),
            window_notional: self.window_notional("window_notional", sink),
            loss_limit: self.loss("loss_limit", "day", sink),
            drawdown: self.loss("drawdown", "max", sink),
            ..Aggregates::default()
        }
    }

    fn window_notional(
        &mut self,
        key: &'static str,
        sink: &mut Sink<'_>,
    ) -> Option<WindowNotional> {
        let mut inner = self.section(key, sink)?;
        let max = inner.money("max", sink);
        let window_ns = inner.duration_ns("window", sink);
        inner.finish(sink);
        let (super::Limit::At(max), Some(window_ns)) = (max, window_ns) else {
            self.wrong(
                sink,
                key,
                "needs max and window, as in { max = \"1_000\", window = \"1s\" }",
            );
            return None;
        };
        Some(WindowNotional { max, window_ns })
    }

    fn loss(
        &mut self,
        key: &'static str,
        amount: &'static str,
        sink: &mut Sink<'_>,
    ) -> Option<LossLimit> {
        let mut inner = self.section(key, sink)?;
        let max = inner.money(amount, sink);
        let confirm = inner.integer("confirm_marks", 1, CONFIRM_MAX, sink);
        inner.finish(sink);
        let super::Limit::At(max) = max else {
            self.wrong(sink, key, format!("needs {amount}, as in {{ {amount} = \"50_000\" }}"));
            return None;
        };
        let confirm_marks = confirm.and_then(|c| u32::try_from(c).ok()).unwrap_or(CONFIRM_MARKS);
        Some(LossLimit { max, confirm_marks })
    }

    pub(super) fn price_move(
        &mut self,
        key: &'static str,
        sink: &mut Sink<'_>,
    ) -> Option<PriceMove> {
        let mut inner = self.section(key, sink)?;
        let bps = inner.integer("bps", 0, MOVE_BPS_MAX, sink);
        let period_ns = inner.duration_ns("period", sink);
        inner.finish(sink);
        let (Some(bps), Some(period_ns)) = (bps, period_ns) else {
            self.wrong(sink, key, "needs bps and period, as in { bps = 300, period = \"5m\" }");
            return None;
        };
        if period_ns < MOVE_PERIOD_NS_MIN {
            self.wrong(sink, key, "period must be at least 16ns: time is counted in sixteenths");
            return None;
        }
        Some(PriceMove { bps, period_ns })
    }

    pub(super) fn auction(&mut self, key: &'static str, sink: &mut Sink<'_>) -> Option<Auction> {
        let mut inner = self.section(key, sink)?;
        let auction = Auction {
            max_qty: inner.quantity("max_order_qty", sink),
            max_notional: inner.money("max_order_notional", sink),
            market: inner.boolean("market", sink).unwrap_or(true),
            collar_bps: inner.integer("collar_bps", 0, MOVE_BPS_MAX, sink),
        };
        inner.finish(sink);
        Some(auction)
    }

    /// A list of phases, as a mask.
    pub(super) fn phases(&mut self, key: &'static str, sink: &mut Sink<'_>) -> Option<u32> {
        let words: Vec<&'static str> = Phase::ALL
            .iter()
            .filter(|p| !matches!(p, Phase::Halted | Phase::Reconciling))
            .map(|p| p.name())
            .collect();
        self.words(key, &words, sink).map(|found| {
            found.iter().fold(0, |mask, word| {
                let phase = Phase::ALL.iter().find(|p| p.name() == *word);
                mask | phase.map_or(0, |p| 1 << *p as u32)
            })
        })
    }

    /// A list of order types, times in force and flags, as a mask.
    pub(super) fn types(&mut self, key: &'static str, sink: &mut Sink<'_>) -> Option<u32> {
        let found = self.words(key, &type_bit::WORDS, sink)?;
        let bit = |word: &&str| type_bit::WORDS.iter().position(|w| w == word).unwrap_or(0);
        let mask = found.iter().fold(0, |mask, word| mask | 1 << bit(word));
        // A list that names no time in force says nothing of them.
        Some(if mask & type_bit::TIF_ALL == 0 { mask | type_bit::TIF_ALL } else { mask })
    }

    fn words(
        &mut self,
        key: &'static str,
        allowed: &[&'static str],
        sink: &mut Sink<'_>,
    ) -> Option<Vec<&'static str>> {
        let mut out = Vec::new();
        for name in self.names(key, sink)? {
            match allowed.iter().find(|word| **word == name) {
                Some(word) => out.push(*word),
                None => {
                    let list = allowed.join("\", \"");
                    self.wrong(sink, key, format!("`{name}` is not one of \"{list}\""));
                }
            }
        }
        Some(out)
    }

    /// A part of something as text, `"25%"`, in 1/100 %.
    pub(super) fn percent_bps(
        &mut self,
        key: &'static str,
        max_bps: i64,
        sink: &mut Sink<'_>,
    ) -> Option<i64> {
        let text = self.text(key, sink)?;
        let e9 = text.strip_suffix('%').and_then(|digits| cwts_types::parse_e9(digits).ok());
        let bps = e9.filter(|e9| e9 % BPS_E9 == 0).map(|e9| e9 / BPS_E9);
        let found = bps.filter(|bps| (1..=max_bps).contains(bps));
        if found.is_none() {
            let most = max_bps / 100;
            self.wrong(sink, key, format!("must be text from \"0.01%\" to \"{most}%\""));
        }
        found
    }

    /// `"17:00"` in UTC or `"17:00 -05:00"`, as nanoseconds after midnight UTC.
    pub(super) fn day_roll_ns(&mut self, key: &'static str, sink: &mut Sink<'_>) -> Option<u64> {
        let text = self.text(key, sink)?;
        let found = day_roll_ns(text);
        if found.is_none() {
            let message = "must be a time such as \"00:00\" (UTC) or \"17:00 -05:00\"; rules of \
                           named time zones are not in the log, so they cannot decide";
            self.wrong(sink, key, message);
        }
        found
    }

    pub(super) fn duplicate_ids(&mut self, key: &'static str, sink: &mut Sink<'_>) -> Option<u64> {
        let mut inner = self.section(key, sink)?;
        let max = inner.integer("max", 1, DUPLICATE_IDS_MAX, sink);
        inner.finish(sink);
        if max.is_none() {
            self.wrong(sink, key, "needs max, as in { max = 1_000_000 }");
        }
        max.and_then(|m| u64::try_from(m).ok())
    }

    /// The table `[control]`.
    pub(super) fn control_rules(&mut self, sink: &mut Sink<'_>) -> ControlRules {
        let mut out = ControlRules::default();
        if let Some(mut staged) = self.section("staged", sink) {
            out.slow = staged.integer("slow", 1, 100, sink).unwrap_or(0);
            out.slow_delay_ns = staged.duration_ns("slow_delay", sink).unwrap_or(0);
            let percent =
                |found: Option<i64>| found.and_then(|p| u8::try_from(p).ok()).unwrap_or(0);
            let first = percent(staged.integer("alert", 1, 99, sink));
            let again = percent(staged.integer("alert_again", 2, 100, sink));
            staged.finish(sink);
            if again != 0 && (first == 0 || again <= first) {
                self.wrong(sink, "staged", "alert_again comes after alert, and above it");
            }
            let usual = if (1..ALERT_AGAIN).contains(&first) { ALERT_AGAIN } else { 0 };
            out.alert = [first, if again == 0 { usual } else { again }];
            if (out.slow == 0) != (out.slow_delay_ns == 0) {
                self.wrong(sink, "staged", "slow and slow_delay come together");
            }
        }
        if self.choice("on_auto_trip", &["REDUCE_ONLY", "HALTED"], sink) == Some("HALTED") {
            out.on_auto_trip = KillState::Halted;
        }
        out.severity = self.severities(sink);
        out
    }
}

fn day_roll_ns(text: &str) -> Option<u64> {
    let (time, offset) = text.split_once(' ').unwrap_or((text, "+00:00"));
    let minutes = |text: &str| {
        let (hours, minutes) = text.split_once(':')?;
        let two = |digits: &str, below: i64| {
            let is_two = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
            digits.parse::<i64>().ok().filter(|value| is_two && *value < below)
        };
        Some(two(hours, 24)? * 60 + two(minutes, 60)?)
    };
    let away = match offset.split_at_checked(1)? {
        ("+", rest) => minutes(rest)?,
        ("-", rest) => -minutes(rest)?,
        _ => return None,
    };
    let utc = (minutes(time)? - away).rem_euclid(DAY_MINUTES);
    u64::try_from(utc).ok().map(|m| m * MINUTE_NS)
}

const MINUTE_NS: u64 = 60_000_000_000;
const DAY_MINUTES: i64 = 24 * 60;
/// 1/100 % in a percentage of nine decimals.
const BPS_E9: i64 = 10_000_000;
/// The second alert if nothing is said.
const ALERT_AGAIN: u8 = 90;
/// 100 %.
const WHOLE_BPS: i64 = 10_000;
/// Widest band around a price of the past.
const MOVE_BPS_MAX: i64 = 100_000;
/// A period is counted in sixteenths.
const MOVE_PERIOD_NS_MIN: u64 = 16;
/// Marks that confirm a loss if nothing is said: one bad tick must not stop a desk.
const CONFIRM_MARKS: u32 = 3;
/// Most marks that may be asked for.
const CONFIRM_MAX: i64 = 1_000;
/// Ids remembered for a day.
const DUPLICATE_IDS_MAX: i64 = 16_000_000;

#[cfg(test)]
mod tests {
    use super::day_roll_ns;

    #[test]
    fn a_day_ends_at_a_time_with_an_offset() {
        let hours = |h: u64| Some(h * 3_600_000_000_000);
        assert_eq!(day_roll_ns("00:00"), hours(0));
        assert_eq!(day_roll_ns("17:00"), hours(17));
        assert_eq!(day_roll_ns("17:00 -05:00"), hours(22));
        assert_eq!(day_roll_ns("01:00 +02:00"), hours(23));
        for bad in ["", "24:00", "1:00", "00:60", "00:00 UTC", "17:00 America/New_York", "aa:bb"] {
            assert_eq!(day_roll_ns(bad), None, "{bad}");
        }
    }
}
