//! The checkpoint that witnesses have cosigned: every line, and that the log still begins so.

use super::Check;
use super::files::SignedFile;
use super::finding::{Finding, FindingKind, Stop, hex};
use crate::line_key::NoteKey;
use crate::merkle::Hash;
use crate::published::Published;
use crate::witness::WITNESSED_FILE;
use crate::writer::CHECKPOINT_FILE;

/// What there is to compare the cosigned root with.
pub(super) struct Compared<'a> {
    /// How many entries the checkpoint signs.
    pub(super) signed_size: u64,
    /// The log's own root at the cosigned size, if it could be computed.
    pub(super) root: Option<Hash>,
    /// Whether the entries are those under the signed root.
    pub(super) entries_right: bool,
    pub(super) head: &'a crate::note::Checkpoint,
}

impl Check<'_> {
    /// Whether a line by this key must be in this file. A witness signs what it is sent, which is
    /// kept apart; where nothing is, `checkpoint` itself must have its line.
    pub(super) fn must_sign(&self, key: &NoteKey, file: &str) -> bool {
        match (key, file) {
            (NoteKey::Log(_), _) => true,
            (NoteKey::Witness(_), WITNESSED_FILE) => true,
            (NoteKey::Witness(_), CHECKPOINT_FILE) => !self.has(WITNESSED_FILE),
            (NoteKey::Committee(_), file) => file == CHECKPOINT_FILE,
            (NoteKey::Witness(_), _) => false,
        }
    }

    /// Whether lines by unknown keys are left alone in this file: nobody asked about witnesses.
    pub(super) fn leaves_unknown(&self, file: &str) -> bool {
        let is_witness = |key: &NoteKey| matches!(key, NoteKey::Witness(_));
        file == WITNESSED_FILE && !self.keys.others.iter().any(is_witness)
    }

    /// Level `roots`: by the stored tree.
    pub(super) fn check_witnessed_root(
        &mut self,
        file: Option<&SignedFile>,
        checkpoint: Option<&SignedFile>,
    ) -> Result<(), Stop> {
        let Some(head) = file.and_then(SignedFile::head) else { return Ok(()) };
        let Some(signed) = checkpoint.and_then(SignedFile::head) else { return Ok(()) };
        let published = Published::read(self.storage).ok();
        let root = published.and_then(|log| log.root(head.size).ok());
        let entries_right = true;
        self.compare_witnessed(&Compared { signed_size: signed.size, root, entries_right, head })
    }

    /// The cosigned checkpoint must be one of this log's.
    pub(super) fn compare_witnessed(&mut self, with: &Compared<'_>) -> Result<(), Stop> {
        let Compared { signed_size, root, entries_right, head } = *with;
        if head.size > signed_size {
            return self.findings.push(
                Finding::new(FindingKind::Rollback, WITNESSED_FILE)
                    .range(signed_size, head.size)
                    .says(format!("{} entries", head.size), signed_size)
                    .by("the checkpoint that witnesses have cosigned"),
            );
        }
        if root == Some(head.root) || (!entries_right && !self.findings.list.is_empty()) {
            return Ok(());
        }
        self.findings.push(
            Finding::new(FindingKind::Inconsistent, WITNESSED_FILE)
                .range(0, head.size)
                .says(hex(&head.root), root.map(|root| hex(&root)).unwrap_or_default())
                .by("the checkpoint that witnesses have cosigned"),
        )
    }
}
