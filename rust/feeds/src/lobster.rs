//! LOBSTER message files: time, type, order id, size, price x 10^4, direction.
//!
//! Source: the format's own readme (types 1 to 5 and 7) and design note "replay", section 5.1.
//! Type 6 (cross) is described for newer files only; no public sample holds one.
//!
//! Two readers of one row: `usual_event` takes the shape that almost every row has and gives up on
//! anything else, `slow_row` takes every legal shape and words the error. Property tests hold
//! them to the same answer.

use crate::decimal::{DAY_NS, NS_PER_S, day_ns, scaled, unsigned};
use crate::decoder::{BATCH_EVENTS, Counts, Decoder, LINE_BYTES_MAX};
use crate::error::{FeedError, FeedErrorKind, shown};
use crate::event::{Event, EventKind, Names, flag};
use crate::words::BYTE_ORDER_MARK;

mod usual;
use usual::usual_event;

/// Decodes the message file of one symbol and one day.
#[derive(Debug)]
pub struct LobsterDecoder {
    base_ns: u64,
    names: Names,
    counts: Counts,
    offset: u64,
    last_ns: u64,
    at_start: bool,
    /// A blank line was met: only blank lines may follow.
    ended: bool,
}

impl LobsterDecoder {
    /// `base_ns` is the file's midnight in epoch nanoseconds; the file does not know its own day.
    pub fn new(base_ns: u64, symbol: &str) -> Self {
        let names = Names { instruments: vec![symbol.to_owned()], ..Names::default() };
        let counts = Counts::default();
        Self { base_ns, names, counts, offset: 0, last_ns: 0, at_start: true, ended: false }
    }

    fn at(&self, error: FeedError, consumed: usize) -> FeedError {
        error.at(self.counts.records, self.offset + consumed as u64)
    }

    /// Appends the events of usual rows from `at` on, until `full`; gives the place of the first
    /// row that is another one.
    ///
    /// A function of its own, because this loop needs every register that there is.
    #[inline(never)]
    fn usual_rows(
        &mut self,
        bytes: &[u8],
        mut at: usize,
        full: usize,
        out: &mut Vec<Event>,
    ) -> usize {
        let (base_ns, mut counts, mut last_ns) = (self.base_ns, self.counts, self.last_ns);
        while out.len() < full
            && let Some((event, len)) = usual_event(bytes, at, base_ns)
        {
            out.push(placed(event, &mut counts, &mut last_ns));
            at += len;
        }
        (self.counts, self.last_ns) = (counts, last_ns);
        at
    }

    /// One line without its newline: a header, a blank, or a row.
    fn line(&mut self, line: &[u8], out: &mut Vec<Event>) -> Result<(), FeedError> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let at_start = std::mem::replace(&mut self.at_start, false);
        let line = if at_start { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line) } else { line };
        if at_start && is_header(line) {
            return Ok(());
        }
        if line.is_empty() {
            self.ended = true;
            return Ok(());
        }
        if self.ended {
            let detail = "a row after a blank line; blank lines may stand at the end only";
            return Err(FeedError::new(FeedErrorKind::BadFieldCount, detail));
        }
        let event = slow_row(line)?.event(self.base_ns)?;
        out.push(placed(event, &mut self.counts, &mut self.last_ns));
        Ok(())
    }
}

impl Decoder for LobsterDecoder {
    fn push(&mut self, bytes: &[u8], eof: bool, out: &mut Vec<Event>) -> Result<usize, FeedError> {
        let full = out.len() + BATCH_EVENTS;
        out.reserve(BATCH_EVENTS);
        let mut consumed = 0;
        while out.len() < full {
            // These take complete lines only, so a chunk's end never splits a number.
            if !self.at_start && !self.ended {
                consumed = self.usual_rows(bytes, consumed, full, out);
                if out.len() == full {
                    break;
                }
            }
            let rest = &bytes[consumed..];
            let bounded = &rest[..rest.len().min(LINE_BYTES_MAX + 1)];
            let (line, len) = match memchr::memchr(b'\n', bounded) {
                Some(end) => (&rest[..end], end + 1),
                None if bounded.len() > LINE_BYTES_MAX => {
                    let detail = format!("a line of more than {LINE_BYTES_MAX} bytes");
                    let error = FeedError::new(FeedErrorKind::LineTooLong, detail);
                    return Err(self.at(error, consumed));
                }
                None if eof && !rest.is_empty() => (rest, rest.len()),
                None => break,
            };
            self.line(line, out).map_err(|error| self.at(error, consumed))?;
            consumed += len;
        }
        self.offset += consumed as u64;
        Ok(consumed)
    }

    fn names(&self) -> &Names {
        &self.names
    }

    fn counts(&self) -> Counts {
        self.counts
    }
}

/// The event with its place in the file, and whether its time steps back.
#[inline(always)]
fn placed(mut event: Event, counts: &mut Counts, last_ns: &mut u64) -> Event {
    event.src = counts.records;
    let back = event.ts_ns < *last_ns;
    event.flags |= if back { flag::TIME_BACK } else { 0 };
    counts.time_back += u64::from(back);
    counts.records += 1;
    *last_ns = event.ts_ns;
    event
}

/// A header line, as some distributors of the samples add it.
pub(crate) fn is_header(line: &[u8]) -> bool {
    line.get(..HEADER_START.len()).is_some_and(|start| start.eq_ignore_ascii_case(HEADER_START))
}

/// Whether `line` is a row of a message file, for the sniffer.
pub(crate) fn is_row(line: &[u8]) -> bool {
    slow_row(line).is_ok_and(|row| (1..=7).contains(&row.code))
}

const HEADER_START: &[u8] = b"time,type,order";
/// 10^-4 currency units to 10^-9.
const PRICE_FACTOR: i64 = 100_000;
/// What types 1 to 6 are, and the bits of their id that count: a print names no visible order, its
/// id column holds 0 or -1. A table and no match: types follow each other in no order that a
/// processor could learn.
const KINDS: [(EventKind, u16, u64); 6] = [
    (EventKind::Add, 0, u64::MAX),
    (EventKind::Reduce, 0, u64::MAX),
    (EventKind::Delete, 0, u64::MAX),
    (EventKind::Fill, 0, u64::MAX),
    (EventKind::Trade, flag::HIDDEN, 0),
    (EventKind::Cross, 0, 0),
];
/// The handle of a name that the format does not have.
const NO_HANDLE: u32 = u32::MAX;
/// The type of a row that carries a trading state.
const STATE: u64 = 7;

/// A row's six numbers, before they mean anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    day_ns: u64,
    code: u64,
    id: i64,
    size: i64,
    price: i64,
    buy: bool,
}

impl Row {
    fn event(self, base_ns: u64) -> Result<Event, FeedError> {
        let Some(&(kind, flags, id_bits)) = KINDS.get(self.code.wrapping_sub(1) as usize) else {
            return if self.code == STATE { self.state(base_ns) } else { Err(bad_type(self.code)) };
        };
        // Where the id says nothing it may be negative.
        let id = if id_bits == 0 { 0 } else { self.id };
        let order_id = u64::try_from(id).map_err(|_| out_of_range("order id", id))?;
        let px = self.price.checked_mul(PRICE_FACTOR);
        Ok(Event {
            ts_ns: self.ts_ns(base_ns)?,
            order_id,
            px: px.ok_or_else(|| out_of_range("price", self.price))?,
            qty: self.size,
            ref_id: 0,
            src: 0,
            instrument: 0,
            account: NO_HANDLE,
            strategy: NO_HANDLE,
            kind,
            side: if self.buy { 1 } else { 2 },
            flags,
        })
    }

    /// A halt indicator: its price column is a code.
    #[cold]
    fn state(self, base_ns: u64) -> Result<Event, FeedError> {
        let qty = match self.price {
            0 | 1 => self.price,
            -1 => 2,
            price => {
                let detail = format!("trading state {price} is not -1, 0 or 1");
                return Err(FeedError::new(FeedErrorKind::BadKind, detail));
            }
        };
        Ok(Event {
            ts_ns: self.ts_ns(base_ns)?,
            order_id: 0,
            px: 0,
            qty,
            ref_id: 0,
            src: 0,
            instrument: 0,
            account: NO_HANDLE,
            strategy: NO_HANDLE,
            kind: EventKind::State,
            side: 0,
            flags: flag::UNDEF_PX,
        })
    }

    fn ts_ns(self, base_ns: u64) -> Result<u64, FeedError> {
        base_ns.checked_add(self.day_ns).ok_or_else(|| {
            let detail = format!("midnight {base_ns} ns plus {} ns exceeds 64 bits", self.day_ns);
            FeedError::new(FeedErrorKind::BadTime, detail)
        })
    }
}

#[cold]
fn bad_type(code: u64) -> FeedError {
    FeedError::new(FeedErrorKind::BadKind, format!("type {code} is not in 1..=7"))
}

#[cold]
fn out_of_range(field: &str, value: i64) -> FeedError {
    FeedError::new(FeedErrorKind::NumberOutOfRange, format!("{field} {value} is out of range"))
}

/// Every legal shape of a row, and the words for the others.
fn slow_row(line: &[u8]) -> Result<Row, FeedError> {
    let mut fields = [&[][..]; FIELDS];
    let mut count = 0;
    for field in line.split(|&byte| byte == b',') {
        if let Some(slot) = fields.get_mut(count) {
            *slot = field;
        }
        count += 1;
    }
    if count != FIELDS {
        let detail = format!("{count} fields in {}; expected {FIELDS}", shown(line));
        return Err(FeedError::new(FeedErrorKind::BadFieldCount, detail));
    }
    let [time, code, id, size, price, direction] = fields;
    let size = match scaled(size, 0, "size")? {
        size if size >= 0 => size,
        size => return Err(out_of_range("size", size)),
    };
    let buy = match direction {
        b"1" => true,
        b"-1" => false,
        _ => {
            let detail = format!("direction {} is not 1 or -1", shown(direction));
            return Err(FeedError::new(FeedErrorKind::BadSide, detail));
        }
    };
    Ok(Row {
        day_ns: day_ns(time, "time")?,
        code: unsigned(code, "type")?,
        id: scaled(id, 0, "order id")?,
        size,
        price: scaled(price, 0, "price")?,
        buy,
    })
}

const FIELDS: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(text: &[u8]) -> (Vec<Event>, Option<FeedError>) {
        let mut decoder = LobsterDecoder::new(0, "TEST");
        let mut out = Vec::new();
        let mut at = 0;
        loop {
            let before = out.len();
            match decoder.push(&text[at..], true, &mut out) {
                Err(error) => return (out, Some(error)),
                Ok(consumed) if consumed == 0 && out.len() == before => return (out, None),
                Ok(consumed) => at += consumed,
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn any_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            decode(&bytes);
        }

        #[test]
        fn nearly_rows_do_not_panic(text in "[-0-9.,\r\n]{0,200}") {
            decode(text.as_bytes());
        }
    }

    #[test]
    fn every_type_has_its_kind() {
        let text = b"1.000000001,1,11,5,1000000,1\n2,2,11,1,1000000,1\n3,4,11,1,1000000,1\n\
            4,3,11,3,1000000,1\n5,5,0,7,1000100,-1\n6,6,-1,9,1000200,-1\n7,7,0,0,-1,-1\n\
            8,7,0,0,0,-1\n9,7,0,0,1,-1\n8.5,1,12,5,999900,-1\n";
        let (events, error) = decode(text);
        assert_eq!(error, None);
        let kinds: Vec<_> = events.iter().map(|event| event.kind as u8).collect();
        assert_eq!(kinds, [1, 2, 4, 3, 5, 11, 7, 7, 7, 1]);
        assert_eq!(events[0].ts_ns, 1_000_000_001);
        assert_eq!((events[0].px, events[0].qty, events[0].side), (100_000_000_000, 5, 1));
        assert_eq!((events[4].order_id, events[4].flags), (0, flag::HIDDEN));
        assert_eq!(events[5].order_id, 0);
        let states: Vec<_> = events[6..9].iter().map(|event| event.qty).collect();
        assert_eq!(states, [2, 0, 1]);
        assert!(events[6..9].iter().all(|event| event.flags == flag::UNDEF_PX && event.px == 0));
        assert_eq!((events[9].flags, events[9].src, events[9].side), (flag::TIME_BACK, 9, 2));
        assert!(events.iter().all(|event| event.account == u32::MAX && event.instrument == 0));
    }

    #[test]
    fn header_crlf_and_the_last_line_are_free() {
        let rows = "1.5,1,11,5,1000000,1\n2.5,3,11,5,1000000,1\n";
        let plain = decode(rows.as_bytes());
        assert_eq!(plain.0.len(), 2);
        let header = "Time,Type,OrderId,Size,Price,Direction\n";
        let variants = [
            rows.trim_end().to_owned(),
            rows.replace('\n', "\r\n"),
            format!("{header}{rows}\n\r\n\n"),
            format!("\u{feff}{}{rows}", header.to_uppercase()),
        ];
        for text in variants {
            assert_eq!(decode(text.as_bytes()), plain, "{text:?}");
        }
    }

    #[test]
    fn errors_name_record_and_byte() {
        let good = "1.5,1,11,5,1000000,1\n";
        let cases = [
            ("1.5,1,11,5,1000000", FeedErrorKind::BadFieldCount),
            ("1.5,1,11,5,1000000,1,", FeedErrorKind::BadFieldCount),
            ("86400,1,11,5,1000000,1", FeedErrorKind::BadTime),
            ("1.5,8,11,5,1000000,1", FeedErrorKind::BadKind),
            ("1.5,7,0,0,5,-1", FeedErrorKind::BadKind),
            ("1.5,1,-1,5,1000000,1", FeedErrorKind::NumberOutOfRange),
            ("1.5,1,11,-5,1000000,1", FeedErrorKind::NumberOutOfRange),
            ("1.5,1,11,5,9223372036854775807,1", FeedErrorKind::NumberOutOfRange),
            ("1.5,1,11,5,100.5,1", FeedErrorKind::TooFine),
            ("1.5,1,11,5,1000000,0", FeedErrorKind::BadSide),
            ("1.5,1,x,5,1000000,1", FeedErrorKind::BadNumber),
        ];
        for (bad, kind) in cases {
            let (events, error) = decode(format!("{good}{good}{bad}\n{good}").as_bytes());
            let error = error.expect(bad);
            assert_eq!((events.len(), error.kind), (2, kind), "{bad}: {error}");
            assert_eq!((error.record, error.offset), (2, 2 * good.len() as u64), "{bad}");
        }
        let (_, error) = decode(format!("{good}\n{good}").as_bytes());
        assert_eq!(error.map(|error| error.kind), Some(FeedErrorKind::BadFieldCount));
    }

    #[test]
    fn an_endless_line_is_refused_at_the_bound() {
        let mut decoder = LobsterDecoder::new(0, "TEST");
        let mut out = Vec::new();
        assert_eq!(decoder.push(&vec![b'7'; LINE_BYTES_MAX], false, &mut out), Ok(0));
        let error = decoder.push(&vec![b'7'; LINE_BYTES_MAX + 1], false, &mut out).unwrap_err();
        assert_eq!(error.kind, FeedErrorKind::LineTooLong);
    }
}
