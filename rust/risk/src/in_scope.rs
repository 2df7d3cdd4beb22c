//! Which orders work in a scope: what a mass cancel names.

use cwts_types::{Level, RegisterKind, Scope, ScopeKind};

use crate::engine::Engine;
use crate::working::Working;

impl Engine {
    /// Ids of the orders that work in a scope, ascending: the same on every machine.
    ///
    /// Each order stands once, under the id that it was accepted with, whatever replaced it since:
    /// a cancel of that id names it.
    pub fn working_in(&self, scope: Scope) -> Vec<u64> {
        let inside = self.working.iter().filter(|(_, working)| self.is_in(working, scope));
        let mut ids: Vec<u64> = inside.map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids
    }

    /// Ids of the orders that are to be cancelled because their session is down, ascending: where
    /// the limits say so, and none that is good till cancelled or till a date.
    pub fn lost_orders(&self) -> Vec<u64> {
        let mut out = Vec::new();
        for (handle, line) in self.sessions.iter().enumerate() {
            let handle = handle as u32;
            let name = self.registry.name(RegisterKind::Session, handle).unwrap_or("");
            let cancels = self.file.sessions.get(name).is_some_and(|s| s.cancel_on_disconnect);
            if line.is_down && cancels {
                let scope = Scope { kind: ScopeKind::Session, handle };
                let stays = |id: &u64| {
                    self.working.get(id).is_some_and(|w| matches!(w.tif, TIF_GTC | TIF_GTD))
                };
                out.extend(self.working_in(scope).into_iter().filter(|id| !stays(id)));
            }
        }
        out.sort_unstable();
        out
    }

    fn is_in(&self, working: &Working, scope: Scope) -> bool {
        match scope.kind {
            ScopeKind::Firm => true,
            ScopeKind::Account => working.account == scope.handle,
            ScopeKind::Strategy => working.strategy == scope.handle,
            ScopeKind::Instrument => working.instrument == scope.handle,
            ScopeKind::Venue => {
                let line = self.instruments.get(working.instrument as usize);
                line.and_then(Option::as_ref).is_some_and(|line| line.venue == scope.handle)
            }
            ScopeKind::Session => {
                let line = self.strategies.get(working.strategy as usize);
                line.and_then(Option::as_ref).is_some_and(|line| line.session == scope.handle)
            }
            ScopeKind::Customer => self.is_under(working.account, Level::Customer, scope.handle),
            ScopeKind::Desk => self.is_under(working.account, Level::Desk, scope.handle),
        }
    }

    /// Whether an account's line of parents passes through this node.
    fn is_under(&self, account: u32, level: Level, handle: u32) -> bool {
        let line = self.accounts.get(account as usize).and_then(Option::as_ref);
        let mut at = line.map(|line| line.node);
        while let Some(node) = at.and_then(|index| self.nodes.get(index)) {
            if node.level == level && node.handle == handle {
                return true;
            }
            at = node.parent;
        }
        false
    }
}

/// FIX 59: good till cancelled.
const TIF_GTC: u8 = 1;
/// FIX 59: good till a date.
const TIF_GTD: u8 = 6;
