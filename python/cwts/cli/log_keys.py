"""`cwts log init`, and the keys that a command of `cwts log` is given."""

from __future__ import annotations

from pathlib import Path

import click

from cwts import _core
from cwts.cli.output import json_option, one_line, write_json

__all__ = ["init", "k0_option", "key_of", "vkey_option"]

vkey_option = click.option(
    "--vkey",
    "vkeys",
    multiple=True,
    metavar="KEY|FILE",
    help="A key that you trust, or a file such as log.vkey; repeatable. A run's own checks all "
    "its logs. Without one the log's own is used, which proves less.",
)


k0_option = click.option(
    "--k0",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="The file that keeps the log's K_0, which `cwts log init` gave: every frame's MAC in "
    "every key epoch is checked too.",
)


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--origin", help="The log's name, as its checkpoints say it; made up by default.")
@click.option(
    "--escrow",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write K_0 to this new file, on a stick or another host's disk, and nowhere else.",
)
@click.option("--print-k0", is_flag=True, help="Print K_0 and write it nowhere.")
@json_option
def init(
    *, directory: Path, origin: str | None, escrow: Path | None, print_k0: bool, as_json: bool
) -> None:
    """Make a log in DIRECTORY with its keys, before anything writes to it.

    Two lines are printed: the key for the auditor, and what to keep off this host. K_0 is the first
    frame key. Who keeps it can tell whether an intruder, even one with all keys of this host, has
    rewritten what was logged before he came; the host itself does not need it.
    """
    if escrow is not None and print_k0:
        raise click.UsageError("--escrow and --print-k0: choose one")
    path = None if escrow is None else str(escrow)
    vkey, kept, k0 = _core.init_log(str(directory), origin=origin, escrow=path, hand_over=print_k0)
    if as_json:
        write_json({"log": str(directory), "vkey": vkey, "escrow": kept, "k0": k0})
        return
    click.echo(f"give to the auditor     {vkey}")
    click.echo(f"keep off this host      {one_line(kept or k0 or '')}")


def key_of(text: str) -> str:
    """Give a key: the text itself, or what stands in the file of that name."""
    path = Path(text)
    try:
        return path.read_text(encoding="utf-8").strip() if path.is_file() else text
    except UnicodeDecodeError:
        raise click.UsageError(f"{path} is no key file: it is not text") from None
