"""`cwts replay`: files of order flow through the limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

import click
from click.core import ParameterSource

from cwts import _replay, errors
from cwts._outputs import check_run_outputs
from cwts._replay_request import Settings, files_of, limits_for
from cwts.cli.fingerprint import differences, read_fingerprint
from cwts.cli.inputs import flow_options
from cwts.cli.output import FOUND_WRONG, json_option, nanoseconds, run_bar, write_json

__all__ = ["replay", "show_run"]

_PATH = click.Path(path_type=Path)
_FILE = click.Path(path_type=Path, dir_okay=False)
#: Formats that an option of the command has a part in.
_USED_BY: Final = {
    "date": {"lobster", "itch"},
    "tz": {"lobster", "itch"},
    "symbol": {"lobster", "csv", "parquet", "arrow"},
    "strict": {"fix"},
}
#: Files that a person is shown a line each; --json has all.
_SHOWN: Final = 50


@click.command()
@click.argument("files", metavar="FILE...", type=_PATH, nargs=-1, required=True)
@click.option(
    "--limits",
    type=_FILE,
    help="The limits file; or equity or future, which come with cwts. Default: by what is in FILE.",
)
@click.option("--log", "log", type=_PATH, help="Where to write the log: absent or empty.")
@click.option("--no-log", is_flag=True, help="Decide only; this is the default without --log.")
@click.option(
    "--decisions", type=_FILE, help="Where to write a row an order: .csv, .arrow or .parquet."
)
@click.option("--report", type=_FILE, help="Where to write the HTML report.")
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Processes for several files; the result is the same for any number.",
)
@click.option(
    "--session",
    type=click.Choice(["file", "continuous"]),
    help="Several files each from fresh state (the default), or as one stream by time.",
)
@flow_options
@click.option(
    "--max-live", type=click.IntRange(1), help="Live orders at most. Default: 20 million."
)
@click.option(
    "--max-bytes", type=click.IntRange(1), help="Bytes of a file unpacked at most. Default: 64 GiB."
)
@click.option("--strict", is_flag=True, help="A garbled FIX message is an error: exit code 2.")
@click.option("--expect", type=_FILE, help="A fingerprint that the decisions must have.")
@click.option(
    "--inject-anomalies",
    "injects",
    is_flag=True,
    help="Put known anomalies between the file's orders, and see whether they are found.",
)
@click.option(
    "--seed",
    default=7,
    show_default=True,
    type=click.IntRange(0, 2**64 - 1),
    help="Where --inject-anomalies puts them.",
)
@json_option
@click.pass_context
def replay(
    ctx: click.Context,
    *,
    files: tuple[Path, ...],
    limits: Path | None,
    log: Path | None,
    no_log: bool,
    decisions: Path | None,
    report: Path | None,
    workers: int,
    session: Literal["file", "continuous"] | None,
    format_: str | None,
    date: str | None,
    tz: str,
    symbol: str | None,
    mapping: Literal["all", "file"] | None,
    max_live: int | None,
    max_bytes: int | None,
    strict: bool,
    expect: Path | None,
    injects: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Run every order of the FILEs through the limits, as a live gateway would.

    Exit code 1: --expect differs, an injected anomaly was missed, a file changed while it was
    read, or a worker died. 2: bad input, with file, record and byte.
    """
    if log is not None and no_log:
        raise click.UsageError("--log and --no-log contradict each other")
    if expect is not None and len(files) > 1 and session != "continuous":
        raise click.UsageError("--expect is for one session; add --session continuous")
    paths = files_of(files)
    check_run_outputs(
        paths,
        limits,
        log,
        decisions,
        one_session=len(paths) == 1 or session == "continuous",
        report=report,
        expect=expect,
    )
    expected = None if expect is None else read_fingerprint(expect)
    text, name = limits_for(limits, paths, format_)
    settings = Settings(
        limits=text,
        limits_path=name,
        format=format_,
        day=date,
        tz=tz,
        symbol=symbol,
        mapping=mapping,
        keep=False,
        max_live=max_live,
        max_bytes=max_bytes,
        # It costs a little an order, and only the report and JSON show it.
        observe=report is not None or as_json,
        strict=strict,
        anomalies=seed if injects else None,
    )
    run = _replay.Run(paths, settings, log, decisions, workers, session)
    failed: errors.FilesFailedError | None = None
    result: _replay.ReplayResult | None
    with run_bar(_known_bytes(run.files), len(run.files)) as bar:
        try:
            result = run.go(bar and (lambda at: bar(at.events, at.bytes, at.files)))
        except errors.FilesFailedError as error:
            # What the other files gave is said first.
            result, failed = error.result, error
    wrong: list[str] = []
    if result is not None:
        for sentence in _idle(ctx, result.json):
            click.echo(f"cwts: warning: {sentence}", err=True)
        wrong = [] if expected is None else differences(result.json, expected)
        wrong = [f"fingerprint differs: {sentence}" for sentence in wrong]
        as_expected = expected is not None and not wrong
        if injects:
            wrong += missed(result.json)
        if report is not None:
            result.report(report)
        if as_json:
            write_json(dict(result.json))
        else:
            show_run(result.json)
            _show_files({"decisions": decisions, "report": report})
            if as_expected:
                click.echo(f"fingerprint as expected ({expect})")
    _end(ctx, wrong, failed)


def _idle(ctx: click.Context, run: Any) -> list[str]:
    """Say which options were given and had no part in the run."""

    def is_given(name: str) -> bool:
        return ctx.get_parameter_source(name) is not ParameterSource.DEFAULT

    formats = {source["format"] for source in run["inputs"]}
    idle = [
        f"--{name} has no part in {', '.join(sorted(formats))}: it was not used"
        for name, used_by in _USED_BY.items()
        if is_given(name) and not formats & used_by
    ]
    if is_given("seed") and not ctx.params["injects"]:
        idle.append("--seed has no part without --inject-anomalies: it was not used")
    return idle


def _end(ctx: click.Context, wrong: list[str], failed: errors.FilesFailedError | None) -> None:
    """Say what is wrong, and end with its exit code; come back if nothing is."""
    for sentence in wrong:
        click.echo(f"cwts: {sentence}", err=True)
    if failed is not None:
        for file in failed.failed:
            click.echo(f"cwts: {file['message']} [{file['code']}]", err=True)
        raise failed
    if wrong:
        ctx.exit(FOUND_WRONG)


def missed(run: Any) -> list[str]:
    """Say which injected anomalies no control has named, or found no place."""
    injected, labels = run["inputs"][0]["injected"], run["labels"]
    sentences = [
        f"anomaly missed: {label['kind']} at event {label['seq']:,}, which "
        f"{' or '.join(label['expect'])} should name"
        for label in labels
        if not label["found"]
    ]
    if len(labels) < injected["planned"]:
        sentences.append(
            f"{injected['planned'] - len(labels)} of {injected['planned']} anomalies found no "
            f"place: the file has no fitting order left"
        )
    return sentences


def _show_files(written: dict[str, Path | None]) -> None:
    for word, path in written.items():
        if path is not None:
            click.echo(f"{word:<10} {path}")


def _known_bytes(files: list[Path]) -> int | None:
    """Give the size of all files; a pipe or device has none."""
    try:
        return sum(path.stat().st_size for path in files) if all(map(Path.is_file, files)) else None
    except OSError:
        # Whoever opens it says why.
        return None


def show_run(run: Any) -> None:
    """Write what a run decided, for a person."""
    seconds = run["seconds"]["total"]
    orders, accepted = run["orders"], run["accepted"]
    rate = f", {orders / seconds / 1e6:.2f} M orders/s" if seconds else ""
    _show_inputs(run, f"{seconds:.3f} s{rate}")
    click.echo(f"orders     {orders:,}: {accepted:,} accepted, {orders - accepted:,} rejected")
    for name, count in sorted(run["by_first"].items(), key=lambda row: -row[1]):
        click.echo(f"           {count:>9,}  {name}")
    injected = run["inputs"][0]["injected"] if run["inputs"] else None
    if injected is not None:
        found = sum(label["found"] for label in run["labels"])
        refused = injected["refused"]
        click.echo(
            f"anomalies  {found} of {injected['planned']} found; rejected {refused['injected']:,} "
            f"orders of them, {refused['ordinary']:,} of the file"
        )
    click.echo(f"limits     {run['limits']['path']}")
    passed, odd = run["passed"], {k: v for k, v in run["anomalies"].items() if v}
    click.echo(f"passed     {passed['cancel']:,} cancels, {passed['fill']:,} fills")
    if odd:
        click.echo("irregular  " + ", ".join(f"{count:,} {name}" for name, count in odd.items()))
    ns = run["ns_per_order"]
    click.echo(
        f"check      p50 {nanoseconds(ns['p50'])}, p99 {nanoseconds(ns['p99'])}, "
        f"p99.9 {nanoseconds(ns['p999'])}, in bursts p99.9 {nanoseconds(ns['burst_p999'])}"
    )
    log = run["log"]
    if log is not None:
        click.echo(f"log        {log['dir']}: {log['entries']:,} entries on disk")
        click.echo(f"           root {log['root']}")
    for warning in run["warnings"]:
        click.echo(f"warning    {warning}")


def _show_inputs(run: Any, pace: str) -> None:
    """Write a line a file, and for several what they come to."""
    files = run.get("files")
    if files is None:
        for source in run["inputs"]:
            its = f", {pace}" if len(run["inputs"]) == 1 else ""
            click.echo(f"{source['path']}: {source['format']}, {source['records']:,} records{its}")
    else:
        for file in files[:_SHOWN]:
            rejected = file["orders"] - file["accepted"]
            what = (
                f"{file['orders']:,} orders, {file['accepted']:,} accepted, {rejected:,} rejected"
                if file["ok"]
                else f"failed: {file['error']['code']}"
            )
            click.echo(f"{file['number']:04} {file['path']}: {what}")
        if len(files) > _SHOWN:
            click.echo(f"     and {len(files) - _SHOWN:,} more files (--json has them)")
    if len(run["inputs"]) > 1 or files is not None:
        records = sum(source["records"] for source in run["inputs"])
        click.echo(f"all        {len(run['inputs']):,} files, {records:,} records, {pace}")
