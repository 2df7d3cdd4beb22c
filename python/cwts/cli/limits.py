"""`cwts limits`: what a limits file says, what is wrong with it, and how it changes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from cwts import _core
from cwts.cli.inputs import flow_options
from cwts.cli.limit_changes import approve, diff, propose, show_effective
from cwts.cli.output import json_option, progress_bar, write_json

__all__ = ["limits"]


@click.group()
def limits() -> None:
    """Check, show, suggest and change limits."""


for _command in (diff, propose, approve):
    limits.add_command(_command)

_FILE = click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))


@limits.command()
@_FILE
@json_option
def check(file: Path, as_json: bool) -> None:
    """Name everything that is wrong with FILE, by line and key. Exit code 2: something is."""
    try:
        found = _core.check_limits(file.read_bytes(), str(file))
    except _core.LimitsError as error:
        if as_json:
            write_json({"ok": False, "path": str(file), "errors": error.errors})
        raise
    if as_json:
        write_json({"ok": True, "path": str(file), **found})
        return
    click.echo(f"{file}: ok, sha256 {found['sha256']}")
    if found["replay_only"]:
        click.echo(f"  for replays only: a live gateway refuses `{found['replay_only']}`")


@limits.command()
@_FILE
@click.option(
    "--effective",
    nargs=2,
    metavar="ACCOUNT SYMBOL",
    help="Every value that an order of this account in this symbol meets, and its origin.",
)
@click.option("--strategy", help="With --effective: also those of this strategy.")
@json_option
def show(
    file: Path, effective: tuple[str, str] | None, strategy: str | None, as_json: bool
) -> None:
    """Show what FILE defines."""
    if effective is not None:
        show_effective(file, *effective, strategy, as_json=as_json)
        return
    if strategy is not None:
        raise click.UsageError("--strategy goes with --effective ACCOUNT SYMBOL")
    found = _core.check_limits(file.read_bytes(), str(file))
    if as_json:
        write_json(found)
        return
    click.echo(f"{file}: in {found['base_currency']}")
    click.echo(f"{'sha256':<12} {found['sha256']}")
    for kind in ("desks", "customers", "accounts", "strategies", "groups", "instruments"):
        if found[kind]:
            click.echo(f"{kind:<12} {', '.join(found[kind])}")


@limits.command()
def schema() -> None:
    """Print the JSON Schema of a limits file."""
    write_json(_core.limits_schema())


@limits.command()
@click.argument("past", metavar="FILE|DIR", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--false-rejects",
    default="0.01%",
    show_default=True,
    help="Share of orders that all limits together may refuse: 0.01% or 0.0001.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="Where to write the limits file; one that exists is kept.",
)
@click.option("--force", is_flag=True, help="Replace a limits file that exists.")
@flow_options
@json_option
def suggest(
    *,
    past: Path,
    false_rejects: str,
    out: Path,
    force: bool,
    format_: str | None,
    date: str | None,
    tz: str,
    symbol: str | None,
    mapping: Literal["all", "file"] | None,
    as_json: bool,
) -> None:
    """Observe ordinary flow and write limits that refuse hardly any of it.

    FILE is order flow that is taken for ordinary; of a log in DIR the accepted orders are. Each
    limit stands with what was observed in a comment. The flow is then decided under the whole
    file, and the share that it refuses is printed: it is at most --false-rejects, or nothing is
    written. The same flow gives the same bytes.
    """
    from cwts._outputs import check_outputs
    from cwts._suggest import suggest_limits
    from cwts.audit import log_directory

    log = [("the log", log_directory(past))] if past.is_dir() else []
    check_outputs([("-o", out)], [("the input", past)], log)
    if out.exists() and not force:
        raise click.UsageError(f"{out} exists; --force replaces it")
    with progress_bar() as advance:
        found = suggest_limits(
            past,
            false_rejects=false_rejects,
            format=format_,
            date=date,
            tz=tz,
            symbol=symbol,
            mapping=mapping,
            progress=advance,
        )
    # What is written must be what the check accepts.
    _core.check_limits(found.text.encode(), str(out))
    found.write(out)
    if as_json:
        write_json({"path": str(out), **found.json})
        return
    run = found.json
    click.echo(f"{out}: {len(run['limits'])} limits from {run['orders']:,} orders of {past}")
    for row in run["limits"]:
        name = f"{row['control']} ({row['level']})"
        click.echo(f"  {name:<36} {row['limit']:>16}")
    share = run["refused_ppb"] / 10**7
    click.echo(
        f"measured   {run['refused']:,} of {run['orders']:,} orders refused ({share:.6f} %), "
        f"{run['allowed']:,} may be"
    )
    for name, count in sorted(run["by_first"].items(), key=lambda row: (-row[1], row[0])):
        click.echo(f"           {count:>9,}  {name}")
