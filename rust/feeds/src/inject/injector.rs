//! Puts anomalies between the events of ordinary flow, without moving any of them.
//!
//! An anomaly copies an ordinary order that has just gone by, changes what is wrong with it, and
//! queues events of its own; nothing of it enters the generator's books. Its draws come from a
//! stream of their own and its order ids from numbers that nobody else uses, so the ordinary
//! events are the same with and without it. Every order it adds is cancelled later, so none
//! outlives its story.
//!
//! Invariant: what is wrong is measured by the flow itself ([`Surroundings`]), never by a limit:
//! a limit that is too loose must miss it.

use std::collections::BTreeMap;

use super::anomaly::{AnomalyKind, AnomalySet, Label};
use crate::decoder::NAMES_MAX;
use crate::event::{Event, EventKind, flag};
use crate::synth::{ChaCha8, order_id};

const NS_PER_US: u64 = 1_000;
const NS_PER_MS: u64 = 1_000_000;
/// The gap after which an anomaly follows the order that it copies.
const AFTER_NS: u64 = 20 * NS_PER_US;
const CANCEL_AFTER_NS: u64 = 500 * NS_PER_MS;
const CLOCK_BACK_NS: u64 = 5_000 * NS_PER_MS;
const FAT_FINGER_QTY_FACTOR: i64 = 100;
const FAT_FINGER_PX_FACTOR: i64 = 10;
/// Three times as far as an ordinary order of the two real days stands (501 basis points).
const OFF_COLLAR_PERCENT: i64 = 15;
/// 20 in 1 ms: the busiest millisecond of the two real days has 17 equal orders.
const DUPLICATES: u64 = 20;
const DUPLICATE_GAP_NS: u64 = 40 * NS_PER_US;
/// 1,000 a second for 2 s.
const RUNAWAY_ORDERS: u64 = 2_000;
const RUNAWAY_GAP_NS: u64 = NS_PER_MS;
const OVERSELL_GAP_NS: u64 = 10 * NS_PER_MS;
const HALT_ORDERS: u64 = 10;
const HALT_GAP_NS: u64 = 500 * NS_PER_US;
/// The codes of [`EventKind::State`].
const STATE_TRADING: i64 = 1;
const STATE_HALTED: i64 = 2;
const SELL: u8 = 2;
const BUY: u8 = 1;
/// Two events an order of each anomaly, rounded up: how much a full set lengthens a stream, but
/// for the oversell's orders beyond the generator's 16.
pub(crate) const INJECTED_EVENTS_MAX: u64 = 4_200;
/// A larger price or quantity is no model: the factors above must fit in 64 bits.
const MODEL_VALUE_MAX: i64 = i64::MAX / 1_000;

/// What the injector must know about the flow that it disturbs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings {
    /// The restricted instrument and a price in it; a file of others' flow has none.
    pub(crate) restricted: Option<(u32, i64)>,
    pub(crate) runaway: Runaway,
    /// An order of this size is one of the largest in a hundred: what a fat finger multiplies.
    pub(crate) large_order_qty: i64,
    /// All prices are whole multiples of it.
    pub(crate) tick_e9: i64,
    pub(crate) oversell: Oversell,
    pub(crate) ids: Ids,
}

/// Who sends the runaway loop.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Runaway {
    /// A quiet corner of the generated firm: a busy one's ordinary orders would be refused too.
    Quiet { accounts: u32, strategies: u32 },
    /// Whoever sent the order that it copies.
    SameOwner,
}

/// Sells that together go beyond every ordinary position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Oversell {
    pub(crate) orders: u64,
    pub(crate) qty: i64,
}

/// Where the ids of injected orders come from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ids {
    /// The odd numbers of the generator, whose own orders have the even ones.
    Odd,
    /// All numbers after this one, which is the largest of the file.
    After(u64),
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
    /// By instrument: whether it has a last price, which some anomalies are measured by.
    printed: Vec<bool>,
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
        let (queue, printed) = (BTreeMap::new(), Vec::new());
        Self { stream, around, plan, queue, queued: 0, orders: 0, ordinary: 0, printed }
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
        self.note_print(event);
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
        const NO_MODEL: u16 = flag::SNAPSHOT | flag::CONSEQUENCE | flag::UNDEF_PX | flag::POSSDUP;
        let values = 1..=MODEL_VALUE_MAX;
        let whole = order.flags & NO_MODEL == 0
            && order.side != 0
            && values.contains(&order.px)
            && values.contains(&order.qty)
            && self.printed.get(order.instrument as usize).is_some_and(|printed| *printed);
        whole
            && match kind {
                AnomalyKind::FatFingerQty => order.qty >= self.around.large_order_qty,
                AnomalyKind::Restricted => self.around.restricted.is_some(),
                _ => true,
            }
    }

    /// Notes that an instrument has a last price.
    fn note_print(&mut self, event: &Event) {
        let is_print = matches!(
            event.kind,
            EventKind::Fill | EventKind::Trade | EventKind::Cross | EventKind::Ref
        );
        if is_print && event.flags & (flag::NO_REF | flag::UNDEF_PX | flag::SNAPSHOT) == 0 {
            let at = event.instrument as usize;
            // A handle is an index into the names, of which a decoder bounds the number.
            if at >= self.printed.len() && at < NAMES_MAX {
                self.printed.resize(at + 1, false);
            }
            if let Some(printed) = self.printed.get_mut(at) {
                *printed = true;
            }
        }
    }

    fn start(&mut self, kind: AnomalyKind, model: Event) {
        let mut order = model;
        order.ts_ns = model.ts_ns.saturating_add(AFTER_NS);
        (order.flags, order.ref_id) = (0, 0);
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
                if let Some((instrument, px)) = self.around.restricted {
                    (order.instrument, order.px) = (instrument, px);
                }
                self.add(&mut story, order);
            }
            AnomalyKind::DuplicateBurst => {
                for _ in 0..DUPLICATES {
                    self.add(&mut story, order);
                    order.ts_ns = order.ts_ns.saturating_add(DUPLICATE_GAP_NS);
                }
            }
            AnomalyKind::RunawayLoop => {
                if let Runaway::Quiet { accounts, strategies } = self.around.runaway {
                    order.strategy = strategies - 1;
                    order.account = accounts - 1 - self.stream.below(accounts.div_ceil(8));
                }
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
                let Oversell { orders, qty } = self.around.oversell;
                order.qty = qty;
                for _ in 0..orders {
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
        let id = match self.around.ids {
            Ids::Odd => order_id(2 * self.orders + 1),
            Ids::After(last) => last.saturating_add(self.orders),
        };
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
