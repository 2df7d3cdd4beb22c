//! Twice the busiest second of a log through a gateway of its own: does every limit hold?
//!
//! Source: Regulation (EU) 2017/589 (RTS 6) Art. 10: a high message volume test, with twice the
//! highest number of messages of the last six months. The busiest window is found in the log, its
//! messages are sent as often as asked, as fast as they go, to a fresh gateway under the limits
//! that were in force, with its log on disk; then the new log is folded and looked at.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use cwts_risk::{Engine, Registry};
use cwts_types::{Body, Entry, EntryType, Order, RegisterKind, ReleaseMode};
use serde_json::{Value, json};

use crate::{Gateway, GatewayError, GatewayOptions, KeyStore, fold_log, read_log};

/// What is asked of a stress.
#[derive(Debug, Clone)]
pub struct StressOptions {
    /// How often the busiest window is sent.
    pub factor: u32,
    /// Its length.
    pub window_ns: u64,
    /// Other limits, with their path for errors; those of the log if not given.
    pub limits: Option<(String, Vec<u8>)>,
}

/// The busiest window of a log: its end, and how many messages came in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Busiest {
    end_ns: i64,
    messages: u64,
}

/// Finds it, sends it, and says what held.
///
/// # Errors
/// There is no log or no order in it, the window has too many messages, or the limits are for
/// replays only.
pub fn run(log: &Path, work: &Path, options: &StressOptions) -> Result<Value, GatewayError> {
    let busiest = busiest(log, options.window_ns)?;
    if busiest.messages == 0 {
        let why = format!("{}: holds no order of the last six months", log.display());
        return Err(GatewayError::Replay(why));
    }
    let wanted = busiest.messages.saturating_mul(options.factor.into());
    if wanted > MESSAGES_MAX {
        let why = format!(
            "{wanted} messages are more than {MESSAGES_MAX}: take a shorter window or a smaller \
             factor"
        );
        return Err(GatewayError::Replay(why));
    }
    let flow = Flow::read(log, busiest, options.window_ns)?;
    let limits = match &options.limits {
        Some(limits) => limits.clone(),
        None => (log.display().to_string(), flow.engine.limits_text().to_vec()),
    };
    let dir = work.join("log");
    let mut gateway = Gateway::open(&GatewayOptions {
        limits: Some(limits),
        dir: Some(dir.clone()),
        keys: Some(KeyStore::new(work.join("keys"))),
        origin: None,
        anchor: None,
        release: ReleaseMode::Async,
    })?;
    let sent = flow.send(&mut gateway, options.factor)?;
    let (accepted, released, held_back, _) = gateway.in_out().counts();
    gateway.close()?;
    let folded = fold_log(&dir, |_, _, _| Ok(()))?;
    let engine = &folded.engine;
    let limits: Vec<Value> = engine
        .usage_since(&folded.peaks)
        .into_iter()
        .map(|row| {
            let peak = row.peak.unwrap_or(row.used).max(row.used);
            json!({
                "scope": row.scope, "limit": row.limit, "peak": peak, "max": row.max,
                "money": row.unit == cwts_risk::Unit::Micros, "held": peak <= row.max,
            })
        })
        .collect();
    let all_held = limits.iter().all(|row| row["held"] == true);
    let compared = accepted == released + held_back && engine.holds().count() == 0;
    let in_time = sent.elapsed_ns <= options.window_ns;
    let counters = engine.counters();
    Ok(json!({
        "busiest": { "end_utc_ns": busiest.end_ns, "window_ns": options.window_ns,
                     "messages": busiest.messages },
        "factor": options.factor,
        "messages": sent.messages,
        "elapsed_ns": sent.elapsed_ns,
        "in_time": in_time,
        "orders": counters.orders,
        "accepted": counters.accepted,
        "cancels": counters.cancels,
        "unknown_names": sent.unknown_names,
        "in_out_equal": compared,
        "limits": limits,
        "limits_held": all_held,
        "held": all_held && compared && in_time,
    }))
}

/// The window that ends at a message and holds the most, of the last six months; the first of them.
fn busiest(log: &Path, window_ns: u64) -> Result<Busiest, GatewayError> {
    let window = i64::try_from(window_ns).unwrap_or(i64::MAX);
    let mut last = i64::MIN;
    each_order(log, &mut |utc_ns, _| last = last.max(utc_ns))?;
    let since = last.saturating_sub(SIX_MONTHS_NS);
    let mut times: VecDeque<i64> = VecDeque::new();
    let mut most = Busiest::default();
    each_order(log, &mut |utc_ns, _| {
        // A clock that steps back starts the window again.
        if times.back().is_some_and(|back| *back > utc_ns) {
            times.clear();
        }
        while times.front().is_some_and(|first| utc_ns - first >= window) {
            times.pop_front();
        }
        times.push_back(utc_ns);
        let messages = times.len() as u64;
        if utc_ns >= since && messages > most.messages {
            most = Busiest { end_ns: utc_ns, messages };
        }
        // More than can be sent need not be told apart.
        if messages > MESSAGES_MAX {
            times.pop_front();
        }
    })?;
    Ok(most)
}

fn each_order(log: &Path, to: &mut impl FnMut(i64, &Order)) -> Result<(), GatewayError> {
    read_log(log, &mut |_, bytes| {
        if bytes.first() == Some(&(EntryType::Order as u8))
            && let Ok(Entry { header, body: Body::Order(order, _) }) = Entry::decode(bytes)
        {
            to(header.utc_ns, &order);
        }
        Ok(())
    })?;
    Ok(())
}

/// The window's messages, and what was known when it began.
struct Flow {
    /// Limits and names after the window.
    engine: Engine,
    orders: Vec<Order>,
    /// The last price of each instrument before an order of the window.
    prices: BTreeMap<u32, i64>,
}

struct Sent {
    messages: u64,
    elapsed_ns: u64,
    unknown_names: u64,
}

impl Flow {
    fn read(log: &Path, busiest: Busiest, window_ns: u64) -> Result<Self, GatewayError> {
        let window = i64::try_from(window_ns).unwrap_or(i64::MAX);
        let (mut orders, mut prices) = (Vec::new(), BTreeMap::new());
        let inside = |utc_ns: i64| {
            utc_ns <= busiest.end_ns && busiest.end_ns.saturating_sub(utc_ns) < window
        };
        let folded = fold_log(log, |_, entry, engine| {
            match &entry.body {
                Body::Order(order, _) if inside(entry.header.utc_ns) => orders.push(*order),
                Body::Reference(reference) if entry.header.utc_ns <= busiest.end_ns => {
                    if let Some(px) = engine.reference_price(reference) {
                        prices.insert(reference.instrument, px);
                    }
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(Self { engine: folded.engine, orders, prices })
    }

    /// Sends all messages so many times over; each time with ids of its own.
    fn send(&self, gateway: &mut Gateway, factor: u32) -> Result<Sent, GatewayError> {
        let old = self.engine.registry();
        let names = Names::new(old, gateway.engine().registry());
        for (instrument, px) in &self.prices {
            if let Some(instrument) = names.of(RegisterKind::Instrument, *instrument) {
                gateway.set_reference(instrument, Some(*px), *px, *px, None)?;
            }
        }
        let clock = crate::Clock::default();
        let start = clock.mono_ns();
        let (mut messages, mut unknown_names) = (0, 0);
        for _ in 0..factor {
            // Of this time: the new id of each old one.
            let mut ids: BTreeMap<u64, u64> = BTreeMap::new();
            for order in &self.orders {
                let name = |kind, handle| names.of(kind, handle).unwrap_or(0);
                let mut own = *order;
                own.instrument = name(RegisterKind::Instrument, order.instrument);
                own.account = name(RegisterKind::Account, order.account);
                own.strategy = name(RegisterKind::Strategy, order.strategy);
                unknown_names +=
                    u64::from([own.instrument, own.account, own.strategy].contains(&0));
                own.order_id = 0;
                own.ref_id = ids.get(&order.ref_id).copied().unwrap_or(order.ref_id);
                let submitted = gateway.submit(&own)?;
                ids.insert(order.order_id, submitted.order.order_id);
                messages += 1;
            }
        }
        let elapsed_ns = clock.mono_ns() - start;
        gateway.sync()?;
        Ok(Sent { messages, elapsed_ns, unknown_names })
    }
}

/// Handles of one registry in another, by name.
struct Names(BTreeMap<(RegisterKind, u32), u32>);

impl Names {
    fn new(old: &Registry, new: &Registry) -> Self {
        let rows = old.rows().into_iter().filter_map(|row| {
            let handle = new.handle(row.kind, &row.name)?;
            Some(((row.kind, row.handle), handle))
        });
        Self(rows.collect())
    }

    fn of(&self, kind: RegisterKind, handle: u32) -> Option<u32> {
        self.0.get(&(kind, handle)).copied()
    }
}

/// Messages of one stress: some 300 MB of log.
const MESSAGES_MAX: u64 = 1_000_000;
/// 184 days.
const SIX_MONTHS_NS: i64 = 184 * 86_400 * 1_000_000_000;

#[cfg(test)]
mod tests;
