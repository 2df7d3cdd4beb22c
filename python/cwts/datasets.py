"""Order flow without a market: the generator, files as columns, and the limits that come with cwts.

No market data ships with cwts. Generated flow is the same for a seed on every machine.
"""

from __future__ import annotations

import json
import os
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, overload

from cwts import _core
from cwts._core import Events
from cwts.errors import input_error

if TYPE_CHECKING:
    from datetime import date as Date  # noqa: N812 - `date` is the word of the command line

__all__ = [
    "DEFAULT_LIMITS",
    "FORMATS",
    "SHIPPED_LIMITS",
    "Events",
    "SynthFlow",
    "default_limits",
    "profiles",
    "read",
    "read_limits",
    "synth",
]

#: Limits that come with cwts, by the name that `--limits` takes.
SHIPPED_LIMITS: Final = ("equity", "future")

#: What a run shows as the path of the limits that it uses when it is given none.
DEFAULT_LIMITS: Final = "cwts/defaults/equity.toml"

#: Formats that `synth` writes, by suffix.
FORMATS: Final = {".csv": "csv", ".parquet": "parquet", ".arrow": "arrow", ".itch": "itch"}


def default_limits(name: str = "equity") -> bytes:
    """Give the text of limits that come with cwts; a replay uses them when it is given none."""
    return (files("cwts") / "defaults" / f"{name}.toml").read_bytes()


def read_limits(
    limits: str | os.PathLike[str] | None, asset_class: str | None = None
) -> tuple[str, bytes]:
    """Give the path to show and the text of a limits file.

    Parameters
    ----------
    limits : path-like, optional
        A file; or, if there is none of that name, one of `SHIPPED_LIMITS`. Default: those that
        come with cwts for the asset class.
    asset_class : str, optional
        What the input itself says is traded; shares if it says nothing.
    """
    if limits is None:
        name = asset_class or "equity"
    else:
        name = os.fspath(limits)
        if name not in SHIPPED_LIMITS or Path(name).exists():
            try:
                return name, Path(name).read_bytes()
            except FileNotFoundError:
                shipped = ", ".join(SHIPPED_LIMITS)
                raise input_error(
                    f"limits {name}: no such file; pass a limits file, or one of {shipped}"
                ) from None
            except OSError as error:
                raise input_error(f"limits {name}: {error.strerror}; pass a limits file") from None
    return f"cwts/defaults/{name}.toml", default_limits(name)


def profiles() -> list[str]:
    """Give the names of the markets that the generator can look like."""
    return list(_core.profiles())


class SynthFlow:
    """Generated flow as an Arrow stream: pass it to pyarrow, polars or `Gateway.check_batch`.

    Nothing is held but one batch; each reader gets the stream from its start.
    """

    def __init__(self, core: _core.SynthFlow) -> None:
        self._core = core

    @property
    def labels(self) -> list[dict[str, Any]]:
        """The anomalies in it, as `synth` gives them; the stream is drawn once to find them."""
        return [json.loads(line) for line in self._core.labels().splitlines()]

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Give the stream to whoever reads the Arrow PyCapsule interface."""
        return self._core.__arrow_c_stream__(requested_schema)


@overload
def synth(
    target: int,
    *,
    seed: int = 7,
    profile: str = "equity-liquid",
    anomalies: bool | Literal["default"] = False,
    instruments: int = 8,
) -> SynthFlow: ...


@overload
def synth(
    target: str | os.PathLike[str],
    events: int,
    *,
    seed: int = 7,
    profile: str = "equity-liquid",
    anomalies: bool | Literal["default"] = False,
    instruments: int = 8,
) -> list[dict[str, Any]]: ...


def synth(
    target: int | str | os.PathLike[str],
    events: int | None = None,
    *,
    seed: int = 7,
    profile: str = "equity-liquid",
    anomalies: bool | Literal["default"] = False,
    instruments: int = 8,
) -> SynthFlow | list[dict[str, Any]]:
    """Make synthetic order flow: as a stream in memory, or in a file.

    Parameters
    ----------
    target : int or path-like
        How many events, for a stream; or the file to write, whose suffix says the format:
        ``.csv``, ``.parquet``, ``.arrow`` or ``.itch``. An ITCH file holds one day and no
        accounts: see ``docs/files.md``.
    events : int, optional
        How many events the file gets.
    seed : int
        The same seed gives the same bytes, on every machine.
    profile : str
        Which market it looks like: one of `profiles`.
    anomalies : bool or "default"
        Whether to put in the known anomalies, each once.
    instruments : int
        How many instruments have flow.

    Returns
    -------
    SynthFlow or list of dict
        The stream; or the file's anomalies: ``seq`` (the record of the first event), ``kind``,
        ``expect`` (the controls of which one must name it) and ``order_ids``. Nothing in the flow
        tells them apart.

    Examples
    --------
    >>> flow = synth(1_000, seed=7, profile="future", anomalies="default")
    >>> len(flow.labels)
    9
    """
    if isinstance(target, int):
        if events is not None:
            raise input_error("events: a stream's length is its first argument")
        core = _core.SynthFlow(
            profile=profile,
            events=target,
            seed=seed,
            anomalies=bool(anomalies),
            instruments=instruments,
        )
        return SynthFlow(core)
    if events is None:
        raise input_error(f"events: say how many {os.fspath(target)} shall hold")
    suffix = Path(target).suffix
    if suffix not in FORMATS:
        raise input_error(f"{os.fspath(target)}: the suffix must be one of {', '.join(FORMATS)}")
    from cwts._outputs import whole_file

    with whole_file(target) as place:
        labels = _core.generate(
            os.fspath(place),
            FORMATS[suffix],
            profile=profile,
            events=events,
            seed=seed,
            anomalies=bool(anomalies),
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
        ``ref_id`` and ``flags``: those of the CWTS format. They go to any library that takes Arrow,
        without a copy. What a replace's quantity means is the source's: see ``docs/files.md``.

    Raises
    ------
    InputError
        The file is not what it should be; the message has record and byte.

    Examples
    --------
    >>> import polars as pl  # doctest: +SKIP
    >>> pl.DataFrame(cwts.datasets.read("day.mbo.dbn.zst"))  # doctest: +SKIP
    """
    from cwts._replay_request import midnight_ns, said_by_name

    named: tuple[str | None, str | None] = (None, None)
    if not isinstance(source, bytes):
        source = os.fspath(source)
        named = said_by_name(source)
    day = date if date is not None else named[1]
    place: dict[str, Any] = {"data": source} if isinstance(source, bytes) else {"path": source}
    return _core.read_events(
        **place,
        format=format,
        symbol=symbol or named[0],
        base_ns=midnight_ns(day, tz) if day else 0,
        rows_max=rows_max,
    )
