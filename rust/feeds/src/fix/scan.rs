//! FIX messages among other text: where they begin, where they end, and whether they are whole.
//!
//! Source: FIX 4.2 and 4.4, volume 1, "checksum calculation" and "message format". The checksum and
//! the body's length are those of the message as it was sent, with SOH; a log may show SOH as `|`
//! or as the two characters `^A`.
//!
//! Invariant: what is found depends on the bytes only, not on how they were cut into chunks.

use crate::decoder::{LINE_BYTES_MAX, Notice};
use memchr::memmem::Finder;

/// A longer body is refused.
pub(crate) const BODY_BYTES_MAX: usize = 65_000;

/// What stands next in the log.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    /// A whole message with the right checksum. `body`: its fields after BodyLength, each ended by
    /// SOH, without the checksum.
    Message { start: usize, end: usize, body: &'a [u8] },
    /// The start of a message that is none; look again behind `start`.
    Garbled { start: usize, notice: Notice },
    /// No message in the first `skip` bytes, and more bytes are needed for the rest.
    More { skip: usize },
}

/// Finds messages.
#[derive(Debug)]
pub(crate) struct Scanner {
    begin: Finder<'static>,
    /// A message with its delimiters as they were sent.
    sent: Vec<u8>,
}

/// How a log shows SOH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delimiter {
    Soh,
    Pipe,
    CaretA,
}

/// The start of a message: its delimiter, its body's place and length.
struct Head {
    delimiter: Delimiter,
    body_at: usize,
    body_len: usize,
}

/// Why there is no head.
enum NoHead {
    /// The bytes end before it does.
    Short,
    /// Text that only looks like one.
    Text,
    Garbled,
}

impl Scanner {
    pub(crate) fn new() -> Self {
        Self { begin: Finder::new(BEGIN), sent: Vec::new() }
    }

    /// What stands next in `bytes`; with `eof` nothing follows them.
    pub(crate) fn next<'a>(&'a mut self, bytes: &'a [u8], eof: bool) -> Found<'a> {
        let mut from = 0;
        loop {
            let Some(at) = self.begin.find(&bytes[from..]) else {
                // A begin may be cut in two.
                let kept = if eof { 0 } else { (BEGIN.len() - 1).min(bytes.len() - from) };
                return Found::More { skip: bytes.len() - kept };
            };
            let start = from + at;
            match head(&bytes[start..]) {
                Ok(head) => return self.message(bytes, start, &head, eof),
                Err(NoHead::Text) => from = start + BEGIN.len(),
                Err(NoHead::Short) if !eof => return Found::More { skip: start },
                Err(NoHead::Short | NoHead::Garbled) => {
                    return Found::Garbled { start, notice: Notice::BadLength };
                }
            }
        }
    }

    fn message<'a>(
        &'a mut self,
        bytes: &'a [u8],
        start: usize,
        head: &Head,
        eof: bool,
    ) -> Found<'a> {
        let garbled = |notice| Found::Garbled { start, notice };
        let body_at = start + head.body_at;
        let wanted = head.body_len + TRAILER_BYTES;
        let rest = &bytes[body_at..];
        // The head's own delimiters count as one byte each.
        let (text, raw_len) = match head.delimiter {
            Delimiter::Soh => (rest.get(..wanted), wanted),
            Delimiter::Pipe => {
                self.sent.clear();
                let taken = rest.get(..wanted);
                self.sent.extend(taken.unwrap_or_default().iter().map(|&byte| soh(byte)));
                (taken.map(|_| self.sent.as_slice()), wanted)
            }
            Delimiter::CaretA => {
                let raw_max = rest.len().min(LINE_BYTES_MAX - head.body_at);
                let Some(raw_len) = self.undo_carets(&rest[..raw_max], wanted) else {
                    return garbled(Notice::BadLength);
                };
                if self.sent.len() < wanted && raw_max < rest.len() {
                    return garbled(Notice::BadLength);
                }
                (self.sent.get(..wanted), raw_len)
            }
        };
        let Some(text) = text else {
            return if eof { garbled(Notice::BadLength) } else { Found::More { skip: start } };
        };
        let (body, trailer) = text.split_at(head.body_len);
        let [b'1', b'0', b'=', digits @ ..] = trailer else { return garbled(Notice::BadLength) };
        if body.last() != Some(&SOH) || !digits.iter().all(u8::is_ascii_digit) {
            return garbled(Notice::BadLength);
        }
        let told = digits.iter().fold(0, |sum, byte| sum * 10 + u32::from(byte - b'0'));
        if told != u32::from(head_sum(&bytes[start..body_at]).wrapping_add(sum(body))) {
            return garbled(Notice::BadChecksum);
        }
        Found::Message { start, end: body_at + raw_len, body }
    }

    /// Fills `sent` with up to `wanted` bytes of `raw` with `^A` as SOH; gives how many bytes of
    /// `raw` those were, or `None` for text in which too many messages begin to be one.
    ///
    /// Without that bound hostile text would begin a message of 60 kB every 20 bytes, and each
    /// would be undone to its end before its checksum can be looked at.
    fn undo_carets(&mut self, raw: &[u8], wanted: usize) -> Option<usize> {
        self.sent.clear();
        let mut at = 0;
        let mut begins = 0;
        while self.sent.len() < wanted {
            match raw[at..] {
                [b'^', b'A', ..] => {
                    self.sent.push(SOH);
                    at += 2;
                    begins += usize::from(raw[at..].starts_with(BEGIN));
                    if begins > NESTED_BEGINS_MAX {
                        return None;
                    }
                }
                // Whether an A follows is not known yet.
                [b'^'] | [] => break,
                [byte, ..] => {
                    self.sent.push(byte);
                    at += 1;
                }
            }
        }
        Some(at)
    }
}

/// `8=FIX.` or `8=FIXT.`, a version, a delimiter, `9=`, a number, the delimiter again.
fn head(bytes: &[u8]) -> Result<Head, NoHead> {
    let version_at = match bytes.get(BEGIN.len()..).unwrap_or_default() {
        [] | [b'T'] => return Err(NoHead::Short),
        [b'.', ..] => BEGIN.len() + 1,
        [b'T', b'.', ..] => BEGIN.len() + 2,
        _ => return Err(NoHead::Text),
    };
    let reach = &bytes[version_at..bytes.len().min(version_at + REACH_BYTES)];
    let is_version = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'.';
    let at = reach.iter().take_while(is_version).count();
    let Some(delimiter) = delimiter(&reach[at..]) else {
        // The bytes may end in the version, or in the middle of its delimiter.
        let is_short = reach.len() < REACH_BYTES && matches!(reach[at..], [] | [b'^']);
        return Err(if is_short { NoHead::Short } else { NoHead::Text });
    };
    let mark = delimiter.bytes();
    let rest = &bytes[version_at + at + mark.len()..];
    let number = match rest {
        [b'9', b'=', number @ ..] => number,
        [] | [b'9'] => return Err(NoHead::Short),
        _ => return Err(NoHead::Garbled),
    };
    let len = number.iter().take(LENGTH_DIGITS).take_while(|byte| byte.is_ascii_digit()).count();
    let behind = &number[len..];
    if !behind.starts_with(mark) {
        // What is there so far may be the start of the delimiter.
        return Err(if mark.starts_with(behind) { NoHead::Short } else { NoHead::Garbled });
    }
    let body_len = number[..len].iter().fold(0, |sum, byte| sum * 10 + usize::from(byte - b'0'));
    if len == 0 || body_len == 0 || body_len > BODY_BYTES_MAX {
        return Err(NoHead::Garbled);
    }
    let body_at = bytes.len() - behind.len() + mark.len();
    Ok(Head { delimiter, body_at, body_len })
}

/// The delimiter at the front of `bytes`.
fn delimiter(bytes: &[u8]) -> Option<Delimiter> {
    match bytes {
        [SOH, ..] => Some(Delimiter::Soh),
        [b'|', ..] => Some(Delimiter::Pipe),
        [b'^', b'A', ..] => Some(Delimiter::CaretA),
        _ => None,
    }
}

impl Delimiter {
    fn bytes(self) -> &'static [u8] {
        match self {
            Self::Soh => &[SOH],
            Self::Pipe => b"|",
            Self::CaretA => b"^A",
        }
    }
}

fn soh(byte: u8) -> u8 {
    if byte == b'|' { SOH } else { byte }
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// The sum of a head with its two delimiters as SOH.
fn head_sum(head: &[u8]) -> u8 {
    let plain = head.iter().filter(|byte| !matches!(**byte, b'|' | b'^' | b'A' | SOH));
    plain.fold(2 * SOH, |sum, byte| sum.wrapping_add(*byte))
}

/// Whether `head` holds the start of a message, for the sniffer.
pub(crate) fn is_log(bytes: &[u8]) -> bool {
    memchr::memmem::find_iter(bytes, BEGIN).any(|at| {
        let rest = &bytes[at + BEGIN.len()..];
        let ([b'.', rest @ ..] | [b'T', b'.', rest @ ..]) = rest else { return false };
        let reach = &rest[..rest.len().min(REACH_BYTES)];
        [&b"\x019="[..], b"|9=", b"^A9="]
            .iter()
            .any(|mark| memchr::memmem::find(reach, mark).is_some())
    })
}

const BEGIN: &[u8] = b"8=FIX";
pub(crate) const SOH: u8 = 1;
/// Messages that may stand within the fields of one, where a log shows SOH as `^A`.
pub(crate) const NESTED_BEGINS_MAX: usize = 4;
/// `10=` and three digits.
const TRAILER_BYTES: usize = 6;
/// Bytes after `8=FIX.` within which the version ends.
const REACH_BYTES: usize = 32;
/// Digits of a body's length at most.
const LENGTH_DIGITS: usize = 6;
