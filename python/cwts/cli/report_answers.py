"""The reports of `cwts report` that are SQL over a log: as a table, JSON, CSV or a page."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from cwts.cli.output import console, one_line

__all__ = ["csv_files", "json_of", "show"]

#: Rows of a table that a person is shown; the other formats have all.
_SHOWN: Final = 50
#: Columns that a person is shown; a wider table breaks on a screen.
_COLUMNS_SHOWN: Final = 10


def json_of(found: dict[str, Any]) -> dict[str, Any]:
    """Give a report as an object: 64-bit numbers and times as text, `cat` rows as lists."""
    from cwts._query import json_rows

    out = {name: value for name, value in found.items() if name not in {"table", "events"}}
    if "table" in found:
        return out | {"rows": json_rows(found["table"])}
    return out | {"rows": list(_cat_rows(found))}


def csv_files(found: dict[str, Any]) -> tuple[str, str]:
    """Give the rows of a report as CSV, and its columns with their rules and sources.

    `cat` rows have no heading: each has the columns of its own event.
    """
    from cwts._query import text_table

    rows, columns = io.StringIO(), io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")
    if "table" in found:
        writer.writerow(found["table"].column_names)
        tables = [found["table"]]
    else:
        tables = [table.select(range(table.num_columns - _ENTRIES)) for table in
                  found["events"].values()]  # fmt: skip
    for table in tables:
        for batch in text_table(table, formulas=True).to_batches(max_chunksize=65_536):
            writer.writerows(zip(*(column.to_pylist() for column in batch.columns), strict=True))
    head = csv.DictWriter(columns, list(found["columns"][0]), lineterminator="\n")
    head.writeheader()
    head.writerows(found["columns"])
    return rows.getvalue(), columns.getvalue()


def _cat_rows(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Each event's values in the order of its columns, and the entries that it was read from."""
    for event, table in found["events"].items():
        width = table.num_columns - _ENTRIES
        columns = [column.to_pylist() for column in table.columns]
        names = table.column_names[width:]
        for row in zip(*columns, strict=True):
            sources = {
                name: None if at is None else str(at)
                for name, at in zip(names, row[width:], strict=True)
            }
            yield {"event": event, "values": list(row[:width]), "sources": sources}


def show(found: dict[str, Any], output: Path | None) -> str:
    """Print a report for a person; with an output give its text in the place of that."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from cwts._query import text_table

    made = io.StringIO()
    screen = console() if output is None else Console(file=made, width=200, highlight=False)
    tables = found.get("events") or {found["kind"]: found["table"]}
    for title, whole in tables.items():
        if not whole.num_rows:
            screen.print(Text(f"{title}: nothing in this log"))
            continue
        # Columns that say something in the rows that are shown.
        part = text_table(whole.slice(0, _SHOWN))
        said = [at for at, column in enumerate(part.columns) if any(column.to_pylist())]
        grid = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD,
                     pad_edge=False)  # fmt: skip
        for at in said[:_COLUMNS_SHOWN]:
            grid.add_column(part.column_names[at], overflow="fold")
        for row in zip(*(part.column(at).to_pylist() for at in said[:_COLUMNS_SHOWN]), strict=True):
            grid.add_row(*(Text(one_line(cell or "")) for cell in row))
        more = [part.column_names[at] for at in said[_COLUMNS_SHOWN:]]
        words = [f"also: {', '.join(more)}"] if more else []
        if whole.num_rows > _SHOWN:
            words.insert(0, f"and {whole.num_rows - _SHOWN:,} more rows")
        if words:
            grid.caption = "; ".join([*words, "--format json, csv and html say more"])
            grid.caption_justify = "left"
        screen.print(grid)
    for note in found["notes"]:
        screen.print(Text(f"note: {note}"))
    log = found["log"]
    screen.print(Text(f"log {one_line(str(log['origin']))}, {log['entries']:,} entries"))
    screen.print(Text(found["how"]))
    return made.getvalue()


#: order_entry, decision_entry and prior_entry behind the columns of an event.
_ENTRIES: Final = 3
