//! A log as it is published: receipts, proofs, entries, and their verification.

use std::path::{Path, PathBuf};

use cwts_audit::archive::{Archived, archive as write_archive, is_archive, restore};
use cwts_audit::merkle::verify_consistency;
use cwts_audit::note::{NOTE_BYTES_MAX, base64_hash};
use cwts_audit::{
    Checkpoint, FsStorage, Level, LogError, Note, NoteKey, Published, PublishedError, SigningKey,
    Storage as _, UnpackError, Verdict, VerifyKeys, log_id_of, unpack as unpack_log,
    verify as verify_log, verify_plain, write_plain,
};
use cwts_gateway::{
    GatewayError, archive_error, entry_fields, hex, order_receipts as receipts_of, published,
    read_k0, receipts_json, sealed_text, verify_receipts as receipts_verdict,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::{Value, json};

use crate::convert::to_py;
use crate::error::Error;
use crate::files::finding;
use crate::subjects::readable;

/// Verifies a log with these keys, or with the one that lies in it; with the file of its `K_0`
/// also the MACs of all epochs.
#[pyfunction]
#[pyo3(signature = (path, keys, level="full", k0=None))]
pub(crate) fn verify<'py>(
    py: Python<'py>,
    path: PathBuf,
    keys: Vec<String>,
    level: &str,
    k0: Option<PathBuf>,
) -> Result<Bound<'py, PyAny>, Error> {
    let (level, replay) = match level {
        "roots" => (Level::Roots, false),
        "full" => (Level::Full, false),
        "replay" => (Level::Full, true),
        other => {
            let why = format!("level: {other:?} is not one of roots, full, replay");
            return Err(PyValueError::new_err(why).into());
        }
    };
    let keys = note_keys(&keys)?;
    let verdict = py.detach(|| verify_dir(&path, (keys, k0.as_deref()), level, replay))?;
    Ok(to_py(py, &verdict)?)
}

/// Verifies receipts, each a file's name and bytes, and reads them together.
#[pyfunction]
pub(crate) fn verify_receipts(
    py: Python<'_>,
    files: Vec<(String, Vec<u8>)>,
    keys: Vec<String>,
) -> Result<Bound<'_, PyAny>, Error> {
    let keys = note_keys(&keys)?;
    let value = py.detach(|| receipts_json(&receipts_verdict(&files, &keys), finding));
    Ok(to_py(py, &value)?)
}

/// The receipt of one entry. With `all_lines` it carries every signature line of the checkpoint,
/// else the strongest.
#[pyfunction]
#[pyo3(signature = (dir, index, *, all_lines=false))]
pub(crate) fn receipt(
    py: Python<'_>,
    dir: PathBuf,
    index: u64,
    all_lines: bool,
) -> Result<Bound<'_, PyBytes>, Error> {
    let text = py.detach(|| {
        with_published(&dir, |log| {
            let mut receipt = log.receipt(index)?;
            if !all_lines {
                strongest(&mut receipt.note, &receipt.checkpoint);
            }
            Ok(receipt.encode())
        })
    })?;
    Ok(PyBytes::new(py, text.as_bytes()))
}

/// The receipts of an order, its decision, and the entries that name what they hold as numbers.
#[pyfunction]
pub(crate) fn order_receipts(
    py: Python<'_>,
    dir: PathBuf,
    order_id: u64,
) -> Result<Vec<(String, Bound<'_, PyBytes>)>, Error> {
    let receipts = py.detach(|| receipts_of(&dir, order_id))?;
    let row = |(name, text): (String, String)| (name, PyBytes::new(py, text.as_bytes()));
    Ok(receipts.into_iter().map(row).collect())
}

/// The newest checkpoint: its text, what it says, and who signed it.
#[pyfunction]
pub(crate) fn checkpoint(py: Python<'_>, dir: PathBuf) -> Result<Bound<'_, PyAny>, Error> {
    let value = py.detach(|| {
        with_published(&dir, |log| {
            let mut value = head_json(&log.checkpoint);
            value["note"] = json!(log.note.encode());
            value["lines"] = log.note.signatures.iter().map(|s| json!(s.name)).collect();
            Ok(value)
        })
    })?;
    Ok(to_py(py, &value)?)
}

/// The way from an entry to the root over the first `size` entries, or over all that are signed.
#[pyfunction]
#[pyo3(signature = (dir, index, size=None))]
pub(crate) fn inclusion(
    py: Python<'_>,
    dir: PathBuf,
    index: u64,
    size: Option<u64>,
) -> Result<Bound<'_, PyAny>, Error> {
    let value = py.detach(|| {
        with_published(&dir, |log| {
            let size = size.unwrap_or(log.checkpoint.size);
            let proof: Vec<String> = log.inclusion(index, size)?.iter().map(base64_hash).collect();
            let root = base64_hash(&log.root(size)?);
            Ok(json!({ "index": index, "size": size, "root": root, "proof": proof }))
        })
    })?;
    Ok(to_py(py, &value)?)
}

/// That the log's first `old` entries are the beginning of its first `new`, as a proof. `kept`, a
/// checkpoint that somebody kept, is compared with the log's own root of that size.
#[pyfunction]
#[pyo3(signature = (dir, old, new=None, *, kept=None, keys=Vec::new()))]
pub(crate) fn consistency(
    py: Python<'_>,
    dir: PathBuf,
    old: u64,
    new: Option<u64>,
    kept: Option<Vec<u8>>,
    keys: Vec<String>,
) -> Result<Bound<'_, PyAny>, Error> {
    let keys = note_keys(&keys)?;
    let kept = match kept {
        None => None,
        Some(bytes) => Some(kept_checkpoint(&bytes, &keys)?),
    };
    let value = py.detach(|| {
        let value = with_published(&dir, |log| {
            let old = kept.as_ref().map_or(old, |kept| kept.size);
            if let Some(kept) = kept.as_ref().filter(|kept| kept.size > log.checkpoint.size) {
                return Ok(rolled_back(kept, &log.checkpoint));
            }
            let new = new.unwrap_or(log.checkpoint.size);
            let signed = log.root(log.checkpoint.size)? == log.checkpoint.root;
            let proof = log.consistency(old, new)?;
            let (own_root, new_root) = (log.root(old)?, log.root(new)?);
            let old_root = kept.as_ref().map_or(own_root, |kept| kept.root);
            let same_origin = kept.as_ref().is_none_or(|kept| kept.origin == log.checkpoint.origin);
            let holds = verify_consistency(old, new, &old_root, &new_root, &proof);
            let why = match (same_origin, signed, &holds) {
                (false, ..) => Some("the kept checkpoint is of another log".to_owned()),
                (_, false, _) => Some("the log's tiles do not give its signed root".to_owned()),
                (.., Err(_)) => {
                    Some("the log's beginning is not what the kept checkpoint signs".to_owned())
                }
                _ => None,
            };
            Ok(json!({
                "ok": why.is_none(),
                "why": why,
                "kind": why.as_ref().map(|_| "INCONSISTENT"),
                "origin": log.checkpoint.origin,
                "old": old,
                "new": new,
                "old_root": base64_hash(&old_root),
                "new_root": base64_hash(&new_root),
                "proof": proof.iter().map(base64_hash).collect::<Vec<_>>(),
            }))
        })?;
        match &kept {
            Some(kept) if value["kind"] == "ROLLBACK" => held_by_frames(&dir, kept, value),
            _ => Ok(value),
        }
    })?;
    Ok(to_py(py, &value)?)
}

/// The entries `first..end` as objects, by the log's own schema; nothing is proved by reading.
#[pyfunction]
#[pyo3(signature = (dir, first, end, *, keys=None))]
pub(crate) fn read_entries(
    py: Python<'_>,
    dir: PathBuf,
    first: u64,
    end: u64,
    keys: Option<PathBuf>,
) -> Result<Bound<'_, PyAny>, Error> {
    if end.saturating_sub(first) > ENTRIES_MAX {
        let why = format!("{first} to {end}: at most {ENTRIES_MAX} entries are read at once");
        return Err(PyValueError::new_err(why).into());
    }
    let value = py.detach(|| {
        let keys = readable(keys);
        with_published(&dir, |log| {
            let (mut rows, mut log_id) = (Vec::new(), [0; 8]);
            // Entry 1 says which log this is, and by that which keys are its.
            if keys.is_some() && log.checkpoint.size > 1 {
                log.entries(1, 2, |_, bytes| {
                    log_id = log_id_of(bytes);
                    Ok::<(), PublishedError>(())
                })?;
            }
            log.entries(first, end, |index, bytes| {
                let raw = || json!({ "index": index, "type": null, "bytes": hex(bytes) });
                let mut row = entry_fields(index, bytes).unwrap_or_else(raw);
                if row["type"] == "SEALED" {
                    let text = keys.as_ref().and_then(|k| sealed_text(k, log_id, index, bytes));
                    row["body"]["text"] = json!(text.as_deref().map(String::as_str));
                }
                rows.push(row);
                Ok::<(), PublishedError>(())
            })?;
            Ok(Value::Array(rows))
        })
    })?;
    Ok(to_py(py, &value)?)
}

/// Reads a published log; a live one may replace files while it is read, and is read again then.
pub(crate) fn with_published<T>(
    dir: &Path,
    mut read: impl FnMut(&Published<'_>) -> Result<T, PublishedError>,
) -> Result<T, GatewayError> {
    let storage = FsStorage::open(dir)?;
    let mut tries = 0;
    loop {
        tries += 1;
        let done = Published::read(&storage).and_then(|log| read(&log));
        match done {
            Err(
                PublishedError::Proof(_) | PublishedError::Bundle { .. } | PublishedError::Root,
            ) if tries < LIVE_TRIES_MAX => {}
            other => return other.map_err(|error| published(dir, error)),
        }
    }
}

fn kept_checkpoint(bytes: &[u8], keys: &[NoteKey]) -> Result<Checkpoint, Error> {
    let read = || {
        let note = Note::parse(bytes)?;
        note.check_all(keys)?;
        Checkpoint::parse(&note.text)
    };
    read().map_err(|e| PyValueError::new_err(format!("the kept checkpoint: {e}")).into())
}

/// Leaves the committee's line, or the log's where there is none.
fn strongest(note: &mut Note, checkpoint: &Checkpoint) {
    let committee = format!("{}/committee", checkpoint.origin);
    for name in [&committee, &checkpoint.origin] {
        if let Some(line) = note.signatures.iter().find(|line| line.name == *name) {
            note.signatures = vec![line.clone()];
            return;
        }
    }
}

fn head_json(head: &Checkpoint) -> Value {
    json!({ "origin": head.origin, "size": head.size, "root": base64_hash(&head.root) })
}

pub(crate) fn note_keys(keys: &[String]) -> Result<Vec<NoteKey>, Error> {
    let mut parsed = Vec::with_capacity(keys.len());
    for text in keys {
        let key = text.trim().parse().map_err(|e| {
            let shown: String = text.chars().take(100).collect();
            PyValueError::new_err(format!("vkey {shown:?}: {e}"))
        })?;
        parsed.push(key);
    }
    Ok(parsed)
}

fn verify_dir(
    dir: &Path,
    (keys, k0): (Vec<NoteKey>, Option<&Path>),
    level: Level,
    replay: bool,
) -> Result<Value, GatewayError> {
    let shown = dir.display().to_string();
    let log_error = |source| GatewayError::Log { dir: shown.clone(), source };
    let storage = FsStorage::open(dir).map_err(|e| log_error(LogError::from(e)))?;
    let files = storage.list().map_err(|e| log_error(LogError::from(e)))?;
    let known = ["checkpoint", "log.vkey", "wal.head"];
    let has_frames = files.iter().any(|f| f.name.starts_with("wal/"));
    if !has_frames && !files.iter().any(|f| known.contains(&f.name.as_str())) {
        return Err(log_error(LogError::Empty));
    }
    let k0 = k0.map(read_k0).transpose()?;
    let mut given = VerifyKeys { k0, ..VerifyKeys::default() };
    for key in keys {
        match key {
            NoteKey::Log(key) if given.vkey.is_some() => {
                let why = format!("two keys of logs were given, the second is of {}", key.name());
                return Err(GatewayError::Replay(why));
            }
            NoteKey::Log(key) => given.vkey = Some(key),
            other => given.others.push(other),
        }
    }
    let plain = !has_frames
        && !files.iter().any(|f| f.name == "wal.head" || f.name == "lock" || f.name == "kill.page")
        && files.iter().any(|f| f.name == "checkpoint");
    let mut verdict = if plain {
        verify_plain(&storage, &given).map_err(|e| log_error(LogError::from(e)))?
    } else {
        verify_log(&storage, &given, level).map_err(|e| log_error(LogError::from(e)))?
    };
    if !plain {
        cwts_gateway::check_consents(dir, &mut verdict)?;
    }
    match (replay, plain) {
        (true, false) => cwts_gateway::check_decisions(dir, &mut verdict)?,
        (true, true) => {
            verdict.not_checked.push("decisions, made again: there are no frames".to_owned());
        }
        (false, _) => {
            let asked = "decisions, made again: level `replay` does it";
            verdict.not_checked.push(asked.to_owned());
        }
    }
    Ok(verdict_json(&verdict))
}

fn verdict_json(verdict: &Verdict) -> Value {
    json!({
        "ok": verdict.is_ok(),
        "clean": verdict.clean,
        "origin": verdict.origin,
        "size": verdict.size,
        "root": hex(&verdict.root),
        "findings": verdict.findings.iter().map(finding).collect::<Vec<_>>(),
        "not_checked": verdict.not_checked,
        "notes": verdict.notes,
        "counts": verdict.entry_counts,
    })
}

/// Entries that are read at once.
const ENTRIES_MAX: u64 = 65_536;
/// Readings of a live log that meet a replaced file, before that is an error.
const LIVE_TRIES_MAX: u32 = 5;

/// Writes what a log has published as a plain tlog-tiles log into an empty directory: its
/// checkpoint, its key, tiles, and entry bundles.
#[pyfunction]
pub(crate) fn unpack(py: Python<'_>, dir: PathBuf, output: PathBuf) -> Result<u64, Error> {
    let size = py.detach(|| {
        let shown = output.display().to_string();
        let failed = |source: LogError| GatewayError::Log { dir: shown.clone(), source };
        let source = FsStorage::open(&dir)?;
        let mut storage = FsStorage::create(&output).map_err(|e| failed(e.into()))?;
        if let Some(file) = storage.list().map_err(|e| failed(e.into()))?.into_iter().next() {
            return Err(failed(LogError::Exists { file: file.name }));
        }
        if is_archive(&source)? {
            let restored = restore(&source, &mut storage);
            let (checkpoint, _) = restored.map_err(|error| archive_error(&dir, error))?;
            return Ok(checkpoint.size);
        }
        let log = Published::read(&source).map_err(|error| published(&dir, error))?;
        unpack_log(&log, &mut storage).map_err(|error| match error {
            UnpackError::Published(error) => published(&dir, error),
            UnpackError::Log(error) => failed(error),
        })?;
        if let Some(vkey) = source.read_all("log.vkey", NOTE_BYTES_MAX)? {
            storage.write_file("log.vkey", &vkey).map_err(|e| failed(e.into()))?;
        }
        storage.syncfs().map_err(|e| failed(e.into()))?;
        Ok(log.checkpoint.size)
    })?;
    Ok(size)
}

/// What an anchor keeps may not be published yet, if a crash came between: the frames have it.
fn held_by_frames(dir: &Path, kept: &Checkpoint, found: Value) -> Result<Value, GatewayError> {
    if cwts_gateway::root_of_frames(dir, kept.size)? != Some(kept.root) {
        return Ok(found);
    }
    let root = base64_hash(&kept.root);
    Ok(json!({
        "ok": true,
        "why": null,
        "kind": null,
        "origin": kept.origin,
        "old": kept.size,
        "new": kept.size,
        "old_root": root,
        "new_root": root,
        "proof": [],
    }))
}

/// The log is shorter than it was when somebody kept its checkpoint.
fn rolled_back(kept: &Checkpoint, now: &Checkpoint) -> Value {
    let why = format!("the log has {} entries, and {} were signed before", now.size, kept.size);
    json!({
        "ok": false,
        "why": why,
        "kind": "ROLLBACK",
        "origin": now.origin,
        "old": kept.size,
        "new": now.size,
        "old_root": base64_hash(&kept.root),
        "new_root": base64_hash(&now.root),
        "proof": [],
    })
}

/// Writes a cold copy of what a log has published into an empty directory, and reads it back.
#[pyfunction]
pub(crate) fn archive(
    py: Python<'_>,
    dir: PathBuf,
    output: PathBuf,
) -> Result<Bound<'_, PyAny>, Error> {
    let value = py.detach(|| {
        let shown = output.display().to_string();
        let failed = |source: LogError| GatewayError::Log { dir: shown.clone(), source };
        let source = FsStorage::open(&dir)?;
        let log = Published::read(&source).map_err(|error| published(&dir, error))?;
        let mut storage = FsStorage::create(&output).map_err(|e| failed(e.into()))?;
        if let Some(file) = storage.list().map_err(|e| failed(e.into()))?.into_iter().next() {
            return Err(failed(LogError::Exists { file: file.name }));
        }
        if let Some(vkey) = source.read_all("log.vkey", NOTE_BYTES_MAX)? {
            storage.write_file("log.vkey", &vkey).map_err(|e| failed(e.into()))?;
        }
        let done = write_archive(&log, &mut storage).map_err(|error| archive_error(&dir, error))?;
        let Archived { blocks, entries, bytes } = done;
        Ok(json!({ "blocks": blocks, "entries": entries, "bytes": bytes }))
    })?;
    Ok(to_py(py, &value)?)
}

/// Whether a directory is an archive, and no log.
#[pyfunction]
pub(crate) fn is_archive_dir(dir: PathBuf) -> Result<bool, Error> {
    let found = FsStorage::open(&dir).and_then(|storage| is_archive(&storage));
    Ok(found.map_err(GatewayError::from)?)
}

/// The layouts of all entries as JSON, as entry 0 of a log of this version has them.
#[pyfunction]
pub(crate) fn entry_schema() -> String {
    cwts_types::schema_json()
}

/// Writes a plain tlog-tiles log over these entries, signed under this seed, and gives its key:
/// what other people's verifiers are asked about, at sizes that no gateway's log has.
#[pyfunction]
pub(crate) fn write_tlog(
    dir: PathBuf,
    origin: &str,
    seed: [u8; 32],
    entries: Vec<Vec<u8>>,
) -> Result<String, Error> {
    let shown = dir.display().to_string();
    let failed = |source: LogError| GatewayError::Log { dir: shown.clone(), source };
    let mut storage = FsStorage::create(&dir).map_err(|e| failed(e.into()))?;
    let key = SigningKey::from_seed(origin, &seed).map_err(|e| failed(e.into()))?;
    write_plain(&mut storage, &key, entries.iter().map(Vec::as_slice)).map_err(failed)?;
    Ok(key.verify_key().to_string())
}
