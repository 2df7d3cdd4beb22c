"""`cwts log archive|drill|expire`: cold blocks, whether they bring the log back, and their end."""

from __future__ import annotations

import time
from pathlib import Path

import click

from cwts import _core, archives, audit
from cwts.cli.log_keys import key_of, vkey_option
from cwts.cli.output import FOUND_WRONG, json_option, one_line, write_json
from cwts.limits import time_ns

__all__ = ["archive", "drill", "expire"]


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write a copy here.")
@click.option("--before", metavar="TIME", help="Move what is older, as in 2026-11-01T00:00Z.")
@json_option
def archive(*, directory: Path, output: Path | None, before: str | None, as_json: bool) -> None:
    """Put entries of the log in DIRECTORY into cold blocks, for years: some bytes an event.

    With -o a copy: the log stays as it is, `cwts log verify OUTPUT` checks the copy, `cwts log
    unpack OUTPUT -o PLAIN` makes a log of it again.

    With --before the log's own older entries move into DIRECTORY/archive. Whole segments (a day
    each, or 64 MiB) are packed, read back to the signed root and logged, and only then removed.
    The log verifies, answers and goes on as before; `cwts log unpack DIRECTORY` undoes it.
    """
    log = audit.one_log(directory)
    if (output is None) == (before is None):
        raise click.UsageError("give -o OUTPUT for a copy, or --before TIME to move older entries")
    if output is None:
        _move(log, before or "", as_json=as_json)
        return
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
@click.argument("directory", type=click.Path(path_type=Path, exists=True), metavar="ARCHIVE")
@click.option("--log", type=click.Path(path_type=Path), required=True, help="Where it is recorded.")
@click.option("--now", metavar="TIME", help="As if it were then; never later than now.")
@click.option("--as", "actor", required=True, help="Who deletes.")
@json_option
def expire(*, directory: Path, log: Path, now: str | None, actor: str, as_json: bool) -> None:
    """Delete an ARCHIVE (of `cwts log archive -o`) whose years are over and that no case holds.

    The years are those that the archived log promised in its GENESIS; cases are those of the
    archived log and of --log, in which the deletion is recorded before, as a refusal is. An archive
    goes whole, as its entries are read with what stands at its start.

    Exit code 2: its time is not over, a case holds it (named), or it does not verify.
    """
    at = time.time_ns() if now is None else time_ns(now, "--now")
    done = _core.expire(str(directory), str(audit.log_directory(log)), at, actor=actor)
    if as_json:
        write_json({"archive": str(directory)} | done)
        return
    click.echo(
        f"{directory}: {done['entries']:,} entries of {one_line(done['origin'])} are deleted"
    )
    click.echo(f"  root     {done['root']}")
    click.echo(f"  entry    {done['seq']:,} of {log} says so")


def _move(log: Path, before: str, *, as_json: bool) -> None:
    done = archives.archive_before(log, before)
    if as_json:
        write_json({"dir": str(log)} | done)
        return
    if done["blocks"]:
        each = done["bytes"] / done["entries"]
        click.echo(
            f"{done['entries']:,} entries moved into {done['blocks']:,} blocks, "
            f"{done['bytes']:,} bytes ({each:.1f} an entry); {done['freed']:,} bytes are free"
        )
    else:
        click.echo("no whole segment lies before that time and is not archived yet")
    if done["before"] > done["end"]:
        left = done["before"] - done["end"]
        click.echo(f"{left:,} older entries stay: they share a segment with later ones")


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
