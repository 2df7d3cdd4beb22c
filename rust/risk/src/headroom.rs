//! Parents that a block cannot exhaust: tested once a block, not once an order.
//!
//! While a block of new orders is decided, the sums of a node only grow, and by no more than what
//! the block adds if all of it is accepted. A node that has room for all of that refuses none of
//! its orders, whatever the others come to; its sums may then be added when the block ends.
//! Source: design note "risk", section 7.

use cwts_types::{Order, OrderKind};

use crate::engine::Engine;
use crate::evaluate::{priced, shape};
use crate::tables::Node;

/// What a block has reserved under a node and its parents have not counted yet.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Due {
    pub(crate) open: i64,
    pub(crate) open_buy: i64,
    pub(crate) orders: u32,
}

impl Due {
    /// Adds a reservation of one new order.
    #[inline]
    pub(crate) fn reserve(&mut self, n: i64, is_buy: bool) {
        // Bounded by the block's sum, which fits the node's limits.
        self.open += n;
        if is_buy {
            self.open_buy += n;
        }
        self.orders += 1;
    }
}

impl Engine {
    /// Marks the parents that have room for all of `orders`; of no block but one of today's new
    /// orders whose ids nobody has used, because any other may take something off a sum.
    pub(crate) fn open_block(&mut self, orders: &[Order]) {
        let parents = self.parents();
        // Who wants alerts looks at the sums after each order.
        let control = &self.file.control;
        if parents > orders.len() || control.slow != 0 || control.alert[0] != 0 {
            return;
        }
        let Some(total) = self.block_notional(orders) else { return };
        let count = orders.len() as i64;
        // A parent stands before its children.
        for place in 0..parents {
            let index = self.parent_at(place);
            let node = &self.nodes[index];
            let above = index == 0 || node.parent.is_some_and(|parent| self.nodes[parent].roomy);
            self.nodes[index].roomy = above && has_room(node, total, count);
        }
    }

    /// Adds what is due, from the lowest parents up.
    pub(crate) fn close_block(&mut self) {
        for place in (0..self.parents()).rev() {
            let index = self.parent_at(place);
            let node = &mut self.nodes[index];
            if !std::mem::take(&mut node.roomy) {
                continue;
            }
            let due = std::mem::take(&mut node.due);
            node.open += due.open;
            node.open_buy += due.open_buy;
            node.tally.open_orders += due.orders;
            node.tally.day_orders += due.orders;
            node.peak_open = node.peak_open.max(node.open);
            node.peak = node.peak.max(node.open.saturating_add(node.held));
            if let Some(parent) = node.parent {
                let above = &mut self.nodes[parent].due;
                above.open += due.open;
                above.open_buy += due.open_buy;
                above.orders += due.orders;
            }
        }
    }

    /// The firm, the desks, the customers.
    fn parents(&self) -> usize {
        self.desks.len() + self.customers.len() - 1
    }

    fn parent_at(&self, place: usize) -> usize {
        // Handle 0 of both kinds is nobody's, and stands for the firm; once is enough.
        match place.checked_sub(self.desks.len()) {
            Some(customer) => self.customers[customer + 1],
            None => self.desks[place],
        }
    }

    /// Notional of all orders together, micros.
    fn block_notional(&self, orders: &[Order]) -> Option<i64> {
        let (mut total, mut last) = (0_i64, self.id_max);
        for order in orders {
            let is_today = order.ts < self.next_roll;
            if order.kind != OrderKind::New as u8 || order.order_id <= last || !is_today {
                return None;
            }
            last = order.order_id;
            let line = self.instruments.get(order.instrument as usize).and_then(Option::as_ref);
            // An order that is refused for what it is adds nothing.
            let Some(line) = line else { continue };
            let Some(shape) = shape(order, line.nonpositive) else { continue };
            let px = priced(order, shape.order_type, line);
            total = total.checked_add(line.notional.micros(px, order.qty.unsigned_abs())?)?;
        }
        Some(total)
    }
}

/// Whether none of `count` orders, of `total` micros together, can be too much for the node.
pub(crate) fn has_room(node: &Node, total: i64, count: i64) -> bool {
    let within = |used: i64, limit: i64| used.checked_add(total).is_some_and(|sum| sum <= limit);
    let counted = |used: u32, limit: i64| i64::from(used) + count <= limit;
    let Node { caps, tally, .. } = node;
    let open_sell = node.open.saturating_sub(node.open_buy);
    let (long, short) = (node.net.checked_add(node.open_buy), open_sell.checked_sub(node.net));
    node.kill == 0
        && node.missing == 0
        && node.sums.is_none()
        && caps.concentration_bps.is_none()
        && !tally.latched.iter().any(|latch| latch.is_shut())
        && counted(tally.open_orders, caps.open_orders.min(COUNT_MAX))
        && counted(tally.day_orders, caps.day_orders.min(COUNT_MAX))
        && within(node.open, node.max_open)
        && node.open.checked_add(node.held).is_some_and(|used| within(used, node.credit))
        && node.day.checked_add(node.open).is_some_and(|day| within(day, caps.day))
        && long.is_some_and(|long| within(long, caps.net))
        && short.is_some_and(|short| within(short, caps.net))
}

/// What a counter can hold.
const COUNT_MAX: i64 = u32::MAX as i64;
