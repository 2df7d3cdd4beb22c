//! What keeps ordinary flow ordinary: bounds on positions and message rates, far inside the
//! shipped default limits, so that a denial on synthetic flow points at an anomaly.

use super::book::Side;

/// New orders of an account move to the next one once it sent so many messages in a second of the
/// clock. Any window of a second then holds at most twice that, and the few cancels that come on
/// top because an order cannot change its owner: 201 in 20 million events. The shipped limit is
/// 300.
pub(crate) const ACCOUNT_MESSAGES_MAX: u32 = 110;
/// The same for a strategy: 319 in 20 million events. The shipped limit is 400.
pub(crate) const STRATEGY_MESSAGES_MAX: u32 = 150;
const NS_PER_S: u64 = 1_000_000_000;

#[derive(Debug, Clone, Copy, Default)]
struct Holding {
    position: i64,
    /// Open quantity, bought and sold.
    working: [i64; 2],
}

/// Position and working orders per account and instrument.
#[derive(Debug, Clone)]
pub(crate) struct Exposure {
    holdings: Vec<Holding>,
    instruments: usize,
    position_max: i64,
}

impl Exposure {
    pub(crate) fn new(accounts: usize, instruments: usize, position_max: i64) -> Self {
        let holdings = vec![Holding::default(); accounts * instruments];
        Self { holdings, instruments, position_max }
    }

    /// The largest order of that side which stays inside the profile's `position_max`.
    #[inline]
    pub(crate) fn room(&self, account: u32, instrument: u32, side: Side) -> i64 {
        let holding = &self.holdings[self.place(account, instrument)];
        let position = match side {
            Side::Buy => holding.position,
            Side::Sell => -holding.position,
        };
        self.position_max - position - holding.working[side as usize]
    }

    /// An order of `qty` began to rest, or with a negative `qty` was taken off.
    #[inline]
    pub(crate) fn rest(&mut self, account: u32, instrument: u32, side: Side, qty: i64) {
        let place = self.place(account, instrument);
        self.holdings[place].working[side as usize] += qty;
    }

    /// A resting order was executed.
    pub(crate) fn fill(&mut self, account: u32, instrument: u32, side: Side, qty: i64) {
        let place = self.place(account, instrument);
        let holding = &mut self.holdings[place];
        holding.working[side as usize] -= qty;
        holding.position += match side {
            Side::Buy => qty,
            Side::Sell => -qty,
        };
    }

    fn place(&self, account: u32, instrument: u32) -> usize {
        account as usize * self.instruments + instrument as usize
    }
}

/// Messages of each sender in the current second.
#[derive(Debug, Clone)]
pub(crate) struct Throttle {
    /// (second, messages in it) a sender.
    sent: Vec<(u64, u32)>,
    max: u32,
}

impl Throttle {
    pub(crate) fn new(senders: usize, max: u32) -> Self {
        Self { sent: vec![(0, 0); senders], max }
    }

    /// `sender`, or the next one round the table that may still send; `sender` if none may.
    #[inline]
    pub(crate) fn admit(&self, sender: u32, ts_ns: u64) -> u32 {
        let second = ts_ns / NS_PER_S;
        let free = |next: u32| {
            let (last, count) = self.sent[next as usize];
            last != second || count < self.max
        };
        if free(sender) {
            return sender;
        }
        let senders = self.sent.len() as u32;
        (1..senders)
            .map(|step| (sender + step) % senders)
            .find(|next| free(*next))
            .unwrap_or(sender)
    }

    #[inline]
    pub(crate) fn count(&mut self, sender: u32, ts_ns: u64) {
        let second = ts_ns / NS_PER_S;
        let (last, count) = &mut self.sent[sender as usize];
        if *last != second {
            (*last, *count) = (second, 0);
        }
        *count = count.saturating_add(1);
    }
}
