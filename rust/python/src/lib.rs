//! The Python surface on one screen. No rule lives here: rooms below decide, this crate converts.
#![forbid(unsafe_code)]

mod audit;
mod ceremony;
mod columns;
mod convert;
mod crash;
mod decision;
mod desk;
mod error;
mod events;
mod files;
mod flow;
mod fold;
mod follow;
mod gateway;
mod keeping;
mod kill;
mod limits;
mod market;
mod order;
mod oversight;
mod producer;
mod proofs;
mod records;
mod replay;
mod run;
mod subjects;
mod table;
mod threshold;
mod torture;
mod watch;
mod whatif;
mod witness;

/// See the `cwts` package: nothing here is public by itself.
#[pyo3::pymodule(gil_used = false)]
mod _core {
    #[pymodule_export]
    use crate::audit::{
        archive, checkpoint, consistency, entry_schema, inclusion, is_archive_dir, order_receipts,
        read_entries, receipt, unpack, verify, verify_receipts, write_tlog,
    };
    #[pymodule_export]
    use crate::ceremony::{
        Ceremony, CeremonyFailedError, MemberSecrets, absent_keys, ceremony_info, ceremony_output,
        committee_vkey, hide_memory, judge_ceremony, verify_enrolment,
    };
    #[pymodule_export]
    use crate::columns::{RangeCheck, check_note, decode_columns, entries_raw, range_proof};
    #[pymodule_export]
    use crate::crash::torture_disk;
    #[pymodule_export]
    use crate::decision::Decision;
    #[pymodule_export]
    use crate::error::{
        AuditBackpressureError, CwtsError, EntryTooLongError, InputError, LimitsError, LogError,
        LogFailedError, LogInUseError, PermissionDeniedError, ProducerError, ProofError,
        QueueFullError, RetentionError, RollbackError, ScopeError, TamperError,
    };
    #[pymodule_export]
    use crate::events::{Events, append_again, read_events};
    #[pymodule_export]
    use crate::files::{
        apply_requests, check_limits, controls, explain, registers, request_halt, request_resume,
        schema, status,
    };
    #[pymodule_export]
    use crate::flow::SynthFlow;
    #[pymodule_export]
    use crate::fold::fold;
    #[pymodule_export]
    use crate::follow::Follower;
    #[pymodule_export]
    use crate::gateway::Gateway;
    #[pymodule_export]
    use crate::keeping::{
        append_access, archive_before, archive_open, cases, expire, hold_case, log_file,
        open_cases, release_case, request_case_approval, request_hold, request_release, unarchive,
    };
    #[pymodule_export]
    use crate::kill::{
        cancels_after, halt_and_cancel, standing_holds, take_cancels, torture_clock, torture_judge,
        torture_state,
    };
    #[pymodule_export]
    use crate::limits::{
        approve_limits, limits_diff, limits_effective, limits_schema, lists_operators,
        new_operator, propose_limits, request_approve, request_propose, request_resume_approval,
        request_resume_signed,
    };
    #[pymodule_export]
    use crate::market::{locate, set_market, set_phase};
    #[pymodule_export]
    use crate::order::Order;
    #[pymodule_export]
    use crate::oversight::{
        alerts, in_out, override_order, record_clock, request_override, request_override_approval,
        resubmit, torture_stress, trigger_counts,
    };
    #[pymodule_export]
    use crate::producer::Producer;
    #[pymodule_export]
    use crate::proofs::{
        Opening, ProofContext, Secret, proof_facts, prove_desks_sum_below, prove_dleq, prove_equal,
        prove_exposure_below, prove_knowledge, verify_desks_sum_below, verify_dleq, verify_equal,
        verify_exposure_below, verify_knowledge,
    };
    #[pymodule_export]
    use crate::records::{
        append_amend, append_note, init_log, k0_on_host, open_records, record_check,
    };
    #[pymodule_export]
    use crate::replay::{Replay, asset_class, generate, profiles};
    #[pymodule_export]
    use crate::run::{check_run, decision_stream, seal_run};
    #[pymodule_export]
    use crate::subjects::{
        append_sealed, request_shred, request_shred_approval, seal_in, subjects,
    };
    #[pymodule_export]
    use crate::threshold::{
        EncodingError, KeyRegistry, NotEnoughSharesError, Partial, PublicKey, SecretKey, Share,
        Sharing, ThresholdError, bls_aggregate, bls_fast_aggregate_verify, bls_sign, bls_verify,
        bls_verify_batch, deal_shares, min_pk_verify, partial_sign, pop_prove, pop_verify,
        prove_partial, prove_share, recover_signature, verify_partial, verify_partial_proof,
        verify_share,
    };
    #[pymodule_export]
    use crate::torture::{torture_check, torture_input, torture_run, torture_targets};
    #[pymodule_export]
    use crate::watch::LogWatch;
    #[pymodule_export]
    use crate::whatif::{Suggest, WhatIf};
    #[pymodule_export]
    use crate::witness::{Witness, keep_witnessed, new_witness, witness_name, witness_request};
    /// `release`, or a benchmark refuses to run.
    #[pymodule_export]
    const BUILD_PROFILE: &str = if cfg!(debug_assertions) { "debug" } else { "release" };
    /// One version: Cargo's.
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
}
