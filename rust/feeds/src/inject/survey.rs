//! What is ordinary in an input: the measures from which the sizes of anomalies follow.
//!
//! One pass, before the one that injects. Memory grows with the orders that live at once, not
//! with the input.

use std::collections::HashMap;

use rustc_hash::FxHashMap;

use crate::decoder::ORDER_TEXT_BASE;
use crate::error::{FeedError, FeedErrorKind};
use crate::event::{Event, EventKind, flag};
use crate::source::EventSource;

/// Orders that live at once at most: 64 bytes each, over a gigabyte at the bound.
const SURVEY_LIVE_MAX: usize = 20_000_000;
/// The share of orders, in a hundred, that are not large.
const LARGE_PERCENT: u64 = 99;
/// A quantity's bucket: its highest bit, then so many bits after it.
const STEP_BITS: u32 = 6;
const BUCKETS: usize = 64 << STEP_BITS;

/// The measures of one input.
#[derive(Debug, Clone)]
pub struct Survey {
    events: u64,
    orders: u64,
    order_id_max: u64,
    order_qty_max: i64,
    tick_e9: i64,
    exposure_max: i64,
    /// Orders by quantity, in buckets a 64th wide.
    sizes: Box<[u64]>,
    live: FxHashMap<u64, Live>,
    holdings: FxHashMap<(u32, u32), Holding>,
}

#[derive(Debug, Clone, Copy)]
struct Live {
    owner: (u32, u32),
    is_buy: bool,
    qty: i64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Holding {
    position: i64,
    /// Open quantity, bought and sold.
    working: [i64; 2],
}

impl Survey {
    /// Reads `source` to its end. After each batch `go_on` is told how many events it held.
    ///
    /// Returns `None` if `go_on` said no.
    pub fn of(
        source: &mut dyn EventSource,
        mut go_on: impl FnMut(u64) -> bool,
    ) -> Result<Option<Self>, FeedError> {
        let mut survey = Self {
            events: 0,
            orders: 0,
            order_id_max: 0,
            order_qty_max: 0,
            tick_e9: 0,
            exposure_max: 0,
            sizes: vec![0; BUCKETS].into(),
            live: HashMap::default(),
            holdings: HashMap::default(),
        };
        let mut batch = Vec::new();
        loop {
            batch.clear();
            let more = source.next_batch(&mut batch)?;
            for event in &batch {
                survey.take(event)?;
            }
            if !more {
                return Ok(Some(survey));
            }
            if !go_on(batch.len() as u64) {
                return Ok(None);
            }
        }
    }

    /// Events of the input.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// New orders among them.
    pub fn orders(&self) -> u64 {
        self.orders
    }

    /// The largest order id that is a number.
    pub fn order_id_max(&self) -> u64 {
        self.order_id_max
    }

    /// The largest order.
    pub fn order_qty_max(&self) -> i64 {
        self.order_qty_max
    }

    /// An order of this size is larger than 99 in a hundred, or the largest of all.
    pub fn large_order_qty(&self) -> i64 {
        let mut below = 0;
        for (bucket, count) in self.sizes.iter().enumerate() {
            below += count;
            if below * 100 >= self.orders * LARGE_PERCENT {
                return above(bucket).min(self.order_qty_max).max(1);
            }
        }
        self.order_qty_max.max(1)
    }

    /// The largest step of which all order prices are whole multiples.
    pub fn tick_e9(&self) -> i64 {
        self.tick_e9.max(1)
    }

    /// The largest position of an owner in an instrument, with all its working orders of one side
    /// filled.
    pub fn exposure_max(&self) -> i64 {
        self.exposure_max
    }

    fn take(&mut self, event: &Event) -> Result<(), FeedError> {
        self.events += 1;
        if event.order_id < ORDER_TEXT_BASE {
            self.order_id_max = self.order_id_max.max(event.order_id);
        }
        if event.flags & (flag::SNAPSHOT | flag::CONSEQUENCE) != 0 {
            return Ok(());
        }
        match event.kind {
            EventKind::Add => {
                self.measure(event);
                self.orders += 1;
                self.sizes[bucket(event.qty)] += 1;
                self.work(event.order_id, event)?;
            }
            EventKind::Replace => {
                let target = if event.ref_id == 0 { event.order_id } else { event.ref_id };
                if self.end(target, i64::MAX).is_some() {
                    self.measure(event);
                    self.work(event.order_id, event)?;
                }
            }
            EventKind::Delete => drop(self.end(event.order_id, i64::MAX)),
            EventKind::Reduce => drop(self.end(event.order_id, event.qty)),
            EventKind::Fill => {
                if let Some(live) = self.end(event.order_id, event.qty) {
                    let holding = self.holdings.entry(live.owner).or_default();
                    let signed = if live.is_buy { event.qty } else { event.qty.saturating_neg() };
                    holding.position = holding.position.saturating_add(signed);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn measure(&mut self, event: &Event) {
        self.order_qty_max = self.order_qty_max.max(event.qty);
        if event.flags & flag::UNDEF_PX == 0 {
            self.tick_e9 = gcd(self.tick_e9, event.px.saturating_abs());
        }
    }

    fn work(&mut self, order_id: u64, event: &Event) -> Result<(), FeedError> {
        if self.live.len() >= SURVEY_LIVE_MAX {
            let detail = format!("{SURVEY_LIVE_MAX} orders live at once; no more are followed");
            return Err(FeedError::new(FeedErrorKind::LengthOutOfBound, detail).at(event.src, 0));
        }
        // An id that lives already is overwritten, as a book does.
        self.end(order_id, i64::MAX);
        let live = Live {
            owner: (event.account, event.instrument),
            is_buy: event.side == 1,
            qty: event.qty.max(0),
        };
        self.live.insert(order_id, live);
        let holding = self.holdings.entry(live.owner).or_default();
        let working = &mut holding.working[usize::from(!live.is_buy)];
        *working = working.saturating_add(live.qty);
        let toward = if live.is_buy { holding.position } else { holding.position.saturating_neg() };
        self.exposure_max = self.exposure_max.max(working.saturating_add(toward));
        Ok(())
    }

    /// Takes up to `qty` off a live order; gives it as it was, if it lived.
    fn end(&mut self, order_id: u64, qty: i64) -> Option<Live> {
        let live = self.live.get_mut(&order_id)?;
        let was = *live;
        let taken = qty.clamp(0, live.qty);
        live.qty -= taken;
        if live.qty == 0 {
            self.live.remove(&order_id);
        }
        let holding = self.holdings.entry(was.owner).or_default();
        holding.working[usize::from(!was.is_buy)] -= taken;
        Some(was)
    }
}

fn gcd(mut a: i64, mut b: i64) -> i64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The bucket of a quantity; what is not positive counts as one.
fn bucket(qty: i64) -> usize {
    let qty = qty.max(1) as u64;
    let top = qty.ilog2();
    if top < STEP_BITS {
        return qty as usize;
    }
    let step = (qty >> (top - STEP_BITS)) as usize & ((1 << STEP_BITS) - 1);
    ((top - STEP_BITS + 1) as usize) << STEP_BITS | step
}

/// The least quantity beyond a bucket.
fn above(bucket: usize) -> i64 {
    let (block, step) = (bucket >> STEP_BITS, bucket & ((1 << STEP_BITS) - 1));
    if block == 0 {
        return step as i64 + 1;
    }
    let wide = (1u128 << STEP_BITS | step as u128) + 1;
    i64::try_from(wide << (block - 1)).unwrap_or(i64::MAX)
}
