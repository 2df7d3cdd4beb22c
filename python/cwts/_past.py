"""Past order flow: a file of it, or the log of a gateway or a replay."""

from __future__ import annotations

import os
import re
from datetime import date
from pathlib import Path
from typing import Any, Final

from cwts._replay import midnight_ns
from cwts.errors import input_error

__all__ = ["log_of", "past_flow"]

#: ``AMZN_2012-06-21_34200000_57600000_message_1.csv.gz``: ticker and day of a LOBSTER file.
_LOBSTER: Final = re.compile(r"^(?P<symbol>[^_]+)_(?P<day>\d{4}-\d{2}-\d{2})_.*message", re.ASCII)


def past_flow(
    path: str | os.PathLike[str],
    *,
    format: str | None,  # noqa: A002 - the word that the command line has
    date: str | date | None,
    tz: str,
    symbol: str | None,
    mapping: str | None,
) -> dict[str, Any]:
    """Give the core's arguments for what lies at `path`."""
    place = Path(path)
    if place.is_dir():
        given = {"format": format, "date": date, "symbol": symbol, "mapping": mapping}
        named = [name for name, value in given.items() if value is not None]
        if named:
            raise input_error(f"{place}: is a log; {', '.join(named)} is for files of order flow")
        return {"log": os.fspath(log_of(place))}
    name = _LOBSTER.match(place.name)
    day = date if date is not None else name and name["day"]
    return {
        "path": os.fspath(place),
        "format": format,
        "symbol": symbol or (name["symbol"] if name else None),
        "base_ns": 0 if not day else midnight_ns(day, tz),
        "mapping": mapping,
    }


def log_of(directory: Path) -> Path:
    """Give the log that a directory is, holds as ``log/``, or stands beside as ``DIR.run``."""
    if (directory / "wal").is_dir():
        return directory
    if (directory / "log" / "wal").is_dir():
        return directory / "log"
    beside = directory.with_suffix("") if directory.suffix == ".run" else directory
    if (beside / "wal").is_dir():
        return beside
    raise input_error(
        f"{directory}: is neither a log nor a folder that holds one as log/, nor a log's .run"
    )
