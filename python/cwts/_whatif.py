"""Which past decisions would have been others under other limits."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from cwts import _core
from cwts._past import past_flow
from cwts._replay import awatched, watched
from cwts._replay_request import limits_for
from cwts.datasets import read_limits
from cwts.errors import input_error

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["WhatIfResult", "awhatif", "whatif"]

#: Flips kept as records unless asked otherwise: 8 MB. All are counted.
_KEEP: Final = 100_000


@dataclass(frozen=True)
class WhatIfResult:
    """The decisions that flip.

    `json` is the whole answer, schema ``cwts/whatif/v1`` (``cwts/schemas/whatif-v1.json``).
    """

    json: Mapping[str, Any] = field(repr=False)
    flip_records: bytes = field(default=b"", repr=False)

    @property
    def counts(self) -> dict[str, int]:
        """Orders compared, accepted before and after, and flips in both directions."""
        found = self.json
        return {
            "orders": found["orders"],
            "old_accepted": found["old_accepted"],
            "new_accepted": found["new_accepted"],
            "newly_rejected": found["newly_rejected"]["orders"],
            "newly_accepted": found["newly_accepted"]["orders"],
        }

    @property
    def newly_rejected(self) -> dict[str, int]:
        """Orders that were accepted and are refused, by each control that they violate."""
        return dict(self.json["newly_rejected"]["by_bit"])

    @property
    def newly_accepted(self) -> dict[str, int]:
        """Orders that were refused and are accepted, by each control that they violated."""
        return dict(self.json["newly_accepted"]["by_bit"])

    @property
    def notional_micros(self) -> dict[str, int]:
        """Notional of the flips in each direction, in micros of the base currency."""
        names = ("newly_rejected", "newly_accepted")
        return {name: int(self.json[name]["notional_micros"]) for name in names}

    @property
    def follows_own_limits(self) -> bool | None:
        """Whether the log's decisions are those that its own limits give; None for a file."""
        own = self.json["own_limits"]
        return None if own is None else own["differing"] == 0

    @property
    def notes(self) -> list[str]:
        """What the answer cannot know."""
        return list(self.json["notes"])

    @cached_property
    def flips(self) -> npt.NDArray[Any]:
        """The first flips as `cwts.records.FLIP_DTYPE`; `json["flips"]` is how many there are."""
        from cwts.records import flips_array

        return flips_array(self.flip_records)

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """The kept flips, a column each, with names instead of handles."""
        import numpy as np

        flips, names = self.flips, self.json["names"]
        plain = ("seq", "ts", "order_id", "kind", "side", "px", "qty", "old", "new", "notional")
        out: dict[str, npt.NDArray[Any]] = {name: flips[name] for name in plain}
        for one, many in (
            ("instrument", "instruments"),
            ("account", "accounts"),
            ("strategy", "strategies"),
        ):
            # Handles count from 1; 0 and what nobody registered are nobody.
            known = np.array(["?", *names[many]], dtype=object)
            handles = np.where(flips[one] < len(known), flips[one], 0)
            out[one] = known[handles]
        return out

    def to_pandas(self) -> Any:
        """Give the kept flips as a pandas frame, an order a row."""
        import pandas as pd

        return pd.DataFrame(self.columns())

    def to_polars(self) -> Any:
        """Give the kept flips as a polars frame, an order a row."""
        import polars as pl

        columns = self.columns()
        names = ("instrument", "account", "strategy")
        return pl.DataFrame({k: v.tolist() if k in names else v for k, v in columns.items()})

    def __repr__(self) -> str:
        counts = self.counts
        return (
            f"<cwts.WhatIfResult: {counts['orders']:,} orders, {counts['newly_rejected']:,} newly "
            f"rejected, {counts['newly_accepted']:,} newly accepted>"
        )


def whatif(
    path: str | os.PathLike[str],
    limits: str | os.PathLike[str],
    *,
    old: str | os.PathLike[str] | None = None,
    flips: str | os.PathLike[str] | None = None,
    keep: int = _KEEP,
    format: str | None = None,  # noqa: A002 - the word that the command line has
    date: str | date | None = None,
    tz: str = "America/New_York",
    symbol: str | None = None,
    mapping: Literal["all", "file"] | None = None,
    progress: Callable[[int], object] | None = None,
) -> WhatIfResult:
    """Compare past decisions with those under other limits, order by order.

    Parameters
    ----------
    path : path-like
        A file of order flow, a log, or a folder that holds one.
    limits : path-like
        The new limits; or ``equity`` or ``future``, those that come with cwts.
    old : path-like, optional
        The limits that a file is compared with. Default: those that its replay takes, which come
        with cwts for what the file itself says is traded. A log has its own.
    flips : path-like, optional
        Where to write every flip as a CSV row.
    keep : int
        Flips to keep as records, at most a million; all are counted.
    format, date, tz, symbol, mapping
        As for `cwts.replay`; for files only.
    progress : callable, optional
        Called with the number of events or entries so far, a few times a second.

    Notes
    -----
    An order that is newly accepted has no known fate: it counts as unfilled, and works to the
    end. One that is newly rejected takes its later fills, cancels and replaces with it.
    """
    past = past_flow(path, format=format, date=date, tz=tz, symbol=symbol, mapping=mapping)
    core = _asked(past, limits, old=old, flips=flips, keep=keep)
    return _result(core, watched(core, progress))


async def awhatif(
    path: str | os.PathLike[str],
    limits: str | os.PathLike[str],
    *,
    old: str | os.PathLike[str] | None = None,
    flips: str | os.PathLike[str] | None = None,
    keep: int = _KEEP,
    format: str | None = None,  # noqa: A002 - the word that the command line has
    date: str | date | None = None,
    tz: str = "America/New_York",
    symbol: str | None = None,
    mapping: Literal["all", "file"] | None = None,
    progress: Callable[[int], object] | None = None,
) -> WhatIfResult:
    """As `whatif`, on a thread; cancelling the task stops it within a batch."""
    past = past_flow(path, format=format, date=date, tz=tz, symbol=symbol, mapping=mapping)
    core = _asked(past, limits, old=old, flips=flips, keep=keep)
    return _result(core, await awatched(core, progress))


def _asked(
    past: Mapping[str, Any],
    limits: str | os.PathLike[str],
    *,
    old: str | os.PathLike[str] | None,
    flips: str | os.PathLike[str] | None,
    keep: int,
) -> _core.WhatIf:
    is_log = "log" in past
    if is_log and old is not None:
        raise input_error(f"{past['log']}: is a log and has its own limits; old is for files")
    if keep < 0:
        raise input_error(f"keep: {keep} is below 0")
    limits_path, limits_text = read_limits(limits)
    old_text, old_path = None, ""
    if not is_log:
        # As its replay chooses them, or a file and its log would not be one question.
        old_text, old_path = limits_for(old, [Path(past["path"])], past["format"])
    return _core.WhatIf(
        limits_text,
        limits_path,
        old=old_text,
        old_path=old_path,
        flips=None if flips is None else os.fspath(flips),
        keep=keep,
        **past,
    )


def _result(core: _core.WhatIf, text: str) -> WhatIfResult:
    return WhatIfResult(json=MappingProxyType(json.loads(text)), flip_records=core.flips)
