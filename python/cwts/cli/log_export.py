"""`cwts log export`: a log's views as files, with what proves them complete."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from cwts import audit
from cwts.cli.output import json_option, one_line, write_json

__all__ = ["export"]

#: What `--json` leaves to the manifest itself: hashes by the thousand.
_LONG: Final = {"left", "subtrees", "right"}


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["parquet", "csv", "jsonl"]),
    default="parquet",
    show_default=True,
)
@click.option(
    "--from",
    "start",
    metavar="TIME",
    help='A time such as "2026-11-23T21:00Z", a date, or UTC epoch nanoseconds.',
)
@click.option("--to", "end", metavar="TIME", help="Up to this time, and without it.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="A folder, which must be absent or empty.",
)
@json_option
def export(
    *,
    directory: Path,
    form: str,
    start: str | None,
    end: str | None,
    output: Path,
    as_json: bool,
) -> None:
    """Write the entries, orders, decisions, ... of the log in DIRECTORY as a file each.

    Entries stand by index and not by time: written is the smallest range of indices that covers
    every entry from --from on and before --to. The manifest beside the files proves that no entry
    of that range is missing or changed: `cwts log verify OUTPUT --vkey KEY` needs no log.
    """
    manifest: dict[str, Any] = audit.export(directory, output, format=form, start=start, end=end)
    if personal := manifest["personal"]:
        named = ", ".join(f"{count:,} {kind}" for kind, count in personal.items())
        click.echo(
            f"cwts: the export holds the texts of {named} entries, which may name people; who "
            "gets it can read them",
            err=True,
        )
    if as_json:
        write_json({name: value for name, value in manifest.items() if name not in _LONG})
        return
    first, last = manifest["first"], manifest["last"]
    click.echo(
        f"entries {first:,} to {last:,} of the {manifest['size']:,} of "
        f"{one_line(manifest['origin'])} written to {output}"
    )
    for row in manifest["files"]:
        click.echo(f"  {row['file']:<18} {row['rows']:>12,} rows")
    click.echo(f"verify: cwts log verify {output} --vkey KEY")
