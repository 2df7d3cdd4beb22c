//! A FIX log's rows that no market file has: what a venue reports, and what may be a repeat.
//!
//! Rules: an order of a session works until the venue's report ends it, as it does live. So a
//! report becomes an execution report in the log, and never a cancel.

use cwts_feeds::event::{Event, EventKind};
use cwts_risk::ExecEffect;
use cwts_types::{Body, Exec, Note, exec_type, producer};

use super::fold::Fold;
use crate::GatewayError;

impl Fold<'_> {
    /// What the venue says of an order of this session.
    pub(super) fn venue_report(&mut self, event: &Event) -> Result<(), GatewayError> {
        self.stats.reports += 1;
        if self.denied.contains(event.order_id) {
            self.stats.denied_upstream += 1;
            // Forgotten when the venue is done with it, as a market's is.
            match event.kind {
                EventKind::Fill => drop(self.denied.take(event.order_id, event.qty)),
                EventKind::Delete => self.denied.remove(event.order_id),
                _ => {}
            }
            return Ok(());
        }
        let exec = match event.kind {
            EventKind::Fill => {
                let (order_id, cum_qty) = (event.order_id, self.engine.filled(event.order_id));
                let cum_qty = cum_qty.map_or(0, |cum| cum.saturating_add(event.qty));
                Exec {
                    exec_id: event.ref_id,
                    last_px: event.px,
                    last_qty: event.qty,
                    cum_qty,
                    ..self.exec(event, order_id, exec_type::TRADE)
                }
            }
            EventKind::Replace => Exec {
                last_px: event.px,
                last_qty: event.qty,
                ..self.exec(event, event.order_id, exec_type::REPLACED)
            },
            _ => {
                let ended_by = u8::try_from(event.ref_id).unwrap_or(exec_type::CANCELED);
                self.exec(event, event.order_id, ended_by)
            }
        };
        match self.engine.exec(&exec) {
            ExecEffect::UnknownOrder => {
                self.stats.orphans += u64::from(!self.foreign.contains(event.order_id));
            }
            _ => self.stats.fills += u64::from(event.kind == EventKind::Fill),
        }
        self.push(Body::Exec(exec), producer::REPLAY, event.ts_ns)
    }

    /// A message that may have been sent before (43=Y): told in the log, and no order.
    pub(super) fn possible_duplicate(&mut self, event: &Event) -> Result<(), GatewayError> {
        let text = format!("record {}: a possible duplicate (43=Y), not decided", event.src);
        let note = Note { salt: [0; 16], text };
        self.push(Body::Note(note), producer::REPLAY, event.ts_ns)
    }

    /// A report on an order, at an event's place and time.
    pub(super) fn exec(&self, event: &Event, order_id: u64, exec_type: u8) -> Exec {
        Exec {
            seq: self.index,
            ts: event.ts_ns,
            order_id,
            exec_id: 0,
            last_px: 0,
            last_qty: 0,
            cum_qty: 0,
            venue: 0,
            exec_type,
            ord_status: b'0',
            flags: 0,
        }
    }
}
