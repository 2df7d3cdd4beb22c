//! Generated flow as an input: no file, the same events for a seed everywhere.

use cwts_feeds::compress::Compression;
use cwts_feeds::decoder::Counts;
use cwts_feeds::error::FeedError;
use cwts_feeds::event::{Event, Names, flag};
use cwts_feeds::sniff::Format;
use cwts_feeds::source::{AssetClass, EventSource, InputFacts};
use cwts_feeds::synth::{AnomalySet, Label, Options, Profile, Synth, canonical_bytes};
use sha2::{Digest as _, Sha256};

use crate::GatewayError;

/// What to generate.
#[derive(Debug, Clone)]
pub struct SynthPlan {
    /// Profile by name.
    pub profile: String,
    /// Events.
    pub events: u64,
    /// Seed.
    pub seed: u64,
    /// Whether the default set of anomalies is injected.
    pub anomalies: bool,
    /// Instruments with flow.
    pub instruments: u32,
}

impl SynthPlan {
    fn generator(&self) -> Result<Synth, GatewayError> {
        let profile = Profile::by_name(&self.profile).ok_or_else(|| {
            let known: Vec<&str> = Profile::all().iter().map(Profile::family).collect();
            GatewayError::Replay(format!(
                "profile `{}` is not known; known: {}",
                self.profile.chars().take(64).collect::<String>(),
                known.join(", ")
            ))
        })?;
        if self.events == 0 || self.events > EVENTS_MAX {
            let why = format!("events: {} is not from 1 to {EVENTS_MAX}", self.events);
            return Err(GatewayError::Replay(why));
        }
        let options = Options {
            instruments: self.instruments,
            anomalies: if self.anomalies { AnomalySet::DEFAULT } else { AnomalySet::NONE },
            span_events: self.events,
            ..Options::default()
        };
        Synth::new(profile, self.seed, options).map_err(|e| GatewayError::Replay(e.to_string()))
    }

    /// The labels of the whole stream, found by drawing it once.
    ///
    /// # Errors
    /// The plan is out of its bounds.
    pub fn labels(&self) -> Result<Vec<Label>, GatewayError> {
        let mut labels = Vec::new();
        self.each(&mut labels, |_, _| Ok(()))?;
        Ok(labels)
    }

    /// Draws the stream, batch by batch.
    ///
    /// # Errors
    /// The plan is out of its bounds, or `batch` fails.
    pub fn each(
        &self,
        labels: &mut Vec<Label>,
        mut batch: impl FnMut(&[Event], &Names) -> Result<(), GatewayError>,
    ) -> Result<(), GatewayError> {
        let mut synth = self.generator()?;
        let mut events = Vec::with_capacity(BATCH);
        let mut left = self.events;
        while left > 0 {
            events.clear();
            let count = left.min(BATCH as u64);
            synth.fill(count as usize, &mut events, labels);
            batch(&events, synth.names())?;
            left -= count;
        }
        Ok(())
    }

    /// The stream as a replay's input.
    ///
    /// # Errors
    /// The plan is out of its bounds.
    pub fn source(&self) -> Result<SynthSource, GatewayError> {
        Ok(SynthSource {
            synth: self.generator()?,
            left: self.events,
            counts: Counts::default(),
            hash: Sha256::new(),
            unused: Vec::new(),
            asset_class: Profile::by_name(&self.profile).and_then(|profile| profile.asset_class()),
        })
    }
}

/// Events drawn as they are asked for.
pub struct SynthSource {
    synth: Synth,
    left: u64,
    counts: Counts,
    hash: Sha256,
    unused: Vec<Label>,
    asset_class: Option<AssetClass>,
}

impl EventSource for SynthSource {
    fn next_batch(&mut self, out: &mut Vec<Event>) -> Result<bool, FeedError> {
        if self.left == 0 {
            return Ok(false);
        }
        let count = self.left.min(BATCH as u64);
        let from = out.len();
        self.synth.fill(count as usize, out, &mut self.unused);
        self.unused.clear();
        for event in &out[from..] {
            self.hash.update(canonical_bytes(event));
            self.counts.time_back += u64::from(event.flags & flag::TIME_BACK != 0);
        }
        self.counts.records += count;
        self.left -= count;
        Ok(true)
    }

    fn names(&self) -> &Names {
        self.synth.names()
    }

    fn asset_class(&self) -> Option<AssetClass> {
        self.asset_class
    }

    fn order_texts(&self) -> &[String] {
        &[]
    }

    fn ignored_columns(&self) -> &[String] {
        &[]
    }

    fn facts(&self) -> InputFacts {
        let bytes = self.counts.records * EVENT_BYTES;
        InputFacts {
            // Accounts come from the stream, as they do from a CWTS file.
            format: Format::Csv,
            compression: Compression::None,
            bytes,
            packed_bytes: bytes,
            counts: self.counts,
            sha256: (self.left == 0).then(|| self.hash.clone().finalize().into()),
        }
    }
}

const BATCH: usize = 8_192;
const EVENT_BYTES: u64 = 64;
/// Two days at a million a second: beyond it somebody mistyped.
const EVENTS_MAX: u64 = 100_000_000_000;
