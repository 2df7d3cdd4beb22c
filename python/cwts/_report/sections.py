"""What the page says about a run, one function a section, in the order of the page.

Each takes the run and the number of rows that a table may have, and returns safe markup. What
the run does not carry is named in a sentence.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, Final

from . import text
from .charts import time_axis
from .files import files
from .plot import bar
from .table import Column, bullets, cells, empty, shown_of, table, tags
from .text import count, esc
from .verdict import labels_found

_SIDES: Final = {"5": "short", "1": "buy", "2": "sell", "6": "short exempt"}
_PERCENT_FULL: Final = 100.0
_PERCENT_NEAR: Final = 80.0


def facts(pairs: list[tuple[str, str]]) -> str:
    """Names and values, one under the other; the values are safe markup."""
    rows = "".join(f"<dt>{esc(name, 40)}</dt><dd>{value}</dd>" for name, value in pairs)
    return f'<dl class="facts">{rows}</dl>'


def hashed(value: object) -> str:
    """A hash or an address: fixed pitch, breaks anywhere."""
    return f'<span class="h">{esc(value, 200)}</span>'


def inputs(run: Mapping[str, Any], rows_max: int) -> str:
    """The files, the limits and the hashes that pin them."""
    sources = [text.mapping(file) for file in text.sequence(run.get("inputs"))]
    columns = [
        Column("File", "w"),
        Column("Format", "nb"),
        Column("Size", "n"),
        Column("Records", "n"),
        Column("Skipped", "w"),
        Column("SHA-256", "h all"),
    ]
    rows = [
        (
            esc(file.get("path")),
            esc(file.get("format"), 24),
            text.size(file.get("bytes")),
            count(file.get("records")),
            esc(_tallies(file.get("skipped")) or "none"),
            esc(file.get("sha256"), 80),
        )
        for file in sources[:rows_max]
    ]
    body = (
        table(columns, rows, shown_of(len(rows), len(sources), "files"))
        if rows
        else empty("The run names no input file.")
    )
    limits = text.mapping(run.get("limits"))
    pairs = [("Limits", hashed(limits.get("sha256")))]
    if "version" in limits:
        pairs.append(("Limits version", esc(limits["version"], 40)))
    rules = text.mapping(run.get("mapping"))
    words = ", ".join(
        f"{text.plain(name, 40)} = {text.plain(value, 60)}"
        for name, value in list(rules.items())[:8]
    )
    pairs.append(("Mapping", esc(words or None)))
    pairs.append(("Decisions, SHA-256", hashed(run.get("decisions_sha256"))))
    seconds = text.mapping(run.get("seconds"))
    spent = [
        f"{text.plain(name, 24)} {number:.3f} s"
        for name, value in list(seconds.items())[:8]
        if (number := text.real(value)) is not None
    ]
    if spent:
        pairs.append(("Time spent", esc(", ".join(spent))))
    return body + files(run, rows_max) + "<h3>Pinned by</h3>" + facts(pairs)


def controls(run: Mapping[str, Any], rows_max: int) -> str:
    """Rejections by control: the one that decided, and all that objected."""
    first, bits = text.counts(run.get("by_first")), text.counts(run.get("by_bit"))
    if not first and not bits:
        if isinstance(run.get("by_first"), Mapping):
            return empty("No control rejected an order.")
        return empty("The run does not say which control rejected what.")
    known = text.mapping(run.get("controls"))
    names = sorted(
        {*first, *bits}, key=lambda name: (-first.get(name, 0), -bits.get(name, 0), name)
    )
    names = [name for name in names if first.get(name) or bits.get(name)] or names
    most = max(1, *first.values(), *bits.values())
    rejected = sum(first.values())
    columns = [
        Column("Control", "w"),
        Column("Decided by it", "n"),
        Column("Share of rejections", "n"),
        Column("Objected", "n"),
        Column("Wide: objected, narrow: decided", "b"),
    ]
    rows = []
    for name in names[:rows_max]:
        what = text.mapping(known.get(name))
        words = " ".join(
            text.plain(what[key], 120)
            for key in ("title", "cite")
            if isinstance(what.get(key), str)
        )
        says = f'<div class="lead">{esc(words, 240)}</div>' if words else ""
        rows.append(
            (
                f'<span class="tag">{esc(name, 40)}</span>{says}',
                count(first.get(name, 0)),
                text.share(first.get(name, 0), rejected),
                count(bits.get(name, 0)) if bits else text.MISSING,
                bar(max(bits.get(name, 0), first.get(name, 0)) / most, first.get(name, 0) / most),
            )
        )
    return table(columns, rows, shown_of(len(rows), len(names), "controls", ", by rejections"))


def limit_use(run: Mapping[str, Any], rows_max: int) -> str:
    """How close each limit came to being reached."""
    uses = [text.mapping(use) for use in text.sequence(run.get("limit_use"))]
    if not uses:
        return empty("The run carries no use of limits by scope.")
    columns = [
        Column("Scope", "nb"),
        Column("Limit", "nb"),
        Column("At the end", "n"),
        Column("Peak", "n"),
        Column("Limit's value", "n"),
        Column("Peak, % of limit", "n"),
        Column("Peak, and the end", "b"),
    ]
    rows = []
    for use in uses[:rows_max]:
        # Money comes in micros of the base currency; a person reads units of it.
        is_money = use.get("money") is True
        used, peak, limit = (text.real(use.get(key)) for key in ("used", "peak", "max"))
        percent = text.real(use.get("pct"))
        if percent is None and peak is not None and limit:
            percent = 100 * peak / limit
        tone = ""
        if percent is not None and percent >= _PERCENT_NEAR:
            tone = "bad" if percent > _PERCENT_FULL else "warn"
        rows.append(
            (
                esc(use.get("scope"), 64),
                esc(use.get("limit"), 48),
                *(
                    money(value) if is_money else _amount(use.get(key))
                    for key, value in (("used", used), ("peak", peak), ("max", limit))
                ),
                f"{percent:.1f} %" if percent is not None else text.MISSING,
                bar((percent or 0) / 100, used / limit if used and limit else 0, tone),
            )
        )
    return table(columns, rows, shown_of(len(rows), len(uses), "limits in use"))


def denials(run: Mapping[str, Any], rows_max: int) -> str:
    """The rejected orders that come first, each with its explanation."""
    given = [text.mapping(denial) for denial in text.sequence(run.get("top_denials"))]
    total = text.whole(run.get("denials_total"))
    if not given:
        if total:
            return empty(
                f"The run rejected {text.plural(total, 'order')} but carries none of them."
            )
        return empty("No rejected order is on record.")
    axis = time_axis(run)
    columns = [
        Column("Entry", "n"),
        Column("Time", "nb"),
        Column("Order", "w"),
        Column("Symbol", "w"),
        Column("Account", "w"),
        Column("Side", "nb"),
        Column("Quantity", "n"),
        Column("Price", "n"),
        Column("Reasons, the deciding one first", "all"),
    ]
    body = []
    for denial in given[:rows_max]:
        ts_ns = text.whole(denial.get("ts_ns"))
        names = [name for name in text.sequence(denial.get("reasons")) if name is not None]
        first = denial.get("first")
        if first is not None:
            names = [first, *(name for name in names if name != first)]
        side = text.plain(denial.get("side"), 16)
        row = cells(
            columns,
            (
                count(denial.get("seq")),
                esc(axis.clock(ts_ns, 6) if axis and ts_ns is not None else ts_ns, 32),
                esc(denial.get("order_id"), 40),
                esc(denial.get("symbol"), 40),
                esc(denial.get("account"), 40),
                esc(_SIDES.get(side, side), 16),
                count(denial.get("qty")),
                esc(denial.get("price"), 32),
                tags(names),
            ),
        )
        why = denial.get("text")
        if why:
            says = f'<tr class="why"><td colspan="9">{esc(why, 300)}</td></tr>'
            body.append(f'<tr class="has-why">{row}</tr>{says}')
        else:
            body.append(f"<tr>{row}</tr>")
    shown = min(len(given), rows_max)
    words = shown_of(shown, max(total or 0, len(given)), "rejected orders")
    zone = f" Times: {axis.zone}." if axis else ""
    return table(columns, (), words + zone, "".join(body))


def labels(run: Mapping[str, Any], rows_max: int) -> str:
    """Planted anomalies, the missed ones first."""
    given = [text.mapping(label) for label in text.sequence(run.get("labels"))]
    if not given:
        return empty(
            "This input carries no labelled anomalies, so nothing can be said about recall."
        )
    found, total = labels_found(run)
    given.sort(key=lambda label: label.get("found") is True)
    columns = [
        Column("Result", "nb"),
        Column("Entry", "n"),
        Column("Kind", "w"),
        Column("Expected reason", "w"),
    ]
    rows = [
        (
            '<span class="tone good">✓ found</span>'
            if label.get("found") is True
            else '<span class="tone bad">✗ missed</span>',
            count(label.get("seq")),
            esc(label.get("kind"), 64),
            tags(text.sequence(label.get("expect"))),
        )
        for label in given[:rows_max]
    ]
    words = f"<p>{found:,} of {total:,} found ({text.share(found, total)}).</p>"
    return words + table(columns, rows, shown_of(len(rows), total, "labels", ", missed ones first"))


def irregular(run: Mapping[str, Any], rows_max: int) -> str:
    """Parse warnings, and rows that name what the input never introduced."""
    odd = text.counts(run.get("anomalies"))
    rows = [(f'<span class="tag">{esc(k, 40)}</span>', count(v)) for k, v in odd.items()]
    columns = [Column("Kind", "w"), Column("Rows", "n")]
    parts = []
    if rows:
        rows = rows[:rows_max]
        parts.append(table(columns, rows, shown_of(len(rows), len(odd), "kinds")))
    else:
        parts.append(empty("The run counts no irregular rows."))
    passed = text.counts(run.get("passed"))
    if passed:
        words = ", ".join(f"{text.plain(name, 24)} {n:,}" for name, n in passed.items())
        parts.append(f"<p>Passed without a decision: {esc(words, 240)}.</p>")
    warnings = text.sequence(run.get("warnings"))
    parts.append("<h3>Warnings</h3>")
    if warnings:
        parts.append(bullets(warnings[:rows_max], len(warnings), "warnings"))
    elif isinstance(run.get("warnings"), list | tuple):
        parts.append(empty("None while reading the input."))
    else:
        parts.append(empty("The run does not say whether there were any."))
    return "".join(parts)


def log(run: Mapping[str, Any], rows_max: int) -> str:
    """Where the log ends and how to check it."""
    given = text.mapping(run.get("log"))
    if not given:
        return empty("No log was written: this page is a summary, not a proof.")
    flushed = given.get("durable")
    durable = "yes, flushed to the disk" if flushed is True else "no" if flushed is False else None
    pairs = [
        ("Directory", hashed(given.get("dir"))),
        ("Entries", count(given.get("entries"))),
        ("Origin", hashed(given.get("origin"))),
        ("Head", hashed(given.get("head"))),
        ("Merkle root", hashed(given.get("root"))),
        ("Durable", esc(durable)),
    ]
    if given.get("head") is None:
        del pairs[3]
    named = {"dir", "entries", "origin", "head", "root", "durable", "checkpoint"}
    others = [item for item in given.items() if item[0] not in named]
    pairs += [(text.plain(name, 40), hashed(value)) for name, value in others[: min(rows_max, 10)]]
    parts = [facts(pairs)]
    if given.get("checkpoint"):
        parts.append(f"<h3>Checkpoint</h3><pre>{esc(given['checkpoint'], 4_000, lines=True)}</pre>")
    verify = text.mapping(run.get("verify"))
    parts.append("<h3>Check it yourself</h3>")
    directory = given.get("dir") if isinstance(given.get("dir"), str) else "DIR"
    parts.append(f"<pre>cwts log verify {esc(shlex.quote(str(directory)), 300)}</pre>")
    parts.append(
        '<p class="lead">With the key that the directory brings along this proves consistency, '
        "not origin; add <code>--vkey FILE</code> with a key that you got elsewhere.</p>"
    )
    if verify:
        tone, word = ("good", "✓ verified") if verify.get("ok") is True else ("bad", "✗ failed")
        words = esc(verify.get("text"), 600)
        parts.append(f'<p><span class="tone {tone}">{word}</span> {words}</p>')
    return "".join(parts)


def mapping_limits(run: Mapping[str, Any], rows_max: int) -> str:
    """What this way of reading a market file cannot show."""
    rules = text.mapping(run.get("mapping"))
    notes: list[object] = []
    account = text.plain(rules.get("account"), 64)
    if account == "all":
        notes += [
            (
                "A market file holds everybody's orders; here they all count as one account's. "
                "Limits of a single participant cannot be judged from it."
            ),
            (
                "Positions come from fills of resting orders only: the aggressor's account is "
                "not in these formats."
            ),
        ]
    elif account.startswith("hash:"):
        notes.append(
            "Accounts were assigned by a hash of the order's number: they spread the state and "
            "stand for nobody."
        )
    given = text.sequence(run.get("mapping_notes"))
    notes += [note for note in given if note not in notes]
    notes.append(
        "A denied order never existed for the account. Its later rows are consumed; that the "
        "market would have moved differently without it cannot be seen."
    )
    return bullets(notes[:rows_max], len(notes), "notes")


def _tallies(value: object) -> str:
    return ", ".join(f"{text.plain(k, 32)} {v:,}" for k, v in text.counts(value).items() if v)


def money(micros: float | None) -> str:
    """Micros of a currency as units with two decimals."""
    return text.MISSING if micros is None else f"{micros / 1_000_000:,.2f}"


def _amount(value: object) -> str:
    """A number as given; text (an exact decimal) as text."""
    if isinstance(value, str):
        return esc(value, 40)
    number = text.real(value)
    if number is None:
        return text.MISSING
    return count(value) if text.whole(value) is not None else f"{number:,.4f}"
