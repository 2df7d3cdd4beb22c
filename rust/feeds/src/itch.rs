//! NASDAQ TotalView-ITCH 5.0: frames of a 2-byte length and a message, as in NASDAQ's daily files.
//!
//! Source: the format's specification and design note "replay", section 5.3. An execution names no
//! price, so the decoder keeps what rests: at most [`LIVE_ORDERS_MAX`] orders, 24 bytes each.
//!
//! Invariant: a record is a message, so an event's `src` counts those that give none too. A row on
//! an order that does not rest is passed on as it came, with side 0: who folds events counts it.

mod stocks;
pub(crate) mod wire;
mod write;

pub(crate) use wire::starts_with_frames;
pub use write::ItchWriter;

use crate::decimal::DAY_NS;
use crate::decoder::{BATCH_EVENTS, Counts, Decoder, LIVE_ORDERS_MAX, Notice};
use crate::error::{FeedError, FeedErrorKind, shown};
use crate::event::{Event, EventKind, Names, flag};
use rustc_hash::FxHashMap;
use stocks::Stocks;
use wire::{PRICE_FACTOR, day_ns, locate, u32_at, u64_at};

/// Decodes the messages of one day.
#[derive(Debug)]
pub struct ItchDecoder {
    base_ns: u64,
    live_max: usize,
    live: FxHashMap<u64, Resting>,
    stocks: Stocks,
    counts: Counts,
    offset: u64,
    last_ns: u64,
    /// The end of messages was met.
    is_whole: bool,
    /// A frame of length 0 was met: what follows is not read.
    ended: bool,
}

/// What an execution, a reduction or a replace must know of its order.
#[derive(Debug, Clone, Copy)]
struct Resting {
    price: u32,
    shares: u32,
    instrument: u32,
    side: u8,
}

impl ItchDecoder {
    /// `base_ns` is the day's midnight in epoch nanoseconds; the messages do not know their day.
    pub fn new(base_ns: u64) -> Self {
        Self {
            base_ns,
            live_max: LIVE_ORDERS_MAX,
            live: FxHashMap::default(),
            stocks: Stocks::new(),
            counts: Counts::default(),
            offset: 0,
            last_ns: 0,
            is_whole: false,
            ended: false,
        }
    }

    /// With another bound on live orders than [`LIVE_ORDERS_MAX`].
    #[must_use]
    pub fn with_live_max(mut self, live_max: usize) -> Self {
        self.live_max = live_max;
        self
    }

    fn at(&self, error: FeedError, consumed: usize) -> FeedError {
        error.at(self.counts.records, self.offset + consumed as u64)
    }

    /// One message without its length.
    #[inline(always)]
    fn message(
        &mut self,
        bytes: &[u8],
        consumed: usize,
        out: &mut Vec<Event>,
    ) -> Result<(), FeedError> {
        let kind = bytes.first().copied().unwrap_or(0);
        let size = usize::from(wire::SIZES[usize::from(kind)]);
        if size != bytes.len() {
            return self.odd_size(kind, size, bytes.len(), consumed);
        }
        let event = match kind {
            b'A' | b'F' => self.add(fixed::<36>(bytes)?)?,
            b'E' => self.executed(fixed::<31>(bytes)?)?,
            b'D' => self.delete(fixed::<19>(bytes)?)?,
            b'X' => self.reduce(fixed::<23>(bytes)?)?,
            b'U' => self.replace(fixed::<35>(bytes)?)?,
            b'P' => self.print(fixed::<44>(bytes)?)?,
            b'C' => self.executed_at(fixed::<36>(bytes)?)?,
            _ => {
                let Some(event) = self.seldom(kind, bytes, consumed)? else { return Ok(()) };
                event
            }
        };
        self.append(event, out);
        Ok(())
    }

    #[inline(always)]
    fn append(&mut self, mut event: Event, out: &mut Vec<Event>) {
        if event.ts_ns < self.last_ns {
            event.flags |= flag::TIME_BACK;
            self.counts.time_back += 1;
        }
        self.last_ns = event.ts_ns;
        out.push(event);
    }

    #[inline(always)]
    fn event<const N: usize>(
        &self,
        message: &[u8; N],
        kind: EventKind,
        instrument: u32,
    ) -> Result<Event, FeedError> {
        let ns = day_ns(message);
        let ts_ns = self.base_ns.checked_add(ns).filter(|_| ns < DAY_NS);
        Ok(Event {
            ts_ns: ts_ns.ok_or_else(|| bad_time(self.base_ns, ns))?,
            order_id: 0,
            px: 0,
            qty: 0,
            ref_id: 0,
            src: self.counts.records,
            instrument,
            account: u32::MAX,
            strategy: u32::MAX,
            kind,
            side: 0,
            flags: 0,
        })
    }

    #[inline(always)]
    fn add(&mut self, message: &[u8; 36]) -> Result<Event, FeedError> {
        let instrument = self.stocks.named(locate(message), u64_at(message, 24))?;
        let mut event = self.event(message, EventKind::Add, instrument)?;
        let (price, shares) = (u32_at(message, 32), u32_at(message, 20));
        let side = side(message[19])?;
        event.order_id = u64_at(message, 11);
        self.rest(event.order_id, Resting { price, shares, instrument, side })?;
        event.px = i64::from(price) * PRICE_FACTOR;
        event.qty = i64::from(shares);
        event.side = side;
        Ok(event)
    }

    /// An execution at the price of the resting order.
    #[inline(always)]
    fn executed(&mut self, message: &[u8; 31]) -> Result<Event, FeedError> {
        let (id, shares) = (u64_at(message, 11), u32_at(message, 19));
        let found = self.take(id, shares);
        let instrument = self.of_order(found, locate(message))?;
        let mut event = self.event(message, EventKind::Fill, instrument)?;
        event.order_id = id;
        event.qty = i64::from(shares);
        event.ref_id = u64_at(message, 23);
        event.of(found);
        if found.is_none() {
            event.flags |= flag::NO_REF;
        }
        Ok(event)
    }

    /// An execution at a price of its own.
    fn executed_at(&mut self, message: &[u8; 36]) -> Result<Event, FeedError> {
        let (id, shares) = (u64_at(message, 11), u32_at(message, 19));
        let flags = match message[31] {
            b'Y' => 0,
            b'N' => flag::NO_REF,
            other => return Err(bad_byte("printable", other, "Y or N", FeedErrorKind::BadFlags)),
        };
        let found = self.take(id, shares);
        let instrument = self.of_order(found, locate(message))?;
        let mut event = self.event(message, EventKind::Fill, instrument)?;
        event.order_id = id;
        event.px = i64::from(u32_at(message, 32)) * PRICE_FACTOR;
        event.qty = i64::from(shares);
        event.ref_id = u64_at(message, 23);
        event.side = found.map_or(0, |order| order.side);
        event.flags = flags;
        Ok(event)
    }

    #[inline(always)]
    fn reduce(&mut self, message: &[u8; 23]) -> Result<Event, FeedError> {
        let (id, shares) = (u64_at(message, 11), u32_at(message, 19));
        let found = self.take(id, shares);
        let instrument = self.of_order(found, locate(message))?;
        let mut event = self.event(message, EventKind::Reduce, instrument)?;
        event.order_id = id;
        event.qty = i64::from(shares);
        event.of(found);
        Ok(event)
    }

    #[inline(always)]
    fn delete(&mut self, message: &[u8; 19]) -> Result<Event, FeedError> {
        let id = u64_at(message, 11);
        let found = self.live.remove(&id);
        let instrument = self.of_order(found, locate(message))?;
        let mut event = self.event(message, EventKind::Delete, instrument)?;
        event.order_id = id;
        event.qty = found.map_or(0, |order| i64::from(order.shares));
        event.of(found);
        Ok(event)
    }

    #[inline(always)]
    fn replace(&mut self, message: &[u8; 35]) -> Result<Event, FeedError> {
        let (old, id) = (u64_at(message, 11), u64_at(message, 19));
        let (shares, price) = (u32_at(message, 27), u32_at(message, 31));
        let found = self.live.remove(&old);
        let instrument = self.of_order(found, locate(message))?;
        let side = found.map_or(0, |order| order.side);
        let mut event = self.event(message, EventKind::Replace, instrument)?;
        self.rest(id, Resting { price, shares, instrument, side })?;
        event.order_id = id;
        event.px = i64::from(price) * PRICE_FACTOR;
        event.qty = i64::from(shares);
        event.ref_id = old;
        event.side = side;
        Ok(event)
    }

    /// An execution of an order that the book does not show.
    #[inline(always)]
    fn print(&mut self, message: &[u8; 44]) -> Result<Event, FeedError> {
        let instrument = self.stocks.named(locate(message), u64_at(message, 24))?;
        let mut event = self.event(message, EventKind::Trade, instrument)?;
        event.order_id = u64_at(message, 11);
        event.side = side(message[19])?;
        event.qty = i64::from(u32_at(message, 20));
        event.px = i64::from(u32_at(message, 32)) * PRICE_FACTOR;
        event.ref_id = u64_at(message, 36);
        event.flags = flag::HIDDEN;
        Ok(event)
    }

    /// The types that are few in a day, and those that carry no order flow.
    #[cold]
    fn seldom(
        &mut self,
        kind: u8,
        bytes: &[u8],
        consumed: usize,
    ) -> Result<Option<Event>, FeedError> {
        let offset = self.offset + consumed as u64;
        match kind {
            b'Q' => self.cross(fixed::<40>(bytes)?).map(Some),
            b'H' => self.state(fixed::<25>(bytes)?).map(Some),
            b'R' => {
                let message = fixed::<39>(bytes)?;
                self.stocks.announce(locate(message), u64_at(message, 11))?;
                self.counts.notices.add(Notice::NoFlow, 1, offset);
                Ok(None)
            }
            b'B' => {
                self.counts.notices.add(Notice::BrokenTrade, 1, offset);
                Ok(None)
            }
            _ => {
                // Venues go on sending after the end of system hours; this is the last of all.
                self.is_whole |= kind == b'S' && bytes.last() == Some(&b'C');
                self.counts.notices.add(Notice::NoFlow, 1, offset);
                Ok(None)
            }
        }
    }

    fn cross(&mut self, message: &[u8; 40]) -> Result<Event, FeedError> {
        let instrument = self.stocks.named(locate(message), u64_at(message, 19))?;
        let mut event = self.event(message, EventKind::Cross, instrument)?;
        let shares = u64_at(message, 11);
        event.qty = i64::try_from(shares).map_err(|_| {
            let detail = format!("shares {shares} of a cross exceed {}", i64::MAX);
            FeedError::new(FeedErrorKind::NumberOutOfRange, detail)
        })?;
        event.px = i64::from(u32_at(message, 27)) * PRICE_FACTOR;
        event.ref_id = u64_at(message, 31);
        // A cross that did not take place is told with no shares, and often with no price.
        event.flags = if shares == 0 { flag::NO_REF } else { 0 };
        Ok(event)
    }

    fn state(&mut self, message: &[u8; 25]) -> Result<Event, FeedError> {
        let instrument = self.stocks.named(locate(message), u64_at(message, 11))?;
        let mut event = self.event(message, EventKind::State, instrument)?;
        event.qty = match message[19] {
            b'Q' => 0,
            b'T' => 1,
            b'H' | b'P' => 2,
            other => {
                let expected = "H, P, Q or T";
                return Err(bad_byte("trading state", other, expected, FeedErrorKind::BadKind));
            }
        };
        event.flags = flag::UNDEF_PX;
        Ok(event)
    }

    #[cold]
    fn odd_size(
        &mut self,
        kind: u8,
        size: usize,
        len: usize,
        consumed: usize,
    ) -> Result<(), FeedError> {
        if size == 0 {
            let offset = self.offset + consumed as u64;
            self.counts.notices.add(Notice::UnknownType, 1, offset);
            return Ok(());
        }
        let kind = shown(&[kind]);
        let detail = format!("a message of type {kind} has {len} bytes; expected {size}");
        Err(FeedError::new(FeedErrorKind::BadLength, detail))
    }

    /// Puts an order to rest. One under an id that rests already takes its place.
    #[inline(always)]
    fn rest(&mut self, id: u64, order: Resting) -> Result<(), FeedError> {
        if self.live.len() >= self.live_max && !self.live.contains_key(&id) {
            let detail = format!("more than {} live orders; split the file", self.live_max);
            return Err(FeedError::new(FeedErrorKind::TooManyLiveOrders, detail));
        }
        self.live.insert(id, order);
        Ok(())
    }

    /// Takes `shares` off an order, and the order away with its last; gives it as it was.
    #[inline(always)]
    fn take(&mut self, id: u64, shares: u32) -> Option<Resting> {
        let order = self.live.get_mut(&id)?;
        let before = *order;
        order.shares = order.shares.saturating_sub(shares);
        if order.shares == 0 {
            self.live.remove(&id);
        }
        Some(before)
    }

    #[inline(always)]
    fn of_order(&mut self, found: Option<Resting>, locate: u16) -> Result<u32, FeedError> {
        match found {
            Some(order) => Ok(order.instrument),
            None => self.stocks.unnamed(locate),
        }
    }
}

impl Decoder for ItchDecoder {
    fn push(&mut self, bytes: &[u8], eof: bool, out: &mut Vec<Event>) -> Result<usize, FeedError> {
        let full = out.len() + BATCH_EVENTS;
        let mut consumed = 0;
        while out.len() < full && !self.ended {
            let Some((length, rest)) = bytes[consumed..].split_first_chunk::<2>() else { break };
            let length = usize::from(u16::from_be_bytes(*length));
            if length == 0 {
                self.ended = true;
                consumed += 2;
                break;
            }
            let Some(message) = rest.get(..length) else { break };
            self.message(message, consumed, out).map_err(|error| self.at(error, consumed))?;
            self.counts.records += 1;
            consumed += 2 + length;
        }
        let left = bytes.len() - consumed;
        if self.ended && left > 0 {
            let offset = self.offset + consumed as u64;
            self.counts.notices.add(Notice::AfterEnd, left as u64, offset);
            consumed = bytes.len();
        } else if eof && left > 0 && out.len() < full {
            let detail = format!("{left} bytes of a message; the rest of it is missing");
            let error = FeedError::new(FeedErrorKind::Truncated, detail);
            return Err(self.at(error, consumed));
        }
        self.offset += consumed as u64;
        let is_over = eof && consumed == bytes.len() && self.counts.records > 0;
        if is_over && !self.is_whole && self.counts.notices.count(Notice::NoEnd) == 0 {
            self.counts.notices.add(Notice::NoEnd, 1, self.offset);
        }
        Ok(consumed)
    }

    fn names(&self) -> &Names {
        self.stocks.names()
    }

    fn counts(&self) -> Counts {
        self.counts
    }
}

impl Event {
    /// Side and price of the order that a message names by its id only.
    #[inline(always)]
    fn of(&mut self, found: Option<Resting>) {
        match found {
            Some(order) => {
                self.px = i64::from(order.price) * PRICE_FACTOR;
                self.side = order.side;
            }
            None => self.flags |= flag::UNDEF_PX,
        }
    }
}

/// A message whose size was compared with the table of sizes, as an array.
#[inline(always)]
fn fixed<const N: usize>(bytes: &[u8]) -> Result<&[u8; N], FeedError> {
    bytes.first_chunk().ok_or_else(|| {
        let detail = format!("a message of {} bytes; expected {N}", bytes.len());
        FeedError::new(FeedErrorKind::BadLength, detail)
    })
}

#[inline(always)]
fn side(code: u8) -> Result<u8, FeedError> {
    match code {
        b'B' => Ok(1),
        b'S' => Ok(2),
        other => Err(bad_byte("side", other, "B or S", FeedErrorKind::BadSide)),
    }
}

#[cold]
fn bad_byte(field: &str, value: u8, expected: &str, kind: FeedErrorKind) -> FeedError {
    FeedError::new(kind, format!("{field} {} is not {expected}", shown(&[value])))
}

#[cold]
fn bad_time(base_ns: u64, ns: u64) -> FeedError {
    let detail = format!("{ns} ns after midnight ({base_ns} ns) is not a time of that day");
    FeedError::new(FeedErrorKind::BadTime, detail)
}

#[cfg(test)]
mod tests;
