//! The one member of a zip archive, read forward.
//!
//! Source: PKWARE APPNOTE 6.3.10, sections 4.3 to 4.5. Stored and deflate only; encryption, a
//! second member and a checksum that differs are refused.

use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use std::io::{self, BufRead, Read};

/// A reader of the member's bytes.
pub(super) struct ZipMember<R> {
    state: State<R>,
    crc: Crc,
    total: u64,
    /// From the local header; None when a data descriptor follows the member instead.
    expected: Option<Expected>,
}

impl<R: BufRead> ZipMember<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { state: State::Header(reader), crc: Crc::new(), total: 0, expected: None }
    }

    pub(super) fn source(&self) -> &R {
        match &self.state {
            State::Header(reader) | State::Done(reader) => reader,
            State::Deflated(decoder) => decoder.get_ref(),
            State::Stored(reader) => reader.get_ref(),
            State::Moving => unreachable!("a state is always put back"),
        }
    }

    fn step(&mut self, state: State<R>, space: &mut [u8]) -> (State<R>, io::Result<usize>) {
        match state {
            State::Header(mut reader) => match Local::read(&mut reader) {
                Ok(local) => {
                    self.expected = local.expected;
                    let next = match local.stored_bytes {
                        Some(size) => State::Stored(reader.take(size)),
                        None => State::Deflated(DeflateDecoder::new(reader)),
                    };
                    self.step(next, space)
                }
                Err(error) => (State::Header(reader), Err(error)),
            },
            State::Deflated(mut decoder) => match decoder.read(space) {
                Ok(0) if !space.is_empty() => {
                    let (size, packed) = (decoder.total_out(), decoder.total_in());
                    let mut reader = decoder.into_inner();
                    let end = self.check_end(&mut reader, size, packed);
                    (State::Done(reader), end.map(|()| 0))
                }
                other => (State::Deflated(decoder), other),
            },
            State::Stored(mut reader) => match reader.read(space) {
                Ok(0) if !space.is_empty() => {
                    let missing = reader.limit();
                    let mut reader = reader.into_inner();
                    let end = if missing > 0 {
                        Err(io::ErrorKind::UnexpectedEof.into())
                    } else {
                        self.check_end(&mut reader, self.total, self.total)
                    };
                    (State::Done(reader), end.map(|()| 0))
                }
                other => (State::Stored(reader), other),
            },
            State::Done(reader) => (State::Done(reader), Ok(0)),
            State::Moving => unreachable!("a state is always put back"),
        }
    }

    /// Checksum, sizes, and that the archive's directory follows rather than a second member.
    fn check_end(&self, reader: &mut R, size: u64, packed: u64) -> io::Result<()> {
        let mut signature = word(reader)?;
        let expected = match self.expected {
            Some(expected) => expected,
            None => {
                // The descriptor's own signature is optional.
                let crc = if signature == DESCRIPTOR { word(reader)? } else { signature };
                let low = word(reader)?;
                let second = word(reader)?;
                // 32-bit sizes, or 64-bit ones of which these are the halves of the first.
                let expected = if u64::from(low) == packed && u64::from(second) == size {
                    Expected { crc, size: u64::from(second) }
                } else {
                    let (low, high) = (word(reader)?, word(reader)?);
                    Expected { crc, size: u64::from(low) | u64::from(high) << 32 }
                };
                signature = word(reader)?;
                expected
            }
        };
        if expected.crc != self.crc.sum() || expected.size != size {
            return Err(invalid("the member's checksum or size differs"));
        }
        match signature {
            DIRECTORY => {}
            LOCAL => return Err(invalid("a second member; an archive of one is expected")),
            _ => return Err(invalid("no directory after the member")),
        }
        // The directory is bounded by its own file: read to the end so that a cut is noticed.
        let mut tail = Vec::new();
        reader.by_ref().take(DIRECTORY_BYTES_MAX).read_to_end(&mut tail)?;
        if memchr::memmem::find(&tail, b"PK\x05\x06").is_none_or(|at| at + 22 > tail.len()) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

impl<R: BufRead> Read for ZipMember<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let state = std::mem::replace(&mut self.state, State::Moving);
        let (state, result) = self.step(state, space);
        self.state = state;
        if let Ok(count) = result {
            self.crc.update(&space[..count]);
            self.total += count as u64;
        }
        result
    }
}

enum State<R> {
    Header(R),
    Deflated(DeflateDecoder<R>),
    Stored(io::Take<R>),
    Done(R),
    /// Stands in while `step` owns the state.
    Moving,
}

#[derive(Clone, Copy)]
struct Expected {
    crc: u32,
    size: u64,
}

struct Local {
    expected: Option<Expected>,
    /// The size of a stored member; None when it is deflated.
    stored_bytes: Option<u64>,
}

impl Local {
    fn read(reader: &mut impl Read) -> io::Result<Self> {
        let mut head = [0; 30];
        reader.read_exact(&mut head)?;
        let half = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
        let full = |at: usize| u32::from(half(at)) | u32::from(half(at + 2)) << 16;
        let (flags, method, crc) = (half(6), half(8), full(14));
        let (mut packed, mut size) = (u64::from(full(18)), u64::from(full(22)));
        // The name and the extra field: 64 KiB each at most, by their two-byte lengths.
        let mut name = vec![0; usize::from(half(26))];
        reader.read_exact(&mut name)?;
        let mut extra = vec![0; usize::from(half(28))];
        reader.read_exact(&mut extra)?;
        if flags & ENCRYPTED != 0 {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "the member is encrypted"));
        }
        if name.ends_with(b"/") {
            return Err(invalid("the member is a folder"));
        }
        if size == u64::from(u32::MAX) || packed == u64::from(u32::MAX) {
            (size, packed) = zip64_sizes(&extra).ok_or_else(|| invalid("no zip64 sizes"))?;
        }
        let described_later = flags & DESCRIPTOR_FOLLOWS != 0;
        let expected = (!described_later).then_some(Expected { crc, size });
        match method {
            0 if described_later => Err(invalid("a stored member without its size")),
            0 => Ok(Self { expected, stored_bytes: Some(packed) }),
            8 => Ok(Self { expected, stored_bytes: None }),
            _ => {
                let detail = format!("compression method {method} is neither stored nor deflate");
                Err(io::Error::new(io::ErrorKind::Unsupported, detail))
            }
        }
    }
}

/// Sizes from the extra field 0x0001: original, then compressed.
fn zip64_sizes(extra: &[u8]) -> Option<(u64, u64)> {
    let mut rest = extra;
    while let [a, b, c, d, tail @ ..] = rest {
        let len = usize::from(u16::from_le_bytes([*c, *d]));
        let (body, next) = tail.split_at_checked(len)?;
        if u16::from_le_bytes([*a, *b]) == 1 {
            let size = u64::from_le_bytes(body.get(..8)?.try_into().ok()?);
            let packed = u64::from_le_bytes(body.get(8..16)?.try_into().ok()?);
            return Some((size, packed));
        }
        rest = next;
    }
    None
}

fn word(reader: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    reader.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

fn invalid(detail: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, detail)
}

const LOCAL: u32 = 0x0403_4b50;
const DIRECTORY: u32 = 0x0201_4b50;
const DESCRIPTOR: u32 = 0x0807_4b50;
const ENCRYPTED: u16 = 1;
const DESCRIPTOR_FOLLOWS: u16 = 8;
/// One entry with its longest name, extra field and comment, and the end records.
const DIRECTORY_BYTES_MAX: u64 = 512 << 10;
