"""A file of order flow through the same controls, and into the same log, as live orders."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias, TypeVar

from cwts import _core
from cwts._outputs import check_run_outputs
from cwts._replay_request import Settings, files_of, limits_for
from cwts.errors import input_error

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = [
    "ReplayResult",
    "Run",
    "Standing",
    "Stop",
    "areplay",
    "awatched",
    "replay",
    "watched",
    "write_run",
]

#: Formats whose times count from a midnight that the file does not name.
_WITHOUT_DAY: Final = frozenset({"itch", "lobster"})
#: How often a run is looked at while it goes on.
_POLL_S: Final = 0.05

AnyPath: TypeAlias = str | os.PathLike[str]
Session: TypeAlias = Literal["file", "continuous"]
#: What runs in the core, and can be watched and cancelled.
Core = TypeVar("Core", _core.Replay, _core.WhatIf, _core.Suggest)


class Stop(Protocol):
    """Whether a run shall end before its end: `threading.Event`, or a cell in shared memory."""

    def is_set(self) -> bool:
        """Tell whether it shall."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a run is: events folded, bytes of the files read for them, files done."""

    events: int
    bytes: int
    files: int = 0


@dataclass(frozen=True)
class ReplayResult:
    """What a replay decided.

    `json` is the whole result, schema ``cwts/replay/v1`` (``cwts/schemas/replay-v1.json``).
    """

    json: Mapping[str, Any] = field(repr=False)
    order_records: bytes = field(default=b"", repr=False)
    decision_records: bytes = field(default=b"", repr=False)
    #: One JSON object a line: the anomalies that were generated, or injected into the file.
    labels: str = field(default="", repr=False)
    #: Whether `order_records` and `decision_records` hold all of the run.
    kept_all: bool = field(default=True, repr=False)

    @property
    def counts(self) -> dict[str, int]:
        """Accepted orders, and refused ones by every control that each violated."""
        return {"accepted": self.json["accepted"], **self.json["by_bit"]}

    @property
    def first(self) -> dict[str, int]:
        """Accepted orders, and refused ones by the first control that each violated."""
        return {"accepted": self.json["accepted"], **self.json["by_first"]}

    @property
    def log_head(self) -> dict[str, Any] | None:
        """Origin, size, root and checkpoint of the log; ``None`` if none was written."""
        head = self.json["log"]
        return None if head is None else dict(head)

    @property
    def warnings(self) -> list[str]:
        """What was odd about the input, and is not an error."""
        return list(self.json["warnings"])

    @cached_property
    def orders(self) -> npt.NDArray[Any]:
        """The orders as `ORDER_DTYPE`, in file order; empty unless the run kept them."""
        from cwts.records import orders_array

        self._must_be_kept()
        return orders_array(self.order_records)

    @cached_property
    def decisions(self) -> npt.NDArray[Any]:
        """The decisions as `DECISION_DTYPE`, one an order; empty unless the run kept them."""
        from cwts.records import decisions_array

        self._must_be_kept()
        return decisions_array(self.decision_records)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Give orders with their decisions as an Arrow stream: ``polars.DataFrame(result)``."""
        self._must_be_kept()
        return _core.decision_stream(self.order_records, self.decision_records, requested_schema)

    def _must_be_kept(self) -> None:
        # Some of the orders would look like all of them.
        if not self.kept_all:
            raise input_error(
                f"the {self.json['orders']:,} orders were not kept; pass keep=True to hold them in "
                "memory, or decisions='decisions.parquet' to have them in a file"
            )

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """Orders with their decisions, a column each; what frames are made of."""
        orders, decisions = self.orders, self.decisions
        taken = {name: orders[name] for name in ("ts", "order_id", "side", "px", "qty")}
        more = ("seq", "reasons", "first", "observed", "limit", "verdict")
        return taken | {name: decisions[name] for name in more}

    def to_pandas(self) -> Any:
        """Give the decisions as a pandas frame, an order a row."""
        import pandas as pd

        return pd.DataFrame(self.columns())

    def to_polars(self) -> Any:
        """Give the decisions as a polars frame, an order a row."""
        import polars as pl

        return pl.DataFrame(self.columns())

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Write the decisions to a Parquet file (needs pyarrow)."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table(self.columns()), os.fspath(path))

    def report(self, path: str | os.PathLike[str]) -> int:
        """Write the run as one HTML page that loads nothing, and give its size in bytes."""
        from cwts.report import write_report

        return write_report(self.json, path)

    def _repr_html_(self) -> str:
        from cwts.report import report_fragment

        return report_fragment(self.json)

    def __repr__(self) -> str:
        orders, accepted = self.json["orders"], self.json["accepted"]
        head = self.log_head
        log = f", {head['entries']:,} log entries" if head else ""
        return (
            f"<cwts.ReplayResult: {orders:,} orders, {accepted:,} accepted, "
            f"{orders - accepted:,} rejected{log}>"
        )


def replay(
    path: AnyPath | Iterable[AnyPath],
    limits: AnyPath | None = None,
    *,
    log: AnyPath | None = None,
    decisions: AnyPath | None = None,
    workers: int = 1,
    session: Session | None = None,
    format: str | None = None,  # noqa: A002 - the word that the command line has
    date: str | date | None = None,
    tz: str = "America/New_York",
    symbol: str | None = None,
    mapping: Literal["all", "file"] | None = None,
    keep: bool | None = None,
    observe: bool = True,
    progress: Callable[[int], object] | None = None,
    keys: AnyPath | None = None,
    strict: bool = False,
    anomalies: int | None = None,
    max_live: int | None = None,
    max_bytes: int | None = None,
) -> ReplayResult:
    """Run every order of a file, or of several, through the limits.

    Parameters
    ----------
    path : path-like, or several
        Order flow: LOBSTER messages, DBN of schema mbo, ITCH 5.0, a FIX log, or the CWTS format
        as CSV, Parquet or Arrow; also packed.
    limits : path-like, optional
        The limits file, or ``"equity"`` or ``"future"`` for those that come with cwts. Default:
        the latter for files that themselves say that they hold futures, else the former.
    log : path-like, optional
        Where to write the log: a directory that is absent or empty. Of several files with
        ``session="file"`` it holds a log each, ``0001`` and so on, and the run's own signed root.
        What the run was (time, files, figures) goes to ``run.json`` in a directory with ``.run``
        at its name's end.
    decisions : path-like, optional
        Where to write one row an order: CSV, or by the suffix ``.arrow`` or ``.parquet`` a table.
        A file each goes to ``out.0001.csv`` and so on.
    workers : int
        Processes for several files, one file at a time each. The result is the same for any
        number. Processes are spawned: a script must start under ``if __name__ == "__main__"``.
    session : {"file", "continuous"}, optional
        Several files each from fresh state (the default), or all of them as one stream by time,
        then by their place in the list.
    format : str, optional
        The files' format. Default: found out from their content.
    date, tz : str
        The day of a LOBSTER or ITCH file, whose times count from midnight, and its time zone.
        Default: the day in the file's name.
    symbol : str, optional
        The instrument of a LOBSTER file. Default: the one in the file's name.
    mapping : {"all", "file"}, optional
        Whose orders they are: one account's, ``ALL``, or those of the file's accounts. Default:
        the file's, where its format has accounts.
    keep : bool, optional
        Whether to keep orders and decisions in memory, 128 bytes an order. Default: of one file,
        up to 4,194,304 orders.
    observe : bool
        Whether to measure how orders stood against their limits, for the report: what-if
        curves, peak use, near misses.
    progress : callable, optional
        Called with the number of events so far, a few times a second.
    keys : path-like, optional
        Folder of the key that signs the log. Default: ``$CWTS_KEYS``, else the user's.
    strict : bool
        Whether a FIX message that is garbled or cannot be read is an error, and not only counted.
    anomalies : int, optional
        Put eight known anomalies between the file's orders, at places that this seed draws. The
        result's ``labels`` say where, and ``json["labels"]`` which were found; the log says that
        it is not the file's own day. Whoever trusts limits wants to see them bite.
    max_live : int, optional
        Live orders at most, the market's and the account's. Default: 20 million.
    max_bytes : int, optional
        Bytes of a file after decompression at most. Default: 64 GiB.

    Raises
    ------
    InputError
        The file is not what it should be; the message has file, record and byte.
    LimitsError
        The limits are wrong; the error has line, column and key.
    FilesFailedError
        Some of several files failed; the error has them, and the result of the others.
    """
    files = files_of(path)
    text, name = limits_for(limits, files, format)
    settings = Settings(
        limits=text,
        limits_path=name,
        format=format,
        day=date,
        tz=tz,
        symbol=symbol,
        mapping=mapping,
        keep=keep,
        keys=None if keys is None else os.fspath(keys),
        max_live=max_live,
        max_bytes=max_bytes,
        observe=observe,
        strict=strict,
        anomalies=anomalies,
    )
    run = Run(files, settings, _path(log), _path(decisions), workers, session)
    return run.go(None if progress is None else lambda standing: progress(standing.events))


async def areplay(
    path: AnyPath | Iterable[AnyPath],
    limits: AnyPath | None = None,
    *,
    log: AnyPath | None = None,
    decisions: AnyPath | None = None,
    workers: int = 1,
    session: Session | None = None,
    format: str | None = None,  # noqa: A002 - the word that the command line has
    date: str | date | None = None,
    tz: str = "America/New_York",
    symbol: str | None = None,
    mapping: Literal["all", "file"] | None = None,
    keep: bool | None = None,
    observe: bool = True,
    progress: Callable[[int], object] | None = None,
    keys: AnyPath | None = None,
    strict: bool = False,
    anomalies: int | None = None,
    max_live: int | None = None,
    max_bytes: int | None = None,
) -> ReplayResult:
    """As `replay`, on a thread; cancelling the task stops the run within a batch."""
    files = files_of(path)
    text, name = limits_for(limits, files, format)
    settings = Settings(
        limits=text,
        limits_path=name,
        format=format,
        day=date,
        tz=tz,
        symbol=symbol,
        mapping=mapping,
        keep=keep,
        keys=None if keys is None else os.fspath(keys),
        max_live=max_live,
        max_bytes=max_bytes,
        observe=observe,
        strict=strict,
        anomalies=anomalies,
    )
    run = Run(files, settings, _path(log), _path(decisions), workers, session)
    stop = threading.Event()
    seen = [Standing(0, 0)]

    def watch(standing: Standing) -> None:
        seen[0] = standing

    running = asyncio.ensure_future(asyncio.to_thread(run.go, watch, stop))
    try:
        while not running.done():
            await asyncio.wait([running], timeout=_POLL_S)
            if progress is not None:
                progress(seen[0].events)
    except BaseException:
        stop.set()
        # The run's own outcome no longer matters, but its thread must not outlive the task.
        await asyncio.wait([running])
        running.exception()
        raise
    return running.result()


@dataclass(frozen=True)
class Run:
    """A run that was asked for."""

    files: list[Path]
    settings: Settings
    log: Path | None = None
    decisions: Path | None = None
    workers: int = 1
    session: Session | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.workers < 1:
            raise ValueError(f"workers is {self.workers}, must be at least 1")
        if self.session not in {None, "file", "continuous"}:
            raise ValueError(f"session is {self.session!r}, must be 'file' or 'continuous'")
        if self.settings.anomalies is not None and len(self.files) > 1:
            raise input_error("anomalies are injected into one file; pass one")
        check_run_outputs(
            self.files,
            self.settings.limits_path,
            self.log,
            self.decisions,
            one_session=len(self.files) == 1 or self.session == "continuous",
        )

    def go(
        self, watch: Callable[[Standing], object] | None = None, stop: Stop | None = None
    ) -> ReplayResult:
        """Run it; `watch` is called now and then, and once at the end."""
        started = datetime.now(UTC)
        if len(self.files) > 1 and self.session != "continuous":
            # Whoever replays one file need not wait for process pools.
            from cwts._replays import replay_files

            result = replay_files(self, watch, stop)
        else:
            core = self.settings.core(self.files, self.log, self.decisions)
            text = watched(core, look=None if watch is None else _standing_of(watch), stop=stop)
            result = ReplayResult(
                json=MappingProxyType(with_warnings(json.loads(text), self.settings)),
                order_records=core.orders,
                decision_records=core.decisions,
                labels=core.labels,
                # Nothing is missing of what nobody asked for.
                kept_all=core.kept_all or self.settings.keep is False,
            )
        if self.log is not None:
            beside = self.log.with_name(f"{self.log.name}.run")
            write_run(beside / "run.json", result, started)
            if result.labels:
                (beside / "labels.ndjson").write_text(result.labels, encoding="utf-8")
        return result


def _standing_of(watch: Callable[[Standing], object]) -> Callable[[_core.Replay], object]:
    return lambda core: watch(Standing(core.events_done, core.bytes_done))


def with_warnings(found: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Add what the core cannot know: that nothing said the day of a file without one."""
    for file in found["inputs"]:
        if file["format"] in _WITHOUT_DAY and not settings.has_day(file["path"]):
            of = f"{file['path']}: " if len(found["inputs"]) > 1 else ""
            found["warnings"].append(
                f"{of}neither the file's name nor --date says the day: times count from 1970-01-01"
            )
    return found


def write_run(path: Path, result: ReplayResult, started: datetime) -> None:
    """Write what the run was: nothing of it may stand in the log itself."""
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {
        "started": started.isoformat(),
        "cwts": _core.VERSION,
        "build": _core.BUILD_PROFILE,
        "result": dict(result.json),
    }
    path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def watched(
    core: Core,
    progress: Callable[[int], object] | None = None,
    *,
    look: Callable[[Core], object] | None = None,
    stop: Stop | None = None,
) -> str:
    """Run on a thread, so that Ctrl-C, a wish to stop and the progress are seen while it runs."""
    outcome: list[str] = []
    failure: list[BaseException] = []
    # Not `Thread.join`: CPython 3.11 takes a thread for ended when an interrupt meets its join, and
    # the process would end before the log's last frame is written.
    done = threading.Event()

    def work() -> None:
        try:
            outcome.append(core.run())
        except BaseException as error:  # noqa: BLE001 - it is raised again by the one who waits
            failure.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=work, name="cwts-replay")
    try:
        # Within: an interrupt may come while the thread starts, and must stop it too.
        thread.start()
        began = time.monotonic()
        ended = False
        while not ended:
            # A short run must not wait out a whole interval.
            ended = done.wait(min(_POLL_S, 0.002 + (time.monotonic() - began) / 8))
            if stop is not None and stop.is_set():
                core.cancel()
            if progress is not None:
                progress(core.events_done)
            if look is not None:
                look(core)
    except BaseException:
        core.cancel()
        if thread.ident is not None:
            done.wait()
        raise
    if failure:
        raise failure[0]
    return outcome[0]


async def awatched(
    core: _core.WhatIf | _core.Suggest, progress: Callable[[int], object] | None
) -> str:
    """As `watched`; cancelling the task stops the run within a batch."""
    running = asyncio.ensure_future(asyncio.to_thread(core.run))
    try:
        while not running.done():
            await asyncio.wait([running], timeout=_POLL_S)
            if progress is not None:
                progress(core.events_done)
    except BaseException:
        core.cancel()
        # The run's own outcome no longer matters, but its thread must not outlive the task.
        await asyncio.wait([running])
        running.exception()
        raise
    return running.result()


def _path(path: AnyPath | None) -> Path | None:
    return None if path is None else Path(path)
