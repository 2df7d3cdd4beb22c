//! Generated flow as an ITCH file: its labels name records of the file, and are found in it.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::path::PathBuf;

use cwts_feeds::event::{Event, EventKind, flag};
use cwts_feeds::source::{EventSource, Input, OpenOptions, open_events};
use cwts_feeds::synth::{AnomalyKind, Label};
use cwts_gateway::replay::{ItchFlow, Progress, ReplayInput, ReplayOptions, SynthPlan, replay};

fn plan(events: u64) -> SynthPlan {
    SynthPlan {
        profile: "equity-liquid".to_owned(),
        events,
        seed: 11,
        anomalies: true,
        instruments: 8,
    }
}

/// The flow as events with their labels, and as a file with the labels moved to its records.
fn written(plan: &SynthPlan) -> (Vec<Event>, Vec<Label>, Vec<u8>, Vec<Label>) {
    let (mut events, mut labels, mut file) = (Vec::new(), Vec::new(), Vec::new());
    let mut flow = ItchFlow::new();
    plan.each(&mut labels, |batch, names| {
        events.extend_from_slice(batch);
        Ok(flow.write(batch, names, &mut file)?)
    })
    .unwrap();
    let mut moved = labels.clone();
    flow.finish(&mut file, &mut moved);
    (events, labels, file, moved)
}

fn decoded(file: &[u8]) -> Vec<Event> {
    // The stream's day in New York begins at five o'clock UTC.
    let open = OpenOptions { base_ns: 1_735_794_000_000_000_000, ..OpenOptions::default() };
    let mut source = open_events(Input::Bytes(file), None, &open).unwrap();
    let mut events = Vec::new();
    while source.next_batch(&mut events).unwrap() {}
    events
}

#[test]
fn the_file_holds_the_same_market_without_accounts() {
    let (events, _, file, _) = written(&plan(30_000));
    let read = decoded(&file);
    assert_eq!(read.len(), events.len());
    let mut unknown = 0;
    for (found, event) in read.iter().zip(&events) {
        assert_eq!((found.ts_ns, found.kind), (event.ts_ns, event.kind));
        assert_eq!((found.order_id, found.instrument), (event.order_id, event.instrument));
        if found.kind == EventKind::Delete && found.side == 0 {
            unknown += 1;
            continue;
        }
        let priced = found.flags & flag::UNDEF_PX == 0 && event.kind != EventKind::Delete;
        assert!(!priced || found.px == event.px, "{event:?}");
        // A print of no side reads as a buyer's.
        let no_side = event.kind == EventKind::Trade && event.side == 0;
        assert_eq!(found.side, if no_side { 1 } else { event.side }, "{event:?}");
        assert!(event.kind == EventKind::Delete || found.qty == event.qty, "{event:?}");
    }
    assert_eq!(unknown, 1, "the cancel of an order that never was");
}

#[test]
fn every_label_names_its_record_and_is_found_in_a_replay() {
    let (events, labels, file, moved) = written(&plan(60_000));
    let read = decoded(&file);
    // One account's position, and a symbol of more than eight letters, are not in the format.
    let unseen = [AnomalyKind::Restricted, AnomalyKind::Oversell];
    assert_eq!((labels.len(), moved.len()), (9, 7));
    assert!(moved.iter().all(|label| !unseen.contains(&label.kind)));
    for label in &moved {
        let before = labels.iter().find(|other| other.kind == label.kind).unwrap();
        let event = events[before.seq as usize];
        let found = read.iter().find(|event| event.src == label.seq).unwrap();
        assert_eq!((found.ts_ns, found.order_id), (event.ts_ns, event.order_id), "{label:?}");
    }
    let limits =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../python/cwts/defaults/equity.toml");
    let options = ReplayOptions {
        labels: moved,
        ..ReplayOptions::new("equity.toml", &std::fs::read(limits).unwrap())
    };
    let bytes: &'static [u8] = Box::leak(file.into_boxed_slice());
    let source = open_events(Input::Bytes(bytes), None, &OpenOptions::default()).unwrap();
    let input = ReplayInput { path: "flow.itch".to_owned(), source: Box::new(source) };
    let found = replay(input, &options, &Progress::default()).unwrap().json;
    assert_eq!(found["mapping"]["account"], "all");
    for label in found["labels"].as_array().unwrap() {
        assert_eq!(label["found"], true, "{label}");
    }
}

#[test]
fn a_stream_beyond_midnight_is_refused() {
    let mut flow = ItchFlow::new();
    let mut labels = Vec::new();
    let mut file = Vec::new();
    let error = plan(3_000_000)
        .each(&mut labels, |batch, names| {
            file.clear();
            Ok(flow.write(batch, names, &mut file)?)
        })
        .unwrap_err();
    assert!(error.to_string().contains("write fewer events"), "{error}");
}
