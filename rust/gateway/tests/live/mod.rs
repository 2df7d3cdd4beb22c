//! A live gateway of two accounts in one instrument, for the tests that need one.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::path::Path;

use cwts_gateway::{Gateway, GatewayOptions, KeyStore};
use cwts_types::{Order, ReleaseMode};

pub(crate) const LIMITS: &str = r#"
schema = 1
[firm]
credit = "none"
[account.alpha]
max_order_qty = 1_000
max_order_notional = "none"
credit = "none"
message_rate = { max = 60_000, window = "1ms" }
max_position = { long = "none", short = 0 }
[account.beta]
max_order_qty = 1_000
max_order_notional = "none"
credit = "none"
message_rate = { max = 60_000, window = "1ms" }
max_position = { long = "none", short = 0 }
[strategy.default]
[instrument]
ACME = { tick = "0.01", lot = 1, price_collar = { bps = 500, reference = "external" } }
"#;

/// With its log in `dir`, or without one, and a reference price of 100.
pub(crate) fn opened(dir: Option<&Path>, release: ReleaseMode) -> Gateway {
    opened_with(Some(LIMITS), dir, release)
}

/// The same under other limits, or under those of the log.
pub(crate) fn opened_with(
    limits: Option<&str>,
    dir: Option<&Path>,
    release: ReleaseMode,
) -> Gateway {
    let options = GatewayOptions {
        limits: limits.map(|text| ("limits.toml".to_owned(), text.as_bytes().to_vec())),
        dir: dir.map(|dir| dir.join("log")),
        keys: dir.map(|dir| KeyStore::new(dir.join("keys"))),
        origin: None,
        anchor: None,
        release,
    };
    let mut gateway = Gateway::open(&options).unwrap();
    gateway.set_reference(1, Some(100_000_000_000), 0, 0, None).unwrap();
    gateway
}

/// One share at the reference.
pub(crate) fn buy(account: u32) -> Order {
    Order {
        px: 100_000_000_000,
        qty: 1,
        instrument: 1,
        account,
        strategy: 1,
        kind: 1,
        side: 1,
        type_tif: 2,
        ..Order::default()
    }
}
