//! What several test files share.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of this module")]

use cwts_feeds::error::FeedError;
use cwts_feeds::event::{Event, EventKind, Names, flag};
use cwts_feeds::sniff::Format;
use cwts_feeds::source::{EventSource, Input, InputFacts, OpenOptions, open_events};
use proptest::prelude::*;
use std::io::{Read, Write};
use std::path::PathBuf;

/// Everything a source said.
#[derive(Debug, PartialEq)]
pub struct Decoded {
    pub events: Vec<Event>,
    pub names: Names,
    pub order_texts: Vec<String>,
    pub facts: Option<InputFacts>,
    pub error: Option<FeedError>,
}

/// Reads `input` to its end or its error.
pub fn decode(input: Input<'_>, format: Option<Format>, options: &OpenOptions) -> Decoded {
    let mut events = Vec::new();
    let mut source = match open_events(input, format, options) {
        Ok(source) => source,
        Err(error) => {
            let (names, order_texts) = (Names::default(), Vec::new());
            return Decoded { events, names, order_texts, facts: None, error: Some(error) };
        }
    };
    let error = loop {
        let before = events.len();
        match source.next_batch(&mut events) {
            Ok(true) => assert!((1..=8_192).contains(&(events.len() - before))),
            Ok(false) => break None,
            Err(error) => break Some(error),
        }
    };
    let (names, order_texts) = (source.names().clone(), source.order_texts().to_vec());
    Decoded { events, names, order_texts, facts: Some(source.facts()), error }
}

/// Reads `bytes` as what they are.
pub fn decode_bytes(bytes: &[u8]) -> Decoded {
    decode(Input::Bytes(bytes), None, &OpenOptions::default())
}

/// A reader that gives at most `step` bytes a call.
pub struct Dribble<'a>(pub &'a [u8], pub usize);

impl Read for Dribble<'_> {
    fn read(&mut self, space: &mut [u8]) -> std::io::Result<usize> {
        let step = self.1.min(space.len());
        self.0.read(&mut space[..step])
    }
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    // With its checksum, which the format leaves to the writer: without it a flipped literal
    // passes.
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 6);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An archive of `members`; `described`: sizes follow the member, as streaming writers do it.
pub fn zip(members: &[&[u8]], deflated: bool, described: bool) -> Vec<u8> {
    let mut archive = Vec::new();
    let mut directory = Vec::new();
    for bytes in members {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        let packed = if deflated {
            let level = flate2::Compression::new(6);
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), level);
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        } else {
            bytes.to_vec()
        };
        let offset = archive.len() as u32;
        let sums =
            [crc.sum(), packed.len() as u32, bytes.len() as u32].map(u32::to_le_bytes).concat();
        let flags = if described { 8_u16 } else { 0 };
        let method = if deflated { 8_u16 } else { 0 };
        let mut shared = 20_u16.to_le_bytes().to_vec();
        shared.extend([flags.to_le_bytes(), method.to_le_bytes()].concat());
        shared.extend([0; 4]);
        archive.extend(b"PK\x03\x04");
        archive.extend(&shared);
        archive.extend(if described { vec![0; 12] } else { sums.clone() });
        archive.extend([1, 0, 0, 0, b'a']);
        archive.extend(&packed);
        if described {
            archive.extend(b"PK\x07\x08");
            archive.extend(&sums);
        }
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(&shared);
        directory.extend(&sums);
        directory.extend([1, 0]);
        directory.extend([0; 12]);
        directory.extend(offset.to_le_bytes());
        directory.push(b'a');
    }
    let (start, size) = (archive.len() as u32, directory.len() as u32);
    archive.extend(directory);
    archive.extend(b"PK\x05\x06\0\0\0\0");
    archive.extend([(members.len() as u16).to_le_bytes(); 2].concat());
    archive.extend([size.to_le_bytes(), start.to_le_bytes()].concat());
    archive.extend([0; 2]);
    archive
}

/// The sample's decompressed bytes, or None with a loud line when the data is not there.
pub fn sample(path: &str) -> Option<Vec<u8>> {
    let packed = sample_packed(path)?;
    let mut bytes = Vec::new();
    flate2::read::MultiGzDecoder::new(&packed[..]).read_to_end(&mut bytes).unwrap();
    Some(bytes)
}

/// The sample as it lies on disk.
pub fn sample_packed(path: &str) -> Option<Vec<u8>> {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = std::env::var_os("CWTS_DATA")
        .map_or_else(|| workspace.join("../shared/data"), PathBuf::from);
    let file = root.join(path);
    match std::fs::read(&file) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            eprintln!("SKIPPED: {} is not readable ({error}); set CWTS_DATA", file.display());
            None
        }
    }
}

pub const AMZN: &str = "orderflow/lobster/AMZN_2012-06-21_34200000_57600000_message_1.csv.gz";
pub const AAPL: &str = "orderflow/lobster/AAPL_2012-06-21_first998_message_10.csv.gz";

/// Names whose characters a text format must quote.
pub fn names() -> Names {
    let table = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    Names {
        instruments: table(&["AAPL", "BRK,B", "6E\"H4", "zürich\nspread"]),
        accounts: table(&["alpha", "b,eta", " gamma "]),
        strategies: table(&["mm-1", "\"q\""]),
    }
}

/// Events as a decoder could have made them, over [`names`].
pub fn events(max: usize) -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec(event(), 0..max).prop_map(|mut events| {
        let mut last = 0;
        for (at, event) in events.iter_mut().enumerate() {
            event.src = at as u64;
            if event.ts_ns < last {
                event.flags |= flag::TIME_BACK;
            }
            last = event.ts_ns;
        }
        events
    })
}

fn event() -> impl Strategy<Value = Event> {
    let given = [0, flag::SNAPSHOT, flag::HIDDEN, flag::NO_REF, flag::EVENT_END | flag::POSSDUP];
    let numbers = (any::<u64>(), any::<u64>(), any::<i64>(), 0..=i64::MAX, any::<u64>());
    let handles = (0..4_u32, 0..3_u32, 0..2_u32);
    let words = (1..=11_u8, prop::sample::select(vec![0_u8, 1, 2, 5, 6]));
    let flags = (prop::sample::select(given.to_vec()), any::<bool>());
    (numbers, handles, words, flags).prop_map(|(numbers, handles, words, flags)| {
        let kind = EventKind::from_code(words.0).unwrap();
        let qty = if kind == EventKind::State { numbers.3 % 3 } else { numbers.3 };
        Event {
            ts_ns: numbers.0,
            order_id: numbers.1,
            px: if flags.1 { numbers.2 } else { 0 },
            qty,
            ref_id: numbers.4,
            src: 0,
            instrument: handles.0,
            account: handles.1,
            strategy: handles.2,
            kind,
            side: words.1,
            flags: flags.0 | if flags.1 { 0 } else { flag::UNDEF_PX },
        }
    })
}

/// `decoded` with its handles moved to the tables of `names`: a file numbers names as they appear.
pub fn renumbered(decoded: &Decoded, names: &Names) -> Vec<Event> {
    let moved = |handle: u32, from: &[String], to: &[String]| {
        to.iter().position(|name| *name == from[handle as usize]).unwrap() as u32
    };
    decoded
        .events
        .iter()
        .map(|event| Event {
            instrument: moved(event.instrument, &decoded.names.instruments, &names.instruments),
            account: moved(event.account, &decoded.names.accounts, &names.accounts),
            strategy: moved(event.strategy, &decoded.names.strategies, &names.strategies),
            ..*event
        })
        .collect()
}
