"""A run of several files: what each of them came to, or why it came to nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import text
from .table import Column, shown_of, table
from .text import count, esc

__all__ = ["files"]

_COLUMNS = [
    Column("No.", "n"),
    Column("File", "w"),
    Column("Orders", "n"),
    Column("Accepted", "n"),
    Column("Rejected", "n"),
    Column("Log root, or the fault", "h all"),
]


def files(run: Mapping[str, Any], rows_max: int) -> str:
    """Each file from fresh state; the failed ones first, because they are what to look at."""
    given = [text.mapping(file) for file in text.sequence(run.get("files"))]
    if not given:
        return ""
    given.sort(key=lambda file: file.get("ok") is True)
    rows = [_row(file) for file in given[:rows_max]]
    words = shown_of(len(rows), len(given), "files", ", each from fresh state")
    return "<h3>File by file</h3>" + table(_COLUMNS, rows, words)


def _row(file: Mapping[str, Any]) -> tuple[str, ...]:
    orders, accepted = text.whole(file.get("orders")), text.whole(file.get("accepted"))
    rejected = None if orders is None or accepted is None else max(0, orders - accepted)
    if file.get("ok") is True:
        last = esc(text.mapping(file.get("log")).get("root") or "no log", 80)
    else:
        last = esc(text.mapping(file.get("error")).get("message"), 300)
    number, path = count(file.get("number")), esc(file.get("path"))
    return number, path, count(orders), count(accepted), count(rejected), last
