//! The names of a limits file, as a log registers them.

use cwts_risk::Engine;
use cwts_risk::limits::{self, ANY, LimitsFile};
use cwts_types::RegisterKind;

use crate::GatewayError;

/// Whoever is registered stays where it is.
pub(crate) fn check_parents(
    engine: &Engine,
    path: &str,
    file: &LimitsFile,
) -> Result<(), GatewayError> {
    let registry = engine.registry();
    for (kind, parent, name) in names_of(file) {
        let Some(handle) = registry.handle(kind, &name) else { continue };
        let was = registry.parent(kind, handle).unwrap_or(0);
        let old = parent_kind(kind).and_then(|k| registry.name(k, was)).unwrap_or("");
        let new = parent.as_deref().unwrap_or("");
        if old != new {
            let kind = kind.scope_kind().map_or("actor", cwts_types::ScopeKind::name);
            let what = format!(
                "{kind} `{name}` belongs to `{old}` in the log and to `{new}` in the file; a \
                 registered {kind} cannot move"
            );
            return Err(GatewayError::LimitChange { path: path.to_owned(), what });
        }
    }
    Ok(())
}

/// Every name that a limits file defines, parents first: kind, parent's name, name.
pub(crate) fn names_of(file: &LimitsFile) -> Vec<(RegisterKind, Option<String>, String)> {
    let mut out = Vec::new();
    let mut row = |kind, parent: Option<&String>, name: &String| {
        if name != ANY {
            out.push((kind, parent.cloned(), name.clone()));
        }
    };
    for name in file.desks.keys() {
        row(RegisterKind::Desk, None, name);
    }
    for (name, customer) in &file.customers {
        row(RegisterKind::Customer, customer.desk.as_ref(), name);
    }
    for (name, account) in &file.accounts {
        row(RegisterKind::Account, account.customer.as_ref(), name);
    }
    for name in file.sessions.keys() {
        row(RegisterKind::Session, None, name);
    }
    for name in file.strategies.keys() {
        row(RegisterKind::Strategy, None, name);
    }
    let venue_of = |i: &limits::InstrumentLimits| {
        let group = i.group.as_ref().and_then(|g| file.groups.get(g));
        i.venue.clone().or_else(|| group.and_then(|g| g.venue.clone()))
    };
    let venues: std::collections::BTreeSet<String> =
        file.instruments.values().filter_map(venue_of).chain(file.venues.keys().cloned()).collect();
    for name in &venues {
        row(RegisterKind::Venue, None, name);
    }
    for (symbol, instrument) in &file.instruments {
        row(RegisterKind::Instrument, venue_of(instrument).as_ref(), symbol);
    }
    out
}

pub(crate) fn parent_kind(kind: RegisterKind) -> Option<RegisterKind> {
    match kind {
        RegisterKind::Customer => Some(RegisterKind::Desk),
        RegisterKind::Account => Some(RegisterKind::Customer),
        RegisterKind::Instrument => Some(RegisterKind::Venue),
        _ => None,
    }
}
