//! What a verification says: findings with a place and a proof, and what was not looked at.

use std::collections::BTreeMap;

use crate::merkle::Hash;
use crate::storage::StorageError;

macro_rules! finding_kinds {
    ($($variant:ident $name:literal $text:literal)*) => {
        /// What is wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum FindingKind {
            $(#[doc = $text] $variant,)*
        }

        impl FindingKind {
            /// The stable name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

finding_kinds! {
    EntryChanged "ENTRY_CHANGED" "An entry's bytes are not those under the signed root."
    BundleLength "BUNDLE_LENGTH" "An entry's length field leads astray."
    RangeChanged "RANGE_CHANGED" "Entries are lost or changed, and no proof says which."
    TileChanged "TILE_CHANGED" "A tile differs from the tree over the entries."
    TileMissing "TILE_MISSING" "A tile of the signed size is not there."
    BundleChanged "BUNDLE_CHANGED" "An entry bundle differs from the entries in the frames."
    BundleMissing "BUNDLE_MISSING" "An entry bundle of the signed size is not there."
    BadSignature "BAD_SIGNATURE" "A signature does not verify, or is by another key."
    UnknownLine "UNKNOWN_LINE" "A note has a signature line by no known key."
    NotCanonical "NOT_CANONICAL" "Bytes are not the one spelling of what they say."
    Inconsistent "INCONSISTENT" "The signed root is not the root over the entries."
    Rollback "ROLLBACK" "Less is there than was signed."
    WalFrame "WAL_FRAME" "A frame is damaged, and its entries are not."
    WalChain "WAL_CHAIN" "A frame does not follow the one before."
    WalHmac "WAL_HMAC" "A frame's MAC is not by the log's key."
    EpochMac "EPOCH_MAC" "A KEY_EPOCH entry is no seal of what is before it, or not by its key."
    WalPadding "WAL_PADDING" "Bytes that must be zero are not."
    ProducerGap "PRODUCER_GAP" "A producer's numbers have a gap or a repetition."
    ParentBad "PARENT_BAD" "An entry names another that it cannot follow from."
    SeqDiffers "SEQ_DIFFERS" "A record's seq is not its log index."
    DecisionMissing "DECISION_MISSING" "An order has no decision."
    DecisionDiffers "DECISION_DIFFERS" "A decision is not what the entries before it give."
    LimitsVersion "LIMITS_VERSION" "A limits version does not grow, or was not in force."
    GenesisDiffers "GENESIS_DIFFERS" "The log's first entries are not those of this log and key."
    CloseDiffers "CLOSE_DIFFERS" "CLOSE or RECOVERY names another size or root."
    CloseIncomplete "CLOSE_INCOMPLETE"
        "The log says that it was closed, and what closing leaves is not all there."
    ConsentBad "CONSENT_BAD"
        "A change of limits or a resume lacks a signature that it needs, or has a wrong one."
    HoldBad "HOLD_BAD" "A case is opened twice, closed when it is not open, or by one person."
    ShredBad "SHRED_BAD"
        "A subject's key goes under an open case, twice, too early or by one, or is used later."
    KillDiffers "KILL_DIFFERS" "A kill file is not what the log's holds make."
    ArchiveDiffers "ARCHIVE_DIFFERS" "An archived block is not the one that was written or logged."
    FileMissing "FILE_MISSING" "A file that belongs to every log is not there."
    UnknownFile "UNKNOWN_FILE" "A file that belongs to no log."
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong.
    pub kind: FindingKind,
    /// In which file.
    pub file: String,
    /// At which byte of it.
    pub offset: Option<u64>,
    /// The first entry concerned.
    pub index: Option<u64>,
    /// The last entry concerned, if there are several.
    pub index_end: Option<u64>,
    /// What should stand there.
    pub expected: String,
    /// What stands there.
    pub got: String,
    /// What proves it.
    pub proved_by: String,
}

impl Finding {
    /// A finding of this kind in this file, and nothing more yet.
    pub fn new(kind: FindingKind, file: &str) -> Self {
        Self {
            kind,
            file: file.to_owned(),
            offset: None,
            index: None,
            index_end: None,
            expected: String::new(),
            got: String::new(),
            proved_by: String::new(),
        }
    }

    pub(super) fn at(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }

    /// At this entry.
    #[must_use]
    pub fn index(mut self, index: u64) -> Self {
        self.index = Some(index);
        self
    }

    /// Entries `first..end`.
    pub(super) fn range(mut self, first: u64, end: u64) -> Self {
        self.index = Some(first);
        self.index_end = Some(end.saturating_sub(1).max(first));
        self
    }

    /// What should stand there, and what does.
    #[must_use]
    pub fn says(mut self, expected: impl ToString, got: impl ToString) -> Self {
        self.expected = expected.to_string();
        self.got = got.to_string();
        self
    }

    /// What proves it.
    #[must_use]
    pub fn by(mut self, proof: impl ToString) -> Self {
        self.proved_by = proof.to_string();
        self
    }
}

/// The outcome of a verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the log was closed: its last entry is CLOSE.
    pub clean: bool,
    /// How many entries were read.
    pub size: u64,
    /// The root over them; the signed one where damage hides it.
    pub root: Hash,
    /// The log's origin.
    pub origin: String,
    /// What is wrong, in index order; findings without an index come first.
    pub findings: Vec<Finding>,
    /// What the given keys or the level did not allow to check.
    pub not_checked: Vec<String>,
    /// How many entries of each type.
    pub entry_counts: BTreeMap<&'static str, u64>,
    /// What is worth knowing and not wrong.
    pub notes: Vec<String>,
}

impl Verdict {
    /// Whether nothing is wrong.
    pub fn is_ok(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Why a check ends before its end.
pub(super) enum Stop {
    /// There are enough findings.
    Enough,
    /// A file could not be read.
    Storage(StorageError),
}

impl From<StorageError> for Stop {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

/// Collects findings up to a bound.
#[derive(Debug)]
pub(super) struct Findings {
    pub(super) list: Vec<Finding>,
    pub(super) max: usize,
}

impl Findings {
    pub(super) fn push(&mut self, finding: Finding) -> Result<(), Stop> {
        self.list.push(finding);
        if self.list.len() >= self.max { Err(Stop::Enough) } else { Ok(()) }
    }

    /// A tile or bundle that the signed size does not have: a closed log holds none, one that was
    /// cut off may.
    pub(super) fn beyond_signed(
        &mut self,
        noun: &str,
        file: &str,
        clean: bool,
        notes: &mut Vec<String>,
    ) -> Result<(), Stop> {
        if clean {
            let expected = format!("no {noun} beyond the signed size");
            return self.push(
                Finding::new(FindingKind::UnknownFile, file).says(expected, format!("a {noun}")),
            );
        }
        notes.push(format!("`{file}` is not of the signed size"));
        Ok(())
    }

    /// Whether the first sign ends the check, so that nothing need be explained.
    pub(super) fn first_only(&self) -> bool {
        self.max == 1
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}
