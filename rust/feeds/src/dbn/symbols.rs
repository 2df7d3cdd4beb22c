//! Which symbol an instrument id stands for, and when: the metadata's mappings.
//!
//! An id may change its symbol from one day to the next. Records are looked up by receive time,
//! as the format asks for: a snapshot's rows keep event times of days before.

use crate::decoder::NAME_BYTES_MAX;
use crate::error::{FeedError, FeedErrorKind, shown};
use crate::event::Names;
use crate::intern::Interner;
use ::dbn::{Metadata, SType};
use std::collections::BTreeMap;

/// Longest symbol.
pub(super) const SYMBOL_BYTES_MAX: usize = NAME_BYTES_MAX;

/// The symbols of one stream.
#[derive(Debug)]
pub(super) struct Symbols {
    /// By instrument id, then by start; where two overlap, the later start holds.
    intervals: Vec<Interval>,
    symbols: Vec<String>,
    interner: Interner,
    /// Handles of ids without a symbol, by publisher and id.
    unmapped: BTreeMap<(u16, u32), u32>,
    /// The last answers, at the id's low bits: neighbouring rows tend to agree.
    recent: Vec<Answer>,
}

#[derive(Debug)]
struct Interval {
    instrument: u32,
    start_ns: u64,
    end_ns: u64,
    symbol: u32,
    /// [`NO_HANDLE`] until a record needs one: handles count in order of first appearance.
    handle: u32,
}

/// A handle, and the times from `start_ns` to before `end_ns` for which it holds.
#[derive(Debug, Clone, Copy)]
struct Answer {
    publisher: u16,
    instrument: u32,
    start_ns: u64,
    end_ns: u64,
    handle: u32,
}

impl Default for Symbols {
    fn default() -> Self {
        Self {
            intervals: Vec::new(),
            symbols: Vec::new(),
            interner: Interner::new("symbol"),
            unmapped: BTreeMap::new(),
            recent: vec![NO_ANSWER; RECENT],
        }
    }
}

impl Symbols {
    /// The mappings between instrument ids and symbols; those of other kinds name no record.
    pub(super) fn of(metadata: &Metadata) -> Result<Self, FeedError> {
        let mut out = Self::default();
        let ids_are_out = metadata.stype_out == SType::InstrumentId;
        if !ids_are_out && metadata.stype_in != Some(SType::InstrumentId) {
            return Ok(out);
        }
        for mapping in &metadata.mappings {
            for interval in &mapping.intervals {
                let (id, symbol) = if ids_are_out {
                    (&interval.symbol, &mapping.raw_symbol)
                } else {
                    (&mapping.raw_symbol, &interval.symbol)
                };
                // Days on which the symbol stood for nothing.
                if id.is_empty() || symbol.is_empty() {
                    continue;
                }
                let Ok(instrument) = id.parse() else {
                    let detail = format!("mapping: {} is no instrument id", shown(id.as_bytes()));
                    return Err(FeedError::new(FeedErrorKind::BadNumber, detail));
                };
                out.intervals.push(Interval {
                    instrument,
                    start_ns: midnight_ns(interval.start_date.to_julian_day()),
                    end_ns: midnight_ns(interval.end_date.to_julian_day()),
                    symbol: out.symbols.len() as u32,
                    handle: NO_HANDLE,
                });
                out.symbols.push(symbol.clone());
            }
        }
        out.intervals.sort_by_key(|interval| (interval.instrument, interval.start_ns));
        Ok(out)
    }

    /// The handle of an instrument at a time.
    #[inline(always)]
    pub(super) fn handle(
        &mut self,
        publisher: u16,
        instrument: u32,
        recv_ns: u64,
        names: &mut Names,
    ) -> Result<u32, FeedError> {
        let recent = &self.recent[instrument as usize % RECENT];
        // The last moment of all is "undefined": it belongs to the moment before.
        let recv_ns = recv_ns.min(u64::MAX - 1);
        if recent.instrument == instrument
            && recent.publisher == publisher
            && (recent.start_ns..recent.end_ns).contains(&recv_ns)
        {
            return Ok(recent.handle);
        }
        self.find(publisher, instrument, recv_ns, names)
    }

    #[cold]
    fn find(
        &mut self,
        publisher: u16,
        instrument: u32,
        recv_ns: u64,
        names: &mut Names,
    ) -> Result<u32, FeedError> {
        let key = (instrument, recv_ns);
        let after = self.intervals.partition_point(|row| (row.instrument, row.start_ns) <= key);
        let next = self.intervals.get(after).filter(|row| row.instrument == instrument);
        let next_ns = next.map_or(u64::MAX, |row| row.start_ns);
        let row = self.intervals[..after].last_mut().filter(|row| row.instrument == instrument);
        let table = &mut names.instruments;
        let (start_ns, end_ns, handle) = match row {
            Some(row) if recv_ns < row.end_ns => {
                if row.handle == NO_HANDLE {
                    let symbol = &self.symbols[row.symbol as usize];
                    row.handle = self.interner.handle(symbol.as_bytes(), table)?;
                }
                (row.start_ns, row.end_ns.min(next_ns), row.handle)
            }
            before => {
                let start_ns = before.map_or(0, |row| row.end_ns);
                let handle = if let Some(handle) = self.unmapped.get(&(publisher, instrument)) {
                    *handle
                } else {
                    let name = format!("{publisher}:{instrument}");
                    let handle = self.interner.handle(name.as_bytes(), table)?;
                    self.unmapped.insert((publisher, instrument), handle);
                    handle
                };
                (start_ns, next_ns, handle)
            }
        };
        self.recent[instrument as usize % RECENT] =
            Answer { publisher, instrument, start_ns, end_ns, handle };
        Ok(handle)
    }
}

/// Midnight UTC of a Julian day; days before 1970 count as 1970, those after 2554 as the last.
fn midnight_ns(julian_day: i32) -> u64 {
    const JULIAN_DAY_OF_1970: i64 = 2_440_588;
    let days = (i64::from(julian_day) - JULIAN_DAY_OF_1970).max(0) as u64;
    days.saturating_mul(crate::decimal::DAY_NS)
}

const NO_HANDLE: u32 = u32::MAX;
/// Answers kept: a power of two above the instruments that trade at once in most files.
const RECENT: usize = 256;
/// Holds at no time.
const NO_ANSWER: Answer = Answer { publisher: 0, instrument: 0, start_ns: 0, end_ns: 0, handle: 0 };
