//! Order flow as text, and its replay, for the tests of replays at scale.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "each test takes what it needs")]

use std::io::{Cursor, Write as _};
use std::path::Path;

use cwts_feeds::source::{Input, OpenOptions, open_events};
use cwts_gateway::replay::{Progress, ReplayInput, ReplayOptions, ReplayOutcome, replay_merged};
use cwts_gateway::{GatewayError, KeyStore, read_log};

pub(crate) const HEADER: &str =
    "ts,kind,order_id,account,strategy,instrument,side,qty,price,ref_id,flags\n";

pub(crate) const LIMITS: &str = r#"
schema = 1
[firm]
credit = "none"
[account."*"]
max_order_qty = 500
max_order_notional = "1_000_000"
credit = "none"
max_position = { long = 200_000, short = 200_000 }
message_rate = { max = 40, window = "1ms" }
duplicate_order = { window = "1ms", max = 1 }
[strategy."*"]
message_rate = { max = 400, window = "1s" }
[group.replay]
tick = "0.01"
lot = 1
price_collar = { bps = 600, on_missing = "allow" }
"#;

/// Limits under which a position of 150 is the bound that a few orders reach.
pub(crate) const POSITION_LIMITS: &str = r#"
schema = 1
[firm]
base_currency = "USD"
credit = "1_000_000"
[account."*"]
max_order_qty = 1_000
max_order_notional = "100_000"
credit = "1_000_000"
message_rate = { max = 100, window = "1s" }
duplicate_order = { window = "1ms", max = 10 }
max_position = { long = 150, short = 150 }
[strategy."*"]
message_rate = { max = 100, window = "1s" }
[group.replay]
tick = "0.01"
lot = 1
price_collar = { bps = 5000, reference = "last_trade", on_missing = "allow" }
[restricted]
deny = []
"#;

/// One row, and when it happens as its file sees it.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) ts: u64,
    pub(crate) text: String,
}

/// A small, seeded source of numbers; the flow needs no better one.
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }
}

/// Rows with ties and backward steps in time, text order ids, and names that come up one by one.
pub(crate) fn flow(seed: u64, count: usize) -> Vec<Row> {
    let mut draw = Draw(seed | 1);
    let mut rows = Vec::new();
    let mut ts = 1_700_000_000_000_000_000;
    let mut live: Vec<(u64, u64, u64)> = Vec::new();
    for n in 0..count as u64 {
        let step = draw.below(6) * 100_000;
        ts = if draw.below(50) == 0 { ts - step } else { ts + step };
        let names = 1 + n / 40;
        let (account, instrument) = (draw.below(names.min(9)), draw.below(names.min(13)));
        let text = match draw.below(10) {
            0..=4 => {
                let qty = 1 + draw.below(600);
                live.push((n, account, instrument));
                let side = if draw.below(2) == 0 { "buy" } else { "sell" };
                let price = 9_900 + draw.below(200);
                let place = format!("order-{n},A{account},S{account},I{instrument},{side},{qty}");
                format!("{ts},add,{place},{}.{:02},,0", price / 100, price % 100)
            }
            kind if !live.is_empty() => {
                let at = draw.below(live.len() as u64) as usize;
                let (id, account, instrument) = live[at];
                let row = format!("order-{id},A{account},S{account},I{instrument},buy");
                match kind {
                    5 => format!("{ts},fill,{row},{},99.50,,0", 1 + draw.below(300)),
                    6 => format!("{ts},reduce,{row},{},,,0", 1 + draw.below(100)),
                    7 => format!("{ts},replace,{row},{},99.70,,0", 1 + draw.below(300)),
                    _ => {
                        live.swap_remove(at);
                        format!("{ts},delete,{row},,,,0")
                    }
                }
            }
            _ => format!("{ts},trade,,,,I{instrument},none,10,99.40,,0"),
        };
        rows.push(Row { ts, text });
    }
    rows
}

pub(crate) fn csv(rows: &[Row]) -> Vec<u8> {
    let mut out = HEADER.as_bytes().to_vec();
    for row in rows {
        writeln!(out, "{}", row.text).unwrap();
    }
    out
}

pub(crate) fn input(name: &str, bytes: Vec<u8>, chunk_bytes: usize) -> ReplayInput {
    let open = OpenOptions { chunk_bytes, ..OpenOptions::default() };
    let reader = Input::Stream(Box::new(Cursor::new(bytes)));
    let source = open_events(reader, None, &open).unwrap();
    ReplayInput { path: name.to_owned(), source: Box::new(source) }
}

pub(crate) fn whole(name: &str, bytes: Vec<u8>) -> ReplayInput {
    input(name, bytes, 1 << 20)
}

pub(crate) fn options() -> ReplayOptions {
    ReplayOptions::new("limits.toml", LIMITS.as_bytes())
}

/// Replays into a log; the result and the log's entries.
pub(crate) fn logged(
    inputs: Vec<ReplayInput>,
    mut options: ReplayOptions,
) -> (ReplayOutcome, Vec<Vec<u8>>) {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("log");
    options.dir = Some(dir.clone());
    options.keys = Some(KeyStore::new(temp.path().join("keys")));
    let found = replay_merged(inputs, &options, &Progress::default()).unwrap();
    (found, entries(&dir))
}

pub(crate) fn entries(dir: &Path) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    read_log(dir, &mut |_, bytes: &[u8]| {
        entries.push(bytes.to_vec());
        Ok(())
    })
    .unwrap();
    entries
}

pub(crate) fn refused(inputs: Vec<ReplayInput>, options: &ReplayOptions) -> GatewayError {
    replay_merged(inputs, options, &Progress::default()).unwrap_err()
}
