"""`cwts log watch`: a log checked while it is written."""

from __future__ import annotations

from pathlib import Path

import click

from cwts import audit
from cwts.cli.log_keys import key_of, vkey_option
from cwts.cli.output import FOUND_WRONG, json_option, one_line, write_json

__all__ = ["watch"]


@click.command()
@click.argument(
    "directory", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="DIR"
)
@vkey_option
@json_option
@click.pass_context
def watch(ctx: click.Context, *, directory: Path, vkeys: tuple[str, ...], as_json: bool) -> None:
    """Check the log in DIR while it is written, until it is closed.

    Every entry, frame and checkpoint as it comes, and every decision made again: a false one is
    told within a millisecond of its being there. What was changed behind that is found by
    `cwts log verify`. With --json a line at the end.

    Exit code 0: it was closed, or you stopped the watch. 1: something is wrong, and it is named.
    """
    if len(vkeys) > 1:
        raise click.UsageError("a log has one key; --vkey was given twice")
    log = audit.one_log(directory)
    key = key_of(vkeys[0]) if vkeys else _own_key(log)
    looks = audit.watch(log, key)
    last = next(looks)
    try:
        while not (last.closed or last.findings):
            if not as_json:
                click.echo(f"\r{last.size:,} entries, nothing wrong", nl=False, err=True)
            last = next(looks)
    except KeyboardInterrupt:
        pass
    if as_json:
        write_json(
            {
                "ok": not last.findings,
                "size": last.size,
                "root": last.root,
                "closed": last.closed,
                "findings": last.findings,
            }
        )
    else:
        click.echo(err=True)
        for finding in last.findings:
            click.echo(one_line(str(finding["text"])))
        if not last.findings:
            state = "closed" if last.closed else "still written"
            click.echo(f"OK: {last.size:,} entries, {state}, root {last.root}")
    if last.findings:
        ctx.exit(FOUND_WRONG)


def _own_key(log: Path) -> str | None:
    file = log / "log.vkey"
    return key_of(str(file)) if file.is_file() else None
