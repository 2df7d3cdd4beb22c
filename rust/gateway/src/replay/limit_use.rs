//! How orders stood against their limits: values compared, peaks, near misses.
//!
//! Bounded: one histogram of two significant digits a comparison (exact below 256), one peak a
//! scope. It reads decisions and changes none; a replay that nobody wants a report of leaves it
//! out, and says so in its result.
//!
//! Values above a quarter of their limit (of a limit from below, those under four times it) are
//! counted one by one, always: near misses and what a tighter limit refuses are exact. Beyond
//! that, after the first orders, one order of a few stands for all, because most orders lie there
//! and looking at each costs more than deciding some.

use cwts_risk::{COMPARED, Compared, Comparison, Engine, Of, Peaks, Sight};
use cwts_types::{Body, Order, RegisterKind};
use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

/// What was compared with what, over a run.
#[derive(Debug, Clone)]
pub(crate) struct LimitUse {
    rows: Vec<Row>,
    near_orders: u64,
    orders: u64,
    /// Orders that are looked at whole before the others are sampled.
    whole: u64,
    peaks: Peaks,
}

/// One comparison of [`COMPARED`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    values: Option<Histogram<u64>>,
    max: i64,
    min: Option<i64>,
    near: u64,
    /// By place: handles and holdings count up, so this is as long as there are scopes. Apart
    /// from the rest of a peak, because every order reads it.
    highs: Vec<i64>,
    peaks: Vec<Option<Peak>>,
}

/// The highest use of one scope's limit by an accepted order.
#[derive(Debug, Clone, Copy)]
struct Peak {
    value: i64,
    limit: i64,
    near: u64,
    seq: u64,
    ts: u64,
    order_id: u64,
    account: u32,
    strategy: u32,
    instrument: u32,
}

impl LimitUse {
    /// As a report needs it.
    pub(crate) fn sampled() -> Self {
        Self {
            rows: vec![Row::default(); COMPARED.len()],
            near_orders: 0,
            orders: 0,
            whole: WHOLE_ORDERS,
            peaks: Peaks::new(),
        }
    }

    /// Every value of every order.
    pub(crate) fn exact() -> Self {
        Self { whole: u64::MAX, ..Self::sampled() }
    }

    /// Takes one decision in.
    #[inline]
    pub(crate) fn take(&mut self, sight: &Sight<'_>) {
        let whole = self.orders < self.whole;
        let all = whole || self.orders.is_multiple_of(ONE_IN);
        self.orders += 1;
        let accepted = sight.accepted();
        let mut near = false;
        let rows = &mut self.rows;
        sight.each(all, |compared| {
            let row = &mut rows[compared.row];
            let of = COMPARED[compared.row];
            let counted_always = whole || of.is_close(compared.value, compared.limit);
            row.record(compared.value, if counted_always { 1 } else { ONE_IN });
            if accepted {
                near |= row.peak(compared, sight.order(), of);
            }
        });
        self.near_orders += u64::from(near);
    }

    /// Looks after an entry that the engine has taken and that is no order.
    pub(crate) fn after_entry(&mut self, engine: &Engine, body: &Body) {
        self.peaks.entry(engine, body);
    }

    /// Looks after an order.
    #[inline]
    pub(crate) fn after_order(&mut self, engine: &Engine, order: &Order) {
        self.peaks.order(engine, order);
    }

    /// The highest use of limits whose peak the engine does not keep.
    pub(crate) fn peaks(&self) -> &Peaks {
        &self.peaks
    }

    /// The values of a comparison, if any order met its limit.
    pub(crate) fn row(&self, row: usize) -> &Row {
        &self.rows[row]
    }

    /// Curves, peaks and near misses; names are the engine's.
    pub(super) fn document(&self, engine: &Engine) -> Value {
        let curves: Vec<Value> =
            self.rows.iter().enumerate().filter_map(|(row, found)| found.curve(row)).collect();
        let mut by_control: Map<String, Value> = Map::new();
        let mut peaks: Vec<(usize, u32, Peak)> = Vec::new();
        for (number, row) in self.rows.iter().enumerate() {
            if row.near > 0 {
                let name = COMPARED[number].control.name().to_owned();
                let before = by_control.get(&name).and_then(Value::as_u64).unwrap_or(0);
                by_control.insert(name, json!(before + row.near));
            }
            let found = row.peaks.iter().enumerate();
            peaks.extend(found.filter_map(|(place, p)| Some((number, place as u32, (*p)?))));
        }
        let share = |row: usize, p: &Peak| {
            let (part, whole) = part_of(COMPARED[row], p.value, p.limit);
            i128::from(part) * 1_000_000_000 / i128::from(whole.max(1))
        };
        peaks.sort_by(|a, b| {
            share(b.0, &b.2).cmp(&share(a.0, &a.2)).then((a.0, a.1).cmp(&(b.0, b.1)))
        });
        let total = peaks.len();
        peaks.truncate(PEAKS_MAX);
        let rows: Vec<Value> =
            peaks.iter().map(|(row, place, peak)| peak.row(*row, *place, engine)).collect();
        json!({
            "measured": true,
            "sampled": { "after_orders": self.whole, "one_in": ONE_IN, "below_percent": 25 },
            "curves": curves,
            "peaks": rows,
            "peaks_total": total,
            "near": {
                "percent": NEAR_PERCENT, "orders": self.near_orders, "by_control": by_control,
            },
        })
    }
}

impl Row {
    #[inline]
    fn record(&mut self, value: i64, orders: u64) {
        self.max = self.max.max(value);
        self.min = Some(self.min.map_or(value, |min| min.min(value)));
        let values = self.values.get_or_insert_with(new_histogram);
        values.saturating_record_n(value.max(0) as u64, orders);
    }

    /// Keeps the scope's highest use; whether this one is near the limit.
    #[inline]
    fn peak(&mut self, compared: Compared, order: &Order, of: Comparison) -> bool {
        let Compared { place, value, limit, .. } = compared;
        let place = place as usize;
        if place >= self.highs.len() {
            self.highs.resize(place + 1, i64::MIN);
            self.peaks.resize(place + 1, None);
        }
        let (part, whole) = part_of(of, value, limit);
        let near = is_near(part, whole);
        // Under a limit from below the smallest value is the highest use.
        let high = if of.of == Of::Floor { value.saturating_neg() } else { value };
        if high <= self.highs[place] && !near {
            return false;
        }
        self.near += u64::from(near);
        let before = self.peaks[place].map_or(0, |p| p.near) + u64::from(near);
        if high > self.highs[place] {
            self.highs[place] = high;
            self.peaks[place] = Some(Peak {
                value,
                limit,
                near: before,
                seq: order.seq,
                ts: order.ts,
                order_id: order.order_id,
                account: order.account,
                strategy: order.strategy,
                instrument: order.instrument,
            });
        } else if let Some(peak) = &mut self.peaks[place] {
            peak.near = before;
        }
        near
    }

    /// Orders compared.
    pub(crate) fn orders(&self) -> u64 {
        self.values.as_ref().map_or(0, Histogram::len)
    }

    /// The largest value.
    pub(crate) fn max(&self) -> i64 {
        self.max
    }

    /// The smallest recorded bound that at most `beyond` orders pass; never below what they did.
    pub(crate) fn bound(&self, beyond: u64) -> i64 {
        let Some(values) = &self.values else { return 0 };
        let wanted = values.len().saturating_sub(beyond);
        let mut seen = 0;
        for step in values.iter_recorded() {
            seen += step.count_since_last_iteration();
            if seen >= wanted {
                let upper = i64::try_from(step.value_iterated_to()).unwrap_or(i64::MAX);
                return upper.min(self.max);
            }
        }
        self.max
    }

    /// The value that this share of orders does not pass, rounded up within two digits.
    pub(crate) fn quantile(&self, share: f64) -> i64 {
        let Some(values) = &self.values else { return 0 };
        i64::try_from(values.value_at_quantile(share)).unwrap_or(i64::MAX).min(self.max)
    }

    /// Rejections against the limit's value: how many values lie above each point of the grid.
    fn curve(&self, row: usize) -> Option<Value> {
        let values = self.values.as_ref()?;
        let of = COMPARED[row];
        let (grid, refused) = if of.of == Of::Floor { below(values) } else { self.above(values) };
        let limits = || self.peaks.iter().flatten().map(|p| p.limit);
        Some(json!({
            "control": of.control.name(),
            "level": of.level.name(),
            "unit": of.unit.name(),
            "key": of.key(),
            "floor": of.of == Of::Floor,
            "orders": values.len(),
            "max": self.max,
            "min": self.min,
            "limit_min": limits().min(),
            "limit_max": limits().max(),
            "stateful": of.control.info().stage == cwts_types::Stage::Stateful,
            "x": grid,
            "rejected": refused,
        }))
    }

    /// How many values lie above each point, from a value that most orders pass.
    fn above(&self, values: &Histogram<u64>) -> (Vec<u64>, Vec<u64>) {
        let total = values.len();
        let max = self.max.max(1) as u64;
        let least = values.value_at_quantile(CURVE_FROM).clamp(1, max);
        let mut grid: Vec<u64> = Vec::new();
        for octave in least.ilog2()..=max.ilog2() {
            for quarter in 0..4u64 {
                let x = (1u64 << octave) + (quarter << octave) / 4;
                if x >= least && x < max {
                    // Counts are exact at the upper edge of a bucket.
                    grid.push(values.highest_equivalent(x).min(max));
                }
            }
        }
        grid.push(max);
        grid.dedup();
        let (mut above, mut at) = (Vec::with_capacity(grid.len()), 0);
        let mut seen = 0;
        for step in values.iter_recorded() {
            while at < grid.len() && grid[at] < step.value_iterated_to().min(max) {
                above.push(total - seen);
                at += 1;
            }
            seen += step.count_since_last_iteration();
        }
        above.resize(grid.len(), 0);
        (grid, above)
    }
}

/// How many values lie below each point, up to one that most orders stay under.
fn below(values: &Histogram<u64>) -> (Vec<u64>, Vec<u64>) {
    let (mut grid, mut below) = (Vec::new(), Vec::new());
    let most = values.value_at_quantile(1.0 - CURVE_FROM);
    let mut seen = 0;
    for step in values.iter_recorded() {
        // Counts are exact at the lower edge of a bucket.
        let edge = values.lowest_equivalent(step.value_iterated_to());
        let is_new = grid.last().is_none_or(|last: &u64| edge >= last + last / STEPS_OCTAVE);
        if edge > most {
            break;
        }
        if is_new && edge > 0 {
            grid.push(edge);
            below.push(seen);
        }
        seen += step.count_since_last_iteration();
    }
    let end = values.highest_equivalent(most).saturating_add(1);
    grid.push(end);
    below.push(values.count_between(0, most));
    (grid, below)
}

impl Peak {
    fn row(&self, row: usize, place: u32, engine: &Engine) -> Value {
        let of = COMPARED[row];
        let registry = engine.registry();
        let name = |kind, handle| registry.name(kind, handle).unwrap_or("?").to_owned();
        let (part, whole) = part_of(of, self.value, self.limit);
        let pct = if whole > 0 { part as f64 * 100.0 / whole as f64 } else { 0.0 };
        json!({
            "control": of.control.name(),
            "level": of.level.name(),
            "key": of.key(),
            "floor": of.of == Of::Floor,
            "scope": engine.place_text(row, place),
            "unit": of.unit.name(),
            "value": self.value,
            "limit": self.limit,
            "pct": pct,
            "near": self.near,
            "seq": self.seq,
            "ts_ns": self.ts,
            "order_id": self.order_id,
            "account": name(RegisterKind::Account, self.account),
            "strategy": name(RegisterKind::Strategy, self.strategy),
            "symbol": name(RegisterKind::Instrument, self.instrument),
        })
    }
}

/// At 90 % of the limit or above, exactly.
#[inline]
fn is_near(value: i64, limit: i64) -> bool {
    // Most values are far away, and a shift tells.
    value > 0
        && limit.saturating_sub(value) <= value >> 3
        && i128::from(value) * 100 >= i128::from(limit) * i128::from(NEAR_PERCENT)
}

/// What is used of what: under a limit from below the smaller value uses more of it.
#[inline]
fn part_of(of: Comparison, value: i64, limit: i64) -> (i64, i64) {
    if of.of == Of::Floor { (limit, value) } else { (value, limit) }
}

/// Two significant digits over all of i64: 60 kB, whatever is counted.
fn new_histogram() -> Histogram<u64> {
    let mut histogram = Histogram::new_with_max(VALUE_MAX, 2)
        .unwrap_or_else(|_| Histogram::new_with_bounds(1, u64::MAX / 2, 2).expect("bounds"));
    histogram.auto(false);
    histogram
}

/// Values above it count as it.
const VALUE_MAX: u64 = i64::MAX as u64;
/// Orders looked at whole: a day of one share at one venue, and every smaller run.
const WHOLE_ORDERS: u64 = 65_536;
/// After them, of orders far below a limit one of so many is looked at, and counts for all.
const ONE_IN: u64 = 16;
/// From this share of its limit on an accepted order is a near miss.
const NEAR_PERCENT: i64 = 90;
/// A curve starts at the value that this share of orders does not pass: below it nearly every
/// order would be refused.
const CURVE_FROM: f64 = 0.25;
/// Points of a curve within a factor of two, about.
const STEPS_OCTAVE: u64 = 4;
/// Peaks in the result.
const PEAKS_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row_of(values: &[i64]) -> Row {
        let mut row = Row::default();
        for value in values {
            row.record(*value, 1);
        }
        row
    }

    proptest! {
        #[test]
        fn no_more_orders_pass_a_bound_than_were_allowed(
            values in prop::collection::vec(0i64..2_000_000_000_000, 1..300), beyond in 0u64..20,
        ) {
            let bound = row_of(&values).bound(beyond);
            let above = values.iter().filter(|v| **v > bound).count() as u64;
            prop_assert!(above <= beyond);
        }

        #[test]
        fn a_curve_counts_what_lies_above(
            values in prop::collection::vec(1i64..5_000_000, 1..300),
        ) {
            let curve = row_of(&values).curve(0).unwrap();
            let column = |key: &str| -> Vec<i64> {
                curve[key].as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect()
            };
            for (x, rejected) in column("x").into_iter().zip(column("rejected")) {
                let above = values.iter().filter(|v| **v > x).count() as i64;
                prop_assert_eq!(rejected, above, "at {}", x);
            }
        }

        #[test]
        fn a_curve_from_below_counts_what_lies_below(
            values in prop::collection::vec(1i64..5_000_000, 1..300),
        ) {
            let floor = COMPARED.iter().position(|row| row.of == Of::Floor).unwrap();
            let curve = row_of(&values).curve(floor).unwrap();
            let column = |key: &str| -> Vec<i64> {
                curve[key].as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect()
            };
            let xs = column("x");
            prop_assert!(xs.is_sorted() && !xs.is_empty());
            for (x, rejected) in xs.into_iter().zip(column("rejected")) {
                let below = values.iter().filter(|v| **v < x).count() as i64;
                prop_assert_eq!(rejected, below, "at {}", x);
            }
        }

        #[test]
        fn near_is_nine_tenths_of_the_limit(value in 0i64..3_000, limit in 0i64..3_000) {
            let wanted = value > 0 && value <= limit && value * 10 >= limit * 9;
            prop_assert_eq!(is_near(value, limit) && value <= limit, wanted);
        }
    }
}
