//! Random inputs, and how each one reaches the engine and the model.

use cwts_risk::Engine;
use cwts_types::{Exec, Kill, KillState, Order, Resume, Scope, ScopeKind};
use proptest::prelude::*;

use crate::model::{Ask, Model};
use crate::policy::{ACCOUNTS, INSTRUMENTS, STRATEGIES};

/// One input; targets are places in the list of ids so far.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    /// `echo`: the last accepted order once more.
    Order {
        step: i64,
        order: Order,
        target: prop::sample::Index,
        echo: bool,
    },
    Report {
        what: u8,
        target: prop::sample::Index,
        share: i64,
        px: i64,
        again: bool,
    },
    Reference {
        step: i64,
        instrument: u32,
        px: i64,
    },
    Kill {
        kind: u8,
        handle: u32,
        mask: u8,
    },
    Resume {
        which: prop::sample::Index,
    },
}

const UNIT: i64 = 1_000_000_000;

fn price() -> impl Strategy<Value = i64> {
    prop_oneof![
        16 => (99..102i64).prop_map(|p| p * UNIT),
        2 => (90..110i64).prop_map(|p| p * UNIT),
        2 => (-3..3i64).prop_map(|p| p * UNIT),
        2 => (0..4_000i64).prop_map(|p| 100 * UNIT + (p - 2_000) * 10_000_000),
        1 => -200_000_000_000..200_000_000_000i64,
        1 => prop::sample::select(vec![
            0, 1, -1, 5, i64::MAX, i64::MIN, i64::MIN + 1, i64::MAX - 1
        ]),
    ]
}

fn quantity() -> impl Strategy<Value = i64> {
    prop_oneof![
        24 => prop::sample::select(vec![1, 2, 10, 10, 10, 10, 20, 40]),
        6 => 1..250i64,
        2 => prop::sample::select(vec![0, -1, i64::MAX, i64::MIN, i64::MAX - 1, 1 << 62, 1 << 40]),
    ]
}

/// Mostly a valid choice, rarely a byte that is none.
fn byte(valid: &[u8]) -> impl Strategy<Value = u8> + use<> {
    prop_oneof![40 => prop::sample::select(valid.to_vec()), 1 => any::<u8>()]
}

fn handle(last: u32) -> impl Strategy<Value = u32> {
    prop_oneof![60 => 1..=last, 1 => prop::sample::select(vec![0, last + 1, u32::MAX])]
}

fn order() -> impl Strategy<Value = Order> {
    (
        (price(), quantity()),
        byte(&[1, 1, 1, 1, 2, 2, 3]),
        byte(&[1, 1, 2, 2, 5, 6]),
        byte(&[2, 2, 2, 2, 2, 2, 1, 3, 4, 5]),
        byte(&[0, 0, 0, 8, 1]),
        (handle(ACCOUNTS), handle(INSTRUMENTS), handle(STRATEGIES)),
        prop::bool::weighted(0.6),
    )
        .prop_map(|((px, qty), kind, side, order_type, flags, handles, plain)| {
            // Most orders are what a trader would send.
            let px = if plain && matches!(order_type & 15, 1 | 3) { 0 } else { px };
            Order {
                px,
                qty,
                kind: if kind == 4 { 1 } else { kind },
                side,
                type_tif: order_type & 15,
                flags,
                account: handles.0,
                instrument: handles.1,
                strategy: handles.2,
                ..Order::default()
            }
        })
}

impl Input {
    pub(crate) fn any() -> impl Strategy<Value = Self> {
        let step = || prop_oneof![3 => Just(0i64), 8 => 1..12i64, 1 => -9..0i64, 1 => 12..900i64];
        let index = any::<prop::sample::Index>;
        prop_oneof![
            12 => (step(), order(), index(), prop::bool::weighted(0.25))
                .prop_map(|(step, order, target, echo)| Self::Order { step, order, target, echo }),
            7 => (
                byte(b"FFFFF4C3858505AE60"), index(), -2..14i64, price(), prop::bool::weighted(0.1)
            )
                .prop_map(|(what, target, share, px, again)| {
                    Self::Report { what, target, share, px, again }
                }),
            3 => (step(), handle(INSTRUMENTS), price())
                .prop_map(|(step, instrument, px)| Self::Reference { step, instrument, px }),
            1 => (0..7u8, 1..3u32, prop::sample::select(vec![1u8, 2, 4]))
                .prop_map(|(kind, handle, mask)| Self::Kill { kind, handle, mask }),
            2 => index().prop_map(|which| Self::Resume { which }),
        ]
    }
}

/// Ids, holds and time of one stream.
#[derive(Debug, Default)]
pub(crate) struct Names {
    ids: Vec<u64>,
    owners: Vec<Order>,
    holds: Vec<u64>,
    ts: u64,
    execs: u64,
}

impl Names {
    /// Feeds both; gives both masks.
    pub(crate) fn apply(
        &mut self,
        input: &Input,
        engine: &mut Engine,
        model: &mut Model,
    ) -> (u64, u64) {
        match input {
            Input::Order { step, order, target, echo } => {
                let last = self.owners.last().filter(|_| *echo && order.kind == 1);
                let order = last.map_or(*order, |last| Order { kind: 1, ref_id: 0, ..*last });
                return self.order(*step, order, *target, engine, model);
            }
            Input::Report { what, target, share, px, again } => {
                self.report(*what, *target, (*share, *px), *again, engine, model);
            }
            Input::Reference { step, instrument, px } => {
                self.ts = self.ts.saturating_add_signed(*step);
                engine.reference(*instrument, *px, self.ts + 10_000);
                model.reference(*instrument, *px, self.ts + 10_000);
            }
            Input::Kill { kind, handle, mask } => {
                let handle = match kind {
                    0 => 0,
                    1 | 2 | 6 => 1,
                    _ => *handle,
                };
                let state = if *mask == 1 { KillState::ReduceOnly } else { KillState::Halted };
                let hold = engine.next_hold();
                let kill = Kill {
                    hold,
                    epoch: engine.kill_epoch() + 1,
                    state,
                    scope: Scope { kind: ScopeKind::from_code(*kind).unwrap(), handle },
                    rank: 0,
                    allow_reduce: *mask == 2,
                    actor: "ana".to_owned(),
                    reason: String::new(),
                };
                engine.kill(1, &kill).unwrap();
                model.kill(hold, *kind, handle, *mask);
                self.holds.push(hold);
            }
            Input::Resume { which } => {
                if self.holds.is_empty() {
                    return (0, 0);
                }
                let hold = self.holds.remove(which.index(self.holds.len()));
                let resume = Resume {
                    hold,
                    epoch: engine.kill_epoch() + 1,
                    signatures: None,
                    actor: "ana".to_owned(),
                    approver: "bo".to_owned(),
                    reason: String::new(),
                };
                engine.resume(1, &resume).unwrap();
                model.resume(hold);
            }
        }
        (0, 0)
    }

    fn order(
        &mut self,
        step: i64,
        order: Order,
        target: prop::sample::Index,
        engine: &mut Engine,
        model: &mut Model,
    ) -> (u64, u64) {
        self.ts = self.ts.saturating_add_signed(step);
        let id = 100 + self.ids.len() as u64;
        let mut order = Order { ts: self.ts + 10_000, order_id: id, ..order };
        if order.kind != 1 {
            // Mostly a real target and its owner, rarely a stranger.
            let n = self.ids.len() + 1;
            let at = target.index(n);
            order.ref_id = self.ids.get(at).copied().unwrap_or(7);
            if let Some(owner) = self.owners.get(at)
                && order.flags & 1 == 0
            {
                order.account = owner.account;
                order.instrument = owner.instrument;
                order.strategy = owner.strategy;
                order.side = owner.side;
            }
        }
        let ask = Ask {
            ts: order.ts,
            id,
            kind: order.kind,
            target: order.ref_id,
            px: order.px,
            qty: order.qty,
            side: order.side,
            order_type: order.type_tif,
            flags: order.flags,
            account: order.account,
            instrument: order.instrument,
            strategy: order.strategy,
        };
        let shadow = engine.check(&order);
        let outcome = engine.decide(&order, false);
        assert_eq!(shadow, outcome);
        let wanted = model.ask(&ask);
        if outcome.decision.is_accepted() && order.kind != 3 {
            self.ids.push(id);
            self.owners.push(order);
        }
        (outcome.decision.reasons.0, wanted)
    }

    fn report(
        &mut self,
        what: u8,
        target: prop::sample::Index,
        (share, px): (i64, i64),
        again: bool,
        engine: &mut Engine,
        model: &mut Model,
    ) {
        let at = target.index(self.ids.len() + 1);
        let id = self.ids.get(at).copied().unwrap_or(7);
        self.execs += u64::from(!again);
        // Of ten shares: more than ten is an overfill, none or fewer is an old report.
        let (cum, px) = match model.order(id) {
            None => (5, px),
            Some((account, instrument, done, most)) => {
                let cum = (i128::from(most) * i128::from(share) / 10).max(i128::from(done) - 3);
                let cum = cum.min(i128::from(most) + 40).min(i128::from(i64::MAX)) as i64;
                let px =
                    if most > 1_000 { px.clamp(-9, 9) } else { px.clamp(-200 * UNIT, 200 * UNIT) };
                // A sum that fills alone push out of 64 bits saturates: no law to compare there.
                let fits = model.fits(account, instrument, i128::from(cum));
                (if fits { cum } else { done }, px)
            }
        };
        let cum = cum.max(1);
        let exec = Exec {
            ts: self.ts + 10_000,
            order_id: id,
            exec_id: self.execs,
            last_px: px,
            last_qty: 0,
            cum_qty: cum,
            exec_type: what,
            ..Exec::default()
        };
        engine.exec(&exec);
        model.report(exec.ts, exec.exec_id, id, what, cum, px);
    }
}
