//! What a segment of frames says beyond its entries, so that both give it back bit for bit.
//!
//! | bytes | field |
//! |---|---|
//! | 8, 4, 4 | "CWTSFRM1", version 1, number of frames |
//! | 8, 8, 8 | first entry, number of entries, length of the segment |
//! | 8, 32 | log id, chain value before the first frame |
//! | 32 each | roots of the perfect subtrees that the entries before make, from the largest |
//! | 4, then | a length; packed by zstd, all counts u32, all key epochs u64, all commit times u64 |
//! | 32 each | MACs |
//! | 4 | CRC-32C of all before |
//!
//! Chain and subtrees follow from the segments before. They stand here so that a segment is made
//! again alone; the chain, checked from the log's first frame to its last, proves them.

use crate::frame::{
    Entries, FRAME_ENTRIES_MAX, FRAME_HEADER_BYTES, FRAME_PAYLOAD_BYTES_MAX, Frame, FrameHeader,
    INDEX_MAX, chain_value, frame_bytes, frame_hash,
};
use crate::merkle::{CompactRange, Hash};

/// One frame, less its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FrameFacts {
    count: u32,
    key_epoch: u64,
    utc_ns: u64,
    mac: Hash,
}

/// A segment, less its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentFrames {
    pub(crate) first: u64,
    pub(crate) entries: u64,
    pub(crate) size_bytes: u64,
    log_id: [u8; 8],
    prev: Hash,
    peaks: Vec<Hash>,
    frames: Vec<FrameFacts>,
}

impl SegmentFrames {
    /// Reads a segment that ends with its last frame; `before` is the tree over what is before it.
    pub(crate) fn of(segment: &[u8], before: &CompactRange) -> Result<Self, &'static str> {
        let mut frames: Vec<FrameFacts> = Vec::new();
        let (mut at, mut next, mut start) = (0, before.size(), None);
        while at < segment.len() {
            let head = segment[at..].first_chunk::<FRAME_HEADER_BYTES>();
            let header = head.and_then(|head| FrameHeader::parse(head).ok());
            let header = header.ok_or("a frame's header is damaged")?;
            let frame = Frame::cut(header, &segment[at..]).ok_or("a frame is cut off")?;
            if header.first_index != next || frames.len() == FRAMES_MAX {
                return Err("its frames do not follow one another");
            }
            start.get_or_insert((header.log_id, *frame.prev));
            let FrameHeader { count, key_epoch, utc_ns, .. } = header;
            frames.push(FrameFacts { count, key_epoch, utc_ns, mac: *frame.mac });
            next = header.end_index();
            at += frame.size_bytes();
        }
        let (log_id, prev) = start.ok_or("it holds no frame")?;
        Ok(Self {
            first: before.size(),
            entries: next - before.size(),
            size_bytes: segment.len() as u64,
            log_id,
            prev,
            peaks: before.peaks().to_vec(),
            frames,
        })
    }

    /// The segment, out of its entries in order.
    pub(crate) fn segment<'e>(
        &self,
        mut entries: impl Iterator<Item = &'e [u8]>,
    ) -> Result<Vec<u8>, &'static str> {
        let peaks = CompactRange::from_peaks(self.first, &self.peaks);
        let mut tree = peaks.ok_or("it has not the subtrees of its first entry")?;
        let (mut out, mut prev) = (Vec::new(), self.prev);
        let mut payload = Vec::new();
        for facts in &self.frames {
            let first_index = tree.size();
            payload.clear();
            for _ in 0..facts.count {
                let entry = entries.next().ok_or("its blocks have fewer entries")?;
                let length = u16::try_from(entry.len()).map_err(|_| "an entry is too long")?;
                payload.extend_from_slice(&length.to_be_bytes());
                payload.extend_from_slice(entry);
                tree.append(entry);
            }
            if payload.len() > FRAME_PAYLOAD_BYTES_MAX {
                return Err("a frame of its is too long");
            }
            let header = FrameHeader {
                count: facts.count,
                first_index,
                key_epoch: facts.key_epoch,
                payload_bytes: payload.len() as u32,
                payload_crc: crc32c::crc32c(&payload),
                log_id: self.log_id,
                utc_ns: facts.utc_ns,
            }
            .encode();
            let root = tree.root();
            let end = out.len() + frame_bytes(payload.len());
            out.extend_from_slice(&header);
            out.extend_from_slice(&payload);
            for part in [&prev, &root, &facts.mac] {
                out.extend_from_slice(part);
            }
            out.resize(end, 0);
            prev = chain_value(&frame_hash(&header, &prev, &root), &facts.mac);
        }
        if out.len() as u64 == self.size_bytes && tree.size() == self.first + self.entries {
            Ok(out)
        } else {
            Err("its frames have another length than it says")
        }
    }

    /// The file's bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&(self.frames.len() as u32).to_le_bytes());
        for n in [self.first, self.entries, self.size_bytes] {
            out.extend_from_slice(&n.to_le_bytes());
        }
        out.extend_from_slice(&self.log_id);
        out.extend_from_slice(&self.prev);
        out.extend_from_slice(self.peaks.as_flattened());
        let mut columns = Vec::with_capacity(self.frames.len() * COLUMN_BYTES);
        self.frames.iter().for_each(|f| columns.extend_from_slice(&f.count.to_le_bytes()));
        self.frames.iter().for_each(|f| columns.extend_from_slice(&f.key_epoch.to_le_bytes()));
        self.frames.iter().for_each(|f| columns.extend_from_slice(&f.utc_ns.to_le_bytes()));
        // Packing into memory fails only where there is none left; the reader then refuses.
        let packed = zstd::bulk::compress(&columns, ZSTD_LEVEL).unwrap_or_default();
        out.extend_from_slice(&(packed.len() as u32).to_le_bytes());
        out.extend_from_slice(&packed);
        self.frames.iter().for_each(|f| out.extend_from_slice(&f.mac));
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads a file.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let (body, crc) = bytes.split_last_chunk::<4>().ok_or("it is too short")?;
        if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
            return Err("its CRC-32C is wrong");
        }
        let mut rest = body;
        let mut take = |count: usize| -> Result<&[u8], &'static str> {
            let (part, after) = rest.split_at_checked(count).ok_or("it is too short")?;
            rest = after;
            Ok(part)
        };
        let u32_of = |bytes: &[u8]| bytes.first_chunk().map_or(0, |b| u32::from_le_bytes(*b));
        let u64_of = |bytes: &[u8]| bytes.first_chunk().map_or(0, |b| u64::from_le_bytes(*b));
        let hash_of = |bytes: &[u8]| bytes.first_chunk().copied().unwrap_or([0; 32]);
        if take(8)? != MAGIC || u32_of(take(4)?) != VERSION {
            return Err("it is no file of frames of this version");
        }
        let count = u32_of(take(4)?) as usize;
        let (first, entries) = (u64_of(take(8)?), u64_of(take(8)?));
        let size_bytes = u64_of(take(8)?);
        let mut log_id = [0; 8];
        log_id.copy_from_slice(take(8)?);
        let prev = hash_of(take(32)?);
        // The MACs stand unpacked, so a file claims no more frames than it is long.
        if count > FRAMES_MAX.min(bytes.len() / 32)
            || first > INDEX_MAX
            || size_bytes > SEGMENT_BYTES_MAX as u64
        {
            return Err("a number of its is out of bounds");
        }
        let peaks = take(first.count_ones() as usize * 32)?.chunks_exact(32).map(hash_of).collect();
        let packed = u32_of(take(4)?) as usize;
        let columns = zstd::bulk::decompress(take(packed)?, count * COLUMN_BYTES)
            .map_err(|_| "zstd refuses its columns")?;
        if columns.len() != count * COLUMN_BYTES {
            return Err("its columns have another length");
        }
        let (counts, wide) = columns.split_at(count * 4);
        let (epochs, times) = wide.split_at(count * 8);
        let macs = take(count * 32)?;
        if !rest.is_empty() {
            return Err("it goes on behind its end");
        }
        let numbers = counts.chunks_exact(4).map(u32_of);
        let wide = epochs.chunks_exact(8).map(u64_of).zip(times.chunks_exact(8).map(u64_of));
        let frames: Vec<FrameFacts> = numbers
            .zip(wide)
            .zip(macs.chunks_exact(32).map(hash_of))
            .map(|((count, (key_epoch, utc_ns)), mac)| FrameFacts { count, key_epoch, utc_ns, mac })
            .collect();
        let held: u64 = frames.iter().map(|frame| u64::from(frame.count)).sum();
        let sound = |frame: &FrameFacts| (1..=FRAME_ENTRIES_MAX as u32).contains(&frame.count);
        if held != entries || entries == 0 || !frames.iter().all(sound) {
            return Err("its frames have another number of entries");
        }
        Ok(Self { first, entries, size_bytes, log_id, prev, peaks, frames })
    }
}

/// The entries of a segment, in order.
pub(crate) fn entries_of(segment: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut at = 0;
    let frames = std::iter::from_fn(move || {
        let head = segment.get(at..)?.first_chunk::<FRAME_HEADER_BYTES>()?;
        let frame = Frame::cut(FrameHeader::parse(head).ok()?, &segment[at..])?;
        at += frame.size_bytes();
        Some(frame.payload)
    });
    frames.flat_map(|payload| Entries::new(payload).filter_map(Result::ok).map(|(_, entry)| entry))
}

const MAGIC: &[u8; 8] = b"CWTSFRM1";
const VERSION: u32 = 1;
/// Count, key epoch and commit time of a frame.
const COLUMN_BYTES: usize = 4 + 8 + 8;
const ZSTD_LEVEL: i32 = 3;
/// Frames of one segment: 128 MiB of the shortest.
const FRAMES_MAX: usize = SEGMENT_BYTES_MAX / 512;
/// The longest segment that is archived: twice what a writer makes of one.
pub(crate) const SEGMENT_BYTES_MAX: usize = 128 << 20;
/// The longest file of frames.
pub(crate) const FRAMES_BYTES_MAX: usize = FRAMES_MAX * (32 + COLUMN_BYTES) + (1 << 16);

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> SegmentFrames {
        let mut tree = CompactRange::new();
        for n in 0..5_u8 {
            tree.append(&[n]);
        }
        let facts = |n: u32| FrameFacts {
            count: n,
            key_epoch: u64::from(n) << 40,
            utc_ns: u64::MAX - u64::from(n),
            mac: [n as u8; 32],
        };
        SegmentFrames {
            first: 5,
            entries: 6,
            size_bytes: 1536,
            log_id: [7; 8],
            prev: [8; 32],
            peaks: tree.peaks().to_vec(),
            frames: (1..4).map(facts).collect(),
        }
    }

    #[test]
    fn a_file_reads_back_and_no_bit_of_it_is_without_meaning() {
        let bytes = sample().encode();
        assert_eq!(SegmentFrames::parse(&bytes), Ok(sample()));
        for bit in 0..bytes.len() * 8 {
            let mut other = bytes.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentFrames::parse(&other).is_err(), "bit {bit}");
        }
        for cut in 0..bytes.len() {
            assert!(SegmentFrames::parse(&bytes[..cut]).is_err(), "{cut}");
        }
    }

    #[test]
    fn frames_cut_from_a_segment_give_it_back_and_other_entries_do_not() {
        let entries: Vec<Vec<u8>> = (0..6_u8).map(|n| vec![n; 300]).collect();
        let made = sample();
        let lengths = |count: u64| {
            let entries = count * 302;
            frame_bytes(entries as usize) as u64
        };
        let size_bytes = lengths(1) + lengths(2) + lengths(3);
        let made = SegmentFrames { size_bytes, ..made };
        let segment = made.segment(entries.iter().map(Vec::as_slice)).unwrap();
        let before = CompactRange::from_peaks(5, &made.peaks).unwrap();
        assert_eq!(SegmentFrames::of(&segment, &before), Ok(made.clone()));
        assert!(entries_of(&segment).eq(entries.iter().map(Vec::as_slice)));
        assert!(made.segment(entries[..5].iter().map(Vec::as_slice)).is_err());
        let longer = entries.iter().map(|_| &[0_u8; 900][..]);
        assert!(made.segment(longer).is_err());
        assert!(SegmentFrames::of(&segment[..segment.len() - 1], &before).is_err());
        assert!(CompactRange::from_peaks(6, &made.peaks[..1]).is_none());
    }
}
