"""`cwts explain`: one order's whole story, out of the log."""

from __future__ import annotations

from pathlib import Path

import click

from cwts import audit
from cwts.cli.output import FOUND_WRONG, json_option, write_json

__all__ = ["explain"]


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("order_id", type=click.IntRange(0, 2**64 - 1))
@json_option
@click.pass_context
def explain(ctx: click.Context, directory: Path, order_id: int, as_json: bool) -> None:
    """Tell what became of ORDER_ID in the log in DIRECTORY, and by which limit.

    It reads the log and proves nothing; `cwts log verify` does. Exit code 1: no such order.
    """
    found = audit.explain(directory, order_id)
    if as_json:
        write_json(found)
    elif not found["found"]:
        click.echo(f"order {order_id} is not in {directory}", err=True)
    else:
        for number, story in enumerate(found["stories"]):
            if number:
                click.echo()
            for sentence in story["text"]:
                click.echo(sentence)
    if not found["found"]:
        ctx.exit(FOUND_WRONG)
