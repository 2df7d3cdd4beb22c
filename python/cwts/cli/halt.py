"""`cwts halt` and `cwts reduce`: the kill switch, from any shell.

The halt works before it is acknowledged: the gateway sees the shared page at its next order. This
command then waits until the gateway has written the hold to its log and to disk.
"""

from __future__ import annotations

import getpass
import re
import shlex
import time
from pathlib import Path
from typing import Any, Final

import click

from cwts import _core, audit, errors
from cwts.cli.output import BAD_INPUT, FOUND_WRONG, exit_code, json_option, write_json

__all__ = ["acknowledged", "halt", "reduce"]

#: How long a running gateway may take to acknowledge; it works long before.
_ACKNOWLEDGED_S: Final = 5.0
_POLL_S: Final = 0.005
#: Names that are offered for one that nobody knows.
_NEAREST: Final = 3
#: The origin that only a replay's log has.
_REPLAY_ORIGIN: Final = re.compile(rb"cwts\.local/replay/[0-9a-f]{16}\n")

_DIRECTORIES = click.argument(
    "directories", nargs=-1, required=True, metavar="DIR...", type=click.Path(path_type=Path)
)
_SCOPE = click.option(
    "--scope",
    default="firm",
    show_default=True,
    help="firm, or a kind and a name: account:ACC1, strategy:mm-1, instrument:AAPL.",
)
_CANCEL = click.option(
    "--cancel-working",
    is_flag=True,
    help="Once the block holds, cancel what works in the scope.",
)
_REASON = click.option("--reason", default="", help="Why; it stands in the log.")
_ACTOR = click.option("--as", "actor", help="Who you are. Default: the user's name.")


@click.command()
@_DIRECTORIES
@_SCOPE
@_REASON
@_ACTOR
@_CANCEL
@json_option
@click.pass_context
def halt(
    ctx: click.Context,
    *,
    directories: tuple[Path, ...],
    scope: str,
    reason: str,
    actor: str | None,
    cancel_working: bool,
    as_json: bool,
) -> None:
    """Stop a scope of the gateways whose logs are in DIR...: from now on only cancels pass.

    Anyone may halt; lifting it takes two people (`cwts resume`). A restart keeps it.
    """
    how = {"reduce_only": False, "cancel_working": cancel_working}
    ctx.exit(_stop(directories, scope, reason, actor, how, as_json=as_json))


@click.command()
@_DIRECTORIES
@_SCOPE
@_REASON
@_ACTOR
@_CANCEL
@json_option
@click.pass_context
def reduce(
    ctx: click.Context,
    *,
    directories: tuple[Path, ...],
    scope: str,
    reason: str,
    actor: str | None,
    cancel_working: bool,
    as_json: bool,
) -> None:
    """Restrict a scope to orders that reduce a position, and to cancels."""
    how = {"reduce_only": True, "cancel_working": cancel_working}
    ctx.exit(_stop(directories, scope, reason, actor, how, as_json=as_json))


def acknowledged(request: str) -> bool:
    """Wait until a running gateway has taken a request in; it removes the file when durable."""
    path, until = Path(request), time.monotonic() + _ACKNOWLEDGED_S
    while path.exists():
        if time.monotonic() > until:
            return False
        time.sleep(_POLL_S)
    return True


def _stop(
    directories: tuple[Path, ...],
    scope: str,
    reason: str,
    actor: str | None,
    how: dict[str, bool],
    *,
    as_json: bool,
) -> int:
    who = actor or getpass.getuser()
    codes = [0]
    done: list[tuple[Path, dict[str, Any]]] = []
    rows: list[dict[str, Any]] = []
    # Every gateway is stopped before any of them is waited for, and one that cannot be stopped
    # does not keep the others from it.
    for given in directories:
        directory = audit.log_directory(given)
        try:
            if _is_replay(directory):
                raise errors.input_error(f"{directory}: is a replay's log: no gateway runs on it")
            request = _core.request_halt(str(directory), scope, reason=reason, actor=who, **how)
        except _core.ScopeError as error:
            codes.append(BAD_INPUT)
            near = _nearest(scope, error)
            rows.append({"dir": str(given), "error": str(error), "nearest": near})
            _unknown_scope(directory, error, near)
        except (_core.CwtsError, OSError) as error:
            codes.append(exit_code(error))
            rows.append({"dir": str(given), "error": str(error)})
        else:
            done.append((directory, request))
    for directory, request in done:
        row = _outcome(directory, request, who, cancelled=how["cancel_working"])
        rows.append(row)
        if row["running"] and not row["acknowledged"]:
            codes.append(FOUND_WRONG)
        if not as_json:
            _show(row, "reducing only" if how["reduce_only"] else "halted")
    if as_json:
        write_json(rows)
    return max(codes)


def _is_replay(directory: Path) -> bool:
    """Tell a replay's log: a halt would change its kill page, and nobody would ever read it."""
    try:
        with (directory / "checkpoint").open("rb") as file:
            return _REPLAY_ORIGIN.match(file.read(100)) is not None
    except OSError:
        return False


def _outcome(
    directory: Path, request: dict[str, Any], who: str, *, cancelled: bool
) -> dict[str, Any]:
    running = bool(request["running"])
    known = running and acknowledged(request["request"])
    # From the kill files, not from the log: it may be long, and somebody waits.
    holds = _core.standing_holds(str(directory)) if known else []
    mine = [row for row in holds if row["scope"] == request["scope"] and row["actor"] == who]
    hold = mine[-1] if mine else None
    return {
        "dir": str(directory),
        "scope": request["scope"],
        "running": running,
        "acknowledged": known,
        "hold": hold,
        "cancels": _core.cancels_after(str(directory), hold["seq"]) if cancelled and hold else None,
    }


def _show(row: dict[str, Any], what: str) -> None:
    place = f"{row['dir']}: {row['scope']}"
    if not row["running"]:
        click.echo(f"{place}: no gateway runs here; the next start is {what}")
    elif not row["acknowledged"]:
        click.echo(
            f"{place}: {what} for every further order, but the gateway has not written the hold "
            f"within {_ACKNOWLEDGED_S:.0f} s; the request waits for it",
            err=True,
        )
    elif row["hold"] is None:
        click.echo(f"{place}: {what}; the hold is written")
    else:
        hold = row["hold"]
        click.echo(f"{place}: {what}, hold {hold['id']}, log entry {hold['seq']:,}")
        if row["cancels"] is not None:
            click.echo(f"  {row['cancels']:,} cancels of working orders are in the log behind it")
        log = shlex.quote(row["dir"])
        click.echo(f"  lift it: cwts resume {log} {hold['id']} --reason R --as A --approve-as B")


def _nearest(scope: str, error: _core.ScopeError) -> list[str]:
    """Give the scopes that may have been meant, the likeliest first."""
    from difflib import get_close_matches

    close = get_close_matches(scope, error.known, _NEAREST)
    first = [] if error.nearest is None else [error.nearest]
    return (first + [name for name in close if name not in first])[:_NEAREST]


def _unknown_scope(directory: Path, error: _core.ScopeError, near: list[str]) -> None:
    click.echo(f"cwts: {directory}: {error}", err=True)
    for name in near:
        click.echo(f"  as in: --scope {shlex.quote(name)}", err=True)
    click.echo("  nothing was halted. To halt the whole firm:", err=True)
    click.echo(f"  cwts halt {shlex.quote(str(directory))}", err=True)
