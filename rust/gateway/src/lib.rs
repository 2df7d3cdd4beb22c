//! The gateway: ring, risk and audit behind one writer; and the replay of files through it.
#![forbid(unsafe_code)]

// The fixture of the tests beside the crate serves those inside it, too.
#[cfg(test)]
extern crate self as cwts_gateway;
#[cfg(test)]
#[path = "../tests/live/mod.rs"]
mod live;

mod anchor;
mod archiving;
mod batch;
mod change;
mod clock;
mod clock_entry;
mod consent;
mod control;
mod decide_again;
mod entry_columns;
mod entry_fields;
mod error;
mod follow;
mod gaps;
mod gateway;
mod in_out;
mod init;
pub mod intake;
mod keeping;
mod key_epoch;
mod keys;
mod limits_schema;
mod limits_state;
mod limits_text;
mod log;
mod market;
mod mass_cancel;
mod names;
mod openings;
mod oversight;
mod reader;
mod receipt;
mod receipt_words;
mod records;
pub mod registers;
pub mod replay;
mod request;
mod request_change;
mod retention;
mod secret_file;
mod shredding;
mod start;
mod story;
mod subject_uses;
mod subjects;
pub mod suggest;
mod switch;
pub mod torture;
mod watch;
pub mod whatif;
mod witness;

pub use anchor::{anchor_from_environment, root_of_frames};
pub use archiving::{ArchivedNow, unarchive};
pub use change::LimitsRequest;
pub use clock::{Clock, Now, system_utc_ns};
pub use consent::check_consents;
pub use control::{HaltOptions, RANK_OPERATOR, RANK_RISK, raise};
pub use decide_again::check_decisions;
pub use entry_columns::{EntryColumn, Layouts, NoLayout, TypeColumns};
pub use entry_fields::entry_fields;
pub use error::GatewayError;
pub use follow::{Folded, Follower, StandingHold, cancels_after, fold_log, standing_holds};
pub use gateway::{Gateway, Submitted};
pub use in_out::InOut;
pub use init::NewLog;
pub use keeping::{
    CaseAsked, HoldRequest, Said, case_rows, open_cases, request_case_approval, request_hold,
    request_release,
};
pub use key_epoch::KeyLife;
pub use keys::{Escrow, KeyStore, random_32, read_k0};
pub use limits_schema::limits_schema;
pub use limits_state::{diff_rows, effective_rows, limits_state, proposal_row};
pub use limits_text::parse_limits;
pub use log::{RESERVED_SLOTS, RING_SLOTS};
pub use mass_cancel::raise_and_cancel;
pub use openings::{fresh_seed, load_opening, save_opening};
pub use oversight::{
    OVERRIDE_NS, OverrideAsked, OverrideRequest, Told, alert_row, request_override,
    request_override_approval, trigger_counts_row, trigger_days,
};
pub use reader::{Cursor, ReadFacts, Visit, is_running, read_log};
pub use receipt::{NamedReceipt, archive_error, order_receipts, published};
pub use receipt_words::{ReceiptsVerdict, receipts_json, verify_receipts};
pub use request::{Requested, request_halt, request_resume};
pub use request_change::{
    Proposed, lists_operators, request_approve, request_propose, request_resume_approval,
    request_resume_signed,
};
pub use retention::{Expired, RULES, Retention};
pub use secret_file::{hide_memory, new_secret, read_secret, replace_secret, wipe_secret};
pub use shredding::{ShredAsked, request_shred, request_shred_approval, subject_rows};
pub use start::GatewayOptions;
pub use story::{engine_state, explain, status, status_of, violation_row};
pub use subjects::{Subject, sealed_text};
pub use switch::KillSwitch;
pub use watch::{Seen, Watch};
pub use witness::{Answer, WitnessFiles, cosigned_size, keep_cosignatures, submission};

/// A text id as a number: the first 8 bytes of its SHA-256, never 0 unless the text is empty.
pub fn text_id(text: &str) -> u64 {
    use sha2::Digest as _;
    if text.is_empty() {
        return 0;
    }
    let digest: [u8; 32] =
        sha2::Sha256::new_with_prefix(EXEC_ID_DOMAIN).chain_update(text).finalize().into();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_le_bytes(first).max(1)
}

/// SHA-256 in hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    let digest: [u8; 32] = sha2::Sha256::digest(bytes).into();
    hex(&digest)
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// The firm, as the kill files name it.
pub fn firm() -> cwts_audit::holds::NamedScope {
    cwts_audit::holds::NamedScope { kind: cwts_types::ScopeKind::Firm, name: "firm".to_owned() }
}

/// Domain of [`text_id`].
const EXEC_ID_DOMAIN: &[u8] = b"cwts/exec-id/v1\0";
