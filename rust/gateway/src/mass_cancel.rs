//! Cancels that come with a halt: what works in the scope, once the block is in force and durable.
//!
//! Source: design note "risk", section 6. The wish lies in a request file until every cancel is
//! durable, so that a crash anywhere between the halt and the last cancel leaves it: the next start
//! takes it in again, finds the hold, adds no second one, and cancels what still works. A cancel
//! that comes twice is harmless, one that never comes is not.

use std::collections::BTreeMap;
use std::path::Path;

use cwts_audit::holds::{KillAction, KillRequest, NamedScope};
use cwts_types::{Control, Decision, KillState, Order, OrderKind, ReleaseMode, Scope};

use crate::clock::system_utc_ns;
use crate::control::{HaltOptions, RANK_OPERATOR, clipped, raise};
use crate::gateway::{Gateway, Sender};
use crate::request::{place, sync_placed};
use crate::{GatewayError, KillSwitch};

/// What is to be cancelled, and what was.
#[derive(Debug, Default)]
pub(crate) struct MassCancel {
    /// Holds whose scope is to be emptied when they are durable.
    wanted: Vec<(u64, Scope)>,
    /// Cancels by hold, for whoever halted.
    counts: BTreeMap<u64, u64>,
    /// Cancels for the venue that nobody took yet, by order: as many as orders, at most.
    released: BTreeMap<u64, Decision>,
}

impl Gateway {
    /// Halts a scope, then cancels what works in it; returns when all of it is durable. The
    /// cancels are given by [`Gateway::take_cancels`].
    ///
    /// # Errors
    /// As [`Gateway::halt`].
    pub fn halt_and_cancel(
        &mut self,
        scope: &str,
        options: &HaltOptions,
    ) -> Result<u64, GatewayError> {
        let at = self.engine.registry().scope(scope)?;
        let named = self.named(at);
        let slot = self.slot(at);
        let Some(dir) = self.dir.clone() else {
            let hold = self.halt(scope, options)?;
            self.cancel_in(hold, at)?;
            return Ok(hold);
        };
        let ticket = raise_and_cancel(&self.switch(), &dir, &named, slot, options)?;
        self.poll()?;
        Ok(self.hold_of(ticket))
    }

    /// How many cancels came with a hold.
    pub fn cancels_of(&self, hold: u64) -> u64 {
        self.mass_cancel.counts.get(&hold).copied().unwrap_or(0)
    }

    /// The decisions on cancels that came with halts, once each, by order id: whoever has the
    /// session sends them.
    pub fn take_cancels(&mut self) -> Vec<Decision> {
        std::mem::take(&mut self.mass_cancel.released).into_values().collect()
    }

    /// Takes in a halt that also cancels. One that stands already is not made twice: the request
    /// came before, and a crash kept its cancels from leaving.
    pub(crate) fn take_cancelling(
        &mut self,
        request: &KillRequest,
        seen: u64,
    ) -> Result<(), GatewayError> {
        let (state, named) = match &request.action {
            KillAction::Halt(scope) => (KillState::Halted, scope),
            KillAction::Reduce(scope) => (KillState::ReduceOnly, scope),
            // The form of a request has no such thing.
            KillAction::Resume { .. } => return Ok(()),
        };
        let scope = self.scope_of(named);
        let (actor, reason) = (clipped(&request.actor), clipped(&request.reason));
        let standing = self.engine.holds().find(|hold| {
            Some(hold.at()) == scope
                && hold.kill_state() == state
                && hold.actor == actor
                && hold.reason == reason
        });
        let hold = match standing {
            Some(hold) => hold.id,
            None => {
                self.take_one(request, false, RANK_OPERATOR, seen)?;
                self.engine.next_hold() - 1
            }
        };
        // Nothing works in a scope that nobody registered; its request halted the firm.
        self.mass_cancel.wanted.extend(scope.map(|scope| (hold, scope)));
        Ok(())
    }

    /// Cancels what the holds asked for that are durable by now.
    pub(crate) fn cancel_wanted(&mut self) -> Result<(), GatewayError> {
        for (hold, scope) in std::mem::take(&mut self.mass_cancel.wanted) {
            self.cancel_in(hold, scope)?;
        }
        Ok(())
    }

    /// Cancels what works in a scope, a batch a wait for the disk where the release mode asks for
    /// one, and returns when the last of them is durable.
    fn cancel_in(&mut self, hold: u64, scope: Scope) -> Result<(), GatewayError> {
        let ids = self.engine.working_in(scope);
        for batch in ids.chunks(CANCELS_AT_ONCE) {
            let mut decided = Vec::with_capacity(batch.len());
            for id in batch {
                decided.push((*id, self.cancel_by_gateway(*id)?));
            }
            if self.release == ReleaseMode::Durable {
                self.sync()?;
            }
            self.mass_cancel.released.extend(decided);
        }
        *self.mass_cancel.counts.entry(hold).or_default() += ids.len() as u64;
        self.sync()
    }

    /// Cancels the orders of sessions that are down, where the limits ask for it. It returns when
    /// they are durable; a crash before leaves them to the next start.
    pub(crate) fn cancel_lost(&mut self) -> Result<(), GatewayError> {
        self.cancel_all(&self.engine.lost_orders())
    }

    /// Cancels these orders; whoever has the session takes them with [`Gateway::take_cancels`].
    pub(crate) fn cancel_all(&mut self, ids: &[u64]) -> Result<(), GatewayError> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut decided = Vec::with_capacity(ids.len());
        for id in ids {
            decided.push((*id, self.cancel_by_gateway(*id)?));
        }
        if self.release == ReleaseMode::Durable {
            self.sync()?;
        }
        self.mass_cancel.released.extend(decided);
        Ok(())
    }

    /// Own orders that a new one meets and that the limits have cancelled for it.
    #[inline]
    pub(crate) fn crossed(&self, order: &Order) -> Vec<u64> {
        if !self.engine.cancels_own() || crate::gateway::is_cancel(order) {
            return Vec::new();
        }
        self.engine.own_crossed(order)
    }

    /// Cancels own orders that a new one meets, if it passes or is refused for them alone.
    pub(crate) fn cancel_crossed(
        &mut self,
        crossed: &[u64],
        outcome: &cwts_risk::Outcome,
    ) -> Result<(), GatewayError> {
        let reasons = outcome.decision.reasons.0;
        if outcome.decision.is_accepted() || reasons == 1 << Control::SelfTrade as u8 {
            self.cancel_all(crossed)?;
        }
        Ok(())
    }

    /// As an order of a caller's, but without a look at the switch: this runs while a move of the
    /// switch is dealt with, and no state stops a cancel.
    fn cancel_by_gateway(&mut self, id: u64) -> Result<Decision, GatewayError> {
        if let Some(log) = &mut self.log
            && !log.wait_room(2)
        {
            let why = log.failure().unwrap_or_default();
            return Err(self.fail(why));
        }
        let now = self.clock.now();
        self.flush_gaps(now);
        let order = Order {
            seq: self.next_index(),
            ts: now.utc_ns,
            order_id: id,
            ref_id: id,
            kind: OrderKind::Cancel as u8,
            side: 1,
            type_tif: 2,
            ..Order::default()
        };
        let outcome = self.engine.decide(&order, false);
        let header = self.header_of(Sender::Gateway, now);
        self.append_pair(&order, &outcome, header)?;
        self.in_out.accept();
        self.in_out.release();
        Ok(outcome.decision)
    }
}

/// Leaves the request for the cancels, then raises the switch: as [`raise`], before any lock.
///
/// # Errors
/// The request cannot be written; the scope is halted all the same.
pub fn raise_and_cancel(
    switch: &KillSwitch,
    dir: &Path,
    scope: &NamedScope,
    slot: Option<u32>,
    options: &HaltOptions,
) -> Result<u64, GatewayError> {
    let named = scope.clone();
    let reduce = options.reduce_only;
    let request = KillRequest {
        action: if reduce { KillAction::Reduce(named) } else { KillAction::Halt(named) },
        actor: options.actor.clone(),
        reason: options.reason.clone(),
        utc_ns: system_utc_ns(),
        cancel_working: true,
    };
    // The request lies there before the number moves, so whoever sees the number finds it; the
    // disk is waited for afterwards, or an idle gateway's look would find the request alone.
    let placed = place(dir, &request);
    let ticket = raise(switch, scope, slot, options);
    sync_placed(&placed?)?;
    Ok(ticket)
}

/// Cancels before a wait for the disk.
const CANCELS_AT_ONCE: usize = 1_024;
