//! What a market and the back office say live, and the holds of the gateway's own that follow.

use cwts_audit::holds::{KillAction, KillRequest};
use cwts_types::{
    Body, Entry, Header, KillState, Locate, Phase, Reference, RegisterKind, Session, SessionKind,
};

use crate::GatewayError;
use crate::clock::system_utc_ns;
use crate::control::RANK_RISK;
use crate::gateway::Gateway;
use crate::switch::LocalRequest;

impl Gateway {
    /// Takes in what is known of a market beside its reference price: bid, prior close, bands,
    /// the short-sale restriction. `seen.ts` is never later than now.
    ///
    /// # Errors
    /// The log has failed.
    pub fn set_market(&mut self, seen: Reference) -> Result<(), GatewayError> {
        // The gateway's clock and no other: what it says of orders must follow on this.
        let now = self.clock.now().utc_ns;
        let ts = if seen.ts == 0 { now } else { seen.ts.min(now) };
        self.take_in(Body::Reference(Reference { ts, ..seen }))
    }

    /// Takes in the phase of `instrument:X`, `venue:X` or `session:X`.
    ///
    /// # Errors
    /// The name is unknown, it cannot be in that phase, or the log has failed.
    pub fn set_phase(&mut self, scope: &str, phase: Phase) -> Result<(), GatewayError> {
        let place = self.engine.registry().scope(scope)?;
        let kind = match RegisterKind::from_code(place.kind as u8) {
            Some(RegisterKind::Instrument) => SessionKind::Instrument,
            Some(RegisterKind::Venue) => SessionKind::Venue,
            Some(RegisterKind::Session) => SessionKind::Session,
            _ => {
                let why = format!("{scope}: only an instrument, a venue or a session has a phase");
                return Err(GatewayError::Permission(why));
            }
        };
        if !phase.fits(kind) {
            let why = format!("{scope}: is never {}", phase.name());
            return Err(GatewayError::Permission(why));
        }
        self.take_in(Body::Session(Session { kind, handle: place.handle, phase }))
    }

    /// Takes in how much of an instrument is located for an account today, in all.
    ///
    /// # Errors
    /// The log has failed.
    pub fn locate(&mut self, locate: Locate) -> Result<(), GatewayError> {
        self.take_in(Body::Locate(locate))
    }

    fn take_in(&mut self, body: Body) -> Result<(), GatewayError> {
        self.attend()?;
        let now = self.clock.now();
        self.flush_gaps(now);
        let index = self.next_index();
        let header = Header { utc_ns: i64::try_from(now.utc_ns).unwrap_or(0), ..Header::default() };
        let entry = Entry { header, body };
        self.append(entry.body.clone(), now, 1)?;
        self.engine.step(index, &entry).map_err(|source| GatewayError::Step { index, source })?;
        if matches!(entry.body, Body::Session(_)) {
            self.cancel_lost()?;
        }
        self.hold_trips()
    }

    /// Makes a hold of every latch that has none: what stopped is seen, and two people lift it.
    ///
    /// # Errors
    /// The log has failed.
    #[inline]
    pub(crate) fn hold_trips(&mut self) -> Result<(), GatewayError> {
        self.flush_due()?;
        if self.engine.has_trips() { self.hold_each_trip() } else { Ok(()) }
    }

    #[cold]
    fn hold_each_trip(&mut self) -> Result<(), GatewayError> {
        let state = self.engine.limits().control.on_auto_trip;
        let mut seen = Vec::new();
        for trip in self.engine.trips() {
            // One hold stands for all that latched on a scope.
            if seen.contains(&trip.scope) {
                continue;
            }
            seen.push(trip.scope);
            let scope = self.named(trip.scope);
            let slot = self.slot(trip.scope).map(|slot| slot as usize);
            let action = if state == KillState::Halted {
                KillAction::Halt(scope)
            } else {
                KillAction::Reduce(scope)
            };
            let text = |value| cwts_risk::value_text(trip.control, value);
            let (observed, limit) = (text(trip.observed), text(trip.limit));
            let request = KillRequest {
                action,
                actor: "gateway".to_owned(),
                reason: format!("{}: observed {observed}, limit {limit}", trip.control.name()),
                utc_ns: system_utc_ns(),
                cancel_working: false,
            };
            let ticket = self.switch.next_ticket();
            let local = LocalRequest { request, allow_reduce: false, rank: RANK_RISK, ticket };
            self.switch.raise(slot, local);
        }
        self.attend()
    }
}
