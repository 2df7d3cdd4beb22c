"""What is replayed, under which limits and how: read and checked before the core sees it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cwts import _core
from cwts.datasets import read_limits
from cwts.errors import CwtsError, input_error

__all__ = [
    "KEPT_ORDERS",
    "RUN_FILES_MAX",
    "Settings",
    "files_of",
    "limits_for",
    "midnight_ns",
    "said_by_name",
]

#: ``AMZN_2012-06-21_34200000_57600000_message_1.csv.gz``: ticker and day of a LOBSTER file.
_LOBSTER: Final = re.compile(r"^(?P<symbol>[^_]+)_(?P<day>\d{4}-\d{2}-\d{2})_.*message", re.ASCII)
#: Month and day, with what stands between them.
_MONTH_DAY: Final = r"(?P<m>0[1-9]|1[0-2]){0}(?P<d>0[1-9]|[12]\d|3[01])"
#: Days in the names of ITCH files: ``AMZN_2012-06-21_....itch50.gz``, ``20200130.itch50``, and
#: NASDAQ's own ``01302020.NASDAQ_ITCH50.gz`` and ``S013020-v50.txt.gz``.
_ITCH: Final = tuple(
    re.compile(pattern, re.ASCII | re.IGNORECASE)
    for pattern in (
        rf"(?<!\d)(?P<y>\d{{4}})-{_MONTH_DAY.format('-')}(?!\d).*itch",
        rf"(?<!\d)(?P<y>(?:19|20)\d{{2}}){_MONTH_DAY.format('')}(?!\d).*itch",
        rf"(?<!\d){_MONTH_DAY.format('')}(?P<y>(?:19|20)\d{{2}})(?!\d).*itch",
        rf"^S{_MONTH_DAY.format('')}(?P<y>\d{{2}})-v50\b",
    )
)
#: Orders that a result holds unless it is asked for all: 512 MiB with their decisions.
KEPT_ORDERS: Final = 1 << 22
#: Files of one run: their logs are numbered with four digits.
RUN_FILES_MAX: Final = 9_999


@dataclass(frozen=True)
class Settings:
    """What holds for every file of a run; it goes to other processes as it is."""

    limits: bytes
    limits_path: str
    format: str | None = None
    day: str | date | None = None
    tz: str = "America/New_York"
    symbol: str | None = None
    mapping: str | None = None
    keep: bool | None = None
    keys: str | None = None
    max_live: int | None = None
    max_bytes: int | None = None
    observe: bool = True
    strict: bool = False
    anomalies: int | None = None

    def __post_init__(self) -> None:
        """Refuse a time zone that is none, whether or not a file needs it."""
        midnight_ns("2000-01-03", self.tz)

    def core(
        self,
        paths: list[Path],
        log: Path | None = None,
        decisions: Path | None = None,
    ) -> _core.Replay:
        """Make the replay of one file, or of several as one session."""
        if self.anomalies is not None:
            self._refuse_to_inject(paths)
        first, *more = [(os.fspath(path), *self._unsaid(path)) for path in paths]
        # Kept unless told otherwise, as far as that is little; of several files nothing is.
        keep = len(paths) == 1 if self.keep is None else self.keep
        return _core.Replay(
            self.limits,
            self.limits_path,
            path=first[0],
            symbol=first[1],
            base_ns=first[2],
            more=more,
            format=self.format,
            mapping=self.mapping,
            log=None if log is None else os.fspath(log),
            keys=self.keys,
            decisions=None if decisions is None else os.fspath(decisions),
            keep=keep,
            keep_max=KEPT_ORDERS if self.keep is None else None,
            max_live=self.max_live,
            max_bytes=self.max_bytes,
            observe=self.observe,
            strict=self.strict,
            inject=self.anomalies,
        )

    def _refuse_to_inject(self, paths: list[Path]) -> None:
        if len(paths) > 1:
            raise input_error("anomalies are injected into one session's file; pass one file")
        if paths[0].exists() and not paths[0].is_file():
            raise input_error(f"{paths[0]}: is read twice to inject anomalies; pass a file")

    def has_day(self, path: str | Path) -> bool:
        """Tell whether anything says a file's day."""
        return self.day is not None or said_by_name(path)[1] is not None

    def _unsaid(self, path: Path) -> tuple[str | None, int]:
        """Give what a file may not say itself: its symbol, and when its day begins."""
        symbol, day = said_by_name(path)
        day_given = self.day if self.day is not None else day
        return self.symbol or symbol, midnight_ns(day_given, self.tz) if day_given else 0


def said_by_name(path: str | os.PathLike[str]) -> tuple[str | None, str | None]:
    """Give the symbol and the day, as ISO text, that a file's name says."""
    name = Path(path).name
    if lobster := _LOBSTER.match(name):
        return lobster["symbol"], lobster["day"]
    for pattern in _ITCH:
        if found := pattern.search(name):
            year = found["y"] if len(found["y"]) == 4 else f"20{found['y']}"  # noqa: PLR2004
            return None, f"{year}-{found['m']}-{found['d']}"
    return None, None


def limits_for(
    limits: str | os.PathLike[str] | None,
    files: list[Path],
    format: str | None = None,  # noqa: A002 - the word that the command line has
) -> tuple[bytes, str]:
    """Give the text of a run's limits, and their name for errors.

    Without `limits` those that come with cwts, for what the files themselves say is traded; for
    shares where they say nothing.

    Raises
    ------
    InputError
        Some files say what is traded and others say another thing, or nothing.
    """
    traded = {_asset_class(file, format) for file in files} if limits is None else {None}
    if len(traded) > 1:
        said = ", ".join(sorted(name for name in traded if name is not None))
        raise input_error(
            f"some files say that they hold {said} and others do not: no limits that come with "
            "cwts fit all of them; replay them apart, or pass --limits"
        )
    name, text = read_limits(limits, traded.pop())
    return text, name


def _asset_class(file: Path, format: str | None) -> str | None:  # noqa: A002
    # Only a plain file can be looked into first: a pipe's head would be gone.
    if not file.is_file():
        return None
    try:
        return _core.asset_class(os.fspath(file), format)
    except (CwtsError, OSError):
        # Its replay will say what is wrong, and only of this file.
        return None


def files_of(paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[Path]:
    """Give the files of a run, in order."""
    given = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    if not given:
        raise input_error("no file to replay; pass at least one")
    if len(given) > RUN_FILES_MAX:
        raise input_error(f"{len(given):,} files in one run; at most {RUN_FILES_MAX:,}")
    files = [Path(path) for path in given]
    for file in files:
        if file.is_dir():
            raise input_error(f"{file}: is a directory; pass files of order flow")
    return files


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
