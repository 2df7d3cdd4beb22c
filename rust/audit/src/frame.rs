//! The write-ahead log's frame: one group commit, self-describing and chained.
//!
//! Layout: design note "audit", section 4. `root_after` binds every payload byte, `prev` binds
//! all frames before with their MACs, and the header binds its own length.
//! Invariant: a frame starts at a multiple of 512, so a torn sector never touches the one before.

use sha2::{Digest, Sha256};

use crate::merkle::Hash;
use crate::storage::{Storage, StorageError};

/// The most entries in a frame.
pub const FRAME_ENTRIES_MAX: usize = 4096;
/// The most payload bytes in a frame.
pub const FRAME_PAYLOAD_BYTES_MAX: usize = 4 << 20;
/// The longest entry: its length field has 16 bits.
pub const ENTRY_BYTES_MAX: usize = 65_535;
/// Bytes before the payload.
pub const FRAME_HEADER_BYTES: usize = 64;
/// Bytes after the payload: the chain, the root, the MAC.
pub const FRAME_TRAILER_BYTES: usize = 96;
/// Where frames may start.
pub const FRAME_ALIGN_BYTES: usize = 512;
/// The highest index: sums with it cannot overflow, and no log comes near it.
pub const INDEX_MAX: u64 = 1 << 62;
/// The longest frame.
pub const FRAME_BYTES_MAX: usize = frame_bytes(FRAME_PAYLOAD_BYTES_MAX);

/// The length of a frame with this payload, padding included.
pub const fn frame_bytes(payload_bytes: usize) -> usize {
    (FRAME_HEADER_BYTES + payload_bytes + FRAME_TRAILER_BYTES).next_multiple_of(FRAME_ALIGN_BYTES)
}

/// What a frame says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// How many entries.
    pub count: u32,
    /// Index of the first.
    pub first_index: u64,
    /// Which MAC key.
    pub key_epoch: u64,
    /// Length of the payload.
    pub payload_bytes: u32,
    /// CRC-32C of the payload.
    pub payload_crc: u32,
    /// First 8 bytes of the leaf hash of entry 1.
    pub log_id: [u8; 8],
    /// When it was committed.
    pub utc_ns: u64,
}

/// Why bytes are no frame header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFault {
    /// The magic is wrong.
    #[error("no frame starts here")]
    Magic,
    /// The header's checksum is wrong.
    #[error("the header's crc32c is wrong")]
    Crc,
    /// A field lies outside its bounds.
    #[error("header field `{field}` is {value}, at most {bound} allowed")]
    Field {
        /// Which.
        field: &'static str,
        /// What it is.
        value: u64,
        /// The most it may be.
        bound: u64,
    },
}

impl FrameHeader {
    /// The header's bytes.
    pub fn encode(&self) -> [u8; FRAME_HEADER_BYTES] {
        let mut out = [0; FRAME_HEADER_BYTES];
        out[0..8].copy_from_slice(FRAME_MAGIC);
        out[8..12].copy_from_slice(&FRAME_VERSION.to_le_bytes());
        out[12..16].copy_from_slice(&self.count.to_le_bytes());
        out[16..24].copy_from_slice(&self.first_index.to_le_bytes());
        out[24..32].copy_from_slice(&self.key_epoch.to_le_bytes());
        out[32..36].copy_from_slice(&self.payload_bytes.to_le_bytes());
        out[36..40].copy_from_slice(&self.payload_crc.to_le_bytes());
        out[40..48].copy_from_slice(&self.log_id);
        out[48..56].copy_from_slice(&self.utc_ns.to_le_bytes());
        let crc = crc32c::crc32c(&out[..60]);
        out[60..64].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads a header. Every bit counts: magic, version, bounds, flags zero, checksum.
    pub fn parse(bytes: &[u8; FRAME_HEADER_BYTES]) -> Result<Self, HeaderFault> {
        if &bytes[..8] != FRAME_MAGIC {
            return Err(HeaderFault::Magic);
        }
        if crc32c::crc32c(&bytes[..60]) != u32_at(bytes, 60) {
            return Err(HeaderFault::Crc);
        }
        let bounded = |field, value, least, bound| {
            let ok = (least..=bound).contains(&value);
            if ok { Ok(value as u32) } else { Err(HeaderFault::Field { field, value, bound }) }
        };
        bounded("version", u32_at(bytes, 8).into(), 1, FRAME_VERSION.into())?;
        bounded("flags", u32_at(bytes, 56).into(), 0, 0)?;
        let count = bounded("count", u32_at(bytes, 12).into(), 1, FRAME_ENTRIES_MAX as u64)?;
        let payload_bytes = bounded(
            "payload_len",
            u32_at(bytes, 32).into(),
            u64::from(count) * LENGTH_BYTES as u64,
            FRAME_PAYLOAD_BYTES_MAX as u64,
        )?;
        let first_index = u64_at(bytes, 16);
        if first_index > INDEX_MAX {
            let (field, bound) = ("first_index", INDEX_MAX);
            return Err(HeaderFault::Field { field, value: first_index, bound });
        }
        let mut log_id = [0; 8];
        log_id.copy_from_slice(&bytes[40..48]);
        Ok(Self {
            count,
            first_index,
            key_epoch: u64_at(bytes, 24),
            payload_bytes,
            payload_crc: u32_at(bytes, 36),
            log_id,
            utc_ns: u64_at(bytes, 48),
        })
    }

    /// The index after the frame's last entry.
    pub fn end_index(&self) -> u64 {
        self.first_index.saturating_add(self.count.into())
    }
}

/// SHA-256 over domain, header, the chain so far and the root after this frame.
pub fn frame_hash(header: &[u8; FRAME_HEADER_BYTES], prev: &Hash, root_after: &Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(FRAME_DOMAIN);
    hasher.update(header);
    hasher.update(prev);
    hasher.update(root_after);
    hasher.finalize().into()
}

/// What the next frame's `prev` must be: it covers this frame's MAC too, without its key.
pub fn chain_value(frame_hash: &Hash, mac: &Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(frame_hash);
    hasher.update(mac);
    hasher.finalize().into()
}

/// A frame's bytes, cut into their fields.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The header as it stands.
    pub header_bytes: &'a [u8; FRAME_HEADER_BYTES],
    /// The header, read.
    pub header: FrameHeader,
    /// The entries, each behind its length.
    pub payload: &'a [u8],
    /// The chain value of the frame before.
    pub prev: &'a Hash,
    /// The tree's root after this frame.
    pub root_after: &'a Hash,
    /// The frame's MAC.
    pub mac: &'a Hash,
    /// What fills up to the next multiple of 512.
    pub padding: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Cuts the bytes that start at a frame; `None` if they end before it does.
    pub fn cut(header: FrameHeader, bytes: &'a [u8]) -> Option<Self> {
        let payload_bytes = header.payload_bytes as usize;
        let bytes = bytes.get(..frame_bytes(payload_bytes))?;
        let (header_bytes, rest) = bytes.split_first_chunk()?;
        let (payload, rest) = rest.split_at_checked(payload_bytes)?;
        let (prev, rest) = rest.split_first_chunk()?;
        let (root_after, rest) = rest.split_first_chunk()?;
        let (mac, padding) = rest.split_first_chunk()?;
        Some(Self { header_bytes, header, payload, prev, root_after, mac, padding })
    }

    /// Whether the payload has the checksum that the header names.
    pub fn payload_is_whole(&self) -> bool {
        crc32c::crc32c(self.payload) == self.header.payload_crc
    }

    /// The frame's hash.
    pub fn hash(&self) -> Hash {
        frame_hash(self.header_bytes, self.prev, self.root_after)
    }

    /// How long the frame is.
    pub fn size_bytes(&self) -> usize {
        frame_bytes(self.payload.len())
    }
}

/// The entries of a payload, with their positions in it. Ends with `None` at the end of the
/// payload, or with an error where a length leads past it.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    payload: &'a [u8],
    at: usize,
}

/// The position of an entry whose length leads past the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LengthFault {
    /// Where its length field stands.
    pub offset: usize,
}

impl<'a> Entries<'a> {
    /// The entries of this payload.
    pub fn new(payload: &'a [u8]) -> Self {
        Self { payload, at: 0 }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<(usize, &'a [u8]), LengthFault>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.payload[self.at..];
        if rest.is_empty() {
            return None;
        }
        let offset = self.at;
        let entry = rest
            .split_first_chunk::<LENGTH_BYTES>()
            .and_then(|(length, rest)| rest.get(..usize::from(u16::from_be_bytes(*length))));
        let Some(entry) = entry else {
            self.at = self.payload.len();
            return Some(Err(LengthFault { offset }));
        };
        self.at += LENGTH_BYTES + entry.len();
        Some(Ok((offset + LENGTH_BYTES, entry)))
    }
}

/// The name of the segment that starts with this entry.
pub fn segment_name(first_index: u64) -> String {
    format!("{SEGMENT_DIRECTORY}/{first_index:020}.wal")
}

/// The first index in a segment's name, if it is one.
pub fn parse_segment_name(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(SEGMENT_DIRECTORY)?.strip_prefix('/')?.strip_suffix(".wal")?;
    let first = digits.parse().ok()?;
    (segment_name(first) == name).then_some(first)
}

/// Where segments stand.
pub const SEGMENT_DIRECTORY: &str = "wal";

/// A window over a file that is read front to back; its memory is bounded, whatever the file.
pub(crate) struct Window<'s> {
    name: &'s str,
    start: u64,
    bytes: Vec<u8>,
}

impl<'s> Window<'s> {
    pub(crate) fn new(name: &'s str) -> Self {
        Self { name, start: 0, bytes: Vec::new() }
    }

    /// The bytes from `offset`, `wanted` of them unless the file ends before.
    pub(crate) fn read(
        &mut self,
        storage: &dyn Storage,
        offset: u64,
        wanted: usize,
    ) -> Result<&[u8], StorageError> {
        let end = self.start + self.bytes.len() as u64;
        if offset < self.start || offset + wanted as u64 > end {
            // Keep nothing: a frame that crosses the window's end is read again, which costs one
            // copy a window.
            let ahead = wanted.max(WINDOW_BYTES);
            self.bytes.clear();
            self.bytes.resize(WINDOW_STEP_BYTES.min(ahead), 0);
            self.start = offset;
            let mut filled = 0;
            loop {
                let position = offset + filled as u64;
                let got = storage.read_at(self.name, position, &mut self.bytes[filled..])?;
                filled += got;
                if filled < self.bytes.len() || filled >= ahead {
                    break;
                }
                self.bytes.resize((filled * 2).min(ahead), 0);
            }
            self.bytes.truncate(filled);
        }
        let from = (offset - self.start) as usize;
        let to = (from + wanted).min(self.bytes.len());
        Ok(&self.bytes[from.min(to)..to])
    }

    /// The frame at an offset, or why there is none.
    pub(crate) fn frame(
        &mut self,
        storage: &dyn Storage,
        offset: u64,
    ) -> Result<Result<Frame<'_>, FrameFault>, StorageError> {
        let bytes = self.read(storage, offset, FRAME_HEADER_BYTES)?;
        let Some(header) = bytes.first_chunk::<FRAME_HEADER_BYTES>() else {
            return Ok(Err(FrameFault::Short));
        };
        let header = match FrameHeader::parse(header) {
            Ok(header) => header,
            Err(fault) => return Ok(Err(FrameFault::Header(fault))),
        };
        let bytes = self.read(storage, offset, frame_bytes(header.payload_bytes as usize))?;
        Ok(Frame::cut(header, bytes).ok_or(FrameFault::Short))
    }
}

/// Why there is no frame at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameFault {
    #[error(transparent)]
    Header(HeaderFault),
    #[error("the file ends within the frame")]
    Short,
}

/// The first offset at or after `from`, a multiple of 512, of a good header of this log with an
/// index above `above`: the mark that tells tampering from a torn tail.
pub(crate) fn find_later_frame(
    storage: &dyn Storage,
    name: &str,
    from: u64,
    size_bytes: u64,
    log_id: Option<[u8; 8]>,
    above: u64,
) -> Result<Option<(u64, FrameHeader)>, StorageError> {
    let mut window = Window::new(name);
    let align = FRAME_ALIGN_BYTES as u64;
    let mut offset = from.next_multiple_of(align);
    while offset < size_bytes {
        let bytes = window.read(storage, offset, FRAME_HEADER_BYTES)?;
        let Some(bytes) = bytes.first_chunk() else { break };
        if let Ok(header) = FrameHeader::parse(bytes)
            && header.first_index > above
            && log_id.is_none_or(|id| id == header.log_id)
        {
            return Ok(Some((offset, header)));
        }
        offset += align;
    }
    Ok(None)
}

/// The end of the last byte that is not zero, at or after `from`; `from` if all are zero.
pub(crate) fn nonzero_end(
    storage: &dyn Storage,
    name: &str,
    from: u64,
    size_bytes: u64,
) -> Result<u64, StorageError> {
    let mut window = Window::new(name);
    let (mut offset, mut end) = (from, from);
    while offset < size_bytes {
        let wanted = (size_bytes - offset).min(WINDOW_BYTES as u64) as usize;
        let bytes = window.read(storage, offset, wanted)?;
        if bytes.is_empty() {
            break;
        }
        if let Some(last) = bytes.iter().rposition(|b| *b != 0) {
            end = offset + last as u64 + 1;
        }
        offset += bytes.len() as u64;
    }
    Ok(end)
}

fn u32_at(bytes: &[u8; FRAME_HEADER_BYTES], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8; FRAME_HEADER_BYTES], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

/// Bytes of an entry's length field, big-endian as in an entry bundle.
pub(crate) const LENGTH_BYTES: usize = 2;
const FRAME_MAGIC: &[u8; 8] = b"CWTSWAL1";
const FRAME_VERSION: u32 = 1;
const FRAME_DOMAIN: &[u8] = b"cwts/wal-frame/v1\0";
/// What a window reads ahead.
const WINDOW_BYTES: usize = 1 << 20;
/// What it asks for first: a short file allocates little.
const WINDOW_STEP_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> FrameHeader {
        FrameHeader {
            count: 2,
            first_index: 7,
            key_epoch: 0,
            payload_bytes: 9,
            payload_crc: 0x1234_5678,
            log_id: *b"abcdefgh",
            utc_ns: 1_795_000_000_000_005_582,
        }
    }

    #[test]
    fn every_bit_of_a_header_counts() {
        let bytes = header().encode();
        assert_eq!(FrameHeader::parse(&bytes), Ok(header()));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(FrameHeader::parse(&flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_header_out_of_bounds_is_refused_though_its_checksum_is_right() {
        for (count, payload_bytes) in
            [(0, 9), (4097, 9000), (5, 9), (1, FRAME_PAYLOAD_BYTES_MAX as u32 + 1)]
        {
            let bytes = FrameHeader { count, payload_bytes, ..header() }.encode();
            assert!(matches!(FrameHeader::parse(&bytes), Err(HeaderFault::Field { .. })));
        }
    }

    #[test]
    fn entries_end_at_the_payload_or_name_the_bad_length() {
        let payload = [0, 2, b'a', b'b', 0, 0, 0, 1, b'c'];
        let entries: Vec<_> = Entries::new(&payload).collect();
        assert_eq!(entries, [Ok((2, &b"ab"[..])), Ok((6, &b""[..])), Ok((8, &b"c"[..]))]);
        let broken: Vec<_> = Entries::new(&payload[..8]).collect();
        assert_eq!(broken.last(), Some(&Err(LengthFault { offset: 6 })));
        assert_eq!(Entries::new(&[0]).next(), Some(Err(LengthFault { offset: 0 })));
    }

    #[test]
    fn segment_names_are_canonical() {
        assert_eq!(segment_name(7), "wal/00000000000000000007.wal");
        assert_eq!(parse_segment_name(&segment_name(u64::MAX)), Some(u64::MAX));
        for bad in ["wal/7.wal", "wal/+0000000000000000007.wal", "x/00000000000000000007.wal"] {
            assert_eq!(parse_segment_name(bad), None);
        }
    }
}
