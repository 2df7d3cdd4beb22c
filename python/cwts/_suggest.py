"""Limits that refuse hardly any order of a known flow."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from cwts import _core
from cwts._past import past_flow
from cwts._replay import awatched, watched
from cwts.errors import input_error

__all__ = ["SuggestedLimits", "asuggest_limits", "share_ppb", "suggest_limits"]

_PPB: Final = 10**9


@dataclass(frozen=True)
class SuggestedLimits:
    """A limits file, and what it refuses of the flow that it came from.

    `json` is the measurement, schema ``cwts/suggest/v1`` (``cwts/schemas/suggest-v1.json``).
    """

    text: str = field(repr=False)
    json: Mapping[str, Any] = field(repr=False)

    @property
    def orders(self) -> int:
        """Orders that were observed."""
        return int(self.json["orders"])

    @property
    def refused(self) -> int:
        """Of those, refused when the flow was decided under the suggestion."""
        return int(self.json["refused"])

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the limits file."""
        Path(path).write_text(self.text, encoding="utf-8")

    def __repr__(self) -> str:
        return f"<cwts.SuggestedLimits: {self.refused:,} of {self.orders:,} orders refused>"


def suggest_limits(
    path: str | os.PathLike[str],
    *,
    false_rejects: str | Decimal = "0.01%",
    format: str | None = None,  # noqa: A002 - the word that the command line has
    date: str | date | None = None,
    tz: str = "America/New_York",
    symbol: str | None = None,
    mapping: Literal["all", "file"] | None = None,
    progress: Callable[[int], object] | None = None,
) -> SuggestedLimits:
    """Observe a flow and suggest a whole limits file for it.

    Parameters
    ----------
    path : path-like
        A file of order flow that is taken for ordinary; or a log, whose accepted orders are.
    false_rejects : str or Decimal
        The share of orders that all limits together may refuse: ``"0.01%"`` or ``"0.0001"``.
    format, date, tz, symbol, mapping
        As for `cwts.replay`; for files only.
    progress : callable, optional
        Called with the number of events so far, over all passes.

    Raises
    ------
    CwtsError
        No limits can keep the share: more orders are refused whatever the limits are.
    """
    past = past_flow(path, format=format, date=date, tz=tz, symbol=symbol, mapping=mapping)
    core = _core.Suggest(share_ppb(false_rejects), **past)
    return _result(core, watched(core, progress))


async def asuggest_limits(
    path: str | os.PathLike[str],
    *,
    false_rejects: str | Decimal = "0.01%",
    format: str | None = None,  # noqa: A002 - the word that the command line has
    date: str | date | None = None,
    tz: str = "America/New_York",
    symbol: str | None = None,
    mapping: Literal["all", "file"] | None = None,
    progress: Callable[[int], object] | None = None,
) -> SuggestedLimits:
    """As `suggest_limits`, on a thread; cancelling the task stops it within a batch."""
    past = past_flow(path, format=format, date=date, tz=tz, symbol=symbol, mapping=mapping)
    core = _core.Suggest(share_ppb(false_rejects), **past)
    return _result(core, await awatched(core, progress))


def share_ppb(share: object) -> int:
    """Give a share such as ``0.01%`` in parts of a billion, rounded down: stricter."""
    if isinstance(share, float):
        raise TypeError(f"false_rejects={share!r} is a float; write '{share}' or a percentage")
    text = str(share).strip()
    try:
        number = Decimal(text.removesuffix("%").strip())
    except InvalidOperation:
        raise input_error(f"false_rejects: {text!r} is no share, as in 0.01% or 0.0001") from None
    if not number.is_finite() or number < 0:
        raise input_error(f"false_rejects: {text!r} is no share from 0 to 1")
    part = number / 100 if text.endswith("%") else number
    if part > 1:
        raise input_error(f"false_rejects: {text!r} is above 1; a percentage ends with %")
    return int(part * _PPB)


def _result(core: _core.Suggest, text: str) -> SuggestedLimits:
    return SuggestedLimits(text=core.toml, json=MappingProxyType(json.loads(text)))
