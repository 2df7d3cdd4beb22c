"""`cwts whatif`: which past decisions flip under other limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from cwts import _whatif
from cwts._outputs import check_outputs
from cwts.audit import log_directory
from cwts.cli.inputs import flow_options
from cwts.cli.output import FOUND_WRONG, json_option, one_line, progress_bar, write_json

__all__ = ["whatif"]

_PATH = click.Path(path_type=Path, exists=True)
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("past", metavar="FILE|DIR", type=_PATH)
@click.option(
    "--limits", type=_FILE, required=True, help="The new limits file, or `equity`, `future`."
)
@click.option(
    "--old", type=_FILE, help="Limits to compare a FILE with. Default: cwts's own for it."
)
@click.option("--flips", type=_FILE, help="Where to write every flip as a CSV row.")
@click.option("--show", type=click.IntRange(0, 200), default=10, show_default=True, help="Rows.")
@flow_options
@json_option
@click.pass_context
def whatif(
    ctx: click.Context,
    *,
    past: Path,
    limits: Path,
    old: Path | None,
    flips: Path | None,
    show: int,
    format_: str | None,
    date: str | None,
    tz: str,
    symbol: str | None,
    mapping: Literal["all", "file"] | None,
    as_json: bool,
) -> None:
    """Decide past orders again under --limits, and list the decisions that flip.

    A FILE of order flow is decided under --old and under --limits side by side. A DIR is a log,
    or a folder that holds one: its own entries are decided under --limits and compared with its
    own decisions.

    Flips are an answer: exit code 0, however many. 1: the decisions in the log are not those that
    its own limits give. 2: bad input.
    """
    log = [("the log", log_directory(past))] if past.is_dir() else []
    read = [("the input", past), ("the new limits", limits), ("the old limits", old)]
    check_outputs([("--flips", flips)], read, log)
    with progress_bar() as advance:
        result = _whatif.whatif(
            past,
            limits,
            old=old,
            flips=flips,
            keep=0 if flips is not None and show == 0 else 200,
            format=format_,
            date=date,
            tz=tz,
            symbol=symbol,
            mapping=mapping,
            progress=advance,
        )
    found = result.json
    if as_json:
        write_json(dict(found))
    else:
        _show(found, show)
        if flips is not None:
            click.echo(f"flips      {flips}: {found['flips']:,} rows")
    own = found["own_limits"]
    if own is not None and own["differing"]:
        click.echo(
            f"cwts: {own['differing']:,} decisions of this log are not those that its own limits "
            f"give, the first at entry {own['first_entry']:,}: do not rely on it",
            err=True,
        )
        ctx.exit(FOUND_WRONG)


def _show(found: Any, show: int) -> None:
    source, old, new = found["source"], found["old"], found["new"]
    click.echo(f"{source['path']}: {found['orders']:,} orders, a {source['kind']}")
    versions = f" ({old['versions']} versions)" if old["versions"] > 1 else ""
    click.echo(f"old limits {old['path']}{versions}: {found['old_accepted']:,} accepted")
    click.echo(f"new limits {new['path']}: {found['new_accepted']:,} accepted")
    for key, title in (("newly_rejected", "newly rejected"), ("newly_accepted", "newly accepted")):
        tally = found[key]
        notional = int(tally["notional_micros"])
        click.echo(
            f"{title}  {tally['orders']:>9,}  notional {notional // 10**6:,}.{notional % 10**6:06d}"
        )
        for name, count in sorted(tally["by_bit"].items(), key=lambda row: (-row[1], row[0])):
            # An order may violate several, so these can come to more than their title.
            click.echo(f"      violated  {count:>9,}  {name}")
    if found["other_reasons"]:
        click.echo(f"rejected both times, for other reasons: {found['other_reasons']:,}")
    upstream = found["denied_upstream"]
    if upstream["entries"]:
        click.echo(
            f"left out   {upstream['entries']:,} entries on newly rejected orders (DENIED_UPSTREAM)"
        )
    rows = found["listed"][:show]
    for row in rows:
        was = ", ".join(row["old"]) or "accepted"
        now = ", ".join(row["new"]) or "accepted"
        told = (
            f"entry {row['seq']:,}: order {row['order_id']}, {row['account']}, {row['side']} "
            f"{row['qty']:,} {row['symbol']} at {row['price']}: {was} -> {now}"
        )
        click.echo(f"  {one_line(told)}")
    if found["flips"] > len(rows):
        click.echo(f"  the first {len(rows):,} of {found['flips']:,} flips; --flips writes all")
    own = found["own_limits"]
    if own is not None and not own["differing"]:
        click.echo("own limits give every decision of this log: checked")
    for note in found["notes"]:
        click.echo(f"note       {note}")
