"""`cwts resume`: lifting a hold, by two people."""

from __future__ import annotations

from pathlib import Path

import click

from cwts import _core, audit
from cwts.cli.halt import acknowledged
from cwts.cli.output import FOUND_WRONG, json_option, write_json

__all__ = ["resume"]


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("hold", type=click.IntRange(1))
@click.option("--reason", required=True, help="Why; it stands in the log.")
@click.option("--as", "actor", required=True, help="Who asks.")
@click.option("--approve-as", "approver", required=True, help="Who agrees: somebody else.")
@json_option
@click.pass_context
def resume(
    ctx: click.Context,
    *,
    directory: Path,
    hold: int,
    reason: str,
    actor: str,
    approver: str,
    as_json: bool,
) -> None:
    """Lift HOLD of the gateway whose log is in DIRECTORY; `cwts status` lists the holds.

    Exit code 2: one person, or no such hold. 1: the hold still stands.
    """
    log = audit.log_directory(directory)
    request = _core.request_resume(str(log), hold, actor=actor, approver=approver, reason=reason)
    if request["running"]:
        acknowledged(request["request"])
    else:
        _core.apply_requests(str(log))
    standing = audit.status(log)["holds"]
    lifted = all(row["id"] != hold for row in standing)
    if as_json:
        write_json({"dir": str(log), "hold": hold, "lifted": lifted, "holds": standing})
    elif lifted:
        left = ", ".join(f"{row['id']} ({row['scope']})" for row in standing) or "none"
        click.echo(f"{log}: hold {hold} is lifted; still in force: {left}")
        click.echo("  the names are not authenticated: no operators are listed in the limits")
    else:
        click.echo(f"{log}: hold {hold} still stands", err=True)
    if not lifted:
        ctx.exit(FOUND_WRONG)
