"""The Rust core. Nothing here is public by itself: see the package `cwts`."""

from os import PathLike
from typing import Any, Final, final

from typing_extensions import Buffer

__all__ = [
    "BUILD_PROFILE",
    "VERSION",
    "AuditBackpressureError",
    "Ceremony",
    "CeremonyFailedError",
    "CwtsError",
    "Decision",
    "EncodingError",
    "EntryTooLongError",
    "Events",
    "Follower",
    "Gateway",
    "InputError",
    "KeyRegistry",
    "LimitsError",
    "LogError",
    "LogFailedError",
    "LogInUseError",
    "LogWatch",
    "MemberSecrets",
    "NotEnoughSharesError",
    "Opening",
    "Order",
    "Partial",
    "PermissionDeniedError",
    "Producer",
    "ProducerError",
    "ProofContext",
    "ProofError",
    "PublicKey",
    "QueueFullError",
    "RangeCheck",
    "Replay",
    "RetentionError",
    "RollbackError",
    "ScopeError",
    "Secret",
    "SecretKey",
    "Share",
    "Sharing",
    "Suggest",
    "SynthFlow",
    "TamperError",
    "ThresholdError",
    "WhatIf",
    "Witness",
    "absent_keys",
    "alerts",
    "append_access",
    "append_again",
    "append_amend",
    "append_note",
    "append_sealed",
    "apply_requests",
    "approve_limits",
    "archive",
    "archive_before",
    "archive_open",
    "asset_class",
    "bls_aggregate",
    "bls_fast_aggregate_verify",
    "bls_sign",
    "bls_verify",
    "bls_verify_batch",
    "cancels_after",
    "cases",
    "ceremony_info",
    "ceremony_output",
    "check_limits",
    "check_note",
    "check_run",
    "checkpoint",
    "committee_vkey",
    "consistency",
    "controls",
    "deal_shares",
    "decision_stream",
    "decode_columns",
    "entries_raw",
    "entry_schema",
    "expire",
    "explain",
    "fold",
    "generate",
    "halt_and_cancel",
    "hide_memory",
    "hold_case",
    "in_out",
    "inclusion",
    "init_log",
    "is_archive_dir",
    "judge_ceremony",
    "k0_on_host",
    "keep_witnessed",
    "limits_diff",
    "limits_effective",
    "limits_schema",
    "lists_operators",
    "locate",
    "log_file",
    "min_pk_verify",
    "new_operator",
    "new_witness",
    "open_cases",
    "open_records",
    "order_receipts",
    "override_order",
    "partial_sign",
    "pop_prove",
    "pop_verify",
    "profiles",
    "proof_facts",
    "propose_limits",
    "prove_desks_sum_below",
    "prove_dleq",
    "prove_equal",
    "prove_exposure_below",
    "prove_knowledge",
    "prove_partial",
    "prove_share",
    "range_proof",
    "read_entries",
    "read_events",
    "receipt",
    "record_check",
    "record_clock",
    "recover_signature",
    "registers",
    "release_case",
    "request_approve",
    "request_case_approval",
    "request_halt",
    "request_hold",
    "request_override",
    "request_override_approval",
    "request_propose",
    "request_release",
    "request_resume",
    "request_resume_approval",
    "request_resume_signed",
    "request_shred",
    "request_shred_approval",
    "resubmit",
    "schema",
    "seal_in",
    "seal_run",
    "set_market",
    "set_phase",
    "standing_holds",
    "status",
    "subjects",
    "take_cancels",
    "torture_check",
    "torture_clock",
    "torture_disk",
    "torture_input",
    "torture_judge",
    "torture_run",
    "torture_state",
    "torture_stress",
    "torture_targets",
    "trigger_counts",
    "unarchive",
    "unpack",
    "verify",
    "verify_desks_sum_below",
    "verify_dleq",
    "verify_enrolment",
    "verify_equal",
    "verify_exposure_below",
    "verify_knowledge",
    "verify_partial",
    "verify_partial_proof",
    "verify_receipts",
    "verify_share",
    "witness_name",
    "witness_request",
    "write_tlog",
]

BUILD_PROFILE: Final[str]
VERSION: Final[str]

class CwtsError(Exception):
    """The base of every error; `code` is stable."""

    code: str

class InputError(CwtsError): ...
class LogError(CwtsError): ...
class LogFailedError(LogError): ...
class LogInUseError(LogError): ...
class TamperError(LogError): ...
class RetentionError(LogError): ...
class RollbackError(TamperError): ...
class EntryTooLongError(LogError): ...
class AuditBackpressureError(LogError): ...
class PermissionDeniedError(CwtsError): ...
class ProducerError(CwtsError): ...
class ProofError(CwtsError): ...

class QueueFullError(CwtsError):
    wanted: int
    bound: int

class LimitsError(CwtsError):
    line: int
    column: int
    key: str
    errors: list[dict[str, Any]]

class ScopeError(CwtsError):
    nearest: str | None
    known: list[str]

@final
class Order:
    def __new__(
        cls,
        symbol: str,
        side: str,
        qty: int,
        price: object = None,
        account: str = "default",
        strategy: str = "default",
        *,
        price_e9: int | None = None,
        type: str | None = None,
        tif: str = "day",
        flags: int = 0,
        order_id: int = 0,
        replaces: int = 0,
    ) -> Order: ...
    @property
    def symbol(self) -> str: ...
    @property
    def side(self) -> str: ...
    @property
    def qty(self) -> int: ...
    @property
    def price(self) -> str | None: ...
    @property
    def price_e9(self) -> int: ...
    @property
    def account(self) -> str: ...
    @property
    def strategy(self) -> str: ...
    @property
    def order_id(self) -> int: ...
    def with_(
        self, *, price: object = None, price_e9: int | None = None, qty: int | None = None
    ) -> Order: ...

@final
class Decision:
    @property
    def accepted(self) -> bool: ...
    @property
    def mask(self) -> int: ...
    @property
    def first(self) -> str | None: ...
    @property
    def violations(self) -> list[dict[str, Any]]: ...
    @property
    def seq(self) -> int: ...
    @property
    def order_seq(self) -> int: ...
    @property
    def order_id(self) -> int: ...
    @property
    def limits_version(self) -> int: ...
    @property
    def verdict(self) -> str: ...
    def explain(self) -> str: ...
    def to_bytes(self) -> bytes: ...
    def __bool__(self) -> bool: ...

@final
class Gateway:
    def __new__(
        cls,
        limits: bytes | None,
        limits_path: str,
        log: str | None = None,
        *,
        keys: str | None = None,
        origin: str | None = None,
        anchor: str | None = None,
        release: str = "async",
        retention_years: int | None = None,
        rule: str | None = None,
    ) -> Gateway: ...
    @property
    def limits_version(self) -> int: ...
    @property
    def next_index(self) -> int: ...
    @property
    def durable(self) -> int: ...
    @property
    def is_closed(self) -> bool: ...
    def check(self, order: Order) -> Decision: ...
    def submit(self, order: Order) -> Decision: ...
    def check_batch(self, records: Buffer) -> bytearray: ...
    def submit_batch(self, records: Buffer) -> bytearray: ...
    def check_table(self, table: Any) -> bytearray: ...
    def submit_table(self, table: Any) -> bytearray: ...
    def producer(self, name: str) -> Producer: ...
    def cancel(self, order_id: int) -> Decision: ...
    def on_execution_report(
        self,
        order_id: int,
        exec_type: str,
        last_px_e9: int = 0,
        last_qty: int = 0,
        cum_qty: int = 0,
        exec_id: str = "",
    ) -> str: ...
    def set_reference(
        self,
        symbol: str,
        last_e9: int | None = None,
        bid_e9: int = 0,
        ask_e9: int = 0,
        ts_ns: int | None = None,
    ) -> None: ...
    def halt(
        self,
        scope: str = "firm",
        *,
        reason: str = "",
        actor: str = "",
        reduce_only: bool = False,
        allow_reduce: bool = False,
    ) -> int: ...
    def resume(self, hold: int, *, actor: str, approver: str, reason: str) -> None: ...
    def holds(self) -> list[dict[str, Any]]: ...
    def handle(self, kind: str, name: str) -> int | None: ...
    def position(self, account: str, symbol: str) -> int: ...
    def state(self) -> dict[str, Any]: ...
    def snapshot(self) -> bytes: ...
    def sync(self) -> None: ...
    def close(self) -> dict[str, Any] | None: ...

@final
class Follower:
    """Follows one log without its lock: a status costs what was written since the last."""

    def __new__(cls, dir: str) -> Follower: ...
    def status(self) -> dict[str, Any]: ...

@final
class LogWatch:
    """Checks one log while it grows, from its first entry and without its lock."""

    def __new__(cls, dir: str, key: str | None = None) -> LogWatch: ...
    def look(self, patience_s: float) -> dict[str, Any]: ...

@final
class RangeCheck:
    """Compares rows with the proof of their range; the hashes are base64, as in a manifest."""

    def __new__(
        cls,
        first: int,
        end: int,
        size: int,
        left: list[str],
        subtrees: list[str],
        right: list[str],
    ) -> RangeCheck: ...
    @property
    def root(self) -> str | None: ...
    @property
    def next_index(self) -> int: ...
    @property
    def complete(self) -> bool: ...
    def rows(self, data: bytes, offsets: bytes, hashes: bytes) -> list[tuple[str, int, int]]: ...

@final
class Producer:
    """Made by `Gateway.producer`, never directly."""

    @property
    def name(self) -> str: ...
    @property
    def id(self) -> int: ...
    @property
    def open(self) -> int: ...
    @property
    def is_closed(self) -> bool: ...
    def submit(self, order: Order) -> Decision: ...
    def post(self, order: Order) -> int: ...
    def post_cancel(self, order_id: int) -> int: ...
    def post_batch(self, records: Buffer) -> tuple[int, int]: ...
    def decisions(self, count_max: int, wait_s: float = 0.0) -> list[tuple[int, Decision]]: ...
    def decision_records(
        self, count_max: int, wait_s: float = 0.0
    ) -> tuple[bytearray, bytearray]: ...
    def close(self) -> None: ...

@final
class Replay:
    """One replay: made, run once (the GIL is released), watched and cancelled from any thread."""

    def __new__(
        cls,
        limits: bytes,
        limits_path: str,
        *,
        path: str | None = None,
        format: str | None = None,
        symbol: str | None = None,
        base_ns: int = 0,
        mapping: str | None = None,
        log: str | None = None,
        keys: str | None = None,
        decisions: str | None = None,
        keep: bool = False,
        halt_at: int | None = None,
        profile: str | None = None,
        events: int = 0,
        seed: int = 0,
        anomalies: bool = False,
        instruments: int = 8,
        strict: bool = False,
        observe: bool = False,
        inject: int | None = None,
        more: list[tuple[str, str | None, int]] = ...,
        keep_max: int | None = None,
        max_live: int | None = None,
        max_bytes: int | None = None,
    ) -> Replay: ...
    def run(self) -> str: ...
    @property
    def events_done(self) -> int: ...
    @property
    def bytes_done(self) -> int: ...
    @property
    def kept_all(self) -> bool: ...
    def cancel(self) -> None: ...
    @property
    def orders(self) -> bytes: ...
    @property
    def decisions(self) -> bytes: ...
    @property
    def labels(self) -> str: ...

@final
class Events:
    """The rows of a file as Arrow columns; any Arrow library takes it as it is."""

    @property
    def facts(self) -> dict[str, Any]: ...
    def __arrow_c_schema__(self) -> object: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...
    def __len__(self) -> int: ...

@final
class Suggest:
    """One suggestion of limits: made, run once, watched and cancelled from any thread."""

    def __new__(
        cls,
        false_rejects_ppb: int,
        *,
        path: str | None = None,
        log: str | None = None,
        format: str | None = None,
        symbol: str | None = None,
        base_ns: int = 0,
        mapping: str | None = None,
    ) -> Suggest: ...
    def run(self) -> str: ...
    @property
    def events_done(self) -> int: ...
    def cancel(self) -> None: ...
    @property
    def toml(self) -> str: ...

@final
class WhatIf:
    """One what-if question: made, run once, watched and cancelled from any thread."""

    def __new__(
        cls,
        limits: bytes,
        limits_path: str,
        *,
        path: str | None = None,
        log: str | None = None,
        old: bytes | None = None,
        old_path: str = "",
        format: str | None = None,
        symbol: str | None = None,
        base_ns: int = 0,
        mapping: str | None = None,
        flips: str | None = None,
        keep: int = 0,
    ) -> WhatIf: ...
    def run(self) -> str: ...
    @property
    def events_done(self) -> int: ...
    def cancel(self) -> None: ...
    @property
    def flips(self) -> bytes: ...

@final
class SynthFlow:
    """Generated flow as an Arrow stream, drawn anew for each reader."""

    def __new__(
        cls,
        *,
        profile: str,
        events: int,
        seed: int,
        anomalies: bool = False,
        instruments: int = 8,
    ) -> SynthFlow: ...
    def labels(self) -> str: ...
    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any: ...

def append_again(dir: str, copy: str, keys: str) -> dict[str, Any]: ...
def apply_requests(
    dir: str, keys: str | None = None, anchor: str | None = None
) -> dict[str, Any]: ...
def asset_class(path: str, format: str | None = None) -> str | None: ...
def cancels_after(dir: str, index: int) -> int: ...
def check_run(dir: str, keys: list[str]) -> dict[str, Any]: ...
def check_limits(text: bytes, path: str) -> dict[str, Any]: ...
def controls() -> list[dict[str, Any]]: ...
def decision_stream(
    orders: bytes, decisions: bytes, requested_schema: Any | None = None
) -> Any: ...
def archive(dir: str, output: str) -> dict[str, Any]: ...
def is_archive_dir(dir: str) -> bool: ...
def checkpoint(dir: str) -> dict[str, Any]: ...
def consistency(
    dir: str,
    old: int,
    new: int | None = None,
    *,
    kept: bytes | None = None,
    keys: list[str] = ...,
) -> dict[str, Any]: ...
def explain(dir: str, order_id: int) -> dict[str, Any]: ...
def registers(dir: str, kinds: list[str]) -> list[dict[str, Any]]: ...
def order_receipts(dir: str, order_id: int) -> list[tuple[str, bytes]]: ...
def entries_raw(dir: str, first: int, end: int, bytes_max: int) -> tuple[bytes, bytes, bytes]: ...
def range_proof(dir: str, first: int, end: int) -> dict[str, Any]: ...
def check_note(note: bytes, keys: list[str]) -> dict[str, Any]: ...
def decode_columns(
    schema: str, data: bytes, offsets: bytes, codes: bytes
) -> dict[int, tuple[str, bytes, dict[str, tuple[str, bytes, bytes]]]]: ...
def read_entries(
    dir: str, first: int, end: int, *, keys: str | None = None
) -> list[dict[str, Any]]: ...
def receipt(dir: str, index: int, *, all_lines: bool = False) -> bytes: ...
def fold(
    limits: bytes, entries: list[bytes]
) -> list[tuple[int, int, int, int, int, int, int, int]]: ...
def generate(
    path: str,
    format: str,
    *,
    profile: str,
    events: int,
    seed: int,
    anomalies: bool = False,
    instruments: int = 8,
) -> str: ...
def halt_and_cancel(
    gateway: Gateway,
    scope: str = "firm",
    *,
    reason: str = "",
    actor: str = "",
    reduce_only: bool = False,
    allow_reduce: bool = False,
) -> tuple[int, int]: ...
def profiles() -> list[str]: ...
def read_events(
    path: str | None = None,
    data: bytes | None = None,
    *,
    format: str | None = None,
    symbol: str | None = None,
    base_ns: int = 0,
    rows_max: int | None = None,
) -> Events: ...
def request_halt(
    dir: str,
    scope: str,
    *,
    reason: str,
    actor: str,
    reduce_only: bool = False,
    cancel_working: bool = False,
) -> dict[str, Any]: ...
def request_resume(
    dir: str, hold: int, *, actor: str, approver: str, reason: str
) -> dict[str, Any]: ...
def approve_limits(gateway: Gateway, proposal: int, *, checker: str) -> dict[str, Any]: ...
def limits_diff(old: bytes, old_path: str, new: bytes, new_path: str) -> dict[str, Any]: ...
def limits_effective(
    text: bytes, path: str, account: str, symbol: str, strategy: str | None = None
) -> list[dict[str, Any]]: ...
def limits_schema() -> dict[str, Any]: ...
def lists_operators(dir: str) -> bool: ...
def new_operator(name: str, keys: str | None = None) -> str: ...
def propose_limits(
    gateway: Gateway,
    text: bytes,
    path: str,
    *,
    maker: str,
    reason: str,
    expires_ns: int = 0,
) -> dict[str, Any]: ...
def request_approve(
    dir: str, proposal: int, *, checker: str, keys: str | None = None
) -> dict[str, Any]: ...
def request_propose(
    dir: str,
    text: bytes,
    path: str,
    *,
    maker: str,
    reason: str,
    expires_ns: int = 0,
    keys: str | None = None,
) -> dict[str, Any]: ...
def request_resume_approval(
    dir: str, hold: int, *, approver: str, keys: str | None = None
) -> dict[str, Any]: ...
def request_resume_signed(
    dir: str,
    hold: int,
    *,
    actor: str,
    reason: str,
    approver: str | None = None,
    keys: str | None = None,
) -> dict[str, Any]: ...
def locate(gateway: Gateway, account: str, symbol: str, qty: int, *, actor: str) -> None: ...
def schema() -> str: ...
def set_market(
    gateway: Gateway,
    symbol: str,
    *,
    bid_e9: int = 0,
    prior_close_e9: int = 0,
    band_e9: tuple[int, int] | None = None,
    no_band: bool = False,
    short_restricted: bool | None = None,
    ts_ns: int = 0,
) -> None: ...
def set_phase(gateway: Gateway, scope: str, phase: str) -> None: ...

@final
class Witness:
    """A witness in files; every method may be called from any thread."""

    def __new__(cls, key: str, state: str, logs: list[str]) -> Witness: ...
    @property
    def vkey(self) -> str: ...
    def add_checkpoint(self, body: bytes, unix_seconds: int) -> tuple[int, str, bytes]: ...
    def newest(self, origin_sha256: str) -> bytes | None: ...

@final
class Opening:
    """What opens a commitment; its number and its blinding never leave it."""

    @staticmethod
    def commit(value: int) -> Opening: ...
    @staticmethod
    def load(path: str | PathLike[str]) -> Opening: ...
    def save(self, path: str | PathLike[str]) -> None: ...
    @property
    def commitment(self) -> bytes: ...

@final
class Secret:
    """A secret scalar of ristretto255."""

    def __new__(cls, scalar: bytes) -> Secret: ...
    @staticmethod
    def generate() -> Secret: ...
    @property
    def public(self) -> bytes: ...
    def shared(self, base: bytes) -> bytes: ...

@final
class ProofContext:
    """What a proof is bound to."""

    def __new__(
        cls,
        *,
        chain: bytes,
        epoch: int,
        role: str,
        subject: str,
        as_of_seq: int,
        nonce: bytes,
    ) -> ProofContext: ...
    @property
    def digest(self) -> bytes: ...

def prove_knowledge(secret: Secret, context: ProofContext) -> bytes: ...
def verify_knowledge(proof: bytes, public: bytes, context: ProofContext) -> bool: ...
def prove_dleq(secret: Secret, base: bytes, context: ProofContext) -> bytes: ...
def verify_dleq(
    proof: bytes, public: bytes, base: bytes, shared: bytes, context: ProofContext
) -> bool: ...
def prove_equal(first: Opening, second: Opening, context: ProofContext) -> bytes: ...
def verify_equal(proof: bytes, first: bytes, second: bytes, context: ProofContext) -> bool: ...
def prove_exposure_below(
    exposure: Opening, limit: Opening | int, context: ProofContext
) -> bytes: ...
def verify_exposure_below(
    proof: bytes, exposure: bytes, limit: bytes | int, context: ProofContext
) -> bool: ...
def prove_desks_sum_below(
    desks: list[Opening], limit: Opening | int, context: ProofContext
) -> bytes: ...
def verify_desks_sum_below(
    proof: bytes, desks: list[bytes], limit: bytes | int, context: ProofContext
) -> bool: ...
def proof_facts(proof: bytes) -> dict[str, Any]: ...
def new_witness(name: str, key: str, state: str) -> str: ...
def witness_name(vkey: str) -> str: ...
def witness_request(dir: str, vkey: str, note: bytes, old: int | None = None) -> bytes: ...
def keep_witnessed(dir: str, note: bytes, answers: list[tuple[str, bytes]]) -> list[str | None]: ...
def seal_run(dir: str, logs: int, keys: str | None = None) -> dict[str, Any]: ...
def standing_holds(dir: str) -> list[dict[str, Any]]: ...
def status(dir: str) -> dict[str, Any]: ...
def alerts(gateway: Gateway) -> list[dict[str, Any]]: ...
def open_records(
    log: str,
    *,
    keys: str | None = None,
    origin: str | None = None,
    anchor: str | None = None,
    retention_years: int | None = None,
    rule: str | None = None,
) -> Gateway: ...
def init_log(
    log: str,
    *,
    keys: str | None = None,
    origin: str | None = None,
    escrow: str | None = None,
    hand_over: bool = False,
) -> tuple[str, str | None, str | None]: ...
def k0_on_host(log: str, keys: str | None = None) -> str | None: ...
def append_note(gateway: Gateway, text: str, actor: str) -> int: ...
def append_amend(
    gateway: Gateway, index: int, field: str, value: str, reason: str, actor: str
) -> int: ...
def record_check(
    gateway: Gateway, size: int, root: bytes, findings: int, level: int, actor: str
) -> int: ...
def hold_case(
    gateway: Gateway,
    case: str,
    *,
    account: str,
    instrument: str,
    person: str,
    from_ns: int,
    to_ns: int,
    actor: str,
    approver: str,
    reason: str,
) -> None: ...
def release_case(
    gateway: Gateway, case: str, *, actor: str, approver: str, reason: str
) -> None: ...
def cases(gateway: Gateway) -> list[dict[str, Any]]: ...
def open_cases(dir: str) -> list[dict[str, Any]]: ...
def request_hold(
    dir: str,
    case: str,
    *,
    account: str,
    instrument: str,
    person: str,
    from_ns: int,
    to_ns: int,
    actor: str,
    reason: str,
    approver: str | None = None,
    keys: str | None = None,
) -> dict[str, Any]: ...
def request_release(
    dir: str,
    case: str,
    *,
    actor: str,
    reason: str,
    approver: str | None = None,
    keys: str | None = None,
) -> dict[str, Any]: ...
def request_case_approval(
    dir: str, case: str, *, release: bool, approver: str, keys: str | None = None
) -> dict[str, Any]: ...
def append_sealed(gateway: Gateway, what: str, subject: str, text: str, actor: str) -> int: ...
def seal_in(
    dir: str, what: str, subject: str, text: str, actor: str, *, keys: str | None = None
) -> int: ...
def subjects(dir: str, *, keys: str | None = None) -> list[dict[str, Any]]: ...
def request_shred(
    dir: str,
    subject: str,
    *,
    actor: str,
    reason: str,
    approver: str | None = None,
    keys: str | None = None,
) -> dict[str, Any]: ...
def request_shred_approval(
    dir: str, subject: str, *, approver: str, keys: str | None = None
) -> dict[str, Any]: ...
def archive_before(dir: str, before_ns: int, *, keys: str | None = None) -> dict[str, Any]: ...
def archive_open(gateway: Gateway, before_ns: int) -> dict[str, Any]: ...
def append_access(gateway: Gateway, kind: str, size: int, who: str, what: str) -> int: ...
def expire(
    archive: str, log: str, now_ns: int, *, actor: str, keys: str | None = None
) -> dict[str, Any]: ...
def unarchive(dir: str) -> int: ...
def log_file(dir: str, name: str, bytes_max: int) -> bytes | None: ...
def inclusion(dir: str, index: int, size: int | None = None) -> dict[str, Any]: ...
def record_clock(
    gateway: Gateway,
    state: tuple[int, int, int] | None,
    errors: tuple[int, int, int, int],
    *,
    bound_us: int,
    raw_ns: int,
    policy: str,
) -> bool: ...
def in_out(gateway: Gateway, sent: int | None = None) -> tuple[int, int, int, int | None]: ...
def override_order(
    gateway: Gateway,
    order_id: int,
    *,
    controls: list[str],
    actor: str,
    approver: str,
    reason: str,
    expires_ns: int = 0,
) -> dict[str, Any]: ...
def request_override(
    dir: str,
    order_id: int,
    *,
    controls: list[str],
    actor: str,
    reason: str,
    approver: str | None = None,
    expires_ns: int = 0,
    keys: str | None = None,
) -> dict[str, Any]: ...
def request_override_approval(
    dir: str, order_id: int, *, approver: str, keys: str | None = None
) -> dict[str, Any]: ...
def resubmit(gateway: Gateway, order_id: int) -> Decision: ...
def trigger_counts(dir: str) -> list[dict[str, Any]]: ...
def take_cancels(gateway: Gateway) -> list[Decision]: ...
def torture_disk(seed: int, first: int, stories: int) -> dict[str, Any]: ...
def torture_check(target: str, input: bytes) -> dict[str, Any]: ...
def torture_clock(gateway: Gateway, by_ns: int) -> None: ...
def torture_input(target: str, *, seed: int, case: int) -> bytes: ...
def torture_judge(dir: str, at: list[int], emptied: list[str]) -> dict[str, Any]: ...
def torture_run(
    target: str, *, seed: int, first: int, cases: int, digest: str = ""
) -> dict[str, Any]: ...
def torture_state(gateway: Gateway) -> tuple[int, str]: ...
def torture_stress(
    dir: str,
    work: str,
    *,
    factor: int = 2,
    window_ns: int = ...,
    limits: bytes | None = None,
    limits_path: str = "",
) -> dict[str, Any]: ...
def torture_targets() -> list[dict[str, Any]]: ...
def unpack(dir: str, output: str) -> int: ...
def verify(
    path: str, keys: list[str], level: str = "full", k0: str | None = None
) -> dict[str, Any]: ...
def verify_receipts(files: list[tuple[str, bytes]], keys: list[str]) -> dict[str, Any]: ...
def entry_schema() -> str: ...
def write_tlog(dir: str, origin: str, seed: bytes, entries: list[bytes]) -> str: ...

class ThresholdError(CwtsError): ...
class EncodingError(ThresholdError): ...

class NotEnoughSharesError(ThresholdError):
    have: int
    need: int
    blamed: list[int]

@final
class SecretKey:
    """A secret key; nothing shows it."""

    def __new__(cls, value: bytes) -> SecretKey: ...
    @staticmethod
    def generate() -> SecretKey: ...
    def public_key(self) -> PublicKey: ...

@final
class PublicKey:
    """A checked key: 96 bytes."""

    def __new__(cls, value: bytes) -> PublicKey: ...
    def __bytes__(self) -> bytes: ...
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...

@final
class Share:
    """One member's share; nothing shows it."""

    @property
    def index(self) -> int: ...
    @property
    def epoch(self) -> int: ...

@final
class Partial:
    """One member's part of a signature, 48 bytes, not checked."""

    def __new__(cls, value: bytes, index: int, epoch: int) -> Partial: ...
    @property
    def index(self) -> int: ...
    @property
    def epoch(self) -> int: ...
    def __bytes__(self) -> bytes: ...
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...

@final
class Sharing:
    """A committee's public polynomial: t times 96 bytes."""

    def __new__(cls, commitments: bytes, *, n: int, t: int, epoch: int) -> Sharing: ...
    @property
    def n(self) -> int: ...
    @property
    def t(self) -> int: ...
    @property
    def epoch(self) -> int: ...
    @property
    def key(self) -> PublicKey: ...
    def member_key(self, index: int) -> PublicKey: ...
    def check_share(self, share: Share) -> None: ...
    def __bytes__(self) -> bytes: ...

@final
class KeyRegistry:
    """Keys of which each proved possession."""

    def __new__(cls) -> KeyRegistry: ...
    def register(self, key: PublicKey, proof: bytes) -> int: ...
    def __len__(self) -> int: ...

def bls_sign(key: SecretKey, message: bytes) -> bytes: ...
def bls_verify(key: PublicKey, message: bytes, signature: bytes) -> bool: ...
def bls_verify_batch(
    key: PublicKey, messages: list[bytes], signatures: list[bytes]
) -> list[int]: ...
def bls_aggregate(signatures: list[bytes]) -> bytes: ...
def bls_fast_aggregate_verify(
    registry: KeyRegistry, places: list[int], message: bytes, signature: bytes
) -> bool: ...
def pop_prove(key: SecretKey) -> bytes: ...
def pop_verify(key: PublicKey, proof: bytes) -> bool: ...
def deal_shares(*, n: int, t: int, epoch: int) -> tuple[Sharing, list[Share]]: ...
def partial_sign(share: Share, message: bytes) -> Partial: ...
def recover_signature(
    sharing: Sharing, message: bytes, partials: list[Partial]
) -> tuple[bytes, list[int]]: ...
def verify_partial(sharing: Sharing, message: bytes, partial: Partial) -> bool: ...
def prove_share(share: Share, session: bytes) -> bytes: ...
def verify_share(sharing: Sharing, index: int, session: bytes, proof: bytes) -> bool: ...
def prove_partial(share: Share, message: bytes) -> tuple[Partial, bytes]: ...
def verify_partial_proof(
    sharing: Sharing, message: bytes, partial: Partial, proof: bytes
) -> bool: ...
def min_pk_verify(key: bytes, message: bytes, signature: bytes, suite: str) -> bool: ...

class CeremonyFailedError(ThresholdError): ...

@final
class MemberSecrets:
    """A member's folder: its vote key, what locks its share, the seed of a ceremony under way."""

    def __new__(cls, folder: str, passphrase: bytes | None = None) -> MemberSecrets: ...
    @staticmethod
    def create(folder: str, passphrase: bytes | None = None) -> MemberSecrets: ...
    @property
    def vote(self) -> bytes: ...
    def enrol(self, chain: bytes, number: int, terms: bytes) -> tuple[bytes, bytes]: ...
    def ceremony(self, info: bytes, previous: bytes | None = None) -> Ceremony: ...
    def sequencer(self, info: bytes, previous: bytes | None = None) -> Ceremony: ...
    def keep_share(self, output: bytes, share: Share) -> None: ...
    def share(self, output: bytes) -> Share | None: ...
    def wipe(self, epoch: int, number: int) -> None: ...

@final
class Ceremony:
    """One part in a ceremony: inputs in, effects out."""

    def step(
        self, now_ns: int, word: str, data: bytes | None = None, pos: int = 0
    ) -> list[tuple[str, Any]]: ...
    def admit(self, message: bytes) -> None: ...
    @property
    def next_pos(self) -> int: ...
    def progress(self) -> dict[str, Any]: ...
    def transcript(self) -> bytes: ...

def ceremony_info(
    *,
    kind: str,
    chain: bytes,
    number: int,
    old_epoch: int,
    previous: bytes,
    sequencer: bytes,
    dealers: list[bytes],
    players: list[bytes],
) -> tuple[bytes, bytes]: ...
def verify_enrolment(vote: bytes, terms: bytes, keys: bytes, signature: bytes) -> bool: ...
def hide_memory() -> None: ...
def absent_keys(vote: bytes, chain: bytes, number: int) -> bytes: ...
def ceremony_output(output: bytes) -> tuple[dict[str, Any], Sharing]: ...
def judge_ceremony(transcript: bytes) -> dict[str, Any]: ...
def committee_vkey(name: str, key: bytes) -> str: ...
