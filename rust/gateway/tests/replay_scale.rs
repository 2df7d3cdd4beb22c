//! Several inputs as one session, bounded tables, and inputs that do not hold still.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::atomic::Ordering;

use cwts_feeds::event::{Event, Names};
use cwts_feeds::source::{EventSource, InputFacts, OpenOptions};
use cwts_gateway::GatewayError;
use cwts_gateway::replay::{
    CONTINUOUS_FILES_MAX, Progress, ReplayInput, SynthPlan, open_file, replay, replay_merged,
};
use cwts_types::{Body, ConfigKind, Entry};
use support::{Draw, HEADER, Row, csv, flow, logged, options, refused, whole};

/// What a person would do: every row at the latest time that its file has reached, then by file.
fn sorted(files: &[Vec<Row>]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (file, list) in files.iter().enumerate() {
        let mut reached = 0;
        for (at, row) in list.iter().enumerate() {
            reached = reached.max(row.ts);
            rows.push(((reached, file, at), row.clone()));
        }
    }
    rows.sort_by_key(|(key, _)| *key);
    rows.into_iter().map(|(_, row)| row).collect()
}

/// The entries before the summary, which names the inputs.
fn before_summary(entries: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let is_summary = |bytes: &Vec<u8>| {
        matches!(Entry::decode(bytes).unwrap().body,
            Body::Config(config) if config.kind == ConfigKind::Summary)
    };
    let end = entries.iter().position(is_summary).unwrap();
    entries[..end].to_vec()
}

#[test]
fn one_session_over_files_is_the_replay_of_their_rows_in_order() {
    for seed in [3, 8, 21] {
        // One market's rows, dealt to three files: orders live across them.
        let mut draw = Draw(seed);
        let mut files = vec![Vec::new(), Vec::new(), Vec::new()];
        for row in flow(seed, 3_000) {
            files[draw.below(3) as usize].push(row);
        }
        let (alone, expected) = logged(vec![whole("all", csv(&sorted(&files)))], options());
        let inputs = || files.iter().map(|rows| whole("part", csv(rows))).collect();
        let (merged, entries) = logged(inputs(), options());
        assert_eq!(before_summary(entries.clone()), before_summary(expected));
        assert_eq!(merged.json["decisions_sha256"], alone.json["decisions_sha256"]);
        assert_eq!(merged.json["accepted"], alone.json["accepted"]);
        assert_eq!(merged.json["inputs"].as_array().unwrap().len(), 3);
        let records = |at: usize| merged.json["inputs"][at]["records"].as_u64().unwrap();
        assert_eq!((0..3).map(records).sum::<u64>(), 3_000);
        // However far each file is read ahead.
        let (again, others) = logged(inputs(), options());
        assert_eq!(
            (again.json["log"]["root"].clone(), others),
            (merged.json["log"]["root"].clone(), entries)
        );
    }
}

#[test]
fn a_snapshot_comes_with_the_rows_behind_it() {
    // The second day begins with the book: at an old time, and of orders that the first day added.
    let day = |rows: &[&str]| format!("{HEADER}{}\n", rows.join("\n")).into_bytes();
    let first = day(&[
        "100,add,1,A,S,ACME,buy,10,99.00,,0",
        "110,add,2,A,S,ACME,buy,20,99.01,,0",
        "120,delete,2,A,S,ACME,buy,,,,0",
    ]);
    let second = day(&[
        "50,add,1,A,S,ACME,buy,10,99.00,,1",
        "50,add,7,A,S,ACME,sell,5,99.90,,1",
        "200,delete,1,A,S,ACME,buy,,,,0",
        "210,fill,7,A,S,ACME,sell,5,99.90,,0",
        "220,delete,7,A,S,ACME,sell,,,,0",
    ]);
    let (found, _) = logged(vec![whole("1", first), whole("2", second)], options());
    assert_eq!(found.json["orders"], 2);
    // Order 1 is still the account's, so its delete is a cancel; 7 was never its own, and was
    // filled whole, so the last row names nothing.
    assert_eq!(found.json["passed"]["cancel"], 3);
    assert_eq!(found.json["anomalies"]["UNKNOWN_ORDER"], 1);
    assert_eq!(found.json["inputs"][0]["skipped"]["SNAPSHOT"], 0);
    assert_eq!(found.json["inputs"][1]["skipped"]["SNAPSHOT"], 2);
    assert_eq!(found.json["anomalies"]["TIME_BACK"], 0);
}

#[test]
fn files_of_one_session_have_bounds_and_must_agree() {
    let lobster =
        || whole("l.csv", b"34200.1,1,7,10,1000000,1\n34200.2,3,7,10,1000000,1\n".to_vec());
    let own = || whole("own.csv", csv(&flow(1, 20)));
    let why = refused(vec![own(), lobster()], &options()).to_string();
    assert!(why.contains("own.csv is csv and l.csv is lobster"), "{why}");
    let mut said = options();
    said.mapping = Some(cwts_gateway::replay::Mapping::All);
    replay_merged(vec![own(), lobster()], &said, &Progress::default()).unwrap();
    let many = (0..=CONTINUOUS_FILES_MAX).map(|_| own()).collect();
    assert!(refused(many, &options()).to_string().contains("64 at most"));
    assert!(refused(Vec::new(), &options()).to_string().contains("no input"));
    // A number where texts are numbered would be another file's order.
    let high = format!("{HEADER}1,add,{},A,S,I,buy,1,1.00,,0\n", 1_u64 << 63);
    let why = refused(vec![own(), whole("high.csv", high.into_bytes())], &options()).to_string();
    assert!(why.contains("--session file"), "{why}");
}

#[test]
fn live_orders_have_a_bound_and_the_dead_do_not_count() {
    // Every order is refused, and the market fills, cuts or deletes it: one is live at a time.
    let mut text = HEADER.to_owned();
    for n in 0..3_000_u64 {
        let ts = n * 10_000_000;
        text.push_str(&format!("{ts},add,{n},A,S,I,buy,900,1.00,,0\n"));
        text.push_str(&match n % 3 {
            0 => format!(
                "{ts},fill,{n},A,S,I,buy,400,1.00,,0\n{ts},fill,{n},A,S,I,buy,500,1.00,,0\n"
            ),
            1 => format!("{ts},reduce,{n},A,S,I,buy,900,,,0\n"),
            _ => format!("{ts},delete,{n},A,S,I,buy,,,,0\n"),
        });
    }
    let mut options = options();
    options.max_live = 1;
    let found = replay(whole("f", text.into_bytes()), &options, &Progress::default()).unwrap();
    assert_eq!(
        (found.json["orders"].as_u64(), found.json["accepted"].as_u64()),
        (Some(3_000), Some(0))
    );
    assert_eq!(found.json["anomalies"]["DENIED_UPSTREAM"], 4_000);
    assert_eq!(found.json["anomalies"]["UNKNOWN_ORDER"], 0);

    // Accepted, refused and foreign orders count alike, and the record is named.
    let rows = [("10", 0), ("900", 0), ("10", 1)];
    for live in 1..3 {
        let mut text = HEADER.to_owned();
        for (n, (qty, flags)) in rows.iter().enumerate() {
            text.push_str(&format!("{n}00000000,add,{n},A,S,I,buy,{qty},1.00,,{flags}\n"));
        }
        options.max_live = live;
        let error = refused(vec![whole("f.csv", text.into_bytes())], &options);
        assert_eq!(error.code(), "TOO_MANY_LIVE_ORDERS");
        let why = error.to_string();
        assert!(
            why.starts_with(&format!("f.csv: record {live}: more than {live} orders")),
            "{why}"
        );
    }
}

#[test]
fn an_id_that_is_added_again_is_the_newer_orders() {
    let text = format!(
        "{HEADER}100,add,1,A,S,I,buy,5,1.00,,1\n200,add,1,A,S,I,buy,5,1.00,,0\n\
         300000000,delete,1,A,S,I,buy,,,,0\n"
    );
    let mut options = options();
    options.max_live = 1;
    let found = replay(whole("f", text.into_bytes()), &options, &Progress::default()).unwrap();
    assert_eq!(found.json["passed"]["cancel"], 1);
    assert_eq!(found.json["anomalies"]["UNKNOWN_ORDER"], 0);
}

#[test]
fn orders_are_kept_whole_or_not_at_all() {
    let mut options = options();
    options.keep = true;
    let run = |options: &_| {
        replay(whole("f", csv(&flow(5, 900))), options, &Progress::default()).unwrap()
    };
    let all = run(&options);
    let orders = all.json["orders"].as_u64().unwrap();
    assert!(all.kept_all && all.orders.len() as u64 == orders * 64);
    options.keep_max = orders;
    assert!(run(&options).kept_all);
    options.keep_max = orders - 1;
    let none = run(&options);
    assert!(!none.kept_all && none.orders.is_empty() && none.decisions.is_empty());
}

#[test]
fn a_file_that_changes_while_it_is_read_is_named() {
    let temp = tempfile::tempdir().unwrap();
    type Change = fn(&std::path::Path);
    let changes: [(&str, Change); 4] = [
        ("bytes and has", |path| std::fs::write(path, "short").unwrap()),
        ("was written to", |path| {
            let file = std::fs::File::options().write(true).open(path).unwrap();
            file.set_modified(std::time::UNIX_EPOCH).unwrap();
        }),
        ("gone", |path| std::fs::remove_file(path).unwrap()),
        ("another file", |path| {
            let other = path.with_extension("new");
            std::fs::copy(path, &other).unwrap();
            std::fs::rename(other, path).unwrap();
        }),
    ];
    for (what, change) in changes {
        let path = temp.path().join("flow.csv");
        std::fs::write(&path, csv(&flow(5, 500))).unwrap();
        let opened = || open_file(&path, None, &OpenOptions::default()).unwrap();
        replay(opened(), &options(), &Progress::default()).unwrap();
        let input = opened();
        change(&path);
        let error = replay(input, &options(), &Progress::default()).unwrap_err();
        assert_eq!(error.code(), "INPUT_CHANGED");
        let why = error.to_string();
        assert!(why.contains(what) && why.contains("flow.csv"), "{why}");
    }
}

#[test]
fn a_big_input_is_decoded_beside_the_fold_and_can_be_cancelled() {
    let plan = SynthPlan {
        profile: "equity-liquid".to_owned(),
        events: 100_000,
        seed: 7,
        anomalies: false,
        instruments: 8,
    };
    let input =
        || ReplayInput { path: "drawn".to_owned(), source: Box::new(plan.source().unwrap()) };
    let mut options = options();
    let here = replay(input(), &options, &Progress::default()).unwrap();
    options.thread_after = 20_000;
    let progress = Progress::default();
    let beside = replay(input(), &options, &progress).unwrap();
    assert_eq!(here.json["decisions_sha256"], beside.json["decisions_sha256"]);
    assert_eq!(here.json["inputs"], beside.json["inputs"]);
    assert_eq!(progress.events.load(Ordering::Relaxed), 100_000);
    assert_eq!(progress.bytes.load(Ordering::Relaxed), 6_400_000);
    // The fold stops within a batch; the decoder finds nobody to give the next one to.
    progress.cancelled.store(true, Ordering::Relaxed);
    progress.events.store(0, Ordering::Relaxed);
    assert!(matches!(replay(input(), &options, &progress), Err(GatewayError::Cancelled)));
    assert!(progress.events.load(Ordering::Relaxed) <= 8_192);
}

/// A decoder with a fault.
struct Panics(Names);

impl EventSource for Panics {
    fn next_batch(&mut self, out: &mut Vec<Event>) -> Result<bool, cwts_feeds::error::FeedError> {
        assert!(self.0.instruments.is_empty(), "a planted fault");
        self.0.instruments.push("I".to_owned());
        let plan = SynthPlan {
            profile: "equity-liquid".to_owned(),
            events: 1,
            seed: 1,
            anomalies: false,
            instruments: 1,
        };
        plan.source().unwrap().next_batch(out)
    }
    fn names(&self) -> &Names {
        &self.0
    }
    fn order_texts(&self) -> &[String] {
        &[]
    }
    fn ignored_columns(&self) -> &[String] {
        &[]
    }
    fn facts(&self) -> InputFacts {
        support::whole("f", csv(&flow(1, 1))).source.facts()
    }
}

#[test]
fn a_decoder_that_dies_is_an_error_and_no_end() {
    let mut options = options();
    options.thread_after = 0;
    let input = ReplayInput { path: "f".to_owned(), source: Box::new(Panics(Names::default())) };
    let why = replay(input, &options, &Progress::default()).unwrap_err().to_string();
    assert!(why.contains("the decoder stopped"), "{why}");
}
