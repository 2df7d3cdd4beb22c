//! Valid market files to start from, made by our own generator and encoders, and words of formats.
//!
//! An encoder that fails gives no seed; a test counts them.

use std::io::{Result, Write};

use arrow_ipc::CompressionType;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use cwts_feeds::columnar::{ArrowFileWriter, ParquetFileWriter, event_schema, events_to_batch};
use cwts_feeds::csv_rows::{csv_header, write_csv_rows};
use cwts_feeds::event::{Event, EventKind, Names};
use cwts_feeds::synth::{Options, Profile, Synth};

use super::venues;

/// The formats' own seeds behind each other, for the sniffer.
pub(super) fn any_format() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = [
        lobster(),
        csv(),
        arrow(),
        parquet(),
        packed(),
        venues::dbn(),
        venues::itch(),
        venues::fix(),
    ]
    .into_iter()
    .flatten()
    .collect();
    all.extend([b"{\"ts\":1}\n".to_vec(), b"100,1,99,2\n".to_vec()]);
    all
}

pub(super) fn csv() -> Vec<Vec<u8>> {
    let (events, names) = flow();
    let mut rows = csv_header().as_bytes().to_vec();
    write_csv_rows(&events, &names, &mut rows);
    let texts = b"ts,kind,order_id,side,qty,price,type,ref_id,flags,instrument\r\n\
        2025-01-02T14:30:00.000000001Z,add,\"A,1\",buy,100,101.25,limit,,,ACME\r\n\
        2025-01-02T14:30:00.5Z,replace,B2,sell,7,-0.5,limit,\"A,1\",512,\"BRK,B\"\r\n\
        1735828201000000000,fill,B2,sell,7,,market,9,,ACME";
    vec![rows, texts.to_vec()]
}

pub(super) fn lobster() -> Vec<Vec<u8>> {
    let (events, _) = flow();
    let mut rows = String::from("Time,Type,OrderId,Size,Price,Direction\r\n");
    for (at, event) in events.iter().enumerate() {
        let kind = match event.kind {
            EventKind::Add => 1,
            EventKind::Reduce => 2,
            EventKind::Delete => 3,
            EventKind::Fill => 4,
            _ => 5,
        };
        let (ns, price) = (event.ts_ns % 1_000_000_000, event.px / 100_000);
        let direction = if event.side == 1 { 1 } else { -1 };
        let (id, qty) = (event.order_id, event.qty);
        rows += &format!("{}.{ns:09},{kind},{id},{qty},{price},{direction}\r\n", 34_200 + at);
    }
    let plain = "34200.017459617,5,0,1,2238200,-1\n34200.1,7,0,0,-1,-1\n34201,7,0,0,1,1\n\
        34201.25,6,0,400,2239500,1\n34202.000000000001,1,16113575,18,2238100,1";
    vec![rows.into_bytes(), plain.as_bytes().to_vec()]
}

pub(super) fn arrow() -> Vec<Vec<u8>> {
    let (events, names) = flow();
    let file = || -> Option<Vec<u8>> {
        let mut writer = ArrowFileWriter::new(Vec::new()).ok()?;
        let (first, second) = events.split_at(events.len() / 2);
        writer.write(first, &names).ok()?;
        writer.write(second, &names).ok()?;
        writer.finish().ok()
    };
    let Some(file) = file() else { return Vec::new() };
    // A stream is what stands between a file's padded magic and its footer.
    let first = file.windows(4).position(|four| four == [0xff; 4]).unwrap_or(0);
    let stream = file[first..].to_vec();
    [Some(stream), Some(file), packed_arrow(&events, &names)].into_iter().flatten().collect()
}

/// A stream whose buffers are packed, each behind its announced length.
fn packed_arrow(events: &[Event], names: &Names) -> Option<Vec<u8>> {
    let packing = IpcWriteOptions::default().try_with_compression(Some(CompressionType::ZSTD));
    let mut writer =
        StreamWriter::try_new_with_options(Vec::new(), &event_schema(), packing.ok()?).ok()?;
    writer.write(&events_to_batch(events, names).ok()?).ok()?;
    writer.into_inner().ok()
}

pub(super) fn parquet() -> Vec<Vec<u8>> {
    let (events, names) = flow();
    let file = || -> Option<Vec<u8>> {
        let mut writer = ParquetFileWriter::new(Vec::new()).ok()?;
        writer.write(&events, &names).ok()?;
        writer.finish().ok()
    };
    file().into_iter().collect()
}

pub(super) fn packed() -> Vec<Vec<u8>> {
    let rows = csv().into_iter().next().unwrap_or_default();
    let packers: [Packer; 4] = [gzip, zstd, xz, deflated];
    let mut all: Vec<Vec<u8>> = packers.into_iter().flat_map(|pack| pack(&rows)).collect();
    if let (Ok(deflated), [gzip, zstd, ..]) = (deflated(&rows), &all[..]) {
        // Two members; two frames behind one that is skipped.
        let members = [&gzip[..], gzip].concat();
        let frames = [b"\x50\x2a\x4d\x18\x02\0\0\0ok", &zstd[..], zstd].concat();
        let archives = [zip(&rows, &rows, 0), zip(&rows, &deflated, 8)];
        all.extend([members, frames]);
        all.extend(archives);
    }
    // A bare deflate stream is no container: it only stands in the archive.
    all.remove(3.min(all.len().saturating_sub(1)));
    all
}

type Packer = fn(&[u8]) -> Result<Vec<u8>>;

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn deflated(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn zstd(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3)?;
    encoder.include_checksum(true)?;
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn xz(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// An archive of one member `a`; `method` 0 is stored, 8 deflated.
fn zip(bytes: &[u8], packed: &[u8], method: u16) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    let sums = [crc.sum(), packed.len() as u32, bytes.len() as u32].map(u32::to_le_bytes).concat();
    let shared = [&[20, 0, 0, 0][..], &method.to_le_bytes(), &[0; 4], &sums, &[1, 0]].concat();
    let member = [b"PK\x03\x04", &shared[..], b"\0\0a", packed].concat();
    let entry = [b"PK\x01\x02\x14\0", &shared[..], &[0; 16], b"a"].concat();
    let sizes = [entry.len() as u32, member.len() as u32].map(u32::to_le_bytes).concat();
    let end = [b"PK\x05\x06\0\0\0\0\x01\0\x01\0", &sizes[..], b"\0\0"].concat();
    [member, entry, end].concat()
}

/// A short stretch of generated flow.
pub(super) fn flow() -> (Vec<Event>, Names) {
    let options = Options { instruments: 2, accounts: 3, strategies: 2, ..Options::default() };
    let mut events = Vec::new();
    match Synth::new(Profile::equity_liquid(), SEED, options) {
        Ok(mut synth) => {
            synth.fill(EVENTS, &mut events, &mut Vec::new());
            (events, synth.names().clone())
        }
        Err(_) => (events, Names::default()),
    }
}

const SEED: u64 = 7;
const EVENTS: usize = 48;

pub(super) const LOBSTER_TOKENS: &[&[u8]] =
    &[b"34200.", b"86399.9999999999", b",1,", b",7,", b",-1", b",1\n", b"\r\n", b"\n\n", b","];
pub(super) const CSV_TOKENS: &[&[u8]] = &[
    b"\xef\xbb\xbf",
    b"\"",
    b"\"\"",
    b",,",
    b"\r\n",
    b"\n",
    b"ts,kind,order_id,side,qty,price",
    b"1970-01-01T00:00:00Z",
    b"2262-04-11T23:47:16.854775807Z",
    b"2554-07-21T23:34:33.709551615Z",
    b"2016-12-31T23:59:60Z",
    b"add",
    b"replace",
    b"state",
    b"short_exempt",
    b"market",
    b"9223372036.854775807",
];
pub(super) const ARROW_TOKENS: &[&[u8]] = &[
    b"ARROW1\0\0",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"\x01\0\0\0",
    b"cwts.scale",
    b"\xff\xff\xff\xff\0\0\0\0",
];
pub(super) const PARQUET_TOKENS: &[&[u8]] = &[
    b"PAR1",
    b"\x15\x04",
    b"\x19\x1c",
    b"\x19\xfc",
    b"\xff\xff\xff\xff\x07",
    b"ARROW:schema",
    b"price",
];
pub(super) const PACKED_TOKENS: &[&[u8]] = &[
    b"\x1f\x8b\x08\0",
    b"\x28\xb5\x2f\xfd",
    b"\x50\x2a\x4d\x18",
    b"\xfd7zXZ\0",
    b"PK\x03\x04",
    b"PK\x07\x08",
    b"PK\x01\x02",
    b"PK\x05\x06",
    b"\x01\0\0\xff\xff",
];
pub(super) const SNIFF_TOKENS: &[&[u8]] = &[
    b"DBN\x01",
    b"ARROW1",
    b"PAR1",
    b"8=FIX.4.4\x019=",
    b"8=FIXT.1.1|9=",
    b"^A9=",
    b"{",
    b"1700000000000000000 {",
    b"\x1f\x8b",
    b"Time,Type,OrderId,Size,Price,Direction",
    b"ts,kind,order_id,side,qty,price",
    b"\xef\xbb\xbf",
];
