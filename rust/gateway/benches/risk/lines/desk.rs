//! Gateways over the limits files that `cwts bench` wrote, and their orders.

use std::path::Path;

use cwts_gateway::{Gateway, GatewayOptions, KeyStore};
use cwts_types::{ORDER_BYTES, Order, ReleaseMode};

/// A gateway with these limits and a reference price in every instrument; `log` is its directory.
pub(super) fn gateway(limits: &Path, px: i64, log: Option<&Path>) -> Gateway {
    let text = std::fs::read(limits).unwrap();
    let mut gateway = Gateway::open(&GatewayOptions {
        limits: Some((limits.display().to_string(), text)),
        dir: log.map(Path::to_owned),
        keys: Some(KeyStore::new(limits.with_file_name("keys"))),
        origin: None,
        anchor: None,
        release: ReleaseMode::Async,
    })
    .unwrap();
    let names = gateway.engine().registry();
    let instruments = (1..).take_while(|handle| names.name(INSTRUMENT, *handle).is_some());
    let instruments = instruments.last().unwrap_or(0);
    for instrument in 1..=instruments {
        gateway.set_reference(instrument, Some(px), 0, 0, None).unwrap();
    }
    gateway
}

/// The orders of a file of records.
pub(super) fn orders(file: &Path) -> Vec<Order> {
    let bytes = std::fs::read(file).unwrap();
    let (records, rest) = bytes.as_chunks::<ORDER_BYTES>();
    assert!(rest.is_empty() && !records.is_empty(), "no whole records in {}", file.display());
    records.iter().map(Order::from_bytes).collect()
}

/// A limit order to buy 100 in the first instrument and account that the limits name.
pub(super) fn order() -> Order {
    Order {
        px: DESK_PX,
        qty: 100,
        instrument: 1,
        account: 1,
        strategy: 1,
        kind: 1,
        side: 1,
        type_tif: 2,
        ..Order::default()
    }
}

const INSTRUMENT: cwts_types::RegisterKind = cwts_types::RegisterKind::Instrument;
/// As `PRICE` of python/cwts/bench/ours.py.
pub(super) const DESK_PX: i64 = 223_810_000_000;
