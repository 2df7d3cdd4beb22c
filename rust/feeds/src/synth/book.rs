//! The generator's own order books: what rests, who is best, whose time is up first.
//!
//! Invariant: a number in a book side or at the head of the expiry queue that matches its slot is
//! a live order, so nothing dead can be filled or cancelled; the best of a side is its last entry,
//! the oldest order of the best price.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Live orders at most, over all instruments. Orders end by themselves, so a few hundred are
/// usual; at the bound the flow cancels instead of adding.
pub(crate) const LIVE_MAX: usize = 1 << 16;
const SLOT_BITS: u32 = 20;
/// Marks a slot without an order; order numbers start at 1.
const VACANT: u64 = 0;

/// Side of a book: the index of its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Buy = 0,
    Sell = 1,
}

impl Side {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// FIX 54.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Buy => 1,
            Self::Sell => 2,
        }
    }

    /// A price as a rank: the better for this side, the larger.
    fn rank(self, px_ticks: i64) -> i64 {
        match self {
            Self::Buy => px_ticks,
            Self::Sell => -px_ticks,
        }
    }
}

/// A resting order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    /// Place in the order of birth, from 1.
    pub(crate) number: u64,
    pub(crate) px_ticks: i64,
    pub(crate) qty: i64,
    pub(crate) instrument: u32,
    pub(crate) account: u32,
    pub(crate) strategy: u32,
    pub(crate) side: Side,
}

/// An order's place in a book side; sorted by rank, then youngest first.
#[derive(Debug, Clone, Copy)]
struct Place {
    rank: i64,
    number: u64,
    slot: u32,
}

impl Place {
    fn before(&self, rank: i64, number: u64) -> bool {
        self.rank < rank || (self.rank == rank && self.number > number)
    }
}

/// All books and the queue of expiries.
#[derive(Debug, Clone)]
pub(crate) struct Books {
    orders: Vec<Order>,
    vacant: Vec<u32>,
    /// Two lists an instrument, at `2 * instrument + side`.
    sides: Vec<Vec<Place>>,
    /// (expiry, number, slot) packed into one integer; entries of dead orders are skipped late.
    expiries: BinaryHeap<Reverse<u128>>,
}

impl Books {
    pub(crate) fn new(instruments: usize) -> Self {
        Self {
            orders: Vec::new(),
            vacant: Vec::new(),
            sides: vec![Vec::new(); 2 * instruments],
            expiries: BinaryHeap::new(),
        }
    }

    /// Orders that rest.
    pub(crate) fn live(&self) -> usize {
        self.orders.len() - self.vacant.len()
    }

    /// The best price of a side.
    #[inline]
    pub(crate) fn best(&self, instrument: u32, side: Side) -> Option<i64> {
        self.list(instrument, side).last().map(|place| side.rank(place.rank))
    }

    /// The slot of the order that an execution against this side hits first.
    pub(crate) fn front(&self, instrument: u32, side: Side) -> Option<u32> {
        self.list(instrument, side).last().map(|place| place.slot)
    }

    pub(crate) fn order(&self, slot: u32) -> Order {
        self.orders[slot as usize]
    }

    /// The live order whose time is up first, if it is up by `ts_ns`.
    #[inline]
    pub(crate) fn expired(&mut self, ts_ns: u64) -> Option<u32> {
        loop {
            let Reverse(head) = *self.expiries.peek()?;
            let slot = head as u32 & ((1 << SLOT_BITS) - 1);
            let number = head as u64 >> SLOT_BITS;
            if self.orders[slot as usize].number == number {
                return ((head >> 64) as u64 <= ts_ns).then_some(slot);
            }
            self.expiries.pop();
        }
    }

    /// Lets an order rest until it is filled, or cancelled at its turn after `expiry_ns`.
    pub(crate) fn add(&mut self, order: Order, expiry_ns: u64) {
        let slot = if let Some(slot) = self.vacant.pop() {
            self.orders[slot as usize] = order;
            slot
        } else {
            self.orders.push(order);
            self.orders.len() as u32 - 1
        };
        let rank = order.side.rank(order.px_ticks);
        let list = &mut self.sides[2 * order.instrument as usize + order.side as usize];
        let at = list.partition_point(|place| place.before(rank, order.number));
        list.insert(at, Place { rank, number: order.number, slot });
        self.expire_at(slot, expiry_ns);
    }

    /// Takes `qty` off an order and says what is left; at nothing left the order is gone.
    pub(crate) fn take(&mut self, slot: u32, qty: i64) -> i64 {
        let order = &mut self.orders[slot as usize];
        order.qty -= qty;
        let left = order.qty;
        if left <= 0 {
            let Order { number, px_ticks, instrument, side, .. } = *order;
            order.number = VACANT;
            self.vacant.push(slot);
            let list = &mut self.sides[2 * instrument as usize + side as usize];
            let rank = side.rank(px_ticks);
            let at = list.partition_point(|place| place.before(rank, number));
            list.remove(at);
        }
        left
    }

    /// Gives the order at the head of the queue, which has just been reduced, a new expiry.
    pub(crate) fn renew(&mut self, slot: u32, expiry_ns: u64) {
        self.expiries.pop();
        self.expire_at(slot, expiry_ns);
    }

    fn expire_at(&mut self, slot: u32, expiry_ns: u64) {
        if self.expiries.len() >= 2 * LIVE_MAX {
            let orders = &self.orders;
            self.expiries.retain(|Reverse(entry)| {
                let slot = *entry as usize & ((1 << SLOT_BITS) - 1);
                orders[slot].number == *entry as u64 >> SLOT_BITS
            });
        }
        let tail = self.orders[slot as usize].number << SLOT_BITS | u64::from(slot);
        self.expiries.push(Reverse(u128::from(expiry_ns) << 64 | u128::from(tail)));
    }

    fn list(&self, instrument: u32, side: Side) -> &[Place] {
        &self.sides[2 * instrument as usize + side as usize]
    }
}
