//! Rows a second of the text decoders, as medians over rounds: `cargo bench -p cwts-feeds`.
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use cwts_feeds::event::Event;
use cwts_feeds::source::{EventSource, Input, OpenOptions, open_events};
use std::hint::black_box;
use std::io::{Read, Write};

const ROWS: usize = 57_515;
const ROUNDS: usize = 25;

fn main() {
    let (text, origin) = text();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    packed.write_all(&text).expect("a Vec takes every byte");
    let packed = packed.finish().expect("a Vec takes every byte");
    println!("{ROWS} rows of {origin}, {} bytes, gzip {}", text.len(), packed.len());
    let plain = OpenOptions { hash: false, ..OpenOptions::default() };
    let hashed = OpenOptions::default();
    report("lobster text, no hash", || decode(&text, &plain));
    report("lobster text, sha-256", || decode(&text, &hashed));
    report("lobster gzip, no hash", || decode(&packed, &plain));
    report("lobster gzip, sha-256", || decode(&packed, &hashed));
    report("inflate alone", || inflate(&packed));
    let csv = csv(&text);
    report("cwts csv, no hash", || decode(&csv, &plain));
    let itch = itch(&text);
    report("itch, no hash", || decode(&itch, &plain));
}

/// The public day when `CWTS_LOBSTER` names its unpacked file, else rows of the same shape.
fn text() -> (Vec<u8>, &'static str) {
    if let Some(path) = std::env::var_os("CWTS_LOBSTER") {
        return (std::fs::read(path).expect("CWTS_LOBSTER is readable"), "CWTS_LOBSTER");
    }
    let rows = (0..ROWS as u64).map(|at| {
        let (ns, id) = (at * 406_843, 11_885_113 + at * 4_793);
        let (s, part) = (34_200 + ns / 1_000_000_000, ns / 10_000 % 100_000);
        format!(
            "{s}.{part:05},{},{id},{},{},-1\r\n",
            at % 4 + 1,
            at % 200 + 1,
            2_238_100 + at % 900
        )
        .into_bytes()
    });
    (rows.flatten().collect(), "the sample's shape")
}

fn csv(text: &[u8]) -> Vec<u8> {
    let options = OpenOptions::default();
    let mut source = open_events(Input::Bytes(text), None, &options).expect("LOBSTER");
    let mut out = cwts_feeds::csv_rows::csv_header().as_bytes().to_vec();
    let mut events = Vec::new();
    while source.next_batch(&mut events).expect("rows are right") {
        cwts_feeds::csv_rows::write_csv_rows(&events, source.names(), &mut out);
        events.clear();
    }
    out
}

fn itch(text: &[u8]) -> Vec<u8> {
    let options = OpenOptions::default();
    let mut source = open_events(Input::Bytes(text), None, &options).expect("LOBSTER");
    let mut writer = cwts_feeds::itch::ItchWriter::new(0);
    let (mut out, mut events, mut places) = (Vec::new(), Vec::new(), Vec::new());
    while source.next_batch(&mut events).expect("rows are right") {
        writer.write(&events, source.names(), &mut out, &mut places).expect("ITCH has a place");
        events.clear();
    }
    writer.finish(&mut out);
    out
}

fn decode(bytes: &[u8], options: &OpenOptions) -> usize {
    let mut source = open_events(Input::Bytes(bytes), None, options).expect("a known format");
    let mut events: Vec<Event> = Vec::with_capacity(cwts_feeds::decoder::BATCH_EVENTS);
    let mut rows = 0;
    while source.next_batch(&mut events).expect("rows are right") {
        rows += black_box(&events).len();
        events.clear();
    }
    rows
}

fn inflate(packed: &[u8]) -> usize {
    let mut chunk = vec![0; 1 << 20];
    let mut reader = flate2::bufread::MultiGzDecoder::new(packed);
    while reader.read(&mut chunk).expect("our own gzip") > 0 {
        black_box(&chunk);
    }
    ROWS
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn report(name: &str, job: impl Fn() -> usize) {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = std::time::Instant::now();
            assert_eq!(black_box(job()), ROWS);
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let (best, median) = (times[0], times[ROUNDS / 2]);
    println!(
        "{name:24} best {:6.2} ms {:6.1} M rows/s, median {:6.2} ms",
        best * 1e3,
        ROWS as f64 / best / 1e6,
        median * 1e3
    );
}
