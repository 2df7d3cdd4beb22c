//! A FIX log is one session: its orders wait for the venue's reports, as they do live.

mod support;

use std::path::PathBuf;

use cwts_feeds::source::{Input, OpenOptions, open_events};
use cwts_gateway::GatewayError;
use cwts_gateway::replay::{Progress, ReplayInput, ReplayOptions, replay, replay_merged};
use cwts_gateway::whatif::{WhatIfOptions, whatif_file};
use serde_json::Value;
use support::POSITION_LIMITS as LIMITS;

/// A message with the right length and checksum, sent at a second of its own.
fn message(second: usize, fields: &str) -> String {
    let time = format!("52=20240102-03:{:02}:{:02}", second / 60, second % 60);
    let body = format!("{fields}|{time}|").replace('|', "\x01");
    let head = format!("8=FIX.4.4\x019={}\x01", body.len());
    let sum = head.bytes().chain(body.bytes()).fold(0_u8, u8::wrapping_add);
    format!("-> {head}{body}10={sum:03}\x01\n")
}

fn log(messages: &[&str]) -> Vec<u8> {
    let sent = "49=ME|56=VENUE|55=AAPL|54=1";
    let lines = messages.iter().enumerate().map(|(at, fields)| {
        let (kind, fields) = fields.split_once('|').expect("a type and its fields");
        message(at, &format!("{kind}|{sent}|{fields}"))
    });
    lines.collect::<String>().into_bytes()
}

fn input(bytes: Vec<u8>, strict: bool) -> Result<ReplayInput, GatewayError> {
    let bytes: &'static [u8] = Box::leak(bytes.into_boxed_slice());
    let open = OpenOptions { strict, ..OpenOptions::default() };
    let source = open_events(Input::Bytes(bytes), None, &open)?;
    Ok(ReplayInput { path: "fix.log".to_owned(), source: Box::new(source) })
}

fn run(bytes: Vec<u8>, strict: bool) -> Result<Value, GatewayError> {
    let options = ReplayOptions::new("limits.toml", LIMITS.as_bytes());
    Ok(replay(input(bytes, strict)?, &options, &Progress::default())?.json)
}

/// The decisions of a log: a mask an order.
fn masks(messages: &[&str]) -> Vec<(String, u64)> {
    let found = run(log(messages), false).expect("a log");
    let masks = found["by_mask"].as_object().expect("masks");
    masks.iter().map(|(mask, count)| (mask.clone(), count.as_u64().expect("a count"))).collect()
}

fn counted(rows: &[(&str, u64)]) -> Vec<(String, u64)> {
    rows.iter().map(|&(mask, count)| (mask.to_owned(), count)).collect()
}

const BUY_100: &str = "35=D|11=a|38=100|40=2|44=10";
const BUY_100_MORE: &str = "35=D|11=b|38=100|40=2|44=10";

#[test]
fn a_cancel_frees_nothing_before_the_venue_says_so() {
    let refused = counted(&[("ACCEPT", 1), ("MAX_POSITION", 1)]);
    let accepted = counted(&[("ACCEPT", 2)]);
    let cancel = "35=F|11=c|41=a";
    assert_eq!(masks(&[BUY_100, BUY_100_MORE]), refused);
    assert_eq!(masks(&[BUY_100, cancel, BUY_100_MORE]), refused);
    assert_eq!(masks(&[BUY_100, cancel, "35=9|11=c|41=a|434=1|39=0", BUY_100_MORE]), refused);
    let canceled = "35=8|11=c|41=a|37=V|17=e|150=4|39=4|14=0";
    assert_eq!(masks(&[BUY_100, cancel, canceled, BUY_100_MORE]), accepted);
    for end in ["150=8|39=8", "150=C|39=C", "150=3|39=3", "39=8"] {
        let report = format!("35=8|11=a|37=V|17=e|{end}|14=0");
        assert_eq!(masks(&[BUY_100, &report, BUY_100_MORE]), accepted, "{end}");
    }
}

#[test]
fn a_fill_that_overtakes_a_cancel_is_booked() {
    let canceled = "35=8|11=c|41=a|37=V|17=e1|150=4|39=4|14=60";
    let filled = "35=8|11=a|37=V|17=e2|150=F|31=10|32=60|14=60";
    let story = [BUY_100, "35=F|11=c|41=a", canceled, filled, BUY_100_MORE];
    assert_eq!(masks(&story), counted(&[("ACCEPT", 1), ("MAX_POSITION", 1)]));
    let found = run(log(&story), false).unwrap();
    assert_eq!(found["passed"]["fill"], 1);
    assert_eq!(found["anomalies"]["UNKNOWN_ORDER"], 0);
}

#[test]
fn a_replace_holds_the_larger_until_it_is_answered() {
    let smaller = "35=G|11=b|41=a|38=50|40=2|44=10";
    let next = "35=D|11=z|38=100|40=2|44=10";
    let refused = counted(&[("ACCEPT", 2), ("MAX_POSITION", 1)]);
    assert_eq!(masks(&[BUY_100, smaller, next]), refused);
    let taken = "35=8|11=b|41=a|37=V|17=e|150=5|39=0|38=50|44=10|14=0";
    assert_eq!(masks(&[BUY_100, smaller, taken, next]), counted(&[("ACCEPT", 3)]));
    let rejected = "35=9|11=b|41=a|434=2|39=0";
    assert_eq!(masks(&[BUY_100, smaller, rejected, next]), refused);
}

#[test]
fn an_id_that_names_an_order_is_a_hard_duplicate_and_a_marked_repeat_is_none() {
    let again = "35=D|11=a|38=10|40=2|44=10";
    assert_eq!(masks(&[BUY_100, again]), counted(&[("ACCEPT", 1), ("DUPLICATE_ID", 1)]));
    let marked = "35=D|43=Y|11=a|38=10|40=2|44=10";
    let found = run(log(&[BUY_100, marked]), false).unwrap();
    assert_eq!((&found["orders"], &found["accepted"]), (&Value::from(1), &Value::from(1)));
    assert_eq!(found["anomalies"]["POSSDUP"], 1);
    let warnings = found["warnings"].to_string();
    assert!(warnings.contains("possible duplicates"), "{warnings}");
    assert!(warnings.contains("no execution report"), "{warnings}");
}

#[test]
fn reports_on_a_refused_order_change_nothing() {
    let large = "35=D|11=a|38=2000|40=2|44=10";
    let filled = "35=8|11=a|37=V|17=e|150=F|31=10|32=2000|14=2000";
    let found = run(log(&[large, filled, BUY_100_MORE]), false).unwrap();
    assert_eq!(found["accepted"], 1);
    assert_eq!(found["anomalies"]["DENIED_UPSTREAM"], 1);
}

#[test]
fn a_repeated_id_hides_nothing_of_the_order_that_has_it() {
    let again = "35=D|11=a|38=50|40=2|44=10";
    let part = "35=8|11=a|37=V|17=e1|150=F|39=1|31=10|32=40|14=40";
    let whole = "35=8|11=a|37=V|17=e2|150=F|39=2|31=10|32=60|14=100";
    let more = "35=D|11=z|38=60|40=2|44=10";
    let refused = counted(&[("ACCEPT", 1), ("DUPLICATE_ID", 1), ("MAX_POSITION", 1)]);
    assert_eq!(masks(&[BUY_100, again, part, whole, more]), refused);
    assert_eq!(masks(&[BUY_100, part, again, whole, more]), refused);
    let canceled = "35=8|11=c|41=a|37=V|17=e|150=4|39=4|14=0";
    let freed = counted(&[("ACCEPT", 2), ("DUPLICATE_ID", 1)]);
    assert_eq!(masks(&[BUY_100, again, canceled, BUY_100_MORE]), freed);
    // A fill that overtakes the cancel of an order whose id came again later.
    let late = "35=8|11=a|37=V|17=e3|150=F|31=10|32=60|14=60";
    assert_eq!(masks(&[BUY_100, canceled, again, late, BUY_100_MORE]), refused);
}

#[test]
fn a_fill_on_the_old_id_counts_once_while_a_replace_is_under_way() {
    let replace = "35=G|11=b|41=a|38=100|40=2|44=10";
    let before = "35=8|11=a|37=V|17=e1|150=F|31=10|32=30|14=30";
    let racing = "35=8|11=a|37=V|17=e2|150=F|31=10|32=20|14=50";
    let replaced = "35=8|11=b|41=a|37=V|17=e3|150=5|39=0|38=100|44=10|14=50";
    let after = "35=8|11=b|37=V|17=e4|150=F|31=10|32=10|14=60";
    let ended = "35=8|11=b|37=V|17=e5|150=4|39=4|14=60";
    let story = [BUY_100, before, replace, racing, replaced, after, ended];
    let next = |order| masks(&[&story[..], &[order]].concat());
    // 60 are held: 90 reach the limit of 150, and 91 would pass it.
    assert_eq!(next("35=D|11=z|38=90|40=2|44=10"), counted(&[("ACCEPT", 3)]));
    let refused = counted(&[("ACCEPT", 2), ("MAX_POSITION", 1)]);
    assert_eq!(next("35=D|11=z|38=91|40=2|44=10"), refused);
}

#[test]
fn a_refused_order_is_forgotten_when_the_venue_is_done_with_it() {
    let mut messages = Vec::new();
    for n in 0..40 {
        messages.push(format!("35=D|11=r{n}|38=2000|40=2|44=10"));
        messages.push(format!("35=8|11=r{n}|37=V{n}|17=e{n}|150=8|39=8|14=0"));
        messages.push(format!("35=D|11=f{n}|38=2000|40=2|44=10"));
        messages.push(format!("35=8|11=f{n}|37=W{n}|17=g{n}|150=F|39=2|31=10|32=2000|14=2000"));
    }
    let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
    let mut options = ReplayOptions::new("limits.toml", LIMITS.as_bytes());
    options.max_live = 3;
    let input = input(log(&messages), false).unwrap();
    let found = replay(input, &options, &Progress::default()).unwrap().json;
    assert_eq!((&found["orders"], &found["accepted"]), (&80.into(), &0.into()));
    assert_eq!(found["anomalies"]["DENIED_UPSTREAM"], 80);
}

#[test]
fn limits_for_a_market_are_refused() {
    for (text, named) in [
        (format!("{LIMITS}[replay]\nreplace = \"apply\"\n"), "replace = \"apply\""),
        (LIMITS.replace("\"last_trade\"", "\"mid\""), "reference = \"mid\""),
    ] {
        let options = ReplayOptions::new("limits.toml", text.as_bytes());
        let input = || input(log(&[BUY_100]), false).unwrap();
        let error = replay(input(), &options, &Progress::default()).unwrap_err().to_string();
        assert!(error.contains("limits.toml") && error.contains(named), "{error}");
        // As new limits of a question too, where they speak of the book.
        if named.contains("mid") {
            let limits = ("new.toml".to_owned(), text.into_bytes());
            let asked = WhatIfOptions { limits, flips: None, keep: 0 };
            let old = ReplayOptions::new("limits.toml", LIMITS.as_bytes());
            let error = whatif_file(input(), &old, &asked, &Progress::default()).unwrap_err();
            assert!(error.to_string().contains("new.toml"), "{error}");
        }
    }
}

#[test]
fn executions_of_several_sessions_are_no_text_ids() {
    let session = |name: &str| {
        let mut messages = vec![format!("35=D|11={name}|38=50|40=2|44=10")];
        for n in 1..=40 {
            messages
                .push(format!("35=8|11={name}|37=V{name}|17={name}{n}|150=F|31=10|32=1|14={n}"));
        }
        let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
        input(log(&messages), false).unwrap()
    };
    let options = ReplayOptions::new("limits.toml", LIMITS.as_bytes());
    let inputs = vec![session("a"), session("b")];
    let found = replay_merged(inputs, &options, &Progress::default()).unwrap().json;
    assert_eq!(found["passed"]["fill"], 80);
}

#[test]
fn a_session_under_its_own_limits_flips_nothing() {
    let canceled = "35=8|11=c|41=a|37=V|17=e|150=4|39=4|14=0";
    let again = "35=D|11=d|38=100|40=2|44=10";
    let story = [BUY_100, "35=F|11=c|41=a", BUY_100_MORE, canceled, again];
    let limits = ("new.toml".to_owned(), LIMITS.as_bytes().to_vec());
    let asked = WhatIfOptions { limits, flips: None, keep: 0 };
    let old = ReplayOptions::new("old.toml", LIMITS.as_bytes());
    let input = input(log(&story), false).unwrap();
    let found = whatif_file(input, &old, &asked, &Progress::default()).unwrap().json;
    assert_eq!((&found["orders"], &found["old_accepted"]), (&3.into(), &2.into()));
    assert_eq!(found["flips"], 0, "{found}");
}

#[test]
fn what_is_garbled_is_counted_or_an_error() {
    let mut bytes = log(&[BUY_100]);
    bytes.extend(b"8=FIX.4.4\x019=20\x0135=D\x01\n");
    let found = run(bytes.clone(), false).unwrap();
    assert_eq!(found["inputs"][0]["skipped"]["BAD_LENGTH"], 1);
    assert_eq!(found["mapping"]["account"], "file");
    let error = run(bytes, true).unwrap_err().to_string();
    assert!(error.contains("fix.log: BAD_LENGTH at record 1, byte "), "{error}");
}

#[test]
fn other_peoples_logs() {
    let root = std::env::var_os("CWTS_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let folder = root.join("fix/log4fix");
    let names = [
        ("SenderAndTargetInSameLogFile", [6, 1, 0]),
        ("SenderMessagePerLineMixedWithOtherText", [6, 3, 0]),
        ("TargetMessagePerLine", [6, 0, 5]),
    ];
    for (name, [records, orders, unknown]) in names {
        let path = folder.join(format!("FIX42-CoyTrade-BCExchange-{name}.log"));
        let Ok(bytes) = std::fs::read(&path) else {
            eprintln!("SKIPPED: {} is not readable; set CWTS_DATA", path.display());
            return;
        };
        let found = run(bytes, false).unwrap();
        let input = &found["inputs"][0];
        assert_eq!(
            (&input["format"], &input["records"]),
            (&"fix".into(), &records.into()),
            "{name}"
        );
        assert_eq!(found["orders"], orders, "{name}");
        assert_eq!(found["anomalies"]["UNKNOWN_ORDER"], unknown, "{name}");
    }
}
