"""The registers of a log on a page: limits, holds, and refusals by control and day."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from . import text
from .instant import instant, trading_day
from .table import Column, cells, empty, shown_of, table
from .text import count, esc

_CHANGED_SHOWN: Final = 8


def has(run: Mapping[str, Any], kind: str) -> bool:
    """Whether the run carries records of this kind."""
    return bool(_rows(run, kind))


def changed_limits(run: Mapping[str, Any]) -> bool:
    """Whether limits changed in the run: one version that was there from the start says nothing."""
    return len(_rows(run, "limits")) > 1


def limits(run: Mapping[str, Any], rows_max: int) -> str:
    """Each version and each change that was asked for, by whose word, and what it changed."""
    rows = _rows(run, "limits")
    if not rows:
        return empty("The log holds no limits.")
    columns = [
        Column("Version", "n"),
        Column("State", "nb"),
        Column("In force", "nb"),
        Column("Came by", "w"),
        Column("Proposed by", "w"),
        Column("Approved by", "w"),
    ]
    body = ""
    for row in rows[:rows_max]:
        came = text.plain(row.get("how"), 24)
        if row.get("direction") is not None:
            came += f", {text.plain(row['direction'], 24)}"
        if text.whole(row.get("expires_ns")) is not None:
            came += f", until {instant(row['expires_ns'])}"
        if text.whole(row.get("ends_proposal")) is not None:
            came += f", ends proposal {count(row['ends_proposal'])}"
        row_cells = (
            count(row.get("version")),
            esc(row.get("state"), 24),
            _span(row.get("in_force_ns"), row.get("until_ns")),
            esc(came, 160),
            _person(row, "proposed_by"),
            _person(row, "approved_by"),
        )
        lines = [esc(f"Reason: {text.plain(row['reason'], 160)}", 200)] if row.get("reason") else []
        body += _with_lines(columns, row_cells, [*lines, *_changed(row), _sources(row)])
    shown = shown_of(min(len(rows), rows_max), len(rows), "changes of limits")
    return table(columns, (), shown, body)


def kills(run: Mapping[str, Any], rows_max: int) -> str:
    """Every hold: who stopped what and why, and who lifted it."""
    rows = _rows(run, "kills")
    if not rows:
        return empty("Nobody halted anything.")
    columns = [
        Column("Hold", "n"),
        Column("Scope", "w"),
        Column("State", "nb"),
        Column("In force", "nb"),
        Column("Set by", "w"),
        Column("Lifted by, and agreed by", "w"),
    ]
    body = ""
    for row in rows[:rows_max]:
        by = esc(row.get("actor"), 64)
        if row.get("automatic") is True:
            by += ' <span class="tag">automatic</span>'
        lines = [esc(f"Reason: {text.plain(row.get('reason'), 160)}", 200)]
        people = text.MISSING
        if row.get("lifted") is True:
            names = (text.plain(row.get(k), 64) for k in ("lifted_by", "lifted_approved_by"))
            people = esc(", ".join(names), 140)
            if row.get("lifted_authenticated") is not True:
                people += ' <span class="tag">unauthenticated</span>'
            lines.append(esc(f"Lifted: {text.plain(row.get('lifted_reason'), 160)}", 200))
        state = text.plain(row.get("state"), 24)
        if row.get("allow_reduce") is True:
            state += ", reducing passes"
        row_cells = (
            count(row.get("hold")),
            esc(row.get("scope"), 64),
            esc(state, 60),
            _span(row.get("set_ns"), row.get("lifted_ns")),
            by,
            people,
        )
        body += _with_lines(columns, row_cells, [*lines, _sources(row)])
    shown = shown_of(min(len(rows), rows_max), len(rows), "holds")
    return table(columns, (), shown, body)


def triggers(run: Mapping[str, Any], rows_max: int) -> str:
    """How often each control was triggered, by trading day."""
    rows = _rows(run, "triggers")
    if not rows:
        return empty("No control was triggered.")
    columns = [
        Column("Trading day", "nb"),
        Column("Control", "w"),
        Column("Refused", "n"),
        Column("Decided by it", "n"),
        Column("Soft blocks", "n"),
        Column("Alerts", "n"),
        Column("Overridden", "n"),
        Column("Cancels passed", "n"),
        Column("First entry", "n"),
        Column("Last entry", "n"),
    ]
    body = [
        (
            esc(trading_day(row.get("day_ends_ns")), 40),
            f'<span class="tag">{esc(row.get("control"), 40)}</span>',
            *(
                count(row.get(key))
                for key in (
                    "refused",
                    "decided",
                    "soft_blocked",
                    "alerted",
                    "overridden",
                    "passed",
                    "first_entry",
                    "last_entry",
                )
            ),
        )
        for row in rows[:rows_max]
    ]
    return table(columns, body, shown_of(len(body), len(rows), "rows, a day and a control each"))


def _rows(run: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    register = text.mapping(text.mapping(run.get("registers")).get(kind))
    return [row for row in map(text.mapping, text.sequence(register.get("rows"))) if row]


def _span(start: object, end: object) -> str:
    if text.whole(start) is None:
        return text.MISSING
    until = f"until {instant(end)}" if text.whole(end) is not None else "to the end of the log"
    return f"{esc(instant(start))}<br>{esc(until)}"


def _person(row: Mapping[str, Any], field: str) -> str:
    if row.get(field) is None:
        return text.MISSING
    mark = "" if row.get("authenticated") is True else ' <span class="tag">unauthenticated</span>'
    return esc(row.get(field), 64) + mark


def _with_lines(columns: list[Column], row: tuple[str, ...], lines: list[str]) -> str:
    """A row, and under it across the table what has no room in a column."""
    below = "<br>".join(lines)
    return (
        f'<tr class="has-why">{cells(columns, row)}</tr>'
        f'<tr class="why"><td colspan="{len(columns)}">{below}</td></tr>'
    )


def _changed(row: Mapping[str, Any]) -> list[str]:
    changed = [text.mapping(one) for one in text.sequence(row.get("changed"))]
    total = text.whole(row.get("changed_total")) or len(changed)
    if row.get("how") == "start" and row.get("direction") is None:
        return [esc(f"The whole file: {text.plural(total, 'limit')}.")]
    lines = []
    for one in changed[:_CHANGED_SHOWN]:
        old, new = (text.plain(one.get(k), 40) if one.get(k) else "nothing" for k in ("old", "new"))
        lines.append(esc(f"{text.plain(one.get('key'), 80)}: {old} to {new}", 200))
    if total > len(lines):
        lines.append(esc(f"and {total - len(lines):,} keys more"))
    return lines or ["No key changed."]


def _sources(row: Mapping[str, Any]) -> str:
    """Each entry that the row was read from, once."""
    found = {}
    for source in map(text.mapping, text.mapping(row.get("sources")).values()):
        index = text.whole(source.get("entry"))
        if index is not None:
            found[index] = text.plain(source.get("type"), 24)
    words = ", ".join(f"{index:,} {name}" for index, name in sorted(found.items()))
    return esc(f"Read from entries {words or 'none'}", 200)
