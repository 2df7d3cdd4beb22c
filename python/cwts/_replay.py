"""A file of order flow through the same controls, and into the same log, as live orders."""

from __future__ import annotations

import asyncio
import json
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cwts import _core
from cwts.datasets import DEFAULT_LIMITS, default_limits
from cwts.errors import input_error

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["ReplayResult", "areplay", "replay"]

#: ``AMZN_2012-06-21_34200000_57600000_message_1.csv.gz``: ticker and day of a LOBSTER file.
_LOBSTER: Final = re.compile(r"^(?P<symbol>[^_]+)_(?P<day>\d{4}-\d{2}-\d{2})_.*message", re.ASCII)
#: How often a run is looked at while it goes on.
_POLL_S: Final = 0.05


@dataclass(frozen=True)
class ReplayResult:
    """What a replay decided.

    `json` is the whole result, schema ``cwts/replay/v1`` (``cwts/schemas/replay-v1.json``).
    """

    json: Mapping[str, Any] = field(repr=False)
    order_records: bytes = field(default=b"", repr=False)
    decision_records: bytes = field(default=b"", repr=False)
    #: One JSON object a line: the anomalies that a generated run held.
    labels: str = field(default="", repr=False)

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

        return orders_array(self.order_records)

    @cached_property
    def decisions(self) -> npt.NDArray[Any]:
        """The decisions as `DECISION_DTYPE`, one an order; empty unless the run kept them."""
        from cwts.records import decisions_array

        return decisions_array(self.decision_records)

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
    path: str | os.PathLike[str],
    limits: str | os.PathLike[str] | None = None,
    *,
    log: str | os.PathLike[str] | None = None,
    decisions: str | os.PathLike[str] | None = None,
    format: str | None = None,  # noqa: A002 - the word that the command line has
    date: str | date | None = None,
    tz: str = "America/New_York",
    symbol: str | None = None,
    mapping: Literal["all", "file"] | None = None,
    keep: bool = True,
    progress: Callable[[int], object] | None = None,
    keys: str | os.PathLike[str] | None = None,
) -> ReplayResult:
    """Run every order of a file through the limits.

    Parameters
    ----------
    path : path-like
        Order flow: LOBSTER messages or the CWTS format as CSV, Parquet or Arrow, also packed.
    limits : path-like, optional
        The limits file. Default: the limits that come with cwts.
    log : path-like, optional
        Where to write the log: a directory that is absent or empty. What the run was (time,
        files, figures) goes to ``run.json`` in a directory with ``.run`` at its name's end.
    decisions : path-like, optional
        Where to write one CSV row an order.
    format : str, optional
        The file's format. Default: found out from its content.
    date, tz : str
        The day of a LOBSTER file, whose times count from midnight, and its time zone. Default:
        the day in the file's name.
    symbol : str, optional
        The instrument of a LOBSTER file. Default: the one in the file's name.
    mapping : {"all", "file"}, optional
        Whose orders they are: one account's, ``ALL``, or those of the file's accounts. Default:
        the file's, where its format has accounts.
    keep : bool
        Whether to keep orders and decisions in memory, 128 bytes an order.
    progress : callable, optional
        Called with the number of events so far, a few times a second.
    keys : path-like, optional
        Folder of the key that signs the log. Default: ``$CWTS_KEYS``, else the user's.

    Raises
    ------
    InputError
        The file is not what it should be; the message has file, record and byte.
    LimitsError
        The limits are wrong; the error has line, column and key.
    """
    request = _Request(path, limits, date=date, tz=tz, symbol=symbol)
    core = request.core(
        log=log, decisions=decisions, format=format, mapping=mapping, keep=keep, keys=keys
    )
    return request.result(core, watched(core, progress), log)


async def areplay(
    path: str | os.PathLike[str],
    limits: str | os.PathLike[str] | None = None,
    *,
    log: str | os.PathLike[str] | None = None,
    decisions: str | os.PathLike[str] | None = None,
    format: str | None = None,  # noqa: A002 - the word that the command line has
    date: str | date | None = None,
    tz: str = "America/New_York",
    symbol: str | None = None,
    mapping: Literal["all", "file"] | None = None,
    keep: bool = True,
    progress: Callable[[int], object] | None = None,
    keys: str | os.PathLike[str] | None = None,
) -> ReplayResult:
    """As `replay`, on a thread; cancelling the task stops the run within a batch."""
    request = _Request(path, limits, date=date, tz=tz, symbol=symbol)
    core = request.core(
        log=log, decisions=decisions, format=format, mapping=mapping, keep=keep, keys=keys
    )
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
    return request.result(core, running.result(), log)


class _Request:
    """What is replayed under which limits, read and checked before the core sees it."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        limits: str | os.PathLike[str] | None,
        *,
        date: str | date | None,
        tz: str,
        symbol: str | None,
    ) -> None:
        self.path = Path(path)
        if self.path.is_dir():
            raise input_error(f"{self.path}: is a directory; pass a file of order flow")
        self.limits_path = DEFAULT_LIMITS if limits is None else os.fspath(limits)
        self.limits = default_limits() if limits is None else Path(limits).read_bytes()
        name = _LOBSTER.match(self.path.name)
        day = date if date is not None else name and name["day"]
        self.base_ns = 0 if not day else midnight_ns(day, tz)
        self.has_day = bool(day)
        self.symbol = symbol or (name["symbol"] if name else None)
        self.started = datetime.now(UTC)

    def core(
        self,
        *,
        log: str | os.PathLike[str] | None,
        decisions: str | os.PathLike[str] | None,
        format: str | None,  # noqa: A002
        mapping: str | None,
        keep: bool,
        keys: str | os.PathLike[str] | None,
    ) -> _core.Replay:
        return _core.Replay(
            self.limits,
            self.limits_path,
            path=os.fspath(self.path),
            format=format,
            symbol=self.symbol,
            base_ns=self.base_ns,
            mapping=mapping,
            log=None if log is None else os.fspath(log),
            keys=None if keys is None else os.fspath(keys),
            decisions=None if decisions is None else os.fspath(decisions),
            keep=keep,
        )

    def result(
        self, core: _core.Replay, text: str, log: str | os.PathLike[str] | None
    ) -> ReplayResult:
        found = json.loads(text)
        if found["inputs"][0]["format"] == "lobster" and not self.has_day:
            found["warnings"].append(
                "neither the file's name nor --date says the day: times count from 1970-01-01"
            )
        result = ReplayResult(
            json=MappingProxyType(found),
            order_records=core.orders,
            decision_records=core.decisions,
            labels=core.labels,
        )
        if log is not None:
            directory = Path(log)
            beside = directory.with_name(f"{directory.name}.run")
            write_run(beside / "run.json", result, self.started)
        return result


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


def lobster_name(path: str | os.PathLike[str]) -> tuple[str, str] | None:
    """Give the ticker and the day in the name of a LOBSTER file."""
    name = _LOBSTER.match(Path(path).name)
    return None if name is None else (name["symbol"], name["day"])


def midnight_ns(day: str | date, tz: str) -> int:
    """Give the UTC epoch nanoseconds of a day's first instant in a time zone."""
    try:
        zone = ZoneInfo(tz)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise input_error(f"tz {tz!r} is no time zone, as in America/New_York") from None
    if isinstance(day, str):
        try:
            day = date.fromisoformat(day)
        except ValueError:
            raise input_error(f"date {day!r} is no day, as in 2012-06-21") from None
    # Whole seconds: a zone's offset has no fraction of one.
    seconds = int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())
    if seconds < 0:
        raise input_error(f"date {day} is before 1970-01-01, where the log's time begins")
    return seconds * 10**9


def watched(core: _core.Replay, progress: Callable[[int], object] | None) -> str:
    """Run on a thread, so that Ctrl-C and the progress are seen while it runs."""
    outcome: list[str] = []
    failure: list[BaseException] = []

    def work() -> None:
        try:
            outcome.append(core.run())
        except BaseException as error:  # noqa: BLE001 - it is raised again by the one who waits
            failure.append(error)

    thread = threading.Thread(target=work, name="cwts-replay")
    thread.start()
    try:
        began = time.monotonic()
        while thread.is_alive():
            # A short run must not wait out a whole interval.
            thread.join(min(_POLL_S, 0.002 + (time.monotonic() - began) / 8))
            if progress is not None:
                progress(core.events_done)
    except BaseException:
        core.cancel()
        thread.join()
        raise
    if failure:
        raise failure[0]
    return outcome[0]
