//! The Rust benchmark of the risk path runs, and its lines have what `cwts bench` reads of them.
#![expect(clippy::unwrap_used, reason = "a test and a benchmark may panic")]

use std::path::Path;

use cwts_types::Order;
use serde_json::Value;

#[path = "../benches/risk/lines/mod.rs"]
#[expect(dead_code, unused_imports, reason = "figures, and the process that raises the page")]
mod lines;

/// 32 accounts and instruments, as `desk.toml` has; nothing is ever reached.
fn limits() -> String {
    let accounts = (0..32).map(|number| {
        format!(
            "[account.A{number:02}]\nmax_order_qty = 500\nmax_order_notional = \"none\"\n\
             credit = \"none\"\nmessage_rate = \"none\"\nmax_position = \"none\"\n"
        )
    });
    let instruments = (0..32).map(|number| format!("S{number:02} = {{ group = \"g\" }}\n"));
    format!(
        "schema = 1\n[firm]\ncredit = \"none\"\n{}[strategy.s]\n[group.g]\ntick = \"0.01\"\n\
         lot = 1\nprice_collar = {{ bps = 500, reference = \"external\" }}\n[instrument]\n{}",
        accounts.collect::<String>(),
        instruments.collect::<String>()
    )
}

fn write(dir: &Path) {
    for name in ["desk.toml", "common.toml", "every.toml"] {
        std::fs::write(dir.join(name), limits()).unwrap();
    }
    let order = |number: u32| Order {
        px: 100_000_000_000 + i64::from(number % 3) * 10_000_000,
        qty: 100,
        instrument: number % 32 + 1,
        account: number % 31 + 1,
        strategy: 1,
        kind: 1,
        side: 1,
        type_tif: 2,
        ..Order::default()
    };
    let orders: Vec<u8> = (0..500).flat_map(|number| order(number).to_bytes()).collect();
    std::fs::write(dir.join("orders.bin"), orders).unwrap();
}

#[test]
fn every_line_has_its_figures() {
    let temp = tempfile::tempdir().unwrap();
    write(temp.path());
    let mut found = Vec::new();
    lines::all(temp.path(), lines::QUICK, None, None, &mut |line| found.push(line));
    let names: Vec<[&str; 2]> =
        found.iter().map(|line| ["name", "peer"].map(|key| line[key].as_str().unwrap())).collect();
    let expected = [
        ["native_check", "openpit crate"],
        ["columns", "own scalar"],
        ["batch_common", "check_batch"],
        ["batch_common", "submit_batch"],
        ["batch_every", "check_batch"],
        ["batch_every", "submit_batch"],
        ["kill_thread", "no log"],
        ["kill_thread", "log"],
    ];
    assert_eq!(names, expected);
    let positive = |line: &Value, key: &str| line[key].as_f64().is_some_and(|value| value > 0.0);
    for line in &found {
        assert!(["ours", "ours_min"].into_iter().all(|key| positive(line, key)), "{line}");
        let wanted: &[&str] = match line["name"].as_str().unwrap() {
            "native_check" | "columns" => &["peer_value", "peer_min", "ratio"],
            "kill_thread" => &["p99", "max", "ping_pong_p50"],
            _ => &["orders", "accounts", "instruments", "holdings", "orders_a_call"],
        };
        assert!(wanted.iter().all(|key| positive(line, key)), "{line}");
    }
    assert_eq!((&found[2]["accounts"], &found[2]["instruments"]), (&31.into(), &32.into()));
    assert!(!temp.path().join("log-thread").exists(), "a log was left behind");
}
