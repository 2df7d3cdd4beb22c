"""`cwts log archive|drill`: a cold copy of a log, and whether it brings the log back."""

from __future__ import annotations

from pathlib import Path

import click

from cwts import archives, audit
from cwts.cli.log_keys import key_of, vkey_option
from cwts.cli.output import FOUND_WRONG, json_option, one_line, write_json

__all__ = ["archive", "drill"]


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@json_option
def archive(*, directory: Path, output: Path, as_json: bool) -> None:
    """Write a cold copy of the log in DIRECTORY, for years: columns, some bytes an event.

    What is written is read back and held against the signed root. The log stays as it is. `cwts log
    verify OUTPUT` checks the copy, `cwts log unpack OUTPUT -o PLAIN` makes a log of it again.
    """
    log = audit.one_log(directory)
    if output.resolve().is_relative_to(log.resolve()):
        raise click.UsageError(f"{output} lies in the log: a log holds nothing but its own files")
    done = archives.archive(log, output)
    if as_json:
        write_json({"output": str(output)} | done)
        return
    each = done["bytes"] / max(done["entries"], 1)
    click.echo(
        f"{done['entries']:,} entries in {done['blocks']:,} blocks, {done['bytes']:,} bytes "
        f"({each:.1f} an entry), read back to the signed root"
    )
    click.echo(f"verify: cwts log verify {output} --vkey KEY")


@click.command()
@click.argument("directory", type=click.Path(path_type=Path), metavar="ARCHIVE")
@vkey_option
@json_option
@click.pass_context
def drill(ctx: click.Context, *, directory: Path, vkeys: tuple[str, ...], as_json: bool) -> None:
    """Restore an ARCHIVE into a scratch folder, verify the log that it gives, and say how long.

    Exit code 0: everything that was signed came back. 1: something did not.
    """
    found = archives.drill(directory, [key_of(text) for text in vkeys])
    if as_json:
        write_json(found.to_json())
    else:
        word, colour = ("RESTORED", "green") if found.verdict.ok else ("NOT RESTORED", "red")
        click.echo(click.style(word, fg=colour, bold=True), nl=False)
        click.echo(
            f": {found.verdict.size:,} entries in {found.restore_s:.1f} s, verified in "
            f"{found.verify_s:.1f} s"
        )
        for finding in found.verdict.findings:
            click.echo(f"  {one_line(str(finding['text']))}")
        if found.verdict.ok:
            click.echo(f"  root     {found.verdict.root}")
            click.echo(f"  a day    10 million events at this pace: {found.day_s:.0f} s")
    if not found.verdict.ok:
        ctx.exit(FOUND_WRONG)
