//! Fixtures that the risk tests share: a limits file built key by key, and a small firm.
//!
//! The firm: desk `d` over customers `c` and `e`; accounts `A` and `B` of `c`, `C` of `e`, `D` of
//! nobody; strategies `s` and `t`; instruments `I` and `J` on venue `V`; session
//! `X`, over which nobody sends unless the limits say so.
#![allow(clippy::unwrap_used, reason = "a fixture that fails is a failed test")]
#![allow(dead_code, unreachable_pub, reason = "every test file uses another part of it")]

use std::collections::BTreeMap;

use cwts_risk::{Engine, ExecEffect, Outcome};
use cwts_types::{
    Body, Control, Entry, Exec, Header, Kill, KillState, Level, Order, OrderKind, Phase, Reasons,
    Reference, Register, RegisterKind, Resume, Scope, Session, SessionKind, Verdict, exec_type,
};
use proptest::test_runner::{Config as ProptestConfig, RngSeed};

/// One unit of currency as a price.
pub const UNIT: i64 = 1_000_000_000;
/// One unit of currency as money.
pub const MICROS: i64 = 1_000_000;
/// The price that most tests trade at; also the reference.
pub const PX: i64 = 100 * UNIT;
/// Time of the first input.
pub const START: u64 = 1_000_000_000_000;

pub const A: u32 = 1;
pub const B: u32 = 2;
pub const C: u32 = 3;
pub const D: u32 = 4;
pub const S: u32 = 1;
pub const T: u32 = 2;
pub const I: u32 = 1;
pub const J: u32 = 2;
pub const V: u32 = 1;
pub const X: u32 = 1;

/// A limits file, key by key.
#[derive(Debug, Clone)]
pub struct Limits(BTreeMap<String, BTreeMap<String, String>>);

impl Limits {
    /// Nothing but the schema.
    pub fn empty() -> Self {
        Self(BTreeMap::new())
    }

    /// Every mandatory limit, so wide that no test reaches it by chance.
    pub fn wide() -> Self {
        let mut out = Self::empty().set("firm", "credit", "\"1000000000\"");
        out = out.set("desk.d", "credit", "\"1000000000\"");
        for customer in ["customer.c", "customer.e"] {
            out = out.set(customer, "credit", "\"1000000000\"").set(customer, "desk", "\"d\"");
        }
        for account in ["A", "B", "C", "D"] {
            let section = format!("account.{account}");
            out = out
                .set(&section, "max_order_qty", "1_000_000")
                .set(&section, "max_order_notional", "\"100000000\"")
                .set(&section, "credit", "\"1000000000\"")
                .set(&section, "message_rate", "{ max = 60_000, window = \"1s\" }")
                .set(&section, "max_position", "{ long = 1_000_000, short = 1_000_000 }");
        }
        for symbol in ["instrument.I", "instrument.J"] {
            out = out.set(symbol, "tick", "\"0.01\"").set(symbol, "lot", "1").set(
                symbol,
                "price_collar",
                "{ bps = 9_000, reference = \"external\" }",
            );
        }
        out
    }

    pub fn set(mut self, section: &str, key: &str, value: &str) -> Self {
        let rows = self.0.entry(section.to_owned()).or_default();
        rows.insert(key.to_owned(), value.to_owned());
        self
    }

    pub fn unset(mut self, section: &str, key: &str) -> Self {
        let gone = self.0.get_mut(section).and_then(|rows| rows.remove(key));
        assert!(gone.is_some(), "[{section}] {key} is not there to be removed");
        self
    }

    pub fn text(&self) -> String {
        let mut out = String::from("schema = 1\n");
        for (section, rows) in &self.0 {
            out.push_str(&format!("[{section}]\n"));
            for (key, value) in rows {
                out.push_str(&format!("{key} = {value}\n"));
            }
        }
        out
    }
}

pub fn registration(kind: RegisterKind, handle: u32, parent: u32, name: &str) -> Register {
    Register { kind, handle, parent, salt: [0; 16], name: name.to_owned() }
}

/// Every registration of the firm, parents first.
pub fn registrations() -> Vec<Register> {
    use RegisterKind::{Account, Customer, Desk, Instrument, Session, Strategy, Venue};
    vec![
        registration(Venue, 1, 0, "V"),
        registration(Session, X, 0, "X"),
        registration(Desk, 1, 0, "d"),
        registration(Customer, 1, 1, "c"),
        registration(Customer, 2, 1, "e"),
        registration(Account, A, 1, "A"),
        registration(Account, B, 1, "B"),
        registration(Account, C, 2, "C"),
        registration(Account, D, 0, "D"),
        registration(Strategy, S, 0, "s"),
        registration(Strategy, T, 0, "t"),
        registration(Instrument, I, 1, "I"),
        registration(Instrument, J, 1, "J"),
    ]
}

/// The firm with its engine, ids and clock.
#[derive(Debug, Clone)]
pub struct Firm {
    pub engine: Engine,
    pub ts: u64,
    next_id: u64,
    next_exec: u64,
}

impl Firm {
    /// With these limits, and a reference price of 100 in both instruments.
    pub fn new(limits: &Limits) -> Self {
        let mut firm = Self::without_reference(limits);
        firm.engine.reference(I, PX, firm.ts);
        firm.engine.reference(J, PX, firm.ts);
        firm
    }

    pub fn without_reference(limits: &Limits) -> Self {
        let mut engine = Engine::new();
        engine.activate(1, limits.text().as_bytes()).unwrap();
        for row in registrations() {
            engine.register(&row).unwrap();
        }
        Self { engine, ts: START, next_id: 1, next_exec: 1 }
    }

    /// Puts other limits in force.
    pub fn activate(&mut self, limits: &Limits) {
        let version = self.engine.limits_version() + 1;
        self.engine.activate(version, limits.text().as_bytes()).unwrap();
    }

    /// Takes any entry in, at the firm's time.
    pub fn entry(&mut self, body: Body) {
        let header = Header { utc_ns: self.ts as i64, ..Header::default() };
        self.engine.step(7, &Entry { header, body }).unwrap();
    }

    pub fn phase(&mut self, kind: SessionKind, phase: Phase) {
        self.entry(Body::Session(Session { kind, handle: 1, phase }));
    }

    /// A reference of instrument `I` without a price, as `with` completes it.
    pub fn market(&mut self, with: impl FnOnce(&mut Reference)) {
        let ts = self.ts;
        let mut body = Reference { instrument: I, flags: 2, ts, ..Reference::default() };
        with(&mut body);
        self.entry(Body::Reference(body));
    }

    pub fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// A limit order of account `A`, strategy `s`, in `I`.
    pub fn order(&mut self, side: u8, qty: i64, px: i64) -> Order {
        Order {
            ts: self.ts,
            px,
            qty,
            order_id: self.id(),
            instrument: I,
            account: A,
            strategy: S,
            kind: OrderKind::New as u8,
            side,
            type_tif: 2,
            ..Order::default()
        }
    }

    pub fn buy(&mut self, qty: i64, px: i64) -> Order {
        self.order(1, qty, px)
    }

    pub fn sell(&mut self, qty: i64, px: i64) -> Order {
        self.order(2, qty, px)
    }

    /// `order` as a replace of `target`.
    pub fn replacing(&mut self, target: u64, order: Order) -> Order {
        Order { kind: OrderKind::Replace as u8, ref_id: target, order_id: self.id(), ..order }
    }

    pub fn cancel(&mut self, target: u64) -> Order {
        let order = self.order(0, 0, 0);
        Order { kind: OrderKind::Cancel as u8, ref_id: target, type_tif: 0, ..order }
    }

    pub fn decide(&mut self, order: &Order) -> Outcome {
        self.engine.decide(order, false)
    }

    /// Decides an order that must be accepted, and gives its id.
    pub fn accept(&mut self, order: Order) -> u64 {
        let outcome = self.decide(&order);
        assert_eq!(names(&outcome), Vec::<&str>::new(), "{order:?}");
        assert_eq!(outcome.decision.verdict, Verdict::Accept as u8);
        order.order_id
    }

    pub fn report(&mut self, order_id: u64, exec_type: u8) -> ExecEffect {
        let exec = self.exec(order_id, exec_type);
        self.engine.exec(&exec)
    }

    pub fn exec(&mut self, order_id: u64, exec_type: u8) -> Exec {
        self.next_exec += 1;
        let exec_id = self.next_exec;
        Exec { ts: self.ts, order_id, exec_id, exec_type, ..Exec::default() }
    }

    /// A trade report: `cum_qty` filled in all, the last at `px`.
    pub fn fill(&mut self, order_id: u64, cum_qty: i64, px: i64) -> ExecEffect {
        let exec = self.exec(order_id, exec_type::TRADE);
        self.engine.exec(&Exec { last_px: px, last_qty: 1, cum_qty, ..exec })
    }

    /// Gives account `A` a position in `I` that an order has traded.
    pub fn hold_position(&mut self, qty: i64) {
        let side = if qty > 0 { 1 } else { 2 };
        let order = self.order(side, qty.abs(), PX);
        let id = self.accept(order);
        self.fill(id, qty.abs(), PX);
        assert_eq!(self.engine.position(A, I), qty);
    }

    /// Adds a hold and gives its number.
    pub fn kill(&mut self, scope: Scope, state: KillState) -> u64 {
        self.kill_with(scope, state, false)
    }

    pub fn kill_with(&mut self, scope: Scope, state: KillState, allow_reduce: bool) -> u64 {
        let kill = self.kill_entry(scope, state, allow_reduce);
        self.engine.kill(7, &kill).unwrap();
        kill.hold
    }

    pub fn kill_entry(&self, scope: Scope, state: KillState, allow_reduce: bool) -> Kill {
        Kill {
            hold: self.engine.next_hold(),
            epoch: self.engine.kill_epoch() + 1,
            state,
            scope,
            rank: 1,
            allow_reduce,
            actor: "ana".to_owned(),
            reason: "test".to_owned(),
        }
    }

    pub fn resume_entry(&self, hold: u64) -> Resume {
        Resume {
            hold,
            epoch: self.engine.kill_epoch() + 1,
            signatures: None,
            actor: "ana".to_owned(),
            approver: "bo".to_owned(),
            reason: "reviewed".to_owned(),
        }
    }

    /// What is used of a limit, as `usage` shows it.
    pub fn used(&self, scope: &str, limit: &str) -> i64 {
        let rows = self.engine.usage();
        let row = rows.iter().find(|r| r.scope == scope && r.limit == limit);
        row.unwrap_or_else(|| panic!("no row {scope} {limit}")).used
    }
}

/// So many cases, the same ones in every run.
pub fn cases(cases: u32) -> ProptestConfig {
    let rng_seed = RngSeed::Fixed(0x0c37_5e5e);
    ProptestConfig { cases, rng_seed, failure_persistence: None, ..ProptestConfig::default() }
}

/// Names of the violated controls.
pub fn names(outcome: &Outcome) -> Vec<&'static str> {
    outcome.decision.reasons.iter().map(Control::name).collect()
}

/// A set of controls.
pub fn set(controls: &[Control]) -> Reasons {
    let mut out = Reasons::NONE;
    for control in controls {
        out.insert(*control);
    }
    out
}

/// Refused by exactly one control, with these details, both in the record and behind it.
#[track_caller]
pub fn assert_refused(
    outcome: &Outcome,
    control: Control,
    (level, scope): (Level, u32),
    (observed, limit): (i64, i64),
) {
    assert_eq!(names(outcome), [control.name()]);
    let decision = &outcome.decision;
    assert_eq!(decision.verdict, Verdict::Reject as u8);
    assert_eq!(decision.first, control as u8);
    let violation = outcome.violations[0];
    assert_eq!(
        (violation.control, violation.level, violation.scope),
        (control, level, scope),
        "{violation:?}"
    );
    assert_eq!((violation.observed, violation.limit), (observed, limit), "{violation:?}");
    assert_eq!(
        (decision.level, decision.scope, decision.observed, decision.limit),
        (level as u8, scope, observed, limit)
    );
}

#[track_caller]
pub fn assert_accepted(outcome: &Outcome) {
    assert_eq!(names(outcome), Vec::<&str>::new());
    assert_eq!(outcome.decision.verdict, Verdict::Accept as u8);
    assert!(outcome.violations.is_empty());
}
