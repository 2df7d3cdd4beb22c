//! Own working orders by price, to find those that a new order would meet.
//!
//! One book for each instrument of a topmost node that has a rule on own trades: what crosses
//! under a node crosses under all above it, and where the rule holds hardly anything crosses. So
//! nodes below need no books of their own: they look through the few orders that do.

use std::collections::{BTreeMap, HashMap};

use cwts_types::{Order, OrderType};
use rustc_hash::FxBuildHasher;

use crate::engine::Engine;
use crate::limits::SelfTrade;
use crate::working::{Terms, Working};

/// The books, by node and instrument.
pub(crate) type Books = HashMap<u64, Book, FxBuildHasher>;

/// Working orders of a node in one instrument: how many of each account at each price.
#[derive(Debug, Clone)]
pub(crate) struct Book {
    /// The best price of each side; one that nobody reaches if there is none.
    best: [i64; 2],
    /// Buys and sells; the key is the price, of buys its complement: the best stands first.
    sides: [BTreeMap<(i64, u32), u32>; 2],
}

impl Book {
    const EMPTY: Self = Self { best: NOBODY, sides: [BTreeMap::new(), BTreeMap::new()] };

    /// Adds or takes away one order of an account at a price.
    fn move_one(&mut self, side: usize, px: i64, account: u32, is_added: bool) {
        let key = (rank(side, px), account);
        if is_added {
            let count = self.sides[side].entry(key).or_default();
            *count = count.saturating_add(1);
        } else if let Some(count) = self.sides[side].get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.sides[side].remove(&key);
            }
        }
        let first = self.sides[side].first_key_value();
        self.best[side] = first.map_or(NOBODY[side], |((key, _), _)| rank(side, *key));
    }

    /// The first price of a side; reading it brings its line near.
    fn first(&self, side: usize) -> i64 {
        self.sides[side].first_key_value().map_or(0, |((key, _), _)| *key)
    }

    /// Whether an order of the other side at `reach` meets the best of `side`.
    #[inline]
    fn is_met(&self, side: usize, reach: i64) -> bool {
        // Who reaches every price meets nobody where there is nobody.
        is_met(side, self.best[side], reach) && !self.sides[side].is_empty()
    }

    /// Prices and accounts on `side` that an order at `reach` would meet, the best first.
    fn met(&self, side: usize, reach: i64) -> impl Iterator<Item = (i64, u32)> {
        let rows = self.sides[side].keys().map(move |(key, account)| (rank(side, *key), *account));
        rows.take_while(move |(px, _)| is_met(side, *px, reach))
    }
}

/// Ascending from the best price of a side; its own inverse.
fn rank(side: usize, px: i64) -> i64 {
    if side == BUYS { !px } else { px }
}

/// Whether one at `reach` on the other side meets one at `px`.
#[inline]
fn is_met(side: usize, px: i64, reach: i64) -> bool {
    if side == BUYS { reach <= px } else { reach >= px }
}

fn book_key(node: usize, instrument: u32) -> u64 {
    (node as u64) << 32 | u64::from(instrument)
}

const BUYS: usize = 0;
/// Prices at which nobody meets anybody.
const NOBODY: [i64; 2] = [i64::MIN, i64::MAX];

impl Engine {
    /// Builds the books again: limits may have come or gone.
    pub(crate) fn rebuild_crossing(&mut self) {
        self.crossing.clear();
        self.crosses = self.file.aggregates().any(|a| a.self_trade.is_some());
        let cancels = |policy| policy != SelfTrade::RejectNewest;
        self.cancels_own = self.file.aggregates().any(|a| a.self_trade.is_some_and(cancels));
        (0..self.nodes.len()).for_each(|index| self.find_books(index));
        if !self.crosses {
            return;
        }
        let mut ids: Vec<u64> = self.working.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            let Some(working) = self.working.get(&id).copied() else { continue };
            self.move_crossing(id, &working, true);
        }
    }

    /// Finds out which node keeps the books of this one; its parent's is known.
    pub(crate) fn find_books(&mut self, index: usize) {
        let node = &self.nodes[index];
        let above = node.parent.and_then(|parent| self.nodes[parent].books);
        let own = node.caps.self_trade.map(|_| index);
        self.nodes[index].books = above.or(own);
    }

    /// Adds or removes every version of a working order in its book.
    pub(crate) fn move_crossing(&mut self, id: u64, working: &Working, is_added: bool) {
        if !self.crosses {
            return;
        }
        let pending: Vec<Terms> = self.pending(id, working).iter().map(|p| p.terms).collect();
        self.move_versions(working, &pending, is_added);
    }

    pub(crate) fn move_versions(&mut self, working: &Working, pending: &[Terms], is_added: bool) {
        let line = self.accounts[working.account as usize].as_ref();
        let Some(top) = line.and_then(|line| self.nodes[line.node].books) else { return };
        let book = self.crossing.entry(book_key(top, working.instrument)).or_insert(Book::EMPTY);
        let side = usize::from(!working.is_buy());
        for terms in pending.iter().chain([&working.terms]) {
            let px = terms.reach(working.is_buy());
            book.move_one(side, px, working.account, is_added);
        }
    }

    /// The book in which an order under `node` at `reach` meets somebody.
    #[inline]
    pub(crate) fn book_met(
        &self,
        node: usize,
        instrument: u32,
        is_buy: bool,
        reach: i64,
    ) -> Option<&Book> {
        let book = self.crossing.get(&book_key(self.nodes[node].books?, instrument))?;
        book.is_met(usize::from(is_buy), reach).then_some(book)
    }

    /// The first price of the book that an order of an account would stand in.
    #[inline]
    pub(crate) fn first_of_book(&self, node: usize, order: &Order) -> i64 {
        let Some(books) = self.nodes[node].books.filter(|_| self.crosses) else { return 0 };
        let book = self.crossing.get(&book_key(books, order.instrument));
        book.map_or(0, |book| book.first(usize::from(order.side != 1)))
    }

    /// The price of the node's own order in a book that one at `reach` would meet first.
    pub(crate) fn meets(&self, book: &Book, node: usize, is_buy: bool, reach: i64) -> Option<i64> {
        let mut met = book.met(usize::from(is_buy), reach);
        met.find(|(_, account)| self.is_below(*account, node)).map(|(px, _)| px)
    }
}

impl Engine {
    /// Whether the limits have own orders cancelled that a new one would meet.
    #[inline]
    pub fn cancels_own(&self) -> bool {
        self.cancels_own
    }

    /// The own working orders that this one would meet and that its nodes want cancelled for it,
    /// ascending by the id that they were accepted with.
    pub fn own_crossed(&self, order: &Order) -> Vec<u64> {
        let Some(lines) = self.lines(order) else { return Vec::new() };
        let is_buy = order.side == 1;
        let order_type = OrderType::from_code(order.type_tif & 0x0f).unwrap_or(OrderType::Limit);
        let limit_px = crate::evaluate::limit_px(order, order_type);
        let reach = Terms { px_abs: 0, qty: 0, limit_px }.reach(is_buy);
        let mut out = Vec::new();
        let mut at = Some(lines.account.node);
        let book = self.book_met(lines.account.node, order.instrument, is_buy, reach);
        let Some(book) = book else { return out };
        while let Some(index) = at {
            let node = &self.nodes[index];
            at = node.parent;
            let cancels = node.caps.self_trade.is_some_and(|p| p != SelfTrade::RejectNewest);
            if !cancels || self.meets(book, index, is_buy, reach).is_none() {
                continue;
            }
            let own = self.working.iter().filter(|(id, working)| {
                working.instrument == order.instrument
                    && working.is_buy() != is_buy
                    && self.is_below(working.account, index)
                    && self.reaches(**id, working, reach)
            });
            out.extend(own.map(|(id, _)| *id));
        }
        out.sort_unstable();
        out.dedup();
        out
    }

    /// Whether any version of a working order trades at `reach` or better.
    fn reaches(&self, id: u64, working: &Working, reach: i64) -> bool {
        let is_buy = working.is_buy();
        let pending = self.pending(id, working).iter().map(|p| p.terms);
        pending.chain([working.terms]).any(|terms| {
            let own = terms.reach(is_buy);
            if is_buy { own >= reach } else { own <= reach }
        })
    }

    /// Whether the account's line of parents passes through the node.
    fn is_below(&self, account: u32, node: usize) -> bool {
        let line = self.accounts.get(account as usize).and_then(Option::as_ref);
        let mut at = line.map(|line| line.node);
        while let Some(index) = at {
            if index == node {
                return true;
            }
            at = self.nodes.get(index).and_then(|n| n.parent);
        }
        false
    }
}

impl Terms {
    /// The worst price at which it may trade: what has none reaches every price.
    pub(crate) fn reach(&self, is_buy: bool) -> i64 {
        match (self.limit_px, is_buy) {
            (Some(px), _) => px,
            (None, true) => i64::MAX,
            (None, false) => i64::MIN,
        }
    }
}
