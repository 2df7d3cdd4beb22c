"""`cwts log serve`: a log over HTTP, for whoever verifies it from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from socket import socket
from typing import Any, TypeVar

import click

from cwts import serving

__all__ = ["address", "serve", "url_of"]

_Command = TypeVar("_Command", bound=Callable[..., Any])


def address(command: _Command) -> _Command:
    """Give a command the options of where it listens."""
    for option in (
        click.option(
            "--port",
            default=0,
            show_default="a free one",
            type=click.IntRange(0, 65_535),
            help="The port to listen on.",
        ),
        click.option(
            "--host", default="127.0.0.1", show_default=True, help="The address to listen on."
        ),
    ):
        command = option(command)
    return command


def url_of(bound: socket) -> str:
    """Give the address of a listening socket as a URL without a path."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@address
@click.option("--entries", is_flag=True, help="Serve the entries too, not their hashes alone.")
def serve(*, directory: Path, host: str, port: int, entries: bool) -> None:
    """Serve the log in DIRECTORY as C2SP tlog-tiles until Ctrl-C: checkpoint, log.vkey, tile/...

    It reads a live log without its lock. Only hashes are served unless --entries is given. There
    is no TLS here: put it behind a proxy that has it.
    """
    app = serving.application(directory, entries=entries)
    bound = serving.listening(host, port)
    click.echo(f"{url_of(bound)}/checkpoint")
    serving.serve(app, bound)
