//! A body out of bytes: only those that encoding it gives back.

use super::change::{TwoPeople, decode_two};
use super::{
    Access, Alert, Alias, AliasKind, Amend, Archive, Body, Clock, Close, Config, ConfigKind,
    EntryType, Fsck, Gap, Genesis, Hold, HoldRelease, KeyEpoch, Kill, LimitActivate, LimitApprove,
    LimitExpire, LimitPropose, Locate, Note, Override, Phase, Recovery, RecoveryCause, Reference,
    Register, RegisterKind, ReleaseDenied, Resume, Sealed, Session, SessionKind, Shred,
    TriggerCounts, boolean, reference_flag,
};
use crate::Control;
use crate::codec::{DecodeError, Reader};
use crate::record::{
    DECISION_BYTES, Decision, EXEC_BYTES, Exec, NO_CONTROL, ORDER_BYTES, Order, Verdict, Violation,
};
use crate::scope::{KillState, Level, Scope, ScopeKind};

impl Body {
    pub(crate) fn decode(kind: EntryType, r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match kind {
            EntryType::Schema => Self::Schema(r.text("json")?),
            EntryType::Genesis => Self::Genesis(Genesis {
                origin: r.text("origin")?,
                log_vkey: r.text("log_vkey")?,
                committee_vkey: r.text("committee_vkey")?,
                software: r.text("software")?,
                k0_sha256: r.array("k0_sha256")?,
                retention_years: r.u16("retention_years")?,
                salt: r.array("salt")?,
            }),
            EntryType::Close => Self::Close(Close { size: r.u64("size")?, root: r.array("root")? }),
            EntryType::Recovery => Self::Recovery(decode_recovery(r)?),
            EntryType::Gap => {
                let producer = r.u32("producer")?;
                r.zero(4, "reserved")?;
                Self::Gap(Gap {
                    producer,
                    count: r.u64("count")?,
                    from_ns: r.i64("from_ns")?,
                    to_ns: r.i64("to_ns")?,
                })
            }
            EntryType::Order => decode_order(r)?,
            EntryType::Decision => decode_decision(r)?,
            EntryType::Exec => Self::Exec(Exec::from_bytes(&r.array::<EXEC_BYTES>("exec")?)),
            EntryType::Alias => Self::Alias(decode_alias(r)?),
            EntryType::Reference => Self::Reference(decode_reference(r)?),
            EntryType::LimitPropose => Self::LimitPropose(LimitPropose::decode(r)?),
            EntryType::LimitApprove => Self::LimitApprove(LimitApprove::decode(r)?),
            EntryType::LimitExpire => Self::LimitExpire(LimitExpire::decode(r)?),
            EntryType::LimitActivate => {
                let version = r.u32("version")?;
                let parts = r.u16("parts")?;
                r.zero(2, "reserved")?;
                Self::LimitActivate(LimitActivate {
                    version,
                    parts,
                    first_part: r.u64("first_part")?,
                    sha256: r.array("sha256")?,
                })
            }
            EntryType::Kill => Self::Kill(decode_kill(r)?),
            EntryType::Resume => {
                let hold = r.u64("hold")?;
                let epoch = r.u32("epoch")?;
                let authenticated = boolean(r, "authenticated")?;
                r.zero(3, "reserved")?;
                let TwoPeople { actor, approver, reason, signatures } =
                    decode_two(r, authenticated)?;
                Self::Resume(Resume { hold, epoch, actor, approver, reason, signatures })
            }
            EntryType::Override => Self::Override(Override::decode(r)?),
            EntryType::Locate => {
                let account = r.u32("account")?;
                let instrument = r.u32("instrument")?;
                let qty = r.i64("qty")?;
                let qty = r.value((qty >= 0).then_some(qty), 8, "qty", qty as u64, "0 or more")?;
                Self::Locate(Locate { account, instrument, qty, actor: r.text("actor")? })
            }
            EntryType::Session => Self::Session(decode_session(r)?),
            EntryType::Tick => Self::Tick,
            EntryType::ReleaseDenied => {
                let order_seq = r.u64("order_seq")?;
                let order_id = r.u64("order_id")?;
                let kill_epoch = r.u32("kill_epoch")?;
                r.zero(4, "reserved")?;
                Self::ReleaseDenied(ReleaseDenied { order_seq, order_id, kill_epoch })
            }
            EntryType::Config => Self::Config(decode_config(r)?),
            EntryType::Register => Self::Register(decode_register(r)?),
            EntryType::Alert => Self::Alert(Alert::decode(r)?),
            EntryType::TriggerCounts => Self::TriggerCounts(TriggerCounts::decode(r)?),
            EntryType::KeyEpoch => Self::KeyEpoch(KeyEpoch::decode(r)?),
            EntryType::Clock => Self::Clock(Clock::decode(r)?),
            EntryType::Fsck => Self::Fsck(Fsck::decode(r)?),
            EntryType::Amend => Self::Amend(Amend::decode(r)?),
            EntryType::Hold => Self::Hold(Hold::decode(r)?),
            EntryType::HoldRelease => Self::HoldRelease(HoldRelease::decode(r)?),
            EntryType::Sealed => Self::Sealed(Sealed::decode(r)?),
            EntryType::Shred => Self::Shred(Shred::decode(r)?),
            EntryType::Archive => Self::Archive(Archive::decode(r)?),
            EntryType::Access => Self::Access(Access::decode(r)?),
            EntryType::Note => Self::Note(Note { salt: r.array("salt")?, text: r.text("text")? }),
        })
    }
}

fn decode_recovery(r: &mut Reader<'_>) -> Result<Recovery, DecodeError> {
    let good_size = r.u64("good_size")?;
    let cut_bytes = r.u64("cut_bytes")?;
    let code = r.u8("cause")?;
    let cause = match code {
        1 => Some(RecoveryCause::TornTail),
        2 => Some(RecoveryCause::NoClose),
        _ => None,
    };
    let cause = r.value(cause, 1, "cause", code.into(), "1 or 2")?;
    r.zero(7, "reserved")?;
    Ok(Recovery { good_size, cut_bytes, cause, root: r.array("root")? })
}

fn decode_order(r: &mut Reader<'_>) -> Result<Body, DecodeError> {
    let order = Order::from_bytes(&r.array::<ORDER_BYTES>("order")?);
    let at = r.at();
    let tail = r.rest();
    if tail.len() > ORDER_TAIL_BYTES_MAX {
        let extra = tail.len() - ORDER_TAIL_BYTES_MAX;
        return Err(DecodeError::Long { offset: at + ORDER_TAIL_BYTES_MAX, extra });
    }
    Ok(Body::Order(order, tail.to_vec()))
}

fn decode_decision(r: &mut Reader<'_>) -> Result<Body, DecodeError> {
    let at = r.at();
    let decision = Decision::from_bytes(&r.array::<DECISION_BYTES>("decision")?);
    let wrong = |field, value, allowed| DecodeError::Value { offset: at, field, value, allowed };
    if !decision.reasons.is_known() {
        return Err(wrong("reasons", decision.reasons.0, "known bits"));
    }
    let first = decision.reasons.first().map_or(NO_CONTROL, |c| c as u8);
    if decision.first != first {
        return Err(wrong("first", decision.first.into(), "the lowest bit of reasons"));
    }
    if Level::from_code(decision.level).is_none() {
        return Err(wrong("level", decision.level.into(), "a known level"));
    }
    if Verdict::from_code(decision.verdict).is_none() {
        return Err(wrong("verdict", decision.verdict.into(), "1 to 4"));
    }
    if decision.flags != 0 {
        return Err(wrong("flags", decision.flags.into(), "0"));
    }
    let refused =
        decision.verdict == Verdict::Reject as u8 || decision.verdict == Verdict::SoftBlock as u8;
    if refused == decision.reasons.is_empty() && decision.verdict != Verdict::CancelPassed as u8 {
        return Err(wrong(
            "verdict",
            decision.verdict.into(),
            "a refusal exactly when reasons exist",
        ));
    }
    let mut violations = Vec::new();
    if decision.verdict != Verdict::Accept as u8 {
        for control in decision.reasons.iter() {
            violations.push(decode_violation(r, control)?);
        }
    }
    Ok(Body::Decision(decision, violations))
}

fn decode_violation(r: &mut Reader<'_>, control: Control) -> Result<Violation, DecodeError> {
    let code = r.u8("violation.control")?;
    let same = (code == control as u8).then_some(());
    r.value(same, 1, "violation.control", code.into(), "the next bit of reasons")?;
    let code = r.u8("violation.level")?;
    let level =
        r.value(Level::from_code(code), 1, "violation.level", code.into(), "a known level")?;
    r.zero(2, "reserved")?;
    Ok(Violation {
        control,
        level,
        scope: r.u32("violation.scope")?,
        observed: r.i64("violation.observed")?,
        limit: r.i64("violation.limit")?,
    })
}

fn decode_alias(r: &mut Reader<'_>) -> Result<Alias, DecodeError> {
    let id = r.u64("id")?;
    let code = r.u8("kind")?;
    let kind = match code {
        1 => Some(AliasKind::ClOrdId),
        2 => Some(AliasKind::OrderId),
        3 => Some(AliasKind::ExecId),
        4 => Some(AliasKind::TradeId),
        _ => None,
    };
    let kind = r.value(kind, 1, "kind", code.into(), "1 to 4")?;
    r.zero(1, "reserved")?;
    Ok(Alias { id, kind, text: r.blob("text")? })
}

fn decode_reference(r: &mut Reader<'_>) -> Result<Reference, DecodeError> {
    let instrument = r.u32("instrument")?;
    let flags = r.u32("flags")?;
    let ok = (flags & !reference_flag::ALL == 0).then_some(());
    r.value(ok, 4, "flags", flags.into(), "known bits")?;
    Ok(Reference {
        instrument,
        flags,
        px: r.i64("px")?,
        bid: r.i64("bid")?,
        ask: r.i64("ask")?,
        prior_close: r.i64("prior_close")?,
        luld_lo: r.i64("luld_lo")?,
        luld_hi: r.i64("luld_hi")?,
        ts: r.u64("ts")?,
    })
}

fn decode_kill(r: &mut Reader<'_>) -> Result<Kill, DecodeError> {
    let hold = r.u64("hold")?;
    let epoch = r.u32("epoch")?;
    let code = r.u8("state")?;
    let state = KillState::from_code(code).filter(|s| *s != KillState::Active);
    let state = r.value(state, 1, "state", code.into(), "1 or 2")?;
    let code = r.u8("scope_kind")?;
    let kind = r.value(ScopeKind::from_code(code), 1, "scope_kind", code.into(), "0 to 6")?;
    let rank = r.u8("rank")?;
    let allow_reduce = boolean(r, "allow_reduce")?;
    let scope = Scope { kind, handle: r.u32("scope")? };
    Ok(Kill {
        hold,
        epoch,
        state,
        scope,
        rank,
        allow_reduce,
        actor: r.text("actor")?,
        reason: r.text("reason")?,
    })
}

fn decode_config(r: &mut Reader<'_>) -> Result<Config, DecodeError> {
    let code = r.u8("kind")?;
    let kind = match code {
        1 => Some(ConfigKind::Limits),
        2 => Some(ConfigKind::Mapping),
        3 => Some(ConfigKind::Summary),
        _ => None,
    };
    let kind = r.value(kind, 1, "kind", code.into(), "1 to 3")?;
    r.zero(1, "reserved")?;
    let part = r.u16("part")?;
    let parts = r.u16("parts")?;
    r.value((part < parts).then_some(()), 2, "parts", parts.into(), "more than part")?;
    Ok(Config { kind, part, parts, text: r.blob("text")? })
}

fn decode_session(r: &mut Reader<'_>) -> Result<Session, DecodeError> {
    let handle = r.u32("handle")?;
    let code = r.u8("phase")?;
    let phase = r.value(Phase::from_code(code), 1, "phase", code.into(), "0 to 8")?;
    let code = r.u8("kind")?;
    let kind = SessionKind::from_code(code).filter(|kind| phase.fits(*kind));
    let kind = r.value(kind, 1, "kind", code.into(), "0 to 2, and one that has the phase")?;
    r.zero(2, "reserved")?;
    Ok(Session { kind, handle, phase })
}

fn decode_register(r: &mut Reader<'_>) -> Result<Register, DecodeError> {
    let code = r.u8("kind")?;
    let kind = r.value(RegisterKind::from_code(code), 1, "kind", code.into(), "1 to 8")?;
    r.zero(3, "reserved")?;
    Ok(Register {
        kind,
        handle: r.u32("handle")?,
        parent: r.u32("parent")?,
        salt: r.array("salt")?,
        name: r.text("name")?,
    })
}

/// An order's tail still fits two SHA-256 blocks.
const ORDER_TAIL_BYTES_MAX: usize = 14;
