//! A market that gives a replaced order a new id: later rows on it are about the same order.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use cwts_feeds::event::{Event, EventKind, Names};
use cwts_feeds::itch::ItchWriter;
use cwts_feeds::source::{Input, OpenOptions, open_events};
use cwts_gateway::replay::{Progress, ReplayInput, ReplayOptions, replay};
use serde_json::Value;
use support::POSITION_LIMITS as LIMITS;

const MIDNIGHT_NS: u64 = 1_735_776_000_000_000_000;

/// A row: what, the order, the quantity, and the order that it replaces.
type Row = (EventKind, u64, i64, u64);

fn run(rows: &[Row], replace: &str) -> Value {
    let names = Names { instruments: vec!["ACME".to_owned()], ..Names::default() };
    let event = |(at, &(kind, order_id, qty, ref_id)): (usize, &Row)| Event {
        ts_ns: MIDNIGHT_NS + at as u64 * 1_000_000_000,
        order_id,
        px: 10_000_000_000,
        qty,
        ref_id,
        src: at as u64,
        instrument: 0,
        account: u32::MAX,
        strategy: u32::MAX,
        kind,
        side: 1,
        flags: 0,
    };
    let events: Vec<Event> = rows.iter().enumerate().map(event).collect();
    let (mut writer, mut file) = (ItchWriter::new(MIDNIGHT_NS), Vec::new());
    writer.write(&events, &names, &mut file, &mut Vec::new()).unwrap();
    writer.finish(&mut file);
    let file: &'static [u8] = Box::leak(file.into_boxed_slice());
    let open = OpenOptions { base_ns: MIDNIGHT_NS, ..OpenOptions::default() };
    let source = Box::new(open_events(Input::Bytes(file), None, &open).unwrap());
    let limits = format!("{LIMITS}[replay]\nreplace = \"{replace}\"\n");
    let options = ReplayOptions::new("limits.toml", limits.as_bytes());
    let input = ReplayInput { path: "day.itch".to_owned(), source };
    replay(input, &options, &Progress::default()).unwrap().json
}

const MODES: [&str; 2] = ["apply", "check"];

#[test]
fn a_delete_of_the_new_id_frees_the_order() {
    use EventKind::{Add, Delete, Replace};
    let rows = [(Add, 1, 100, 0), (Replace, 2, 90, 1), (Delete, 2, 90, 0), (Add, 3, 100, 0)];
    for mode in MODES {
        let found = run(&rows, mode);
        assert_eq!(found["anomalies"]["UNKNOWN_ORDER"], 0, "{mode}");
        assert_eq!(found["by_first"].as_object().unwrap().len(), 0, "{mode}: {found}");
    }
}

#[test]
fn a_chain_of_new_ids_is_one_order() {
    use EventKind::{Add, Delete, Fill, Reduce, Replace};
    let rows = [
        (Add, 1, 100, 0),
        (Replace, 2, 90, 1),
        (Reduce, 2, 10, 0),
        (Replace, 3, 60, 2),
        (Fill, 3, 20, 0),
        (Delete, 3, 40, 0),
        // 20 are held: 130 fill the limit of 150, and 131 would pass it.
        (Add, 4, 131, 0),
        (Add, 5, 130, 0),
    ];
    for mode in MODES {
        let found = run(&rows, mode);
        assert_eq!(found["anomalies"]["UNKNOWN_ORDER"], 0, "{mode}");
        assert_eq!(found["passed"]["fill"], 1, "{mode}");
        assert_eq!(found["by_mask"]["MAX_POSITION"], 1, "{mode}: {}", found["by_mask"]);
    }
}

#[test]
fn a_reduce_by_nothing_frees_nothing() {
    use EventKind::{Add, Reduce};
    for mode in MODES {
        let found = run(&[(Add, 1, 100, 0), (Reduce, 1, 0, 0), (Add, 2, 100, 0)], mode);
        assert_eq!(found["by_mask"]["MAX_POSITION"], 1, "{mode}: {found}");
        assert_eq!(found["anomalies"]["EMPTY_REDUCE"], 1, "{mode}");
        assert!(found["warnings"].to_string().contains("1 rows reduce"), "{mode}");
        assert_eq!(found["passed"]["cancel"], 0, "{mode}");
    }
}

#[test]
fn a_refused_replace_leaves_the_order_and_its_new_id_names_it() {
    use EventKind::{Add, Delete, Fill, Replace};
    let rows = [
        (Add, 1, 100, 0),
        // Too large: the account keeps its 100.
        (Replace, 2, 1_100, 1),
        (Fill, 2, 30, 0),
        (Delete, 2, 1_070, 0),
        (Add, 3, 121, 0),
        (Add, 4, 120, 0),
    ];
    let found = run(&rows, "check");
    assert_eq!(found["anomalies"]["UNKNOWN_ORDER"], 0);
    assert_eq!(found["passed"]["fill"], 1);
    assert_eq!(found["by_bit"]["MAX_ORDER_QTY"], 1);
    assert_eq!(found["by_mask"]["MAX_POSITION"], 1, "{}", found["by_mask"]);
}
