//! Crypto-shredding: a subject's key is destroyed by two people, once its records' years are over.
//!
//! Source: design note "audit", section 10; GDPR Art. 17(1) and 17(3)(b), which lets a record be
//! kept as long as a law asks for it. The path is that of a legal hold. In this order: the SHRED
//! entry is made durable, then the key is overwritten and removed. A crash in between leaves an
//! entry and a key, which the next start destroys; never a destroyed key that no entry tells of.
//!
//! Whether the years are over is asked of the whole log by whoever asks, aside of the orders; the
//! gateway that takes the request in checks people, signatures and cases, and `cwts log verify`
//! checks all of it again.

use std::collections::BTreeMap;
use std::path::Path;

use cwts_audit::cases::CaseError;
use cwts_audit::{Finding, FindingKind, Verdict};
use cwts_types::{Body, Entry, RegisterKind, SealedKind, Shred};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::clock::system_utc_ns;
use crate::follow::fold_log;
use crate::keeping::{CaseAsked, Said, request_case, request_second};
use crate::keys::KeyStore;
use crate::reader::read_log;
use crate::receipt_words::utc;
use crate::request_change::fold;
use crate::subject_uses::Uses;
use crate::subjects::{Subject, sealed_text};
use crate::{Folded, GatewayError};

/// What became of a request to shred.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShredAsked {
    /// It waits for the log's owner, or for a second person.
    Asked {
        /// The request.
        case: Box<CaseAsked>,
        /// Sealed texts that nobody will read any more.
        sealed: u64,
        /// Other entries that hold one of these texts in plain, the first ones: a shred does not
        /// reach them.
        plain: Vec<u64>,
    },
    /// It was done before, by this entry. What a crash left of the key is gone now.
    Already {
        /// Index of the SHRED.
        seq: u64,
    },
}

/// Asks the owner of this log to destroy a subject's key. Without an approver the request waits
/// until [`request_shred_approval`] completes it.
///
/// # Errors
/// `RETENTION`: the years are not over, the limits still list it, or a case keeps it. Or the code
/// is not known, one person, who may not, or a key that is missing. Nothing is left behind.
pub fn request_shred(
    dir: &Path,
    subject: &Subject,
    [actor, reason]: [&str; 2],
    approver: Option<&str>,
    keys: &KeyStore,
) -> Result<ShredAsked, GatewayError> {
    let looked = Looked::at(dir, subject)?;
    if let Some(done) = looked.already(keys)? {
        return Ok(done);
    }
    let said = Said::shred((subject.kind as u8, looked.handle), actor, reason);
    looked.check_cases(&said)?;
    looked.check_years(subject, system_utc_ns())?;
    let texts = looked.texts(dir, keys)?;
    if texts.iter().any(|text| reason.contains(text.as_str())) {
        let why = format!("{subject}: the reason says what is to be forgotten, and would stay");
        return Err(GatewayError::Permission(why));
    }
    let case = request_case(dir, |_| Ok(said), approver, Some(keys))?;
    looked.asked(dir, case, &texts)
}

/// Completes a shred that waits for a second person.
///
/// # Errors
/// None waits for this subject; the same person; else as [`request_shred`].
pub fn request_shred_approval(
    dir: &Path,
    subject: &Subject,
    approver: &str,
    keys: &KeyStore,
) -> Result<ShredAsked, GatewayError> {
    let looked = Looked::at(dir, subject)?;
    if let Some(done) = looked.already(keys)? {
        return Ok(done);
    }
    looked.check_years(subject, system_utc_ns())?;
    let named = (subject.kind as u8, looked.handle);
    let is_it = |said: &Said| matches!(said, Said::Shred(s) if (s.kind, s.subject) == named);
    let missing = format!("{subject}: nobody asked yet for its key to be destroyed");
    let texts = looked.texts(dir, keys)?;
    let case = request_second(dir, &is_it, &missing, approver, Some(keys))?;
    looked.asked(dir, case, &texts)
}

/// What a log says of a subject.
struct Looked {
    handle: u32,
    uses: Uses,
    folded: Folded,
    log_id: [u8; 8],
}

impl Looked {
    fn at(dir: &Path, subject: &Subject) -> Result<Self, GatewayError> {
        let (folded, log_id) = fold(dir)?;
        let Some(handle) = folded.engine.registry().handle(subject.kind, &subject.code) else {
            return Err(GatewayError::Permission(format!("{subject}: the log knows no such code")));
        };
        let mut uses = Uses::new(subject.kind, handle, &subject.code);
        fold_log(dir, |index, entry, engine| {
            uses.take(index, entry, engine);
            Ok(())
        })?;
        Ok(Self { handle, uses, folded, log_id })
    }

    /// The SHRED of a subject that was shredded; whatever is left of its key is destroyed.
    fn already(&self, keys: &KeyStore) -> Result<Option<ShredAsked>, GatewayError> {
        let named = (self.uses.kind() as u8, self.handle);
        let mut shredded = self.folded.cases.shredded();
        let Some((.., seq)) = shredded.find(|(kind, handle, _)| (*kind, *handle) == named) else {
            return Ok(None);
        };
        keys.destroy_subject_key(self.log_id, named)?;
        Ok(Some(ShredAsked::Already { seq }))
    }

    /// A case is told before the years are: it wins over them.
    fn check_cases(&self, said: &Said) -> Result<(), GatewayError> {
        let Said::Shred(shred) = said else { return Ok(()) };
        match self.folded.cases.check_shred(&Shred { approver: "-".to_owned(), ..shred.clone() }) {
            Err(kept @ CaseError::Kept { .. }) => Err(GatewayError::Retention(kept.to_string())),
            _ => Ok(()),
        }
    }

    fn check_years(&self, subject: &Subject, now_ns: u64) -> Result<(), GatewayError> {
        let refuse = |why: String| Err(GatewayError::Retention(format!("{subject}: {why}")));
        if self.uses.listed(&self.folded.engine) {
            return refuse("the limits in force list it; take it out of them first".to_owned());
        }
        let years = self.folded.genesis.as_ref().map_or(u16::MAX, |g| g.retention_years);
        match self.uses.newest {
            Some((seq, utc_ns)) if u128::from(now_ns) < self.uses.over_ns(years) => {
                refuse(format!(
                    "{years} years are promised, and since entry {seq} of {} they are not over",
                    utc(utc_ns)
                ))
            }
            _ => Ok(()),
        }
    }

    fn asked(
        &self,
        dir: &Path,
        case: CaseAsked,
        texts: &[Zeroizing<String>],
    ) -> Result<ShredAsked, GatewayError> {
        let plain = plain(dir, texts)?;
        Ok(ShredAsked::Asked { case: Box::new(case), sealed: self.uses.sealed, plain })
    }

    /// The first sealed texts, as long as they can be read.
    fn texts(&self, dir: &Path, keys: &KeyStore) -> Result<Vec<Zeroizing<String>>, GatewayError> {
        let named = (self.uses.kind(), self.handle);
        let mut texts: Vec<Zeroizing<String>> = Vec::new();
        read_log(dir, &mut |index, bytes| {
            if is_about(bytes, named)
                && texts.len() < PLAIN_TEXTS_MAX
                && let Some(text) = sealed_text(keys, self.log_id, index, bytes)
                && text.len() >= PLAIN_BYTES_MIN
            {
                texts.push(text);
            }
            Ok(())
        })?;
        Ok(texts)
    }
}

/// Entries that hold one of the sealed texts as it is.
fn plain(dir: &Path, texts: &[Zeroizing<String>]) -> Result<Vec<u64>, GatewayError> {
    let mut found = Vec::new();
    read_log(dir, &mut |index, bytes| {
        let holds = |text: &Zeroizing<String>| {
            bytes.windows(text.len()).any(|part| part == text.as_bytes())
        };
        if found.len() < PLAIN_MAX && texts.iter().any(holds) {
            found.push(index);
        }
        Ok(())
    })?;
    Ok(found)
}

fn is_about(bytes: &[u8], (kind, handle): (RegisterKind, u32)) -> bool {
    let is_sealed = bytes.first() == Some(&(cwts_types::EntryType::Sealed as u8));
    is_sealed
        && Entry::decode(bytes).is_ok_and(
            |entry| matches!(&entry.body, Body::Sealed(s) if s.kind == kind && s.subject == handle),
        )
}

/// Every subject that a log says more of than its code: how many texts, its identity if the key is
/// there, and who shredded it.
///
/// # Errors
/// There is no log, or it does not fold.
pub fn subject_rows(dir: &Path, keys: Option<&KeyStore>) -> Result<Value, GatewayError> {
    #[derive(Default)]
    struct Row {
        sealed: u64,
        identity: Option<Zeroizing<String>>,
        shred: Option<(u64, Shred)>,
    }
    let (folded, log_id) = fold(dir)?;
    let mut rows: BTreeMap<(u8, u32), Row> = BTreeMap::new();
    read_log(dir, &mut |index, bytes| {
        match Entry::decode(bytes).map(|entry| entry.body) {
            Ok(Body::Sealed(sealed)) => {
                let row = rows.entry((sealed.kind as u8, sealed.subject)).or_default();
                row.sealed += 1;
                if sealed.what == SealedKind::Identity {
                    row.identity = keys.and_then(|keys| sealed_text(keys, log_id, index, bytes));
                }
            }
            Ok(Body::Shred(shred)) => {
                let row = rows.entry((shred.kind, shred.subject)).or_default();
                row.shred = Some((index, shred));
            }
            _ => {}
        }
        Ok(())
    })?;
    let registry = folded.engine.registry();
    let rows = rows.into_iter().filter_map(|((kind, handle), row)| {
        let kind = RegisterKind::from_code(kind)?;
        let code = registry.name(kind, handle)?.to_owned();
        let shredded = row.shred.map(|(seq, shred)| {
            json!({
                "seq": seq, "actor": shred.actor, "approver": shred.approver,
                "reason": shred.reason, "authenticated": shred.signatures.is_some(),
            })
        });
        Some(json!({
            "subject": Subject { kind, code }.to_string(),
            "sealed": row.sealed,
            "identity": row.identity.as_deref().map(String::as_str),
            "shredded": shredded,
        }))
    });
    Ok(rows.collect())
}

/// Checks that no subject was shredded before its records' years were over, and adds that to what
/// the bytes gave.
pub(crate) fn check_shred_years(dir: &Path, verdict: &mut Verdict) -> Result<(), GatewayError> {
    let mut shreds: Vec<(u64, i64, Shred)> = Vec::new();
    read_log(dir, &mut |index, bytes| {
        if let Ok(Entry { header, body: Body::Shred(shred) }) = Entry::decode(bytes) {
            shreds.push((index, header.utc_ns, shred));
        }
        Ok(())
    })?;
    let (folded, _) = fold(dir)?;
    let years = folded.genesis.as_ref().map_or(u16::MAX, |genesis| genesis.retention_years);
    let registry = folded.engine.registry();
    let mut uses: Vec<(u64, i64, Uses)> = shreds
        .iter()
        .filter_map(|(index, utc_ns, shred)| {
            let kind = RegisterKind::from_code(shred.kind)?;
            let code = registry.name(kind, shred.subject)?;
            Some((*index, *utc_ns, Uses::new(kind, shred.subject, code)))
        })
        .collect();
    fold_log(dir, |index, entry, engine| {
        for (seq, _, uses) in &mut uses {
            if index < *seq {
                uses.take(index, entry, engine);
            }
        }
        Ok(())
    })?;
    for (index, utc_ns, uses) in uses {
        if u128::try_from(utc_ns).unwrap_or(0) < uses.over_ns(years) {
            let newest = uses.newest.map_or(0, |(seq, _)| seq);
            let expected = format!("{years} years after entry {newest}, which names the subject");
            let finding = Finding::new(FindingKind::ShredBad, "wal").index(index);
            let finding = finding.says(expected, utc(utc_ns));
            verdict.findings.push(finding.by("the years of GENESIS, and the entries before it"));
        }
    }
    Ok(())
}

/// Texts that are looked for in plain.
const PLAIN_TEXTS_MAX: usize = 64;
/// Shorter ones stand anywhere.
const PLAIN_BYTES_MIN: usize = 4;
/// Entries that are named.
const PLAIN_MAX: usize = 20;

#[cfg(test)]
mod tests;
