//! What each control costs an order of a wide desk, as its absence shows:
//! `python -m cwts.bench.wide DIR`, then
//! `cargo run --release -p cwts-risk --example control_cost -- DIR [orders] [common|every|each]`
//!
//! The desk and the orders are those of `cwts bench`. Orders go as a gateway submits them: read
//! ahead, decided one by one, taken back after each call without counting that. The first round
//! makes the holdings and is not counted either.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "an example prints, and may panic")]

use std::path::Path;

use cwts_risk::{AHEAD, Block, Engine};
use cwts_types::{Exec, ORDER_BYTES, Order, Reference, Register, RegisterKind};

fn engine(text: &str) -> Engine {
    let mut engine = Engine::new();
    engine.activate(1, text.as_bytes()).unwrap();
    let heads = |kind: &'static str| {
        let head = move |line: &str| line.strip_prefix(kind)?.strip_suffix(']').map(str::to_owned);
        text.lines().filter_map(head).collect::<Vec<_>>()
    };
    let mut register = |kind, names: &[String], parent: &dyn Fn(u32) -> u32| {
        for (handle, name) in (1..).zip(names) {
            let (parent, name) = (parent(handle), name.clone());
            engine.register(&Register { kind, handle, parent, salt: [0; 16], name }).unwrap();
        }
    };
    let (customers, venues) = (heads("[customer."), heads("[venue."));
    let symbol = |line: &str| line.split_once(" = { group").map(|(name, _)| name.to_owned());
    let instruments = text.lines().filter_map(symbol).skip(1).collect::<Vec<_>>();
    let among = |count: usize| move |handle| (handle - 1) % (count as u32).max(1) + 1;
    register(RegisterKind::Desk, &["d".to_owned()], &|_| 0);
    register(RegisterKind::Customer, &customers, &|_| 1);
    register(RegisterKind::Account, &heads("[account."), &among(customers.len()));
    register(RegisterKind::Session, &heads("[session."), &|_| 0);
    register(RegisterKind::Venue, &venues, &|_| 0);
    register(RegisterKind::Strategy, &heads("[strategy."), &|_| 0);
    let venue = among(venues.len());
    let has_venues = !venues.is_empty();
    let place = |handle| if has_venues { venue(handle) } else { 0 };
    register(RegisterKind::Instrument, &instruments, &place);
    for instrument in (1..).take(instruments.len()) {
        engine.reference_entry(&Reference { instrument, px: PX, ts: 1, ..Reference::default() });
    }
    engine
}

/// CPU nanoseconds of this thread: other processes do not count.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

/// Nanoseconds an order, the best round: one by one, in a batch, and all only checked at once
/// before anything works.
fn cost(text: &str, orders: &mut [Order]) -> [f64; 3] {
    let (mut engine, mut block) = (engine(text), Block::new());
    let mut best = [f64::MAX; 3];
    for round in 0..=ROUNDS {
        let at = |order: &Order| Order { ts: 1_000_000_000 + 1_000 * order.seq, ..*order };
        let (start, mut accepted) = (cpu_ns(), 0);
        engine.check_batch(orders.iter().map(at), |decision| {
            accepted += usize::from(decision.is_accepted());
        });
        if round > 0 {
            best[2] = best[2].min((cpu_ns() - start) as f64 / orders.len() as f64);
        }
        assert_eq!(accepted, orders.len());
    }
    for round in 0..=2 * ROUNDS {
        let is_batch = round % 2 == 0;
        let mut spent = 0;
        for call in orders.chunks_mut(CALL) {
            for order in call.iter_mut() {
                order.ts = engine.last_ts() + 1_000 * (order.seq % CALL as u64 + 1);
                order.order_id += ORDERS_MAX;
            }
            let start = cpu_ns();
            let mut accepted = 0;
            if is_batch {
                engine.decide_batch(call, &mut block, false, |_, outcome| {
                    accepted += usize::from(outcome.decision.is_accepted());
                    true
                });
            } else {
                for few in call.chunks(AHEAD) {
                    engine.read_ahead(few);
                    for order in few {
                        let outcome = engine.decide(order, false);
                        accepted += usize::from(outcome.decision.is_accepted());
                    }
                }
            }
            spent += cpu_ns() - start;
            assert_eq!(accepted, call.len(), "{:?}", engine.refusals());
            for order in call.iter() {
                let exec_type = b'4';
                engine.exec(&Exec { order_id: order.order_id, exec_type, ..Exec::default() });
            }
        }
        if round > 0 {
            let best = &mut best[usize::from(is_batch)];
            *best = best.min(spent as f64 / orders.len() as f64);
        }
    }
    best
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let dir = Path::new(args.first().expect("usage: control_cost DIR [orders] [what]"));
    let count = args.get(1).map_or(usize::MAX, |count| count.parse().unwrap());
    let what = args.get(2).map_or("each", String::as_str);
    let bytes = std::fs::read(dir.join("orders.bin")).unwrap();
    let records = bytes.as_chunks::<ORDER_BYTES>().0.iter().take(count).map(Order::from_bytes);
    let mut orders: Vec<Order> = records.collect();
    for (order, seq) in orders.iter_mut().zip(1..) {
        (order.seq, order.order_id) = (seq, seq);
    }
    let mut say = |name: &str, text: &str| {
        let [single, batch, checked] = cost(text, &mut orders);
        println!("{name:36} {single:8.1} {batch:8.1} {checked:8.1}");
    };
    println!("{:36} {:>8} {:>8} {:>8}", "ns an order", "singles", "batch", "checked");
    let read = |name| std::fs::read_to_string(dir.join(name)).unwrap();
    if what != "every" {
        say("common", &read("common.toml"));
    }
    if what == "common" {
        return;
    }
    let text = read("every.toml");
    say("every", &text);
    if what == "every" {
        return;
    }
    for keys in WITHOUT {
        let has = |line: &str| {
            let key = line.split('=').next().unwrap_or("").trim();
            line.contains('=') && keys.split(' ').any(|k| k == key)
        };
        let left: Vec<&str> = text.lines().filter(|line| !has(line)).collect();
        say(&format!("every without {keys}"), &(left.join("\n") + "\n"));
    }
}

/// Keys that a file may leave out.
const WITHOUT: [&str; 16] = [
    "duplicate_order",
    "max_open_notional",
    "max_open_orders",
    "net_exposure",
    "concentration",
    "daily_notional",
    "daily_orders daily_qty",
    "window_notional",
    "loss_limit drawdown",
    "self_trade",
    "cash buying_power",
    "staged",
    "price_move",
    "attempt_rate",
    "duplicate_id",
    "restricted",
];
/// As `PRICE_E9` of python/cwts/bench/wide.py.
const PX: i64 = 100_000_000_000;
const CALL: usize = 32_768;
/// Ids of a round begin above those of the round before.
const ORDERS_MAX: u64 = 1 << 32;
const ROUNDS: usize = 2;
