//! The files beside entries and tiles: names, keys, signed heads, kill state, requests.

use cwts_types::Genesis;

use super::Check;
use super::archived::is_archived_name;
use super::entries::EntryChecks;
use super::finding::{Finding, FindingKind, Stop};
use super::tiles::stored_root;
use super::walk::Walked;
use crate::bundle::BundleId;
use crate::frame::{FRAME_ALIGN_BYTES, parse_segment_name};
use crate::holds::{
    CHANGE_BYTES_MAX, ChangeRequest, HoldsFold, KILL_TEXT_BYTES_MAX, KillRequest, KillSnapshot,
    PAGE_BYTES, PAGE_FILE, REQUEST_BYTES_MAX, SCOPES_FILE, STATE_FILE, page_is_at_least,
    parse_scopes,
};
use crate::line_key::{LineKey as _, NoteKey};
use crate::note::{Checkpoint, NOTE_BYTES_MAX, Note, NoteError, NoteSignature, VerifyKey};
use crate::storage::{LOCK_FILE, TEMPORARY};
use crate::tile::TileId;
use crate::witness::WITNESSED_FILE;
use crate::writer::{CHECKPOINT_FILE, VKEY_FILE, WAL_HEAD_FILE, wal_head_origin};

/// A signed file, read but not yet checked.
pub(super) struct SignedFile {
    name: &'static str,
    parsed: Result<(Note, Checkpoint), NoteError>,
}

impl SignedFile {
    /// What it says, its signature not checked.
    pub(super) fn head(&self) -> Option<&Checkpoint> {
        self.parsed.as_ref().ok().map(|(_, head)| head)
    }
}

/// The kill files as they stand.
pub(super) struct KillFiles {
    scopes: Option<Vec<u8>>,
    state: Option<Vec<u8>>,
    page: Option<Vec<u8>>,
    pending: Vec<String>,
}

impl Check<'_> {
    pub(super) fn has(&self, name: &str) -> bool {
        self.files.binary_search_by(|f| f.name.as_str().cmp(name)).is_ok()
    }

    /// Every name must be one that a log knows, and every file a plain one.
    pub(super) fn check_names(&mut self) -> Result<(), Stop> {
        let fixed = [
            LOCK_FILE,
            CHECKPOINT_FILE,
            WITNESSED_FILE,
            WAL_HEAD_FILE,
            VKEY_FILE,
            SCOPES_FILE,
            STATE_FILE,
            PAGE_FILE,
        ];
        for file in &self.files {
            let known = fixed.contains(&file.name.as_str())
                || parse_segment_name(&file.name).is_some()
                || TileId::parse(&file.name).is_some()
                || BundleId::parse(&file.name).is_some()
                || is_archived_name(&file.name)
                || KillRequest::is_path(&file.name)
                || ChangeRequest::is_path(&file.name);
            if !known || !file.regular {
                // What a crash leaves behind is told apart at the end, if the log was not closed.
                if !known && file.regular && file.name.ends_with(TEMPORARY) {
                    continue;
                }
                self.findings.push(
                    Finding::new(FindingKind::UnknownFile, &file.name)
                        .says("a file that belongs to a log", "another"),
                )?;
            }
            if file.name == LOCK_FILE && file.size_bytes != 0 {
                self.findings.push(
                    Finding::new(FindingKind::UnknownFile, LOCK_FILE)
                        .at(0)
                        .says("an empty file", format!("{} bytes", file.size_bytes)),
                )?;
            }
        }
        for name in [LOCK_FILE, VKEY_FILE, CHECKPOINT_FILE] {
            if !self.has(name) {
                self.missing(name)?;
            }
        }
        if !self.files.iter().any(|f| parse_segment_name(&f.name).is_some()) {
            self.missing("wal")?;
        }
        Ok(())
    }

    pub(super) fn missing(&mut self, name: &str) -> Result<(), Stop> {
        self.findings.push(Finding::new(FindingKind::FileMissing, name).says("a file", "none"))
    }

    /// The key to check with: the auditor's, else the log's own.
    pub(super) fn log_key(&mut self) -> Result<Option<VerifyKey>, Stop> {
        let stored = match self.storage.read_all(VKEY_FILE, NOTE_BYTES_MAX)? {
            None => None,
            Some(bytes) => {
                let parsed = str::from_utf8(&bytes)
                    .ok()
                    .and_then(|text| text.strip_suffix('\n'))
                    .map(str::parse::<VerifyKey>);
                if let Some(Ok(key)) = parsed {
                    Some(key)
                } else {
                    self.findings.push(
                        Finding::new(FindingKind::NotCanonical, VKEY_FILE)
                            .says("a verification key and a line feed", "another text"),
                    )?;
                    None
                }
            }
        };
        let Some(own) = &self.keys.vkey else {
            self.verdict.not_checked.push(
                "origin: no key was given, so `log.vkey` proves consistency, not origin".to_owned(),
            );
            return Ok(stored);
        };
        if let Some(stored) = stored
            && stored != *own
        {
            self.findings.push(
                Finding::new(FindingKind::BadSignature, VKEY_FILE)
                    .says(own, stored)
                    .by("the key that was given"),
            )?;
        }
        Ok(Some(own.clone()))
    }

    pub(super) fn read_signed(&mut self, name: &'static str) -> Result<Option<SignedFile>, Stop> {
        let Some(size) = self.files.iter().find(|f| f.name == name).map(|f| f.size_bytes) else {
            return Ok(None);
        };
        if size > NOTE_BYTES_MAX as u64 {
            let parsed = Err(NoteError::TooLong { bytes: size as usize });
            return Ok(Some(SignedFile { name, parsed }));
        }
        let Some(bytes) = self.storage.read_all(name, NOTE_BYTES_MAX)? else { return Ok(None) };
        let parsed =
            Note::parse(&bytes).and_then(|note| Ok((note.clone(), Checkpoint::parse(&note.text)?)));
        Ok(Some(SignedFile { name, parsed }))
    }

    /// Checks form, every signature line and the origin; gives whether the head can be trusted.
    pub(super) fn check_signature(
        &mut self,
        file: Option<&SignedFile>,
        vkey: Option<&VerifyKey>,
    ) -> Result<bool, Stop> {
        let Some(file) = file else { return Ok(false) };
        let finding = |kind| Finding::new(kind, file.name).at(0);
        let (note, head) = match &file.parsed {
            Ok(parsed) => parsed,
            Err(error) => {
                let finding = finding(FindingKind::NotCanonical).says("a signed note", error);
                self.findings.push(finding)?;
                return Ok(false);
            }
        };
        let Some(vkey) = vkey else {
            self.verdict.not_checked.push(format!("signature of `{}`: no key", file.name));
            return Ok(false);
        };
        let mut keys = vec![NoteKey::Log(vkey.clone())];
        if file.name != WAL_HEAD_FILE {
            keys.extend(self.keys.others.iter().cloned());
        }
        let checked = if self.leaves_unknown(file.name) {
            note.check(&keys).map(|checked| {
                let unknown = checked.unknown.iter().map(|&at| &note.signatures[at].name);
                self.verdict.not_checked.extend(unknown.map(|name| {
                    format!("`{}`: the line by {name}: its key was not given", file.name)
                }));
            })
        } else {
            note.check_all(&keys)
        };
        if let Err(error) = checked {
            let kind = match error {
                NoteError::UnknownLine { .. } => FindingKind::UnknownLine,
                _ => FindingKind::BadSignature,
            };
            let line = format!("a line by {}", vkey.name());
            self.findings.push(finding(kind).says(line, error))?;
            return Ok(false);
        }
        // A key that was given and signs nothing must not make a verdict that names it.
        for key in &keys {
            let line = |s: &NoteSignature| s.name == key.name() && s.id == key.id();
            if self.must_sign(key, file.name) && !note.signatures.iter().any(line) {
                let line = format!("a line by {}", key.name());
                self.findings.push(finding(FindingKind::BadSignature).says(line, "none"))?;
                return Ok(false);
            }
        }
        let origin = match file.name {
            WAL_HEAD_FILE => wal_head_origin(vkey.name()),
            _ => vkey.name().to_owned(),
        };
        if head.origin != origin {
            self.findings.push(finding(FindingKind::Inconsistent).says(origin, &head.origin))?;
            return Ok(false);
        }
        Ok(true)
    }

    /// Level `roots`: the stored tree alone must hash to the signed root.
    pub(super) fn check_stored_root(&mut self, file: Option<&SignedFile>) -> Result<(), Stop> {
        let Some(head) = file.and_then(SignedFile::head) else { return Ok(()) };
        self.verdict.size = head.size;
        self.verdict.root = head.root;
        if stored_root(self.storage, head.size)? == Some(head.root) {
            return Ok(());
        }
        self.findings.push(
            Finding::new(FindingKind::Inconsistent, CHECKPOINT_FILE)
                .range(0, head.size)
                .says("stored tiles that hash to the signed root", "others"),
        )
    }

    /// What may follow the last frame, and what a crash may have left.
    pub(super) fn check_end(
        &mut self,
        walked: &Walked,
        closed: bool,
        clean: bool,
    ) -> Result<(), Stop> {
        if let Some((file, offset, bytes)) = &walked.torn_tail {
            self.verdict.notes.push(format!(
                "torn tail: {bytes} bytes of `{file}` from {offset} hold no whole frame"
            ));
        }
        if !clean {
            self.verdict.notes.push("unclean: the log was not closed".to_owned());
        }
        for file in &self.files {
            if !file.name.ends_with(TEMPORARY) {
                continue;
            }
            if clean {
                self.findings.push(
                    Finding::new(FindingKind::UnknownFile, &file.name)
                        .says("no temporary file in a closed log", "one"),
                )?;
            } else {
                self.verdict.notes.push(format!("temporary file `{}`", file.name));
            }
        }
        // A writer that opens a closed log makes room before its first frame, and may end between.
        let is_room = |bytes: u64| bytes.is_multiple_of(FRAME_ALIGN_BYTES as u64);
        let tail = match &walked.zero_tail {
            Some((file, offset, bytes)) if clean && is_room(*bytes) => {
                let room =
                    format!("room behind the close: {bytes} zeros of `{file}` from {offset}");
                self.verdict.notes.push(room);
                None
            }
            zeros => zeros.as_ref().or(walked.torn_tail.as_ref()),
        };
        if clean && let Some((file, offset, bytes)) = tail {
            self.findings.push(
                Finding::new(FindingKind::WalPadding, file)
                    .at(*offset)
                    .says("the end of the file", format!("{bytes} bytes more"))
                    .by("closing cuts the segment at its last frame"),
            )?;
        }
        if closed && !clean {
            let got = if self.has(WAL_HEAD_FILE) { "an older one" } else { "no file" };
            self.findings.push(
                Finding::new(FindingKind::CloseIncomplete, WAL_HEAD_FILE)
                    .says("the signed end of the frames", got)
                    .by("the last entry is CLOSE; a crash while closing leaves this too: open it"),
            )?;
        }
        Ok(())
    }

    pub(super) fn read_kill_files(&mut self) -> Result<KillFiles, Stop> {
        let storage = self.storage;
        let mut pending = Vec::new();
        for file in &self.files {
            if !KillRequest::is_path(&file.name) {
                continue;
            }
            let bytes = if file.size_bytes <= REQUEST_BYTES_MAX as u64 {
                storage.read_all(&file.name, REQUEST_BYTES_MAX)?.unwrap_or_default()
            } else {
                Vec::new()
            };
            match KillRequest::parse(&bytes) {
                Ok(_) => pending.push(file.name.clone()),
                Err(error) => self.findings.push(
                    Finding::new(FindingKind::NotCanonical, &file.name)
                        .says("a kill request", error),
                )?,
            }
        }
        for file in self.files.iter().filter(|file| ChangeRequest::is_path(&file.name)) {
            let bytes = if file.size_bytes <= CHANGE_BYTES_MAX as u64 {
                storage.read_all(&file.name, CHANGE_BYTES_MAX)?.unwrap_or_default()
            } else {
                Vec::new()
            };
            match ChangeRequest::parse(&bytes) {
                Ok(_) => self.verdict.notes.push(format!("pending request `{}`", file.name)),
                Err(error) => self.findings.push(
                    Finding::new(FindingKind::NotCanonical, &file.name)
                        .says("a change request", error),
                )?,
            }
        }
        let sizes = &self.files;
        let read = |name: &str, max: usize| {
            // A file over its bound is read as empty, and then differs from what it must be.
            let over = sizes.iter().any(|f| f.name == name && f.size_bytes > max as u64);
            if over { Ok(Some(Vec::new())) } else { storage.read_all(name, max) }
        };
        let scopes = read(SCOPES_FILE, KILL_TEXT_BYTES_MAX)?;
        let state = read(STATE_FILE, KILL_TEXT_BYTES_MAX)?;
        let page = read(PAGE_FILE, PAGE_BYTES)?;
        Ok(KillFiles { scopes, state, page, pending })
    }

    /// Compares the kill files with what the log's holds make, byte for byte in a closed log.
    pub(super) fn check_kill_files(
        &mut self,
        kill: &KillFiles,
        holds: Option<&HoldsFold>,
        clean: bool,
    ) -> Result<(), Stop> {
        for name in &kill.pending {
            self.verdict.notes.push(format!("pending request `{name}`"));
        }
        let stored =
            [(SCOPES_FILE, &kill.scopes), (STATE_FILE, &kill.state), (PAGE_FILE, &kill.page)];
        for (name, bytes) in stored {
            match bytes {
                None if clean => self.missing(name)?,
                None => self.verdict.notes.push(format!("`{name}` is not there")),
                Some(bytes) => self.check_kill_form(name, bytes)?,
            }
        }
        if !clean {
            self.verdict.notes.push(
                "kill files were checked by themselves only: they may differ from the log by what \
                 a crash left unlogged"
                    .to_owned(),
            );
            return Ok(());
        }
        let Some(holds) = holds else {
            self.verdict.not_checked.push("kill files against the log: entries are damaged".into());
            return Ok(());
        };
        for ((name, expected), (_, bytes)) in holds.files().into_iter().zip(stored) {
            let Some(bytes) = bytes else { continue };
            let pending = name == PAGE_FILE && !kill.pending.is_empty();
            if *bytes == expected || (pending && page_is_at_least(bytes, &expected)) {
                continue;
            }
            let common = bytes.iter().zip(&expected).take_while(|(a, b)| a == b).count();
            let show = |bytes: &[u8]| bytes.get(common).map_or("end".into(), u8::to_string);
            self.findings.push(
                Finding::new(FindingKind::KillDiffers, name)
                    .at(common as u64)
                    .says(show(&expected), show(bytes))
                    .by("the KILL, RESUME and REGISTER entries of the log"),
            )?;
        }
        Ok(())
    }

    fn check_kill_form(&mut self, name: &str, bytes: &[u8]) -> Result<(), Stop> {
        let fault = match name {
            SCOPES_FILE => parse_scopes(bytes).err().map(|e| e.to_string()),
            STATE_FILE => KillSnapshot::parse(bytes).err().map(|e| e.to_string()),
            _ => {
                // Any page of the right form is at least the page without a hold.
                let form = page_is_at_least(bytes, &crate::holds::page_image(0, &[]));
                (!form).then(|| "the page is not of its form".to_owned())
            }
        };
        match fault {
            None => Ok(()),
            Some(fault) => self
                .findings
                .push(Finding::new(FindingKind::NotCanonical, name).says("a kill file", fault)),
        }
    }

    /// GENESIS names the log's origin, its key and the digest of `K_0`.
    pub(super) fn check_genesis(
        &mut self,
        entries: &EntryChecks,
        vkey: Option<&VerifyKey>,
        macs_checked: bool,
    ) -> Result<(), Stop> {
        let Some(genesis) = &entries.genesis else {
            self.verdict
                .not_checked
                .push("frame MACs and seals of key epochs: GENESIS could not be read".to_owned());
            return Ok(());
        };
        let Genesis { origin, log_vkey, k0_sha256, .. } = &**genesis;
        let differs = |expected: String, got: String| {
            Finding::new(FindingKind::GenesisDiffers, "wal").index(1).says(expected, got)
        };
        let replay = *k0_sha256 == [0; 32];
        if let Some(vkey) = vkey {
            if origin != vkey.name() {
                self.findings.push(differs(vkey.name().to_owned(), origin.clone()))?;
            }
            let expected = if replay { String::new() } else { vkey.to_string() };
            if *log_vkey != expected {
                self.findings.push(differs(expected, log_vkey.clone()))?;
            }
        }
        if macs_checked {
            return Ok(());
        }
        if self.keys.k0.is_some() {
            return self
                .findings
                .push(differs("the digest of the K_0 given".into(), "another".into()));
        }
        self.verdict
            .not_checked
            .push("frame MACs and seals of key epochs: K_0 was not given".to_owned());
        Ok(())
    }
}
