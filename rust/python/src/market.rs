//! What a market and the back office say, from Python.

use cwts_types::{Locate, Phase, Reference, RegisterKind, reference_flag};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::error::Error;
use crate::gateway::Gateway;

/// Takes in bid, prior close, bands and the short-sale restriction of a symbol.
#[pyfunction]
#[pyo3(signature = (gateway, symbol, *, bid_e9=0, prior_close_e9=0, band_e9=None, no_band=false,
    short_restricted=None, ts_ns=0))]
#[expect(clippy::too_many_arguments, reason = "one argument a field of the REFERENCE entry")]
pub(crate) fn set_market(
    gateway: &Gateway,
    symbol: &str,
    bid_e9: i64,
    prior_close_e9: i64,
    band_e9: Option<(i64, i64)>,
    no_band: bool,
    short_restricted: Option<bool>,
    ts_ns: u64,
) -> Result<(), Error> {
    let mut inner = gateway.lock()?;
    let core = inner.core()?;
    let instrument = handle(core.engine().registry(), RegisterKind::Instrument, symbol)?;
    let (luld_lo, luld_hi) = band_e9.unwrap_or((0, 0));
    let mut flags = reference_flag::EXTERNAL;
    if no_band {
        flags |= reference_flag::NO_BAND;
    }
    match short_restricted {
        Some(true) => flags |= reference_flag::SHORT_RESTRICTED,
        Some(false) => flags |= reference_flag::SHORT_FREE,
        None => {}
    }
    let seen = Reference {
        instrument,
        flags,
        bid: bid_e9,
        prior_close: prior_close_e9,
        luld_lo,
        luld_hi,
        ts: ts_ns,
        ..Reference::default()
    };
    Ok(core.set_market(seen)?)
}

/// Takes in the phase of an instrument, a venue or a session.
#[pyfunction]
pub(crate) fn set_phase(gateway: &Gateway, scope: &str, phase: &str) -> Result<(), Error> {
    let Some(found) = Phase::ALL.into_iter().find(|p| p.name() == phase) else {
        let known: Vec<&str> = Phase::ALL.iter().map(|p| p.name()).collect();
        let shown: String = phase.chars().take(64).collect();
        let why = format!("phase: {shown:?} is not one of {}", known.join(", "));
        return Err(PyValueError::new_err(why).into());
    };
    let mut inner = gateway.lock()?;
    Ok(inner.core()?.set_phase(scope, found)?)
}

/// Takes in how much of a symbol is located for an account today, in all.
#[pyfunction]
#[pyo3(signature = (gateway, account, symbol, qty, *, actor))]
pub(crate) fn locate(
    gateway: &Gateway,
    account: &str,
    symbol: &str,
    qty: i64,
    actor: &str,
) -> Result<(), Error> {
    if qty < 0 {
        return Err(PyValueError::new_err(format!("qty: {qty} is below 0")).into());
    }
    let mut inner = gateway.lock()?;
    let core = inner.core()?;
    let registry = core.engine().registry();
    let account = handle(registry, RegisterKind::Account, account)?;
    let instrument = handle(registry, RegisterKind::Instrument, symbol)?;
    let actor: String = actor.chars().filter(|c| *c != '\0').take(ACTOR_CHARS_MAX).collect();
    Ok(core.locate(Locate { account, instrument, qty, actor })?)
}

fn handle(registry: &cwts_risk::Registry, kind: RegisterKind, name: &str) -> Result<u32, Error> {
    registry.handle(kind, name).ok_or_else(|| {
        let shown: String = name.chars().take(64).collect();
        let what = kind.scope_kind().map_or("name", cwts_types::ScopeKind::name);
        PyValueError::new_err(format!("{what}: {shown:?} is not in the limits file")).into()
    })
}

/// Longest name of who located.
const ACTOR_CHARS_MAX: usize = 1_024;
