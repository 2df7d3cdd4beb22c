"""`cwts status --watch`: the state of a gateway, again and again, without its lock.

Each look reads what was written since the last one, so that it costs the same on a log of any
length; only the first folds the whole log.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cwts import _core
from cwts.cli import status as parts
from cwts.cli.output import console

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["Rates", "watch"]

#: Rows of a table that a person is shown.
_SHOWN: Final = 12
_BAR_WIDTH: Final = 24
#: Shares of a limit from which its bar is yellow, and red.
_WARM: Final = 0.8
_HOT: Final = 0.95
_STRICTNESS: Final = ("ACTIVE", "REDUCE_ONLY", "HALTED")


class Rates:
    """What a log grows by, from one look to the next."""

    def __init__(self) -> None:
        self._last: tuple[float, int, int] | None = None

    def of(self, found: dict[str, Any], now_s: float) -> dict[str, float]:
        """Give entries and bytes a second since the last look; 0 at the first."""
        entries, size_bytes = int(found["entries"]), int(found["bytes"])
        last, self._last = self._last, (now_s, entries, size_bytes)
        if last is None or now_s <= last[0]:
            return {"entries_per_s": 0.0, "bytes_per_s": 0.0}
        seconds = now_s - last[0]
        return {
            "entries_per_s": (entries - last[1]) / seconds,
            "bytes_per_s": (size_bytes - last[2]) / seconds,
        }


def watch(log: Path, interval_s: float, *, as_json: bool) -> None:
    """Show the state of a log's gateway until Ctrl-C."""
    follower, rates = _core.Follower(str(log)), Rates()

    def look() -> dict[str, Any]:
        found = follower.status()
        return found | rates.of(found, time.monotonic()) | {"utc_ns": time.time_ns()}

    try:
        if as_json:
            _every(interval_s, lambda: click.echo(json.dumps(look(), default=str)))
        elif sys.stdout.isatty():
            _live(interval_s, look)
        else:
            out = console()
            _every(interval_s, lambda: out.print(_view(look())))
    except KeyboardInterrupt:
        # That is how a watch ends.
        return


def _every(interval_s: float, look: Callable[[], object]) -> None:
    """Look at a bounded rate: what takes longer than the interval does not pile up."""
    while True:
        due = time.monotonic() + interval_s
        look()
        # A pipe's reader wants the line now.
        sys.stdout.flush()
        time.sleep(max(due - time.monotonic(), interval_s / 4))


def _live(interval_s: float, look: Callable[[], dict[str, Any]]) -> None:
    from rich.live import Live

    # It draws when it is told to, and at no other time.
    with Live(_view(look()), console=console(), auto_refresh=False) as live:
        _every(interval_s, lambda: live.update(_view(look()), refresh=True))


def _view(found: dict[str, Any]) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    rows = (_scopes(found), parts.holds_table(found), _bars(found), parts.rejections_table(found))
    size = f"  {found['bytes'] / 1e6:,.1f} MB of log"
    rate = f"{found['entries_per_s']:,.0f} entries/s, {found['bytes_per_s'] / 1e6:,.2f} MB/s"
    head = Text(f"{parts.head(found)}\n{size}, growing by {rate}\n")
    return Group(head, *(row for row in rows if row is not None))


def _scopes(found: dict[str, Any]) -> RenderableType:
    """The state of each scope that has one of its own, and the firm's."""
    states: dict[str, str] = {"firm": "ACTIVE"}
    for hold in found["holds"]:
        scope = hold["scope"]
        states[scope] = max(states.get(scope, "ACTIVE"), hold["state"], key=_STRICTNESS.index)
    table = parts.new_table("scopes", "scope", "state")
    for scope, state in list(states.items())[:_SHOWN]:
        parts.add_row(table, scope, state)
    others = len(found["scopes"]) - len(states)
    if others > 0:
        table.caption = f"and {others:,} more, active"
        table.caption_justify = "left"
    return table


def _bars(found: dict[str, Any]) -> RenderableType | None:
    from rich.progress_bar import ProgressBar
    from rich.text import Text

    rows = [row for row in found["usage"] if row["max"] and (row["used"] or row["peak"])]
    if not rows:
        return None
    rows.sort(key=lambda row: row["used"] / row["max"], reverse=True)
    table = parts.new_table("limit use")
    for column in ("scope", "limit", "", "now %", "peak %"):
        table.add_column(column, justify="right" if column.endswith("%") else "left")
    for row in rows[:_SHOWN]:
        share = row["used"] / row["max"]
        style = "red" if share >= _HOT else "yellow" if share >= _WARM else "green"
        bar = ProgressBar(1.0, min(max(share, 0.0), 1.0), width=_BAR_WIDTH, complete_style=style)
        peak = f"{row['peak'] * 100 / row['max']:.1f}"
        cells = (Text(row["scope"]), Text(row["limit"]), bar, f"{share * 100:.1f}", peak)
        table.add_row(*cells)
    return table
