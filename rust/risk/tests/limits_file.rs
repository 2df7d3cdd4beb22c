//! Limits files: the shipped replay policy reads as it is meant, and no text makes `parse` panic.
#![allow(clippy::unwrap_used, reason = "a fixture that fails is a failed test")]

mod common;

use common::{Firm, Limits, PX, cases};
use cwts_risk::limits::{
    Collar, Counts, Duplicates, Limit, LimitsFile, RateLimit, ReferenceSource, parse, utf8,
};
use cwts_risk::{Engine, StepError};
use proptest::prelude::*;

const P1: &str = include_str!("../../../tests/data/limits/P1.toml");

#[test]
fn the_policy_p1_reads_as_its_fingerprint_says() {
    let file = parse(P1).unwrap();
    assert_eq!(file.replay_only, Some("replay.replace"));
    assert!(file.unlisted_off && file.replay.replace_apply);
    let account = &file.accounts["ALL"];
    assert_eq!(account.max_order_qty, Limit::At(500));
    assert_eq!(account.max_order_notional, Limit::At(150_000_000_000));
    let RateLimit::At(rate) = account.message_rate else { panic!("{account:?}") };
    let shape = (rate.max, rate.window_ns, rate.counts);
    assert_eq!(shape, (60, 1_000_000_000, Counts::AcceptedNew));
    assert_eq!(
        account.duplicate_order,
        Some(Duplicates { max: 1, window_ns: 1_000_000, severity: None })
    );
    let collar = Collar {
        bps: Some(100),
        reference: ReferenceSource::LastTrade,
        allow_missing: true,
        ..Collar::default()
    };
    assert_eq!(file.groups["replay"].price_collar, Some(collar));
}

#[test]
fn a_file_that_is_not_utf8_changes_nothing() {
    let mut engine = Engine::new();
    let good = Limits::wide().text();
    engine.activate(1, good.as_bytes()).unwrap();
    let before = engine.snapshot();
    // In a comment too: what the log keeps must be what was read.
    for bad in [b"schema = 1\n# \xff\n".as_slice(), b"schema = 1\n[desk.\"\xc3\x28\"]\n"] {
        let error = engine.activate(2, bad).unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
        assert!(matches!(error, StepError::Limits { version: 2, .. }));
        assert_eq!(engine.snapshot(), before);
    }
}

#[test]
fn only_a_replay_has_a_file_with_reference_rows() {
    for (reference, replay_only) in [
        ("last_trade", None),
        ("external", None),
        ("mid", None),
        ("column", Some("price_collar.reference")),
    ] {
        let collar = format!("{{ bps = 5, reference = \"{reference}\" }}");
        let text = Limits::wide().set("group.g", "price_collar", &collar).text();
        assert_eq!(parse(&text).unwrap().replay_only, replay_only, "{reference}");
    }
    let text = Limits::wide().set("group.g", "price_collar", "{ bps = 5, reference = \"vwap\" }");
    let error = parse(&text.text()).unwrap_err().to_string();
    assert!(error.contains("group.g.price_collar.reference"), "{error}");
}

#[test]
fn versions_grow_by_one_and_a_bad_file_changes_nothing() {
    let mut firm = Firm::new(&Limits::wide());
    let text = Limits::wide().set("account.A", "max_order_qty", "5").text();
    let before = firm.engine.snapshot();
    for version in [0, 1, 3, u32::MAX] {
        let error = firm.engine.activate(version, text.as_bytes()).unwrap_err();
        assert_eq!(error, StepError::Version { version, current: 1 });
    }
    let bad = text.replace("max_order_qty = 5", "max_order_qty = -5");
    let error = firm.engine.activate(2, bad.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("account.A.max_order_qty"), "{error}");
    assert_eq!(firm.engine.snapshot(), before);
    let order = firm.buy(6, PX);
    assert_eq!(firm.engine.check(&order).decision.limits_version, 1);
    common::assert_accepted(&firm.engine.check(&order));
    firm.engine.activate(2, text.as_bytes()).unwrap();
    let refused = firm.engine.check(&order);
    assert_eq!((refused.decision.limits_version, refused.decision.limit), (2, 5));
    assert_eq!(firm.engine.limits_version(), 2);
}

/// What parses is used as limits, too: compiling them must not panic either.
fn try_text(text: &str) -> Option<LimitsFile> {
    let parsed = parse(text);
    if parsed.is_ok() {
        let mut engine = Engine::new();
        engine.activate(1, text.as_bytes()).unwrap();
        for row in common::registrations() {
            engine.register(&row).unwrap();
        }
        engine.reference(common::I, PX, 1);
        engine.reference(common::I, -PX, 1);
    } else if let Err(errors) = &parsed {
        assert!(!errors.0.is_empty() && !errors.to_string().is_empty());
        assert!(errors.0.iter().all(|e| e.line >= 1 && e.column >= 1));
    }
    parsed.ok()
}

/// The wide file with one value changed to a word of a list.
fn mutated() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "0",
        "-1",
        "1",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "1.5",
        "\"none\"",
        "5",
        "\"5\"",
        "\"0.000000001\"",
        "\"9223372036854\"",
        "\"9223372036.854775807\"",
        "[]",
        "{}",
        "\"\"",
        "true",
        "\"1e9\"",
        "{ max = 1, window = \"1ns\" }",
        "{ bps = 100000 }",
        "inf",
        "{ max = 65535, window = \"24h\" }",
        "{ ticks = 2147483647 }",
        "{ long = 0, short = 0 }",
        "{ absolute = \"9223372036.854775807\" }",
        "\"é\"",
        "1979-05-27",
        "nan",
        "\"EUR\"",
    ]);
    (any::<prop::sample::Index>(), words, any::<bool>()).prop_map(|(at, word, whole)| {
        let text = Limits::wide()
            .set("instrument.I", "allow_nonpositive", "true")
            .set("instrument.I", "price_collar", "{ absolute = \"500\" }")
            .set("instrument.I", "multiplier", "5")
            .set("instrument.I", "currency", "\"EUR\"")
            .set("fx", "EUR", "\"1.08\"")
            .set("account.A", "duplicate_order", "{ window = \"1ms\" }")
            .text();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let at = at.index(lines.len());
        let line = lines[at].clone();
        lines[at] = match (line.split_once(" = "), whole) {
            (Some((key, _)), _) => format!("{key} = {word}"),
            (None, true) => format!("[{word}]"),
            (None, false) => format!("{line}\n{line}"),
        };
        lines.join("\n")
    })
}

proptest! {
    #![proptest_config(cases(1_500))]

    #[test]
    fn no_text_makes_it_panic(
        text in "\\PC{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        try_text(&text);
        if let Ok(text) = utf8(&bytes) {
            try_text(text);
        }
        try_text(&format!("schema = 1\n{text}"));
    }

    #[test]
    fn no_changed_value_makes_it_panic(text in mutated()) {
        try_text(&text);
    }

    #[test]
    fn no_changed_byte_makes_it_panic(
        at in any::<prop::sample::Index>(), byte in any::<char>(), cut in any::<bool>(),
    ) {
        let mut chars: Vec<char> = Limits::wide().text().chars().collect();
        let at = at.index(chars.len());
        if cut {
            chars.truncate(at);
        } else {
            chars[at] = byte;
        }
        try_text(&chars.into_iter().collect::<String>());
    }
}

#[test]
fn the_mutations_reach_both_answers() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut read = [0, 0];
    for _ in 0..500 {
        let text = mutated().new_tree(&mut runner).unwrap().current();
        read[usize::from(try_text(&text).is_some())] += 1;
    }
    assert!(read[0] > 50 && read[1] > 50, "{read:?}");
}
