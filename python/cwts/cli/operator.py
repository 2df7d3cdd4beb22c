"""`cwts operator`: the keys of the people who change limits and lift holds."""

from __future__ import annotations

import click

from cwts import _core
from cwts.cli.output import json_option, write_json

__all__ = ["operator"]

#: What a new operator may sign, until somebody strikes something out.
_MAY = ("raise", "resume", "override", "hold")


@click.group()
def operator() -> None:
    """Make operators' keys."""


@operator.command()
@click.argument("name")
@json_option
def new(name: str, as_json: bool) -> None:
    """Make a key for NAME and print the lines for the limits file.

    The secret half lies in $CWTS_KEYS/operator/NAME (default: the user's state folder), readable
    by its owner only; it is never shown. A name that has a key keeps it.
    """
    vkey = _core.new_operator(name)
    if as_json:
        write_json({"name": name, "key": vkey, "may": list(_MAY)})
        return
    rights = ", ".join(f'"{right}"' for right in _MAY)
    quoted = name if name.replace("_", "").replace("-", "").isalnum() else f'"{name}"'
    click.echo(f'[operator.{quoted}]\nkey = "{vkey}"\nmay = [{rights}]')
