"""The options that say how a file of order flow is read, for every command that reads one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

__all__ = ["flow_options"]

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS: Final = (
    click.option(
        "--format",
        "format_",
        type=click.Choice(["lobster", "dbn", "itch", "fix", "csv", "parquet", "arrow"]),
        help="Of a file. Default: found out from the content.",
    ),
    click.option("--date", help="The day of a LOBSTER or ITCH file. Default: in its name."),
    click.option("--tz", default="America/New_York", show_default=True, help="Its time zone."),
    click.option(
        "--symbol",
        help="The instrument of a file whose rows name none. Default, for LOBSTER: in its name.",
    ),
    click.option(
        "--mapping",
        type=click.Choice(["all", "file"]),
        help="Whose orders a file's are: one account's, or those of the file's accounts.",
    ),
)


def flow_options(command: Command) -> Command:
    """Give a command the options of a file of order flow."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
