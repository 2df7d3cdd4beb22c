//! Orders in blocks: what a block can know before its first order is decided.
//!
//! A decision waits for memory more than for arithmetic: an order of a random account in a random
//! instrument reads a dozen lines that no cache holds. A block reads them first, for many orders
//! at once, so that the waits overlap, and checks the orders of one instrument in columns. Then
//! its orders are decided one by one, in their order, by the same functions as single orders.
//! Source: design note "risk", section 7.

use std::hint::black_box;

use cwts_simd::columns::{flag, reason};
use cwts_simd::{BLOCK_MAX, Columns, Groups, Kernel, Row, has_long_runs};
use cwts_types::{Order, OrderType, order_flag};

use crate::Outcome;
use crate::engine::Engine;
use crate::holding::holding_key;

/// What a block has found out of each of its orders. Reused from block to block.
#[derive(Debug, Default)]
pub struct Block {
    hints: Vec<Hint>,
    instruments: Vec<u32>,
    groups: Groups,
    columns: Columns,
    reasons: Vec<u16>,
    tq: Vec<i64>,
}

/// What was found out of one order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hint {
    /// Index of its holding; a holding never moves.
    pub(crate) holding: Option<u32>,
    /// What the columns found: orders change nothing that they check.
    pub(crate) columns: Option<Found>,
}

/// What the columns found of one order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    /// Bits of [`reason`], without [`reason::SCALAR`].
    pub(crate) reasons: u16,
    /// Ticks times quantity.
    pub(crate) tq: i64,
}

impl Hint {
    /// Nothing is known.
    pub(crate) const NONE: Self = Self { holding: None, columns: None };
}

impl Block {
    /// Without orders.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Engine {
    /// Decides orders in their order, each as [`Engine::decide`] does, and says how many: `each`
    /// gets every outcome with its order's index, and stops the batch by answering `false`.
    pub fn decide_batch(
        &mut self,
        orders: &[Order],
        block: &mut Block,
        replayed: bool,
        mut each: impl FnMut(usize, Outcome) -> bool,
    ) -> usize {
        for (number, part) in orders.chunks(BLOCK_MAX).enumerate() {
            self.prepare(part, block);
            self.open_block(part);
            for (index, order) in part.iter().enumerate() {
                if index % AHEAD == 0 {
                    let end = part.len().min(index + AHEAD);
                    self.fetch(&part[index..end], &mut block.hints[index..end]);
                }
                let outcome = self.decide_with(order, replayed, block.hints[index], |_| {});
                if !each(number * BLOCK_MAX + index, outcome) {
                    self.close_block();
                    return number * BLOCK_MAX + index + 1;
                }
            }
            self.close_block();
        }
        orders.len()
    }

    /// Checks the orders of one instrument together, where there are enough of them.
    fn prepare(&self, orders: &[Order], block: &mut Block) {
        let Block { hints, instruments, groups, columns, reasons, tq } = block;
        hints.clear();
        hints.resize(orders.len(), Hint::NONE);
        instruments.clear();
        instruments.extend(orders.iter().map(|order| order.instrument));
        if !has_long_runs(instruments) || groups.group(instruments).is_err() {
            return;
        }
        columns.gather(orders, groups.order(), row);
        let kernel = Kernel::best();
        for run in groups.runs() {
            let line = self.instruments.get(run.instrument as usize).and_then(Option::as_ref);
            let Some(line) = line else { continue };
            let limits = if line.has_reference {
                line.columns.with_collar(line.lo, line.hi)
            } else {
                *line.columns
            };
            columns.check(kernel, &limits, run.start..run.end);
        }
        reasons.resize(orders.len(), 0);
        tq.resize(orders.len(), 0);
        columns.scatter(groups.order(), reasons, tq);
        let found = reasons.iter().zip(tq.iter());
        for ((hint, order), (reasons, tq)) in hints.iter_mut().zip(orders).zip(found) {
            let line = self.instruments.get(order.instrument as usize).and_then(Option::as_ref);
            if line.is_some() && reasons & reason::SCALAR == 0 {
                hint.columns = Some(Found { reasons: *reasons, tq: *tq });
            }
        }
    }

    /// Reads what the next orders need, at most [`AHEAD`] of them, before they are decided one by
    /// one: a decision is the same without it.
    pub fn read_ahead(&self, orders: &[Order]) {
        let count = orders.len().min(AHEAD);
        self.fetch(&orders[..count], &mut [Hint::NONE; AHEAD][..count]);
    }

    /// Reads what orders need, so that their waits for memory overlap.
    fn fetch(&self, orders: &[Order], hints: &mut [Hint]) {
        for (order, hint) in orders.iter().zip(hints.iter_mut()) {
            let key = holding_key(order.account, order.instrument);
            hint.holding = self.holding_index.get(&key).copied();
        }
        // What each order needs for itself; then what that points at.
        let mut read = 0;
        for (order, hint) in orders.iter().zip(hints.iter()) {
            if let Some(index) = hint.holding.map(|index| index as usize) {
                read ^= self.holdings[index].lines();
            }
            if let Some(Some(line)) = self.instruments.get(order.instrument as usize) {
                read ^= line.first_lines();
            }
            if let Some(Some(line)) = self.accounts.get(order.account as usize) {
                read ^= line.max_qty ^ i64::from(line.missing);
                read ^= self.nodes[line.node].first_lines();
            }
        }
        for order in orders {
            if let Some(Some(line)) = self.instruments.get(order.instrument as usize) {
                if let Some(rate) = line.rate {
                    read ^= self.windows[rate].ends() as i64;
                }
                if line.watch {
                    read ^= line.rules.min_n ^ line.market.oldest_move();
                }
            }
            if let Some(Some(line)) = self.accounts.get(order.account as usize) {
                if let Some(rate) = line.rate {
                    read ^= self.windows[rate].ends() as i64;
                }
                if let Some(sums) = self.nodes[line.node].sums {
                    read ^= self.sums[sums].ends() as i64;
                }
                read ^= self.first_of_book(line.node, order);
            }
        }
        black_box(read);
    }
}

/// A limit order has a price of its own; what others are worth is not for columns to say.
fn row(order: &Order) -> Row {
    let is_limit = order.type_tif & 0x0f == OrderType::Limit as u8;
    let odd_lot = if order.flags & order_flag::ODD_LOT == 0 { 0 } else { flag::ODD_LOT };
    let flags = odd_lot | if is_limit { flag::COLLARED } else { flag::FAR };
    Row { px: order.px, qty: order.qty, flags }
}

/// Orders whose lines are read before the first of them is decided.
pub const AHEAD: usize = 32;
