//! Verifies a log directory: every byte of every file.
//!
//! Source: design note "audit", section 7. Nothing here writes or locks, so a live log and an
//! auditor's copy are checked alike. A finding does not end the check.

mod archived;
mod bundles;
mod entries;
mod files;
mod finding;
mod live;
mod plain;
mod tiles;
mod walk;
mod witnessed;

use crate::frame::parse_segment_name;
use crate::keys::KeyChain;
use crate::line_key::NoteKey;
use crate::merkle::Hash;
use crate::note::{Checkpoint, VerifyKey};
use crate::storage::{FileStat, Storage, StorageError};

pub use finding::{Finding, FindingKind, Verdict};
pub use live::{EntryCheck, LiveCheck};
pub use plain::verify_plain;

use bundles::BundleCheck;
use entries::EntryChecks;
use files::SignedFile;
pub(crate) use finding::hex;
use finding::{Findings, Stop};
use tiles::{Authentic, TileCheck};
use walk::{Walk, Walked};
use witnessed::Compared;

/// Findings after which [`verify`] stops looking.
pub const FINDINGS_MAX: usize = 10_000;

/// The keys that an auditor holds.
#[derive(Clone, Debug, Default)]
pub struct VerifyKeys {
    /// The log's key; without it `log.vkey` is used, which proves consistency and not origin.
    pub vkey: Option<VerifyKey>,
    /// Keys of the checkpoint's other lines: its committee's, its witnesses'. A line by each must
    /// be there, and a line by any other key is a finding.
    pub others: Vec<NoteKey>,
    /// The chain that starts at `K_0`, for the frames' MACs. A replay needs none.
    pub k0: Option<KeyChain>,
}

/// How deep to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Signatures, and the stored tree up to the signed root.
    Roots,
    /// All of it: every entry, frame, tile and file.
    Full,
}

/// Verifies a log and tells everything that is wrong.
///
/// # Errors
/// A file that cannot be read: the check could not be finished.
pub fn verify(
    storage: &dyn Storage,
    keys: &VerifyKeys,
    level: Level,
) -> Result<Verdict, StorageError> {
    verify_up_to(storage, keys, level, FINDINGS_MAX)
}

/// Like [`verify`], but stops after this many findings. With 1, the first sign of a fault ends
/// the check, unexplained: enough to know that something is wrong.
pub fn verify_up_to(
    storage: &dyn Storage,
    keys: &VerifyKeys,
    level: Level,
    findings_max: usize,
) -> Result<Verdict, StorageError> {
    let mut check = Check::new(storage, keys, storage.list()?, findings_max);
    let ran = check.run(level);
    check.verdict(ran)
}

/// The signed heads whose signatures hold.
struct Heads<'a> {
    signed: Option<&'a Checkpoint>,
    wal_head: Option<&'a Checkpoint>,
    clean: bool,
}

struct Check<'s> {
    storage: &'s dyn Storage,
    keys: &'s VerifyKeys,
    files: Vec<FileStat>,
    findings: Findings,
    verdict: Verdict,
}

impl<'s> Check<'s> {
    fn new(
        storage: &'s dyn Storage,
        keys: &'s VerifyKeys,
        files: Vec<FileStat>,
        findings_max: usize,
    ) -> Self {
        let verdict = Verdict {
            clean: false,
            size: 0,
            root: crate::merkle::empty_root(),
            origin: String::new(),
            findings: Vec::new(),
            not_checked: Vec::new(),
            entry_counts: std::collections::BTreeMap::new(),
            notes: Vec::new(),
        };
        let findings = Findings { list: Vec::new(), max: findings_max.max(1) };
        Self { storage, keys, files, findings, verdict }
    }

    fn verdict(mut self, ran: Result<(), Stop>) -> Result<Verdict, StorageError> {
        match ran {
            Ok(()) => {}
            Err(Stop::Enough) => {
                let note = format!("stopped after {} findings", self.findings.list.len());
                self.verdict.notes.push(note);
            }
            Err(Stop::Storage(error)) => return Err(error),
        }
        let mut verdict = self.verdict;
        verdict.findings = self.findings.list;
        verdict.findings.sort_by(|a, b| {
            (a.index, &a.file, a.offset, a.kind).cmp(&(b.index, &b.file, b.offset, b.kind))
        });
        Ok(verdict)
    }

    fn run(&mut self, level: Level) -> Result<(), Stop> {
        self.check_names()?;
        if level > Level::Roots && !self.check_archived()? {
            let what = "entries: an archived block is not what was written";
            self.verdict.not_checked.push(what.to_owned());
            return Ok(());
        }
        let vkey = self.log_key()?;
        let kill = self.read_kill_files()?;
        // Before `checkpoint`, which a live log moves first.
        let witnessed = self.read_signed(crate::witness::WITNESSED_FILE)?;
        let checkpoint = self.read_signed(crate::writer::CHECKPOINT_FILE)?;
        let wal_head = self.read_signed(crate::writer::WAL_HEAD_FILE)?;
        if let Some(vkey) = &vkey {
            vkey.name().clone_into(&mut self.verdict.origin);
        }
        if level == Level::Roots {
            self.verdict.not_checked.push("entries, frames, kill files: level `roots`".to_owned());
            self.check_signature(checkpoint.as_ref(), vkey.as_ref())?;
            self.check_signature(wal_head.as_ref(), vkey.as_ref())?;
            if self.check_signature(witnessed.as_ref(), vkey.as_ref())? {
                self.check_witnessed_root(witnessed.as_ref(), checkpoint.as_ref())?;
            }
            return self.check_stored_root(checkpoint.as_ref());
        }

        let signed = checkpoint.as_ref().and_then(SignedFile::head);
        let head = wal_head.as_ref().and_then(SignedFile::head);
        let mut tiles = TileCheck::new(self.storage, &self.files, self.findings.max);
        let mut bundles = BundleCheck::new(self.storage, &self.files, self.findings.max);
        let mut entries = EntryChecks::new();
        let is_segment = |f: &&FileStat| parse_segment_name(&f.name).is_some();
        let segments: Vec<FileStat> = self.files.iter().filter(is_segment).cloned().collect();
        let mut walk = Walk {
            storage: self.storage,
            segments: &segments,
            findings: &mut self.findings,
            tiles: &mut tiles,
            bundles: &mut bundles,
            entries: &mut entries,
            signed,
            wal_head: head,
            witnessed: witnessed.as_ref().and_then(SignedFile::head),
            keys: self.keys.k0.clone(),
            out: Walked::default(),
        };
        let walked = walk.run();
        let walked_out = walk.out;
        self.verdict.size = walked_out.size;
        self.verdict.entry_counts = std::mem::take(&mut entries.counts);
        walked?;
        self.verdict.root = walked_out.range.root();
        let closed = entries.last == Some(cwts_types::EntryType::Close);
        // Closing signs the head last of all. An older one there, or none, and the close was cut
        // short: what it leaves is then judged as a crash leaves it.
        let finished = wal_head
            .as_ref()
            .is_some_and(|file| file.head().is_none_or(|head| head.size >= walked_out.size));
        let clean = closed && finished;
        self.verdict.clean = clean;

        let last_file = segments.last().map_or("", |f| f.name.as_str());
        entries.finish(last_file, clean, &mut self.findings, &mut self.verdict.notes)?;
        self.check_archive_entries(&entries.archives, clean)?;
        self.check_end(&walked_out, closed, clean)?;
        self.check_kill_files(&kill, entries.holds(), clean)?;
        self.check_genesis(&entries, vkey.as_ref(), walked_out.macs_checked)?;
        if walked_out.macs_lost() {
            let what = "frame MACs behind damage that may hide too many key epochs".to_owned();
            self.verdict.not_checked.push(what);
        }
        let signed_size = signed.map_or(0, |s| s.size);
        let (files, notes) = (&self.files, &mut self.verdict.notes);
        tiles.finish(signed_size, clean, files, &mut self.findings, notes)?;
        let genesis = entries.genesis.as_ref();
        let is_replay = genesis.is_some_and(|genesis| genesis.k0_sha256 == [0; 32]);
        if is_replay && bundles.is_empty() {
            notes.push("no entry bundles: `cwts log unpack` writes them".to_owned());
        } else {
            bundles.finish(signed_size, clean, files, &mut self.findings, notes)?;
        }

        let authentic = self.check_signature(checkpoint.as_ref(), vkey.as_ref())?;
        let head_authentic = self.check_signature(wal_head.as_ref(), vkey.as_ref())?;
        let cosigned = self.check_signature(witnessed.as_ref(), vkey.as_ref())?;
        let heads = Heads {
            signed: signed.filter(|_| authentic),
            wal_head: head.filter(|_| head_authentic),
            clean,
        };
        let mismatches = std::mem::take(&mut tiles.mismatches);
        self.blame(&heads, &walked_out, mismatches, &mut bundles, &segments)?;
        let Some(head) = witnessed.as_ref().and_then(SignedFile::head).filter(|_| cosigned) else {
            return Ok(());
        };
        self.compare_witnessed(&Compared {
            signed_size: signed.map_or(walked_out.size, |signed| signed.size),
            root: walked_out.root_at_witnessed,
            entries_right: heads.signed.is_some_and(|s| walked_out.root_at_signed == Some(s.root)),
            head,
        })
    }

    /// Explains what differs between entries, tiles and signatures.
    fn blame(
        &mut self,
        heads: &Heads<'_>,
        walked: &Walked,
        mut mismatches: Vec<tiles::Mismatch>,
        bundles: &mut BundleCheck<'_>,
        segments: &[FileStat],
    ) -> Result<(), Stop> {
        let signed = heads.signed;
        let root_is_right = signed.is_some_and(|s| walked.root_at_signed == Some(s.root));
        let mut explained: Vec<bool> = vec![false; walked.suspects.len()];
        // Where a length led astray, the first entry that differs is the one.
        if !root_is_right {
            for (suspect, explained) in walked.suspects.iter().zip(&mut explained) {
                let within = |index: u64| (suspect.first..suspect.end).contains(&index);
                let first = mismatches
                    .iter()
                    .filter(|m| m.leaf.is_some() && within(m.index()))
                    .map(tiles::Mismatch::index)
                    .min();
                *explained = first.is_some();
                if suspect.astray
                    && let Some(first) = first
                {
                    mismatches
                        .retain(|m| m.leaf.is_none() || !within(m.index()) || m.index() == first);
                }
            }
        }
        let suspects = &walked.suspects;
        let entries_right = |index: u64| {
            let doubted = suspects.iter().any(|s| (s.first..s.end).contains(&index));
            root_is_right || (signed.is_none_or(|s| index >= s.size) && !doubted)
        };
        bundles.blame(signed.map_or(0, |s| s.size), entries_right, &mut self.findings)?;
        let name =
            |file: u32| segments.get(file as usize).map(|f| f.name.clone()).unwrap_or_default();
        let told_before = self.findings.list.len();
        let mut authentic = Authentic::new(self.storage, signed)?;
        authentic.blame(mismatches, entries_right, name, &mut self.findings)?;
        for finding in &mut self.findings.list[told_before..] {
            let astray = |s: &walk::Suspect| {
                s.astray && finding.index.is_some_and(|i| (s.first..s.end).contains(&i))
            };
            if finding.kind == FindingKind::EntryChanged && suspects.iter().any(astray) {
                finding.kind = FindingKind::BundleLength;
            }
        }
        for (suspect, explained) in walked.suspects.iter().zip(explained) {
            if explained {
                continue;
            }
            let mut finding = suspect.finding.clone();
            if let Some((index, offset)) = suspect.broke_at {
                // All entries before it are those signed: its own length is what is wrong.
                finding = Finding { kind: FindingKind::BundleLength, index_end: None, ..finding };
                finding = finding.index(index).at(offset).by("the entries before it match");
            }
            self.findings.push(finding)?;
        }

        let Some(signed) = signed else { return Ok(()) };
        if signed.size > walked.size {
            self.findings.push(
                Finding::new(FindingKind::Rollback, crate::writer::CHECKPOINT_FILE)
                    .range(walked.size, signed.size)
                    .says(format!("{} entries", signed.size), walked.size)
                    .by("the signed checkpoint"),
            )?;
        } else if !root_is_right && self.findings.list.is_empty() {
            let got = walked.root_at_signed.map(|r| hex(&r)).unwrap_or_default();
            self.findings.push(
                Finding::new(FindingKind::Inconsistent, crate::writer::CHECKPOINT_FILE)
                    .range(0, signed.size)
                    .says(hex(&signed.root), got)
                    .by("the signed checkpoint"),
            )?;
        }
        if !root_is_right {
            self.verdict.root = signed.root;
        }
        self.check_heads(signed, walked, heads)
    }

    /// What a closed log must have signed, and that `wal.head` signs a CLOSE of this chain.
    fn check_heads(
        &mut self,
        signed: &Checkpoint,
        walked: &Walked,
        heads: &Heads<'_>,
    ) -> Result<(), Stop> {
        let clean = heads.clean;
        if clean && signed.size < walked.size {
            self.findings.push(
                Finding::new(FindingKind::CloseIncomplete, crate::writer::CHECKPOINT_FILE)
                    .range(signed.size, walked.size)
                    .says(format!("{} entries", walked.size), signed.size)
                    .by("closing signs the last entry"),
            )?;
        }
        let Some(head) = heads.wal_head else { return Ok(()) };
        let last_is_it = walked.chain.is_none_or(|chain| chain == head.root);
        let matches = if clean { head.size == walked.size && last_is_it } else { walked.head_seen };
        let damaged = walked.chain.is_none() && !self.findings.list.is_empty();
        if matches || (!clean && damaged) {
            return Ok(());
        }
        let got: Option<Hash> = walked.chain;
        self.findings.push(
            Finding::new(FindingKind::Inconsistent, crate::writer::WAL_HEAD_FILE)
                .index(walked.size.saturating_sub(1))
                .says(
                    format!("{} {}", head.size, hex(&head.root)),
                    format!("{} {}", walked.size, got.map(|g| hex(&g)).unwrap_or_default()),
                )
                .by("the signed end of the frame chain"),
        )
    }
}
