"""`cwts torture stress`: twice the busiest second of a log, and whether every limit held."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from cwts import _core, audit
from cwts.cli.output import FOUND_WRONG, json_option, write_json

__all__ = ["stress"]


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--limits",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Limits to send under. Default: those in force in the log.",
)
@click.option(
    "--factor",
    default=2,
    show_default=True,
    type=click.IntRange(1, 100),
    help="How often the busiest window is sent.",
)
@click.option(
    "--window",
    "window_s",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0.001, 3_600.0),
    help="Its length in seconds.",
)
@json_option
@click.pass_context
def stress(
    ctx: click.Context,
    *,
    directory: Path,
    limits: Path | None,
    factor: int,
    window_s: float,
    as_json: bool,
) -> None:
    """Send the busiest second of the log in DIRECTORY twice through a gateway of its own.

    The busiest second of the last six months is looked for, its messages go to a fresh gateway as
    fast as they can (its log is on disk, in a temporary folder), and the new log is folded: did
    every limit hold, is what came out what went in, and did it take no longer than the second?
    RTS 6 Art. 10 asks for such a test once a year. For a market's file, `cwts replay` it first.

    Exit code 1: something did not hold. 2: no order, or more than 1,000,000 messages.
    """
    text = None if limits is None else limits.read_bytes()
    with tempfile.TemporaryDirectory(prefix="cwts-stress-") as work:
        found = _core.torture_stress(
            str(audit.one_log(directory)),
            work,
            factor=factor,
            window_ns=round(window_s * 1e9),
            limits=text,
            limits_path="" if limits is None else str(limits),
        )
    if as_json:
        write_json(found)
    else:
        _print(found, window_s)
    if not found["held"]:
        ctx.exit(FOUND_WRONG)


def _print(found: dict[str, Any], window_s: float) -> None:
    busiest = found["busiest"]
    at = datetime.fromtimestamp(busiest["end_utc_ns"] // 10**9, UTC)
    seconds = found["elapsed_ns"] / 1e9
    click.echo(
        f"busiest {window_s:g} s: {busiest['messages']:,} messages, until {at:%Y-%m-%d %H:%M:%S}Z"
    )
    click.echo(
        f"sent {found['factor']} x: {found['messages']:,} messages in {seconds:.3f} s, "
        f"{found['accepted']:,} of {found['orders']:,} orders accepted"
    )
    if found["unknown_names"]:
        click.echo(f"  {found['unknown_names']:,} name somebody whom the limits do not know")
    for row in found["limits"]:
        if not row["held"]:
            unit = 10**6 if row["money"] else 1
            peak, most = row["peak"] / unit, row["max"] / unit
            click.echo(f"  {row['scope']} {row['limit']}: {peak:,.2f} of {most:,.2f}")
    for name, key in _HELD:
        click.echo(f"{name}: {'yes' if found[key] else 'NO'}")


_HELD = (
    ("every limit held", "limits_held"),
    ("messages out are messages in", "in_out_equal"),
    ("it took no longer than the window", "in_time"),
)
