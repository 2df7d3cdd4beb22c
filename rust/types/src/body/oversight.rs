//! Entries about what was let pass, came near, or was counted: overrides, alerts, trigger counts.
//!
//! Source: RTS 6 Art. 15(6) (one order past a block, with a person's word) and 16 (alerts); SEC
//! Rule 15c3-5(e) (what the yearly review reads).

use super::change::{TwoPeople, decode_two, encode_two};
use super::{Signature, boolean};
use crate::codec::{DecodeError, Reader};
use crate::{Control, Level, NO_CONTROL, Reasons};

/// Two people let one order pass that soft controls blocked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The order's id.
    pub order_id: u64,
    /// Log index of the order that was blocked: what passes is equal to it.
    pub order_seq: u64,
    /// The soft controls that it may violate.
    pub controls: Reasons,
    /// UTC nanoseconds from which on it counts no longer.
    pub expires_ns: u64,
    /// Who asked.
    pub actor: String,
    /// Who agreed; never the same.
    pub approver: String,
    /// Why.
    pub reason: String,
    /// By the keys of both, in this order; `None` where no operators are listed.
    pub signatures: Option<[Signature; 2]>,
}

/// What an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum AlertKind {
    /// A control of severity `alert` was violated, and the order passed.
    Violated = 1,
    /// A soft control was violated, and an override let the order pass.
    Overridden = 2,
    /// An aggregate came to a percentage of its limit.
    Stage = 3,
    /// Orders accepted are not the messages released.
    InOut = 4,
    /// The clock cannot be shown to be within its bound of UTC.
    Clock = 5,
}

impl AlertKind {
    /// All kinds, in code order.
    pub const ALL: [Self; 5] =
        [Self::Violated, Self::Overridden, Self::Stage, Self::InOut, Self::Clock];

    /// The kind with this code, if there is one.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == code)
    }

    /// The lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Violated => "violated",
            Self::Overridden => "overridden",
            Self::Stage => "stage",
            Self::InOut => "in_out",
            Self::Clock => "clock",
        }
    }
}

/// Somebody should look; nothing was refused for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alert {
    /// What it is about.
    pub kind: AlertKind,
    /// The control, if it is about one.
    pub control: Option<Control>,
    /// Where.
    pub level: Level,
    /// The percentage that was reached; 0 if none.
    pub percent: u8,
    /// Handle of the level.
    pub scope: u32,
    /// Handle of the instrument, if it is about one.
    pub instrument: u32,
    /// Log index of the order that it came with; 0 if none.
    pub order_seq: u64,
    /// Id of that order.
    pub order_id: u64,
    /// What was observed, in the limit's unit.
    pub observed: i64,
    /// The limit.
    pub limit: i64,
}

/// How often one control was triggered in a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TriggerRow {
    /// The control.
    pub control: Control,
    /// Orders that it refused, alone or with others.
    pub refused: u64,
    /// Of those, refused by soft controls alone.
    pub soft: u64,
    /// Orders that passed with an alert of it.
    pub alerts: u64,
    /// Orders that passed by an override.
    pub overridden: u64,
}

/// What was decided in a day, and which controls it triggered. The last one of a day counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriggerCounts {
    /// UTC nanoseconds at which the day began: it names the day.
    pub from_ns: u64,
    /// UTC nanoseconds up to which it is counted.
    pub to_ns: u64,
    /// New orders and replaces decided.
    pub orders: u64,
    /// Of those, accepted.
    pub accepted: u64,
    /// Cancels passed.
    pub cancels: u64,
    /// Controls that were triggered, ascending.
    pub rows: Vec<TriggerRow>,
}

impl Override {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.order_id.to_le_bytes());
        out.extend_from_slice(&self.order_seq.to_le_bytes());
        out.extend_from_slice(&self.controls.0.to_le_bytes());
        out.extend_from_slice(&self.expires_ns.to_le_bytes());
        out.extend_from_slice(&[u8::from(self.signatures.is_some()), 0, 0, 0, 0, 0, 0, 0]);
        let texts = [self.actor.as_str(), &self.approver, &self.reason];
        encode_two(out, texts, self.signatures.as_ref());
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let order_id = r.u64("order_id")?;
        let order_seq = r.u64("order_seq")?;
        let mask = r.u64("controls")?;
        let controls = Some(Reasons(mask)).filter(|set| set.is_known() && !set.is_empty());
        let controls = r.value(controls, 8, "controls", mask, "known bits, and at least one")?;
        let expires_ns = r.u64("expires_ns")?;
        let authenticated = boolean(r, "authenticated")?;
        r.zero(7, "reserved")?;
        let TwoPeople { actor, approver, reason, signatures } = decode_two(r, authenticated)?;
        Ok(Self { order_id, order_seq, controls, expires_ns, actor, approver, reason, signatures })
    }
}

impl Alert {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let control = self.control.map_or(NO_CONTROL, |control| control as u8);
        out.extend_from_slice(&[self.kind as u8, control, self.level as u8, self.percent]);
        out.extend_from_slice(&self.scope.to_le_bytes());
        out.extend_from_slice(&self.instrument.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.order_seq.to_le_bytes());
        out.extend_from_slice(&self.order_id.to_le_bytes());
        out.extend_from_slice(&self.observed.to_le_bytes());
        out.extend_from_slice(&self.limit.to_le_bytes());
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let code = r.u8("kind")?;
        let kind = r.value(AlertKind::from_code(code), 1, "kind", code.into(), "1 to 5")?;
        let code = r.u8("control")?;
        let control = (code != NO_CONTROL).then(|| Control::from_bit(code));
        let known = (control != Some(None)).then(|| control.flatten());
        let control = r.value(known, 1, "control", code.into(), "a known bit, or 255")?;
        let code = r.u8("level")?;
        let level = r.value(Level::from_code(code), 1, "level", code.into(), "a known level")?;
        let percent = r.u8("percent")?;
        let scope = r.u32("scope")?;
        let instrument = r.u32("instrument")?;
        r.zero(4, "reserved")?;
        Ok(Self {
            kind,
            control,
            level,
            percent,
            scope,
            instrument,
            order_seq: r.u64("order_seq")?,
            order_id: r.u64("order_id")?,
            observed: r.i64("observed")?,
            limit: r.i64("limit")?,
        })
    }
}

impl TriggerRow {
    fn counts(&self) -> [u64; 4] {
        [self.refused, self.soft, self.alerts, self.overridden]
    }
}

impl TriggerCounts {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        for n in [self.from_ns, self.to_ns, self.orders, self.accepted, self.cancels] {
            out.extend_from_slice(&n.to_le_bytes());
        }
        // One row a control: they fit.
        out.extend_from_slice(&[self.rows.len() as u8, 0, 0, 0, 0, 0, 0, 0]);
        for row in &self.rows {
            out.extend_from_slice(&[row.control as u8, 0, 0, 0, 0, 0, 0, 0]);
            for n in row.counts() {
                out.extend_from_slice(&n.to_le_bytes());
            }
        }
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let from_ns = r.u64("from_ns")?;
        let to_ns = r.u64("to_ns")?;
        let orders = r.u64("orders")?;
        let accepted = r.u64("accepted")?;
        let cancels = r.u64("cancels")?;
        let count = r.u8("rows")?;
        r.zero(7, "reserved")?;
        let mut rows: Vec<TriggerRow> = Vec::new();
        for _ in 0..count {
            let code = r.u8("row.control")?;
            let control = Control::from_bit(code)
                .filter(|control| rows.last().is_none_or(|last| last.control < *control));
            let control =
                r.value(control, 1, "row.control", code.into(), "a bit above the last")?;
            r.zero(7, "reserved")?;
            let row = TriggerRow {
                control,
                refused: r.u64("row.refused")?,
                soft: r.u64("row.soft")?,
                alerts: r.u64("row.alerts")?,
                overridden: r.u64("row.overridden")?,
            };
            // A row of zeros is a second spelling of no row.
            let some = (row.counts() != [0; 4]).then_some(());
            r.value(some, 32, "row.refused", 0, "a row with a count")?;
            rows.push(row);
        }
        Ok(Self { from_ns, to_ns, orders, accepted, cancels, rows })
    }
}
