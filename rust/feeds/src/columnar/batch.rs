//! Record batches to events, row by row.

use super::cells::{Cell, Cells, PriceScale};
use crate::csv::Columns;
use crate::decoder::{BATCH_EVENTS, Counts};
use crate::error::{FeedError, FeedErrorKind};
use crate::event::{Event, EventKind, Names, flag};
use crate::intern::{Interner, OrderIds};
use crate::rfc3339::epoch_ns;
use crate::words::{self, DEFAULT_NAME, REQUIRED, Sequence};
use arrow_array::RecordBatch;

/// Reads batches of one table; the names and the record numbers go on from batch to batch.
pub struct BatchRows {
    symbol: Option<String>,
    names: Names,
    instruments: Interner,
    accounts: Interner,
    strategies: Interner,
    ids: OrderIds,
    sequence: Sequence,
    ignored: Vec<String>,
    bound: Option<Bound>,
}

/// A batch under way.
struct Bound {
    columns: Columns,
    cells: Vec<Option<Cells>>,
    price: PriceScale,
    row: usize,
    rows: usize,
}

impl BatchRows {
    /// `symbol` names the instrument of a table without that column.
    pub fn new(symbol: Option<&str>) -> Self {
        Self {
            symbol: symbol.map(str::to_owned),
            names: Names::default(),
            instruments: Interner::new("instrument"),
            accounts: Interner::new("account"),
            strategies: Interner::new("strategy"),
            ids: OrderIds::new(),
            sequence: Sequence::new(),
            ignored: Vec::new(),
            bound: None,
        }
    }

    /// Takes the next batch; the one before must have been read to its end.
    pub fn bind(&mut self, batch: &RecordBatch) -> Result<(), FeedError> {
        self.bind_columns(batch).map_err(|error| error.at(self.sequence.counts.records, 0))
    }

    fn bind_columns(&mut self, batch: &RecordBatch) -> Result<(), FeedError> {
        let schema = batch.schema();
        let header: Vec<&[u8]> =
            schema.fields().iter().map(|field| field.name().as_bytes()).collect();
        let (columns, ignored) = Columns::of_header(&header)?;
        if columns.instrument.is_none() && self.symbol.is_none() {
            let detail = "no column 'instrument'; name the symbol of the file (--symbol)";
            return Err(FeedError::new(FeedErrorKind::MissingColumn, detail));
        }
        let mut cells: Vec<Option<Cells>> = header.iter().map(|_| None).collect();
        for at in (0..header.len()).filter(|&at| columns.holds(at)) {
            cells[at] = Some(Cells::of(batch.column(at), schema.field(at))?);
        }
        let at_price = columns.required[REQUIRED.len() - 1];
        let price = match &cells[at_price] {
            Some(cells) => PriceScale::of(schema.field(at_price), cells)?,
            None => return Err(FeedError::new(FeedErrorKind::MissingColumn, "no column 'price'")),
        };
        if self.ignored.is_empty() {
            self.ignored = ignored;
        }
        self.bound = Some(Bound { columns, cells, price, row: 0, rows: batch.num_rows() });
        Ok(())
    }

    /// Columns of the file that were not read into the batches.
    pub(super) fn note_ignored(&mut self, ignored: Vec<String>) {
        self.ignored = ignored;
    }

    /// Whether the bound batch has rows left.
    pub fn has_rows(&self) -> bool {
        self.bound.as_ref().is_some_and(|bound| bound.row < bound.rows)
    }

    /// Appends events of the bound batch until it ends or a batch of events is full.
    pub fn read(&mut self, out: &mut Vec<Event>) -> Result<(), FeedError> {
        let Some(mut bound) = self.bound.take() else { return Ok(()) };
        let end = bound.rows.min(bound.row + BATCH_EVENTS);
        while bound.row < end {
            let mut event =
                self.event(&bound).map_err(|error| error.at(self.sequence.counts.records, 0))?;
            self.sequence.place(&mut event);
            out.push(event);
            bound.row += 1;
        }
        self.bound = Some(bound);
        Ok(())
    }

    fn event(&mut self, bound: &Bound) -> Result<Event, FeedError> {
        let cell = |at: Option<usize>| match at.and_then(|at| bound.cells[at].as_ref()) {
            Some(cells) => cells.at(bound.row),
            None => Cell::Null,
        };
        let columns = &bound.columns;
        let [ts, kind, order_id, side, qty, price] = columns.required.map(Some);
        let kind = match cell(kind) {
            Cell::Text(text) => words::kind(text.as_bytes())?,
            Cell::Number(code) => {
                u8::try_from(code).ok().and_then(EventKind::from_code).ok_or_else(|| {
                    let detail = format!("kind {code} is not a code in 1..=11");
                    FeedError::new(FeedErrorKind::BadKind, detail)
                })?
            }
            Cell::Null => return Err(null("kind")),
        };
        let id = order_number(&mut self.ids, cell(order_id), "order_id")?;
        let qty = match cell(qty) {
            Cell::Null => None,
            Cell::Number(value) => {
                Some(i64::try_from(value).map_err(|_| out_of_range("qty", &value.to_string()))?)
            }
            Cell::Text(text) => Some(crate::decimal::scaled(text.as_bytes(), 0, "qty")?),
        };
        let (order_id, qty) = words::required(kind, id, qty)?;
        let market = match cell(columns.order_type) {
            Cell::Null => false,
            Cell::Text(text) => crate::csv::is_market(text.as_bytes())?,
            Cell::Number(code) => crate::csv::is_market(code.to_string().as_bytes())?,
        };
        let px = bound.price.px(&cell(price))?.filter(|_| !market);
        let file_flags = match cell(columns.flags) {
            Cell::Null => 0,
            Cell::Number(bits) => u64::try_from(bits).unwrap_or(u64::MAX),
            Cell::Text(text) => crate::decimal::unsigned(text.as_bytes(), "flags")?,
        };
        let symbol = self.symbol.as_deref().unwrap_or(DEFAULT_NAME);
        let instrument = name(&cell(columns.instrument), symbol, "instrument")?;
        let account = name(&cell(columns.account), DEFAULT_NAME, "account")?;
        let strategy = name(&cell(columns.strategy), DEFAULT_NAME, "strategy")?;
        Ok(Event {
            ts_ns: match cell(ts) {
                Cell::Null => return Err(null("ts")),
                Cell::Number(value) => {
                    u64::try_from(value).map_err(|_| out_of_range("ts", &value.to_string()))?
                }
                Cell::Text(text) => epoch_ns(text.as_bytes(), "ts")?,
            },
            order_id,
            px: px.unwrap_or(0),
            qty,
            ref_id: order_number(&mut self.ids, cell(columns.ref_id), "ref_id")?.unwrap_or(0),
            src: 0,
            instrument: self.instruments.handle(instrument, &mut self.names.instruments)?,
            account: self.accounts.handle(account, &mut self.names.accounts)?,
            strategy: self.strategies.handle(strategy, &mut self.names.strategies)?,
            kind,
            side: match cell(side) {
                Cell::Null => 0,
                Cell::Text(text) => words::side(text.as_bytes())?,
                Cell::Number(code) => {
                    let known = u8::try_from(code).ok().and_then(words::side_code);
                    known.ok_or_else(|| {
                        let detail = format!("side {code} is not 0, 1, 2, 5 or 6");
                        FeedError::new(FeedErrorKind::BadSide, detail)
                    })?
                }
            },
            flags: words::flags(file_flags)? | if px.is_none() { flag::UNDEF_PX } else { 0 },
        })
    }

    /// The names behind the handles so far.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The texts behind text order ids.
    pub fn order_texts(&self) -> &[String] {
        self.ids.texts()
    }

    /// Columns that no event carries.
    pub fn ignored_columns(&self) -> &[String] {
        &self.ignored
    }

    /// What was met so far.
    pub fn counts(&self) -> Counts {
        self.sequence.counts
    }
}

fn order_number(ids: &mut OrderIds, cell: Cell<'_>, field: &str) -> Result<Option<u64>, FeedError> {
    match cell {
        Cell::Null => Ok(None),
        Cell::Text(text) => ids.id(text.as_bytes()).map(Some),
        Cell::Number(value) => {
            let number =
                u64::try_from(value).map_err(|_| out_of_range(field, &value.to_string()))?;
            ids.number(number).map(Some)
        }
    }
}

fn name<'a>(cell: &Cell<'a>, absent: &'a str, field: &str) -> Result<&'a [u8], FeedError> {
    match cell {
        Cell::Null => Ok(absent.as_bytes()),
        Cell::Text(text) => Ok(text.as_bytes()),
        Cell::Number(value) => {
            let detail = format!("{field} {value} is a number; a name is expected");
            Err(FeedError::new(FeedErrorKind::BadColumn, detail))
        }
    }
}

fn null(field: &str) -> FeedError {
    FeedError::new(FeedErrorKind::NullValue, format!("{field} is null"))
}

fn out_of_range(field: &str, value: &str) -> FeedError {
    FeedError::new(FeedErrorKind::NumberOutOfRange, format!("{field} {value} is out of range"))
}
