//! Databento's DBN, schema `mbo` (market by order), versions 1 to 3.
//!
//! Source: the format's own crate, `dbn`, for the metadata, the record types and the constants, and
//! design note "replay", section 5.2. The crate's decoders pull from a reader and copy into a
//! buffer of their own; a push decoder that names the byte of an error reads the 56 bytes of a
//! record itself, whose layout is the same in versions 1 to 3 (the crate has one type for all
//! three).
//!
//! Invariant: F and T do not change a book; the C or M that follows in the same venue event does,
//! and carries [`flag::CONSEQUENCE`]. In every public file the F comes first, so no row waits.

use crate::asset::AssetClass;
use crate::decoder::{BATCH_EVENTS, Counts, Decoder, Notice};
use crate::error::{FeedError, FeedErrorKind};
use crate::event::{Event, EventKind, Names, flag};

mod filled;
mod head;
mod symbols;

use ::dbn::{UNDEF_ORDER_SIZE, UNDEF_PRICE, UNDEF_TIMESTAMP, flags, rtype};
use filled::FilledIds;
pub use filled::GROUP_FILLS_MAX;
use head::Head;
pub use head::METADATA_BYTES_MAX;
use symbols::Symbols;

/// Decodes one DBN stream, unpacked.
#[derive(Debug)]
pub struct DbnDecoder {
    /// Bytes of the head so far; `None` once records follow.
    head: Option<Head>,
    /// Bytes of an `mbo` record: 64 where the stream appends the time it was sent.
    record_bytes: usize,
    symbols: Symbols,
    /// What the metadata's dataset holds.
    asset_class: Option<AssetClass>,
    names: Names,
    counts: Counts,
    filled: FilledIds,
    offset: u64,
    last_ns: u64,
    last_recv_ns: u64,
    last_sequence: u32,
}

impl DbnDecoder {
    /// A decoder at the start of a stream.
    pub fn new() -> Self {
        Self {
            head: Some(Head::default()),
            record_bytes: MBO_BYTES,
            symbols: Symbols::default(),
            asset_class: None,
            names: Names::default(),
            counts: Counts::default(),
            filled: FilledIds::default(),
            offset: 0,
            last_ns: 0,
            last_recv_ns: 0,
            last_sequence: 0,
        }
    }

    /// Refuses a stream whose first bytes name another schema than `mbo`.
    ///
    /// # Errors
    /// `UNSUPPORTED_FORMAT`, with the schema's name.
    pub fn check_schema(head: &[u8]) -> Result<(), FeedError> {
        head::check_schema(head)
    }

    /// The receive time of the last `mbo` record.
    pub fn last_recv_ns(&self) -> u64 {
        self.last_recv_ns
    }

    /// The venue's sequence number of the last `mbo` record.
    pub fn last_sequence(&self) -> u32 {
        self.last_sequence
    }

    /// Takes bytes of the head; returns how many, and whether the head is complete.
    fn read_head(&mut self, bytes: &[u8], eof: bool) -> Result<(usize, bool), FeedError> {
        let Some(head) = &mut self.head else { return Ok((0, true)) };
        let (consumed, metadata) = head.take(bytes)?;
        if let Some(metadata) = metadata {
            self.symbols = Symbols::of(&metadata)?;
            self.asset_class = AssetClass::of_dataset(&metadata.dataset);
            self.record_bytes = MBO_BYTES + if metadata.ts_out { TS_OUT_BYTES } else { 0 };
            self.head = None;
        } else if eof {
            let detail = format!("the head ends after {} bytes", head.len());
            let offset = self.offset + consumed as u64;
            return Err(FeedError::new(FeedErrorKind::Truncated, detail).at(0, offset));
        }
        Ok((consumed, self.head.is_none()))
    }

    /// One `mbo` record; its event, unless it says that nothing happened.
    #[inline(always)]
    fn event(&mut self, record: &[u8; MBO_BYTES]) -> Result<Option<Event>, FeedError> {
        let mbo = Mbo::of(record);
        let is_last = mbo.flags & flags::LAST != 0;
        let key = u64::from(mbo.publisher) << 32 | u64::from(mbo.instrument);
        let event = match mbo.kind()? {
            Some(kind) => Some(self.event_of(kind, &mbo, key)?),
            None => None,
        };
        if is_last {
            self.filled.end(key);
        }
        self.last_recv_ns = mbo.ts_recv;
        self.last_sequence = mbo.sequence;
        Ok(event)
    }

    #[inline(always)]
    fn event_of(&mut self, kind: EventKind, mbo: &Mbo, key: u64) -> Result<Event, FeedError> {
        let mut flags = mbo.event_flags();
        match kind {
            EventKind::Fill => {
                self.filled.insert(key, mbo.order_id)?;
                flags |= flag::NO_REF;
            }
            EventKind::Reduce | EventKind::Replace if self.filled.contains(key, mbo.order_id) => {
                flags |= flag::CONSEQUENCE;
            }
            _ => {}
        }
        let mut ts_ns = mbo.ts_event;
        if ts_ns == UNDEF_TIMESTAMP {
            // What has no time of its own happened when the row before it did.
            ts_ns = self.last_ns;
            flags |= flag::BAD_TS;
        }
        // A snapshot's rows keep the time at which their order came: they are no step back.
        if flags & flag::SNAPSHOT == 0 {
            if ts_ns < self.last_ns {
                flags |= flag::TIME_BACK;
                self.counts.time_back += 1;
            }
            self.last_ns = ts_ns;
        }
        let instrument =
            self.symbols.handle(mbo.publisher, mbo.instrument, mbo.ts_recv, &mut self.names)?;
        Ok(Event {
            ts_ns,
            order_id: mbo.order_id,
            px: if flags & flag::UNDEF_PX == 0 { mbo.price } else { 0 },
            qty: mbo.qty(kind)?,
            ref_id: 0,
            src: self.counts.records,
            instrument,
            account: u32::MAX,
            strategy: u32::MAX,
            kind,
            side: mbo.side()?,
            flags,
        })
    }
}

impl Default for DbnDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder for DbnDecoder {
    fn push(&mut self, bytes: &[u8], eof: bool, out: &mut Vec<Event>) -> Result<usize, FeedError> {
        let full = out.len() + BATCH_EVENTS;
        let (mut consumed, ready) = self.read_head(bytes, eof)?;
        while ready && out.len() < full {
            let rest = &bytes[consumed..];
            let at = self.offset + consumed as u64;
            let Some(len) =
                self.record_len(rest, eof).map_err(|e| e.at(self.counts.records, at))?
            else {
                break;
            };
            match rest.first_chunk::<MBO_BYTES>() {
                Some(record) if record[1] == rtype::MBO => {
                    match self.event(record).map_err(|e| e.at(self.counts.records, at))? {
                        Some(event) => out.push(event),
                        None => self.counts.notices.add(Notice::NoFlow, 1, at),
                    }
                }
                // A message of the gateway that sent the stream, not of the market.
                _ => self.counts.notices.add(Notice::NoFlow, 1, at),
            }
            self.counts.records += 1;
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

    fn asset_class(&self) -> Option<AssetClass> {
        self.asset_class
    }
}

impl DbnDecoder {
    /// The length of the record at the front of `rest`, once all of it is there.
    #[inline(always)]
    fn record_len(&self, rest: &[u8], eof: bool) -> Result<Option<usize>, FeedError> {
        let &[words, kind, ..] = rest else {
            if eof && !rest.is_empty() {
                return Err(truncated(rest.len(), HEADER_BYTES));
            }
            return Ok(None);
        };
        let len = usize::from(words) * WORD_BYTES;
        let expected = match kind {
            rtype::MBO => len == self.record_bytes,
            rtype::ERROR | rtype::SYMBOL_MAPPING | rtype::SYSTEM => len >= HEADER_BYTES,
            _ => return Err(wrong_type(kind)),
        };
        if !expected {
            return Err(wrong_length(kind, len, self.record_bytes));
        }
        if rest.len() < len {
            return if eof { Err(truncated(rest.len(), len)) } else { Ok(None) };
        }
        Ok(Some(len))
    }
}

#[cold]
fn truncated(got: usize, len: usize) -> FeedError {
    let detail = format!("the input ends after {got} of a record's {len} bytes");
    FeedError::new(FeedErrorKind::Truncated, detail)
}

#[cold]
fn wrong_type(kind: u8) -> FeedError {
    let detail = format!(
        "record type {kind:#04x} in an mbo stream; expected {:#04x}, or a gateway's own message",
        rtype::MBO
    );
    FeedError::new(FeedErrorKind::BadKind, detail)
}

#[cold]
fn wrong_length(kind: u8, len: usize, mbo: usize) -> FeedError {
    let detail = if kind == rtype::MBO {
        format!("a record of {len} bytes; an mbo record of this stream has {mbo}")
    } else {
        format!("a record of {len} bytes; its header alone has {HEADER_BYTES}")
    };
    FeedError::new(FeedErrorKind::LengthOutOfBound, detail)
}

/// Bytes of an `mbo` record.
const MBO_BYTES: usize = size_of::<::dbn::MboMsg>();
/// Bytes of any record's header.
const HEADER_BYTES: usize = size_of::<::dbn::RecordHeader>();
/// Bytes of the time that a live gateway may append to a record.
const TS_OUT_BYTES: usize = 8;
/// A record's first byte counts words.
const WORD_BYTES: usize = 4;

/// The fields of a record that become an event.
struct Mbo {
    publisher: u16,
    instrument: u32,
    ts_event: u64,
    order_id: u64,
    price: i64,
    size: u32,
    flags: u8,
    action: u8,
    side: u8,
    ts_recv: u64,
    sequence: u32,
}

impl Mbo {
    #[inline(always)]
    fn of(record: &[u8; MBO_BYTES]) -> Self {
        Self {
            publisher: u16::from_le_bytes(part(record, 2)),
            instrument: u32::from_le_bytes(part(record, 4)),
            ts_event: u64::from_le_bytes(part(record, 8)),
            order_id: u64::from_le_bytes(part(record, 16)),
            price: i64::from_le_bytes(part(record, 24)),
            size: u32::from_le_bytes(part(record, 32)),
            flags: record[36],
            action: record[38],
            side: record[39],
            ts_recv: u64::from_le_bytes(part(record, 40)),
            sequence: u32::from_le_bytes(part(record, 52)),
        }
    }

    /// What happened; `None` for a row that only carries flags.
    #[inline(always)]
    fn kind(&self) -> Result<Option<EventKind>, FeedError> {
        Ok(Some(match self.action {
            b'A' => EventKind::Add,
            b'C' => EventKind::Reduce,
            b'F' => EventKind::Fill,
            b'M' => EventKind::Replace,
            b'R' => EventKind::Clear,
            b'T' => EventKind::Trade,
            b'N' => return Ok(None),
            action => {
                let action = action.escape_ascii();
                let detail = format!("action '{action}' is not one of A, C, F, M, N, R, T");
                return Err(FeedError::new(FeedErrorKind::BadKind, detail));
            }
        }))
    }

    #[inline(always)]
    fn side(&self) -> Result<u8, FeedError> {
        match self.side {
            b'B' => Ok(1),
            b'A' => Ok(2),
            b'N' => Ok(0),
            side => {
                let detail = format!("side '{}' is not one of A, B, N", side.escape_ascii());
                Err(FeedError::new(FeedErrorKind::BadSide, detail))
            }
        }
    }

    #[inline(always)]
    fn qty(&self, kind: EventKind) -> Result<i64, FeedError> {
        match (self.size, kind) {
            (_, EventKind::Clear) => Ok(0),
            (UNDEF_ORDER_SIZE, _) => {
                let detail = format!("size is undefined in a row of kind {kind:?}");
                Err(FeedError::new(FeedErrorKind::NullValue, detail))
            }
            (size, _) => Ok(i64::from(size)),
        }
    }

    #[inline(always)]
    fn event_flags(&self) -> u16 {
        let mut out = 0;
        for (bit, event_flag) in [
            (flags::SNAPSHOT, flag::SNAPSHOT),
            (flags::LAST, flag::EVENT_END),
            (flags::BAD_TS_RECV, flag::BAD_TS),
        ] {
            out |= if self.flags & bit == 0 { 0 } else { event_flag };
        }
        if self.price == UNDEF_PRICE { out | flag::UNDEF_PX } else { out }
    }
}

/// `N` bytes of a record; the places are constants, so no check is left at run time.
#[inline(always)]
fn part<const N: usize>(record: &[u8; MBO_BYTES], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&record[at..at + N]);
    bytes
}
