//! Collars around the middle of the rebuilt book, and around the file's own `ref` rows.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use cwts_feeds::event::{Event, EventKind, flag};
use cwts_feeds::source::{EventSource, Input, OpenOptions, open_events};
use cwts_gateway::replay::{Progress, ReplayInput, ReplayOptions, ReplayOutcome, replay};
use cwts_gateway::{KeyStore, explain, fold_log};
use cwts_types::{Body, reference_flag};

fn limits(reference: &str, bps: u32) -> String {
    format!(
        "schema = 1\nunlisted = \"off\"\n[group.replay]\nprice_collar = {{ bps = {bps}, reference \
         = \"{reference}\", on_missing = \"allow\" }}\n[replay]\nmapping = \"all\"\nreplace = \
         \"apply\"\n"
    )
}

fn run(csv: &str, options: &ReplayOptions) -> ReplayOutcome {
    let bytes = csv.to_owned().into_bytes();
    let reader = Box::new(std::io::Cursor::new(bytes));
    let source = open_events(Input::File(reader), None, &OpenOptions::default()).unwrap();
    let input = ReplayInput { path: "flow.csv".to_owned(), source: Box::new(source) };
    replay(input, options, &Progress::default()).unwrap()
}

fn refused(outcome: &ReplayOutcome) -> Vec<u64> {
    let rows = outcome.json["top_denials"].as_array().unwrap();
    rows.iter().map(|row| row["order_id"].as_u64().unwrap()).collect()
}

const FLOW: &str = "ts,kind,order_id,side,qty,price,instrument
1,add,1,buy,10,99,X
2,add,2,sell,10,101,X
3,add,3,buy,1,101.5,X
4,delete,3,buy,0,,X
5,trade,0,none,5,200,X
6,add,4,sell,1,102,X
7,add,5,buy,1,100.5,X
7,add,6,sell,1,101.7,X
7,add,7,buy,1,99.7,X
8,fill,2,sell,10,101,X
9,add,8,sell,1,102.2,X
10,ref,0,none,0,150,X
11,add,9,buy,1,100.6,X
";

#[test]
fn the_middle_is_that_of_the_rows_before() {
    let temp = tempfile::tempdir().unwrap();
    let mut options = ReplayOptions::new("limits.toml", limits("mid", 100).as_bytes());
    options.dir = Some(temp.path().join("log"));
    options.keys = Some(KeyStore::new(temp.path().join("keys")));
    let outcome = run(FLOW, &options);
    // 3: 101.5 is more than 1 % above 100; in the market's book it crosses, so the middle stays.
    // 4: 102 is more than 1 % above 100, and the trade at 200 is none of this collar's business.
    // 5, 6, 7 are within 1 % of 100, and of 100.75 since 5 rests.
    // 7 at 99.7: 1.05 from 100.75, above 1.0075. 8 at 102.2: the best offer is 101.7 after the fill
    // of 2, so the middle is 101.1 and 1.1 is too far. Row 9: 100.6 is 0.5 from it.
    assert_eq!(refused(&outcome), [3, 4, 7, 8]);
    assert_eq!(outcome.json["by_first"]["PRICE_COLLAR"], 4);

    let mut middles = Vec::new();
    fold_log(&options.dir.clone().unwrap(), |_, entry, _| {
        if let Body::Reference(body) = &entry.body
            && body.flags == reference_flag::MID
        {
            middles.push((body.bid, body.ask, body.px, body.ts));
        }
        Ok(())
    })
    .unwrap();
    let cents = |n: i64| n * 10_000_000;
    assert_eq!(
        middles,
        [
            (cents(9_900), cents(10_100), cents(10_000), 2),
            (cents(10_050), cents(10_100), cents(10_075), 7),
            (cents(10_050), cents(10_170), cents(10_110), 8),
            (cents(10_060), cents(10_170), cents(10_115), 11),
        ]
    );
    let story = explain(&options.dir.unwrap(), 8).unwrap().to_string();
    assert!(story.contains("The reference price was 101.1"), "{story}");
}

#[test]
fn a_column_collar_listens_to_ref_rows_alone() {
    let options = ReplayOptions::new("limits.toml", limits("column", 100).as_bytes());
    // Nothing before the row of 150 is checked; after it 100.6 is far away.
    assert_eq!(refused(&run(FLOW, &options)), [9]);
}

/// ES with a collar of 2 bps around the middle, against books that are lists of live orders.
#[test]
fn es_around_the_middle_agrees_with_a_naive_book() {
    let root = std::env::var_os("CWTS_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let path = root.join("orderflow/cme_mbo/esh4-glbx-mdp3-20231225.mbo.dbn.zst");
    let Ok(packed) = std::fs::read(&path) else {
        eprintln!("SKIPPED: {} is absent; set CWTS_DATA", path.display());
        return;
    };
    let open = || open_events(Input::Bytes(&packed), None, &OpenOptions::default()).unwrap();
    let (mut source, mut events) = (open(), Vec::new());
    while source.next_batch(&mut events).unwrap() {}
    let wanted = naive_denials(&events, 2);
    assert!(wanted > 1_000, "{wanted}");

    let file = Box::new(std::io::Cursor::new(packed.clone()));
    let source = open_events(Input::File(file), None, &OpenOptions::default()).unwrap();
    let input = ReplayInput { path: "es".to_owned(), source: Box::new(source) };
    let options = ReplayOptions::new("limits.toml", limits("mid", 2).as_bytes());
    let found = replay(input, &options, &Progress::default()).unwrap().json;
    assert_eq!(found["by_mask"]["PRICE_COLLAR"].as_u64().unwrap(), wanted);
    assert_eq!(found["by_mask"].as_object().unwrap().len(), 2);
}

/// Orders outside `bps` of the middle of the last finished venue event.
fn naive_denials(events: &[Event], bps: i128) -> u64 {
    let mut live: BTreeMap<u64, (u8, i64, i64)> = BTreeMap::new();
    let mut prices: [BTreeMap<i64, i64>; 2] = [BTreeMap::new(), BTreeMap::new()];
    let mut middle: Option<i128> = None;
    let mut denials = 0;
    let mut count = |side: u8, px: i64, change: i64| {
        let side = &mut prices[usize::from(side - 1)];
        let orders = side.entry(px).or_default();
        *orders += change;
        if *orders == 0 {
            side.remove(&px);
        }
        let bid = prices[0].last_key_value().map(|row| i128::from(*row.0));
        let ask = prices[1].first_key_value().map(|row| i128::from(*row.0));
        (bid, ask)
    };
    let mut best = (None, None);
    for event in events {
        let is_order = event.kind == EventKind::Add && event.flags & flag::SNAPSHOT == 0;
        if let Some(middle) = middle.filter(|_| is_order) {
            let distance = (i128::from(event.px) - middle).abs();
            denials += u64::from(distance * 10_000 > bps * middle);
        }
        let id = event.order_id;
        let changed = match (event.kind, live.get(&id).copied()) {
            (EventKind::Add | EventKind::Replace, _) => Some((event.side, event.px, event.qty)),
            (EventKind::Reduce, Some((side, px, qty))) => Some((side, px, qty - event.qty)),
            _ => None,
        };
        if let Some((side, px, qty)) = changed {
            if let Some((side, px, _)) = live.remove(&id) {
                best = count(side, px, -1);
            }
            if qty > 0 {
                live.insert(id, (side, px, qty));
                best = count(side, px, 1);
            }
        }
        if event.flags & flag::EVENT_END != 0
            && let (Some(bid), Some(ask)) = best
            && bid <= ask
        {
            middle = Some((bid + ask).div_euclid(2));
        }
    }
    denials
}
