"""`cwts torture disk`: a log's writer on a simulated disk that crashes wherever it can."""

from __future__ import annotations

import time
from typing import Any, Final

import click

from cwts import _core
from cwts.cli.output import FOUND_WRONG, json_option, write_json

__all__ = ["disk"]

#: Stories between two looks at the clock: some thousand crashes.
_STORIES: Final = 8
_COUNTS: Final = (
    *("stories", "steps", "crash_points", "in_recovery", "torn", "clean", "disk_errors"),
)


@click.command()
@click.option(
    "--seconds",
    default=10.0,
    show_default=True,
    type=click.FloatRange(0.0, 86_400.0),
    help="How long. At least one round of stories runs.",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**64 - 1))
@json_option
@click.pass_context
def disk(ctx: click.Context, *, seconds: float, seed: int, as_json: bool) -> None:
    """Crash a log's writer after its steps, in every way that a disk may lose what was not synced.

    Each story makes, writes, signs, closes, kills and opens a log on a disk in memory that may
    fail once. After a step the disk keeps all, nothing, names, bytes, a beginning, or any sectors,
    one of them torn. Each is verified and opened: nothing acknowledged may be lost, no crash may
    be called tampering or rollback, and what was cut must be told. The same seed gives the same.

    Exit code 1: one of these did not hold; story and step say where.
    """
    deadline = time.monotonic() + seconds
    total: dict[str, Any] = dict.fromkeys(_COUNTS, 0) | {"losses": {}, "found": []}
    while True:
        report = _core.torture_disk(seed, total["stories"], _STORIES)
        for name in _COUNTS:
            total[name] += report[name]
        for loss, points in report["losses"].items():
            total["losses"][loss] = total["losses"].get(loss, 0) + points
        total["found"] += report["found"]
        if total["found"] or time.monotonic() >= deadline:
            break
    if as_json:
        write_json({"seed": seed} | total)
    else:
        _show(total, seed)
    if total["found"]:
        ctx.exit(FOUND_WRONG)


def _show(total: dict[str, Any], seed: int) -> None:
    click.echo(
        f"{total['crash_points']:,} crashes in {total['stories']:,} stories of seed {seed}, "
        f"{total['in_recovery']:,} of them while a log was opened again"
    )
    click.echo(f"  {total['torn']:,} torn frames cut, {total['disk_errors']:,} errors of the disk")
    for found in total["found"]:
        where = f"story {found['story']} step {found['step']}"
        if found["recovery_step"] is not None:
            where += f", step {found['recovery_step']} of opening it"
        click.secho(f"  {found['fault']} {where}, {found['loss']}: {found['what']}", fg="red")
    if not total["found"]:
        click.secho("  nothing lost, nothing called what it is not, no silent cut", fg="green")
