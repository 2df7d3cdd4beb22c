"""A run as one page that opens anywhere, offline, and as a fragment for a notebook.

The page is one file of at most `PAGE_BYTES_MAX` bytes: inline SVG, no script, no external
request. Its content security policy forbids what it does not use, so that text from a market
file cannot do anything but be read. The same run gives the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from cwts._outputs import whole_file
from cwts._report import against, charts, plot, registers, scale, sections, text
from cwts._report.style import SHEET
from cwts._report.verdict import findings, headline, labels_found

__all__ = [
    "PAGE_BYTES_MAX",
    "answers_html",
    "registers_html",
    "report_fragment",
    "report_html",
    "write_report",
]

PAGE_BYTES_MAX: Final = 300_000

# Rows a table may have: the first is the rule, the others serve a run whose texts are so long
# that the page would burst. The last always fits: every text has its own bound.
_ROWS: Final = (50, 15, 5)
_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
_SPARK_COLUMNS: Final = 80
_FRAGMENT_CONTROLS: Final = 5


@dataclass(frozen=True)
class _Section:
    """A section of the page: a drawing, rows of at most so many, or both."""

    anchor: str
    title: str
    lead: str
    rows: Callable[[Mapping[str, Any], int], str] | None = None
    drawing: Callable[[Mapping[str, Any]], str] | None = None
    #: Whether there is anything to show; without it the section always stands.
    shown: Callable[[Mapping[str, Any]], bool] | None = None


def report_html(run: Mapping[str, Any]) -> str:
    """Build the page of a run.

    Parameters
    ----------
    run : Mapping
        An object of schema ``cwts/replay/v1``, with the series, histogram and tables that the
        fold adds to it. What is missing, or of another type than the schema's, is named on the
        page as missing.

    Returns
    -------
    str
        A whole HTML document of at most `PAGE_BYTES_MAX` bytes as UTF-8.

    Notes
    -----
    Only figures of the run are shown; sums are compared with each other, and a contradiction
    turns the verdict.
    """
    shown = [section for section in _SECTIONS if section.shown is None or section.shown(run)]
    drawn = {section.anchor: section.drawing(run) if section.drawing else "" for section in shown}
    for rows_max in _ROWS:
        page = _page(run, shown, drawn, rows_max)
        if len(page.encode()) <= PAGE_BYTES_MAX:
            break
    return page


def registers_html(found: Sequence[Mapping[str, Any]]) -> str:
    """Build the page of a log's registers.

    Parameters
    ----------
    found : sequence of Mapping
        What `cwts.audit.registers` gives, of one log.

    Returns
    -------
    str
        A whole HTML document of at most `PAGE_BYTES_MAX` bytes as UTF-8, as inert as a run's.
    """
    by_kind = {text.plain(register.get("kind"), 24): register for register in found}
    run = {"registers": by_kind}
    shown = [section for section in _REGISTERS if section.anchor in by_kind]
    first = found[0] if found else {}
    top = _log_verdict(first)
    for rows_max in (500, *_ROWS):
        body = _sections(run, shown, {}, rows_max)
        page = _document("registers", "registers", "cwts/report", shown, top + body)
        if len(page.encode()) <= PAGE_BYTES_MAX:
            break
    return page


def answers_html(found: Mapping[str, Any]) -> str:
    """Build the page of one report: its rows, and each column with its rule and source.

    Parameters
    ----------
    found : Mapping
        What `cwts.audit.reports` gives for one kind.

    Returns
    -------
    str
        A whole HTML document of at most `PAGE_BYTES_MAX` bytes as UTF-8, as inert as a run's.
    """
    from cwts._report import answers

    kind = text.plain(found.get("kind"), 24)
    shown = [
        _Section("rows", f"Report: {kind}", "The first rows; CSV and JSON have all.",
                 answers.rows),
        _Section("columns", "Columns", "Which rule asks for each, and what it was read from.",
                 answers.columns),
        _Section("notes", "Notes", "", answers.notes),
    ]  # fmt: skip
    for rows_max in (500, *_ROWS):
        body = _log_verdict(found) + _sections(found, shown, {}, rows_max)
        page = _document(kind, "report", "cwts/report", shown, body)
        if len(page.encode()) <= PAGE_BYTES_MAX:
            break
    return page


def _log_verdict(first: Mapping[str, Any]) -> str:
    """Which log, and whether it was verified."""
    log = text.mapping(first.get("log"))
    level = "good" if first.get("authenticated") is True else "warn"
    words = "Verified" if level == "good" else "Not verified"
    lead = (
        f"Log {text.plain(log.get('origin'), 120)}, {text.count(log.get('entries'))} entries: "
        f"{text.plain(first.get('how'), 300)}."
    )
    return (
        f'<div class="verdict {level}" role="status"><h2>{words}</h2>'
        f"<p>{text.esc(lead, 600)}</p></div>"
    )


def write_report(run: Mapping[str, Any], path: str | os.PathLike[str]) -> int:
    """Write the page of a run to `path`, whole or not at all.

    Parameters
    ----------
    run : Mapping
        As for `report_html`.
    path : path-like
        The file; one that exists is replaced. A device or pipe is written to.

    Returns
    -------
    int
        The number of bytes written.
    """
    page = report_html(run).encode()
    with whole_file(path) as place:
        place.write_bytes(page)
    return len(page)


def report_fragment(run: Mapping[str, Any]) -> str:
    """Build the summary that a notebook shows for a run.

    Parameters
    ----------
    run : Mapping
        As for `report_html`.

    Returns
    -------
    str
        One HTML element with its own inline styles; it inherits the notebook's colours.
    """
    level, words = headline(findings(run))
    tone = {"good": "#0a7d2c", "warn": "#b7791f", "bad": "#d03b3b"}.get(level, "inherit")
    rows = [
        (label, f"{value} ({small})" if small else value) for label, value, small in _figures(run)
    ]
    first = text.counts(run.get("by_first"))
    shown = [(f"rejected by {name}", count) for name, count in first.items() if count]
    rows += [(text.plain(name, 60), f"{count:,}") for name, count in shown[:_FRAGMENT_CONTROLS]]
    if len(shown) > _FRAGMENT_CONTROLS:
        left = sum(count for _, count in shown[_FRAGMENT_CONTROLS:])
        rows.append((f"rejected by {len(shown) - _FRAGMENT_CONTROLS} other controls", f"{left:,}"))
    log = text.mapping(run.get("log"))
    if log:
        rows.append(("log root", text.plain(log.get("root"), 80)))
    cell = 'style="text-align:left;padding:1px 16px 1px 0;white-space:nowrap"'
    body = "".join(
        f"<tr><td {cell}>{escape(name)}</td><td {cell}>{escape(value)}</td></tr>"
        for name, value in rows
    )
    return (
        '<div class="cwts-run" style="font-variant-numeric:tabular-nums">'
        f'<div style="color:{tone};font-weight:600">{escape(words)}</div>'
        f'{_spark(run)}<table style="margin:4px 0">{body}</table></div>'
    )


def _page(
    run: Mapping[str, Any], shown: Sequence[_Section], drawn: Mapping[str, str], rows_max: int
) -> str:
    title = f"{text.count(run.get('orders'))} orders"
    schema = text.esc(run.get("schema", "cwts/replay/v1"), 40)
    body = f"{_verdict(run)}{_tiles(run)}{_sections(run, shown, drawn, rows_max)}"
    return _document(title, "replay report", schema, shown, body)


def _sections(
    run: Mapping[str, Any], shown: Sequence[_Section], drawn: Mapping[str, str], rows_max: int
) -> str:
    parts = []
    for section in shown:
        lead = f'<p class="lead">{section.lead}</p>' if section.lead else ""
        rows = section.rows(run, rows_max) if section.rows else ""
        parts.append(
            f'<section id="{section.anchor}"><h2>{section.title}</h2>{lead}'
            f"{drawn.get(section.anchor, '')}{rows}</section>"
        )
    return "".join(parts)


def _document(title: str, what: str, schema: str, shown: Sequence[_Section], body: str) -> str:
    links = "".join(f'<a href="#{section.anchor}">{section.title}</a>' for section in shown)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>CWTS report: {title}</title>"
        f"<style>{SHEET}</style></head><body>"
        f"<header><h1>CWTS <span>{what}</span></h1><nav>{links}</nav></header>"
        f"<main>{body}</main>"
        f"<footer>Schema {schema}. This page holds all that it shows; it loads nothing and runs "
        "nothing. It summarises the log and does not replace it. A cell that begins with an "
        "apostrophe would be a formula in a spreadsheet.</footer></body></html>\n"
    )


def _verdict(run: Mapping[str, Any]) -> str:
    found = findings(run)
    level, words = headline(found)
    mark = {"good": "✓", "warn": "!", "bad": "✗"}.get(level, "")
    checks = "".join(
        f'<li class="{finding.level}"><b>{finding.word}</b>'
        f"<span>{text.esc(finding.sentence, 400)}</span></li>"
        for finding in found
    )
    return (
        f'<div class="verdict {level}" role="status"><h2>{mark} {text.esc(words)}</h2>'
        f'<p>{text.esc(_summary(run), 300)}</p><ul class="checks">{checks}</ul></div>'
    )


def _summary(run: Mapping[str, Any]) -> str:
    orders, accepted = text.whole(run.get("orders")), text.whole(run.get("accepted"))
    if orders is None:
        return "The run does not say how many orders it decided."
    if accepted is None:
        return f"{text.plural(orders, 'order')} decided."
    rejected = max(0, orders - accepted)
    return (
        f"{text.plural(orders, 'order')} decided: {accepted:,} accepted, {rejected:,} rejected "
        f"({text.share(rejected, orders)})."
    )


def _figures(run: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The figures at the top: name, value, and what stands beside it."""
    orders, accepted = text.whole(run.get("orders")), text.whole(run.get("accepted"))
    figures = [("Orders decided", text.count(orders), "")]
    if orders is not None and accepted is not None:
        rejected = max(0, orders - accepted)
        figures.append(("Accepted", f"{accepted:,}", text.share(accepted, orders)))
        figures.append(("Rejected", f"{rejected:,}", text.share(rejected, orders)))
    p99 = text.real(text.mapping(run.get("ns_per_order")).get("p99"))
    if p99:
        figures.append(("Check, p99", text.nanoseconds(p99), "per order"))
    entries = text.mapping(run.get("log")).get("entries")
    if text.whole(entries) is not None:
        figures.append(("Log entries", text.count(entries), ""))
    found, total = labels_found(run)
    if total:
        figures.append(("Anomalies found", f"{found:,} of {total:,}", ""))
    return figures


def _tiles(run: Mapping[str, Any]) -> str:
    tiles = "".join(
        f'<div class="tile"><dt>{text.esc(name)}</dt><dd>{text.esc(value)}'
        f"<small>{text.esc(small) if small else '&nbsp;'}</small></dd></div>"
        for name, value, small in _figures(run)
    )
    return f'<dl class="tiles">{tiles}</dl>'


def _spark(run: Mapping[str, Any]) -> str:
    axis, given = charts.time_axis(run), text.mapping(run.get("series"))
    orders = axis and scale.series(given.get("orders"), axis.length)
    if not axis or not orders:
        return ""
    runs = scale.columns(axis.length, _SPARK_COLUMNS)
    accepted = scale.series(given.get("accepted"), axis.length) or orders
    columns = scale.cut(orders, runs, sum)
    taken = scale.cut(accepted, runs, sum)
    return plot.spark(columns, [max(0, a - b) for a, b in zip(columns, taken, strict=True)])


_REGISTERS: Final[tuple[_Section, ...]] = (
    _Section(
        "limits",
        "Limits register",
        "Each version, by whose word it came into force, and what it changed.",
        registers.limits,
        shown=registers.changed_limits,
    ),
    _Section(
        "kills",
        "Kill register",
        "Each hold: who stopped what, and who lifted it.",
        registers.kills,
        shown=lambda run: registers.has(run, "kills"),
    ),
    _Section(
        "triggers",
        "Triggers by day",
        "How often each control refused; an order counts at every control that it broke.",
        registers.triggers,
        shown=lambda run: registers.has(run, "triggers"),
    ),
)
_SECTIONS: Final[tuple[_Section, ...]] = (
    _Section("inputs", "Inputs and hashes", "What was read, and what pins it.", sections.inputs),
    _Section(
        "controls",
        "Decisions by control",
        "An order may break several limits: the first one decides, every one is recorded.",
        sections.controls,
    ),
    _Section("flow", "Flow and rejections over time", "", drawing=charts.flow),
    _Section("exposure", "Exposure against its limit", "", sections.limit_use, charts.exposure),
    _Section("rate", "Rate against its limit", "", drawing=charts.rate),
    _Section("curves", "What other limits would refuse", "", drawing=against.curves),
    _Section("peaks", "Peak use of limits", "By accepted orders.", against.peaks),
    _Section("near", "Near misses", "", against.near),
    _Section("latency", "Latency of a check", "", drawing=charts.latency),
    _Section("denials", "Rejected orders", "Each with what was observed.", sections.denials),
    *_REGISTERS,
    _Section("anomalies", "Anomalies found and missed", "", sections.labels),
    _Section("irregular", "Irregular input", "Counted, never dropped.", sections.irregular),
    _Section("log", "Log and verification", "", sections.log),
    _Section("mapping", "What this run cannot show", "", sections.mapping_limits),
)
