"""`cwts log query`: SQL over a log, as a table, JSON or CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from cwts import audit
from cwts.cli.output import console, json_option, one_line, write_json

__all__ = ["query"]

#: Rows that a person is shown; --json and --csv have all.
_SHOWN: Final = 100


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.argument("sql")
@click.option("--from", "start", metavar="TIME", help="Read only entries from this time on.")
@click.option("--to", "end", metavar="TIME", help="Read only entries before this time.")
@click.option("--csv", "as_csv", is_flag=True, help="CSV on stdout, which no spreadsheet runs.")
@json_option
def query(
    *,
    directory: Path,
    sql: str,
    start: str | None,
    end: str | None,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Run one SELECT over the views of the log in DIRECTORY; nothing is written, nothing proved.

    Views: entries, orders, decisions, violations (a row a violated control), execs, limits, kills,
    overrides, alerts, denials, gaps, opens, clock, registers, aliases; `describe orders` gives the
    columns of one. For instance: "select control, count(*) from violations group by all".
    """
    if as_csv and as_json:
        raise click.UsageError("--csv and --json: pass one")
    relation = audit.query(directory, sql, start=start, end=end)
    from cwts._query import json_rows, rows_of, text_table

    table = rows_of(relation)
    if as_json:
        write_json(json_rows(table))
        return
    if as_csv:
        import sys

        import pyarrow.csv as pc_csv

        pc_csv.write_csv(text_table(table, formulas=True), sys.stdout.buffer)
        return
    _show(text_table(table.slice(0, _SHOWN)), table.num_rows)


def _show(shown: Any, total: int) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in shown.column_names:
        made.add_column(Text(one_line(name)), overflow="fold")
    for row in zip(*(column.to_pylist() for column in shown.columns), strict=True):
        made.add_row(*(Text("" if cell is None else one_line(cell)) for cell in row))
    rows = "row" if total == 1 else "rows"
    more = f", of which {shown.num_rows} are shown (--json and --csv have all)"
    made.caption = f"{total:,} {rows}" + (more if total > shown.num_rows else "")
    made.caption_justify = "left"
    console().print(made)
