"""`cwts log serve`: a log over HTTP, for whoever verifies it from elsewhere."""

from __future__ import annotations

from pathlib import Path

import click

from cwts import serving

__all__ = ["serve"]


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    default=0,
    show_default="a free one",
    type=click.IntRange(0, 65_535),
    help="The port to listen on.",
)
@click.option("--entries", is_flag=True, help="Serve the entries too, not their hashes alone.")
def serve(*, directory: Path, host: str, port: int, entries: bool) -> None:
    """Serve the log in DIRECTORY as C2SP tlog-tiles until Ctrl-C: checkpoint, log.vkey, tile/...

    It reads a live log without its lock. Only hashes are served unless --entries is given. There
    is no TLS here: put it behind a proxy that has it.
    """
    app = serving.application(directory, entries=entries)
    bound = serving.listening(host, port)
    address, number = bound.getsockname()[:2]
    shown = f"[{address}]" if ":" in address else address
    click.echo(f"http://{shown}:{number}/checkpoint")
    serving.serve(app, bound)
