//! Suggested limits: the tightest readable ones that refuse hardly any order of a known flow.
//!
//! The flow is observed under limits that refuse nothing; every limit is set at a quantile of what
//! was compared with it; then the flow is decided under the whole suggestion, and what that
//! refuses is the measured share. If it is more than was asked for, the limits are widened and
//! measured again. Nothing of the run enters the text: the same flow gives the same bytes.

mod choose;
mod observe;
mod text;

use std::path::Path;

use cwts_risk::{COMPARED, Unit};
use cwts_types::{CONTROLS, Control};
use serde_json::{Map, Value, json};

use crate::GatewayError;
use crate::replay::{Mapping, Progress, ReplayInput};
use choose::Chosen;
use observe::{Observed, Refused};
use text::Shape;

/// Order flow that is taken for ordinary.
pub enum Flow<'f> {
    /// A file, opened as often as it must be read.
    File {
        /// Opens it.
        open: &'f dyn Fn() -> Result<ReplayInput, GatewayError>,
        /// Whose orders they are.
        mapping: Option<Mapping>,
    },
    /// A log: its accepted orders.
    Log(&'f Path),
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SuggestOptions {
    /// Orders that may be refused, of a billion.
    pub false_rejects_ppb: u64,
}

/// A limits file, and what it does to the flow that it came from.
#[derive(Debug)]
pub struct Suggestion {
    /// The file's text.
    pub toml: String,
    /// The measurement as JSON, schema `cwts/suggest/v1`.
    pub json: Value,
}

/// Suggests limits for a flow.
///
/// # Errors
/// A bad input, no order to learn from, a share that no limits can keep, or a cancellation.
pub fn suggest(
    flow: &Flow<'_>,
    options: SuggestOptions,
    progress: &Progress,
) -> Result<Suggestion, GatewayError> {
    if options.false_rejects_ppb > PPB {
        let why = format!("false_rejects: {} is above 100 %", options.false_rejects_ppb);
        return Err(GatewayError::Replay(why));
    }
    let shape = Shape::of(flow)?;
    let observed = observe::observe(flow, &shape, progress)?;
    if observed.orders == 0 {
        let why = "the flow holds no order to learn from".to_owned();
        return Err(GatewayError::Replay(why));
    }
    let allowed = u128::from(observed.orders) * u128::from(options.false_rejects_ppb);
    let allowed = (allowed / u128::from(PPB)) as u64;
    let mut each = observed.first_budget(allowed);
    let mut tries = 0;
    loop {
        tries += 1;
        let chosen = Chosen::new(&observed, each, allowed);
        let toml = text::suggestion(&shape, &observed, &chosen, options);
        let refused = observe::measure(flow, &toml, progress)?;
        if refused.orders <= allowed {
            let json = document(&observed, &chosen, &refused, options, allowed, tries);
            return Ok(Suggestion { toml, json });
        }
        if each == 0 || tries == TRIES_MAX {
            return Err(beyond(&refused, &observed, allowed));
        }
        // A refused order changes what the next ones meet: fewer may pass each limit.
        each = if tries + 1 == TRIES_MAX { 0 } else { each / 2 };
    }
}

fn beyond(refused: &Refused, observed: &Observed, allowed: u64) -> GatewayError {
    let names: Vec<&str> = CONTROLS
        .iter()
        .zip(&refused.by_first)
        .filter(|(_, n)| **n > 0)
        .map(|(row, _)| row.name)
        .collect();
    GatewayError::Replay(format!(
        "false_rejects: {} of {} orders are refused under the widest limits ({}), {allowed} may \
         be; ask for a larger share, or give a flow without them",
        refused.orders,
        observed.orders,
        names.join(", ")
    ))
}

fn document(
    observed: &Observed,
    chosen: &Chosen,
    refused: &Refused,
    options: SuggestOptions,
    allowed: u64,
    tries: u32,
) -> Value {
    let by_first = CONTROLS.iter().zip(&refused.by_first).filter(|(_, n)| **n > 0);
    json!({
        "schema": SCHEMA,
        "orders": observed.orders,
        "false_rejects_ppb": options.false_rejects_ppb,
        "allowed": allowed,
        "refused": refused.orders,
        "refused_ppb":
            u128::from(refused.orders) * u128::from(PPB) / u128::from(observed.orders),
        "by_first": by_first
            .map(|(row, n)| (row.name.to_owned(), json!(n))).collect::<Map<_, _>>(),
        "beyond_each_limit": chosen.each,
        "measured_times": tries,
        "before_reference": observed.before_reference,
        "limits": chosen.rows().map(|row| json!({
            "control": row.control.name(),
            "level": row.level.name(),
            "limit": row.literal,
            "orders": row.orders,
            "p50": row.p50,
            "p999": row.p999,
            "max": row.max,
        })).collect::<Vec<_>>(),
    })
}

impl Observed {
    /// What each limit may refuse, if all of them refuse different orders.
    fn first_budget(&self, allowed: u64) -> u64 {
        let rows = (0..COMPARED.len())
            .filter(|row| choose::is_suggested(*row) && self.limit_use.row(*row).orders() > 0);
        allowed.saturating_sub(self.refused) / (rows.count() as u64).max(1)
    }
}

/// What a control's limit is counted in.
fn unit(control: Control) -> Unit {
    COMPARED.iter().find(|row| row.control == control).map_or(Unit::Count, |row| row.unit)
}

/// Whether a control's limit is an amount.
fn is_money(control: Control) -> bool {
    unit(control) == Unit::Micros
}

/// Parts of the share.
const PPB: u64 = 1_000_000_000;
/// Measurements of one suggestion; the last is of the widest limits.
const TRIES_MAX: u32 = 8;
/// Name of the measurement's schema.
const SCHEMA: &str = "cwts/suggest/v1";
