"""How a command speaks: JSON or text on stdout, errors on stderr, and the exit code."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

from cwts import errors

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "BAD_INPUT",
    "FOUND_WRONG",
    "console",
    "exit_code",
    "json_option",
    "nanoseconds",
    "one_line",
    "progress_bar",
    "run_bar",
    "write_json",
]

FOUND_WRONG: Final = 1
BAD_INPUT: Final = 2
_CANCELLED: Final = 130

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")


def write_json(value: Any) -> None:
    """Write an object to stdout."""
    click.echo(json.dumps(value, indent=1, default=str))


def one_line(text: str) -> str:
    """Give text on one line, its control characters escaped.

    Names come out of files and logs: a line feed in one must not look like a line of ours, and an
    escape must not reach the terminal.
    """
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


def console() -> Console:
    """Give stdout with colours and tables where it is a terminal, and plain where it is not."""
    from rich.console import Console

    # Rich guesses 80 columns for a file; nothing may be cut there.
    width = None if sys.stdout.isatty() else 200
    return Console(highlight=False, width=width, soft_wrap=True)


def nanoseconds(value: float) -> str:
    """Write a duration in the unit that suits it."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.0f} ns"


def exit_code(error: Exception) -> int:
    """Say on stderr what went wrong, and give the exit code for it."""
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    code = str(getattr(error, "code", "")) if isinstance(error, errors.CwtsError) else ""
    if isinstance(error, click.Abort) or code == "CANCELLED":
        click.echo("cwts: cancelled", err=True)
        return _CANCELLED
    if code:
        said = str(error)
        if isinstance(error, errors.FilesFailedError):
            # Each file's own message is on stderr already.
            said = f"{len(error.failed)} of {error.total} files failed"
        click.echo(f"cwts: {said} [{code}]", err=True)
        return BAD_INPUT if _is_the_inputs(error, code) else FOUND_WRONG
    if isinstance(error, (OSError, ValueError, TypeError)):
        click.echo(f"cwts: {error}", err=True)
        return BAD_INPUT
    # A fault of ours: still a sentence, and enough to report it by.
    click.echo(f"cwts: {type(error).__name__}: {error} (this is a bug in cwts)", err=True)
    return FOUND_WRONG


def _is_the_inputs(error: Exception, code: str) -> bool:
    """Tell whether an error is the input's fault, and not of the machine or of what is there."""
    if isinstance(error, errors.FilesFailedError):
        return all(file["input_is_wrong"] for file in error.failed)
    if isinstance(error, (errors.TamperError, errors.LogFailedError)):
        return False
    # A file that changed while it was read is not what its owner gave.
    return code != "INPUT_CHANGED"


@contextmanager
def progress_bar() -> Iterator[Callable[[int], object] | None]:
    """Show the events so far on a terminal; nothing where stderr is a file."""
    with run_bar() as watch:
        yield watch and (lambda events: watch(events, 0, 0))


@contextmanager
def run_bar(
    input_bytes: int | None = None, files: int = 1
) -> Iterator[Callable[[int, int, int], object] | None]:
    """Show on a terminal how far a run is; nothing where stderr is a file.

    Parameters
    ----------
    input_bytes : int, optional
        The size of what is read, if it is known: then there is a bar, and a time to go.
    files : int
        How many files are read.

    Yields
    ------
    callable or None
        Takes events, bytes read and files done.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich import progress
    from rich.console import Console

    text = "{task.fields[events]:,} events, {task.fields[rate]:,.0f}/s"
    columns: list[progress.ProgressColumn] = [progress.SpinnerColumn()]
    if input_bytes:
        columns += [progress.BarColumn(), progress.TaskProgressColumn()]
    if files > 1:
        columns.append(progress.TextColumn(f"{{task.fields[files]}} of {files} files"))
    columns += [progress.TextColumn(text), progress.TimeElapsedColumn()]
    if input_bytes:
        columns += [progress.TextColumn("to go"), progress.TimeRemainingColumn()]
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("replay", total=input_bytes or None, events=0, rate=0.0, files=0)
        began = time.monotonic()

        def watch(events: int, read: int, done: int) -> None:
            rate = events / max(time.monotonic() - began, 1e-9)
            bar.update(task, completed=read or events, events=events, rate=rate, files=done)

        yield watch
