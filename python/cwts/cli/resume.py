"""`cwts resume`: lifting a hold, by two people."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from cwts import _core, audit
from cwts.cli.halt import acknowledged
from cwts.cli.output import FOUND_WRONG, json_option, write_json

__all__ = ["resume", "take_in", "two_people"]

_Command = TypeVar("_Command", bound=Callable[..., Any])


def two_people(command: _Command) -> _Command:
    """Give a command the options of what one person asks for and another agrees to."""
    for option in (
        click.option("--approve-as", "approver", help="Who agrees: somebody else."),
        click.option("--as", "actor", help="Who asks."),
        click.option("--reason", help="Why; it stands in the log."),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("hold", type=click.IntRange(1))
@two_people
@json_option
@click.pass_context
def resume(
    ctx: click.Context,
    *,
    directory: Path,
    hold: int,
    reason: str | None,
    actor: str | None,
    approver: str | None,
    as_json: bool,
) -> None:
    """Lift HOLD of the gateway whose log is in DIRECTORY; `cwts status` lists the holds.

    Where the limits list operators, both sign with their keys. With --as alone the request waits
    until somebody else runs it with --approve-as alone, on this machine or on another that shares
    the directory.

    Exit code 2: one person, no such hold, no key. 1: the hold still stands.
    """
    log = audit.log_directory(directory)
    signed = _core.lists_operators(str(log))
    if (actor is None and approver is None) or (not signed and None in (actor, approver)):
        raise click.UsageError("--as and --approve-as: lifting a hold takes two people")
    if actor is not None and not reason:
        raise click.UsageError("--reason is missing")
    request = _request(log, hold, actor, approver, reason or "", signed=signed)
    if approver is None:
        if as_json:
            write_json({"dir": str(log), "hold": hold, "lifted": False, "waits": True})
        else:
            click.echo(f"{log}: hold {hold} waits for a second key:")
            click.echo(f"  cwts resume {log} {hold} --approve-as NAME")
        return
    take_in(log, request)
    found = audit.status(log)
    standing = found["holds"]
    lifted = all(row["id"] != hold for row in standing)
    if as_json:
        write_json(
            {
                "dir": str(log),
                "hold": hold,
                "lifted": lifted,
                "authenticated": signed,
                "holds": standing,
            }
        )
    elif lifted:
        left = ", ".join(f"{row['id']} ({row['scope']})" for row in standing) or "none"
        click.echo(f"{log}: hold {hold} is lifted; still in force: {left}")
        if not signed:
            click.echo("  unauthenticated: no operators are listed in the limits")
    else:
        click.echo(f"{log}: hold {hold} still stands", err=True)
        why = found["refused_requests"].get(Path(request["request"]).name)
        if why:
            click.echo(f"  {why}", err=True)
    if not lifted:
        ctx.exit(FOUND_WRONG)


def take_in(log: Path, request: dict[str, Any]) -> bool:
    """Wait until a running gateway has taken a request in, or take it in where none runs."""
    if request["running"]:
        return acknowledged(request["request"])
    try:
        _core.apply_requests(str(log), anchor=os.environ.get("CWTS_ANCHOR") or None)
    except _core.LogError as error:
        # Whoever signs need not hold the log's own keys: the next start takes it in.
        if error.code != "KEY":
            raise
        return False
    return True


def _request(
    log: Path, hold: int, actor: str | None, approver: str | None, reason: str, *, signed: bool
) -> dict[str, Any]:
    if actor is None:
        return _core.request_resume_approval(str(log), hold, approver=approver or "")
    if signed:
        return _core.request_resume_signed(
            str(log), hold, actor=actor, approver=approver, reason=reason
        )
    return _core.request_resume(str(log), hold, actor=actor, approver=approver or "", reason=reason)
