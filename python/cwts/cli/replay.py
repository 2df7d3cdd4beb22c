"""`cwts replay`: a file of order flow through the limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from cwts import _replay
from cwts.cli.fingerprint import differences, read_fingerprint
from cwts.cli.output import FOUND_WRONG, json_option, nanoseconds, progress_bar, write_json

__all__ = ["replay", "show_run"]

_PATH = click.Path(path_type=Path)
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("file", type=_PATH)
@click.option("--limits", type=_FILE, help="The limits file. Default: those that come with cwts.")
@click.option("--log", "log", type=_PATH, help="Where to write the log: absent or empty.")
@click.option("--no-log", is_flag=True, help="Decide only; this is the default without --log.")
@click.option("--decisions", type=_FILE, help="Where to write a CSV row an order.")
@click.option("--report", type=_FILE, help="Where to write the HTML report.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["lobster", "itch", "fix", "csv", "parquet", "arrow"]),
    help="Default: found out from the content.",
)
@click.option("--date", help="The day of a LOBSTER or ITCH file. Default: in its name.")
@click.option("--tz", default="America/New_York", show_default=True, help="Its time zone.")
@click.option("--symbol", help="The instrument of a LOBSTER file. Default: in its name.")
@click.option(
    "--mapping",
    type=click.Choice(["all", "file"]),
    help="One account's orders, or those of the file's accounts.",
)
@click.option("--strict", is_flag=True, help="A garbled FIX message is an error: exit code 2.")
@click.option("--expect", type=_FILE, help="A fingerprint that the decisions must have.")
@json_option
@click.pass_context
def replay(
    ctx: click.Context,
    *,
    file: Path,
    limits: Path | None,
    log: Path | None,
    no_log: bool,
    decisions: Path | None,
    report: Path | None,
    format_: str | None,
    date: str | None,
    tz: str,
    symbol: str | None,
    mapping: Literal["all", "file"] | None,
    strict: bool,
    expect: Path | None,
    as_json: bool,
) -> None:
    """Run every order of FILE through the limits, as a live gateway would.

    Exit code 1: --expect differs. 2: bad input, with file, record and byte.
    """
    if log is not None and no_log:
        raise click.UsageError("--log and --no-log contradict each other")
    expected = None if expect is None else read_fingerprint(expect)
    with progress_bar() as advance:
        result = _replay.replay(
            file,
            limits,
            log=log,
            decisions=decisions,
            format=format_,
            date=date,
            tz=tz,
            symbol=symbol,
            mapping=mapping,
            keep=False,
            progress=advance,
            strict=strict,
        )
    if report is not None:
        result.report(report)
    wrong = [] if expected is None else differences(result.json, expected)
    if as_json:
        write_json(dict(result.json))
    else:
        show_run(result.json)
        for name, path in (("decisions", decisions), ("report", report)):
            if path is not None:
                click.echo(f"{name:<10} {path}")
        if expected is not None and not wrong:
            click.echo(f"fingerprint as expected ({expect})")
    for sentence in wrong:
        click.echo(f"cwts: fingerprint differs: {sentence}", err=True)
    if wrong:
        ctx.exit(FOUND_WRONG)


def show_run(run: Any) -> None:
    """Write what a run decided, for a person."""
    source = run["inputs"][0]
    seconds = run["seconds"]["total"]
    orders, accepted = run["orders"], run["accepted"]
    rate = f", {orders / seconds / 1e6:.2f} M orders/s" if seconds else ""
    click.echo(
        f"{source['path']}: {source['format']}, {source['records']:,} records, "
        f"{seconds:.3f} s{rate}"
    )
    click.echo(f"orders     {orders:,}: {accepted:,} accepted, {orders - accepted:,} rejected")
    for name, count in sorted(run["by_first"].items(), key=lambda row: -row[1]):
        click.echo(f"           {count:>9,}  {name}")
    passed, odd = run["passed"], {k: v for k, v in run["anomalies"].items() if v}
    click.echo(f"passed     {passed['cancel']:,} cancels, {passed['fill']:,} fills")
    if odd:
        click.echo("irregular  " + ", ".join(f"{count:,} {name}" for name, count in odd.items()))
    ns = run["ns_per_order"]
    click.echo(
        f"check      p50 {nanoseconds(ns['p50'])}, p99 {nanoseconds(ns['p99'])}, "
        f"p99.9 {nanoseconds(ns['p999'])}, in bursts p99.9 {nanoseconds(ns['burst_p999'])}"
    )
    log = run["log"]
    if log is not None:
        click.echo(f"log        {log['dir']}: {log['entries']:,} entries on disk")
        click.echo(f"           root {log['root']}")
    for warning in run["warnings"]:
        click.echo(f"warning    {warning}")
