//! Puts anomalies between the events of ordinary flow, without moving any of them.
//!
//! An anomaly copies an ordinary order that has just gone by, changes what is wrong with it, and
//! queues events of its own; nothing of it enters the generator's books. Its draws come from a
//! stream of their own and its order ids from the odd numbers, so the ordinary events are the same
//! with and without it. Every order it adds is cancelled later, so none outlives its story.

use std::collections::BTreeMap;

use super::anomaly::{AnomalyKind, AnomalySet, Label};
use super::chacha::ChaCha8;
use super::order_id;
use crate::event::{Event, EventKind, flag};

const NS_PER_US: u64 = 1_000;
const NS_PER_MS: u64 = 1_000_000;
/// The gap after which an anomaly follows the order that it copies.
const AFTER_NS: u64 = 20 * NS_PER_US;
const CANCEL_AFTER_NS: u64 = 500 * NS_PER_MS;
const CLOCK_BACK_NS: u64 = 5_000 * NS_PER_MS;
const FAT_FINGER_QTY_FACTOR: i64 = 100;
const FAT_FINGER_PX_FACTOR: i64 = 10;
/// 15 % off, where the shipped collar is 6 %.
const OFF_COLLAR_PERCENT: i64 = 15;
/// 20 in 1 ms, where 17 equal orders are allowed.
const DUPLICATES: u64 = 20;
const DUPLICATE_GAP_NS: u64 = 40 * NS_PER_US;
/// 1,000 a second for 2 s.
const RUNAWAY_ORDERS: u64 = 2_000;
const RUNAWAY_GAP_NS: u64 = NS_PER_MS;
/// Together 320,000: beyond the shipped position limit of 200,000 from any ordinary position,
/// and each order within the shipped limits of one order.
const OVERSELL_ORDERS: u64 = 16;
const OVERSELL_QTY: i64 = 20_000;
const OVERSELL_GAP_NS: u64 = 10 * NS_PER_MS;
const HALT_ORDERS: u64 = 10;
const HALT_GAP_NS: u64 = 500 * NS_PER_US;
/// The codes of [`EventKind::State`].
const STATE_TRADING: i64 = 1;
const STATE_HALTED: i64 = 2;
const SELL: u8 = 2;
const BUY: u8 = 1;
/// Two events an order of each anomaly, rounded up: how much a full set lengthens a stream.
pub(crate) const INJECTED_EVENTS_MAX: u64 = 4_200;

/// What the injector must know about the market that it disturbs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings {
    pub(crate) restricted: u32,
    pub(crate) restricted_px: i64,
    pub(crate) accounts: u32,
    pub(crate) strategies: u32,
    pub(crate) order_qty_limit: i64,
    pub(crate) tick_e9: i64,
}

/// An event on its way, with the label that it opens.
type Queued = (Event, Option<Label>);

/// Anomalies still to come, and their events still to be emitted.
#[derive(Debug, Clone)]
pub(crate) struct Injector {
    stream: ChaCha8,
    around: Surroundings,
    /// (index of an ordinary event, kind), the last first.
    plan: Vec<(u64, AnomalyKind)>,
    /// By (time of emission, place in the queue). At most [`INJECTED_EVENTS_MAX`] events.
    queue: BTreeMap<(u64, u64), Queued>,
    queued: u64,
    orders: u64,
    ordinary: u64,
}

impl Injector {
    /// Spreads `set` over the first `span_events` events: one kind a slot, none in the last slot,
    /// so that the last one's cancels still fall inside.
    pub(crate) fn new(
        set: AnomalySet,
        span_events: u64,
        around: Surroundings,
        mut stream: ChaCha8,
    ) -> Self {
        let kinds: Vec<AnomalyKind> = set.kinds().collect();
        let slot = span_events.saturating_sub(INJECTED_EVENTS_MAX) / (kinds.len() as u64 + 1);
        let half = (slot / 2).clamp(1, u64::from(u32::MAX));
        let mut plan: Vec<_> = (0..)
            .zip(kinds)
            .map(|(i, kind)| (slot * i + half + u64::from(stream.below(half as u32)), kind))
            .collect();
        plan.reverse();
        Self { stream, around, plan, queue: BTreeMap::new(), queued: 0, orders: 0, ordinary: 0 }
    }

    /// Whether no anomaly is under way or to come.
    pub(crate) fn is_idle(&self) -> bool {
        self.plan.is_empty() && self.queue.is_empty()
    }

    /// The next event of an anomaly, if its time comes no later than `ts_ns`.
    #[inline]
    pub(crate) fn due(&mut self, ts_ns: u64) -> Option<Queued> {
        let first = self.queue.first_entry()?;
        (first.key().0 <= ts_ns).then(|| first.remove())
    }

    /// Looks at an ordinary event that is about to be emitted: an order that fits the next
    /// anomaly, once its index is reached, starts it.
    #[inline]
    pub(crate) fn observe(&mut self, event: &Event) {
        self.ordinary += 1;
        if let Some((at, kind)) = self.plan.last().copied()
            && self.ordinary > at
            && event.kind == EventKind::Add
            && self.fits(kind, event)
        {
            self.plan.pop();
            self.start(kind, *event);
        }
    }

    fn fits(&self, kind: AnomalyKind, order: &Event) -> bool {
        match kind {
            AnomalyKind::FatFingerQty => {
                order.qty > self.around.order_qty_limit / FAT_FINGER_QTY_FACTOR
            }
            _ => true,
        }
    }

    fn start(&mut self, kind: AnomalyKind, model: Event) {
        let mut order = model;
        order.ts_ns = model.ts_ns.saturating_add(AFTER_NS);
        let away = if model.side == SELL { 1 } else { -1 };
        let mut story = Story::new(kind);
        match kind {
            AnomalyKind::FatFingerQty => {
                order.qty *= FAT_FINGER_QTY_FACTOR;
                self.add(&mut story, order);
            }
            AnomalyKind::FatFingerPrice => {
                order.px *= FAT_FINGER_PX_FACTOR;
                self.add(&mut story, order);
            }
            AnomalyKind::OffCollar => {
                order.px = self.whole_ticks(order.px * (100 + away * OFF_COLLAR_PERCENT) / 100);
                self.add(&mut story, order);
            }
            AnomalyKind::Restricted => {
                order.instrument = self.around.restricted;
                order.px = self.around.restricted_px;
                self.add(&mut story, order);
            }
            AnomalyKind::DuplicateBurst => {
                for _ in 0..DUPLICATES {
                    self.add(&mut story, order);
                    order.ts_ns = order.ts_ns.saturating_add(DUPLICATE_GAP_NS);
                }
            }
            AnomalyKind::RunawayLoop => {
                // A quiet corner of the firm: a busy one's ordinary orders would be refused too.
                order.strategy = self.around.strategies - 1;
                order.account =
                    self.around.accounts - 1 - self.stream.below(self.around.accounts.div_ceil(8));
                order.qty = order.qty.min(100);
                for i in 0..RUNAWAY_ORDERS {
                    order.px = model.px + away * (i % 8) as i64 * self.around.tick_e9;
                    self.add(&mut story, order);
                    order.ts_ns = order.ts_ns.saturating_add(RUNAWAY_GAP_NS);
                }
            }
            AnomalyKind::ClockBack => {
                let emit_ns = order.ts_ns;
                order.ts_ns = order.ts_ns.saturating_sub(CLOCK_BACK_NS);
                // Not ground truth but a plain fact, which every decoder states the same way.
                order.flags |= flag::TIME_BACK;
                order.order_id = self.new_order_id(&mut story);
                self.queue(&mut story, emit_ns, order);
                order.flags = 0;
                order.ts_ns = emit_ns;
                self.cancel(&mut story, order);
            }
            AnomalyKind::UnknownCancel => {
                order.order_id = self.new_order_id(&mut story);
                order.kind = EventKind::Delete;
                self.queue(&mut story, order.ts_ns, order);
            }
            AnomalyKind::Oversell => {
                order.side = SELL;
                order.qty = OVERSELL_QTY;
                for _ in 0..OVERSELL_ORDERS {
                    self.add(&mut story, order);
                    order.ts_ns = order.ts_ns.saturating_add(OVERSELL_GAP_NS);
                }
            }
            AnomalyKind::HaltInBurst => {
                self.state(&mut story, &order, STATE_HALTED);
                for i in 0..HALT_ORDERS {
                    order.ts_ns = order.ts_ns.saturating_add(HALT_GAP_NS);
                    order.side = if i % 2 == 0 { BUY } else { SELL };
                    self.add(&mut story, order);
                }
                order.ts_ns = order.ts_ns.saturating_add(HALT_GAP_NS);
                self.state(&mut story, &order, STATE_TRADING);
            }
        }
        self.tell(story);
    }

    /// Queues an order under a new id, and its cancel half a second later.
    fn add(&mut self, story: &mut Story, mut order: Event) {
        order.order_id = self.new_order_id(story);
        self.queue(story, order.ts_ns, order);
        self.cancel(story, order);
    }

    fn cancel(&mut self, story: &mut Story, mut order: Event) {
        order.kind = EventKind::Delete;
        order.ts_ns = order.ts_ns.saturating_add(CANCEL_AFTER_NS);
        self.queue(story, order.ts_ns, order);
    }

    fn state(&mut self, story: &mut Story, order: &Event, state: i64) {
        let event = Event {
            order_id: 0,
            px: 0,
            qty: state,
            account: u32::MAX,
            strategy: u32::MAX,
            kind: EventKind::State,
            side: 0,
            flags: flag::UNDEF_PX,
            ..*order
        };
        self.queue(story, event.ts_ns, event);
    }

    fn new_order_id(&mut self, story: &mut Story) -> u64 {
        self.orders += 1;
        let id = order_id(2 * self.orders + 1);
        story.order_ids.push(id);
        id
    }

    fn queue(&mut self, story: &mut Story, emit_ns: u64, event: Event) {
        let key = (emit_ns, self.queued);
        self.queued += 1;
        story.first.get_or_insert(key);
        self.queue.insert(key, (event, None));
    }

    /// Hangs the story's label on its first event.
    fn tell(&mut self, story: Story) {
        let Story { kind, order_ids, first } = story;
        if let Some(queued) = first.and_then(|key| self.queue.get_mut(&key)) {
            queued.1 = Some(Label { seq: 0, kind, expect: kind.expect(), order_ids });
        }
    }

    fn whole_ticks(&self, px: i64) -> i64 {
        px / self.around.tick_e9 * self.around.tick_e9
    }
}

/// An anomaly while its events are being queued.
struct Story {
    kind: AnomalyKind,
    order_ids: Vec<u64>,
    first: Option<(u64, u64)>,
}

impl Story {
    fn new(kind: AnomalyKind) -> Self {
        Self { kind, order_ids: Vec::new(), first: None }
    }
}
