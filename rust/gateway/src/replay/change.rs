//! Rows that change an order: replaces, cancels and fills.
//!
//! Invariant: a market may give a replaced order a new id. Where the engine took the replace as an
//! order it knows both ids; where it did not (`replace = "apply"`, or a replace that was refused)
//! the fold remembers the new one for as long as the order works.

use cwts_feeds::event::{Event, EventKind};
use cwts_types::{Body, Exec, Order, OrderKind, exec_type, producer};

use super::fold::Fold;
use crate::GatewayError;

impl Fold<'_> {
    pub(super) fn replace(&mut self, event: &Event, instrument: u32) -> Result<(), GatewayError> {
        let target = if event.ref_id == 0 { event.order_id } else { event.ref_id };
        let target = self.renamed.remove(&target).unwrap_or(target);
        if self.denied.contains(target) {
            self.denied.remove(target);
            self.denied.add(event.order_id, event.qty);
            self.stats.denied_upstream += 1;
            return Ok(());
        }
        if self.foreign.contains(target) {
            self.foreign.remove(target);
            self.foreign.add(event.order_id, event.qty);
            return Ok(());
        }
        if !self.engine.is_working(target) {
            self.stats.orphans += 1;
            return Ok(());
        }
        let filled = if self.replace_rests { self.engine.filled(target) } else { None };
        let event = &Event { qty: event.qty.saturating_add(filled.unwrap_or(0)), ..*event };
        if self.replace_apply {
            self.report(event, target, exec_type::REPLACED, event.px, event.qty, 0)?;
            return self.rename(event, target);
        }
        let named = &Event { ref_id: target, ..*event };
        let accepted = self.order(named, instrument, OrderKind::Replace)?;
        if self.is_session {
            return Ok(());
        }
        if accepted {
            return self.report(event, event.order_id, exec_type::REPLACED, 0, 0, 0);
        }
        // The account keeps its order as it was; the market's rows on the new id are about it.
        self.rename(event, target)
    }

    /// Later rows on an event's id are about a working order that the engine knows by another.
    fn rename(&mut self, event: &Event, target: u64) -> Result<(), GatewayError> {
        if event.order_id != target && self.engine.is_working(target) {
            self.renamed.insert(event.order_id, target);
            self.check_live(event)?;
        }
        Ok(())
    }

    /// A cancel or a fill, under the id that the engine knows its order by.
    pub(super) fn change(&mut self, event: &Event, instrument: u32) -> Result<(), GatewayError> {
        let named = event.order_id;
        let Some(known) = self.renamed.get(&named).copied() else {
            return self.cancel_or_fill(event, instrument);
        };
        let done = self.cancel_or_fill(&Event { order_id: known, ..*event }, instrument);
        if !self.engine.is_working(known) {
            self.renamed.remove(&named);
        }
        done
    }

    fn cancel_or_fill(&mut self, event: &Event, instrument: u32) -> Result<(), GatewayError> {
        match event.kind {
            EventKind::Fill => self.fill(event),
            _ => self.cancel(event, instrument),
        }
    }

    fn cancel(&mut self, event: &Event, instrument: u32) -> Result<(), GatewayError> {
        if event.kind == EventKind::Reduce && event.qty <= 0 {
            // It takes nothing off. As a cancel without a quantity it would take all of it.
            self.stats.empty_reduces += 1;
            return Ok(());
        }
        let off = if event.kind == EventKind::Delete { i64::MAX } else { event.qty };
        // In a session the venue's reports on it are still to come.
        let is_denied = if self.is_session {
            self.denied.contains(event.order_id)
        } else {
            self.denied.take(event.order_id, off)
        };
        if is_denied {
            self.stats.denied_upstream += 1;
            return Ok(());
        }
        if self.foreign.take(event.order_id, off) {
            return Ok(());
        }
        let known = self.engine.is_working(event.order_id);
        if !known {
            self.stats.orphans += 1;
            self.stats.label(event.src, "UNKNOWN_ORDER");
        }
        let (account, strategy) = self.parties(event);
        let order = Order {
            seq: self.index,
            ts: event.ts_ns,
            px: 0,
            qty: if event.kind == EventKind::Reduce { event.qty } else { 0 },
            order_id: event.order_id,
            ref_id: event.order_id,
            instrument,
            account,
            strategy,
            kind: OrderKind::Cancel as u8,
            side: event.side,
            type_tif: 2,
            flags: 0,
        };
        self.decide(&order, event.ts_ns)?;
        self.stats.cancels += 1;
        Ok(())
    }

    fn fill(&mut self, event: &Event) -> Result<(), GatewayError> {
        if self.denied.take(event.order_id, event.qty) {
            self.stats.denied_upstream += 1;
            return Ok(());
        }
        let Some(cum) = self.engine.filled(event.order_id) else {
            self.stats.orphans += u64::from(!self.foreign.take(event.order_id, event.qty));
            return Ok(());
        };
        self.stats.fills += 1;
        let cum = cum.saturating_add(event.qty);
        self.report(event, event.order_id, exec_type::TRADE, event.px, event.qty, cum)
    }

    fn report(
        &mut self,
        event: &Event,
        order_id: u64,
        exec_type: u8,
        last_px: i64,
        last_qty: i64,
        cum_qty: i64,
    ) -> Result<(), GatewayError> {
        let exec = Exec { last_px, last_qty, cum_qty, ..self.exec(event, order_id, exec_type) };
        self.engine.exec(&exec);
        self.push(Body::Exec(exec), producer::REPLAY, event.ts_ns)
    }
}
