//! What must hold of entries, frames and whole logs.
//!
//! - What decodes encodes to the same bytes.
//! - Whatever entries a log holds, opening gives them back, and verifying and folding them end.
//! - A closed log of which a byte changed does not verify, and what still opens is a prefix of it.

use std::sync::LazyLock;

use cwts_audit::frame::{
    Entries, FRAME_HEADER_BYTES, Frame, FrameHeader, frame_bytes, parse_segment_name, segment_name,
};
use cwts_audit::{Level, LogError, MemStorage, Options, Writer, verify};
use cwts_risk::Engine;
use cwts_types::{DecodeError, Entry};

use super::{Outcome, samples};

pub(super) fn entry(bytes: &[u8]) -> Result<Outcome, String> {
    match Entry::decode(bytes) {
        Ok(entry) if entry.to_bytes() == bytes => {
            Ok(Outcome::accepted(entry.body.entry_type().name()))
        }
        Ok(entry) => Err(format!("encodes to other bytes: {entry:?}")),
        Err(error) => {
            let (DecodeError::Short { offset, .. }
            | DecodeError::Long { offset, .. }
            | DecodeError::Value { offset, .. }
            | DecodeError::Text { offset, .. }) = error;
            if offset > bytes.len() {
                return Err(format!("the error lies behind {} bytes: {error}", bytes.len()));
            }
            Ok(Outcome::refused(error.to_string()))
        }
    }
}

pub(super) fn entry_seeds() -> Vec<Vec<u8>> {
    samples::entries().to_vec()
}

/// Entries behind their big-endian lengths, as a frame holds them.
pub(super) fn fold(bytes: &[u8]) -> Result<Outcome, String> {
    // What calls itself a seal and is none, no writer takes.
    let is_no_seal = |entry: &Vec<u8>| samples::is_seal(entry) && Entry::decode(entry).is_err();
    let more: Vec<Vec<u8>> = Entries::new(bytes)
        .map_while(|entry| Some(entry.ok()?.1.to_vec()))
        .filter(|entry| !is_no_seal(entry))
        .collect();
    let image = samples::written(&more).map_err(|error| format!("not written: {error}"))?;
    let storage = MemStorage::from_image(image);
    let verdict = verify(&storage, &samples::verify_keys(), Level::Full)
        .map_err(|error| format!("not verified to the end: {error}"))?;
    let seen = opened(storage).map_err(|error| format!("not opened: {error}"))?;
    let ours = seen.get(2..seen.len().saturating_sub(1)).unwrap_or_default();
    let others = |entries: &[Vec<u8>]| {
        entries.iter().filter(|entry| !samples::is_seal(entry)).cloned().collect::<Vec<_>>()
    };
    if ours.len() != more.len() || others(ours) != others(&more) {
        return Err("the log holds other entries than were pushed".to_owned());
    }
    let mut engine = Engine::new();
    let mut taken = 0;
    let mut stopped = String::new();
    for (index, bytes) in seen.iter().enumerate() {
        let Ok(entry) = Entry::decode(bytes) else { continue };
        match engine.step(index as u64, &entry) {
            Ok(_) => taken += 1,
            Err(error) => stopped = error.to_string(),
        }
    }
    let image = engine.snapshot();
    let again = Engine::restore(&image).map_err(|error| format!("not restored: {error}"))?;
    if again.snapshot() != image {
        return Err("the restored state is another".to_owned());
    }
    let said = format!("{taken} of {}, {} findings, {stopped}", seen.len(), verdict.findings.len());
    Ok(Outcome { accepted: verdict.is_ok(), said })
}

pub(super) fn fold_seeds() -> Vec<Vec<u8>> {
    let row = |entry: &Vec<u8>| {
        let length = (entry.len() as u16).to_be_bytes();
        [&length[..], entry].concat()
    };
    let all: Vec<Vec<u8>> = samples::entries()[2..].iter().map(row).collect();
    // The tail alone is an order without a name behind it.
    vec![all.concat(), all[8..].concat(), all[..8].concat()]
}

pub(super) fn frame(bytes: &[u8]) -> Result<Outcome, String> {
    if let Ok(name) = str::from_utf8(bytes)
        && let Some(index) = parse_segment_name(name)
        && segment_name(index) != name
    {
        return Err(format!("segment {index} has two names"));
    }
    let Some((head, rest)) = bytes.split_first_chunk::<FRAME_HEADER_BYTES>() else {
        return Ok(Outcome::refused("shorter than a header"));
    };
    // As it is, and with the fields that stand there under their right checksum.
    let told = FrameHeader {
        count: word(head, 12),
        first_index: u64::from(word(head, 16)) | u64::from(word(head, 20)) << 32,
        key_epoch: u64::from(word(head, 24)),
        payload_bytes: word(head, 32),
        payload_crc: word(head, 36),
        log_id: [head[40]; 8],
        utc_ns: u64::from(word(head, 48)),
    }
    .encode();
    let mut said = String::new();
    let mut accepted = false;
    for head in [head, &told] {
        let header = match FrameHeader::parse(head) {
            Ok(header) => header,
            Err(fault) => {
                said += &format!("{fault}; ");
                continue;
            }
        };
        if header.encode() != *head {
            return Err(format!("the header is written in another way: {header:?}"));
        }
        let whole = [&head[..], rest].concat();
        let Some(frame) = Frame::cut(header, &whole) else {
            said += "cut; ";
            continue;
        };
        if frame.size_bytes() != frame_bytes(header.payload_bytes as usize) {
            return Err(format!("a frame of {} bytes", frame.size_bytes()));
        }
        let mut at = 0;
        for entry in Entries::new(frame.payload) {
            match entry {
                Ok((offset, entry)) => at = offset + entry.len(),
                Err(fault) => at = fault.offset,
            }
        }
        if at > frame.payload.len() {
            return Err(format!("an entry ends at {at} of {}", frame.payload.len()));
        }
        accepted = true;
        said += &format!("whole {}, {at}; ", frame.payload_is_whole());
    }
    Ok(Outcome { accepted, said })
}

fn word(head: &[u8; FRAME_HEADER_BYTES], at: usize) -> u32 {
    head[at..].first_chunk::<4>().map_or(0, |four| u32::from_le_bytes(*four))
}

pub(super) fn frame_seeds() -> Vec<Vec<u8>> {
    let segments = samples::closed_log().iter().filter(|(name, _)| name.starts_with("wal/"));
    segments.map(|(_, bytes)| bytes.clone()).collect()
}

/// The first byte picks a file of the sample log; the rest is what it holds instead.
pub(super) fn log(bytes: &[u8]) -> Result<Outcome, String> {
    let mut image = samples::closed_log().clone();
    let Some((&pick, content)) = bytes.split_first() else {
        return Ok(Outcome::refused("no file"));
    };
    let Some(name) = image.keys().nth(usize::from(pick) % image.len().max(1)).cloned() else {
        return Err("there is no sample log".to_owned());
    };
    let changed = image.insert(name.clone(), content.to_vec()).as_deref() != Some(content);
    let storage = MemStorage::from_image(image);
    let verdict = verify(&storage, &samples::verify_keys(), Level::Full)
        .map_err(|error| format!("not verified to the end: {error}"))?;
    if verdict.is_ok() == changed {
        return Err(format!("{name} changed: {changed}, findings {:?}", verdict.findings));
    }
    let findings = verdict.findings.len();
    match opened(storage) {
        Ok(seen) => {
            if !written_entries().starts_with(&seen) {
                return Err(format!("{name}: it opens with entries that were never written"));
            }
            Ok(Outcome::accepted(format!("{name}: {} entries, {findings} findings", seen.len())))
        }
        Err(error) => Ok(Outcome::refused(format!("{name}: {error}, {findings} findings"))),
    }
}

/// The entries of the sample log, its seals as the writer made them.
fn written_entries() -> &'static [Vec<u8>] {
    static WRITTEN: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
        opened(MemStorage::from_image(samples::closed_log().clone())).unwrap_or_default()
    });
    &WRITTEN
}

pub(super) fn log_seeds() -> Vec<Vec<u8>> {
    let files = samples::closed_log().values().enumerate();
    files.map(|(at, bytes)| [&[at as u8][..], bytes].concat()).collect()
}

fn opened(storage: MemStorage) -> Result<Vec<Vec<u8>>, LogError> {
    let Some(keys) = samples::keys() else { return Ok(Vec::new()) };
    let mut seen = Vec::new();
    Writer::open(storage, keys, Options::default(), &mut |_, entry| {
        seen.push(entry.to_vec());
        Ok(())
    })?;
    Ok(seen)
}

pub(super) const FRAME_TOKENS: &[&[u8]] =
    &[b"CWTSWAL1\x01\0\0\0", b"\0\x28", b"\xff\xff", b"\0\0", &[0; 512]];
