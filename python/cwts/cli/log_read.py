"""`cwts log receipt|verify-page|consistency|checkpoint|show|tail|unpack`: reading, proofs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from cwts import _core, audit, receipts
from cwts.cli.log_keys import key_of, vkey_option
from cwts.cli.output import FOUND_WRONG, json_option, one_line, write_json

__all__ = ["checkpoint", "consistency", "receipt", "show", "tail", "unpack", "verify_page"]

#: Entries that `show` and `tail` read at once.
_ENTRIES_MAX: Final = 65_536

_directory = click.argument("directory", type=click.Path(path_type=Path))


@click.command()
@_directory
@click.argument("index", type=click.IntRange(min=0), required=False)
@click.option("--order", "order_id", type=click.IntRange(min=0), metavar="ID", help="An order's.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="A file; with --order a folder, which must be absent or empty.",
)
@click.option(
    "--lines",
    type=click.Choice(["strongest", "all"]),
    default="strongest",
    show_default=True,
    help="Signature lines to keep; with all, every key must be given to verify.",
)
@json_option
def receipt(
    *,
    directory: Path,
    index: int | None,
    order_id: int | None,
    output: Path,
    lines: str,
    as_json: bool,
) -> None:
    """Write the proof of entry INDEX, to be verified offline by `cwts log verify`.

    With --order the proofs of an order, its decision, and the entries that name its account,
    instrument, limits and operators; verified together they say in words what happened.
    """
    if (index is None) == (order_id is None):
        raise click.UsageError("pass INDEX, or --order ID")
    if index is not None:
        files = {output: receipts.receipt(directory, index, all_lines=lines == "all")}
    else:
        if lines == "all":
            raise click.UsageError("--lines all goes with INDEX")
        if output.exists() and (not output.is_dir() or any(output.iterdir())):
            raise click.UsageError(f"{output} exists and is no empty folder; name another")
        named = receipts.order_receipts(directory, order_id or 0)
        files = {output / name: content for name, content in named.items()}
    target = output if order_id is not None else output.parent
    if target.resolve().is_relative_to(audit.log_directory(directory).resolve()):
        raise click.UsageError(f"{output} lies in the log: a log holds nothing but its own files")
    if order_id is not None:
        output.mkdir(parents=True, exist_ok=True)
    for path, content in files.items():
        # A receipt that is there may be somebody's only copy.
        with path.open("xb") as file:
            file.write(content)
    if as_json:
        write_json({"files": [str(path) for path in files]})
        return
    noun = "receipt" if len(files) == 1 else "receipts"
    click.echo(f"{len(files)} {noun} written to {output}")
    click.echo(f"verify: cwts log verify {output} --vkey KEY")


@click.command("verify-page")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@json_option
def verify_page(*, output: Path, as_json: bool) -> None:
    """Write a page that checks a receipt in a browser, offline: open it, drop the receipt on it."""
    from cwts.verify_page import verify_page as page

    with output.open("x", encoding="utf-8") as file:
        file.write(page())
    if as_json:
        write_json({"output": str(output)})
    else:
        click.echo(f"page written to {output}: open it in a browser, and drop a receipt on it")


@click.command()
@_directory
@click.argument("old")
@click.argument("new", type=click.IntRange(min=0), required=False)
@vkey_option
@json_option
@click.pass_context
def consistency(
    ctx: click.Context,
    *,
    directory: Path,
    old: str,
    new: int | None,
    vkeys: tuple[str, ...],
    as_json: bool,
) -> None:
    """Prove that the log's first OLD entries are the beginning of its first NEW.

    OLD is a size, or the file of a checkpoint that you kept: then its signature and its root are
    held against the log. NEW is the signed size unless it is given.

    Exit code 1: the log is not what was signed then.
    """
    path = Path(old)
    kept = None if old.isdecimal() else path
    if kept is not None and not kept.is_file():
        raise click.UsageError(f"{old} is neither a size nor a file")
    log = audit.one_log(directory)
    keys = [key_of(text) for text in vkeys]
    if kept is not None and not keys:
        keys = [key_of(str(log / "log.vkey"))]
    proof = _core.consistency(
        str(log),
        int(old) if kept is None else 0,
        new,
        kept=None if kept is None else kept.read_bytes()[: 1 << 17],
        keys=keys,
    )
    if as_json:
        write_json(proof)
    else:
        head = "CONSISTENT" if proof["ok"] else f"INCONSISTENT: {proof['why']}"
        click.echo(click.style(head, fg="green" if proof["ok"] else "red", bold=True))
        click.echo(f"  origin  {one_line(proof['origin'])}")
        click.echo(f"  old     {proof['old']:,} entries, root {proof['old_root']}")
        click.echo(f"  new     {proof['new']:,} entries, root {proof['new_root']}")
        for line in proof["proof"]:
            click.echo(f"  proof   {line}")
    if not proof["ok"]:
        ctx.exit(FOUND_WRONG)


@click.command()
@_directory
@json_option
def checkpoint(*, directory: Path, as_json: bool) -> None:
    """Print the newest signed checkpoint: keep a copy of it elsewhere.

    `cwts log consistency DIRECTORY COPY` later tells whether the log still begins so.
    """
    found = _core.checkpoint(str(audit.one_log(directory)))
    if as_json:
        write_json(found)
    else:
        click.echo(found["note"], nl=False)


@click.command()
@_directory
@click.option("-o", "--output", type=click.Path(path_type=Path))
@json_option
def unpack(*, directory: Path, output: Path | None, as_json: bool) -> None:
    """Write the log as a plain tlog-tiles directory, for other people's tools.

    Checkpoint, key, tiles and entry bundles, as they were published; OUTPUT must be absent or
    empty. `cwts log verify OUTPUT` verifies it.

    Without -o the log's own archived entries go back to where they were before `cwts log archive
    --before`; no gateway may run on it.
    """
    log = audit.one_log(directory)
    if output is None:
        files = _core.unarchive(str(log))
        if as_json:
            write_json({"dir": str(log), "files": files})
        else:
            click.echo(f"{files:,} files are back in {log}; nothing is archived in it")
        return
    if output.resolve().is_relative_to(log.resolve()):
        raise click.UsageError(f"{output} lies in the log: a log holds nothing but its own files")
    size = _core.unpack(str(log), str(output))
    if as_json:
        write_json({"output": str(output), "size": size})
    else:
        click.echo(f"{size:,} entries written to {output} as a plain tlog-tiles log")


@click.command()
@_directory
@click.argument("first", type=click.IntRange(min=0))
@click.argument("last", type=click.IntRange(min=0), required=False)
@json_option
def show(*, directory: Path, first: int, last: int | None, as_json: bool) -> None:
    """Print entry FIRST, or entries FIRST to LAST, by the log's own schema."""
    last = first if last is None else last
    if last < first:
        raise click.UsageError(f"LAST {last} is below FIRST {first}")
    if last - first >= _ENTRIES_MAX:
        raise click.UsageError(f"at most {_ENTRIES_MAX:,} entries at once")
    _print(_core.read_entries(str(audit.one_log(directory)), first, last + 1), as_json)


@click.command()
@_directory
@click.option(
    "-n",
    "--entries",
    type=click.IntRange(min=1, max=_ENTRIES_MAX),
    default=10,
    show_default=True,
)
@json_option
def tail(*, directory: Path, entries: int, as_json: bool) -> None:
    """Print the last entries under the checkpoint."""
    log = str(audit.one_log(directory))
    size = int(_core.checkpoint(log)["size"])
    _print(_core.read_entries(log, max(0, size - entries), size), as_json)


def _print(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        write_json(rows)
        return
    for row in rows:
        if row["type"] is None:
            click.echo(f"{row['index']}  {row['bytes']}")
            continue
        header = row["header"]
        body = " ".join(f"{name}={value}" for name, value in row["body"].items())
        line = f"{row['index']}  {row['type']:<15} utc_ns={header['utc_ns']} "
        line += f"producer={header['producer']}:{header['producer_seq']} {body}"
        click.echo(one_line(line))
