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
from cwts.datasets import DEFAULT_LIMITS, default_limits
from cwts.errors import input_error

__all__ = ["KEPT_ORDERS", "RUN_FILES_MAX", "Settings", "files_of", "midnight_ns", "read_limits"]

#: ``AMZN_2012-06-21_34200000_57600000_message_1.csv.gz``: ticker and day of a LOBSTER file.
_LOBSTER: Final = re.compile(r"^(?P<symbol>[^_]+)_(?P<day>\d{4}-\d{2}-\d{2})_.*message", re.ASCII)
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

    def core(
        self,
        paths: list[Path],
        log: Path | None = None,
        decisions: Path | None = None,
    ) -> _core.Replay:
        """Make the replay of one file, or of several as one session."""
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
        )

    def has_day(self, path: str | Path) -> bool:
        """Tell whether anything says a file's day."""
        return self.day is not None or _LOBSTER.match(Path(path).name) is not None

    def _unsaid(self, path: Path) -> tuple[str | None, int]:
        """Give what a file may not say itself: its symbol, and when its day begins."""
        name = _LOBSTER.match(path.name)
        day = self.day if self.day is not None else name and name["day"]
        symbol = self.symbol or (name["symbol"] if name else None)
        return symbol, midnight_ns(day, self.tz) if day else 0


def read_limits(limits: str | os.PathLike[str] | None) -> tuple[bytes, str]:
    """Give a limits file's text and its name for errors."""
    if limits is None:
        return default_limits(), DEFAULT_LIMITS
    return Path(limits).read_bytes(), os.fspath(limits)


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
