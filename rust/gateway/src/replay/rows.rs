//! `out.csv`: one row an order.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use cwts_risk::Outcome;
use cwts_types::Order;

use crate::GatewayError;

/// Writes `seq,order_id,decision,first_reason,reasons`, new orders and replaces in file order.
pub(super) struct DecisionRows {
    path: PathBuf,
    out: BufWriter<File>,
}

impl DecisionRows {
    pub(super) fn create(path: &Path) -> Result<Self, GatewayError> {
        let failed = |source| GatewayError::File { path: path.display().to_string(), source };
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, File::create(path).map_err(failed)?);
        out.write_all(b"seq,order_id,decision,first_reason,reasons\n").map_err(failed)?;
        Ok(Self { path: path.to_owned(), out })
    }

    pub(super) fn row(&mut self, order: &Order, outcome: &Outcome) -> Result<(), GatewayError> {
        let decision = &outcome.decision;
        let written = if decision.is_accepted() {
            writeln!(self.out, "{},{},accept,,", order.seq, order.order_id)
        } else {
            let first = decision.reasons.first().map_or("", cwts_types::Control::name);
            let all: Vec<&str> = decision.reasons.iter().map(cwts_types::Control::name).collect();
            let all = all.join("|");
            writeln!(self.out, "{},{},reject,{first},{all}", order.seq, order.order_id)
        };
        written.map_err(|source| self.failed(source))
    }

    pub(super) fn finish(mut self) -> Result<(), GatewayError> {
        let flushed = self.out.flush();
        flushed.map_err(|source| self.failed(source))
    }

    fn failed(&self, source: std::io::Error) -> GatewayError {
        GatewayError::File { path: self.path.display().to_string(), source }
    }
}

const BUFFER_BYTES: usize = 1 << 18;
