//! A replay's log verifies, and its root depends on nothing but the input.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use cwts_audit::{FsStorage, Level, VerifyKeys, holds, verify};
use cwts_gateway::replay::{Progress, ReplayInput, ReplayOptions, SynthPlan, replay};
use cwts_gateway::{GatewayError, KeyStore, fold_log};

const LIMITS: &str = r#"
schema = 1
[firm]
credit = "none"
[account."*"]
max_order_qty = 50_000
max_order_notional = "20_000_000"
credit = "none"
max_position = { long = 200_000, short = 200_000 }
message_rate = { max = 300, window = "1s" }
duplicate_order = { window = "1ms", max = 17 }
[strategy."*"]
message_rate = { max = 400, window = "1s" }
[group.replay]
tick = "0.01"
lot = 1
price_collar = { bps = 600 }
[restricted]
deny = ["RESTRICTED"]
"#;

fn plan(events: u64, anomalies: bool) -> SynthPlan {
    SynthPlan { profile: "equity-liquid".to_owned(), events, seed: 7, anomalies, instruments: 8 }
}

fn run(options: &ReplayOptions, plan: &SynthPlan) -> serde_json::Value {
    let input =
        ReplayInput { path: "generated".to_owned(), source: Box::new(plan.source().unwrap()) };
    replay(input, options, &Progress::default()).unwrap().json
}

#[test]
fn a_replay_leaves_a_log_that_verifies_with_one_root_for_two_keys() {
    let mut roots = Vec::new();
    for _ in 0..2 {
        let temp = tempfile::tempdir().unwrap();
        let mut options = ReplayOptions::new("limits.toml", LIMITS.as_bytes());
        options.dir = Some(temp.path().join("log"));
        options.keys = Some(KeyStore::new(temp.path().join("keys")));
        let plan = plan(30_000, true);
        options.labels = plan.labels().unwrap();
        let found = run(&options, &plan);
        let labels = found["labels"].as_array().unwrap();
        assert_eq!(labels.len(), 9);
        for label in labels {
            assert_eq!(label["found"], true, "{label}");
        }

        let dir = options.dir.unwrap();
        let storage = FsStorage::open(&dir).unwrap();
        let verdict = verify(&storage, &VerifyKeys::default(), Level::Full).unwrap();
        assert!(verdict.is_ok() && verdict.clean, "{:#?}", verdict.findings);
        assert_eq!(found["log"]["entries"], verdict.size);
        roots.push(found["log"]["root"].clone());

        // The engine that ran and the engine that folds the log agree.
        let folded = fold_log(&dir, |_, _, _| Ok(())).unwrap();
        assert_eq!(found["accepted"], folded.engine.counters().accepted);
        assert_eq!(found["passed"]["cancel"], folded.engine.counters().cancels);
    }
    assert_eq!(roots[0], roots[1]);
}

#[test]
fn untouched_flow_is_accepted_whole_and_a_halt_lets_nothing_pass() {
    let mut options = ReplayOptions::new("limits.toml", LIMITS.as_bytes());
    let found = run(&options, &plan(100_000, false));
    assert_eq!(found["orders"], found["accepted"], "{}", found["by_first"]);

    options.halt_at = Some(50_000);
    let halted = run(&options, &plan(100_000, false));
    let before = halted["halt"]["orders_before"].as_u64().unwrap();
    assert!(before > 10_000);
    assert_eq!(halted["halt"]["accepted_after"], 0);
    assert_eq!(halted["accepted"], before);
}

#[test]
fn a_cancelled_replay_leaves_a_log_that_verifies_as_unclean() {
    let temp = tempfile::tempdir().unwrap();
    let mut options = ReplayOptions::new("limits.toml", LIMITS.as_bytes());
    let dir = temp.path().join("log");
    options.dir = Some(dir.clone());
    options.keys = Some(KeyStore::new(temp.path().join("keys")));
    let progress = Progress::default();
    progress.cancelled.store(true, std::sync::atomic::Ordering::Relaxed);
    let input = ReplayInput {
        path: "generated".to_owned(),
        source: Box::new(plan(50_000, false).source().unwrap()),
    };
    assert!(matches!(replay(input, &options, &progress), Err(GatewayError::Cancelled)));
    // The log's thread ends on its own once its queue is closed.
    for _ in 0..1_000 {
        if !cwts_gateway::is_running(&dir) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let storage = FsStorage::open(&dir).unwrap();
    let verdict = verify(&storage, &VerifyKeys::default(), Level::Full).unwrap();
    assert!(verdict.is_ok() && !verdict.clean, "{:#?}", verdict.findings);
    assert!(verdict.size > 8_192);
}

#[test]
fn the_two_rooms_agree_on_the_kill_page() {
    use cwts_types::KillState::{Active, Halted, ReduceOnly};
    let states = [Active, Halted, ReduceOnly];
    let codes: Vec<u8> = states.iter().map(|s| *s as u8).collect();
    assert_eq!(holds::page_image(77, &states), cwts_ring::page_image(77, &codes).unwrap());
    assert_eq!(holds::PAGE_SLOTS, cwts_ring::SLOTS);
}

#[test]
fn a_name_that_no_entry_can_hold_is_refused() {
    use cwts_feeds::source::{Input, OpenOptions, open_events};
    for name in ["A\0B", "\0"] {
        let text =
            format!("ts,kind,order_id,instrument,side,qty,price\n1,add,7,{name},buy,100,10.00\n");
        let source = open_events(
            Input::Stream(Box::new(std::io::Cursor::new(text.into_bytes()))),
            None,
            &OpenOptions::default(),
        );
        let Ok(source) = source else { continue };
        let input = ReplayInput { path: "names.csv".to_owned(), source: Box::new(source) };
        let options = ReplayOptions::new("limits.toml", LIMITS.as_bytes());
        let found = replay(input, &options, &Progress::default());
        assert!(matches!(found, Err(GatewayError::Replay(_) | GatewayError::Feed(_))), "{name:?}");
    }
}
