"""`cwts torture kill`: end the gateway in every way, and judge what is left."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cwts.cli.output import FOUND_WRONG, json_option, write_json

if TYPE_CHECKING:
    from cwts._torture_kill import Violation

__all__ = ["kill"]

#: What a person is told of a campaign, in this order.
_COUNTS: Final = (
    "lives",
    "kills",
    "closes",
    "halts",
    "resumes",
    "damages",
    "full queues",
    "states compared",
    "verifications",
)


@click.command()
@click.option(
    "--seconds", default=60.0, show_default=True, type=click.FloatRange(0.1, 7 * 86_400.0)
)
@click.option("--seed", default=7, show_default=True, type=click.IntRange(0, 2**64 - 1))
@click.option("--trial", "only", type=click.IntRange(0), help="Only this trial of the seed.")
@click.option(
    "--out",
    "folder",
    default=".",
    type=click.Path(path_type=Path, exists=True, file_okay=False, writable=True),
    help="Where the directory of a violation is kept.",
)
@click.option("--planted", default="", hidden=True, help="A bug that the campaign must find.")
@json_option
@click.pass_context
def kill(
    ctx: click.Context,
    *,
    seconds: float,
    seed: int,
    only: int | None,
    folder: Path,
    planted: str,
    as_json: bool,
) -> None:
    """Kill a gateway under load, halt it from outside, damage its kill files; judge each restart.

    Real processes: several producers, SIGKILL at any moment, halts while the queues are full, torn
    kill files, a clock that steps back. After every life the log is folded anew and must give the
    state that the gateway had; no order may be accepted behind a halt of its scope, and holds must
    outlive all of it. It stops at the first violation.

    Exit code 0: every law held. 1: one was broken; the directory is kept. 2: bad usage.
    """
    from cwts._torture_kill.campaign import PLANTED, Campaign

    if planted and planted not in PLANTED:
        raise click.UsageError(f"--planted {planted}: not one of {', '.join(PLANTED)}")
    campaign = Campaign(seed, folder.absolute(), planted)
    with _progress(seconds) as progress:
        found = campaign.run(seconds=seconds, only=only, progress=progress)
    if as_json:
        write_json(_told(campaign.trials, campaign.counts, seed, found))
    else:
        rows = ", ".join(f"{campaign.counts[name]:,} {name}" for name in _COUNTS)
        click.echo(f"seed {seed}, {campaign.trials:,} trials: {rows}")
        if found is None:
            click.echo("every law held")
        else:
            _show(seed, found)
    ctx.exit(FOUND_WRONG if found else 0)


def _told(trials: int, counts: dict[str, int], seed: int, found: Violation | None) -> Any:
    return {
        "seed": seed,
        "trials": trials,
        "counts": dict(sorted(counts.items())),
        "found": None if found is None else found.to_json() | {"again": _again(seed, found)},
    }


def _again(seed: int, found: Violation) -> str:
    return f"cwts torture kill --seed {seed} --trial {found.trial}"


def _show(seed: int, found: Violation) -> None:
    click.echo(f"BROKEN in trial {found.trial}: {found.what}")
    for line in found.story:
        click.echo(f"  {line}")
    click.echo(f"kept: {found.kept}")
    click.echo(f"to see it again: {_again(seed, found)}")
    click.echo("  moments are the operating system's: it may take several tries")


@contextmanager
def _progress(seconds: float) -> Iterator[Callable[[int], object] | None]:
    """Show time and trials on a terminal; nothing where stderr is a file."""
    if not sys.stderr.isatty():
        yield None
        return
    import time

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[trials]:,} trials"),
        TimeElapsedColumn(),
    )
    began = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("kill", total=seconds, trials=0)
        yield lambda trials: bar.update(
            task, completed=min(seconds, time.monotonic() - began), trials=trials
        )
