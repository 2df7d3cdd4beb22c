//! `cwts.Decision`: what was decided, and why.

use cwts_risk::{Engine, Outcome};
use cwts_types::{Verdict, Violation};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::Value;

/// The decision on one order; true when it was accepted.
#[pyclass(frozen, module = "cwts")]
pub(crate) struct Decision {
    record: cwts_types::Decision,
    /// Only refusals have one.
    refusal: Option<Box<Refusal>>,
}

struct Refusal {
    rows: Vec<Value>,
    /// Names that are not registered, as the caller wrote them.
    unknown: Vec<String>,
}

impl Decision {
    pub(crate) fn accepted_record(record: cwts_types::Decision) -> Self {
        Self { record, refusal: None }
    }

    pub(crate) fn new(outcome: &Outcome, engine: &Engine, names: &OrderNames) -> Self {
        if outcome.violations.is_empty() {
            return Self { record: outcome.decision, refusal: None };
        }
        let row = |v: &Violation| cwts_gateway::violation_row(engine, v, &names.symbol);
        let rows: Vec<Value> = outcome.violations.iter().map(row).collect();
        let mut unknown = Vec::new();
        for violation in &outcome.violations {
            if violation.control == cwts_types::Control::UnknownHandle {
                let bit = |bit: i64| violation.observed & bit != 0;
                if bit(1) {
                    unknown.push(format!(
                        "account {:?}: add [account.{}] with its limits to the limits file",
                        names.account, names.account
                    ));
                }
                if bit(2) {
                    unknown.push(format!(
                        "instrument {:?}: add {} = {{ tick = \"0.01\", lot = 1 \
                     }} under [instrument] to the limits file",
                        names.symbol, names.symbol
                    ));
                }
                if bit(4) {
                    unknown.push(format!(
                        "strategy {:?}: add [strategy.{}] to the limits file",
                        names.strategy, names.strategy
                    ));
                }
            }
        }
        Self { record: outcome.decision, refusal: Some(Box::new(Refusal { rows, unknown })) }
    }
}

/// The names of an order as the caller wrote them.
pub(crate) struct OrderNames {
    pub(crate) symbol: String,
    pub(crate) account: String,
    pub(crate) strategy: String,
}

#[pymethods]
impl Decision {
    /// Whether the order may go out.
    #[getter]
    fn accepted(&self) -> bool {
        self.record.is_accepted()
    }

    /// Bitmask of all violated controls.
    #[getter]
    fn mask(&self) -> u64 {
        self.record.reasons.0
    }

    /// Name of the violated control with the lowest bit.
    #[getter]
    fn first(&self) -> Option<&'static str> {
        self.record.reasons.first().map(cwts_types::Control::name)
    }

    /// One dict a violated control: control, level, scope, observed, limit, text, citation, cure.
    #[getter]
    fn violations<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let rows = self.refusal.as_ref().map(|r| r.rows.clone()).unwrap_or_default();
        crate::convert::to_py(py, &Value::Array(rows))
    }

    /// Log index of the decision.
    #[getter]
    fn seq(&self) -> u64 {
        self.record.seq
    }

    /// Log index of the order.
    #[getter]
    fn order_seq(&self) -> u64 {
        self.record.order_seq
    }

    /// Id of the order.
    #[getter]
    fn order_id(&self) -> u64 {
        self.record.order_id
    }

    /// Version of the limits that it used.
    #[getter]
    fn limits_version(&self) -> u32 {
        self.record.limits_version
    }

    /// `accept`, `reject`, `soft_block` or `cancel_passed`.
    #[getter]
    fn verdict(&self) -> &'static str {
        match Verdict::from_code(self.record.verdict) {
            Some(Verdict::Accept) => "accept",
            Some(Verdict::SoftBlock) => "soft_block",
            Some(Verdict::CancelPassed) => "cancel_passed",
            Some(Verdict::Reject) | None => "reject",
        }
    }

    /// The decision in sentences: control, observed value, limit, rule, and what cures it.
    fn explain(&self) -> String {
        let Some(refusal) = &self.refusal else {
            return format!(
                "{} under limits version {}",
                self.verdict(),
                self.record.limits_version
            );
        };
        let mut lines = Vec::new();
        for row in &refusal.rows {
            lines.push(row["text"].as_str().unwrap_or_default().to_owned());
            if let Some(cure) = row["cure"].as_str() {
                lines.push(format!("  {cure}"));
            }
        }
        for unknown in &refusal.unknown {
            lines.push(format!("  {unknown}"));
        }
        if self.record.verdict == Verdict::SoftBlock as u8 {
            let id = self.record.order_id;
            lines.push(format!(
                "  a soft block: two people may let it pass once, with `cwts override LOG {id}`"
            ));
        }
        lines.join("\n")
    }

    /// The 64-byte record, `DECISION_DTYPE`.
    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.record.to_bytes())
    }

    fn __bool__(&self) -> bool {
        self.record.is_accepted()
    }

    fn __repr__(&self) -> String {
        let names: Vec<&str> = self.record.reasons.iter().map(cwts_types::Control::name).collect();
        let reasons =
            if names.is_empty() { String::new() } else { format!(", {}", names.join("|")) };
        format!("Decision({}{reasons}, seq={})", self.verdict(), self.record.seq)
    }
}
