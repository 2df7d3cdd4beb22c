//! Suggested limits: they keep the share that was asked for, and the same flow gives the same text.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use cwts_gateway::replay::{Progress, ReplayInput, ReplayOptions, SynthPlan, replay};
use cwts_gateway::suggest::{Flow, SuggestOptions, Suggestion, suggest};
use cwts_gateway::{GatewayError, KeyStore, parse_limits};

fn plan(anomalies: bool) -> SynthPlan {
    SynthPlan {
        profile: "equity-liquid".to_owned(),
        events: 60_000,
        seed: 7,
        anomalies,
        instruments: 8,
    }
}

fn input(plan: &SynthPlan) -> ReplayInput {
    ReplayInput { path: "generated".to_owned(), source: Box::new(plan.source().unwrap()) }
}

fn of_flow(plan: &SynthPlan, false_rejects_ppb: u64) -> Result<Suggestion, GatewayError> {
    let open = || Ok(input(plan));
    let flow = Flow::File { open: &open, mapping: None };
    suggest(&flow, SuggestOptions { false_rejects_ppb }, &Progress::default())
}

fn rejected(limits: &str, plan: &SynthPlan) -> (u64, u64) {
    let options = ReplayOptions::new("limits.toml", limits.as_bytes());
    let run = replay(input(plan), &options, &Progress::default()).unwrap().json;
    let orders = run["orders"].as_u64().unwrap();
    (orders, orders - run["accepted"].as_u64().unwrap())
}

#[test]
fn a_suggestion_refuses_no_more_than_was_asked_for() {
    let plan = plan(false);
    let mut bounds: Vec<u64> = Vec::new();
    for ppb in [0, 100_000, 1_000_000, 20_000_000] {
        let found = of_flow(&plan, ppb).unwrap();
        parse_limits("suggested.toml", found.toml.as_bytes()).unwrap();
        let (orders, refused) = rejected(&found.toml, &plan);
        assert_eq!(found.json["orders"], orders);
        assert_eq!(found.json["refused"], refused);
        assert!(u128::from(refused) * 1_000_000_000 <= u128::from(orders) * u128::from(ppb));
        // A larger share never makes a limit wider.
        let rows = found.json["limits"].as_array().unwrap();
        let values: Vec<u64> = rows
            .iter()
            // A duration is written in the unit that holds it.
            .filter(|row| row["control"] != "REFERENCE_STALE")
            .map(|row| {
                let text = row["limit"].as_str().unwrap().replace(['_', '"'], "");
                text.parse().unwrap()
            })
            .collect();
        if bounds.is_empty() {
            bounds.clone_from(&values);
        }
        assert!(bounds.iter().zip(&values).all(|(wide, narrow)| wide >= narrow), "{bounds:?}");
        bounds = values;
    }
}

#[test]
fn every_limit_that_a_flow_can_tell_is_suggested_with_what_was_observed() {
    let found = of_flow(&plan(false), 0).unwrap();
    let file = parse_limits("suggested.toml", found.toml.as_bytes()).unwrap();
    let (firm, account) = (&file.firm, &file.accounts["*"]);
    let (strategy, group) = (&file.strategies["*"], &file.groups["replay"]);
    for sums in [&firm.aggregates, &account.aggregates] {
        assert!(sums.max_open_orders.is_set() && sums.net_exposure.is_set());
        assert!(sums.daily_notional.is_set() && sums.window_notional.is_some());
        assert!(sums.loss_limit.is_some() && sums.drawdown.is_some());
    }
    assert!(account.aggregates.daily_orders.is_set() && account.daily_qty.is_set());
    assert!(strategy.aggregates.max_open_orders.is_set());
    assert!(strategy.aggregates.daily_orders.is_set() && strategy.repeated_execution.is_some());
    assert_ne!(strategy.attempt_rate, cwts_risk::limits::RateLimit::Unset);
    assert!(group.price_move.is_some() && group.price_collar.unwrap().max_age_ns > 0);
    // Each with its p50, p99.9 and largest beside it.
    for row in found.json["limits"].as_array().unwrap() {
        let limit = row["limit"].as_str().unwrap();
        let beside = |line: &str| line.contains(limit) && line.contains("p99.9");
        let above = |pair: (&str, &str)| pair.0.contains("p99.9") && pair.1.contains(limit);
        let lines: Vec<&str> = found.toml.lines().collect();
        let told = lines.iter().any(|line| beside(line))
            || lines.windows(3).any(|w| above((w[0], w[1])) || above((w[0], w[2])));
        assert!(told, "{row}");
    }
    // A loss stands at twice the highest, because it latches.
    let loss = found.toml.lines().find(|line| line.starts_with("loss_limit")).unwrap();
    assert!(loss.contains("latches"), "{loss}");
}

#[test]
fn the_same_flow_gives_the_same_text() {
    let plan = plan(true);
    let (first, second) = (of_flow(&plan, 100_000).unwrap(), of_flow(&plan, 100_000).unwrap());
    assert_eq!(first.toml, second.toml);
    assert_eq!(first.json, second.json);
}

#[test]
fn a_log_teaches_its_accepted_orders() {
    let temp = tempfile::tempdir().unwrap();
    let plan = plan(false);
    let limits = of_flow(&plan, 5_000_000).unwrap().toml;
    let mut options = ReplayOptions::new("limits.toml", limits.as_bytes());
    options.dir = Some(temp.path().join("log"));
    options.keys = Some(KeyStore::new(temp.path().join("keys")));
    let run = replay(input(&plan), &options, &Progress::default()).unwrap().json;
    let flow = Flow::Log(options.dir.as_deref().unwrap());
    let options = SuggestOptions { false_rejects_ppb: 0 };
    let found = suggest(&flow, options, &Progress::default()).unwrap();
    assert_eq!(found.json["orders"], run["accepted"]);
    assert_eq!(found.json["refused"], 0);
    parse_limits("suggested.toml", found.toml.as_bytes()).unwrap();
}

#[test]
fn what_no_limits_can_keep_is_said() {
    // An order of no quantity is malformed under any limits.
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("flow.csv");
    let head = "ts,kind,order_id,account,strategy,instrument,side,qty,price\n";
    std::fs::write(&path, format!("{head}1,add,1,A,S,X,buy,10,5.00\n2,add,2,A,S,X,buy,10,-5.00\n"))
        .unwrap();
    let open = || {
        let file = std::fs::File::open(&path).unwrap();
        let options = cwts_feeds::source::OpenOptions::default();
        let input = cwts_feeds::source::Input::File(Box::new(file));
        let source = cwts_feeds::source::open_events(input, None, &options)?;
        Ok(ReplayInput { path: "flow.csv".to_owned(), source: Box::new(source) })
    };
    let flow = Flow::File { open: &open, mapping: None };
    let strict = SuggestOptions { false_rejects_ppb: 0 };
    let error = suggest(&flow, strict, &Progress::default()).unwrap_err().to_string();
    assert!(error.contains("1 of 2 orders") && error.contains("MALFORMED"), "{error}");
    let loose = SuggestOptions { false_rejects_ppb: 500_000_000 };
    assert_eq!(suggest(&flow, loose, &Progress::default()).unwrap().json["refused"], 1);
}
