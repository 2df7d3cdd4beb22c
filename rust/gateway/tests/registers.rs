//! The registers of a story: several versions, a raise that went back, two holds, a trip, refusals
//! on two days. The golden file was read line by line against the story before it was kept.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;

use cwts_gateway::registers::{RegisterKind as Kind, Registers};
use cwts_risk::{Engine, RANK_RISK};
use cwts_types::{
    Body, Config, ConfigKind, Control, Decision, Entry, Exec, Gap, Header, Kill, KillState,
    LimitActivate, LimitApprove, LimitDirection, LimitExpire, LimitPropose, Order, Reference,
    Register, RegisterKind, Resume, Scope, ScopeKind, Verdict, exec_type,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const LIMITS: &str = r#"schema = 1
[firm]
base_currency = "USD"
credit = "1_000_000"
day_roll = "17:00 -05:00"
[account.A]
max_order_qty = 100
max_order_notional = "50_000"
credit = "900_000"
message_rate = { max = 100, window = "1s" }
max_position = { long = 1_000, short = 1_000 }
loss_limit = { day = "500" }
[strategy.s]
message_rate = { max = 100, window = "1s" }
[instrument.X]
tick = "0.01"
lot = 1
price_collar = { bps = 500, reference = "external" }
"#;

const PX: i64 = 100_000_000_000;
const SECOND: u64 = 1_000_000_000;
/// 2024-02-29 21:59:00 UTC: a minute before the day ends in New York.
const START: u64 = 1_709_243_940 * SECOND;

/// Entries as a gateway would write them, folded as they come.
struct Story {
    engine: Engine,
    registers: Registers,
    index: u64,
    ts: u64,
    order_id: u64,
    /// What each decision said, counted apart from the register.
    refused: BTreeMap<(bool, Control), u64>,
}

impl Story {
    fn push(&mut self, body: Body) -> u64 {
        let header = Header { utc_ns: self.ts as i64, ..Header::default() };
        let (index, entry) = (self.index, Entry { header, body });
        let entry = Entry::decode(&entry.to_bytes()).unwrap();
        self.engine.step(index, &entry).unwrap();
        self.registers.entry(index, &entry, &self.engine);
        self.index += 1;
        index
    }

    fn text(&mut self, text: &str) -> (u64, [u8; 32]) {
        let text = text.as_bytes().to_vec();
        let sha256 = Sha256::digest(&text).into();
        let config = Config { kind: ConfigKind::Limits, part: 0, parts: 1, text };
        (self.push(Body::Config(config)), sha256)
    }

    fn activate(&mut self, (first_part, sha256): (u64, [u8; 32])) {
        let version = self.engine.limits_version() + 1;
        self.push(Body::LimitActivate(LimitActivate { version, parts: 1, first_part, sha256 }));
    }

    fn propose(&mut self, text: &str, raises: bool, maker: &str, expires_ns: u64) -> Proposed {
        let (first_part, sha256) = self.text(text);
        let id = self.engine.changes().last_id + 1;
        self.push(Body::LimitPropose(LimitPropose {
            id,
            version: self.engine.limits_version() + 1,
            parts: 1,
            direction: if raises { LimitDirection::Raise } else { LimitDirection::Tighten },
            first_part,
            effective_ns: 0,
            expires_ns,
            sha256,
            maker: maker.to_owned(),
            reason: format!("{maker} asks"),
            signature: None,
        }));
        Proposed { id, text: (first_part, sha256) }
    }

    fn approve(&mut self, proposed: &Proposed, checker: &str) {
        let (id, sha256) = (proposed.id, proposed.text.1);
        let checker = checker.to_owned();
        self.push(Body::LimitApprove(LimitApprove { id, sha256, checker, signature: None }));
        self.activate(proposed.text);
    }

    fn expire(&mut self, id: u64) {
        let text = self.engine.expired_text(id).unwrap();
        let (first_part, sha256) = self.text(&text);
        let version = self.engine.limits_version() + 1;
        self.push(Body::LimitExpire(LimitExpire { id, version, parts: 1, first_part, sha256 }));
    }

    /// Sends an order; gives whether it was accepted.
    fn order(&mut self, qty: i64, px: i64) -> bool {
        self.order_id += 1;
        let order = Order {
            ts: self.ts,
            order_id: self.order_id,
            px,
            qty,
            instrument: 1,
            account: 1,
            strategy: 1,
            kind: 1,
            side: 1,
            type_tif: 2,
            ..Order::default()
        };
        self.decide(order)
    }

    fn cancel(&mut self, ref_id: u64) -> bool {
        self.order_id += 1;
        let order =
            Order { ts: self.ts, order_id: self.order_id, ref_id, kind: 3, ..Order::default() };
        self.decide(order)
    }

    fn decide(&mut self, order: Order) -> bool {
        let order = Order { seq: self.index, ..order };
        let next_day = self.ts >= START + 60 * SECOND;
        let entry = Entry { header: Header::default(), body: Body::Order(order, Vec::new()) };
        let outcome = self.engine.clone().step(self.index, &entry).unwrap().unwrap();
        self.push(Body::Order(order, Vec::new()));
        let Decision { reasons, verdict, .. } = outcome.decision;
        if verdict == Verdict::Reject as u8 {
            for control in reasons.iter() {
                *self.refused.entry((next_day, control)).or_default() += 1;
            }
        }
        self.push(Body::Decision(outcome.decision, outcome.violations));
        verdict == Verdict::Accept as u8
    }

    fn kill(&mut self, scope: Scope, state: KillState, rank: u8, actor: &str, reason: &str) {
        self.push(Body::Kill(Kill {
            hold: self.engine.next_hold(),
            epoch: self.engine.kill_epoch() + 1,
            state,
            scope,
            rank,
            allow_reduce: false,
            actor: actor.to_owned(),
            reason: reason.to_owned(),
        }));
    }
}

struct Proposed {
    id: u64,
    text: (u64, [u8; 32]),
}

fn told() -> Story {
    let mut story = Story {
        engine: Engine::new(),
        registers: Registers::default(),
        index: 2,
        ts: START,
        order_id: 0,
        refused: BTreeMap::new(),
    };
    let text = story.text(LIMITS);
    story.activate(text);
    for (kind, name) in [
        (RegisterKind::Account, "A"),
        (RegisterKind::Strategy, "s"),
        (RegisterKind::Instrument, "X"),
    ] {
        let register =
            Register { kind, handle: 1, parent: 0, salt: [0; 16], name: name.to_owned() };
        story.push(Body::Register(register));
    }
    let reference =
        Reference { instrument: 1, flags: 2, px: PX, ts: START, ..Reference::default() };
    story.push(Body::Reference(reference));

    // The first day: one order passes, one is too large, one too large and too dear.
    assert!(story.order(60, PX));
    assert!(!story.order(101, PX));
    assert!(!story.order(600, PX));

    // A temporary raise by two people, and what passes under it; then it goes back by itself.
    let more = LIMITS.replace("max_order_qty = 100", "max_order_qty = 150");
    let raise = story.propose(&more, true, "anna", START + 30 * SECOND);
    story.approve(&raise, "bo");
    assert!(story.order(101, PX));
    story.ts += 30 * SECOND;
    story.expire(raise.id);
    assert!(!story.order(102, PX));

    // Somebody asks for more and is overtaken by a tightening, which one person may do.
    let waits = story.propose(&more, true, "carl", 0);
    let less = story.propose(
        &LIMITS.replace("max_order_qty = 100", "max_order_qty = 80"),
        false,
        "dora",
        0,
    );
    story.activate(less.text);
    assert!(waits.id < less.id);

    // Two holds; the first is lifted by two people.
    let account = Scope { kind: ScopeKind::Account, handle: 1 };
    story.kill(account, KillState::Halted, 1, "anna", "fat finger");
    story.kill(Scope::FIRM, KillState::ReduceOnly, 1, "bo", "end of day");
    assert!(!story.order(10, PX));
    story.push(Body::Resume(Resume {
        hold: 1,
        epoch: story.engine.kill_epoch() + 1,
        actor: "anna".to_owned(),
        approver: "carl".to_owned(),
        reason: "reviewed".to_owned(),
        signatures: None,
    }));

    // The next day: a cancel that names nothing passes, one hold still stands, a loss latches.
    story.ts += 60 * SECOND;
    story.cancel(99);
    assert!(!story.order(10, PX));
    let fill = Exec {
        seq: story.index,
        ts: story.ts,
        order_id: 1,
        exec_id: 7,
        last_px: PX,
        last_qty: 60,
        cum_qty: 60,
        exec_type: exec_type::TRADE,
        ..Exec::default()
    };
    story.push(Body::Exec(fill));
    for ts in 0..3 {
        let reference = Reference {
            instrument: 1,
            flags: 2,
            px: PX - 10_000_000_000,
            ts: story.ts + ts,
            ..Reference::default()
        };
        story.push(Body::Reference(reference));
    }
    let trip = story.engine.trips()[0];
    assert_eq!(trip.control, Control::LossLimit);
    let why = "LOSS_LIMIT: observed 600.00, limit 500.00";
    story.kill(trip.scope, KillState::ReduceOnly, RANK_RISK, "gateway", why);
    assert!(!story.order(10, PX - 10_000_000_000));
    let gap = Gap { count: 4, from_ns: 0, to_ns: 1, producer: 1 };
    story.push(Body::Gap(gap));
    story
}

fn golden(story: &Story) -> Value {
    Kind::ALL.iter().map(|k| (k.name().to_owned(), story.registers.records(*k))).collect()
}

#[test]
fn the_registers_of_a_story_are_the_golden_ones() {
    let found = golden(&told());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/registers.json");
    if std::env::var_os("CWTS_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, format!("{found:#}\n")).unwrap();
    }
    let wanted: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(found, wanted, "CWTS_WRITE_GOLDEN=1 writes it again: read what changed");
}

#[test]
fn triggers_are_what_the_decisions_say() {
    let story = told();
    let register = story.registers.records(Kind::Triggers);
    let mut counted: BTreeMap<(bool, Control), u64> = BTreeMap::new();
    let first_day = (START + 60 * SECOND, START + 60 * SECOND + 86_400 * SECOND);
    for row in register["rows"].as_array().unwrap() {
        let ends = row["day_ends_ns"].as_u64().unwrap();
        assert!(ends == first_day.0 || ends == first_day.1, "{row}");
        let control = Control::from_name(row["control"].as_str().unwrap()).unwrap();
        let refused = row["refused"].as_u64().unwrap();
        if refused > 0 && control != Control::AuditBackpressure {
            counted.insert((ends == first_day.1, control), refused);
        }
    }
    assert_eq!(counted, story.refused);
    let sum = |key: &str| -> u64 {
        register["days"].as_array().unwrap().iter().map(|d| d[key].as_u64().unwrap()).sum()
    };
    assert_eq!(sum("orders"), sum("accepted") + sum("refused"));
    assert_eq!((sum("orders"), sum("cancels"), sum("unlogged")), (8, 1, 4));
}

#[test]
fn every_field_that_was_read_names_its_entry() {
    let found = golden(&told());
    let derived = ["how", "direction", "citation", "day_ends_ns", "lifted", "state", "expires_ns"];
    for register in found.as_object().unwrap().values() {
        for row in register["rows"].as_array().unwrap() {
            let row = row.as_object().unwrap();
            for (field, value) in row {
                let source = &row["sources"][field];
                let is_read = field != "sources" && !value.is_null();
                let known = source["entry"].is_u64() && source["type"].is_string();
                assert!(!is_read || known || derived.contains(&field.as_str()), "{field}: {row:?}");
                assert!(value.is_null() <= source.is_null(), "{field} has a source, and no value");
            }
        }
    }
    assert_eq!(found["limits"]["rows"][0]["how"], json!("start"));
}
