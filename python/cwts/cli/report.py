"""`cwts report`: the registers of a log, as tables, records or a page."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import click

from cwts import audit
from cwts.cli.log_keys import key_of
from cwts.cli.output import console, json_option, one_line, write_json

__all__ = ["report"]

#: Rows of a table that a person is shown; the other formats have all.
_SHOWN: Final = 50
#: The columns of each kind's table: heading and field.
_COLUMNS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "limits": (
        ("version", "version"),
        ("state", "state"),
        ("in force from", "in_force_ns"),
        ("until", "until_ns"),
        ("by", "how"),
        ("direction", "direction"),
        ("proposed by", "proposed_by"),
        ("approved by", "approved_by"),
        ("signed", "authenticated"),
        ("reason", "reason"),
        ("changed", "changed"),
    ),
    "kills": (
        ("hold", "hold"),
        ("scope", "scope"),
        ("state", "state"),
        ("set", "set_ns"),
        ("by", "actor"),
        ("automatic", "automatic"),
        ("reason", "reason"),
        ("lifted", "lifted_ns"),
        ("by", "lifted_by"),
        ("agreed by", "lifted_approved_by"),
        ("reason", "lifted_reason"),
    ),
    "triggers": (
        ("day", "day"),
        ("control", "control"),
        ("refused", "refused"),
        ("decided by it", "decided"),
        ("soft blocks", "soft_blocked"),
        ("alerts", "alerted"),
        ("overridden", "overridden"),
        ("cancels passed", "passed"),
        ("first entry", "first_entry"),
        ("last entry", "last_entry"),
    ),
}


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--kind",
    "kinds",
    type=click.Choice([*audit.REGISTERS, *audit.REPORTS]),
    multiple=True,
    help="limits: versions, and who asked for and agreed to each. kills: holds, and who lifted "
    "them. triggers: refusals by control and trading day. Default: these three. orders: each "
    "order's life. overrides: what two people let pass. clock: distance from UTC. annual: what a "
    "yearly review reads. cat, rts24: events by those columns; these need cwts[analytics].",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "csv", "html"]),
    default="text",
    show_default=True,
    help="csv takes one kind.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A file instead of stdout.")
@click.option(
    "--vkey",
    "vkeys",
    multiple=True,
    metavar="KEY|FILE",
    help="A key that you trust: the log is verified with it first. Without one it is read as it "
    "lies there, and the report says so.",
)
@json_option
def report(
    *,
    directory: Path,
    kinds: tuple[str, ...],
    form: str,
    output: Path | None,
    vkeys: tuple[str, ...],
    as_json: bool,
) -> None:
    """Give the registers of the log in DIRECTORY, each field with the entry it was read from.

    Exit code 1: a key was given, and the log is not what it signed. 2: not a log.
    """
    form = "json" if as_json else form
    kinds = tuple(dict.fromkeys(kinds))
    if form == "csv" and len(kinds) != 1:
        raise click.UsageError("--format csv takes one --kind: each has columns of its own")
    keys = [key_of(text) for text in vkeys]
    asked = [kind for kind in kinds if kind in audit.REPORTS]
    if asked and len(kinds) > 1:
        raise click.UsageError(f"--kind {asked[0]} is a report of its own: pass it alone")
    if asked:
        _answer(audit.reports(directory, *asked, keys=keys)[0], form, output)
        return
    found = audit.registers(directory, *kinds, keys=keys)
    if form == "text":
        _show(found, output)
        return
    if form == "json":
        if output is None:
            write_json(found[0] if len(found) == 1 else found)
            return
        import json

        made = json.dumps(found[0] if len(found) == 1 else found, indent=1) + "\n"
    elif form == "csv":
        made = _csv(found[0])
    else:
        from cwts.report import registers_html

        made = registers_html(found)
    if output is None:
        click.echo(made, nl=False)
        return
    from cwts._outputs import whole_file

    with whole_file(output) as place:
        place.write_text(made, encoding="utf-8", newline="")


def _answer(found: dict[str, Any], form: str, output: Path | None) -> None:
    """Write a report that is SQL over the log; beside a CSV its columns with rule and source."""
    from cwts.cli import report_answers

    beside = None
    if form == "text":
        made = report_answers.show(found, output)
        if output is None:
            return
    elif form == "json":
        if output is None:
            write_json(report_answers.json_of(found))
            return
        import json

        made = json.dumps(report_answers.json_of(found), indent=1) + "\n"
    elif form == "csv":
        made, beside = report_answers.csv_files(found)
    else:
        from cwts.report import answers_html

        made = answers_html(found)
    if output is None:
        click.echo(made, nl=False)
        return
    from cwts._outputs import whole_file

    files = {output: made}
    if beside is not None:
        files[output.with_suffix(".columns.csv")] = beside
    for path, content in files.items():
        with whole_file(path) as place:
            place.write_text(content, encoding="utf-8", newline="")


def _csv(register: Mapping[str, Any]) -> str:
    """One row a record; what was changed, and the sources, are text in one cell each."""
    out = io.StringIO()
    rows = register["rows"]
    writer = csv.writer(out, lineterminator="\n")
    fields = [*register["fields"], "sources"]
    writer.writerow(fields)
    writer.writerows([_cell(field, row[field]) for field in fields] for row in rows)
    return out.getvalue()


def _cell(field: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if field == "sources":
        named = (f"{name}={at['entry']} {at['type']}" for name, at in value.items())
        return "; ".join(named)
    if field == "changed":
        value = "; ".join(_changes(value))
    # What a spreadsheet would run as a formula gets an apostrophe (CWE-1236).
    said = one_line(str(value))
    return "'" + said if said[:1] in {"=", "+", "-", "@"} else said


def _changes(changed: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    for one in changed:
        yield f"{one['key']}: {one['old'] or 'nothing'} -> {one['new'] or 'nothing'}"


def _show(found: list[dict[str, Any]], output: Path | None) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = io.StringIO()
    screen = console() if output is None else Console(file=made, width=200, highlight=False)
    for register in found:
        columns = _COLUMNS[register["kind"]]
        rows = register["rows"]
        if not rows:
            screen.print(Text(f"{register['kind']}: nothing in this log"))
            continue
        table = Table(
            title=register["kind"],
            title_justify="left",
            title_style="bold",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
        )
        for heading, _ in columns:
            table.add_column(heading, overflow="fold")
        for row in rows[:_SHOWN]:
            table.add_row(*(Text(_shown(row, field)) for _, field in columns))
        if len(rows) > _SHOWN:
            table.caption = f"and {len(rows) - _SHOWN:,} more (--format json has them)"
            table.caption_justify = "left"
        screen.print(table)
    log = found[0]["log"]
    screen.print(Text(f"log {one_line(str(log['origin']))}, {log['entries']:,} entries"))
    screen.print(Text(found[0]["how"]))
    if output is not None:
        from cwts._outputs import whole_file

        with whole_file(output) as place:
            place.write_text(made.getvalue(), encoding="utf-8")


def _shown(row: Mapping[str, Any], field: str) -> str:
    value = row[field]
    if value is None:
        return ""
    if field == "changed":
        total = row["changed_total"]
        first = list(_changes(value[:3]))
        return one_line("; ".join(first) + (f"; {total - 3:,} more" if total > len(first) else ""))
    if field.endswith("_ns"):
        from cwts._report.instant import instant

        return instant(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else one_line(str(value))
