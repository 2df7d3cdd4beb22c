"""`cwts doctor`: what this machine gives, what is missing, and what to do about it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from cwts.cli.output import FOUND_WRONG, console, json_option, write_json

if TYPE_CHECKING:
    from cwts._doctor import Row

__all__ = ["doctor"]

_STYLES: Final = {"ok": "green", "warn": "yellow", "missing": "bold red"}


@click.command()
@click.argument("directory", required=False, metavar="[DIR]", type=click.Path(path_type=Path))
@json_option
@click.pass_context
def doctor(ctx: click.Context, *, directory: Path | None, as_json: bool) -> None:
    """Look at this machine: processor, clock, disk under DIR, sandbox layers, limits, versions.

    DIR is where a log is or will be; without it the disk of temporary files is measured. Nothing
    is changed and nothing is fetched. Exit code 0: nothing that CWTS needs is missing. 1: it is.
    """
    from cwts._doctor import examine

    where = Path(tempfile.gettempdir()) if directory is None else directory
    rows = examine(where)
    lacking = [row for row in rows if row.state == "missing"]
    if as_json:
        told = {"ok": not lacking, "dir": str(where), "rows": [row.to_json() for row in rows]}
        write_json(told)
    else:
        _show(rows)
        warned = sum(row.state == "warn" for row in rows)
        click.echo(f"{len(rows)} looked at, {warned} to know about, {len(lacking)} missing")
    ctx.exit(FOUND_WRONG if lacking else 0)


def _show(rows: list[Row]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("", "area", "what", "found", "what to do"):
        table.add_column(column, overflow="fold")
    for row in rows:
        state = Text(row.state, style=_STYLES[row.state])
        # What is found comes out of files of the machine's: text, not markup.
        table.add_row(state, *map(Text, (row.area, row.name, row.value, row.todo)))
    console().print(table)
