//! FIX logs, 4.2 and 4.4 (5.0 SP2 under FIXT.1.1 too): orders, cancels, replaces and reports.
//!
//! Source: FIX 4.2 and 4.4, and design note "replay", section 5.4. The log is one party's session,
//! so what it sends are orders, and what the venue answers are reports on them: events of reports
//! carry [`flag::REPORT`], and an order ends when the venue says so, not when a cancel is sent.
//!
//! This is no FIX engine: there is no session, no sequence number, no dictionary. The crates that
//! parse tag=value come with them (`fefix` 0.7 with a dictionary, `hotfix` 0.13 with a runtime and
//! TLS too); what a log needs, the next message among other text and SOH as `|` or `^A`, is ours.
//!
//! Invariant: only a message with the right length and checksum is a record; everything else that
//! looks like one is counted, or with `strict` an error.

mod fields;
mod scan;

pub(crate) use scan::is_log;

use crate::decoder::{BATCH_EVENTS, Counts, Decoder, Notice, ORDER_TEXTS_MAX};
use crate::error::{FeedError, FeedErrorKind};
use crate::event::{Event, EventKind, Names, flag};
use crate::intern::{Interner, OrderIds};
use fields::{Fields, bad_field, tag};
use rustc_hash::FxHashMap;
use scan::{Found, Scanner};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// Decodes the log of one session.
#[derive(Debug)]
pub struct FixDecoder {
    strict: bool,
    scanner: Scanner,
    names: Names,
    instruments: Interner,
    accounts: Interner,
    ids: OrderIds,
    /// Orders and replaces of this log by id, with the order that each is in the end: the venue
    /// counts what is filled over an order and all its replaces.
    orders: FxHashMap<u64, u64>,
    /// Of each order, what is filled of it.
    chains: FxHashMap<u64, Chain>,
    /// The venue's own ids (37) of orders in this log.
    venue_ids: BTreeMap<Box<[u8]>, u64>,
    counts: Counts,
    offset: u64,
    last_ns: u64,
}

/// An order with its replaces.
#[derive(Debug, Clone, Copy, Default)]
struct Chain {
    filled: i64,
    /// The venue has said that it works no more.
    ended: bool,
}

impl FixDecoder {
    /// `strict`: a garbled message is an error, and not only counted.
    pub fn new(strict: bool) -> Self {
        Self {
            strict,
            scanner: Scanner::new(),
            names: Names::default(),
            instruments: Interner::new("symbol"),
            accounts: Interner::new("account"),
            ids: OrderIds::new(),
            orders: FxHashMap::default(),
            chains: FxHashMap::default(),
            venue_ids: BTreeMap::new(),
            counts: Counts::default(),
            offset: 0,
            last_ns: 0,
        }
    }

    fn note(&mut self, notice: Notice, offset: u64) {
        self.counts.notices.add(notice, 1, offset);
    }

    /// A message that is whole, at its place in the log.
    fn message(&mut self, body: &[u8], offset: u64) -> Result<Option<Event>, FeedError> {
        let fields = Fields::read(body)?;
        let is_poss_dup = fields.text(tag::POSS_DUP) == Some(b"Y");
        let event = match fields.needed(tag::MSG_TYPE)? {
            b"D" => self.order(&fields, EventKind::Add, offset)?,
            b"G" => self.order(&fields, EventKind::Replace, offset)?,
            b"F" => self.cancel(&fields)?,
            b"8" => return self.report(&fields, offset),
            b"9" => return self.cancel_reject(&fields, offset),
            b"0" | b"1" | b"2" | b"3" | b"4" | b"5" | b"A" => {
                self.note(Notice::Session, offset);
                return Ok(None);
            }
            _ => {
                self.note(Notice::OtherType, offset);
                return Ok(None);
            }
        };
        if is_poss_dup {
            self.note(Notice::PossDup, offset);
        }
        let flags = event.flags | if is_poss_dup { flag::POSSDUP } else { 0 };
        Ok(Some(Event { flags, ..event }))
    }

    /// What every event of a log has; `party` is the tag that names its side of the session.
    fn event(
        &mut self,
        fields: &Fields<'_>,
        kind: EventKind,
        party: u32,
    ) -> Result<Event, FeedError> {
        let symbol = match fields.text(tag::SYMBOL) {
            Some(symbol) => symbol,
            None => fields.text(tag::SECURITY_ID).map_or_else(|| fields.needed(tag::SYMBOL), Ok)?,
        };
        let account = match fields.text(tag::ACCOUNT) {
            Some(account) => account,
            None => fields.needed(party)?,
        };
        Ok(Event {
            ts_ns: fields.sent_ns()?,
            order_id: 0,
            px: 0,
            qty: 0,
            ref_id: 0,
            src: self.counts.records,
            instrument: self.instruments.handle(symbol, &mut self.names.instruments)?,
            account: self.accounts.handle(account, &mut self.names.accounts)?,
            strategy: u32::MAX,
            kind,
            side: side(fields)?,
            flags: 0,
        })
    }

    /// D and G: an order, or new terms of one.
    fn order(
        &mut self,
        fields: &Fields<'_>,
        kind: EventKind,
        offset: u64,
    ) -> Result<Event, FeedError> {
        let (px, flags) = terms_px(fields)?;
        let qty = fields.qty(tag::ORDER_QTY)?.ok_or_else(|| missing(tag::ORDER_QTY))?;
        let text = fields.needed(tag::CL_ORD_ID)?;
        let target = match kind {
            EventKind::Replace => Some(fields.needed(tag::ORIG_CL_ORD_ID)?),
            _ => None,
        };
        let event = self.event(fields, kind, tag::SENDER)?;
        let target = target.map(|text| self.ids.id(text)).transpose()?;
        let order_id = self.ids.id(text)?;
        if fields.text(tag::POSS_DUP) != Some(b"Y") {
            let known = self.orders.get(&order_id).copied();
            if known.is_some() {
                self.note(Notice::RepeatedId, offset);
            } else if self.orders.len() >= ORDER_TEXTS_MAX {
                let detail = format!("more than {ORDER_TEXTS_MAX} orders in one log; split it");
                return Err(FeedError::new(FeedErrorKind::TooManyNames, detail));
            }
            let replaced = target.and_then(|id| self.orders.get(&id).copied());
            // An id that names a working order is a duplicate, and refused: the venue's reports
            // stay about the order that has it.
            let works = |id: &u64| self.chains.get(id).is_some_and(|chain| !chain.ended);
            if !known.as_ref().is_some_and(works) {
                let root = replaced.unwrap_or(order_id);
                self.orders.insert(order_id, root);
                if root == order_id {
                    self.chains.insert(root, Chain::default());
                }
            }
        }
        Ok(Event { order_id, ref_id: target.unwrap_or(0), px, qty, flags, ..event })
    }

    /// F: the order is named by its own id (41), not by the cancel's (11).
    fn cancel(&mut self, fields: &Fields<'_>) -> Result<Event, FeedError> {
        let event = self.event(fields, EventKind::Delete, tag::SENDER)?;
        let order_id = match fields.text(tag::ORIG_CL_ORD_ID) {
            Some(text) => self.ids.id(text)?,
            None => self.named(fields, &[tag::ORDER_ID])?,
        };
        Ok(Event { order_id, flags: flag::UNDEF_PX, ..event })
    }

    /// 8: what the venue says of an order.
    fn report(&mut self, fields: &Fields<'_>, offset: u64) -> Result<Option<Event>, FeedError> {
        match fields.text(tag::EXEC_TRANS_TYPE) {
            Some(b"1" | b"2") => return self.broken(fields, offset),
            Some(b"3") => {
                self.note(Notice::StatusOnly, offset);
                return Ok(None);
            }
            _ => {}
        }
        // Before 4.1 there is no execution type; the status says as much.
        let of_type = fields.text(tag::EXEC_TYPE).or_else(|| fields.text(tag::ORD_STATUS));
        let found = match of_type {
            Some(b"1" | b"2" | b"F") => self.filled(fields)?,
            Some(b"4") => Some(self.ended(fields, b'4', [tag::ORIG_CL_ORD_ID, tag::CL_ORD_ID])?),
            Some(&[code @ (b'3' | b'8' | b'C')]) => {
                Some(self.ended(fields, code, [tag::CL_ORD_ID, tag::ORIG_CL_ORD_ID])?)
            }
            Some(b"5") => Some(self.replaced(fields)?),
            Some(b"G" | b"H") => return self.broken(fields, offset),
            _ => {
                self.learn(fields)?;
                None
            }
        };
        if found.is_none() {
            self.note(Notice::StatusOnly, offset);
        }
        Ok(found)
    }

    fn filled(&mut self, fields: &Fields<'_>) -> Result<Option<Event>, FeedError> {
        let (last_qty, cum) = (fields.qty(tag::LAST_QTY)?, fields.qty(tag::CUM_QTY)?);
        let px = fields.price(tag::LAST_PX)?;
        let event = self.event(fields, EventKind::Fill, tag::TARGET)?;
        let order_id = self.named(fields, &[tag::CL_ORD_ID, tag::ORIG_CL_ORD_ID, tag::ORDER_ID])?;
        let last_qty = last_qty.filter(|qty| *qty > 0);
        // By what is filled in all, where both are known: a report that the log lacks is caught up
        // with, one that it repeats adds nothing.
        let is_whole = fields.text(tag::ORD_STATUS) == Some(b"2");
        let qty = match (self.chain(order_id), cum.filter(|qty| *qty > 0)) {
            (Some(chain), Some(cum)) => {
                let more = cum - chain.filled;
                chain.filled = cum.max(chain.filled);
                chain.ended |= is_whole;
                more
            }
            (Some(chain), None) => {
                let qty = last_qty.ok_or_else(|| missing(tag::LAST_QTY))?;
                chain.filled = chain.filled.saturating_add(qty);
                chain.ended |= is_whole;
                qty
            }
            (None, cum) => last_qty.or(cum).ok_or_else(|| missing(tag::LAST_QTY))?,
        };
        if qty <= 0 {
            return Ok(None);
        }
        let flags = match px {
            Some(_) => flag::REPORT,
            None => flag::REPORT | flag::UNDEF_PX | flag::NO_REF,
        };
        let ref_id = fields.text(tag::EXEC_ID).map_or(0, exec_number);
        Ok(Some(Event { order_id, px: px.unwrap_or(0), qty, ref_id, flags, ..event }))
    }

    /// The order no longer works; `code` is the execution type that says why.
    fn ended(
        &mut self,
        fields: &Fields<'_>,
        code: u8,
        names: [u32; 2],
    ) -> Result<Event, FeedError> {
        let event = self.event(fields, EventKind::Delete, tag::TARGET)?;
        let order_id = self.named(fields, &[names[0], names[1], tag::ORDER_ID])?;
        // A reject under the id of a replace is of the replace.
        let is_replaces = code == b'8' && self.orders.get(&order_id) != Some(&order_id);
        if let (false, Some(chain)) = (is_replaces, self.chain(order_id)) {
            chain.ended = true;
        }
        let flags = flag::REPORT | flag::UNDEF_PX;
        Ok(Event { order_id, ref_id: u64::from(code), flags, ..event })
    }

    /// A replace is in force; the report repeats the terms.
    fn replaced(&mut self, fields: &Fields<'_>) -> Result<Event, FeedError> {
        let qty = fields.qty(tag::ORDER_QTY)?.unwrap_or(0);
        let px = fields.price(tag::PRICE)?;
        let event = self.event(fields, EventKind::Replace, tag::TARGET)?;
        let order_id = self.named(fields, &[tag::CL_ORD_ID, tag::ORIG_CL_ORD_ID, tag::ORDER_ID])?;
        let flags = flag::REPORT | if px.is_none() { flag::UNDEF_PX } else { 0 };
        Ok(Event { order_id, px: px.unwrap_or(0), qty, flags, ..event })
    }

    /// 9: a replace that is refused gives its reservation back; a cancel that is refused had none.
    fn cancel_reject(
        &mut self,
        fields: &Fields<'_>,
        offset: u64,
    ) -> Result<Option<Event>, FeedError> {
        let order_id = self.ids.id(fields.needed(tag::CL_ORD_ID)?)?;
        let is_replace = fields.text(tag::CXL_REJ_RESPONSE_TO) == Some(b"2");
        if !is_replace || !self.orders.contains_key(&order_id) {
            self.note(Notice::StatusOnly, offset);
            return Ok(None);
        }
        // A reject names no instrument; whoever folds it knows the order's.
        let flags = flag::REPORT | flag::UNDEF_PX;
        Ok(Some(Event {
            ts_ns: fields.sent_ns()?,
            order_id,
            px: 0,
            qty: 0,
            ref_id: u64::from(b'8'),
            src: self.counts.records,
            instrument: 0,
            account: u32::MAX,
            strategy: u32::MAX,
            kind: EventKind::Delete,
            side: 0,
            flags,
        }))
    }

    /// A trade that is taken back or changed: what is filled from here on counts from the new sum.
    fn broken(&mut self, fields: &Fields<'_>, offset: u64) -> Result<Option<Event>, FeedError> {
        self.note(Notice::BrokenTrade, offset);
        let cum = fields.qty(tag::CUM_QTY)?;
        let order_id = self.named(fields, &[tag::CL_ORD_ID, tag::ORIG_CL_ORD_ID, tag::ORDER_ID])?;
        if let (Some(chain), Some(cum)) = (self.chain(order_id), cum) {
            chain.filled = cum;
        }
        Ok(None)
    }

    /// The order that an id of this log names, by itself or as a replace of it.
    fn chain(&mut self, order_id: u64) -> Option<&mut Chain> {
        self.chains.get_mut(self.orders.get(&order_id)?)
    }

    /// The order that a report is about: the first name that an order of this log has, else the
    /// first that is there.
    fn named(&mut self, fields: &Fields<'_>, tags: &[u32]) -> Result<u64, FeedError> {
        self.learn(fields)?;
        let mut first = None;
        for &tag in tags {
            let Some(text) = fields.text(tag) else { continue };
            let known = (tag == tag::ORDER_ID).then(|| self.venue_ids.get(text).copied()).flatten();
            let id = match known {
                Some(id) => id,
                None if tag == tag::ORDER_ID && first.is_some() => continue,
                None => self.ids.id(text)?,
            };
            if self.orders.contains_key(&id) {
                return Ok(id);
            }
            first = first.or(Some(id));
        }
        first.ok_or_else(|| missing(tags[0]))
    }

    /// Keeps the venue's id of an order of this log.
    fn learn(&mut self, fields: &Fields<'_>) -> Result<(), FeedError> {
        let (Some(venue), Some(text)) = (fields.text(tag::ORDER_ID), fields.text(tag::CL_ORD_ID))
        else {
            return Ok(());
        };
        let id = self.ids.id(text)?;
        if self.orders.contains_key(&id)
            && !self.venue_ids.contains_key(venue)
            && self.venue_ids.len() < ORDER_TEXTS_MAX
        {
            self.venue_ids.insert(venue.into(), id);
        }
        Ok(())
    }

    fn place(&mut self, mut event: Event, out: &mut Vec<Event>) {
        if event.ts_ns < self.last_ns {
            event.flags |= flag::TIME_BACK;
            self.counts.time_back += 1;
        }
        self.last_ns = event.ts_ns;
        out.push(event);
    }
}

impl Decoder for FixDecoder {
    fn push(&mut self, bytes: &[u8], eof: bool, out: &mut Vec<Event>) -> Result<usize, FeedError> {
        let full = out.len() + BATCH_EVENTS;
        let mut consumed = 0;
        // The scanner gives a view into itself, so it stands outside while its message is read.
        let mut scanner = std::mem::replace(&mut self.scanner, Scanner::new());
        let mut failed = None;
        while out.len() < full {
            match scanner.next(&bytes[consumed..], eof) {
                Found::Message { start, end, body } => {
                    let offset = self.offset + (consumed + start) as u64;
                    match self.message(body, offset) {
                        Ok(event) => {
                            if let Some(event) = event {
                                self.place(event, out);
                            }
                        }
                        Err(error) if self.strict || is_bound(&error) => {
                            failed = Some(error.at(self.counts.records, offset));
                            break;
                        }
                        Err(_) => self.note(Notice::BadField, offset),
                    }
                    self.counts.records += 1;
                    consumed += end;
                }
                Found::Garbled { start, notice } => {
                    let offset = self.offset + (consumed + start) as u64;
                    if self.strict {
                        failed = Some(garbled(notice).at(self.counts.records, offset));
                        break;
                    }
                    self.note(notice, offset);
                    consumed += start + 1;
                }
                Found::More { skip } => {
                    consumed += skip;
                    break;
                }
            }
        }
        self.scanner = scanner;
        self.offset += consumed as u64;
        failed.map_or(Ok(consumed), Err)
    }

    fn names(&self) -> &Names {
        &self.names
    }

    fn counts(&self) -> Counts {
        self.counts
    }

    fn order_texts(&self) -> &[String] {
        self.ids.texts()
    }
}

/// The price of an order's terms, and its flags: a market order has none, whatever 44 says.
fn terms_px(fields: &Fields<'_>) -> Result<(i64, u16), FeedError> {
    let px = fields.price(tag::PRICE)?;
    match (fields.needed(tag::ORD_TYPE)?, px) {
        (b"1", _) => Ok((0, flag::UNDEF_PX)),
        (b"2", None) => Err(missing(tag::PRICE)),
        (_, Some(px)) => Ok((px, 0)),
        // A stop or a pegged order without a limit is a market order once it works.
        (_, None) => Ok((0, flag::UNDEF_PX)),
    }
}

/// FIX 54: buy minus counts as buy, sell plus as sell.
fn side(fields: &Fields<'_>) -> Result<u8, FeedError> {
    let text = fields.needed(tag::SIDE)?;
    match text {
        b"1" | b"3" => Ok(1),
        b"2" | b"4" => Ok(2),
        b"5" => Ok(5),
        b"6" => Ok(6),
        _ => Err(bad_field(tag::SIDE, text, "is not buy, sell, short or short exempt")),
    }
}

fn missing(tag: u32) -> FeedError {
    FeedError::new(FeedErrorKind::NullValue, format!("tag {tag} is missing"))
}

/// Bounds are for the whole input: behind one of them no later message can be right.
fn is_bound(error: &FeedError) -> bool {
    matches!(error.kind, FeedErrorKind::TooManyNames | FeedErrorKind::MixedOrderIds)
}

fn garbled(notice: Notice) -> FeedError {
    let (kind, detail) = match notice {
        Notice::BadChecksum => (FeedErrorKind::BadChecksum, "the checksum (10) is not its bytes'"),
        _ => (FeedErrorKind::BadLength, "the message does not end where its length (9) says"),
    };
    FeedError::new(kind, detail)
}

/// A number for an execution's id: the same text is the same execution. Numbers from
/// `ORDER_TEXT_BASE` on are the text ids of orders, and this is none.
fn exec_number(text: &[u8]) -> u64 {
    let digest: [u8; 32] =
        Sha256::new_with_prefix(EXEC_DOMAIN).chain_update(text).finalize().into();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    (u64::from_le_bytes(first) >> 1).max(1)
}

/// Domain of [`exec_number`].
const EXEC_DOMAIN: &[u8] = b"cwts/fix-log-exec/v1\0";

#[cfg(test)]
mod tests;
