"""`cwts explain`: one order's whole story, out of the log."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from cwts import audit
from cwts.cli.log_keys import key_of
from cwts.cli.output import FOUND_WRONG, json_option, one_line, write_json

__all__ = ["explain"]

#: What followed an order is shown up to here.
_SHOWN: Final = 20


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("order_id", type=click.IntRange(0, 2**64 - 1))
@click.option(
    "--vkey",
    "vkeys",
    multiple=True,
    metavar="KEY|FILE",
    help="A key that you trust: the log is verified with it first. Without one the story says "
    "that the log is unauthenticated.",
)
@json_option
@click.pass_context
def explain(
    ctx: click.Context, directory: Path, order_id: int, *, vkeys: tuple[str, ...], as_json: bool
) -> None:
    """Tell what became of ORDER_ID in the log in DIRECTORY, and by which limit.

    Exit code 1: no such order, or a key was given and the log is not what it signed.
    """
    found = audit.explain(directory, order_id, [key_of(text) for text in vkeys])
    if as_json:
        write_json(found)
    elif not found["found"]:
        click.echo(f"order {order_id} is not in {directory}", err=True)
    else:
        for number, story in enumerate(found["stories"]):
            if number:
                click.echo()
            for sentence in story["text"]:
                click.echo(one_line(sentence))
            for later in story["later"][:_SHOWN]:
                click.echo(f"Entry {later['seq']}: {one_line(later['what'])}.")
            if len(story["later"]) > _SHOWN:
                click.echo(f"And {len(story['later']) - _SHOWN:,} entries more (--json has them).")
    if not as_json:
        word = "" if found["authenticated"] else "unauthenticated: "
        click.echo(f"({word}{found['how']})", err=not found["found"])
    if not found["found"]:
        ctx.exit(FOUND_WRONG)
