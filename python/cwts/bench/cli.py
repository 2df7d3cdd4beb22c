"""``cwts bench``: the figures beside their goals, and beside the peers' in the same run."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from typing import Any

import click

from cwts.bench.goals import GoalsError, load_goals
from cwts.bench.suite import Row, rows

__all__ = ["bench"]


class Refusal(click.ClickException):
    """The figures cannot be taken here; nothing was measured, or no more is."""

    exit_code = 2


@click.command(name="bench")
@click.argument("area", required=False)
@click.option("--peers", is_flag=True, help="Run the peers in turn with us, for the ratios.")
@click.option("--quick", is_flag=True, help="Run little, to see that it runs: no figure.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option(
    "--scratch",
    type=click.Path(exists=True, file_okay=False, writable=True),
    help="Where logs are written and synced. Default: the system's temporary directory.",
)
def bench(
    area: str | None, *, peers: bool, quick: bool, as_json: bool, scratch: str | None
) -> None:
    """Measure this build against its goals, all of them or those of one AREA.

    Exit 0: no goal was missed. 1: one was. 2: it cannot be measured here.
    """
    from cwts.bench.ours import DebugBuildError

    try:
        goals = load_goals()
    except GoalsError as error:
        raise Refusal(str(error)) from error
    areas = sorted({goal.area for goal in goals})
    if area is not None and area not in areas:
        raise Refusal(f"area {area!r} is not one of {', '.join(areas)}")
    chosen = [goal for goal in goals if area in (None, goal.area)]
    # A figure without the machine's load beside it is half a figure.
    _say(f"load average {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores")
    found: list[Row] = []
    try:
        for row in rows(chosen, peers, _say, scratch, quick=quick):
            found.append(row)
            if as_json:
                click.echo(json.dumps(row.to_json()))
    except DebugBuildError as error:
        raise Refusal(str(error)) from error
    if not as_json:
        _table(found)
    sys.exit(1 if any(row.met is False for row in found) else 0)


def _table(found: Iterable[Row]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="cwts bench: medians of alternating runs", caption=CAPTION)
    table.add_column("name", no_wrap=True)
    for column in ("ours", "best", "peer's", "ratio", "goal"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("met", no_wrap=True)
    for row in found:
        measured, goal = row.measured, row.goal
        table.add_row(
            f"{goal.name}\n[dim]{row.unit}[/dim]",
            _figure(measured.ours),
            _figure(measured.ours_min),
            _figure(measured.peer),
            "-" if measured.ratio is None else f"{measured.ratio:.1f}x",
            f"{goal.sense.split()[1]} {goal.goal:g}{'x' if goal.peer else ''}",
            {True: "yes", False: "NO", None: "?"}[row.met],
        )
    console = Console()
    console.print(table)
    for row in found:
        if row.measured.detail:
            console.print(f"[b]{row.goal.name}[/b]: {_facts(row.measured.detail)}", highlight=False)


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= WHOLE_FROM else f"{value:,.1f}"


def _facts(detail: dict[str, Any]) -> str:
    """Facts as a sentence would name them."""

    def told(value: object) -> str:
        if isinstance(value, float):
            return _figure(value)
        return ", ".join(value) if isinstance(value, list) else str(value)

    return "; ".join(f"{key.replace('_', ' ')} {told(value)}" for key, value in detail.items())


def _say(sentence: str) -> None:
    click.echo(sentence, err=True)


#: From here on a table shows whole numbers.
WHOLE_FROM = 1_000
CAPTION = "?: not judged, see above. Ratios travel to other machines, times do not."
