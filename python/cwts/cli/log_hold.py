"""`cwts log hold|release|holds`: cases for which entries may not be deleted."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from cwts import _core, audit
from cwts.cli.output import FOUND_WRONG, json_option, one_line, write_json
from cwts.cli.resume import take_in, two_people
from cwts.limits import time_ns

__all__ = ["hold", "holds", "release"]

#: The times of a log's entries.
_FIRST_NS: Final = 0
_NEVER_NS: Final = 2**63 - 1


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("case")
@click.option("--account", default="", help="Only what is of this account. Default: of any.")
@click.option("--instrument", default="", help="Only what is of this instrument.")
@click.option("--person", default="", help="Only what this person or algorithm did.")
@click.option("--from", "first", metavar="TIME", help="As in 2026-03-01T00:00Z. Default: always.")
@click.option("--to", "end", metavar="TIME", help="Before when. Default: no end.")
@two_people
@json_option
@click.pass_context
def hold(
    ctx: click.Context,
    *,
    directory: Path,
    case: str,
    account: str,
    instrument: str,
    person: str,
    first: str | None,
    end: str | None,
    reason: str | None,
    actor: str | None,
    approver: str | None,
    as_json: bool,
) -> None:
    """Open CASE in the log in DIRECTORY: what it selects is kept until `cwts log release`.

    It takes two people, and their keys where the limits list operators who may "hold". With --as
    alone the request waits until somebody else runs it with --approve-as alone. A running gateway
    takes it in within a moment; where none runs, it is written at once.

    Exit code 2: one person, a name that was used, no key. 1: the log's owner refused.
    """
    log = _asked_well(directory, actor, approver, reason)
    if actor is None:
        asked = _core.request_case_approval(str(log), case, release=False, approver=approver or "")
    else:
        asked = _core.request_hold(
            str(log),
            case,
            account=account,
            instrument=instrument,
            person=person,
            from_ns=_FIRST_NS if first is None else time_ns(first, "--from"),
            to_ns=_NEVER_NS if end is None else time_ns(end, "--to"),
            actor=actor,
            approver=approver,
            reason=reason or "",
        )
    _tell(ctx, log, asked, as_json=as_json, waits=approver is None)


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("case")
@two_people
@json_option
@click.pass_context
def release(
    ctx: click.Context,
    *,
    directory: Path,
    case: str,
    reason: str | None,
    actor: str | None,
    approver: str | None,
    as_json: bool,
) -> None:
    """Close CASE in the log in DIRECTORY, by two people as for `cwts log hold`."""
    log = _asked_well(directory, actor, approver, reason)
    if actor is None:
        asked = _core.request_case_approval(str(log), case, release=True, approver=approver or "")
    else:
        asked = _core.request_release(
            str(log), case, actor=actor, approver=approver, reason=reason or ""
        )
    _tell(ctx, log, asked, as_json=as_json, waits=approver is None)


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@json_option
def holds(*, directory: Path, as_json: bool) -> None:
    """List the open cases of the log in DIRECTORY."""
    rows = _core.open_cases(str(audit.log_directory(directory)))
    if as_json:
        write_json({"cases": rows})
        return
    for row in rows:
        named = [f"{key} {row[key]}" for key in ("account", "instrument", "person") if row[key]]
        of = ", ".join(named) or "everything"
        click.echo(
            one_line(
                f"{row['case']}: {of}, {_day(row['from_ns'])} to {_day(row['to_ns'])}; "
                f"{row['actor']} and {row['approver']}: {row['reason']}"
            )
        )
    if not rows:
        click.echo("no case is open")


def _asked_well(
    directory: Path, actor: str | None, approver: str | None, reason: str | None
) -> Path:
    if actor is None and approver is None:
        raise click.UsageError("--as and --approve-as: a case takes two people")
    if actor is not None and not reason:
        raise click.UsageError("--reason is missing")
    return audit.log_directory(directory)


def _tell(
    ctx: click.Context, log: Path, asked: dict[str, Any], *, as_json: bool, waits: bool
) -> None:
    case, command = asked["case"], "hold" if asked["opens"] else "release"
    done = "opened" if asked["opens"] else "closed"
    if waits:
        if as_json:
            write_json({"dir": str(log), "case": case, done: False, "waits": True})
        else:
            click.echo(f"{log}: case {one_line(case)} waits for a second person:")
            click.echo(f"  cwts log {command} {log} {one_line(case)} --approve-as NAME")
        return
    take_in(log, asked)
    why = audit.status(log)["refused_requests"].get(Path(asked["request"]).name)
    if as_json:
        write_json({"dir": str(log), "case": case, done: why is None, "refused": why})
    elif why is None:
        click.echo(f"{log}: case {one_line(case)} is {done}")
        if not asked["signed"]:
            click.echo("  unauthenticated: no operators are listed in the limits")
    else:
        click.echo(f"{log}: case {one_line(case)} was not {done}: {why}", err=True)
    if why is not None:
        ctx.exit(FOUND_WRONG)


def _day(ns: int) -> str:
    if ns in (_FIRST_NS, _NEVER_NS):
        return "always"
    return f"{datetime.fromtimestamp(ns // 10**9, UTC):%Y-%m-%d %H:%M:%S}Z"
