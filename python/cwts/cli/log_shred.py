"""`cwts log identify|subjects|shred`: whom codes stand for, and how that is forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from cwts import _core, audit
from cwts.cli.output import FOUND_WRONG, json_option, one_line, write_json
from cwts.cli.resume import take_in, two_people

__all__ = ["identify", "shred", "subjects"]

#: A text is at most 32,768 bytes; one more tells a longer one.
_TEXT_BYTES_MAX: Final = 32_768

_directory = click.argument(
    "directory", type=click.Path(path_type=Path, exists=True, file_okay=False)
)
_subject = click.option(
    "--subject", required=True, metavar="KIND:CODE", help="As in account:ACME-77 or person:c-17."
)


@click.command()
@_directory
@_subject
@click.option(
    "--text",
    "source",
    type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True),
    default="-",
    help="The file that says who it is. Default: standard input.",
)
@click.option("--as", "actor", default="", help="Who says so.")
@json_option
def identify(*, directory: Path, subject: str, source: Path, actor: str, as_json: bool) -> None:
    """Say who stands behind a code of the log in DIRECTORY, sealed under a key of the subject's.

    Orders, limits and reports name the code alone. Nobody may own the log meanwhile; a program that
    has it open calls `identify` of its gateway. `cwts log shred` makes it unreadable for ever.
    """
    # Not an option: a name on a command line stands in the shell's history.
    with click.open_file(str(source), "rb") as file:
        raw = file.read(_TEXT_BYTES_MAX + 2)
    try:
        text = raw.decode("utf-8").removesuffix("\n")
    except UnicodeDecodeError:
        raise click.UsageError(f"{source}: is not text in UTF-8, or longer than fits") from None
    log = audit.log_directory(directory)
    index = _core.seal_in(str(log), "identity", subject, text, actor)
    if as_json:
        write_json({"dir": str(log), "subject": subject, "index": index})
        return
    click.echo(f"{log}: entry {index:,} says who {one_line(subject)} is, sealed under its own key")


@click.command()
@_directory
@json_option
def subjects(*, directory: Path, as_json: bool) -> None:
    """List the codes of which the log in DIRECTORY has sealed texts, and who they are.

    Who they are shows where the keys are; without them, and once they are destroyed, the code
    alone.
    """
    log = audit.log_directory(directory)
    rows = _core.subjects(str(log))
    if as_json:
        write_json({"dir": str(log), "subjects": rows})
        return
    for row in rows:
        gone = row["shredded"]
        if gone is not None:
            who = f"shredded by entry {gone['seq']:,}, {gone['actor']} and {gone['approver']}: "
            who += str(gone["reason"])
        else:
            who = "no key here" if row["identity"] is None else str(row["identity"])
        click.echo(one_line(f"{row['subject']}  {row['sealed']:,} sealed  {who}"))
    if not rows:
        click.echo("no subject has a sealed text")


@click.command()
@_directory
@_subject
@two_people
@json_option
@click.pass_context
def shred(
    ctx: click.Context,
    *,
    directory: Path,
    subject: str,
    reason: str | None,
    actor: str | None,
    approver: str | None,
    as_json: bool,
) -> None:
    """Destroy the key of a subject: its sealed texts in the log in DIRECTORY are lost for ever.

    No byte of the log changes, and every root, receipt and decision verifies as before. It takes
    two people, and their keys where the limits list operators who may "shred"; the years of the
    log's GENESIS must be over for all that names the subject, the limits in force must not list it,
    and no case may be about it. With --as alone the request waits until somebody else runs it with
    --approve-as alone.

    Exit code 2: too early, a case, one person, no key. 1: the log's owner refused. Done before: 0.
    """
    log = audit.log_directory(directory)
    asked = _asked(log, subject, actor, approver, reason)
    said: dict[str, Any] = {"dir": str(log), "subject": subject}
    if asked["already"] is not None:
        said |= {"shredded": True, "already": asked["already"]}
        line = f"{log}: {one_line(subject)} was shredded by entry {asked['already']:,}"
        write_json(said) if as_json else click.echo(line)
        return
    said |= {"sealed": asked["sealed"], "plain": asked["plain"]}
    if approver is None:
        if as_json:
            write_json(said | {"shredded": False, "waits": True})
            return
        click.echo(f"{log}: the shred of {one_line(subject)} waits for a second person:")
        click.echo(f"  cwts log shred {log} --subject {one_line(subject)} --approve-as NAME")
        _tell_what_stays(subject, asked)
        return
    take_in(log, asked)
    row = next((row for row in _core.subjects(str(log)) if row["subject"] == subject), None)
    gone = row is not None and row["shredded"] is not None and row["identity"] is None
    why = audit.status(log)["refused_requests"].get(Path(asked["request"]).name)
    if as_json:
        write_json(said | {"shredded": gone, "refused": why})
    elif gone:
        texts = "1 sealed text" if asked["sealed"] == 1 else f"{asked['sealed']:,} sealed texts"
        click.echo(f"{log}: the key of {one_line(subject)} is destroyed, with {texts}")
        if not asked["signed"]:
            click.echo("  unauthenticated: no operators are listed in the limits")
        _tell_what_stays(subject, asked)
    else:
        what = why or "no gateway took it in yet"
        click.echo(f"{log}: {one_line(subject)} is not shredded: {what}", err=True)
    if not gone:
        ctx.exit(FOUND_WRONG)


def _asked(
    log: Path, subject: str, actor: str | None, approver: str | None, reason: str | None
) -> dict[str, Any]:
    if actor is None and approver is None:
        raise click.UsageError("--as and --approve-as: a shred takes two people")
    if actor is None:
        return _core.request_shred_approval(str(log), subject, approver=approver or "")
    if not reason:
        raise click.UsageError("--reason is missing")
    return _core.request_shred(str(log), subject, actor=actor, approver=approver, reason=reason)


def _tell_what_stays(subject: str, asked: dict[str, Any]) -> None:
    click.echo(f"  stays: the code {one_line(subject)}, in entries, limits and kill files")
    click.echo("  stays: what stands in plain in notes, reasons, limits and client texts")
    if asked["plain"]:
        named = ", ".join(f"{index:,}" for index in asked["plain"])
        click.echo(click.style(f"  stays: a sealed text in plain, in entries {named}", fg="yellow"))
    click.echo("  not reached: copies of the key folder and backups of it; destroy them too")
