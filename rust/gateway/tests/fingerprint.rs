//! The published decisions of a real day come out exactly.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::path::PathBuf;

use cwts_feeds::source::{Input, OpenOptions, open_events};
use cwts_gateway::replay::{Progress, ReplayInput, ReplayOptions, replay};

fn data() -> Option<PathBuf> {
    let root = std::env::var_os("CWTS_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    if root.is_dir() {
        return Some(root);
    }
    eprintln!("SKIPPED: {} is absent; set CWTS_DATA", root.display());
    None
}

fn limits(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/limits");
    std::fs::read(folder.join(name)).unwrap()
}

#[test]
fn the_es_day_gives_the_published_decisions() {
    let Some(data) = data() else { return };
    let folder = data.join("orderflow/cme_mbo");
    let name = "esh4-glbx-mdp3-20231225.mbo.dbn.zst";
    let packed = std::fs::File::open(folder.join(name)).unwrap();
    let expected = std::fs::read_to_string(folder.join("ESH4_expected_P4.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&expected).unwrap();

    let open = OpenOptions::default();
    let source = open_events(Input::File(Box::new(packed)), None, &open).unwrap();
    let input = ReplayInput { path: name.to_owned(), source: Box::new(source) };
    let options = ReplayOptions::new("P4.toml", &limits("P4.toml"));
    let found = replay(input, &options, &Progress::default()).unwrap().json;

    assert_eq!(found["orders"], expected["submits"]);
    assert_eq!(found["decisions_sha256"], expected["decisions_sha256"]);
    let masks = &found["by_mask"];
    let rows = [
        ("ACCEPT", 14_830),
        ("MAX_ORDER_QTY|MAX_ORDER_NOTIONAL", 109),
        ("MAX_ORDER_QTY|MAX_ORDER_NOTIONAL|PRICE_COLLAR", 12),
        ("MAX_ORDER_QTY|MAX_ORDER_NOTIONAL|MESSAGE_RATE", 1),
        ("PRICE_COLLAR", 2_021),
        ("PRICE_COLLAR|MESSAGE_RATE", 298),
        ("MESSAGE_RATE", 834),
        ("MESSAGE_RATE|DUPLICATE_ORDER", 2),
        ("DUPLICATE_ORDER", 2_384),
    ];
    for (mask, count) in rows {
        assert_eq!(masks[mask], count, "{mask}");
    }
    assert_eq!(masks.as_object().unwrap().len(), rows.len());
    let skipped = &found["inputs"][0]["skipped"];
    assert_eq!(
        (&skipped["SNAPSHOT"], &skipped["NO_FLOW"]),
        (&8_725.into(), &serde_json::Value::Null)
    );
    assert_eq!(found["anomalies"]["TIME_BACK"], 0);
}

#[test]
fn the_amzn_day_gives_the_published_decisions() {
    let name = "lobster/AMZN_2012-06-21_34200000_57600000_message_1.csv.gz";
    let Some(found) = decisions_of(name) else { return };
    assert_eq!(found["anomalies"]["UNKNOWN_ORDER"], 7_467);
}

#[test]
fn the_amzn_day_in_itch_gives_the_same_decisions() {
    let Some(found) = decisions_of("itch50/AMZN_2012-06-21_from_lobster.itch50.gz") else { return };
    assert_eq!(found["inputs"][0]["format"], "itch");
    assert_eq!(found["inputs"][0]["records"], 50_051);
    assert_eq!(found["inputs"][0]["skipped"]["NO_FLOW"], 3);
    // Rows on orders that the day never added were dropped when the file was made.
    assert_eq!(found["anomalies"]["UNKNOWN_ORDER"], 0);
}

/// Replays a file under P1, compares its decisions with the published ones, and gives the rest.
fn decisions_of(name: &str) -> Option<serde_json::Value> {
    let orderflow = data()?.join("orderflow");
    let packed = std::fs::File::open(orderflow.join(name)).unwrap();
    let expected =
        std::fs::read_to_string(orderflow.join("lobster/AMZN_expected_P1.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&expected).unwrap();

    let open = OpenOptions { symbol: Some("AMZN".to_owned()), ..OpenOptions::default() };
    let source = open_events(Input::File(Box::new(packed)), None, &open).unwrap();
    let input = ReplayInput { path: name.to_owned(), source: Box::new(source) };
    let options = ReplayOptions::new("P1.toml", &limits("P1.toml"));
    let found = replay(input, &options, &Progress::default()).unwrap().json;

    assert_eq!(found["orders"], expected["submits"]);
    assert_eq!(found["decisions_sha256"], expected["decisions_sha256"]);
    let masks = &found["by_mask"];
    assert_eq!(masks["ACCEPT"], 24_808);
    assert_eq!(masks["MAX_ORDER_QTY"], 103);
    assert_eq!(masks["MAX_ORDER_QTY|MAX_ORDER_NOTIONAL"], 107);
    assert_eq!(masks["MESSAGE_RATE"], 11);
    assert_eq!(masks["MESSAGE_RATE|DUPLICATE_ORDER"], 1);
    assert_eq!(masks["DUPLICATE_ORDER"], 2_815);
    assert_eq!(masks.as_object().unwrap().len(), 6);
    Some(found)
}
