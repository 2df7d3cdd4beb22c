"""`cwts log witness`: be a witness of logs, or let one cosign a log's newest checkpoint."""

from __future__ import annotations

import os
from pathlib import Path

import click

from cwts import _core, audit, serving
from cwts.cli.log_keys import key_of
from cwts.cli.log_serve import address, url_of
from cwts.cli.output import FOUND_WRONG, json_option, write_json
from cwts.errors import input_error

__all__ = ["witness"]

_key = click.option("--key", type=click.Path(path_type=Path), required=True, help="Its secret key.")
_state = click.option(
    "--state", type=click.Path(path_type=Path), required=True, help="What it has cosigned so far."
)


@click.group()
def witness() -> None:
    """Witness logs of others, or have one's own witnessed (C2SP tlog-witness)."""


@witness.command()
@click.option("--name", required=True, help="Its name, as in witness.example/w1; no space, no +.")
@_key
@_state
@json_option
def init(*, name: str, key: Path, state: Path, as_json: bool) -> None:
    """Make a witness's secret key and its empty state, and print its public key.

    Both files must be absent. A witness that loses its state would cosign a second history, so
    `serve` makes none.
    """
    vkey = _core.new_witness(name, os.fspath(key), os.fspath(state))
    if as_json:
        write_json({"vkey": vkey, "key": str(key), "state": str(state)})
    else:
        click.echo(vkey)


@witness.command()
@_key
@_state
@click.option(
    "--log",
    "logs",
    multiple=True,
    required=True,
    metavar="KEY|FILE",
    help="The key of a log to witness, or a file such as log.vkey; repeatable.",
)
@address
def serve(*, key: Path, state: Path, logs: tuple[str, ...], host: str, port: int) -> None:
    """Cosign checkpoints of logs until Ctrl-C, each only if it goes on from the last.

    POST /add-checkpoint; the state is on disk before an answer leaves. There is no TLS here: put
    it behind a proxy that has it.
    """
    served = _core.Witness(os.fspath(key), os.fspath(state), [key_of(text) for text in logs])
    app = serving.witness_application(served)
    bound = serving.listening(host, port)
    click.echo(f"{url_of(bound)} {served.vkey}")
    serving.serve(app, bound)


@witness.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--witness", "url", required=True, metavar="URL", help="Its submission prefix.")
@click.option("--vkey", required=True, metavar="KEY|FILE", help="Its public key, or a file of it.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0, 60, min_open=True),
    default=10.0,
    show_default=True,
    help="Seconds to wait for its answer.",
)
@json_option
@click.pass_context
def submit(
    ctx: click.Context, *, directory: Path, url: str, vkey: str, timeout_s: float, as_json: bool
) -> None:
    """Let a witness cosign the newest checkpoint of the log in DIRECTORY.

    Its line is kept in checkpoint.witnessed, beside the lines of other witnesses of the same
    checkpoint. `cwts log verify DIRECTORY --vkey LOGKEY --vkey WITNESSKEY` checks it.

    Exit code 1: the witness and the log do not agree. 2: it could not be asked.
    """
    from cwts.witnesses import Witness, submit

    try:
        asked = Witness(url, key_of(vkey), timeout_s)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    answer = submit(audit.one_log(directory), asked)
    if answer.size is None and not answer.is_alert:
        raise input_error(f"witness {answer.name} {answer.trouble}")
    if as_json:
        write_json(
            {
                "ok": answer.size is not None,
                "witness": answer.name,
                "size": answer.size,
                "why": answer.trouble,
            }
        )
    elif answer.size is None:
        head = click.style("NOT COSIGNED", fg="red", bold=True)
        click.echo(f"{head}: witness {answer.name} {answer.trouble}")
    else:
        head = click.style("COSIGNED", fg="green", bold=True)
        click.echo(f"{head}: {answer.size:,} entries by {answer.name}, in checkpoint.witnessed")
    if answer.size is None:
        ctx.exit(FOUND_WRONG)
