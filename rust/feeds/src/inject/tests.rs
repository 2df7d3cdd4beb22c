//! Injection into flow that somebody else made: the generator's, behind the trait of a file.

use super::{AnomalyKind, AnomalySet, Injected, InjectedEvents, Label, Survey};
use crate::compress::Compression;
use crate::decoder::{Counts, ORDER_TEXT_BASE};
use crate::error::{FeedError, FeedErrorKind};
use crate::event::{Event, EventKind, Names, flag};
use crate::sniff::Format;
use crate::source::{EventSource, InputFacts};
use crate::synth::{Options, Profile, Synth};

/// Events in memory, in batches of a given size, and an error at the end if asked for.
struct Memory {
    events: Vec<Event>,
    at: usize,
    batch: usize,
    failure: Option<FeedError>,
    names: Names,
}

impl Memory {
    fn of(events: &[Event], batch: usize) -> Self {
        let names = Names::default();
        Self { events: events.to_vec(), at: 0, batch, failure: None, names }
    }
}

impl EventSource for Memory {
    fn next_batch(&mut self, out: &mut Vec<Event>) -> Result<bool, FeedError> {
        let end = (self.at + self.batch).min(self.events.len());
        out.extend_from_slice(&self.events[self.at..end]);
        let more = end > self.at;
        self.at = end;
        if self.at == self.events.len()
            && let Some(error) = self.failure.take()
        {
            return Err(error);
        }
        Ok(more)
    }
    fn names(&self) -> &Names {
        &self.names
    }
    fn order_texts(&self) -> &[String] {
        &[]
    }
    fn ignored_columns(&self) -> &[String] {
        &[]
    }
    fn facts(&self) -> InputFacts {
        InputFacts {
            format: Format::Csv,
            compression: Compression::None,
            bytes: 0,
            packed_bytes: 0,
            counts: Counts::default(),
            sha256: None,
        }
    }
}

/// Ordinary flow of one account in one instrument, as a market file has it.
fn market(profile: Profile, n: usize) -> Vec<Event> {
    let options = Options { instruments: 1, accounts: 1, strategies: 1, ..Options::default() };
    let mut synth = Synth::new(profile, 11, options).unwrap();
    let mut events = Vec::new();
    synth.fill(n, &mut events, &mut Vec::new());
    for event in &mut events {
        (event.account, event.strategy) = (u32::MAX, u32::MAX);
    }
    events
}

fn survey(events: &[Event]) -> Survey {
    Survey::of(&mut Memory::of(events, 999), |_| true).unwrap().unwrap()
}

fn inject(events: &[Event], seed: u64, batch: usize) -> (Vec<Event>, Vec<Label>, Injected) {
    let inner = Box::new(Memory::of(events, batch));
    let mut source = InjectedEvents::new(inner, &survey(events), AnomalySet::FILE, seed).unwrap();
    let (mut out, mut labels) = (Vec::new(), Vec::new());
    loop {
        let before = out.len();
        let more = source.next_batch(&mut out).unwrap();
        assert!(out.len() - before <= crate::decoder::BATCH_EVENTS);
        assert_eq!(more, out.len() > before);
        labels.extend(source.take_labels());
        if !more {
            return (out, labels, source.injected().unwrap());
        }
    }
}

#[test]
fn the_files_own_events_come_out_unchanged_but_for_their_place() {
    for profile in Profile::all() {
        let own = market(profile, 30_000);
        let (events, labels, injected) = inject(&own, 7, 8_192);
        let ids: Vec<u64> = labels.iter().flat_map(|label| label.order_ids.clone()).collect();
        let (theirs, ours): (Vec<Event>, Vec<Event>) =
            events.iter().partition(|event| ids.contains(&event.order_id));
        assert!(events.iter().zip(0..).all(|(event, place)| event.src == place));
        assert_eq!(ours.len(), own.len());
        for (ours, own) in ours.iter().zip(&own) {
            assert_eq!(Event { src: own.src, ..*ours }, *own);
        }
        assert_eq!(theirs.len() as u64, injected.events);
        assert_eq!((injected.seed, injected.planned, labels.len()), (7, 8, 8));
        for label in &labels {
            assert!(label.order_ids.contains(&events[label.seq as usize].order_id));
        }
    }
}

#[test]
fn the_seed_decides_and_the_batches_do_not() {
    let own = market(Profile::equity_thin(), 20_000);
    let whole = inject(&own, 7, 8_192);
    for batch in [1, 7, 1_000] {
        assert!(inject(&own, 7, batch) == whole, "batches of {batch}");
    }
    assert!(inject(&own, 8, 8_192).1 != whole.1);
}

#[test]
fn sizes_follow_from_the_flow_alone() {
    for profile in Profile::all() {
        let own = market(profile, 40_000);
        let adds = || own.iter().filter(|event| event.kind == EventKind::Add);
        let measured = survey(&own);
        let mut sizes: Vec<i64> = adds().map(|event| event.qty).collect();
        sizes.sort_unstable();
        let (p99, largest) = (sizes[sizes.len() * 99 / 100], sizes[sizes.len() - 1]);
        let large = measured.large_order_qty();
        assert!(large > p99 && large <= largest && large <= p99 + p99 / 32 + 1, "{large}, {p99}");
        assert_eq!(measured.order_qty_max(), largest);
        assert!(adds().all(|event| event.px % measured.tick_e9() == 0));

        let (events, labels, _) = inject(&own, 3, 8_192);
        let of = |kind| {
            let label = labels.iter().find(|label| label.kind == kind).unwrap();
            let mine = |event: &&Event| {
                event.kind == EventKind::Add && label.order_ids.contains(&event.order_id)
            };
            events.iter().filter(mine).collect::<Vec<_>>()
        };
        assert!(of(AnomalyKind::FatFingerQty)[0].qty >= 100 * large);
        let oversold: i64 = of(AnomalyKind::Oversell).iter().map(|event| event.qty).sum();
        let exposure = exposure(&own);
        assert_eq!(measured.exposure_max(), exposure);
        assert!(oversold > 3 * exposure && oversold <= 4 * exposure + largest, "{oversold}");
        let sent = of(AnomalyKind::RunawayLoop);
        assert!(sent.iter().all(|event| event.px % measured.tick_e9() == 0 && event.px > 0));
    }
}

/// The largest exposure of one account in one instrument, summed the slow way.
fn exposure(events: &[Event]) -> i64 {
    let mut live = std::collections::BTreeMap::new();
    let (mut position, mut most) = (0, 0);
    for event in events {
        let sign = if event.side == 1 { 1 } else { -1 };
        match event.kind {
            EventKind::Add => drop(live.insert(event.order_id, sign * event.qty)),
            EventKind::Trade => {}
            _ => {
                *live.get_mut(&event.order_id).unwrap() -= sign * event.qty;
                if event.kind == EventKind::Fill {
                    position += sign * event.qty;
                }
            }
        }
        let open = |sign: i64| live.values().map(|qty| (qty * sign).max(0)).sum::<i64>();
        most = most.max(position + open(1)).max(open(-1) - position);
        live.retain(|_, qty| *qty != 0);
    }
    most
}

#[test]
fn what_is_no_order_or_has_no_last_price_is_no_model() {
    let own = market(Profile::equity_liquid(), 4_000);
    for bit in [flag::SNAPSHOT, flag::CONSEQUENCE, flag::UNDEF_PX, flag::POSSDUP] {
        let mut own = own.clone();
        own.iter_mut().filter(|e| e.kind == EventKind::Add).for_each(|e| e.flags |= bit);
        assert!(inject(&own, 7, 8_192).1.is_empty(), "flag {bit}");
    }
    let mut silent = own;
    silent.retain(|event| matches!(event.kind, EventKind::Add | EventKind::Delete));
    assert!(inject(&silent, 7, 8_192).1.is_empty());
}

#[test]
fn an_error_of_the_input_comes_after_the_events_before_it() {
    let own = market(Profile::future(), 5_000);
    let mut inner = Memory::of(&own, 600);
    inner.failure = Some(FeedError::new(FeedErrorKind::Truncated, "cut").at(5_000, 1));
    let mut source =
        InjectedEvents::new(Box::new(inner), &survey(&own), AnomalySet::NONE, 7).unwrap();
    let mut out = Vec::new();
    assert!(source.next_batch(&mut out).unwrap());
    assert_eq!(out.len(), own.len());
    assert_eq!(source.next_batch(&mut out).unwrap_err().kind, FeedErrorKind::Truncated);
}

#[test]
fn a_file_whose_ids_reach_the_bound_is_refused_by_name() {
    let mut own = market(Profile::future(), 500);
    own[400].order_id = ORDER_TEXT_BASE - 3;
    let inner = Box::new(Memory::of(&own, 100));
    let refused = InjectedEvents::new(inner, &survey(&own), AnomalySet::FILE, 7);
    let error = refused.err().expect("no ids are left");
    assert_eq!(error.kind, FeedErrorKind::NumberOutOfRange);
    assert!(error.detail.contains(&(ORDER_TEXT_BASE - 3).to_string()), "{error}");
}

#[test]
fn a_survey_stops_when_it_is_told_to() {
    let own = market(Profile::future(), 5_000);
    let mut seen = 0;
    let stopped = Survey::of(&mut Memory::of(&own, 1_000), |events| {
        seen += events;
        seen < 3_000
    });
    assert!(stopped.unwrap().is_none());
    assert_eq!(seen, 3_000);
}
