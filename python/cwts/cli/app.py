"""Puts the commands together.

A command's module is imported when it runs, or when its own help is asked for: `cwts halt` must
not wait for numpy.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Final

import click

from cwts.cli.output import exit_code

__all__ = ["app", "run"]

#: Command: module with a click command of that name, and its help in a line.
_COMMANDS: Final = {
    "demo": ("cwts.cli.demo", "The main job, end to end, on generated order flow."),
    "init": ("cwts.cli.init", "Start a directory: limits, and a first script."),
    "replay": ("cwts.cli.replay", "Run a file of order flow through the limits."),
    "whatif": ("cwts.cli.whatif", "Which past decisions flip under other limits."),
    "gen": ("cwts.cli.gen", "Write synthetic order flow to a file."),
    "explain": ("cwts.cli.explain", "Tell an order's whole story."),
    "status": ("cwts.cli.status", "Show the state of a gateway."),
    "report": ("cwts.cli.report", "Registers of limits, holds and refusals."),
    "halt": ("cwts.cli.halt", "Stop a scope: only cancels pass."),
    "reduce": ("cwts.cli.halt", "Restrict a scope to orders that reduce."),
    "resume": ("cwts.cli.resume", "Lift a hold; it takes two people."),
    "override": ("cwts.cli.override", "Let one blocked order pass; it takes two people."),
    "log": ("cwts.cli.log", "Verify a log, read it, take proofs out of it."),
    "limits": ("cwts.cli.limits", "Check, show, suggest and change limits."),
    "operator": ("cwts.cli.operator", "Make operators' keys."),
    "committee": ("cwts.cli.committee", "A committee: identities, and a key held together."),
    "prove": ("cwts.cli.prove", "Prove what hidden numbers are, and verify it."),
    "doctor": ("cwts.cli.doctor", "What this machine gives, and what is missing."),
    "torture": ("cwts.cli.torture", "Hostile input for every parser; gateways killed."),
    "bench": ("cwts.bench.cli", "Measure, side by side with the peers."),
}


class _Lazy(click.Group):
    """A group that knows its commands' names and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands that are there."""
        del ctx
        return [name for name in _COMMANDS if _is_there(name)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        if cmd_name not in _COMMANDS or not _is_there(cmd_name):
            return None
        command = getattr(import_module(_COMMANDS[cmd_name][0]), cmd_name)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        rows = [(name, _COMMANDS[name][1]) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _is_there(name: str) -> bool:
    module = _COMMANDS[name][0]
    return module.startswith("cwts.cli.") or find_spec(module.rpartition(".")[0]) is not None


def _show_version(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    del param
    if wanted:
        from cwts._core import VERSION

        click.echo(f"cwts {VERSION}")
        ctx.exit()


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
def app() -> None:
    """A market-access gateway whose every decision anyone can check afterwards.

    Exit codes: 0 ok, 1 found something wrong, 2 bad input. Most commands take --json.
    """


def run(args: list[str] | None = None) -> int:
    """Run a command line and give its exit code; what goes wrong is one message on stderr."""
    try:
        code = app(args, standalone_mode=False)
    except Exception as error:  # noqa: BLE001 - the user sees a sentence, never a traceback
        if isinstance(error, BrokenPipeError):
            # Whoever read us has gone: nothing to say, and nowhere to say it.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        return exit_code(error)
    except KeyboardInterrupt:
        click.echo("\ncwts: cancelled", err=True)
        return 130
    return code if isinstance(code, int) else 0
