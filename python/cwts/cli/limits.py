"""`cwts limits`: what a limits file says, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import click

from cwts import _core
from cwts.cli.output import json_option, write_json

__all__ = ["limits"]


@click.group()
def limits() -> None:
    """Check and show limits files."""


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
@json_option
def show(file: Path, as_json: bool) -> None:
    """Show what FILE defines."""
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
    from importlib.resources import files

    text = (files("cwts") / "schemas" / "limits-v1.json").read_text(encoding="utf-8")
    click.echo(text, nl=False)
