//! A body as bytes.

use super::Body;
use super::change::encode_two;
use crate::codec::put_blob;

impl Body {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Schema(json) => put_blob(out, json.as_bytes()),
            Self::Genesis(b) => {
                put_blob(out, b.origin.as_bytes());
                put_blob(out, b.log_vkey.as_bytes());
                put_blob(out, b.committee_vkey.as_bytes());
                put_blob(out, b.software.as_bytes());
                out.extend_from_slice(&b.k0_sha256);
                out.extend_from_slice(&b.retention_years.to_le_bytes());
                out.extend_from_slice(&b.salt);
            }
            Self::Close(b) => {
                out.extend_from_slice(&b.size.to_le_bytes());
                out.extend_from_slice(&b.root);
            }
            Self::Recovery(b) => {
                out.extend_from_slice(&b.good_size.to_le_bytes());
                out.extend_from_slice(&b.cut_bytes.to_le_bytes());
                out.extend_from_slice(&[b.cause as u8, 0, 0, 0, 0, 0, 0, 0]);
                out.extend_from_slice(&b.root);
            }
            Self::Gap(b) => {
                out.extend_from_slice(&b.producer.to_le_bytes());
                out.extend_from_slice(&[0; 4]);
                out.extend_from_slice(&b.count.to_le_bytes());
                out.extend_from_slice(&b.from_ns.to_le_bytes());
                out.extend_from_slice(&b.to_ns.to_le_bytes());
            }
            Self::Order(order, tail) => {
                out.extend_from_slice(&order.to_bytes());
                out.extend_from_slice(tail);
            }
            Self::Decision(decision, violations) => {
                out.extend_from_slice(&decision.to_bytes());
                for violation in violations {
                    out.extend_from_slice(&violation.to_bytes());
                }
            }
            Self::Exec(exec) => out.extend_from_slice(&exec.to_bytes()),
            Self::Alias(b) => {
                out.extend_from_slice(&b.id.to_le_bytes());
                out.extend_from_slice(&[b.kind as u8, 0]);
                put_blob(out, &b.text);
            }
            Self::Reference(b) => {
                out.extend_from_slice(&b.instrument.to_le_bytes());
                out.extend_from_slice(&b.flags.to_le_bytes());
                for px in [b.px, b.bid, b.ask, b.prior_close, b.luld_lo, b.luld_hi] {
                    out.extend_from_slice(&px.to_le_bytes());
                }
                out.extend_from_slice(&b.ts.to_le_bytes());
            }
            Self::LimitPropose(b) => b.encode(out),
            Self::LimitApprove(b) => b.encode(out),
            Self::LimitExpire(b) => b.encode(out),
            Self::LimitActivate(b) => {
                out.extend_from_slice(&b.version.to_le_bytes());
                out.extend_from_slice(&b.parts.to_le_bytes());
                out.extend_from_slice(&[0; 2]);
                out.extend_from_slice(&b.first_part.to_le_bytes());
                out.extend_from_slice(&b.sha256);
            }
            Self::Kill(b) => {
                out.extend_from_slice(&b.hold.to_le_bytes());
                out.extend_from_slice(&b.epoch.to_le_bytes());
                out.extend_from_slice(&[
                    b.state as u8,
                    b.scope.kind as u8,
                    b.rank,
                    u8::from(b.allow_reduce),
                ]);
                out.extend_from_slice(&b.scope.handle.to_le_bytes());
                put_blob(out, b.actor.as_bytes());
                put_blob(out, b.reason.as_bytes());
            }
            Self::Resume(b) => {
                out.extend_from_slice(&b.hold.to_le_bytes());
                out.extend_from_slice(&b.epoch.to_le_bytes());
                out.extend_from_slice(&[u8::from(b.signatures.is_some()), 0, 0, 0]);
                let texts = [b.actor.as_str(), &b.approver, &b.reason];
                encode_two(out, texts, b.signatures.as_ref());
            }
            Self::Override(b) => b.encode(out),
            Self::Alert(b) => b.encode(out),
            Self::TriggerCounts(b) => b.encode(out),
            Self::KeyEpoch(b) => b.encode(out),
            Self::Clock(b) => b.encode(out),
            Self::Fsck(b) => b.encode(out),
            Self::Amend(b) => b.encode(out),
            Self::Hold(b) => b.encode(out),
            Self::HoldRelease(b) => b.encode(out),
            Self::Sealed(b) => b.encode(out),
            Self::Shred(b) => b.encode(out),
            Self::Archive(b) => b.encode(out),
            Self::Access(b) => b.encode(out),
            Self::Locate(b) => {
                out.extend_from_slice(&b.account.to_le_bytes());
                out.extend_from_slice(&b.instrument.to_le_bytes());
                out.extend_from_slice(&b.qty.to_le_bytes());
                put_blob(out, b.actor.as_bytes());
            }
            Self::Session(b) => {
                out.extend_from_slice(&b.handle.to_le_bytes());
                out.extend_from_slice(&[b.phase as u8, b.kind as u8, 0, 0]);
            }
            Self::Tick => {}
            Self::ReleaseDenied(b) => {
                out.extend_from_slice(&b.order_seq.to_le_bytes());
                out.extend_from_slice(&b.order_id.to_le_bytes());
                out.extend_from_slice(&b.kill_epoch.to_le_bytes());
                out.extend_from_slice(&[0; 4]);
            }
            Self::Config(b) => {
                out.extend_from_slice(&[b.kind as u8, 0]);
                out.extend_from_slice(&b.part.to_le_bytes());
                out.extend_from_slice(&b.parts.to_le_bytes());
                put_blob(out, &b.text);
            }
            Self::Register(b) => {
                out.extend_from_slice(&[b.kind as u8, 0, 0, 0]);
                out.extend_from_slice(&b.handle.to_le_bytes());
                out.extend_from_slice(&b.parent.to_le_bytes());
                out.extend_from_slice(&b.salt);
                put_blob(out, b.name.as_bytes());
            }
            Self::Note(b) => {
                out.extend_from_slice(&b.salt);
                put_blob(out, b.text.as_bytes());
            }
        }
    }
}
