"""`cwts limits diff|show|propose|approve`: what a change does, and who said yes to it."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from cwts import _core, audit
from cwts.cli.output import FOUND_WRONG, json_option, one_line, write_json
from cwts.cli.resume import take_in
from cwts.limits import expiry_ns

__all__ = ["approve", "diff", "propose", "show_effective"]

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_DIRECTORY = click.argument(
    "directory", type=click.Path(path_type=Path, exists=True, file_okay=False)
)


@click.command()
@click.argument("old", type=_FILE)
@click.argument("new", type=_FILE)
@json_option
def diff(old: Path, new: Path, as_json: bool) -> None:
    """Show what NEW changes in OLD, key by key: what tightens, and what counts as a raise."""
    found = _core.limits_diff(old.read_bytes(), str(old), new.read_bytes(), str(new))
    if as_json:
        write_json(found)
        return
    for row in found["rows"]:
        before, after = (row[side] if row[side] is not None else "(unset)" for side in _SIDES)
        click.echo(one_line(f"{row['direction']:<8} {row['key']}: {before} -> {after}"))
    if not found["rows"]:
        click.echo("no limit changes")
    people = "one person" if found["direction"] == "tighten" else "two people"
    click.echo(f"the whole is a {found['direction']}: it takes {people}")


_SIDES = ("old", "new")


def show_effective(
    file: Path, account: str, symbol: str, strategy: str | None, *, as_json: bool
) -> None:
    """Show every value that an order meets, and where it comes from."""
    rows = _core.limits_effective(file.read_bytes(), str(file), account, symbol, strategy)
    if as_json:
        write_json(rows)
        return
    level = ""
    for row in rows:
        if row["level"] != level:
            level = row["level"]
            click.echo(one_line(level))
        value = "not set: every order is refused" if row["refuses"] else row["value"] or "not set"
        click.echo(one_line(f"  {row['key']:<20} {value}   <- {row['origin']}"))


@click.command()
@_DIRECTORY
@click.argument("new", metavar="NEW.toml", type=_FILE)
@click.option("--as", "maker", required=True, help="Who proposes: an operator, if any are listed.")
@click.option("--reason", required=True, help="Why; it stands in the log.")
@click.option(
    "--expires", metavar="TIME", help="When what it raises goes back, as in 2026-11-23T21:00Z."
)
@json_option
@click.pass_context
def propose(
    ctx: click.Context,
    *,
    directory: Path,
    new: Path,
    maker: str,
    reason: str,
    expires: str | None,
    as_json: bool,
) -> None:
    """Propose NEW.toml as the limits of the gateway whose log is in DIRECTORY.

    A pure tightening is in force at once; anything else waits for `cwts limits approve`. Exit
    code 2: the file is wrong, or you may not. 1: the gateway refused it, or did not answer.
    """
    log = audit.log_directory(directory)
    request = _core.request_propose(
        str(log),
        new.read_bytes(),
        str(new),
        maker=maker,
        reason=reason,
        expires_ns=expiry_ns(expires),
    )
    answered = take_in(log, request)
    found = audit.status(log)
    proposal = _find(found["limits"], lambda row: row["sha256"] == request["sha256"])
    _tell(ctx, log, found, request, proposal, answered=answered, as_json=as_json)


@click.command()
@_DIRECTORY
@click.argument("proposal", metavar="ID", type=click.IntRange(1))
@click.option("--as", "checker", required=True, help="Who agrees: somebody else than the maker.")
@json_option
@click.pass_context
def approve(
    ctx: click.Context, *, directory: Path, proposal: int, checker: str, as_json: bool
) -> None:
    """Agree to proposal ID of the gateway whose log is in DIRECTORY: it is in force then."""
    log = audit.log_directory(directory)
    request = _core.request_approve(str(log), proposal, checker=checker)
    answered = take_in(log, request)
    found = audit.status(log)
    row = _find(found["limits"], lambda row: row["id"] == proposal)
    if row is not None and not row["active"]:
        row = None
    _tell(ctx, log, found, request, row, answered=answered, as_json=as_json)


def _find(limits: dict[str, Any], wanted: Any) -> dict[str, Any] | None:
    rows = [*limits["waiting"], *([limits["by"]] if limits["by"] else [])]
    return next((row for row in rows if wanted(row)), None)


def _tell(
    ctx: click.Context,
    log: Path,
    found: dict[str, Any],
    request: dict[str, Any],
    proposal: dict[str, Any] | None,
    *,
    answered: bool,
    as_json: bool,
) -> None:
    refused = found["refused_requests"].get(Path(request["request"]).name)
    version = found["limits"]["version"]
    if as_json:
        write_json(
            {
                "dir": str(log),
                "answered": answered,
                "refused": refused,
                "proposal": proposal,
                "limits_version": version,
            }
        )
    elif proposal is not None:
        click.echo(_sentence(log, proposal))
        if not proposal["authenticated"]:
            click.echo("  unauthenticated: no operators are listed in the limits")
    elif not answered:
        click.echo(f"{log}: the gateway has not answered; the request waits for it", err=True)
    else:
        why = refused or "another change came first"
        click.echo(one_line(f"{log}: refused: {why}; version {version} stays in force"), err=True)
    if proposal is None:
        ctx.exit(FOUND_WRONG)


def _sentence(log: Path, proposal: dict[str, Any]) -> str:
    ends = ""
    if proposal["expires_ns"] is not None:
        at = datetime.fromtimestamp(proposal["expires_ns"] // 10**9, UTC)
        ends = f", until {at:%Y-%m-%d %H:%M:%S}Z"
    if proposal["active"]:
        return f"{log}: limits version {proposal['version']} is in force{ends}"
    approve = f"cwts limits approve {shlex.quote(str(log))} {proposal['id']} --as NAME"
    return (
        f"{log}: proposal {proposal['id']} is a raise{ends} and waits for a second person:\n"
        f"  {approve}"
    )
