//! The middle of the rebuilt book, for collars with `reference = "mid"`.
//!
//! The book is the market's: it holds orders that the account's limits refused, because the market
//! had them. It is read where a venue's event ends, in formats that say where; in between it is
//! half done. A book without one of its sides, or one that crosses, moves no reference.

use cwts_feeds::book::{BookSide, Books, FillRule};
use cwts_feeds::error::FeedError;
use cwts_feeds::event::{Event, flag};
use cwts_feeds::sniff::Format;
use cwts_risk::limits::{LimitsFile, ReferenceSource};

/// Books, and the middle of each that was said last.
pub(super) struct MidBooks {
    books: Books,
    whole_events: bool,
    said: Vec<Option<i64>>,
}

/// A middle that is new, and what it lies between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NewMid {
    pub(super) px: i64,
    pub(super) bid: i64,
    pub(super) ask: i64,
}

impl MidBooks {
    /// Whether a collar of this file listens to books.
    pub(super) fn are_wanted(file: &LimitsFile) -> bool {
        let mut all = file.groups.values().chain(file.instruments.values());
        let is_mid = |source: ReferenceSource| source == ReferenceSource::Mid;
        all.any(|i| i.price_collar.is_some_and(|collar| is_mid(collar.reference)))
    }

    /// Empty books.
    pub(super) fn new(format: Format) -> Self {
        Self {
            books: Books::new(FillRule::of(format)),
            whole_events: format == Format::Dbn,
            said: Vec::new(),
        }
    }

    /// Applies an event; the middle of its instrument's book, if that is another than before.
    pub(super) fn event(&mut self, event: &Event) -> Result<Option<NewMid>, FeedError> {
        self.books.apply(event)?;
        if self.whole_events && event.flags & flag::EVENT_END == 0 {
            return Ok(None);
        }
        let best = |side| self.books.best(event.instrument, side).map(|(px, _)| px);
        let (Some(bid), Some(ask)) = (best(BookSide::Bid), best(BookSide::Ask)) else {
            return Ok(None);
        };
        let index = event.instrument as usize;
        if self.said.len() <= index {
            self.said.resize(index + 1, None);
        }
        let Some(px) = cwts_risk::mid(bid, ask).filter(|px| self.said[index] != Some(*px)) else {
            return Ok(None);
        };
        self.said[index] = Some(px);
        Ok(Some(NewMid { px, bid, ask }))
    }
}
