"""`cwts committee`: make identities, hold ceremonies, check what came of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from cwts import _bounded, _core
from cwts.cli.output import FOUND_WRONG, json_option, write_json
from cwts.errors import input_error

__all__ = ["committee"]

_folder = click.Path(path_type=Path, file_okay=False)
_file = click.Path(path_type=Path, dir_okay=False)
_deadline = click.option(
    "--deadline",
    "deadline_s",
    type=click.FloatRange(1, 86_400),
    default=60.0,
    show_default=True,
    help="Seconds after which it is given up, and nothing has changed.",
)
_passphrase = click.option(
    "--passphrase-file",
    type=_file,
    help="A file whose first line locks the share (Argon2id); else share.key beside it does.",
)


@click.group()
def committee() -> None:
    """A committee: identities of members, and the key that they hold together."""


@committee.command()
@click.option("--members", "n", type=click.IntRange(1, 31), default=10, show_default=True)
@click.option("--out", type=_folder, required=True, help="A directory that is absent or empty.")
@click.option("--name", help="What the committee signs for, as in desk.example/log.")
@_deadline
@json_option
def init(*, n: int, out: Path, name: str | None, deadline_s: float, as_json: bool) -> None:
    """Make a demo committee on loopback: N processes, N identities, one ceremony.

    All secrets lie in one directory, so it is for demonstrations: members at home use
    `cwts committee identity` and `ceremony join`. The last line is the committee's public key.
    """
    from cwts.committee import demo

    made = demo.create(out, n, name or f"{out.resolve().name}.example/log", deadline_s, _show())
    _ended(made, as_json=as_json)


@committee.command()
@click.argument("folder", type=_folder)
@click.option("--name", required=True, help="What people call this member.")
@click.option("--address", required=True, metavar="HOST:PORT", help="Where it will listen.")
@_passphrase
def identity(*, folder: Path, name: str, address: str, passphrase_file: Path | None) -> None:
    """Make a member's keys in FOLDER, and print what others put into their terms."""
    from cwts.committee import identity as identities

    host, _, port = address.rpartition(":")
    if not host or not port.isascii() or not port.isdigit():
        raise click.UsageError("--address is not of the form HOST:PORT")
    phrase = _phrase(passphrase_file)
    member = identities.create(folder, name, host, int(port), phrase)
    click.echo(member.to_toml("[[player]]").strip())


@committee.group()
def ceremony() -> None:
    """Make a key that nobody holds, renew its shares, or move them to other members."""


@ceremony.command()
@click.option("--members", type=_file, required=True, help="[sequencer] and [[player]] tables.")
@click.option("--origin", required=True, help="The log to be signed, as in desk.example/log.")
@click.option("--chain", help="Its chain id, 64 hex digits; else one that follows from the origin.")
@click.option("--number", type=click.IntRange(1), default=1, show_default=True)
@click.option("--threshold", type=click.IntRange(1), help="Checked: it is n - (n - 1) // 3.")
@click.option("--out", type=_file, required=True)
def new(
    *,
    members: Path,
    origin: str,
    chain: str | None,
    number: int,
    threshold: int | None,
    out: Path,
) -> None:
    """Write the terms of a ceremony that makes a new key, and print their digest.

    Members read the digest to each other before they join.
    """
    from cwts.committee import plans

    terms = plans.new_key(members, origin, chain, number)
    _announce(terms, threshold, out)


@ceremony.command()
@click.argument("terms", type=_file)
@click.option("--identity", "folder", type=_folder, required=True)
@click.option("--previous", type=_file, help="The output that a refresh or reshare goes on from.")
@_passphrase
@_deadline
@json_option
def join(
    *,
    terms: Path,
    folder: Path,
    previous: Path | None,
    passphrase_file: Path | None,
    deadline_s: float,
    as_json: bool,
) -> None:
    """Take part in the ceremony of TERMS to its end, as the member in a folder.

    Run again after a crash, it goes on where it was. Exit code 1: the ceremony failed, and the old
    shares go on; 2: it could not be taken part in.
    """
    from cwts.committee import parts

    made = parts.join(
        *(terms, folder, previous),
        passphrase=_phrase(passphrase_file),
        deadline_s=deadline_s,
        watch=_show(),
    )
    _ended(made, as_json=as_json)


@ceremony.command()
@click.argument("terms", type=_file)
@click.option("--identity", "folder", type=_folder, required=True)
@click.option("--previous", type=_file, help="The output that a refresh or reshare goes on from.")
@click.option("--round", "round_s", type=click.FloatRange(0.1, 3_600), default=5.0)
@_deadline
@json_option
def order(
    *,
    terms: Path,
    folder: Path,
    previous: Path | None,
    round_s: float,
    deadline_s: float,
    as_json: bool,
) -> None:
    """Order the messages of the ceremony of TERMS, as its sequencer."""
    from cwts.committee import parts

    made = parts.order(
        *(terms, folder, previous), round_s=round_s, deadline_s=deadline_s, watch=_show()
    )
    _ended(made, as_json=as_json)


@ceremony.command()
@click.argument("directory", type=_folder)
@_deadline
@json_option
def refresh(*, directory: Path, deadline_s: float, as_json: bool) -> None:
    """Renew the shares of a demo committee: the same key, and old shares are worth nothing."""
    from cwts.committee import demo

    _ended(demo.refresh(directory, deadline_s, _show()), as_json=as_json)


@ceremony.command()
@click.argument("directory", type=_folder)
@click.option("--replace", "lost", multiple=True, metavar="MEMBER", help="Who is replaced.")
@click.option("--add", type=click.IntRange(0, 30), default=0, help="How many come in beside.")
@_deadline
@json_option
def reshare(
    *, directory: Path, lost: tuple[str, ...], add: int, deadline_s: float, as_json: bool
) -> None:
    """Move the shares of a demo committee to other members: the same key."""
    from cwts.committee import demo

    _ended(demo.reshare(directory, lost, add, deadline_s, _show()), as_json=as_json)


@ceremony.command()
@click.argument("directory", type=_folder)
@_deadline
@json_option
def rotate(*, directory: Path, deadline_s: float, as_json: bool) -> None:
    """Give a demo committee a new key, for which the old one vouches.

    It is the answer where members left in anger: t of them who kept old shares could sign under the
    old key for ever. `ceremony vouched ROTATION` checks the word of the old key.
    """
    from cwts.committee import demo

    _ended(demo.rotate(directory, deadline_s, _show()), as_json=as_json)


@ceremony.command()
@click.argument("rotation", type=_file)
@json_option
@click.pass_context
def vouched(ctx: click.Context, *, rotation: Path, as_json: bool) -> None:
    """Check that an old key vouches for a new one, and print both.

    Exit code 1: it does not.
    """
    from cwts.committee.rotation import Rotation

    found = Rotation.load(rotation)
    holds = found.verify()
    keys = [_core.ceremony_output(one)[0]["key"] for one in (found.old_output, found.new_output)]
    if as_json:
        write_json({"ok": holds, "old_key": keys[0], "new_key": keys[1]})
    else:
        click.echo(f"old key  {keys[0]}\nnew key  {keys[1]}")
        click.echo("vouched for" if holds else click.style("NOT VOUCHED FOR", fg="red", bold=True))
    if not holds:
        ctx.exit(FOUND_WRONG)


@ceremony.command()
@click.argument("transcript", type=_file)
@json_option
@click.pass_context
def verify(ctx: click.Context, *, transcript: Path, as_json: bool) -> None:
    """Judge a ceremony from its transcript alone: who took part, which key, who cheated.

    Exit code 1: it made no key.
    """
    found = _core.judge_ceremony(_bounded.read(transcript, BYTES_MAX))
    if as_json:
        write_json(found)
    else:
        _tell(found)
    if found["certificate"] is None:
        ctx.exit(FOUND_WRONG)


@ceremony.command()
@click.argument("transcript", type=_file)
@json_option
def status(*, transcript: Path, as_json: bool) -> None:
    """Show how far a ceremony came: its phase, who is awaited, who is at fault."""
    found = _core.judge_ceremony(_bounded.read(transcript, BYTES_MAX))
    if as_json:
        write_json(found)
    else:
        _tell(found)


def _announce(terms: Any, threshold: int | None, out: Path) -> None:
    from cwts.committee.members import write_public

    if threshold is not None and threshold != terms.threshold:
        n = len(terms.players)
        raise click.UsageError(
            f"--threshold {threshold}: with {n} members it is {terms.threshold}, n - (n - 1) // 3"
        )
    write_public(out, terms.to_toml())
    click.echo(f"{terms.digest.hex()}  {out}")


def _tell(found: dict[str, Any]) -> None:
    output = found["output"]
    click.echo(f"information  {found['info']}")
    click.echo(f"phase        {found['phase']}" + (f": {found['cause']}" if found["cause"] else ""))
    if output is not None:
        word = "certified" if found["certificate"] else "NOT certified"
        click.echo(f"key          {output['key']} ({word})")
        click.echo(f"threshold    {output['t']} of {output['n']}, epoch {output['epoch']}")
        click.echo(f"dealers      {', '.join(map(str, output['qualified']))}")
    for name in found["missing"]:
        click.echo(f"missing      {name}")
    for fault in found["faults"]:
        click.echo(f"fault        {fault['member']}: {fault['kind']}")


def _ended(made: Any, *, as_json: bool) -> None:
    """Print how a ceremony ended; its key is the last line."""
    if as_json:
        write_json(made.to_json())
    elif made.failed is None:
        click.echo(f"epoch {made.epoch}, {made.t} of {made.n}, information {made.info}", err=True)
        click.echo(made.vkey)
    else:
        head = click.style("NO KEY", fg="red", bold=True)
        click.echo(f"{head}: {made.failed['cause']}; the old shares go on")
        for name in made.failed["missing"]:
            click.echo(f"  missing: {name}")
        for fault in made.failed["faults"]:
            click.echo(f"  fault: {fault['member']}: {fault['kind']}")
    if made.failed is not None:
        sys.exit(FOUND_WRONG)


def _show() -> Any:
    """A line for each phase, on a terminal."""
    if not sys.stderr.isatty():
        return lambda _status: None

    def show(status: dict[str, Any]) -> None:
        if status["what"] in {"entered", "faulted", "enrolled", "unreachable"}:
            words = " ".join(f"{key}={value}" for key, value in status.items() if key != "what")
            click.echo(f"{status['what']:10} {words}", err=True)

    return show


def _phrase(path: Path | None) -> bytes | None:
    if path is None:
        return None
    phrase = _bounded.read(path, PHRASE_BYTES_MAX).split(b"\n", 1)[0]
    if not phrase:
        raise input_error(f"{path}: its first line is empty")
    return phrase


#: The longest transcript that is read.
BYTES_MAX = 80 << 20
#: A passphrase, and what a file may have behind its first line.
PHRASE_BYTES_MAX = 4_096
