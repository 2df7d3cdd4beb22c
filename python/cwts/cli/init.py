"""`cwts init`: a directory to start from."""

from __future__ import annotations

import shlex
from importlib.resources import files
from pathlib import Path
from typing import Final

import click

__all__ = ["init"]

#: File in the new directory: file that comes with cwts.
_FILES: Final = {"limits.toml": "starter.toml", "first_order.py": "first_order.py.in"}
#: What a version control system must not take in: the log is evidence, not source.
_IGNORED: Final = "/log/\n/*.run/\n"


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
def init(directory: Path) -> None:
    """Write limits.toml and first_order.py, a script that sends a first order, to DIRECTORY.

    Nothing that exists is overwritten.
    """
    contents = {
        name: (files("cwts") / "defaults" / source).read_text(encoding="utf-8")
        for name, source in _FILES.items()
    } | {".gitignore": _IGNORED}
    there = [name for name in contents if (directory / name).exists()]
    if there:
        raise click.UsageError(f"{directory / there[0]} exists; choose another directory")
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in contents.items():
        (directory / name).write_text(text, encoding="utf-8")
        click.echo(f"wrote {directory / name}")
    script = shlex.quote(str(directory / "first_order.py"))
    limits = shlex.quote(str(directory / "limits.toml"))
    click.echo(f"\nnext:\n  python {script}\n  cwts limits check {limits}")
