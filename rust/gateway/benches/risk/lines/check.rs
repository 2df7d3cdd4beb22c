//! One built order through twelve controls on four levels, beside OpenPit's crate.

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use cwts_types::Order;
use openpit::param::{AccountId, Asset, Price, Quantity, Side, TradeAmount, Volume};
use openpit::pretrade::policies::{
    OrderSizeBrokerBarrier, OrderSizeLimit, OrderSizeLimitPolicy, OrderSizeLimitSettings,
    OrderValidationPolicy, RateLimit, RateLimitBrokerBarrier, RateLimitPolicy, RateLimitSettings,
};
use openpit::storage::NoLocking;
use openpit::{Engine, EngineTrait, Instrument, OrderOperation};
use serde_json::{Value, json};

use super::Size;
use super::desk::{DESK_PX, gateway, order};
use super::timing::{Times, cpu, in_turn};

/// `check_now` reads the clock, as the peer's engine does for each order; `check` does not, and
/// `engine` is the pure function below both.
pub(super) fn native_check(dir: &Path, size: Size, say: &mut dyn FnMut(Value)) {
    let mut gateway = gateway(&dir.join("desk.toml"), DESK_PX, None);
    for order in at_work() {
        // A desk at work: a working order in every holding.
        assert!(gateway.submit(&order).unwrap().outcome.decision.is_accepted());
    }
    let order = order();
    assert!(gateway.check_now(&order).unwrap().decision.is_accepted());
    let check_now = || {
        cpu(size.checks, || {
            for _ in 0..size.checks {
                black_box(gateway.check_now(black_box(&order)).unwrap());
            }
        })
    };
    let (peer, theirs) = openpit();
    let mut built = Vec::new();
    let peer_check = || {
        let mut spent = 0.0;
        for _ in 0..size.checks / PEER_BUILT {
            // It takes the order away: built beforehand, few enough to stay in the cache.
            built.resize(PEER_BUILT, theirs.clone());
            spent += cpu(1, || {
                for order in built.drain(..) {
                    peer.execute_pre_trade(black_box(order)).unwrap().rollback();
                }
            });
        }
        spent / (size.checks / PEER_BUILT * PEER_BUILT) as f64
    };
    let (us, them, ratio) = in_turn(size.rounds, check_now, peer_check);
    let check = Times::alone(size.rounds, || {
        cpu(size.checks, || {
            for _ in 0..size.checks {
                black_box(gateway.check(black_box(&order)).unwrap());
            }
        })
    });
    let engine = Times::alone(size.rounds, || {
        cpu(size.checks, || {
            for _ in 0..size.checks {
                black_box(gateway.engine().check(black_box(&order)));
            }
        })
    });
    say(json!({
        "name": "native_check", "peer": "openpit crate", "version": "0.10.0",
        "ours": us.median(), "ours_min": us.min(),
        "peer_value": them.median(), "peer_min": them.min(), "ratio": ratio, "unit": "ns/order",
        "without_clock": check.median(), "without_clock_min": check.min(),
        "engine": engine.median(), "engine_min": engine.min(),
        "rounds": size.rounds, "checks": size.checks,
    }));
}

/// One order for each account and instrument.
fn at_work() -> impl Iterator<Item = Order> {
    let pairs = (1..=HANDLES).flat_map(|instrument| (1..=HANDLES).map(move |a| (instrument, a)));
    pairs.map(|(instrument, account)| Order { instrument, account, ..order() })
}

/// The peer with the policies of its Python row: validation, order rate, order size; and an order
/// that passes them.
fn openpit() -> (Engine<impl EngineTrait<Order = OrderOperation>>, OrderOperation) {
    let quantity = |text| Quantity::from_str(text).unwrap();
    let size = OrderSizeLimit {
        max_quantity: Some(quantity("500")),
        max_notional: Some(Volume::from_str("150000").unwrap()),
    };
    let size = OrderSizeLimitSettings::new(Some(OrderSizeBrokerBarrier { limit: size }), [], []);
    let rate = RateLimit { max_orders: 1_000_000, window: Duration::from_secs(1) };
    let rate = RateLimitSettings::new(Some(RateLimitBrokerBarrier { limit: rate }), [], [], []);
    let builder = Engine::builder::<OrderOperation, (), ()>().no_sync();
    let rate = RateLimitPolicy::new(rate.unwrap(), builder.storage_builder());
    let engine = builder
        .pre_trade(OrderValidationPolicy::new())
        .pre_trade(rate)
        .pre_trade(OrderSizeLimitPolicy::<NoLocking>::new(size.unwrap()))
        .build()
        .unwrap();
    let order = OrderOperation {
        instrument: Instrument::new(Asset::new("AMZN").unwrap(), Asset::new("USD").unwrap()),
        account_id: AccountId::from_u64(1),
        side: Side::Buy,
        trade_amount: TradeAmount::Quantity(quantity("100")),
        price: Some(Price::from_str("223.81").unwrap()),
    };
    (engine, order)
}

/// Accounts and instruments of the desk.
const HANDLES: u32 = 32;
const PEER_BUILT: usize = 500;
