"""The keys that a command of `cwts log` is given."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["key_of", "vkey_option"]

vkey_option = click.option(
    "--vkey",
    "vkeys",
    multiple=True,
    metavar="KEY|FILE",
    help="A key that you trust, or a file such as log.vkey; repeatable. A run's own checks all "
    "its logs. Without one the log's own is used, which proves less.",
)


def key_of(text: str) -> str:
    """Give a key: the text itself, or what stands in the file of that name."""
    path = Path(text)
    try:
        return path.read_text(encoding="utf-8").strip() if path.is_file() else text
    except UnicodeDecodeError:
        raise click.UsageError(f"{path} is no key file: it is not text") from None
