//! Changing limits: what counts as stricter, who must say yes, and what ends by itself.
#![allow(clippy::unwrap_used, reason = "a fixture that fails is a failed test")]

mod common;

use std::cell::Cell;

use common::{A, B, Firm, I, J, Limits, PX, START, UNIT, cases};
use cwts_risk::limits::diff::{Direction, diff};
use cwts_risk::{Engine, StepError};
use cwts_types::{
    Body, Config, ConfigKind, Entry, Header, LimitActivate, LimitApprove, LimitDirection,
    LimitExpire, LimitPropose, Order,
};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

/// Keys with values from strict to lax; `-` takes the key out.
const KEYS: &[(&str, &str, &[&str])] = &[
    ("firm", "credit", &["500", "20_000", "\"none\"", "-"]),
    ("firm", "max_open_notional", &["500", "20_000", "\"none\"", "-"]),
    ("firm", "restricted", &["{ deny = [\"I\", \"J\"] }", "{ deny = [\"J\"] }", "{}", "-"]),
    ("desk.d", "credit", &["500", "20_000", "\"none\"", "-"]),
    ("customer.c", "credit", &["500", "20_000", "\"none\"", "-"]),
    ("customer.c", "desk", &["\"d\""]),
    ("account.A", "max_order_qty", &["3", "30", "300", "\"none\"", "-"]),
    ("account.A", "max_order_notional", &["300", "\"3_000.5\"", "30_000", "\"none\"", "-"]),
    ("account.A", "credit", &["500", "20_000", "\"none\"", "-"]),
    (
        "account.A",
        "message_rate",
        &[
            "{ max = 1, window = \"1h\" }",
            "{ max = 1, window = \"1s\" }",
            "{ max = 6, window = \"1h\" }",
            "{ max = 6, window = \"1s\" }",
            "\"none\"",
            "-",
        ],
    ),
    (
        "account.A",
        "duplicate_order",
        &[
            "{ window = \"1h\" }",
            "{ window = \"1s\", max = 1 }",
            "{ window = \"1h\", max = 3 }",
            "-",
        ],
    ),
    (
        "account.A",
        "max_position",
        &[
            "{ long = 2, short = 2 }",
            "{ long = 2, short = 90 }",
            "{ long = 90, short = 2 }",
            "\"none\"",
            "-",
        ],
    ),
    (
        "account.A.instrument.I",
        "max_position",
        &["{ long = 5, short = 5 }", "{ long = 50, short = 50 }", "\"none\"", "-"],
    ),
    (
        "account.A",
        "restricted",
        &["{ allow = [] }", "{ allow = [\"I\"] }", "{ deny = [\"I\"] }", "-"],
    ),
    ("strategy.s", "max_order_qty", &["3", "30", "\"none\"", "-"]),
    (
        "strategy.s",
        "message_rate",
        &["{ max = 2, window = \"1h\" }", "{ max = 9, window = \"1s\" }", "-"],
    ),
    ("group.g", "max_order_qty", &["4", "40", "\"none\"", "-"]),
    ("group.g", "lot", &["4", "2", "3", "1", "-"]),
    ("group.g", "tick", &["\"0.05\"", "\"0.01\"", "-"]),
    (
        "group.g",
        "price_collar",
        &[
            "{ bps = 50, reference = \"external\" }",
            "{ bps = 50, max_age = \"1s\" }",
            "{ bps = 500, ticks = 90, on_missing = \"deny\" }",
            "{ bps = 500, ticks = 900, on_missing = \"allow\" }",
            "{ bps = 500, absolute = 2 }",
            "-",
        ],
    ),
    ("group.g", "message_rate", &["{ max = 2, window = \"1h\" }", "\"none\"", "-"]),
    ("instrument.I", "group", &["\"g\"", "-"]),
    ("instrument.I", "max_order_qty", &["4", "40", "\"none\"", "-"]),
    ("instrument.I", "max_order_notional", &["300", "3_000", "\"none\"", "-"]),
    ("instrument.I", "lot", &["4", "2", "1", "-"]),
    ("instrument.I", "multiplier", &["1", "3", "-"]),
    (
        "instrument.I",
        "price_collar",
        &[
            "{ bps = 100, reference = \"external\" }",
            "{ bps = 1000, reference = \"external\" }",
            "{ ticks = 100, reference = \"external\", on_missing = \"allow\" }",
            "-",
        ],
    ),
    ("restricted", "deny", &["[\"I\", \"J\"]", "[\"J\"]", "[]", "-"]),
];

type Picks = Vec<(usize, usize)>;

fn base(picks: &Picks) -> Option<Limits> {
    let mut limits = Limits::wide().set("group.g", "qty_decimals", "0");
    for (key, value) in picks {
        let (section, name, values) = KEYS[key % KEYS.len()];
        let value = values[value % values.len()];
        if value == "-" {
            let there = limits.text().contains(&format!("[{section}]"))
                && Limits::wide().text().contains(name);
            if there && Limits::wide().text().contains(&format!("[{section}]")) {
                limits = without(limits, section, name);
            }
        } else {
            limits = limits.set(section, name, value);
        }
    }
    cwts_risk::limits::parse(&limits.text()).is_ok().then_some(limits)
}

/// The limits without a key, if they have it.
fn without(limits: Limits, section: &str, name: &str) -> Limits {
    let has = limits.clone().set(section, name, "0").text().lines().count()
        == limits.text().lines().count();
    if has { limits.unset(section, name) } else { limits }
}

fn orders() -> impl Strategy<Value = Vec<(i64, i64, bool, bool, u64)>> {
    let one = (1..60i64, -300..300i64, any::<bool>(), any::<bool>(), 0..3u64);
    prop::collection::vec(one, 1..24)
}

fn order(firm: &mut Firm, row: &(i64, i64, bool, bool, u64)) -> Order {
    let (qty, cents, is_buy, in_i, pause) = *row;
    firm.ts += pause * 400_000_000;
    let px = PX + cents * UNIT / 100;
    let order = if is_buy { firm.buy(qty, px) } else { firm.sell(qty, px) };
    Order { instrument: if in_i { I } else { J }, ..order }
}

#[test]
fn tightening_never_turns_a_reject_into_an_accept() {
    let (tightened, refused) = (Cell::new(0), Cell::new(0));
    let picks = || prop::collection::vec((0..KEYS.len(), 0..6usize), 0..6);
    proptest!(cases(3_000), |(
        first in picks(), change in prop::collection::vec((0..KEYS.len(), 0..6usize), 1..3),
        past in orders(), probes in orders(),
    )| {
        let Some(old) = base(&first) else { return Ok(()) };
        let both: Picks = first.iter().chain(&change).copied().collect();
        let Some(new) = base(&both) else { return Ok(()) };
        let found = diff(&old.text(), &new.text());
        prop_assert_eq!(found.rows.is_empty(), diff(&new.text(), &old.text()).rows.is_empty());
        if !found.is_tightening() || found.rows.is_empty() {
            return Ok(());
        }
        tightened.set(tightened.get() + 1);
        let mut firm = Firm::new(&old);
        for row in &past {
            let order = order(&mut firm, row);
            let accepted = firm.decide(&order).decision.is_accepted();
            if accepted && row.4 == 0 {
                firm.fill(order.order_id, order.qty, order.px);
            }
        }
        let mut strict = firm.engine.clone();
        strict.activate(2, new.text().as_bytes()).unwrap();
        for row in &probes {
            let order = order(&mut firm, row);
            let before = firm.engine.check(&order);
            if !before.decision.is_accepted() {
                refused.set(refused.get() + 1);
                let after = strict.check(&order);
                prop_assert!(!after.decision.is_accepted(), "{:?}\n{:?}", found, order);
            }
        }
    });
    // A law over nothing would hold, too.
    assert!(tightened.get() > 300 && refused.get() > 1_000, "{tightened:?} {refused:?}");
}

#[test]
fn a_diff_names_each_key_with_its_direction() {
    let old = Limits::wide();
    let new = old
        .clone()
        .set("account.A", "max_order_qty", "5")
        .set("account.A", "message_rate", "{ max = 70_000, window = \"1s\" }")
        .set("account.B", "credit", "\"2_000_000_000\"")
        .set("instrument.I", "tick", "\"0.05\"")
        .set("account.new", "credit", "1");
    let rows: Vec<String> = diff(&old.text(), &new.text())
        .rows
        .iter()
        .map(|r| {
            let text = |v: &Option<String>| v.clone().unwrap_or_else(|| "-".to_owned());
            format!("{} {} {} {}", r.key, text(&r.old), text(&r.new), r.direction.name())
        })
        .collect();
    assert_eq!(
        rows,
        [
            "account.A.max_order_qty 1000000 5 tighten",
            "account.A.message_rate.max 60000 70000 raise",
            "account.B.credit \"1000000000\" \"2_000_000_000\" raise",
            "account.new - {} neutral",
            "account.new.credit - 1 raise",
            "instrument.I.tick \"0.01\" \"0.05\" neutral",
        ]
    );
    let same = diff(&old.text(), &old.text().replace("1_000_000", "1000000"));
    assert_eq!(same.rows, []);
    assert_eq!(diff(&old.text(), &new.text()).direction(), Direction::Raise);
    // What the table does not know is a raise, whatever it says.
    let unknown = format!("{}[later]\nx = 1\n", old.text());
    assert!(!diff(&old.text(), &unknown).is_tightening());
}

/// An engine that is told entries, with a clock.
struct Told {
    engine: Engine,
    index: u64,
}

impl Told {
    fn new(limits: &Limits) -> Self {
        Self { engine: Firm::new(limits).engine, index: 10 }
    }

    fn tell(&mut self, at: u64, body: Body) -> Result<(), StepError> {
        let header = Header { utc_ns: at as i64, ..Header::default() };
        self.index += 1;
        self.engine.step(self.index, &Entry { header, body }).map(|_| ())
    }

    fn chunk(&mut self, text: &str) -> u64 {
        let text = text.as_bytes().to_vec();
        self.tell(0, Body::Config(Config { kind: ConfigKind::Limits, part: 0, parts: 1, text }))
            .unwrap();
        self.index
    }

    fn propose(
        &mut self,
        text: &str,
        direction: LimitDirection,
        expires_ns: u64,
        maker: &str,
    ) -> Result<(u64, LimitActivate), StepError> {
        let first_part = self.chunk(text);
        let sha256: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        let id = self.engine.changes().last_id + 1;
        let version = self.engine.limits_version() + 1;
        self.tell(
            START,
            Body::LimitPropose(LimitPropose {
                id,
                version,
                parts: 1,
                direction,
                first_part,
                effective_ns: 0,
                expires_ns,
                sha256,
                maker: maker.to_owned(),
                reason: "why".to_owned(),
                signature: None,
            }),
        )?;
        Ok((id, LimitActivate { version, parts: 1, first_part, sha256 }))
    }

    fn approve(&mut self, id: u64, sha256: [u8; 32], checker: &str) -> Result<(), StepError> {
        let checker = checker.to_owned();
        let approve = LimitApprove { id, sha256, checker, signature: None };
        self.tell(START, Body::LimitApprove(approve))
    }

    /// Two people change the limits.
    fn raise(&mut self, limits: &Limits, expires_ns: u64) {
        let (id, active) =
            self.propose(&limits.text(), LimitDirection::Raise, expires_ns, "anna").unwrap();
        self.approve(id, active.sha256, "bo").unwrap();
        self.tell(START, Body::LimitActivate(active)).unwrap();
    }

    /// One person tightens them.
    fn tighten(&mut self, limits: &Limits) {
        let (_, active) = self.propose(&limits.text(), LimitDirection::Tighten, 0, "anna").unwrap();
        self.tell(START, Body::LimitActivate(active)).unwrap();
    }

    fn expire(&mut self, id: u64, at: u64) -> Result<(), StepError> {
        let text = self.engine.expired_text(id)?;
        let first_part = self.chunk(&text);
        let sha256 = Sha256::digest(text.as_bytes()).into();
        let version = self.engine.limits_version() + 1;
        self.tell(at, Body::LimitExpire(LimitExpire { id, version, parts: 1, first_part, sha256 }))
    }

    fn qty(&self, account: u32) -> i64 {
        let name = ["", "A", "B"][account as usize];
        self.engine.limits().accounts[name].max_order_qty.at_most()
    }
}

fn qty(limits: &Limits, account: &str, value: i64) -> Limits {
    limits.clone().set(&format!("account.{account}"), "max_order_qty", &value.to_string())
}

#[test]
fn a_raise_takes_a_second_person_who_agrees_to_the_same_text() {
    let start = qty(&Limits::wide(), "A", 100);
    let mut told = Told::new(&start);
    let more = qty(&start, "A", 200).text();
    let (id, active) = told.propose(&more, LimitDirection::Raise, 0, "anna").unwrap();
    let too_soon = told.tell(START, Body::LimitActivate(active)).unwrap_err();
    assert!(too_soon.to_string().contains("nobody but its maker"), "{too_soon}");
    let same_person = told.approve(id, active.sha256, "anna").unwrap_err();
    assert!(same_person.to_string().contains("second person"), "{same_person}");
    let other_text = told.approve(id, [0; 32], "bo").unwrap_err();
    assert!(other_text.to_string().contains("another text"), "{other_text}");
    assert!(told.approve(id + 1, active.sha256, "bo").is_err());
    told.approve(id, active.sha256, "bo").unwrap();
    assert!(told.approve(id, active.sha256, "cleo").is_err());
    told.tell(START, Body::LimitActivate(active)).unwrap();
    assert_eq!((told.qty(A), told.engine.limits_version()), (200, 2));
    assert!(told.tell(START, Body::LimitActivate(active)).is_err(), "once");
    // The state survives a snapshot, proposals that wait included.
    told.propose(&start.text(), LimitDirection::Tighten, 0, "anna").unwrap();
    let again = Engine::restore(&told.engine.snapshot()).unwrap();
    assert_eq!(again.changes(), told.engine.changes());
    // Any change ends what was proposed for the version before it.
    let waits = *told.engine.changes().pending.keys().next().unwrap();
    told.tighten(&qty(&start, "A", 150));
    assert!(told.approve(waits, active.sha256, "bo").is_err());
}

#[test]
fn a_temporary_raise_ends_by_itself_even_if_another_change_came_between() {
    let start = qty(&qty(&Limits::wide(), "A", 100), "B", 100);
    let mut told = Told::new(&start);
    let raised = qty(&start, "A", 200);
    told.raise(&raised, START + 1_000);
    assert_eq!(told.engine.changes().next_expiry_ns(), START + 1_000);
    // Something else, made from the text in force, so it holds the raised value, too.
    told.raise(&qty(&raised, "B", 300), 0);
    assert!(told.expire(1, START + 999).is_err(), "not yet");
    told.expire(1, START + 1_000).unwrap();
    assert_eq!((told.qty(A), told.qty(B), told.engine.limits_version()), (100, 300, 4));
    assert_eq!(told.engine.changes().next_expiry_ns(), u64::MAX);
    assert!(told.expire(1, START + 1_001).is_err(), "once");
}

#[test]
fn one_person_cannot_make_a_temporary_raise_permanent() {
    let start = qty(&Limits::wide(), "A", 100);
    let mut told = Told::new(&start);
    told.raise(&qty(&start, "A", 200), START + 1_000);
    told.tighten(&qty(&start, "A", 199));
    assert_eq!(told.qty(A), 199);
    told.expire(1, START + 1_000).unwrap();
    assert_eq!(told.qty(A), 100);
    // Stricter than what stood before it stays: an end never admits more than one person set.
    told.raise(&qty(&start, "A", 200), START + 2_000);
    told.tighten(&qty(&start, "A", 50));
    told.expire(2 + 1, START + 2_000).unwrap();
    assert_eq!(told.qty(A), 50);
}

#[test]
fn two_people_make_it_permanent_and_raises_on_raises_end_in_any_order() {
    let start = qty(&Limits::wide(), "A", 100);
    let mut told = Told::new(&start);
    told.raise(&qty(&start, "A", 200), START + 1_000);
    told.raise(&qty(&start, "A", 300), 0);
    assert_eq!(told.engine.changes().next_expiry_ns(), u64::MAX, "two people set it for good");
    assert_eq!(told.qty(A), 300);

    for order in [[2, 1], [1, 2]] {
        let mut told = Told::new(&start);
        told.raise(&qty(&start, "A", 200), START + 1_000);
        told.raise(&qty(&start, "A", 300), START + 1_000);
        told.expire(order[0], START + 1_000).unwrap();
        assert_eq!(told.qty(A), if order[0] == 2 { 200 } else { 300 });
        told.expire(order[1], START + 1_000).unwrap();
        assert_eq!(told.qty(A), 100, "{order:?}");
    }
}

#[test]
fn an_accounts_word_on_an_instrument_comes_and_goes_with_a_temporary_raise() {
    let wide = Limits::wide().set("account.A", "max_position", "{ long = 5, short = 5 }");
    let word = "{ long = 90, short = 5 }";
    let with = wide.clone().set("account.A.instrument.I", "max_position", word);
    // Given for a time, and taken away for a time where it was the stricter one.
    let strict =
        with.clone().set("account.A.instrument.I", "max_position", "{ long = 1, short = 1 }");
    for (start, raised) in [(&wide, &with), (&strict, &wide)] {
        let mut told = Told::new(start);
        told.raise(raised, START + 1_000);
        assert_eq!(told.engine.limits(), &cwts_risk::limits::parse(&raised.text()).unwrap());
        told.expire(1, START + 1_000).unwrap();
        assert_eq!(told.engine.limits(), &cwts_risk::limits::parse(&start.text()).unwrap());
    }
}

#[test]
fn what_cannot_end_is_refused_at_once() {
    let start = qty(&Limits::wide(), "A", 100);
    let mut told = Told::new(&start);
    for (limits, direction, why) in [
        (qty(&start, "A", 50), LimitDirection::Tighten, "raises nothing"),
        (start.clone().set("account.E", "credit", "5"), LimitDirection::Raise, "account.E"),
        (start.clone().set("instrument.I", "tick", "\"0.05\""), LimitDirection::Raise, "tick"),
    ] {
        let error = told.propose(&limits.text(), direction, START + 9, "anna").unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn with_operators_nothing_changes_by_names_alone() {
    let start = qty(&Limits::wide(), "A", 100).set("operator.anna", "key", "\"anna+1+AAA\"").set(
        "operator.anna",
        "may",
        "[\"resume\"]",
    );
    let mut told = Told::new(&start);
    let less = qty(&start, "A", 50);
    let unsigned = told.propose(&less.text(), LimitDirection::Tighten, 0, "anna").unwrap_err();
    assert!(unsigned.to_string().contains("did not sign"), "{unsigned}");
    let stranger = told.propose(&less.text(), LimitDirection::Tighten, 0, "bo").unwrap_err();
    assert!(stranger.to_string().contains("no [operator]"), "{stranger}");
    let may_not = told.propose(&less.text(), LimitDirection::Raise, 0, "anna").unwrap_err();
    assert!(may_not.to_string().contains("may not raise"), "{may_not}");
    let first_part = told.chunk(&less.text());
    let sha256 = Sha256::digest(less.text().as_bytes()).into();
    let active = LimitActivate { version: 2, parts: 1, first_part, sha256 };
    assert!(told.tell(START, Body::LimitActivate(active)).is_err());
    assert_eq!(told.qty(A), 100);
}
