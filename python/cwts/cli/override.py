"""`cwts override`: letting one blocked order pass, by two people."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from cwts import _core, audit
from cwts.cli.output import FOUND_WRONG, json_option, write_json
from cwts.cli.resume import take_in, two_people
from cwts.limits import expiry_ns

__all__ = ["override"]


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("order_id", type=click.IntRange(1, 2**64 - 1))
@click.option(
    "--control",
    "controls",
    metavar="NAME",
    multiple=True,
    help="A soft control that it may violate; once for each. Default: those that block it now.",
)
@two_people
@click.option(
    "--expires",
    metavar="TIME",
    help="When it counts no longer, as in 2026-11-23T21:00Z. Default: in 15 minutes.",
)
@json_option
@click.pass_context
def override(
    ctx: click.Context,
    *,
    directory: Path,
    order_id: int,
    controls: tuple[str, ...],
    reason: str | None,
    actor: str | None,
    approver: str | None,
    expires: str | None,
    as_json: bool,
) -> None:
    """Let the softly blocked ORDER_ID of the gateway whose log is in DIRECTORY pass, once.

    Whoever sent it sends it again: `gateway.resubmit(ORDER_ID)`. Where the limits list operators,
    both sign with their keys. With --as alone the request waits until somebody else runs it with
    --approve-as alone, on this machine or on another that shares the directory.

    Exit code 2: one person, no such block, no key. 1: the gateway refused.
    """
    log = audit.log_directory(directory)
    if actor is None and approver is None:
        raise click.UsageError("--as and --approve-as: an override takes two people")
    if actor is not None and not reason:
        raise click.UsageError("--reason is missing")
    if actor is None:
        asked = _core.request_override_approval(str(log), order_id, approver=approver or "")
    else:
        asked = _core.request_override(
            str(log),
            order_id,
            controls=list(controls),
            actor=actor,
            approver=approver,
            reason=reason or "",
            expires_ns=expiry_ns(expires),
        )
    said = asked["override"]
    if approver is None:
        if as_json:
            write_json({"dir": str(log), "overridden": False, "waits": True, **said})
        else:
            click.echo(f"{log}: order {order_id} waits for a second person:")
            click.echo(f"  cwts override {log} {order_id} --approve-as NAME")
        return
    take_in(log, asked)
    why = audit.status(log)["refused_requests"].get(Path(asked["request"]).name)
    if as_json:
        write_json({"dir": str(log), "overridden": why is None, "refused": why, **said})
    elif why is None:
        click.echo(f"{log}: {_sentence(said)}")
        if not asked["signed"]:
            click.echo("  unauthenticated: no operators are listed in the limits")
        click.echo(f"  send it again: gateway.resubmit({order_id})")
    else:
        click.echo(f"{log}: order {order_id} stays blocked: {why}", err=True)
    if why is not None:
        ctx.exit(FOUND_WRONG)


def _sentence(said: dict[str, Any]) -> str:
    at = datetime.fromtimestamp(said["expires_ns"] // 10**9, UTC)
    names = ", ".join(said["controls"])
    return f"order {said['order_id']} may pass {names} once, before {at:%Y-%m-%d %H:%M:%S}Z"
