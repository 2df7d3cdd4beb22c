//! Order books rebuilt from events: who rests, at which price, and the best of each side.
//!
//! Source: design note "replay", sections 5 to 7. An add on a live id overwrites it: a snapshot
//! that is repeated in the next file doubles nothing. What an execution does to a book is the
//! format's rule, see [`FillRule`]. Books of a file that starts in mid-day lack what came before
//! it.
//!
//! Invariants: each level holds the sum over its live orders, and a level without an order is gone;
//! the best of a side is found, and an event applied, in O(log levels).

use crate::decoder::{LIVE_ORDERS_MAX, NAMES_MAX};
use crate::error::{FeedError, FeedErrorKind};
use crate::event::{Event, EventKind, flag};
use crate::sniff::Format;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// What a row of an execution does to the order that rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FillRule {
    /// The row itself takes the quantity off: LOBSTER, ITCH, the CWTS formats.
    Reduces,
    /// The row takes nothing off; the cancel or change that follows it does: DBN.
    Follows,
}

impl FillRule {
    /// The rule of this format.
    pub const fn of(format: Format) -> Self {
        match format {
            Format::Dbn => Self::Follows,
            _ => Self::Reduces,
        }
    }
}

/// A side of a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BookSide {
    /// Orders to buy; the highest price is the best.
    Bid,
    /// Orders to sell; the lowest price is the best.
    Ask,
}

impl BookSide {
    /// The side of FIX 54; `None` for no side.
    pub const fn of(side: u8) -> Option<Self> {
        match side {
            1 => Some(Self::Bid),
            2 | 5 | 6 => Some(Self::Ask),
            _ => None,
        }
    }
}

/// An order that rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resting {
    /// Price in 1e-9 currency units.
    pub px: i64,
    /// What is left of it.
    pub qty: i64,
    /// Its side.
    pub side: BookSide,
}

/// All that rests at one price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Level {
    /// The sum of what is left.
    pub qty: i128,
    /// Orders.
    pub orders: usize,
}

/// The books of one input, by its instruments' handles.
#[derive(Debug)]
pub struct Books {
    fills: FillRule,
    live: usize,
    live_max: usize,
    books: Vec<Book>,
}

#[derive(Debug, Default)]
struct Book {
    orders: FxHashMap<u64, Resting>,
    bids: BTreeMap<i64, Level>,
    asks: BTreeMap<i64, Level>,
}

impl Books {
    /// Empty books.
    pub fn new(fills: FillRule) -> Self {
        Self::with_live_max(fills, LIVE_ORDERS_MAX)
    }

    /// Empty books that hold `live_max` orders at most.
    pub fn with_live_max(fills: FillRule, live_max: usize) -> Self {
        Self { fills, live: 0, live_max, books: Vec::new() }
    }

    /// Applies one event; prints, states and rows on orders that are not here change nothing.
    ///
    /// # Errors
    /// `TOO_MANY_LIVE_ORDERS`, with the record; the books then lack that order.
    pub fn apply(&mut self, event: &Event) -> Result<(), FeedError> {
        let index = event.instrument as usize;
        if index >= NAMES_MAX {
            let detail = format!("instrument {index}; the bound is {NAMES_MAX}");
            return Err(FeedError::new(FeedErrorKind::TooManyNames, detail).at(event.src, 0));
        }
        if self.books.len() <= index {
            self.books.resize_with(index + 1, Book::default);
        }
        let book = &mut self.books[index];
        let others = self.live - book.orders.len();
        let applied = book.apply(event, self.fills, self.live_max.saturating_sub(others));
        self.live = others + book.orders.len();
        applied.map_err(|_full| too_many(self.live_max, event.src))
    }

    /// The best price of a side, and what rests there.
    pub fn best(&self, instrument: u32, side: BookSide) -> Option<(i64, Level)> {
        let book = self.books.get(instrument as usize)?;
        let (px, level) = match side {
            BookSide::Bid => book.bids.last_key_value()?,
            BookSide::Ask => book.asks.first_key_value()?,
        };
        Some((*px, *level))
    }

    /// Every level of a side, the best first.
    pub fn levels(&self, instrument: u32, side: BookSide) -> Vec<(i64, Level)> {
        let Some(book) = self.books.get(instrument as usize) else { return Vec::new() };
        let copied = |(px, level): (&i64, &Level)| (*px, *level);
        match side {
            BookSide::Bid => book.bids.iter().rev().map(copied).collect(),
            BookSide::Ask => book.asks.iter().map(copied).collect(),
        }
    }

    /// A live order.
    pub fn order(&self, instrument: u32, order_id: u64) -> Option<Resting> {
        self.books.get(instrument as usize)?.orders.get(&order_id).copied()
    }

    /// Live orders over all books.
    pub fn live_orders(&self) -> usize {
        self.live
    }
}

/// A book has all the orders that it may have.
struct Full;

impl Book {
    fn apply(&mut self, event: &Event, fills: FillRule, room: usize) -> Result<(), Full> {
        let id = event.order_id;
        match event.kind {
            EventKind::Add => {
                self.remove(id);
                return self.rest(event, None, room);
            }
            EventKind::Replace => {
                let target = if event.ref_id == 0 { id } else { event.ref_id };
                let old = self.remove(target);
                self.remove(id);
                return self.rest(event, old, room);
            }
            EventKind::Reduce => {
                // Where the fill itself took the quantity off, what follows from it takes no more.
                let taken = fills == FillRule::Reduces && event.flags & flag::CONSEQUENCE != 0;
                if !taken {
                    self.reduce(id, event.qty);
                }
            }
            EventKind::Fill if fills == FillRule::Reduces => self.reduce(id, event.qty),
            EventKind::Delete => {
                self.remove(id);
            }
            EventKind::Clear => *self = Self::default(),
            _ => {}
        }
        Ok(())
    }

    /// Lets the order of an add or a change rest; what the row does not say is as it was in `old`.
    /// Without a price, a quantity or a side nothing rests.
    fn rest(&mut self, event: &Event, old: Option<Resting>, room: usize) -> Result<(), Full> {
        let side = BookSide::of(event.side).or(old.map(|order| order.side));
        let has_price = event.flags & flag::UNDEF_PX == 0;
        let px = if has_price { Some(event.px) } else { old.map(|order| order.px) };
        let (Some(side), Some(px), 1..) = (side, px, event.qty) else { return Ok(()) };
        if self.orders.len() >= room {
            return Err(Full);
        }
        let level = self.side(side).entry(px).or_default();
        level.qty += i128::from(event.qty);
        level.orders += 1;
        self.orders.insert(event.order_id, Resting { px, qty: event.qty, side });
        Ok(())
    }

    fn side(&mut self, side: BookSide) -> &mut BTreeMap<i64, Level> {
        match side {
            BookSide::Bid => &mut self.bids,
            BookSide::Ask => &mut self.asks,
        }
    }

    fn remove(&mut self, order_id: u64) -> Option<Resting> {
        let order = self.orders.remove(&order_id)?;
        self.take(order, order.qty, 1);
        Some(order)
    }

    /// Takes `qty` off an order; with nothing left it is gone.
    fn reduce(&mut self, order_id: u64, qty: i64) {
        let Some(order) = self.orders.get_mut(&order_id) else { return };
        if qty <= 0 {
            return;
        }
        if qty >= order.qty {
            self.remove(order_id);
            return;
        }
        order.qty -= qty;
        let order = *order;
        self.take(order, qty, 0);
    }

    fn take(&mut self, order: Resting, qty: i64, orders: usize) {
        let side = self.side(order.side);
        if let Some(level) = side.get_mut(&order.px) {
            level.qty -= i128::from(qty);
            level.orders -= orders;
            if level.orders == 0 {
                side.remove(&order.px);
            }
        }
    }
}

#[cold]
fn too_many(live_max: usize, record: u64) -> FeedError {
    let detail = format!("more than {live_max} live orders; split the file by instrument");
    FeedError::new(FeedErrorKind::TooManyLiveOrders, detail).at(record, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event(kind: EventKind, order_id: u64, side: u8, px: i64, qty: i64, flags: u16) -> Event {
        Event {
            ts_ns: 0,
            order_id,
            px,
            qty,
            ref_id: 0,
            src: 7,
            instrument: 0,
            account: u32::MAX,
            strategy: u32::MAX,
            kind,
            side,
            flags,
        }
    }

    fn books(fills: FillRule, events: &[Event]) -> Books {
        let mut books = Books::new(fills);
        for event in events {
            books.apply(event).unwrap();
        }
        books
    }

    fn top(books: &Books) -> [Option<(i64, i128, usize)>; 2] {
        [BookSide::Bid, BookSide::Ask]
            .map(|side| books.best(0, side).map(|(px, level)| (px, level.qty, level.orders)))
    }

    use EventKind::{Add, Clear, Delete, Fill, Reduce, Replace, Trade};

    #[test]
    fn a_fill_takes_off_once_under_either_rule() {
        // A fill of 4 of 10, as DBN and as the other formats write it.
        let follows = [
            event(Add, 1, 1, 100, 10, 0),
            event(Trade, 0, 2, 100, 4, 0),
            event(Fill, 1, 1, 100, 4, flag::NO_REF),
            event(Reduce, 1, 1, 100, 4, flag::CONSEQUENCE | flag::EVENT_END),
        ];
        assert_eq!(top(&books(FillRule::Follows, &follows)), [Some((100, 6, 1)), None]);
        assert_eq!(top(&books(FillRule::Reduces, &follows)), [Some((100, 6, 1)), None]);
        assert_eq!(top(&books(FillRule::Reduces, &follows[..3])), [Some((100, 6, 1)), None]);
        assert_eq!(top(&books(FillRule::Follows, &follows[..3])), [Some((100, 10, 1)), None]);
    }

    #[test]
    fn an_add_on_a_live_id_overwrites() {
        let twice = [event(Add, 1, 1, 100, 10, 0), event(Add, 1, 2, 105, 3, flag::SNAPSHOT)];
        let books = books(FillRule::Follows, &twice);
        assert_eq!((top(&books), books.live_orders()), ([None, Some((105, 3, 1))], 1));
    }

    #[test]
    fn a_change_keeps_what_it_does_not_say() {
        let renamed = Event { ref_id: 1, ..event(Replace, 2, 0, 101, 8, 0) };
        let priced = event(Replace, 2, 0, 0, 5, flag::UNDEF_PX);
        let mut books = books(FillRule::Reduces, &[event(Add, 1, 5, 100, 10, 0), renamed]);
        let order = Resting { px: 101, qty: 8, side: BookSide::Ask };
        assert_eq!((books.order(0, 1), books.order(0, 2)), (None, Some(order)));
        books.apply(&priced).unwrap();
        assert_eq!(books.order(0, 2), Some(Resting { qty: 5, ..order }));
        // Of an order that is not here only a whole description rests.
        books.apply(&event(Replace, 9, 0, 100, 5, 0)).unwrap();
        books.apply(&event(Replace, 8, 1, 99, 5, 0)).unwrap();
        assert_eq!((books.order(0, 9), top(&books)[0]), (None, Some((99, 5, 1))));
        books.apply(&event(Replace, 8, 1, 99, 0, 0)).unwrap();
        assert_eq!((top(&books)[0], books.live_orders()), (None, 1));
    }

    #[test]
    fn a_clear_empties_its_instrument_alone() {
        let other = Event { instrument: 3, ..event(Add, 1, 1, 50, 1, 0) };
        let events =
            [event(Add, 1, 1, 100, 10, 0), other, event(Clear, 0, 0, 0, 0, flag::UNDEF_PX)];
        let books = books(FillRule::Follows, &events);
        assert_eq!((top(&books), books.live_orders()), ([None, None], 1));
        assert_eq!(books.best(3, BookSide::Bid).map(|row| row.0), Some(50));
    }

    #[test]
    fn what_does_not_rest_is_in_no_book() {
        let events = [
            event(Add, 1, 1, 0, 10, flag::UNDEF_PX),
            event(Add, 2, 0, 100, 10, 0),
            event(Add, 3, 1, 100, 0, 0),
            event(Reduce, 4, 1, 100, 5, 0),
            event(Delete, 5, 1, 100, 5, 0),
        ];
        assert_eq!(books(FillRule::Reduces, &events).live_orders(), 0);
    }

    #[test]
    fn the_bound_names_the_record_and_holds() {
        let mut books = Books::with_live_max(FillRule::Follows, 2);
        for id in [1, 2, 2] {
            books.apply(&event(Add, id, 1, 100, 10, 0)).unwrap();
        }
        let error = books.apply(&event(Add, 3, 1, 100, 10, 0)).unwrap_err();
        assert_eq!((error.kind, error.record), (FeedErrorKind::TooManyLiveOrders, 7));
        let changed = books.apply(&event(Replace, 4, 1, 100, 10, 0)).unwrap_err();
        assert_eq!(changed.kind, FeedErrorKind::TooManyLiveOrders);
        assert_eq!((books.live_orders(), top(&books)[0]), (2, Some((100, 20, 2))));
        books.apply(&event(Delete, 1, 1, 0, 0, 0)).unwrap();
        books.apply(&event(Add, 3, 1, 100, 10, 0)).unwrap();
        let far = Event { instrument: u32::MAX, ..event(Add, 1, 1, 100, 10, 0) };
        assert_eq!(books.apply(&far).unwrap_err().kind, FeedErrorKind::TooManyNames);
    }

    proptest! {
        /// Against a list of orders that is summed up anew after every event.
        #[test]
        fn levels_are_the_sums_of_the_live_orders(
            rows in prop::collection::vec(
                (1..=8_u8, 1..6_u64, 0..4_u64, 0..3_u8, 98..103_i64, 0..9_i64, any::<bool>()),
                0..200,
            ),
            follows in any::<bool>(),
        ) {
            let fills = if follows { FillRule::Follows } else { FillRule::Reduces };
            let mut books = Books::new(fills);
            let mut naive: Vec<(u64, u8, i64, i64)> = Vec::new();
            for (kind, id, ref_id, side, px, qty, follows_from_fill) in rows {
                let flags = if follows_from_fill { flag::CONSEQUENCE } else { 0 };
                let kind = EventKind::from_code(kind).unwrap();
                let event = Event { ref_id, ..event(kind, id, side, px, qty, flags) };
                books.apply(&event).unwrap();
                let target = if kind == Replace && ref_id != 0 { ref_id } else { id };
                let old = naive.iter().find(|row| row.0 == target).copied();
                let takes = match kind {
                    Reduce => follows || !follows_from_fill,
                    Fill => !follows,
                    _ => false,
                };
                match kind {
                    Add | Replace => {
                        naive.retain(|row| row.0 != target && row.0 != id);
                        let inherited = old.filter(|_| kind == Replace).map_or(0, |row| row.1);
                        let side = if side == 0 { inherited } else { side };
                        if side != 0 && qty > 0 {
                            naive.push((id, side, px, qty));
                        }
                    }
                    Delete => naive.retain(|row| row.0 != id),
                    Clear => naive.clear(),
                    _ if takes => {
                        for row in &mut naive {
                            row.3 -= if row.0 == id { qty } else { 0 };
                        }
                        naive.retain(|row| row.3 > 0);
                    }
                    _ => {}
                }
                for (side, code) in [(BookSide::Bid, 1), (BookSide::Ask, 2)] {
                    let mut levels: BTreeMap<i64, Level> = BTreeMap::new();
                    for row in naive.iter().filter(|row| row.1 == code) {
                        let level = levels.entry(row.2).or_default();
                        level.qty += i128::from(row.3);
                        level.orders += 1;
                    }
                    let mut wanted: Vec<_> = levels.into_iter().collect();
                    if side == BookSide::Bid {
                        wanted.reverse();
                    }
                    prop_assert_eq!(books.levels(0, side), wanted.clone());
                    prop_assert_eq!(books.best(0, side), wanted.first().copied());
                }
                prop_assert_eq!(books.live_orders(), naive.len());
            }
        }
    }
}
