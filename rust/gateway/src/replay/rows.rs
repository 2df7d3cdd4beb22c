//! The decisions as a file, one row an order, new orders and replaces in file order: CSV, or by
//! the suffix `.arrow` or `.parquet` a table. What is in memory has a bound; a run that fails
//! leaves a table without its footer, which no reader takes for a whole one.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use cwts_feeds::columnar::{DecisionRow, DecisionTable};
use cwts_feeds::sniff::Format;
use cwts_risk::Outcome;
use cwts_types::{Decision, Order};

use crate::GatewayError;

/// Writes the decisions.
pub(super) struct DecisionRows {
    path: PathBuf,
    out: Out,
}

enum Out {
    /// `seq,order_id,decision,first_reason,reasons`.
    Csv(BufWriter<File>),
    Table(Box<DecisionTable<BufWriter<File>>>),
}

impl DecisionRows {
    pub(super) fn create(path: &Path) -> Result<Self, GatewayError> {
        let failed = |source| GatewayError::File { path: path.display().to_string(), source };
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, File::create(path).map_err(failed)?);
        let format = match path.extension().and_then(|suffix| suffix.to_str()) {
            Some("arrow") => Format::Arrow,
            Some("parquet") => Format::Parquet,
            _ => Format::Csv,
        };
        let out = if format == Format::Csv {
            out.write_all(b"seq,order_id,decision,first_reason,reasons\n").map_err(failed)?;
            Out::Csv(out)
        } else {
            let table = DecisionTable::new(out, format);
            Out::Table(Box::new(table.map_err(|e| e.in_file(path.display().to_string()))?))
        };
        Ok(Self { path: path.to_owned(), out })
    }

    pub(super) fn row(&mut self, order: &Order, outcome: &Outcome) -> Result<(), GatewayError> {
        let decision = &outcome.decision;
        let out = match &mut self.out {
            Out::Csv(out) => out,
            Out::Table(table) => {
                let pushed = table.push(decision_row(order, decision));
                return pushed.map_err(|e| e.in_file(self.path.display().to_string()).into());
            }
        };
        let written = if decision.is_accepted() {
            writeln!(out, "{},{},accept,,", order.seq, order.order_id)
        } else {
            let first = decision.reasons.first().map_or("", cwts_types::Control::name);
            let all: Vec<&str> = decision.reasons.iter().map(cwts_types::Control::name).collect();
            let all = all.join("|");
            writeln!(out, "{},{},reject,{first},{all}", order.seq, order.order_id)
        };
        written.map_err(|source| self.failed(source))
    }

    pub(super) fn finish(self) -> Result<(), GatewayError> {
        let path = self.path.display().to_string();
        let mut out = match self.out {
            Out::Csv(out) => out,
            Out::Table(table) => table.finish().map_err(|e| e.in_file(&path))?,
        };
        out.flush().map_err(|source| GatewayError::File { path, source })
    }

    fn failed(&self, source: std::io::Error) -> GatewayError {
        GatewayError::File { path: self.path.display().to_string(), source }
    }
}

/// An order and its decision as a row of a table.
pub fn decision_row(order: &Order, decision: &Decision) -> DecisionRow {
    DecisionRow {
        ts: order.ts,
        order_id: order.order_id,
        side: order.side,
        px: order.px,
        qty: order.qty,
        seq: decision.seq,
        reasons: decision.reasons.0,
        first: decision.first,
        observed: decision.observed,
        limit: decision.limit,
        verdict: decision.verdict,
    }
}

const BUFFER_BYTES: usize = 1 << 18;
