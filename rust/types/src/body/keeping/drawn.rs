//! Bodies of these types, drawn at random.

use super::*;
use crate::{Body, RegisterKind, Sealed, SealedKind};
use proptest::prelude::*;

fn text() -> impl Strategy<Value = String> {
    "[^\\x00]{0,30}"
}

/// One body of each type, from the same random words.
fn bodies(n: [u64; 4], hash: [u8; 32], a: &str, b: &str, signed: bool) -> [Body; 10] {
    let (actor, approver, reason) = (a.to_owned(), b.to_owned(), a.to_owned());
    let case = b.to_owned();
    let signatures = signed.then_some([[1; 64], [2; 64]]);
    let [w0, w1] = [n[0] as u32, n[1] as u32];
    let (from_ns, to_ns) = ((n[2] >> 1) as i64, (n[2] >> 1) as i64 + 1);
    let mut salt = [0; 16];
    salt.copy_from_slice(&hash[..16]);
    [
        Body::KeyEpoch(KeyEpoch { epoch: n[0], size: n[1], root: hash, chain: hash, mac: hash }),
        Body::Clock(Clock {
            source: ClockSource::Adjtimex,
            status: w0 as i32,
            flags: w1,
            maxerror_us: n[0] as i64,
            esterror_us: n[1] as i64,
            offset_ns: n[2] as i64,
            freq: n[3] as i64,
            tai: w1 as i32,
            bound_us: w0,
            raw_ns: n[3],
            utc_minus_mono_ns: n[0] as i64,
        }),
        Body::Fsck(Fsck { size: n[0], root: hash, findings: n[1], level: (n[2] % 3) as u8 }),
        Body::Amend(Amend { index: n[0], salt, field: case.clone(), value: a.into(), reason }),
        Body::Hold(Hold {
            case: case.clone(),
            account: w0,
            instrument: w1,
            person: 0,
            from_ns,
            to_ns,
            actor: actor.clone(),
            approver: approver.clone(),
            reason: a.into(),
            signatures,
        }),
        Body::HoldRelease(HoldRelease {
            case,
            actor: actor.clone(),
            approver: approver.clone(),
            reason: a.into(),
            signatures,
        }),
        Body::Shred(Shred {
            kind: (n[0] % 8) as u8 + 1,
            subject: w1,
            actor,
            approver,
            reason: a.into(),
            signatures,
        }),
        Body::Sealed(Sealed {
            kind: RegisterKind::Account,
            what: if signed { SealedKind::Identity } else { SealedKind::Note },
            subject: w0,
            sealed: [hash; 3].concat(),
        }),
        Body::Archive(Archive {
            first: n[0].min(n[1]),
            last: n[0].max(n[1]),
            root: hash,
            sha256: hash,
            codec: if signed { ArchiveCodec::Zst } else { ArchiveCodec::Cwz },
            bytes: n[2],
        }),
        Body::Access(Access {
            kind: AccessKind::Query,
            size: n[0],
            who: a.to_owned(),
            what: b.to_owned(),
        }),
    ]
}

/// A body of one of the types of keeping.
pub(crate) fn body() -> impl Strategy<Value = Body> {
    let words = (any::<[u64; 4]>(), any::<[u8; 32]>());
    (words, text(), text(), any::<bool>(), 0..10_usize)
        .prop_map(|((n, hash), a, b, signed, which)| bodies(n, hash, &a, &b, signed)[which].clone())
}
