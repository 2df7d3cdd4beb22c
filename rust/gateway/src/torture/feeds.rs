//! What must hold of every decoder of market files, whatever the bytes.
//!
//! - An error's offset lies within the input.
//! - The events before an error, and the error, do not depend on how the bytes come.
//! - A handle points into its table of names.
//! - The same bytes give the same answer.

use std::io::{Cursor, Read};

use cwts_feeds::columnar::ArrowDecoder;
use cwts_feeds::compress::{Compression, Decompressor, sniff_compression};
use cwts_feeds::csv::CsvDecoder;
use cwts_feeds::dbn::DbnDecoder;
use cwts_feeds::decoder::{BATCH_EVENTS, Decoder};
use cwts_feeds::error::FeedError;
use cwts_feeds::event::{Event, Names};
use cwts_feeds::fix::FixDecoder;
use cwts_feeds::itch::ItchDecoder;
use cwts_feeds::lobster::LobsterDecoder;
use cwts_feeds::sniff::Format;
use cwts_feeds::source::{EventSource, Input, OpenOptions, open_events};

use super::Outcome;

pub(super) fn lobster(bytes: &[u8]) -> Result<Outcome, String> {
    pushed(bytes, &|| Box::new(LobsterDecoder::new(MIDNIGHT_NS, "AMZN")))
}

pub(super) fn csv(bytes: &[u8]) -> Result<Outcome, String> {
    pushed(bytes, &|| Box::new(CsvDecoder::new(Some("AMZN"))))
}

pub(super) fn arrow(bytes: &[u8]) -> Result<Outcome, String> {
    pushed(bytes, &|| Box::new(ArrowDecoder::new(Some("AMZN"))))
}

pub(super) fn dbn(bytes: &[u8]) -> Result<Outcome, String> {
    pushed(bytes, &|| Box::new(DbnDecoder::new()))
}

pub(super) fn itch(bytes: &[u8]) -> Result<Outcome, String> {
    pushed(bytes, &|| Box::new(ItchDecoder::new(MIDNIGHT_NS)))
}

pub(super) fn fix(bytes: &[u8]) -> Result<Outcome, String> {
    pushed(bytes, &|| Box::new(FixDecoder::new(false)))?;
    // The strict one says what it refuses.
    pushed(bytes, &|| Box::new(FixDecoder::new(true)))
}

pub(super) fn parquet(bytes: &[u8]) -> Result<Outcome, String> {
    let format = Some(Format::Parquet);
    let said = opened(Input::Bytes(bytes), format);
    said.check(bytes.len() as u64)?;
    same("twice", &said, &opened(Input::Bytes(bytes), format))?;
    same(
        "from a file",
        &said,
        &opened(Input::File(Box::new(Cursor::new(bytes.to_vec()))), format),
    )?;
    Ok(said.outcome())
}

/// Any bytes, opened as a caller does that knows nothing of them.
pub(super) fn sniff(bytes: &[u8]) -> Result<Outcome, String> {
    let said = opened(Input::Bytes(bytes), None);
    let others = [
        ("from a stream of 7 bytes", opened(Input::Stream(Box::new(Dribble(bytes, 7))), None)),
        ("from a file", opened(Input::File(Box::new(Cursor::new(bytes.to_vec()))), None)),
    ];
    // The offsets of a packed input's errors count packed bytes or unpacked ones.
    let packed = sniff_compression(bytes) != Compression::None;
    said.check(if packed { UNPACKED_BYTES_MAX + bytes.len() as u64 } else { bytes.len() as u64 })?;
    for (how, other) in &others {
        // An unpacker that meets damage drops what the same call had unpacked before it: how many
        // events come first depends on the size of its calls, and only that.
        if packed { prefix(how, &said, other)? } else { same(how, &said, other)? }
    }
    Ok(said.outcome())
}

pub(super) fn packed(bytes: &[u8]) -> Result<Outcome, String> {
    let whole = unpacked(bytes, UNPACKED_BYTES_MAX as usize);
    if let Some(error) = &whole.1 {
        within(error, bytes.len() as u64)?;
    }
    for step in [1, 7, 4096] {
        let other = unpacked(bytes, step);
        let common = whole.0.len().min(other.0.len());
        if whole.0[..common] != other.0[..common] {
            return Err(format!("read by {step} bytes, the unpacked bytes differ"));
        }
        let kind = |said: &Unpacked| said.1.as_ref().map(|error| error.kind);
        if kind(&whole) != kind(&other) {
            let (one, two) = (kind(&whole), kind(&other));
            return Err(format!("read at once {one:?}, by {step} bytes {two:?}"));
        }
        if whole.1.is_none() && whole.0.len() != other.0.len() {
            return Err(format!("read by {step} bytes, the length differs"));
        }
    }
    Ok(match whole.1 {
        None => Outcome::accepted(format!("{} bytes", whole.0.len())),
        Some(error) => Outcome::refused(error.to_string()),
    })
}

/// Pushes `bytes` into fresh decoders whole, by 7 and by 1, and compares what they say.
pub(super) fn pushed(
    bytes: &[u8],
    fresh: &dyn Fn() -> Box<dyn Decoder>,
) -> Result<Outcome, String> {
    let whole = push_all(&mut *fresh(), bytes, bytes.len())?;
    whole.check(bytes.len() as u64)?;
    for (how, step) in [("by 7 bytes", 7), ("by 1 byte", 1)] {
        same(how, &whole, &push_all(&mut *fresh(), bytes, step)?)?;
    }
    Ok(whole.outcome())
}

/// Everything that was said of an input.
#[derive(Debug, PartialEq)]
pub(super) struct Said {
    events: Vec<Event>,
    names: Names,
    error: Option<FeedError>,
}

impl Said {
    fn outcome(&self) -> Outcome {
        let count = self.events.len();
        match &self.error {
            None => Outcome::accepted(format!("{count} events")),
            Some(error) => Outcome::refused(format!("{count} events, then {error}")),
        }
    }

    fn check(&self, offset_max: u64) -> Result<(), String> {
        if let Some(error) = &self.error {
            within(error, offset_max)?;
        }
        let holds = |handle: u32, table: &[String]| (handle as usize) < table.len();
        let stray = self.events.iter().find(|event| {
            !holds(event.instrument, &self.names.instruments)
                || event.account != u32::MAX && !holds(event.account, &self.names.accounts)
                || event.strategy != u32::MAX && !holds(event.strategy, &self.names.strategies)
        });
        match stray {
            Some(event) => Err(format!("a handle points nowhere: {event:?}")),
            None => Ok(()),
        }
    }
}

fn within(error: &FeedError, offset_max: u64) -> Result<(), String> {
    if error.offset > offset_max {
        return Err(format!("the error lies behind the input's {offset_max} bytes: {error}"));
    }
    Ok(())
}

fn same(how: &str, one: &Said, other: &Said) -> Result<(), String> {
    prefix(how, one, other)?;
    let kind = |said: &Said| said.error.as_ref().map(|error| error.kind);
    if kind(one) != kind(other) {
        return Err(format!("at once {:?}, {how} {:?}", one.error, other.error));
    }
    if one.events.len() != other.events.len() {
        let (at_once, then) = (one.events.len(), other.events.len());
        return Err(format!("at once {at_once} events, {how} {then}"));
    }
    if one.error != other.error {
        return Err(format!("at once {:?}, {how} {:?}", one.error, other.error));
    }
    if one.names != other.names {
        return Err(format!("at once {:?}, {how} {:?}", one.names, other.names));
    }
    Ok(())
}

fn prefix(how: &str, one: &Said, other: &Said) -> Result<(), String> {
    let pairs = one.events.iter().zip(&other.events).enumerate();
    for (at, (left, right)) in pairs {
        if left != right {
            return Err(format!("event {at} at once is {left:?}, {how} {right:?}"));
        }
    }
    Ok(())
}

/// Drives a decoder as a source does, with a window that grows by `step`.
fn push_all(decoder: &mut dyn Decoder, bytes: &[u8], step: usize) -> Result<Said, String> {
    let (mut start, mut end) = (0, step.min(bytes.len()));
    let mut events = Vec::new();
    let error = loop {
        let eof = end == bytes.len();
        let before = events.len();
        let consumed = match decoder.push(&bytes[start..end], eof, &mut events) {
            Ok(consumed) => consumed,
            Err(error) => break Some(error),
        };
        let appended = events.len() - before;
        if consumed > end - start || appended > BATCH_EVENTS {
            return Err(format!("{consumed} of {} bytes, {appended} events", end - start));
        }
        start += consumed;
        if eof && consumed == 0 && appended == 0 || events.len() > EVENTS_MAX {
            break None;
        }
        if appended == 0 && (consumed == 0 || start == end) {
            end = (end + step).min(bytes.len());
        }
    };
    let names = decoder.names().clone();
    Ok(Said { events, names, error })
}

fn opened(input: Input<'_>, format: Option<Format>) -> Said {
    let options =
        OpenOptions { base_ns: MIDNIGHT_NS, max_bytes: UNPACKED_BYTES_MAX, ..Default::default() };
    let mut events = Vec::new();
    let mut source = match open_events(input, format, &options) {
        Ok(source) => source,
        Err(error) => return Said { events, names: Names::default(), error: Some(error) },
    };
    let error = loop {
        match source.next_batch(&mut events) {
            Ok(true) if events.len() <= EVENTS_MAX => {}
            Ok(_) => break None,
            Err(error) => break Some(error),
        }
    };
    Said { events, names: source.names().clone(), error }
}

type Unpacked = (Vec<u8>, Option<FeedError>);

fn unpacked(bytes: &[u8], step: usize) -> Unpacked {
    let mut out = Vec::new();
    let mut source = match Decompressor::open(Box::new(bytes), UNPACKED_BYTES_MAX) {
        Ok(source) => source,
        Err(error) => return (out, Some(error)),
    };
    let mut space = vec![0; step];
    loop {
        match source.read(&mut space) {
            Ok(0) => return (out, None),
            Ok(count) => out.extend_from_slice(&space[..count]),
            Err(error) => return (out, Some(error)),
        }
    }
}

/// A reader that gives at most so many bytes a call.
struct Dribble<'a>(&'a [u8], usize);

impl Read for Dribble<'_> {
    fn read(&mut self, space: &mut [u8]) -> std::io::Result<usize> {
        let step = self.1.min(space.len());
        self.0.read(&mut space[..step])
    }
}

/// 2012-06-21 in New York.
pub(super) const MIDNIGHT_NS: u64 = 1_340_251_200_000_000_000;
/// Cap on what a packed input may become here: a bomb of it costs a millisecond, not a minute.
const UNPACKED_BYTES_MAX: u64 = 256 << 10;
/// Events after which a check looks no further: a packed column repeats a row for nothing.
const EVENTS_MAX: usize = 1 << 17;
