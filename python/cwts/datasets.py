"""Order flow without a market: the generator, files as columns, and the limits that come with cwts.

No market data ships with cwts. Generated flow is the same for a seed on every machine.
"""

from __future__ import annotations

import json
import os
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cwts import _core
from cwts._core import Events
from cwts.errors import input_error

if TYPE_CHECKING:
    from datetime import date as Date  # noqa: N812 - `date` is the word of the command line

__all__ = ["DEFAULT_LIMITS", "FORMATS", "Events", "default_limits", "read", "synth"]

#: What a run shows as the path of the limits that come with cwts.
DEFAULT_LIMITS: Final = "cwts/defaults/equity.toml"

#: Formats that `synth` writes, by suffix.
FORMATS: Final = {".csv": "csv", ".parquet": "parquet", ".arrow": "arrow"}


def default_limits() -> bytes:
    """Give the text of the limits that a replay uses when it is given none."""
    return (files("cwts") / "defaults" / "equity.toml").read_bytes()


def synth(
    path: str | os.PathLike[str],
    events: int,
    *,
    seed: int = 7,
    profile: str = "equity-liquid",
    anomalies: bool = False,
    instruments: int = 8,
) -> list[dict[str, Any]]:
    """Write synthetic order flow to a file.

    Parameters
    ----------
    path : path-like
        Where to; the suffix says the format: ``.csv``, ``.parquet`` or ``.arrow``.
    events : int
        How many.
    seed : int
        The same seed gives the same bytes, on every machine.
    profile : str
        Which market it looks like.
    anomalies : bool
        Whether to put in the known anomalies, each once.
    instruments : int
        How many instruments have flow.

    Returns
    -------
    list of dict
        The anomalies: ``seq`` (number of the first event), ``kind``, ``expect`` (the controls of
        which one must name it) and ``order_ids``. Nothing in the file tells them apart.
    """
    suffix = Path(path).suffix
    if suffix not in FORMATS:
        raise input_error(f"{os.fspath(path)}: the suffix must be one of {', '.join(FORMATS)}")
    labels = _core.generate(
        os.fspath(path),
        FORMATS[suffix],
        profile=profile,
        events=events,
        seed=seed,
        anomalies=anomalies,
        instruments=instruments,
    )
    return [json.loads(line) for line in labels.splitlines()]


def read(
    source: str | os.PathLike[str] | bytes,
    *,
    format: str | None = None,  # noqa: A002 - the word that the command line has
    date: str | Date | None = None,
    tz: str = "America/New_York",
    symbol: str | None = None,
    rows_max: int | None = None,
) -> Events:
    """Read order flow of any known format into Arrow columns.

    Parameters
    ----------
    source : path-like or bytes
        A file, or its content; packed or not.
    format : str, optional
        The file's format. Default: found out from its content.
    date, tz : str
        The day of a LOBSTER file, whose times count from midnight, and its time zone. Default:
        the day in the file's name; without one, times count from 1970-01-01.
    symbol : str, optional
        The instrument of a file that names none. Default: the one in a LOBSTER file's name.
    rows_max : int, optional
        More rows are an error; at most, and by default, 2**27. A table is held in memory, about 62
        bytes a row. A replay reads any number.

    Returns
    -------
    Events
        Columns ``ts`` (UTC nanoseconds), ``kind``, ``order_id``, ``account``, ``strategy``,
        ``instrument``, ``side``, ``qty``, ``price`` (in 1e-9; null where a row has none),
        ``ref_id`` and ``flags``: those of the CWTS format, so a file that they are written to can
        be replayed. They go to any library that takes Arrow, without a copy.

    Raises
    ------
    InputError
        The file is not what it should be; the message has record and byte.

    Examples
    --------
    >>> import polars as pl  # doctest: +SKIP
    >>> pl.DataFrame(cwts.datasets.read("day.mbo.dbn.zst"))  # doctest: +SKIP
    """
    from cwts._replay import lobster_name, midnight_ns

    named: tuple[str, str] | None = None
    if not isinstance(source, bytes):
        source = os.fspath(source)
        named = lobster_name(source)
    day = date if date is not None else named and named[1]
    place: dict[str, Any] = {"data": source} if isinstance(source, bytes) else {"path": source}
    return _core.read_events(
        **place,
        format=format,
        symbol=symbol or (named[0] if named else None),
        base_ns=midnight_ns(day, tz) if day else 0,
        rows_max=rows_max,
    )
