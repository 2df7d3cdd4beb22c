"""`cwts status`: what a gateway does now, or did when it was last seen."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cwts import audit
from cwts.cli.output import console, json_option, write_json

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["add_row", "head", "holds_table", "new_table", "rejections_table", "status"]

#: Rows of a table that a person is shown; --json has all.
_SHOWN: Final = 12
_MICROS: Final = 1_000_000


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--watch", "watches", is_flag=True, help="Again and again, until Ctrl-C.")
@click.option(
    "--interval",
    "interval_s",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0.05, 3_600.0),
    help="Seconds between two looks of --watch.",
)
@json_option
def status(directory: Path, *, watches: bool, interval_s: float, as_json: bool) -> None:
    """Show holds, limit use and rejections of the gateway whose log is in DIRECTORY.

    It reads the log without its lock, while the gateway runs or not. With --watch and --json it
    writes one object a line.
    """
    if watches:
        from cwts.cli.watch import watch

        watch(audit.one_log(directory), interval_s, as_json=as_json)
        return
    found = audit.status(directory)
    if as_json:
        write_json(found)
        return
    out = console()
    out.print(head(found) + "\n", markup=False)
    tables = (holds_table(found), _usage(found), rejections_table(found), alerts_table(found))
    for rows in tables:
        if rows is not None:
            out.print(rows)
    for row in found["limits"]["waiting"]:
        mark = "" if row["authenticated"] else " (unauthenticated)"
        out.print(
            f"limits proposal {row['id']} by {row['maker']}{mark} waits for a second person: "
            f"{row['reason']}",
            markup=False,
        )
    for row in found["limits"]["temporary"]:
        at = datetime.fromtimestamp(row["expires_ns"] // 10**9, UTC)
        keys = ", ".join(unit["key"] for unit in row["keys"])
        out.print(f"raised until {at:%Y-%m-%d %H:%M:%S}Z: {keys}", markup=False)
    for request in found["pending"]:
        out.print(
            f"waiting to be taken in: {request['action']} {request['scope']} "
            f"by {request.get('actor') or '?'}: {request.get('reason', '')}",
            markup=False,
        )


def head(found: dict[str, Any]) -> str:
    """Say in a few lines what runs, how much it did, and what waits."""
    state = "running" if found["running"] else "closed" if found["closed"] else "not running"
    fsync_ns = found["last_fsync_utc_ns"]
    fsync = "never"
    if fsync_ns:
        at = datetime.fromtimestamp(fsync_ns // 10**9, UTC)
        fsync = f"{at:%Y-%m-%d %H:%M:%S}Z"
    orders, accepted, cancels = found["orders"], found["accepted"], found["cancels"]
    version = str(found["limits_version"])
    by = found["limits"]["by"]
    if by is not None:
        people = " and ".join(name for name in (by["maker"], by["checker"]) if name)
        version += f" by {people}" + ("" if by["authenticated"] else ", unauthenticated")
    lines = [
        f"{found['dir']}: {state}, {found['origin']}",
        f"  {found['entries']:,} entries, last on disk {fsync}, limits version {version}",
        f"  {orders:,} orders, {accepted:,} accepted, {cancels:,} cancels",
    ]
    if found["unlogged"]:
        lines.append(f"  {found['unlogged']:,} orders refused because the log had no room")
    waiting = len(found["pending"])
    if waiting:
        lines.append(f"  {waiting:,} kill requests wait: the gateway takes them in when it runs")
    elif not found["holds"]:
        lines.append("  no hold: orders pass")
    return "\n".join(lines)


def holds_table(found: dict[str, Any]) -> Table | None:
    """Give the holds in force, if there are any."""
    if not found["holds"]:
        return None
    table = new_table("holds", "hold", "scope", "state", "by", "reason", "entry")
    for hold in found["holds"]:
        add_row(
            table,
            hold["id"],
            hold["scope"],
            hold["state"],
            hold["actor"],
            hold["reason"],
            f"{hold['seq']:,}",
        )
    return table


def _usage(found: dict[str, Any]) -> Table | None:
    rows = [row for row in found["usage"] if row["max"] and (row["used"] or row["peak"])]
    if not rows:
        return None
    rows.sort(key=lambda row: row["peak"] / row["max"], reverse=True)
    table = new_table("limit use", "scope", "limit", "used", "allowed", "peak %")
    for row in rows[:_SHOWN]:
        amounts = [_amount(row[name], money=row["money"]) for name in ("used", "max")]
        share = f"{row['peak'] * 100 / row['max']:.1f}"
        add_row(table, row["scope"], row["limit"], *amounts, share)
    _more(table, len(rows))
    return table


def rejections_table(found: dict[str, Any]) -> Table | None:
    """Give the refused orders by control, if there are any."""
    rows = sorted(found["rejections"].items(), key=lambda row: -row[1])
    if not rows:
        return None
    table = new_table("rejections", "control", "orders")
    for name, count in rows[:_SHOWN]:
        add_row(table, name, f"{count:,}")
    _more(table, len(rows))
    return table


def alerts_table(found: dict[str, Any]) -> Table | None:
    """Give the newest alerts, if there are any, newest first."""
    rows = found["alerts"][::-1]
    if not rows:
        return None
    table = new_table("alerts", "entry", "time", "kind", "control", "scope", "observed", "limit")
    for row in rows[:_SHOWN]:
        at = datetime.fromtimestamp(row["utc_ns"] // 10**9, UTC)
        kind = row["kind"] if row["percent"] is None else f"{row['percent']} %"
        control = row["control"] or ("IN_OUT_COMPARE" if row["kind"] == "in_out" else "-")
        values = (row["observed"], row["limit"])
        add_row(table, f"{row['seq']:,}", f"{at:%H:%M:%S}Z", kind, control, row["scope"], *values)
    _more(table, found["alert_count"])
    return table


def _amount(value: int, *, money: bool) -> str:
    return f"{value / _MICROS:,.2f}" if money else f"{value:,}"


def new_table(title: str, *columns: str) -> Table:
    """Give an empty table in the style of this command."""
    from rich import box
    from rich.table import Table

    table = Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for column in columns:
        is_number = column in ("hold", "entry", "used", "allowed", "peak %", "orders")
        table.add_column(column, justify="right" if is_number else "left", overflow="fold")
    return table


def add_row(table: Table, *cells: object) -> None:
    """Add a row of plain text."""
    from rich.text import Text

    # Names come out of files: they are text, not markup.
    table.add_row(*(Text(str(cell)) for cell in cells))


def _more(table: Table, count: int) -> None:
    if count > _SHOWN:
        table.caption = f"and {count - _SHOWN:,} more (--json has them)"
        table.caption_justify = "left"
