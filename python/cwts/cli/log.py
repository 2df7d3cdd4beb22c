"""`cwts log`: whether a log is intact."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final, Literal

import click

from cwts import audit
from cwts.cli.output import FOUND_WRONG, json_option, write_json

__all__ = ["key_of", "log"]

#: Findings, and notes, that a person is shown; --json has all.
_SHOWN: Final = 20


@click.group()
def log() -> None:
    """Verify a log."""


@log.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--vkey",
    "vkeys",
    multiple=True,
    metavar="KEY|FILE",
    help="A key that you trust; repeatable. A run's own checks all its logs. Without one the "
    "log's own is used, which proves less.",
)
@click.option(
    "--level",
    type=click.Choice(["roots", "full"]),
    default="full",
    show_default=True,
    help="roots: signatures and the stored tree only.",
)
@json_option
@click.pass_context
def verify(
    ctx: click.Context,
    *,
    directory: Path,
    vkeys: tuple[str, ...],
    level: Literal["roots", "full"],
    as_json: bool,
) -> None:
    """Check every byte of every file of the log in DIRECTORY; nothing is written.

    Of a run of several files, all its logs and the root over them.

    Exit code 0: intact. 1: the first broken entry is named. 2: not a log.
    """
    began = time.perf_counter()
    verdict = audit.verify(directory, [key_of(text) for text in vkeys], level=level)
    seconds = time.perf_counter() - began
    if as_json:
        write_json(verdict.to_json() | {"seconds": seconds})
    else:
        _show(verdict, level, seconds)
    if not verdict.ok:
        ctx.exit(FOUND_WRONG)


def key_of(text: str) -> str:
    """Give a key: the text itself, or what stands in the file of that name."""
    path = Path(text)
    try:
        return path.read_text(encoding="utf-8").strip() if path.is_file() else text
    except UnicodeDecodeError:
        raise click.UsageError(f"{path} is no key file: it is not text") from None


def _show(verdict: audit.Verdict, level: str, seconds: float) -> None:
    if verdict.ok:
        depth = "every byte checked" if level == "full" else "signatures and stored tree checked"
        of = f" in {len(verdict.logs):,} logs" if verdict.logs else ""
        click.echo(f"{_ok(verdict)}: {verdict.size:,} entries{of}, {depth}, {seconds:.2f} s")
    else:
        head = click.style("REJECTED", fg="red", bold=True)
        first = verdict.first_broken
        where = "no entry can be named" if first is None else f"first broken entry {first:,}"
        click.echo(f"{head}: {where}, {len(verdict.findings):,} findings")
        for finding in verdict.findings[:_SHOWN]:
            click.echo(f"  {_sentence(finding)}")
        if len(verdict.findings) > _SHOWN:
            click.echo(f"  and {len(verdict.findings) - _SHOWN:,} more (--json has them)")
    for number, one in enumerate(verdict.logs[:_SHOWN], 1):
        state = "ok" if one.ok else f"{len(one.findings):,} findings"
        closed = "" if one.clean is None else ", closed" if one.clean else ", not closed"
        click.echo(f"  log {number:04}     {state}{closed}, {one.size:,} entries, {one.root}")
    if len(verdict.logs) > _SHOWN:
        click.echo(f"  and {len(verdict.logs) - _SHOWN:,} more logs (--json has them)")
    click.echo(f"  origin       {verdict.origin or 'none'}")
    click.echo(f"  root         {verdict.root or 'none'}")
    closed = "yes" if verdict.clean else "no: it is written, or was cut off"
    if verdict.clean is None:
        closed = f"not checked at level {level}: the last entry tells"
    click.echo(f"  closed       {closed}")
    for word, texts in (("note", verdict.notes), ("not checked", verdict.not_checked)):
        for text in texts[:_SHOWN]:
            click.echo(f"  {word:<11}  {text}")
        if len(texts) > _SHOWN:
            click.echo(f"  {word:<11}  and {len(texts) - _SHOWN:,} more (--json has them)")


def _ok(verdict: audit.Verdict) -> str:
    if verdict.logs and not verdict.root:
        # Each log holds for itself; one that was taken away is missed by nothing.
        return click.style("OK, BUT NO SIGNED ROOT OVER THE LOGS", fg="yellow", bold=True)
    return click.style("OK", fg="green", bold=True)


def _sentence(finding: dict[str, Any]) -> str:
    return str(finding["text"])
