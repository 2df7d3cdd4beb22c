//! CWTS CSV: one event a row, columns by header name, RFC 4180 quoting.
//!
//! Columns `ts, kind, order_id, side, qty, price`; optional `instrument, account, strategy, ref_id,
//! flags, type`. The order of columns is free. Rules: design note "replay", section 5.5.

use crate::decimal::{NANO_SCALE, scaled, unsigned};
use crate::decoder::{BATCH_EVENTS, Counts, Decoder, LINE_BYTES_MAX};
use crate::error::{FeedError, FeedErrorKind, shown};
use crate::event::{Event, Names, flag};
use crate::intern::{Interner, OrderIds};
use crate::rfc3339::epoch_ns;
use crate::words::{self, BYTE_ORDER_MARK, DEFAULT_NAME, REQUIRED, Sequence};
use csv_core::{ReadRecordResult, Reader};

/// Columns of a header at most.
pub const COLUMNS_MAX: usize = 64;

/// Decodes CWTS CSV.
pub struct CsvDecoder {
    reader: Reader,
    /// The unquoted fields of the record under way; `LINE_BYTES_MAX` long, never longer.
    fields: Vec<u8>,
    fields_len: usize,
    ends: [usize; COLUMNS_MAX],
    ends_len: usize,
    /// Bytes consumed so far, and at the start of the record under way.
    offset: u64,
    record_start: u64,
    /// Quotes met in the record under way: an odd number at the end means an open quote.
    quotes: u64,
    columns: Option<Columns>,
    symbol: Option<String>,
    ignored: Vec<String>,
    names: Names,
    instruments: Interner,
    accounts: Interner,
    strategies: Interner,
    ids: OrderIds,
    sequence: Sequence,
    started: bool,
}

impl CsvDecoder {
    /// `symbol` names the instrument of a file without that column.
    pub fn new(symbol: Option<&str>) -> Self {
        Self {
            reader: Reader::new(),
            fields: vec![0; LINE_BYTES_MAX],
            fields_len: 0,
            ends: [0; COLUMNS_MAX],
            ends_len: 0,
            offset: 0,
            record_start: 0,
            quotes: 0,
            columns: None,
            symbol: symbol.map(str::to_owned),
            ignored: Vec::new(),
            names: Names::default(),
            instruments: Interner::new("instrument"),
            accounts: Interner::new("account"),
            strategies: Interner::new("strategy"),
            ids: OrderIds::new(),
            sequence: Sequence::new(),
            started: false,
        }
    }

    fn here(&self, error: FeedError) -> FeedError {
        error.at(self.sequence.counts.records, self.record_start)
    }

    /// Takes the record that stands in `fields`.
    fn record(&mut self, out: &mut Vec<Event>) -> Result<(), FeedError> {
        let Some(columns) = self.columns else {
            let header: Vec<&[u8]> = (0..self.ends_len).map(|at| self.field(at)).collect();
            let (columns, ignored) = Columns::of_header(&header)?;
            if columns.instrument.is_none() && self.symbol.is_none() {
                let detail = "no column 'instrument'; name the symbol of the file (--symbol)";
                return Err(FeedError::new(FeedErrorKind::MissingColumn, detail));
            }
            self.ignored = ignored;
            self.columns = Some(columns);
            return Ok(());
        };
        if self.ends_len != columns.count {
            let detail = format!("{} fields; the header has {}", self.ends_len, columns.count);
            return Err(FeedError::new(FeedErrorKind::BadFieldCount, detail));
        }
        let mut event = self.event(&columns)?;
        self.sequence.place(&mut event);
        out.push(event);
        Ok(())
    }

    fn event(&mut self, columns: &Columns) -> Result<Event, FeedError> {
        let Self { fields, ends, names, ids, symbol, .. } = self;
        let cell = |at: usize| -> &[u8] {
            let start = if at == 0 { 0 } else { ends[at - 1] };
            &fields[start..ends[at]]
        };
        let given = |at: Option<usize>| at.map(cell).filter(|text| !text.is_empty());
        let [ts, kind, order_id, side, qty, price] = columns.required;
        let kind = words::kind(cell(kind))?;
        let id = given(Some(order_id)).map(|text| ids.id(text)).transpose()?;
        let qty = given(Some(qty)).map(|text| scaled(text, 0, "qty")).transpose()?;
        let (order_id, qty) = words::required(kind, id, qty)?;
        let market = given(columns.order_type).map(is_market).transpose()?.unwrap_or(false);
        let px = given(Some(price)).map(|text| scaled(text, NANO_SCALE, "price")).transpose()?;
        let px = px.filter(|_| !market);
        let file_flags = given(columns.flags).map(|text| unsigned(text, "flags")).transpose()?;
        let symbol = symbol.as_deref().unwrap_or(DEFAULT_NAME).as_bytes();
        let default = DEFAULT_NAME.as_bytes();
        Ok(Event {
            ts_ns: epoch_ns(cell(ts), "ts")?,
            order_id,
            px: px.unwrap_or(0),
            qty,
            ref_id: given(columns.ref_id).map(|text| ids.id(text)).transpose()?.unwrap_or(0),
            src: 0,
            instrument: self
                .instruments
                .handle(given(columns.instrument).unwrap_or(symbol), &mut names.instruments)?,
            account: self
                .accounts
                .handle(given(columns.account).unwrap_or(default), &mut names.accounts)?,
            strategy: self
                .strategies
                .handle(given(columns.strategy).unwrap_or(default), &mut names.strategies)?,
            kind,
            side: words::side(cell(side))?,
            flags: words::flags(file_flags.unwrap_or(0))?
                | if px.is_none() { flag::UNDEF_PX } else { 0 },
        })
    }

    fn field(&self, at: usize) -> &[u8] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.fields[start..self.ends[at]]
    }

    fn check_end(&self) -> Result<(), FeedError> {
        if self.columns.is_none() {
            let detail = format!("no header line; expected the columns {}", REQUIRED.join(", "));
            return Err(FeedError::new(FeedErrorKind::MissingColumn, detail));
        }
        Ok(())
    }
}

impl Decoder for CsvDecoder {
    fn push(&mut self, bytes: &[u8], eof: bool, out: &mut Vec<Event>) -> Result<usize, FeedError> {
        // The reader strips a byte order mark only when it sees all of it at once, and takes what
        // is left for the end of the file if that is nothing: a byte must follow the mark.
        if !self.started && bytes.len() <= BYTE_ORDER_MARK.len() && !eof {
            return Ok(0);
        }
        self.started = true;
        let full = out.len() + BATCH_EVENTS;
        let mut consumed = 0;
        while out.len() < full {
            let input = &bytes[consumed..];
            if input.is_empty() && !eof {
                break;
            }
            let (result, taken, written, ended) = self.reader.read_record(
                input,
                &mut self.fields[self.fields_len..],
                &mut self.ends[self.ends_len..],
            );
            self.quotes += memchr::memchr_iter(b'"', &input[..taken]).count() as u64;
            consumed += taken;
            self.offset += taken as u64;
            self.fields_len += written;
            self.ends_len += ended;
            match result {
                // The record goes on in the next chunk; `fields` and `ends` bound its length.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => {
                    let detail = format!("a record of more than {LINE_BYTES_MAX} bytes");
                    return Err(self.here(FeedError::new(FeedErrorKind::LineTooLong, detail)));
                }
                ReadRecordResult::OutputEndsFull => {
                    let detail = format!("more than {COLUMNS_MAX} fields");
                    return Err(self.here(FeedError::new(FeedErrorKind::BadFieldCount, detail)));
                }
                ReadRecordResult::Record => {
                    if self.quotes % 2 == 1 {
                        let detail = "a quote opens and does not close";
                        return Err(self.here(FeedError::new(FeedErrorKind::Truncated, detail)));
                    }
                    self.record(out).map_err(|error| self.here(error))?;
                    self.fields_len = 0;
                    self.ends_len = 0;
                    self.quotes = 0;
                    self.record_start = self.offset;
                }
                ReadRecordResult::End => {
                    self.check_end().map_err(|error| self.here(error))?;
                    break;
                }
            }
        }
        Ok(consumed)
    }

    fn names(&self) -> &Names {
        &self.names
    }

    fn counts(&self) -> Counts {
        self.sequence.counts
    }

    fn order_texts(&self) -> &[String] {
        self.ids.texts()
    }

    fn ignored_columns(&self) -> &[String] {
        &self.ignored
    }
}

/// FIX 40 by word or code. Only "market" changes an event: its price does not count.
pub(crate) fn is_market(text: &[u8]) -> Result<bool, FeedError> {
    let words: [(&str, &str); 4] =
        [("market", "1"), ("limit", "2"), ("stop", "3"), ("stop_limit", "4")];
    let found = words.iter().position(|(word, code)| {
        word.as_bytes().eq_ignore_ascii_case(text) || code.as_bytes() == text
    });
    match found {
        Some(at) => Ok(at == 0),
        None => {
            let detail = format!("type {} is not market, limit, stop or stop_limit", shown(text));
            Err(FeedError::new(FeedErrorKind::BadKind, detail))
        }
    }
}

/// Where each column stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Columns {
    pub(crate) count: usize,
    /// In the order of [`REQUIRED`].
    pub(crate) required: [usize; REQUIRED.len()],
    pub(crate) instrument: Option<usize>,
    pub(crate) account: Option<usize>,
    pub(crate) strategy: Option<usize>,
    pub(crate) ref_id: Option<usize>,
    pub(crate) flags: Option<usize>,
    pub(crate) order_type: Option<usize>,
}

impl Columns {
    /// Whether the column at `at` feeds an event.
    #[cfg(feature = "columnar")]
    pub(crate) fn holds(&self, at: usize) -> bool {
        let optional = [
            self.instrument,
            self.account,
            self.strategy,
            self.ref_id,
            self.flags,
            self.order_type,
        ];
        self.required.contains(&at) || optional.contains(&Some(at))
    }

    /// The places by name (any case), and the names that no event carries.
    pub(crate) fn of_header(header: &[&[u8]]) -> Result<(Self, Vec<String>), FeedError> {
        let mut ignored: Vec<usize> = (0..header.len()).collect();
        let mut place = |name: &str| -> Result<Option<usize>, FeedError> {
            let mut found = (0..header.len())
                .filter(|&at| header[at].trim_ascii().eq_ignore_ascii_case(name.as_bytes()));
            let first = found.next();
            if found.next().is_some() {
                let detail = format!("column '{name}' stands in the header twice");
                return Err(FeedError::new(FeedErrorKind::BadHeader, detail));
            }
            ignored.retain(|&at| Some(at) != first);
            Ok(first)
        };
        let mut required = [0; REQUIRED.len()];
        for (slot, name) in required.iter_mut().zip(REQUIRED) {
            *slot = place(name)?.ok_or_else(|| {
                let detail = format!("no column '{name}'; expected {}", REQUIRED.join(", "));
                FeedError::new(FeedErrorKind::MissingColumn, detail)
            })?;
        }
        let columns = Self {
            count: header.len(),
            required,
            instrument: place("instrument")?,
            account: place("account")?,
            strategy: place("strategy")?,
            ref_id: place("ref_id")?,
            flags: place("flags")?,
            order_type: place("type")?,
        };
        let text = |at: &usize| String::from_utf8_lossy(header[*at]).chars().take(64).collect();
        Ok((columns, ignored.iter().map(text).collect()))
    }
}

/// Whether `line` is a header of this format, for the sniffer.
pub(crate) fn is_header(line: &[u8]) -> bool {
    let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
    let names: Vec<&[u8]> = line
        .split(|&byte| byte == b',')
        .take(COLUMNS_MAX)
        .map(<[u8]>::trim_ascii)
        .map(|name| name.strip_prefix(b"\"").and_then(|n| n.strip_suffix(b"\"")).unwrap_or(name))
        .collect();
    REQUIRED
        .iter()
        .all(|wanted| names.iter().any(|name| name.eq_ignore_ascii_case(wanted.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driven::drive;

    /// A pipe may hand over the three bytes of the mark alone, or any part of them.
    #[test]
    fn a_byte_order_mark_is_no_part_of_the_header_however_the_bytes_arrive() {
        let plain = "ts,kind,order_id,side,qty,price\n1,add,7,buy,5,10.5\n2,delete,7,buy,,\n";
        let wanted = drive(CsvDecoder::new(Some("AMZN")), plain.as_bytes(), plain.len());
        assert_eq!((wanted.events.len(), wanted.error), (2, None));
        let marked = format!("\u{feff}{plain}");
        for size in 1..=marked.len() {
            let driven = drive(CsvDecoder::new(Some("AMZN")), marked.as_bytes(), size);
            assert_eq!((driven.error, driven.events), (None, wanted.events.clone()), "{size}");
        }
    }

    #[test]
    fn less_than_a_header_is_no_header() {
        for text in ["", "t", "ts", "\u{feff}", "\u{feff}t"] {
            for size in 1..=4 {
                let driven = drive(CsvDecoder::new(Some("AMZN")), text.as_bytes(), size);
                let error = driven.error.expect("no header");
                assert_eq!(error.kind, FeedErrorKind::MissingColumn, "{text:?} by {size}");
            }
        }
    }
}
