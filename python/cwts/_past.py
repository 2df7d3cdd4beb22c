"""Past order flow: a file of it, or the log of a gateway or a replay."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Any

from cwts._replay_request import midnight_ns, said_by_name
from cwts.errors import input_error

__all__ = ["log_of", "past_flow"]


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
    named_symbol, named_day = said_by_name(place)
    day = date if date is not None else named_day
    return {
        "path": os.fspath(place),
        "format": format,
        "symbol": symbol or named_symbol,
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
    if (beside / "0001" / "wal").is_dir():
        raise input_error(
            f"{directory}: is a run of several logs; pass one of them, as {beside / '0001'}"
        )
    raise input_error(
        f"{directory}: is neither a log nor a folder that holds one as log/, nor a log's .run"
    )
