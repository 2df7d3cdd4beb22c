"""The Rust core. Nothing here is public by itself: see the package `cwts`."""

from typing import Any, Final, final

from typing_extensions import Buffer

__all__ = [
    "BUILD_PROFILE",
    "VERSION",
    "CwtsError",
    "Decision",
    "Gateway",
    "InputError",
    "LimitsError",
    "LogError",
    "LogFailedError",
    "LogInUseError",
    "Order",
    "PermissionDeniedError",
    "Producer",
    "ProducerError",
    "QueueFullError",
    "Replay",
    "ScopeError",
    "TamperError",
    "apply_requests",
    "check_limits",
    "controls",
    "explain",
    "generate",
    "request_halt",
    "request_resume",
    "schema",
    "status",
    "verify",
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
class PermissionDeniedError(CwtsError): ...
class ProducerError(CwtsError): ...

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
        release: str = "async",
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
        last_e9: int,
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
    ) -> Replay: ...
    def run(self) -> str: ...
    @property
    def events_done(self) -> int: ...
    def cancel(self) -> None: ...
    @property
    def orders(self) -> bytes: ...
    @property
    def decisions(self) -> bytes: ...
    @property
    def labels(self) -> str: ...

def apply_requests(dir: str, keys: str | None = None) -> dict[str, Any]: ...
def check_limits(text: bytes, path: str) -> dict[str, Any]: ...
def controls() -> list[dict[str, Any]]: ...
def explain(dir: str, order_id: int) -> dict[str, Any]: ...
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
def request_halt(
    dir: str, scope: str, *, reason: str, actor: str, reduce_only: bool = False
) -> dict[str, Any]: ...
def request_resume(
    dir: str, hold: int, *, actor: str, approver: str, reason: str
) -> dict[str, Any]: ...
def schema() -> str: ...
def status(dir: str) -> dict[str, Any]: ...
def verify(path: str, keys: list[str], level: str = "full") -> dict[str, Any]: ...
