"""`cwts torture`: long campaigns against parsers and kill switch, each with budget and seed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import click

from cwts.cli.output import BAD_INPUT, FOUND_WRONG, json_option, write_json
from cwts.cli.torture_disk import disk
from cwts.cli.torture_kill import kill
from cwts.cli.torture_stress import stress

__all__ = ["torture"]

#: A line of checks/fuzz.sh about one target.
_LINE: Final = re.compile(r"^fuzz (\w+): (\d+) executions, (ok|FOUND (\S+))$")

Engine = Literal["auto", "libfuzzer", "mutator"]


@click.group()
def torture() -> None:
    """Hostile input for every parser, killed gateways, crashing disks, twice the busiest second."""


torture.add_command(disk)
torture.add_command(kill)
torture.add_command(stress)


@torture.command()
@click.option(
    "--seconds", default=60.0, show_default=True, type=click.FloatRange(0.1, 7 * 86_400.0)
)
@click.option("--seed", default=7, show_default=True, type=click.IntRange(0, 2**64 - 1))
@click.option("--target", "wanted", multiple=True, metavar="T", help="Only this one; repeatable.")
@click.option("--cases", type=click.IntRange(1), help="Cases a target, instead of --seconds.")
@click.option(
    "--input",
    "replayed",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Run one input again; needs one --target.",
)
@click.option(
    "--engine",
    type=click.Choice(["auto", "libfuzzer", "mutator"]),
    default="auto",
    show_default=True,
    help="auto: libFuzzer in a checkout with a compiler, else the built-in mutator.",
)
@click.option(
    "--out",
    "folder",
    default=".",
    type=click.Path(path_type=Path, exists=True, file_okay=False, writable=True),
    help="Where the inputs of faults go.",
)
@json_option
@click.pass_context
def fuzz(
    ctx: click.Context,
    *,
    seconds: float,
    seed: int,
    wanted: tuple[str, ...],
    cases: int | None,
    replayed: Path | None,
    engine: Engine,
    folder: Path,
    as_json: bool,
) -> None:
    """Feed mutated inputs to every decoder and parser, within a budget.

    Exit code 0: every law held. 1: an input broke one; it is kept in a file. 2: bad usage.
    """
    from cwts import _torture

    known = _torture.targets()
    chosen = wanted or tuple(known)
    if unknown := [name for name in chosen if name not in known]:
        raise click.UsageError(f"--target {unknown[0]}: not one of {', '.join(known)}")
    if replayed is not None:
        if len(wanted) != 1:
            raise click.UsageError("--input needs the one --target that is to read it")
        answer = _torture.check_file(wanted[0], replayed)
        if as_json:
            write_json({"target": wanted[0], "input": str(replayed)} | answer)
        else:
            verdict = "held" if answer["ok"] else "BROKEN"
            click.echo(f"{wanted[0]}: {verdict}: {answer['said']}")
        ctx.exit(0 if answer["ok"] else FOUND_WRONG)
    lacking = None if engine == "mutator" else _lacking()
    if engine == "libfuzzer" and lacking:
        raise click.UsageError(f"--engine libfuzzer: {lacking}")
    if engine == "mutator" or cases is not None or lacking:
        why = lacking or ("asked for" if engine == "mutator" else "--cases counts its cases")
        rows = _mutate(
            chosen, seconds, seed, cases, folder, say=None if as_json else click.echo, why=why
        )
        used = "mutator"
    else:
        rows = _libfuzzer(chosen, seconds, seed)
        why, used = "a checkout with a compiler", "libfuzzer"
    found = sum(len(row["found"]) for row in rows)
    if as_json:
        write_json({"engine": used, "why": why, "seed": seed, "targets": rows, "found": found})
    elif found:
        click.echo(f"{found} found; run one again: cwts torture fuzz --target T --input FILE")
    ctx.exit(FOUND_WRONG if found else 0)


def _mutate(
    chosen: tuple[str, ...],
    seconds: float,
    seed: int,
    cases: int | None,
    folder: Path,
    *,
    say: Callable[[str], object] | None,
    why: str,
) -> list[dict[str, Any]]:
    from cwts._torture import Campaign

    if say is not None:
        say(f"built-in mutator ({why}), seed {seed}; libFuzzer looks deeper, from a checkout")
    rows = []
    with _progress(len(chosen)) as progress:
        for number, name in enumerate(chosen):
            share = None if cases is not None else seconds / len(chosen)
            campaign = Campaign(name, seed, folder)
            tally = campaign.run(seconds=share, cases=cases, progress=partial(progress, number))
            row = tally.to_json()
            rows.append(row)
            if say is not None:
                say(
                    f"{name:<8} {row['cases']:>9,} cases  {row['accepted']:>9,} taken  "
                    f"{row['refused']:>9,} refused  digest {row['digest'][:16]}"
                )
                for fault in row["found"]:
                    say(f"  FOUND case {fault['case']}: {fault['what']}\n    {fault['input']}")
    return rows


def _libfuzzer(chosen: tuple[str, ...], seconds: float, seed: int) -> list[dict[str, Any]]:
    """Run checks/fuzz.sh, whose lines about targets become rows; the rest goes to stderr."""
    share = max(1, round(seconds / len(chosen)))
    command = ["sh", str(_checkout() / "checks/fuzz.sh"), str(share), *chosen]
    environment = {**os.environ, "FUZZ_SEED": str(seed % 2**32 or 1)}  # 0 is libFuzzer's "any"
    rows = []
    with _progress(len(chosen)) as progress:
        progress(0, "build", 0)
        with subprocess.Popen(  # noqa: S603 - our own script, names checked above
            command, stdout=subprocess.PIPE, text=True, errors="replace", env=environment
        ) as running:
            for line in running.stdout or ():
                click.echo(line, nl=False, err=True)
                if (told := _LINE.match(line.rstrip("\n"))) is None:
                    continue
                name, executions, _, path = told.groups()
                found = [] if path is None else [{"what": "see above", "input": path}]
                rows.append({"target": name, "cases": int(executions), "found": found})
                progress(len(rows), name, int(executions))
        code = running.returncode
    if len(rows) < len(chosen) or code not in (0, FOUND_WRONG):
        click.echo(f"cwts: checks/fuzz.sh ended with {code} before its last target", err=True)
        raise click.exceptions.Exit(BAD_INPUT)
    return rows


def _checkout() -> Path:
    """Give the folder that a checkout has its top level in."""
    return Path(__file__).resolve().parents[3]


def _lacking() -> str | None:
    """Say what is missing for libFuzzer, if anything is."""
    if not (_checkout() / "fuzz/Cargo.toml").is_file():
        return "not in a checkout: no fuzz/Cargo.toml"
    missing = [tool for tool in ("cargo", "c++", "sh") if shutil.which(tool) is None]
    return f"no {missing[0]} on PATH" if missing else None


@contextmanager
def _progress(targets: int) -> Iterator[Callable[[int, str, int], object]]:
    """Show target and cases on a terminal; nothing where stderr is a file."""
    if not sys.stderr.isatty():
        yield lambda _at, _name, _cases: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description:<8}"),
        BarColumn(),
        TextColumn("{task.fields[cases]:,} cases"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("start", total=targets, cases=0)
        yield lambda at, name, cases: bar.update(task, completed=at, description=name, cases=cases)
