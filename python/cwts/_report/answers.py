"""A report that is SQL over a log, on a page: rows, and each column with its rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from . import text
from .table import Column, bullets, empty, shown_of, table
from .text import esc


def rows(found: Mapping[str, Any], rows_max: int) -> str:
    """The first rows; columns that say nothing in them are left out."""
    from cwts._query import text_table

    made = ""
    for name, whole in (found.get("events") or {"rows": found["table"]}).items():
        if not whole.num_rows:
            made += empty(f"{name}: nothing in this log.")
            continue
        part = text_table(whole.slice(0, rows_max))
        said = [at for at, column in enumerate(part.columns) if any(column.to_pylist())]
        held = [part.column(at).to_pylist() for at in said]
        # What is short, a number or a time, stays on one line.
        widths = [max(len(cell or "") for cell in column) for column in held]
        heads = [
            Column(part.column_names[at].replace("_", " "), "nb" if width <= _WIDE else "w")
            for at, width in zip(said, widths, strict=True)
        ]
        cells = zip(*held, strict=True)
        body = [[esc(cell, 160) if cell else text.MISSING for cell in row] for row in cells]
        made += table(heads, body, shown_of(part.num_rows, whole.num_rows, f"{name}"))
    return made


def columns(found: Mapping[str, Any], _rows_max: int) -> str:
    """Which rule asks for each column, and where it was read; of what nothing is known, that."""
    listed = list(found["columns"])
    heads = [Column(name.capitalize(), "w") for name in listed[0]]
    body = [
        [esc(value, 120) if value else esc("not known to a gateway: empty") for value in one]
        for one in (row.values() for row in listed)
    ]
    return table(heads, body)


def notes(found: Mapping[str, Any], _rows_max: int) -> str:
    """What a reader must know."""
    said = list(found["notes"])
    return bullets(said, len(said), "notes")


#: Letters of a cell that does not break.
_WIDE: Final = 24
