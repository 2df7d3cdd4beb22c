//! Random limits: as numbers for the model, as a limits file for the engine.

use cwts_types::{Register, RegisterKind};
use proptest::prelude::*;

pub(crate) const ACCOUNTS: u32 = 3;
pub(crate) const INSTRUMENTS: u32 = 2;
pub(crate) const STRATEGIES: u32 = 2;

/// At most `max` in a window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) max: usize,
    pub(crate) window: u64,
    pub(crate) accepted_new: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) max_qty: Option<i64>,
    pub(crate) max_n: i64,
    pub(crate) rate: Option<Rate>,
    pub(crate) duplicates: Option<(usize, u64)>,
    pub(crate) long: i64,
    pub(crate) short: i64,
    pub(crate) denies_second: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Instrument {
    pub(crate) tick: Option<i64>,
    pub(crate) lot: i64,
    pub(crate) multiplier: i64,
    pub(crate) decimals: u32,
    pub(crate) fx_e9: i64,
    pub(crate) nonpositive: bool,
    pub(crate) bps: i64,
    pub(crate) ticks: Option<i64>,
    pub(crate) absolute: i64,
    pub(crate) max_age: u64,
    pub(crate) allow_missing: bool,
    pub(crate) max_qty: i64,
    pub(crate) rate: Option<Rate>,
}

/// All limits. Nodes: accounts 1 and 2 of customer 1 of the desk; account 3 of the firm.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) accounts: Vec<Account>,
    pub(crate) instruments: Vec<Instrument>,
    /// Largest quantity and notional, and rate, of each strategy.
    pub(crate) strategies: Vec<(i64, i64, Option<Rate>)>,
    /// Credit and open notional of account 1 to 3, customer, desk, firm.
    pub(crate) nodes: Vec<(i64, i64)>,
}

/// Nodes as sections of the limits file.
pub(crate) const NODES: [&str; 6] =
    ["account.a1", "account.a2", "account.a3", "customer.c", "desk.d", "firm"];

fn rate() -> impl Strategy<Value = Option<Rate>> {
    prop::option::of((1..6usize, 1..40u64, any::<bool>()))
        .prop_map(|r| r.map(|(max, window, accepted_new)| Rate { max, window, accepted_new }))
}

fn mostly<T: Clone + std::fmt::Debug + 'static>(
    usual: impl Strategy<Value = T> + 'static,
    rare: T,
) -> impl Strategy<Value = T> {
    prop_oneof![9 => usual, 1 => Just(rare)]
}

impl Policy {
    pub(crate) fn any() -> impl Strategy<Value = Self> {
        let account = (
            mostly((5..200i64).prop_map(Some), None),
            prop_oneof![3 => Just(50_000_000_000), 1 => 1_000..6_000_000_000i64],
            rate(),
            prop::option::of((1..4usize, 1..30u64)),
            (0..300i64, 0..300i64),
            prop::bool::weighted(0.1),
        )
            .prop_map(
                |(max_qty, max_n, rate, duplicates, (long, short), denies_second)| Account {
                    max_qty,
                    max_n,
                    rate,
                    duplicates,
                    long,
                    short,
                    denies_second,
                },
            );
        let instrument = (
            mostly(
                prop::sample::select(vec![1, 1, 5, 10, 1_000_000, 10_000_000]).prop_map(Some),
                None,
            ),
            prop::sample::select(vec![1i64, 1, 1, 2, 5]),
            prop::sample::select(vec![1i64, 1, 1, 50, 999]),
            prop::sample::select(vec![0u32, 0, 3, 9]),
            prop::sample::select(vec![UNIT, UNIT, 1_079_999_999, 7]),
            any::<bool>(),
            (
                prop_oneof![2 => Just(5_000), 1 => 1..3_000i64],
                prop::option::weighted(0.2, 1..4_000i64),
                prop_oneof![2 => Just(50i64), 1 => 1..60i64],
            ),
            mostly(20..2_000u64, 0),
            (any::<bool>(), 10..400i64, rate()),
        )
            .prop_map(
                |(tick, lot, multiplier, decimals, fx_e9, nonpositive, collar, age, rest)| {
                    Instrument {
                        tick,
                        lot,
                        multiplier,
                        decimals,
                        fx_e9,
                        nonpositive,
                        bps: collar.0,
                        ticks: collar.1.filter(|_| tick.is_some()),
                        absolute: collar.2 * UNIT,
                        max_age: age,
                        allow_missing: rest.0,
                        max_qty: rest.1,
                        rate: rest.2,
                    }
                },
            );
        let money = || prop_oneof![2 => Just(90_000_000_000i64), 1 => 1_000_000..9_000_000_000i64];
        let node = (money(), money());
        (
            prop::collection::vec(account, ACCOUNTS as usize),
            prop::collection::vec(instrument, INSTRUMENTS as usize),
            prop::collection::vec(
                (
                    10..300i64,
                    prop_oneof![3 => Just(50_000_000_000), 1 => 1_000..6_000_000_000i64],
                    rate(),
                ),
                STRATEGIES as usize,
            ),
            prop::collection::vec(node, NODES.len()),
        )
            .prop_map(|(accounts, instruments, strategies, nodes)| Self {
                accounts,
                instruments,
                strategies,
                nodes,
            })
            .prop_flat_map(|policy| {
                // One in four streams has no limit in its way, so that extremes meet the sums.
                (Just(policy), prop::bool::weighted(0.25)).prop_map(|(mut policy, open)| {
                    if open {
                        policy.widen();
                    }
                    policy
                })
            })
    }

    fn widen(&mut self) {
        let money = i64::MAX - 1;
        for account in &mut self.accounts {
            account.max_qty = account.max_qty.map(|_| i64::MAX - 1);
            (account.max_n, account.long, account.short) = (money, i64::MAX - 1, i64::MAX - 1);
        }
        for instrument in &mut self.instruments {
            (instrument.max_qty, instrument.bps, instrument.absolute) = (money, 99_999, money);
            instrument.ticks = None;
        }
        self.strategies.fill((money, money, None));
        self.nodes.fill((money, money));
    }

    pub(crate) fn text(&self) -> String {
        let money = |micros: i64| format!("\"{}.{:06}\"", micros / 1_000_000, micros % 1_000_000);
        let price = |e9: i64| format!("\"{}.{:09}\"", e9 / UNIT, e9 % UNIT);
        let rate = |out: &mut String, rate: Option<Rate>| match rate {
            None => out.push_str("message_rate = \"none\"\n"),
            Some(Rate { max, window, accepted_new }) => {
                let counts = if accepted_new { "accepted_new" } else { "all" };
                out.push_str(&format!(
                    "message_rate = {{ max = {max}, window = \"{window}ns\", counts = \
                     \"{counts}\" }}\n"
                ));
            }
        };
        let mut out = String::from("schema = 1\n");
        for (name, (credit, open)) in NODES.iter().zip(&self.nodes) {
            let (credit, open) = (money(*credit), money(*open));
            out.push_str(&format!("[{name}]\ncredit = {credit}\nmax_open_notional = {open}\n"));
            let Some(i) = name.strip_prefix("account.a") else {
                if *name == "customer.c" {
                    out.push_str("desk = \"d\"\n");
                }
                continue;
            };
            let account = &self.accounts[i.parse::<usize>().unwrap() - 1];
            if let Some(max) = account.max_qty {
                out.push_str(&format!("max_order_qty = {max}\n"));
            }
            out.push_str(&format!("max_order_notional = {}\n", money(account.max_n)));
            out.push_str(&format!(
                "max_position = {{ long = {}, short = {} }}\n",
                account.long, account.short
            ));
            rate(&mut out, account.rate);
            if let Some((max, window)) = account.duplicates {
                out.push_str(&format!(
                    "duplicate_order = {{ max = {max}, window = \"{window}ns\" }}\n"
                ));
            }
            if account.denies_second {
                out.push_str("restricted = { deny = [\"I2\"] }\n");
            }
        }
        for (i, (qty, n, own)) in self.strategies.iter().enumerate() {
            out.push_str(&format!("[strategy.s{}]\nmax_order_qty = {qty}\n", i + 1));
            out.push_str(&format!("max_order_notional = {}\n", money(*n)));
            rate(&mut out, *own);
        }
        let mut fx = String::from("[fx]\n");
        for (i, row) in self.instruments.iter().enumerate() {
            let i = i + 1;
            fx.push_str(&format!("X{i} = {}\n", price(row.fx_e9)));
            out.push_str(&format!("[instrument.I{i}]\ncurrency = \"X{i}\"\nlot = {}\n", row.lot));
            if let Some(tick) = row.tick {
                out.push_str(&format!("tick = {}\n", price(tick)));
            }
            out.push_str(&format!(
                "multiplier = {}\nqty_decimals = {}\nallow_nonpositive = {}\nmax_order_qty = {}\n",
                row.multiplier, row.decimals, row.nonpositive, row.max_qty
            ));
            rate(&mut out, row.rate);
            let ticks = row.ticks.map_or(String::new(), |t| format!("ticks = {t}, "));
            let age = match row.max_age {
                0 => String::new(),
                age => format!("max_age = \"{age}ns\", "),
            };
            let missing = if row.allow_missing { "allow" } else { "deny" };
            out.push_str(&format!(
                "price_collar = {{ bps = {}, {ticks}{age}absolute = {}, on_missing = \
                 \"{missing}\" }}\n",
                row.bps,
                price(row.absolute)
            ));
        }
        out + &fx
    }

    pub(crate) fn registrations() -> Vec<Register> {
        use RegisterKind::{Account, Customer, Desk, Instrument, Strategy, Venue};
        let row = |kind, handle, parent, name: &str| Register {
            kind,
            handle,
            parent,
            salt: [0; 16],
            name: name.to_owned(),
        };
        vec![
            row(Venue, 1, 0, "v"),
            row(Desk, 1, 0, "d"),
            row(Customer, 1, 1, "c"),
            row(Account, 1, 1, "a1"),
            row(Account, 2, 1, "a2"),
            row(Account, 3, 0, "a3"),
            row(Strategy, 1, 0, "s1"),
            row(Strategy, 2, 0, "s2"),
            row(Instrument, 1, 1, "I1"),
            row(Instrument, 2, 0, "I2"),
        ]
    }
}

const UNIT: i64 = 1_000_000_000;
