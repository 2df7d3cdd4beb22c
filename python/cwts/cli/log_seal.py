"""`cwts log seal|unseal|identity`: what leaves the house, for its readers only."""

from __future__ import annotations

from pathlib import Path

import click

from cwts import sealing
from cwts.cli.output import json_option, write_json

__all__ = ["identity", "seal", "unseal"]

_output = click.option("-o", "--output", type=click.Path(path_type=Path), required=True)


@click.command()
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--to", "recipients", multiple=True, required=True, metavar="age1...", help="Repeatable."
)
@_output
@json_option
def seal(*, path: Path, recipients: tuple[str, ...], output: Path, as_json: bool) -> None:
    """Seal an archive, an export or a receipt at PATH with age, for its readers only.

    Each file becomes one with .age behind its name, which any age program opens. Roots and proofs
    are those of the files inside.
    """
    _say(sealing.seal(path, output, recipients), output, "sealed", as_json=as_json)


@click.command()
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--identity",
    "identities",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file of age-keygen or `cwts log identity`; repeatable.",
)
@_output
@json_option
def unseal(*, path: Path, identities: tuple[Path, ...], output: Path, as_json: bool) -> None:
    """Open what is sealed at PATH; `cwts log verify OUTPUT` checks what was in it.

    OUTPUT is whole or absent: one file that was changed, or sealed to others, and nothing is made.
    """
    _say(sealing.unseal(path, output, identities), output, "opened", as_json=as_json)


@click.command()
@_output
def identity(*, output: Path) -> None:
    """Make an age identity in OUTPUT and print its recipient, which others may have."""
    click.echo(sealing.new_identity(output))


def _say(files: int, output: Path, word: str, *, as_json: bool) -> None:
    if as_json:
        write_json({"output": str(output), "files": files})
        return
    click.echo(f"{files:,} {'file' if files == 1 else 'files'} {word}: {output}")
