//! Events to ITCH 5.0: the inverse of the decoder.
//!
//! Invariant: decoding what was written gives the events back, but for what the format has no place
//! for: accounts, strategies and the end of an event, which are dropped, and a print, which reads
//! as hidden, and as of a buyer where it has no side (NASDAQ itself writes B into every print since
//! 2014). What would change an event's meaning is refused: a price that is not a multiple of 1e-4,
//! a quantity beyond 32 bits, a short sale, a market order, a time outside the day, a kind without
//! a message.

use super::wire::{PRICE_FACTOR, STOCK_BYTES};
use crate::decimal::DAY_NS;
use crate::decoder::LIVE_ORDERS_MAX;
use crate::error::{FeedError, FeedErrorKind};
use crate::event::{Event, EventKind, Names, flag};
use rustc_hash::FxHashMap;

/// Writes the messages of one day.
#[derive(Debug)]
pub struct ItchWriter {
    base_ns: u64,
    /// The price of every live order: an execution at it needs no price of its own.
    live: FxHashMap<u64, Live>,
    /// Instruments announced so far; the k-th has locate k + 1.
    announced: usize,
    records: u64,
    started: bool,
    last_ns: u64,
}

#[derive(Debug, Clone, Copy)]
struct Live {
    price: u32,
    shares: u32,
    instrument: u32,
}

impl ItchWriter {
    /// `base_ns` is the midnight that the file's times count from.
    pub fn new(base_ns: u64) -> Self {
        Self {
            base_ns,
            live: FxHashMap::default(),
            announced: 0,
            records: 0,
            started: false,
            last_ns: 0,
        }
    }

    /// Messages written so far, which is the record number of the next one.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Appends one message an event, and gives each event's record number to `places`.
    ///
    /// Before the first stands the start of messages, before an instrument's first event its
    /// directory message; those count as records too.
    pub fn write(
        &mut self,
        events: &[Event],
        names: &Names,
        out: &mut Vec<u8>,
        places: &mut Vec<u64>,
    ) -> Result<(), FeedError> {
        for event in events {
            let place = self.one(event, names, out).map_err(|e| e.at(event.src, 0))?;
            places.push(place);
        }
        Ok(())
    }

    /// Ends the day: the end of messages, and the frame of length 0.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.start(out);
        self.system(b'C', out);
        out.extend([0, 0]);
    }

    fn one(&mut self, event: &Event, names: &Names, out: &mut Vec<u8>) -> Result<u64, FeedError> {
        let day_ns = event.ts_ns.checked_sub(self.base_ns).filter(|ns| *ns < DAY_NS);
        let Some(day_ns) = day_ns else {
            let detail = format!(
                "time {} is outside the day that begins at {}: write fewer events",
                event.ts_ns, self.base_ns
            );
            return Err(FeedError::new(FeedErrorKind::BadTime, detail));
        };
        if !self.started {
            self.last_ns = day_ns;
            self.start(out);
        }
        while self.announced <= event.instrument as usize {
            self.announce(day_ns, names, out)?;
        }
        self.last_ns = day_ns;
        let from = out.len();
        let written = self.message(event, day_ns, names, out);
        if written.is_err() {
            // Nothing of a refused event stands in the file.
            out.truncate(from);
        }
        written.map(|()| self.records - 1)
    }

    fn message(
        &mut self,
        event: &Event,
        day_ns: u64,
        names: &Names,
        out: &mut Vec<u8>,
    ) -> Result<(), FeedError> {
        let moves =
            flag::SNAPSHOT | flag::CONSEQUENCE | flag::POSSDUP | flag::BAD_TS | flag::REPORT;
        let no_ref = event.flags & flag::NO_REF != 0;
        let is_fill = event.kind == EventKind::Fill;
        let is_empty_cross = event.kind == EventKind::Cross && event.qty == 0;
        if event.flags & moves != 0 || no_ref != (is_empty_cross || no_ref && is_fill) {
            let detail = format!("flags {} of a {:?} have no place", event.flags, event.kind);
            return Err(FeedError::new(FeedErrorKind::BadFlags, detail));
        }
        // The generic part of every message comes first; the locate follows from the instrument.
        let locate = event.instrument as u16 + 1;
        let mut message = Message::new(locate, day_ns);
        let id = event.order_id.to_be_bytes();
        let matched = event.ref_id.to_be_bytes();
        match event.kind {
            EventKind::Add => {
                let (price, shares) = (price(event)?, shares(event)?);
                self.rest(event.order_id, Live { price, shares, instrument: event.instrument })?;
                message.kind(b'A').put(&id).put(&[side(event)?]).put(&shares.to_be_bytes());
                message.put(&stock(event, names)?).put(&price.to_be_bytes());
            }
            EventKind::Fill => {
                let shares = shares(event)?;
                let resting = self.take(event, shares)?;
                let has_px = event.flags & flag::UNDEF_PX == 0;
                let at_rest = match resting {
                    Some(order) => has_px && !no_ref && price(event)? == order.price,
                    None => !has_px,
                };
                message.kind(if at_rest { b'E' } else { b'C' });
                message.put(&id).put(&shares.to_be_bytes()).put(&matched);
                if !at_rest {
                    let printable = if no_ref { b'N' } else { b'Y' };
                    message.put(&[printable]).put(&price(event)?.to_be_bytes());
                }
            }
            EventKind::Reduce => {
                let shares = shares(event)?;
                self.take(event, shares)?;
                message.kind(b'X').put(&id).put(&shares.to_be_bytes());
            }
            EventKind::Delete => {
                self.take(event, u32::MAX)?;
                message.kind(b'D').put(&id);
            }
            EventKind::Replace => {
                let old = if event.ref_id == 0 { event.order_id } else { event.ref_id };
                let (price, shares) = (price(event)?, shares(event)?);
                self.take(&Event { order_id: old, ..*event }, u32::MAX)?;
                self.rest(event.order_id, Live { price, shares, instrument: event.instrument })?;
                message.kind(b'U').put(&old.to_be_bytes()).put(&id);
                message.put(&shares.to_be_bytes()).put(&price.to_be_bytes());
            }
            EventKind::Trade => {
                let side = if event.side == 0 { b'B' } else { side(event)? };
                message.kind(b'P').put(&id).put(&[side]);
                message.put(&shares(event)?.to_be_bytes()).put(&stock(event, names)?);
                message.put(&price(event)?.to_be_bytes()).put(&matched);
            }
            EventKind::Cross => {
                let shares =
                    u64::try_from(event.qty).map_err(|_| out_of_range("qty", event.qty))?;
                message.kind(b'Q').put(&shares.to_be_bytes()).put(&stock(event, names)?);
                message.put(&price(event)?.to_be_bytes()).put(&matched).put(b"O");
            }
            EventKind::State => {
                let state = match event.qty {
                    0 => b'Q',
                    1 => b'T',
                    2 => b'H',
                    other => return Err(out_of_range("trading state", other)),
                };
                message.kind(b'H').put(&stock(event, names)?).put(&[state]).put(b"     ");
            }
            EventKind::Clear | EventKind::Clock | EventKind::Ref => {
                let detail = format!("{:?} has no message in ITCH", event.kind);
                return Err(FeedError::new(FeedErrorKind::BadKind, detail));
            }
        }
        self.frame(&message, out);
        Ok(())
    }

    fn rest(&mut self, id: u64, order: Live) -> Result<(), FeedError> {
        if self.live.len() >= LIVE_ORDERS_MAX && !self.live.contains_key(&id) {
            let detail = format!("more than {LIVE_ORDERS_MAX} live orders; write fewer events");
            return Err(FeedError::new(FeedErrorKind::TooManyLiveOrders, detail));
        }
        self.live.insert(id, order);
        Ok(())
    }

    /// Takes `shares` off the live order that an event names, and gives it as it was.
    fn take(&mut self, event: &Event, shares: u32) -> Result<Option<Live>, FeedError> {
        let Some(order) = self.live.get_mut(&event.order_id) else { return Ok(None) };
        let before = *order;
        if before.instrument != event.instrument {
            let detail = format!("order {} rests in another instrument", event.order_id);
            return Err(FeedError::new(FeedErrorKind::Corrupt, detail));
        }
        order.shares = order.shares.saturating_sub(shares);
        if order.shares == 0 {
            self.live.remove(&event.order_id);
        }
        Ok(Some(before))
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        if !self.started {
            self.started = true;
            self.system(b'O', out);
        }
    }

    fn system(&mut self, event: u8, out: &mut Vec<u8>) {
        let mut message = Message::new(0, self.last_ns);
        message.kind(b'S').put(&[event]);
        self.frame(&message, out);
    }

    /// The directory message of the next instrument.
    fn announce(&mut self, day_ns: u64, names: &Names, out: &mut Vec<u8>) -> Result<(), FeedError> {
        let at = self.announced;
        let (Some(name), Ok(locate)) = (names.instruments.get(at), u16::try_from(at + 1)) else {
            let detail = format!("instrument {at} has no name, or no locate below 65,536");
            return Err(FeedError::new(FeedErrorKind::TooManyNames, detail));
        };
        let mut message = Message::new(locate, day_ns);
        message.kind(b'R').put(&padded(name)?);
        // Market category, financial status, round lot, round lots only, issue classification and
        // sub-type, authenticity, short-sale threshold, IPO, price tier, ETP, leverage, inverse.
        message.put(b"QN").put(&100_u32.to_be_bytes()).put(b"NCZ PNN1N\0\0\0\0N");
        self.frame(&message, out);
        self.announced += 1;
        Ok(())
    }

    fn frame(&mut self, message: &Message, out: &mut Vec<u8>) {
        out.extend((message.len as u16).to_be_bytes());
        out.extend_from_slice(&message.bytes[..message.len]);
        self.records += 1;
    }
}

/// A message under way: the longest that is written has 44 bytes.
struct Message {
    bytes: [u8; 50],
    len: usize,
}

impl Message {
    fn new(locate: u16, day_ns: u64) -> Self {
        let mut bytes = [0; 50];
        bytes[1..3].copy_from_slice(&locate.to_be_bytes());
        bytes[5..11].copy_from_slice(&day_ns.to_be_bytes()[2..]);
        Self { bytes, len: 11 }
    }

    fn kind(&mut self, kind: u8) -> &mut Self {
        self.bytes[0] = kind;
        self
    }

    fn put(&mut self, part: &[u8]) -> &mut Self {
        if let Some(place) = self.bytes.get_mut(self.len..self.len + part.len()) {
            place.copy_from_slice(part);
            self.len += part.len();
        }
        self
    }
}

fn stock(event: &Event, names: &Names) -> Result<[u8; STOCK_BYTES], FeedError> {
    padded(names.instruments.get(event.instrument as usize).map_or("", String::as_str))
}

/// A name with blanks behind it.
fn padded(name: &str) -> Result<[u8; STOCK_BYTES], FeedError> {
    let mut stock = [b' '; STOCK_BYTES];
    match stock.get_mut(..name.len()) {
        Some(place) if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()) => {
            place.copy_from_slice(name.as_bytes());
            Ok(stock)
        }
        _ => {
            let shown: String = name.chars().take(32).collect();
            let detail = format!("symbol {shown:?} is not 1 to 8 printable ASCII characters");
            Err(FeedError::new(FeedErrorKind::NameTooLong, detail))
        }
    }
}

fn side(event: &Event) -> Result<u8, FeedError> {
    match event.side {
        1 => Ok(b'B'),
        2 => Ok(b'S'),
        other => {
            let detail = format!("side {other}: ITCH has buy and sell only");
            Err(FeedError::new(FeedErrorKind::BadSide, detail))
        }
    }
}

fn shares(event: &Event) -> Result<u32, FeedError> {
    u32::try_from(event.qty).map_err(|_| out_of_range("qty", event.qty))
}

fn price(event: &Event) -> Result<u32, FeedError> {
    if event.flags & flag::UNDEF_PX != 0 {
        let detail = format!("a {:?} without a price has no message in ITCH", event.kind);
        return Err(FeedError::new(FeedErrorKind::NullValue, detail));
    }
    if event.px % PRICE_FACTOR != 0 {
        let detail = format!("price {} (1e-9) is not a multiple of 0.0001", event.px);
        return Err(FeedError::new(FeedErrorKind::TooFine, detail));
    }
    u32::try_from(event.px / PRICE_FACTOR).map_err(|_| out_of_range("price (1e-9)", event.px))
}

fn out_of_range(field: &str, value: i64) -> FeedError {
    let detail = format!("{field} {value} does not fit its place in ITCH");
    FeedError::new(FeedErrorKind::NumberOutOfRange, detail)
}
