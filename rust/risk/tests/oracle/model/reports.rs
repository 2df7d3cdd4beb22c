//! Execution reports, kills, and what the stream may ask of the model.

use super::{MAX, Model};

impl Model {
    /// An execution report; the model's own reading of section 6.
    pub(crate) fn report(&mut self, ts: u64, exec_id: u64, id: u64, what: u8, cum: i64, px: i64) {
        self.clock(ts);
        if exec_id != 0 {
            if self.exec_ids.contains(&exec_id) {
                return;
            }
            self.exec_ids.push(exec_id);
        }
        let Some(at) = self.find(id, true).or_else(|| self.find(id, false)) else { return };
        let order = &mut self.orders[at];
        match what {
            b'F' => {
                let filled = i128::from(cum) - order.cum;
                if filled > 0 {
                    let px = if px == 0 { order.terms.0 } else { i128::from(px).abs() };
                    order.cum += filled;
                    let signed = if order.buys { filled } else { -filled };
                    self.fills.push((order.account, order.instrument, signed, px));
                }
            }
            b'4' | b'C' | b'3' => order.works = false,
            b'8' if id == order.ids[0] || id == order.live => order.works = false,
            b'8' => order.unanswered.retain(|u| u.0 != id),
            b'5' if order.works => {
                let named = order.unanswered.iter().position(|u| u.0 == id);
                let named = named.or((id == order.ids[0]).then_some(0));
                if let Some(k) = named.filter(|k| *k < order.unanswered.len()) {
                    let (live, px, qty) = order.unanswered[k];
                    (order.live, order.terms) = (live, (px, qty));
                    order.unanswered.drain(..=k);
                }
            }
            _ => {}
        }
        let order = &mut self.orders[at];
        let most = order.unanswered.iter().map(|u| u.2).fold(order.terms.1, i128::max);
        if order.cum >= most {
            order.works = false;
        }
    }

    pub(crate) fn kill(&mut self, number: u64, kind: u8, handle: u32, mask: u8) {
        self.holds.push((number, kind, handle, mask));
    }

    pub(crate) fn resume(&mut self, number: u64) {
        self.holds.retain(|h| h.0 != number);
    }

    /// Whether any sum has left 64 bits through fills: beyond that the engine only saturates.
    pub(crate) fn fits(&self, account: u32, instrument: u32, more: i128) -> bool {
        (self.position(account, instrument).abs() + more) < MAX
            && self.nodes().iter().all(|n| n.1 < MAX / 4)
    }

    /// Account, instrument, filled and largest quantity of the order behind an id.
    pub(crate) fn order(&self, id: u64) -> Option<(u32, u32, i64, i64)> {
        let at = self.find(id, true).or_else(|| self.find(id, false))?;
        let order = &self.orders[at];
        let most = order.unanswered.iter().map(|u| u.2).fold(order.terms.1, i128::max);
        Some((order.account, order.instrument, order.cum as i64, most as i64))
    }
}
