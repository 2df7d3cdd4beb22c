//! What-if: no flip under the same limits, the same flips from a file and from its log, and a log
//! whose decisions do not follow from its limits is told.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use cwts_audit::{FsStorage, KeyChain, Keys, Options, Writer};
use cwts_feeds::event::{Event, EventKind};
use cwts_feeds::source::{EventSource as _, Input, OpenOptions, open_events};
use cwts_gateway::replay::{Progress, ReplayInput, ReplayOptions, SynthPlan, replay};
use cwts_gateway::whatif::{FLIP_BYTES, WhatIf, WhatIfOptions, whatif_file, whatif_log};
use cwts_gateway::{GatewayError, KeyStore, read_log};
use cwts_types::{Body, Entry, Verdict};

const HEADER: &str = "ts,kind,order_id,account,strategy,instrument,side,qty,price,ref_id\n";

/// Limits that refuse some ordinary orders, so that there is something to flip both ways.
const OLD: &str = r#"
schema = 1
[firm]
credit = "40_000_000"
[account."*"]
max_order_qty = 700
max_order_notional = "20_000_000"
credit = "3_000_000"
max_open_notional = "none"
max_position = { long = 9_000, short = 9_000 }
message_rate = { max = 30, window = "1s" }
duplicate_order = { window = "1ms", max = 3 }
[strategy."*"]
message_rate = { max = 400, window = "1s" }
[group.replay]
tick = "0.01"
lot = 1
price_collar = { bps = 60 }
[restricted]
deny = ["RESTRICTED"]
"#;

/// Without state: what an order meets does not depend on other orders.
const STATELESS: &str = r#"
schema = 1
[firm]
credit = "none"
[account."*"]
max_order_qty = 700
max_order_notional = "none"
credit = "none"
max_position = { long = "none", short = "none" }
message_rate = "none"
[group.replay]
tick = "0.01"
lot = 1
price_collar = { bps = 1_000, on_missing = "allow" }
"#;

fn plan(events: u64, seed: u64) -> SynthPlan {
    SynthPlan { profile: "equity-liquid".to_owned(), events, seed, anomalies: true, instruments: 4 }
}

fn input(plan: &SynthPlan) -> ReplayInput {
    ReplayInput { path: "generated".to_owned(), source: Box::new(plan.source().unwrap()) }
}

fn asked(limits: &str) -> WhatIfOptions {
    let limits = ("new.toml".to_owned(), limits.as_bytes().to_vec());
    WhatIfOptions { limits, flips: None, keep: 1_000_000 }
}

fn of_file(plan: &SynthPlan, old: &str, new: &str) -> WhatIf {
    let old = ReplayOptions::new("old.toml", old.as_bytes());
    whatif_file(input(plan), &old, &asked(new), &Progress::default()).unwrap()
}

fn logged(plan: &SynthPlan, limits: &str, dir: &Path) -> serde_json::Value {
    let mut options = ReplayOptions::new("old.toml", limits.as_bytes());
    options.dir = Some(dir.join("log"));
    options.keys = Some(KeyStore::new(dir.join("keys")));
    replay(input(plan), &options, &Progress::default()).unwrap().json
}

fn of_log(dir: &Path, new: &str) -> WhatIf {
    whatif_log(&dir.join("log"), &asked(new), &Progress::default()).unwrap()
}

fn changed(limits: &str, changes: &[(&str, &str)]) -> String {
    let mut out = limits.to_owned();
    for (old, new) in changes {
        assert!(out.contains(old), "{old}");
        out = out.replace(old, new);
    }
    out
}

#[test]
fn the_same_limits_flip_nothing_and_a_log_follows_its_own() {
    let temp = tempfile::tempdir().unwrap();
    let plan = plan(40_000, 7);
    let run = logged(&plan, OLD, temp.path());
    let rejected = run["orders"].as_u64().unwrap() - run["accepted"].as_u64().unwrap();
    assert!(rejected > 500, "a flow with nothing refused shows little: {run}");
    for answer in [of_file(&plan, OLD, OLD), of_log(temp.path(), OLD)] {
        let found = &answer.json;
        assert_eq!((&found["flips"], &found["other_reasons"]), (&0.into(), &0.into()), "{found}");
        assert_eq!(found["denied_upstream"]["entries"], 0);
        assert_eq!(found["orders"], run["orders"]);
        assert_eq!(found["old_accepted"], run["accepted"]);
        assert_eq!(found["new_accepted"], run["accepted"]);
        assert!(answer.flips.is_empty());
    }
    let own = &of_log(temp.path(), STATELESS).json["own_limits"];
    assert_eq!(own["differing"], 0, "{own}");
}

#[test]
fn a_file_and_the_log_of_its_replay_give_the_same_flips() {
    let temp = tempfile::tempdir().unwrap();
    let plan = plan(40_000, 11);
    logged(&plan, OLD, temp.path());
    let mixed = changed(
        OLD,
        &[
            ("max_order_qty = 700", "max_order_qty = 300"),
            ("max = 30", "max = 60"),
            ("bps = 60", "bps = 90"),
            ("long = 9_000, short = 9_000", "long = 4_000, short = 12_000"),
        ],
    );
    // Another tree of customers, and other names: handles of the two engines differ.
    let moved = format!(
        "{}[desk]\neq = {{ credit = \"9_000_000\" }}\n[customer]\nc = {{ desk = \"eq\", credit = \
         \"8_000_000\" }}\n[strategy.zz]\n",
        changed(&mixed, &[("[account.\"*\"]\n", "[account.\"*\"]\ncustomer = \"c\"\n")])
    );
    for new in [mixed.as_str(), moved.as_str(), STATELESS] {
        let (file, log) = (of_file(&plan, OLD, new), of_log(temp.path(), new));
        assert_eq!(file.flips, log.flips);
        for key in [
            "orders",
            "old_accepted",
            "new_accepted",
            "flips",
            "newly_rejected",
            "newly_accepted",
            "other_reasons",
            "denied_upstream",
            "without_fate",
            "listed",
            "names",
            "notes",
        ] {
            assert_eq!(file.json[key], log.json[key], "{key}");
        }
        let count = |key: &str| file.json[key]["orders"].as_u64().unwrap();
        assert!(count("newly_accepted") > 0, "{}", file.json["newly_accepted"]);
        assert_eq!(
            file.flips.len() as u64,
            (count("newly_rejected") + count("newly_accepted")) * 80
        );
        let number = |key: &str| file.json[key].as_u64().unwrap();
        let left_out = file.json["denied_upstream"]["orders"].as_u64().unwrap();
        // Every order that was accepted is accepted, newly rejected, or left out with another.
        assert_eq!(
            number("old_accepted") + count("newly_accepted"),
            number("new_accepted") + count("newly_rejected") + left_out,
        );
    }
}

#[test]
fn tightening_a_limit_without_state_flips_exactly_the_orders_between() {
    let plan = plan(30_000, 3);
    let tight = changed(STATELESS, &[("max_order_qty = 700", "max_order_qty = 150")]);
    let mut events: Vec<Event> = Vec::new();
    let mut source = plan.source().unwrap();
    while source.next_batch(&mut events).unwrap() {}
    // Counted from the flow itself.
    let between = |e: &&Event| e.kind == EventKind::Add && (151..=700).contains(&e.qty);
    let wanted = events.iter().filter(between).count() as u64;
    assert!(wanted > 100);
    let tightened = of_file(&plan, STATELESS, &tight).json;
    assert_eq!(tightened["newly_accepted"]["orders"], 0);
    let rejected = &tightened["newly_rejected"];
    assert_eq!(rejected["by_bit"]["MAX_ORDER_QTY"], rejected["orders"]);
    // A few of them were refused before for their price.
    let orders = rejected["orders"].as_u64().unwrap();
    assert!(orders <= wanted && orders + 5 >= wanted, "{orders} of {wanted}");
    // And loosening it again is the same question asked backwards.
    let loosened = of_file(&plan, &tight, STATELESS).json;
    assert_eq!(loosened["newly_rejected"]["orders"], 0);
    assert_eq!(loosened["newly_accepted"]["orders"], rejected["orders"]);
    assert_eq!(loosened["newly_accepted"]["notional_micros"], rejected["notional_micros"]);
}

/// The new decisions of a question are those of a replay under the new limits.
#[test]
fn a_market_that_renames_is_decided_as_a_replay_would() {
    let row = |ts: u64, rest: &str| format!("{ts}000000000,{rest}\n");
    let flow = [
        "add,1,A,S,X,buy,100,10,",
        "replace,2,A,S,X,buy,140,10,1",
        "fill,2,A,S,X,buy,30,10,",
        "replace,3,A,S,X,buy,145,10,2",
        "reduce,3,A,S,X,buy,5,,",
        "replace,4,A,S,X,buy,120,10,3",
        "delete,4,A,S,X,buy,0,,",
        "add,5,A,S,X,buy,125,10,",
        "add,6,A,S,X,buy,120,10,",
    ];
    let text = flow.iter().enumerate().map(|(at, rest)| row(at as u64 + 1, rest));
    let text = format!("{HEADER}{}", text.collect::<String>());
    let input = || {
        let bytes = Box::new(std::io::Cursor::new(text.clone().into_bytes()));
        let source = open_events(Input::File(bytes), None, &OpenOptions::default()).unwrap();
        ReplayInput { path: "flow.csv".to_owned(), source: Box::new(source) }
    };
    let old =
        changed(STATELESS, &[("long = \"none\", short = \"none\"", "long = 150, short = 150")]);
    let old = format!("{old}[replay]\nreplace = \"check\"\n");
    let tight = changed(&old, &[("max_order_qty = 700", "max_order_qty = 130")]);
    for (old, new) in [(&old, &tight), (&tight, &old), (&tight, &tight)] {
        let options = |text: &str| ReplayOptions::new("limits.toml", text.as_bytes());
        let alone = replay(input(), &options(new), &Progress::default()).unwrap().json;
        let found = whatif_file(input(), &options(old), &asked(new), &Progress::default());
        let found = found.unwrap().json;
        assert_eq!(found["new_accepted"], alone["accepted"], "{found}");
        assert_eq!(found["denied_upstream"]["orders"], 0, "{found}");
    }
}

#[test]
fn a_new_collar_around_the_middle_hears_the_book() {
    let temp = tempfile::tempdir().unwrap();
    let plan = plan(20_000, 5);
    let collar = |reference: &str| {
        let new = format!("bps = 20, reference = \"{reference}\"");
        changed(STATELESS, &[("bps = 1_000", new.as_str())])
    };
    let (old, new) = (collar("last_trade"), collar("mid"));
    let alone = |limits: &str| {
        let options = ReplayOptions::new("limits.toml", limits.as_bytes());
        replay(input(&plan), &options, &Progress::default()).unwrap().json
    };
    let wanted = alone(&new);
    let rejected = wanted["orders"].as_u64().unwrap() - wanted["accepted"].as_u64().unwrap();
    assert!(rejected > 100, "{rejected}");
    for from in [STATELESS, old.as_str()] {
        let found = of_file(&plan, from, &new).json;
        assert_eq!(found["new_accepted"], wanted["accepted"], "{found}");
        assert_eq!(found["old_accepted"], alone(from)["accepted"], "{found}");
    }
    // The log of another replay holds no middles: it cannot tell, and says so.
    logged(&plan, STATELESS, temp.path());
    let notes = of_log(temp.path(), &new).json["notes"].to_string();
    assert!(notes.contains("around the middle of the book"), "{notes}");
}

#[test]
fn every_flip_is_a_row_and_a_record() {
    let temp = tempfile::tempdir().unwrap();
    let plan = plan(20_000, 5);
    let new = changed(OLD, &[("max_order_qty = 700", "max_order_qty = 200")]);
    let mut options = asked(&new);
    options.flips = Some(temp.path().join("flips.csv"));
    options.keep = 10;
    let old = ReplayOptions::new("old.toml", OLD.as_bytes());
    let answer = whatif_file(input(&plan), &old, &options, &Progress::default()).unwrap();
    let text = std::fs::read_to_string(temp.path().join("flips.csv")).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    let flips = answer.json["flips"].as_u64().unwrap() as usize;
    assert!(flips > 10 && rows.len() == flips + 1);
    assert_eq!(answer.flips.len(), 10 * FLIP_BYTES, "no more than asked for are kept");
    let sum = |old: &str| -> i128 {
        let wanted = rows[1..].iter().filter(|row| row[10] == old);
        wanted.map(|row| row[14].parse::<i128>().unwrap()).sum()
    };
    let said = |key: &str| -> i128 {
        answer.json[key]["notional_micros"].as_str().unwrap().parse().unwrap()
    };
    assert_eq!(sum("accept"), said("newly_rejected"));
    assert_eq!(sum("reject"), said("newly_accepted"));
    for (row, record) in rows[1..].iter().zip(answer.flips.chunks(FLIP_BYTES)) {
        let seq = u64::from_le_bytes(record[..8].try_into().unwrap());
        assert_eq!(row[0], seq.to_string());
    }
}

#[test]
fn a_log_that_does_not_follow_its_limits_is_told() {
    let temp = tempfile::tempdir().unwrap();
    let plan = plan(5_000, 7);
    logged(&plan, OLD, temp.path());
    // The log again, by somebody who can sign, with one refusal turned into an acceptance.
    let mut entries: Vec<Vec<u8>> = Vec::new();
    read_log(&temp.path().join("log"), &mut |_, bytes| {
        entries.push(bytes.to_vec());
        Ok(())
    })
    .unwrap();
    let mut forged = None;
    for (index, bytes) in entries.iter_mut().enumerate() {
        let mut entry = Entry::decode(bytes).unwrap();
        if let Body::Decision(decision, violations) = &mut entry.body
            && decision.verdict == Verdict::Reject as u8
        {
            *decision = cwts_types::Decision {
                reasons: cwts_types::Reasons::NONE,
                observed: 0,
                limit: 0,
                scope: 0,
                first: cwts_types::NO_CONTROL,
                level: cwts_types::Level::Order as u8,
                verdict: Verdict::Accept as u8,
                ..*decision
            };
            violations.clear();
            forged = Some(index as u64);
            *bytes = entry.to_bytes();
            break;
        }
    }
    let dir = temp.path().join("forged");
    let keys = Keys::new("cwts.example/forged", &[1; 32], KeyChain::replay(&[0; 16])).unwrap();
    let storage = FsStorage::create(&dir.join("log")).unwrap();
    let first = [entries[0].as_slice(), entries[1].as_slice()];
    let mut writer = Writer::create(storage, keys, &first, 0, Options::default()).unwrap();
    for entry in &entries[2..entries.len() - 1] {
        writer.push(entry).unwrap();
    }
    writer.commit(0).unwrap();
    drop(writer);
    let own = &of_log(&dir, OLD).json["own_limits"];
    assert_eq!((&own["differing"], own["first_entry"].as_u64()), (&1.into(), forged), "{own}");
}

#[test]
fn bad_limits_leave_older_flips_alone() {
    let temp = tempfile::tempdir().unwrap();
    let mut options = asked("schema = 1\nnonsense = 3\n");
    let path = temp.path().join("flips.csv");
    std::fs::write(&path, "kept").unwrap();
    options.flips = Some(path.clone());
    let old = ReplayOptions::new("old.toml", OLD.as_bytes());
    let answer = whatif_file(input(&plan(100, 1)), &old, &options, &Progress::default());
    assert!(matches!(answer, Err(GatewayError::Limits { .. })));
    assert_eq!(std::fs::read_to_string(path).unwrap(), "kept");
}
