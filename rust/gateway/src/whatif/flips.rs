//! Decisions that come out otherwise: rows, counts, and the file that lists them all.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use cwts_risk::Registry;
use cwts_types::{CONTROLS, Control, Order, OrderKind, Reasons, RegisterKind, Side, format_e9};

use crate::GatewayError;

/// One decision that flips.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flip {
    /// The order as the entries have it, with handles of the new limits' engine.
    pub order: Order,
    /// What it violated under the old limits; nothing if it was accepted.
    pub old: Reasons,
    /// What it violates under the new ones.
    pub new: Reasons,
    /// Its notional in micros, as the new limits count it; 0 where it has none.
    pub notional: i64,
}

impl Flip {
    /// The record that Python reads: little-endian, no gaps.
    pub fn to_bytes(self) -> [u8; FLIP_BYTES] {
        let mut out = [0; FLIP_BYTES];
        let words = [
            self.order.seq,
            self.order.ts,
            self.order.order_id,
            self.order.px as u64,
            self.order.qty as u64,
            self.old.0,
            self.new.0,
            self.notional as u64,
        ];
        for (chunk, word) in out.chunks_exact_mut(8).zip(words) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        let handles = [self.order.instrument, self.order.account, self.order.strategy];
        for (chunk, handle) in out[64..76].chunks_exact_mut(4).zip(handles) {
            chunk.copy_from_slice(&handle.to_le_bytes());
        }
        out[76] = self.order.side;
        out[77] = self.order.kind;
        out
    }
}

/// Flips in one direction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Orders.
    pub orders: u64,
    /// Their notional in micros: exact, whatever it comes to.
    pub notional: i128,
    /// By the lowest bit of the side that refuses.
    pub by_first: Vec<u64>,
    /// By every bit of it.
    pub by_bit: Vec<u64>,
}

impl Tally {
    pub(super) fn new() -> Self {
        let none = || vec![0; CONTROLS.len()];
        Self { orders: 0, notional: 0, by_first: none(), by_bit: none() }
    }

    pub(super) fn add(&mut self, reasons: Reasons, notional: i64) {
        self.orders += 1;
        self.notional += i128::from(notional);
        if let Some(first) = reasons.first() {
            self.by_first[first as usize] += 1;
        }
        for control in reasons.iter() {
            self.by_bit[control as usize] += 1;
        }
    }
}

/// Writes every flip as a row, in the order of the decisions.
pub(super) struct FlipRows {
    path: PathBuf,
    out: BufWriter<File>,
}

impl FlipRows {
    pub(super) fn create(path: &Path) -> Result<Self, GatewayError> {
        let failed = |source| GatewayError::File { path: path.display().to_string(), source };
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, File::create(path).map_err(failed)?);
        out.write_all(CSV_HEADER.as_bytes()).map_err(failed)?;
        Ok(Self { path: path.to_owned(), out })
    }

    pub(super) fn row(&mut self, flip: &Flip, registry: &Registry) -> Result<(), GatewayError> {
        let order = &flip.order;
        let name = |kind, handle| csv_text(registry.name(kind, handle).unwrap_or(""));
        let decision = |reasons: Reasons| if reasons.is_empty() { "accept" } else { "reject" };
        let written = writeln!(
            self.out,
            "{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}",
            order.seq,
            order.ts,
            order.order_id,
            kind_name(order),
            name(RegisterKind::Account, order.account),
            name(RegisterKind::Strategy, order.strategy),
            name(RegisterKind::Instrument, order.instrument),
            Side::from_code(order.side).map_or("none", Side::name),
            order.qty,
            if order.px == 0 { String::new() } else { format_e9(order.px) },
            decision(flip.old),
            decision(flip.new),
            names(flip.old),
            names(flip.new),
            flip.notional,
        );
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

/// Whether the record is a new order or a replace.
pub(super) fn kind_name(order: &Order) -> &'static str {
    match order.order_kind() {
        Some(OrderKind::New) => "new",
        Some(OrderKind::Replace) => "replace",
        _ => "malformed",
    }
}

/// Names of controls with a bar between them.
fn names(reasons: Reasons) -> String {
    reasons.iter().map(Control::name).collect::<Vec<_>>().join("|")
}

/// A name as a CSV cell: quoted where it would end the cell (RFC 4180).
fn csv_text(name: &str) -> String {
    if name.contains(['"', ',', '\n', '\r']) {
        return format!("\"{}\"", name.replace('"', "\"\""));
    }
    name.to_owned()
}

/// Bytes of a flip's record.
pub const FLIP_BYTES: usize = 80;
const CSV_HEADER: &str = "seq,ts,order_id,kind,account,strategy,instrument,side,qty,price,old,new,\
                          old_reasons,new_reasons,notional_micros\n";
const BUFFER_BYTES: usize = 1 << 18;
