//! Where the nanoseconds of an order in a batch go:
//! `cargo run --release -p cwts-risk --example batch_cost -- [accounts] [instruments] [orders]`
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "an example prints, and may panic")]

use std::fmt::Write as _;
use std::hint::black_box;

use cwts_risk::{Block, Engine, Outcome};
use cwts_types::{Order, Reference, Register, RegisterKind};

const UNIT: i64 = 1_000_000_000;

fn limits(accounts: u32, instruments: u32, every: bool) -> String {
    let all = |text: &'static str| if every { text } else { "" };
    let node = all(concat!(
        "max_open_orders = 900000\nmax_open_notional = \"90000000000\"\n",
        "daily_notional = \"90000000000\"\nnet_exposure = \"90000000000\"\n"
    ));
    let mut text = format!("schema = 1\n[firm]\ncredit = \"1_000_000_000_000\"\n{node}");
    if every {
        let _ = write!(text, "[desk.d]\ncredit = \"1_000_000_000_000\"\n{node}");
        for c in 0..10 {
            let credit = "credit = \"1_000_000_000_000\"";
            let _ = write!(text, "[customer.c{c}]\ndesk = \"d\"\n{credit}\n{node}");
        }
    }
    for account in 0..accounts {
        let _ = writeln!(text, "[account.a{account}]");
        if every {
            let _ = writeln!(text, "customer = \"c{}\"", account % 10);
            text += "duplicate_order = { window = \"1ms\" }\n";
        }
        text += "max_order_qty = 1000000\nmax_order_notional = \"99999999\"\n";
        text += "credit = \"999999999\"\nmessage_rate = { max = 60000, window = \"1s\" }\n";
        text += "max_position = { long = 1000000, short = 1000000 }\n";
        text += node;
    }
    text += "[strategy.s]\nmessage_rate = { max = 60_000, window = \"1us\" }\n";
    text += "[group.g]\ntick = \"0.01\"\nlot = 1\nmax_order_qty = 100_000\n";
    text += "price_collar = { bps = 9_000 }\n[instrument]\n";
    (0..instruments).for_each(|i| writeln!(text, "i{i} = {{ group = \"g\" }}").unwrap());
    text
}

fn engine(accounts: u32, instruments: u32, every: bool) -> Engine {
    let mut engine = Engine::new();
    engine.activate(1, limits(accounts, instruments, every).as_bytes()).unwrap();
    let mut name = |kind, handle, parent, name: String| {
        engine.register(&Register { kind, handle, parent, salt: [0; 16], name }).unwrap();
    };
    if every {
        name(RegisterKind::Desk, 1, 0, "d".to_owned());
        (0..10).for_each(|c| name(RegisterKind::Customer, c + 1, 1, format!("c{c}")));
    }
    for a in 0..accounts {
        let parent = if every { a % 10 + 1 } else { 0 };
        name(RegisterKind::Account, a + 1, parent, format!("a{a}"));
    }
    name(RegisterKind::Strategy, 1, 0, "s".to_owned());
    for i in 0..instruments {
        name(RegisterKind::Instrument, i + 1, 0, format!("i{i}"));
    }
    for i in 0..instruments {
        engine.reference_entry(&Reference {
            instrument: i + 1,
            px: 100 * UNIT,
            ts: 1,
            ..Reference::default()
        });
    }
    engine
}

fn flow(accounts: u32, instruments: u32, count: u64) -> Vec<Order> {
    let mut seed = 7_u64;
    let mut draw = |n: u32| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((seed >> 33) % u64::from(n)) as u32
    };
    (0..count)
        .map(|k| Order {
            seq: k + 1,
            ts: 1_000_000 + k * 100,
            px: 95 * UNIT + i64::from(draw(1_000)) * 10_000_000,
            qty: i64::from(draw(500)) + 1,
            order_id: k + 1,
            instrument: draw(instruments) + 1,
            account: draw(accounts) + 1,
            strategy: 1,
            kind: 1,
            side: draw(2) as u8 + 1,
            type_tif: 2,
            ..Order::default()
        })
        .collect()
}

/// CPU nanoseconds of this thread: other processes do not count.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

/// CPU nanoseconds an order of `work`, which answers how many were accepted.
fn timed(name: &str, orders: usize, work: impl FnOnce() -> usize) {
    let start = cpu_ns();
    let accepted = work();
    let each = (cpu_ns() - start) as f64 / orders as f64;
    println!("  {name:20} {each:8.1} ns an order, {accepted} accepted");
}

fn main() {
    let mut args = std::env::args().skip(1).map(|text| text.parse::<u32>().unwrap());
    let (accounts, instruments) = (args.next().unwrap_or(10_000), args.next().unwrap_or(10_000));
    let count = u64::from(args.next().unwrap_or(1_000_000));
    for every in [false, true] {
        println!("{accounts} accounts, {instruments} instruments, every control: {every}");
        let engine = engine(accounts, instruments, every);
        let orders = flow(accounts, instruments, count);
        let is_accepted = |outcome: &Outcome| outcome.decision.is_accepted();
        timed("check, state empty", orders.len(), || {
            orders.iter().filter(|order| is_accepted(&engine.check(order))).count()
        });
        let mut copy = engine.clone();
        timed("decide", orders.len(), || {
            orders.iter().filter(|order| is_accepted(&copy.decide(order, false))).count()
        });
        timed("check, state full", orders.len(), || {
            orders.iter().filter(|order| is_accepted(&copy.check(order))).count()
        });
        drop(copy);
        let mut copy = engine.clone();
        let mut block = Block::new();
        timed("decide_batch", orders.len(), || {
            let mut accepted = 0;
            copy.decide_batch(&orders, &mut block, false, |_, outcome| {
                accepted += usize::from(is_accepted(&outcome));
                true
            });
            accepted
        });
        timed("clone", orders.len(), || black_box(copy.clone()).working_orders());
    }
}
