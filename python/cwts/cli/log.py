"""`cwts log`: whether a log is intact, what stands in it, and proofs to take away."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final, Literal

import click

from cwts import audit
from cwts.cli.log_archive import archive, drill, expire
from cwts.cli.log_export import export
from cwts.cli.log_hold import hold, holds, release
from cwts.cli.log_keys import init, k0_option, key_of, vkey_option
from cwts.cli.log_query import query
from cwts.cli.log_read import (
    checkpoint,
    consistency,
    receipt,
    show,
    tail,
    unpack,
    verify_page,
)
from cwts.cli.log_seal import identity, seal, unseal
from cwts.cli.log_serve import serve
from cwts.cli.log_shred import identify, shred, subjects
from cwts.cli.log_watch import watch
from cwts.cli.log_witness import witness
from cwts.cli.output import FOUND_WRONG, json_option, one_line, write_json

__all__ = ["log"]

_DEPTH: Final = {
    "roots": "signatures and stored tree checked",
    "full": "every byte checked",
    "replay": "every byte checked, every decision made again",
}
#: Findings, and notes, that a person is shown; --json has all.
_SHOWN: Final = 20


@click.group()
def log() -> None:
    """Verify a log, read it, and take proofs out of it."""


@log.command()
@click.argument("path", type=click.Path(path_type=Path), metavar="DIRECTORY|FILE")
@vkey_option
@click.option(
    "--level",
    type=click.Choice(["roots", "full", "replay"]),
    default="full",
    show_default=True,
    help="roots: signatures and the stored tree only. replay: also decide every order again.",
)
@click.option(
    "--since",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A checkpoint that you kept, or the log's anchor: the log must go on from it.",
)
@k0_option
@json_option
@click.pass_context
def verify(
    ctx: click.Context,
    *,
    path: Path,
    vkeys: tuple[str, ...],
    level: Literal["roots", "full", "replay"],
    since: Path | None,
    k0: Path | None,
    as_json: bool,
) -> None:
    """Check every byte of every file of the log in DIRECTORY; nothing is written.

    Of a run of several files, all its logs and the root over them. A plain tlog-tiles directory
    of another maker, a receipt (.tlog-proof), a folder of receipts, or an export's folder or
    Parquet file is verified too; a receipt or an export needs a key, and no log.

    Exit code 0: intact. 1: the first broken entry is named. 2: not a log.
    """
    began = time.perf_counter()
    # A byte more than a note may have tells one that is longer.
    kept = None if since is None else since.read_bytes()[: (1 << 16) + 1]
    verdict = audit.verify(path, [key_of(text) for text in vkeys], level=level, since=kept, k0=k0)
    seconds = time.perf_counter() - began
    if as_json:
        write_json(verdict.to_json() | {"seconds": seconds})
    else:
        _show(verdict, level, seconds)
    if not verdict.ok:
        ctx.exit(FOUND_WRONG)


def _show(verdict: audit.Verdict, level: str, seconds: float) -> None:
    if verdict.ok and verdict.text:
        what = f"{len(verdict.entries):,} receipts" if verdict.entries else "an export"
        what += " proved without the log"
        click.echo(f"{_ok(verdict)}: {what}, {seconds:.2f} s")
    elif verdict.ok:
        depth = _DEPTH[level]
        of = f" in {len(verdict.logs):,} logs" if verdict.logs else ""
        click.echo(f"{_ok(verdict)}: {verdict.size:,} entries{of}, {depth}, {seconds:.2f} s")
    else:
        head = click.style("REJECTED", fg="red", bold=True)
        first = verdict.first_broken
        where = "no entry can be named" if first is None else f"first broken entry {first:,}"
        click.echo(f"{head}: {where}, {len(verdict.findings):,} findings")
        for finding in verdict.findings[:_SHOWN]:
            click.echo(f"  {_sentence(finding)}")
        if len(verdict.findings) > _SHOWN:
            click.echo(f"  and {len(verdict.findings) - _SHOWN:,} more (--json has them)")
    for number, one in enumerate(verdict.logs[:_SHOWN], 1):
        state = "ok" if one.ok else f"{len(one.findings):,} findings"
        closed = "" if one.clean is None else ", closed" if one.clean else ", not closed"
        click.echo(f"  log {number:04}     {state}{closed}, {one.size:,} entries, {one.root}")
    if len(verdict.logs) > _SHOWN:
        click.echo(f"  and {len(verdict.logs) - _SHOWN:,} more logs (--json has them)")
    for sentence in verdict.text:
        click.echo(f"  {one_line(sentence)}")
    click.echo(f"  origin       {one_line(verdict.origin) or 'none'}")
    click.echo(f"  root         {verdict.root or 'none'}")
    if verdict.text or (verdict.findings and verdict.clean is None and not verdict.size):
        _listed(verdict)
        return
    closed = "yes" if verdict.clean else "no: it is written, or was cut off"
    if verdict.clean is None:
        closed = f"not checked at level {level}: the last entry tells"
    click.echo(f"  closed       {closed}")
    _listed(verdict)


def _listed(verdict: audit.Verdict) -> None:
    for word, texts in (("note", verdict.notes), ("not checked", verdict.not_checked)):
        for text in texts[:_SHOWN]:
            click.echo(f"  {word:<11}  {text}")
        if len(texts) > _SHOWN:
            click.echo(f"  {word:<11}  and {len(texts) - _SHOWN:,} more (--json has them)")


def _ok(verdict: audit.Verdict) -> str:
    if verdict.logs and not verdict.root:
        # Each log holds for itself; one that was taken away is missed by nothing.
        return click.style("OK, BUT NO SIGNED ROOT OVER THE LOGS", fg="yellow", bold=True)
    return click.style("OK", fg="green", bold=True)


def _sentence(finding: dict[str, Any]) -> str:
    return one_line(str(finding["text"]))


for _command in (
    init,
    receipt,
    verify_page,
    consistency,
    checkpoint,
    show,
    tail,
    serve,
    unpack,
    archive,
    drill,
    expire,
    hold,
    release,
    holds,
    identify,
    subjects,
    shred,
    export,
    query,
    watch,
    seal,
    unseal,
    identity,
    witness,
):
    log.add_command(_command)
