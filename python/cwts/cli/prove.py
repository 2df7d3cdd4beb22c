"""`cwts prove`: commit to numbers, prove what they are, and verify what others proved."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from cwts import zk
from cwts._question import PROOF_BYTES_MAX, Kind, Question, commitment_of, read_bounded
from cwts.cli.output import FOUND_WRONG, json_option, one_line, write_json
from cwts.errors import input_error

__all__ = ["prove"]

#: Statements that are false: there is no proof of them, and the command says so with exit code 1.
_FALSE: Final = {"ABOVE_LIMIT", "SUM_OVERFLOW", "VALUES_DIFFER"}
_LINE_MAX: Final = 256

_file = click.Path(path_type=Path, dir_okay=False)
_context = click.option(
    "--context", "question", type=_file, required=True, help="What the verifier asks: `prove ask`."
)
_output = click.option("-o", "--output", type=_file, required=True, help="A new file.")
_limit = click.option("--limit", type=_file, help="The opening of a hidden limit.")


@click.group()
def prove() -> None:
    """Prove what hidden numbers are, and verify it.

    Who proves: `commit`, then `exposure`, `sum` or `equal`. Who verifies: `ask`, then `verify`.
    """


@prove.command()
@click.argument("name", type=_file)
@click.option(
    "--as",
    "role",
    type=click.Choice(["exposure", "limit"]),
    required=True,
    help="An exposure is rounded up to 0.01, a limit down.",
)
@json_option
def commit(*, name: Path, role: str, as_json: bool) -> None:
    """Commit to an amount of the reporting currency, read from standard input.

    Writes NAME.opening, which is secret and for its owner alone (mode 0600), and NAME.commitment,
    which is for everybody. The amount is no argument: other users of a machine see those.
    """
    if sys.stdin.isatty():
        text = click.prompt("amount", hide_input=True)
    else:
        text = sys.stdin.readline(_LINE_MAX)
    opening = (zk.commit_exposure if role == "exposure" else zk.commit_limit)(text.strip())
    secret, public = _beside(name, ".opening"), _beside(name, ".commitment")
    if public.exists():
        raise input_error(f"{public}: exists; take another name")
    opening.save(secret)
    told = opening.commitment.hex()
    _write_new(public, f"{told}\n".encode())
    if as_json:
        write_json({"commitment": told, "opening": str(secret), "file": str(public)})
    else:
        click.echo(told)


@prove.command()
@click.option("--chain", required=True, metavar="HEX", help="The log's chain id, 64 digits.")
@click.option("--epoch", type=click.IntRange(0, 2**64 - 1), required=True, help="The committee's.")
@click.option("--role", type=click.Choice(zk.ROLES), default="account", show_default=True)
@click.option("--subject", required=True, help="Whose number it is: the account's or desk's name.")
@click.option(
    "--as-of",
    "as_of_seq",
    type=click.IntRange(0, 2**64 - 1),
    required=True,
    help="The entry of the log as of which it holds.",
)
@click.option("--exposure", metavar="HEX|FILE", help="The commitment that must lie below a limit.")
@click.option(
    "--desk", "desks", multiple=True, metavar="HEX|FILE", help="One of 1 to 8 to be added up."
)
@click.option("--equal", "pair", nargs=2, metavar="HEX|FILE HEX|FILE", help="Two of one number.")
@click.option("--limit", metavar="HEX|FILE", help="The commitment of a hidden limit.")
@click.option("--limit-amount", help="A limit that everybody may know.")
@_output
@json_option
def ask(
    *,
    chain: str,
    epoch: int,
    role: str,
    subject: str,
    as_of_seq: int,
    exposure: str | None,
    desks: tuple[str, ...],
    pair: tuple[str, str] | None,
    limit: str | None,
    limit_amount: str | None,
    output: Path,
    as_json: bool,
) -> None:
    """Write the question that a proof must answer, with a nonce of its own.

    Take the commitments from the log or from whoever vouches for them, never from the one who
    proves. Ask anew each time: an old answer must not answer a new question.
    """
    if sum((exposure is not None, bool(desks), pair is not None)) != 1:
        raise click.UsageError("ask about one of --exposure, --desk or --equal")
    if (pair is None) != (sum((limit is not None, limit_amount is not None)) == 1):
        raise click.UsageError("give one of --limit or --limit-amount, and none for --equal")
    context = zk.Context(
        chain=commitment_of(chain), epoch=epoch, role=role, subject=subject, as_of_seq=as_of_seq
    )
    bound: bytes | int | None = None
    if limit is not None:
        bound = commitment_of(limit)
    elif limit_amount is not None:
        bound = zk.limit_amount(limit_amount)
    named = pair or desks or (exposure or "",)
    if len(named) > zk.DESKS_MAX:
        raise click.UsageError(f"a proof takes {zk.DESKS_MAX} desks at most")
    kind: Kind = "equal" if pair else "sum" if desks else "exposure"
    question = Question(context, kind, tuple(map(commitment_of, named)), bound)
    told = question.to_json()
    _write_new(output, f"{json.dumps(told, indent=1)}\n".encode())
    if as_json:
        write_json(told)
    else:
        click.echo(f"wrote {output}; its digest is {context.digest.hex()}")


@prove.command()
@_context
@click.option("--exposure", type=_file, required=True, help="The exposure's opening.")
@_limit
@_output
@json_option
def exposure(
    *, question: Path, exposure: Path, limit: Path | None, output: Path, as_json: bool
) -> None:
    """Prove that a hidden exposure is at most a limit."""
    asked = _asked(question, "exposure")
    (opening,) = _openings(asked, [exposure])
    bound = _bound(asked, limit)
    with _false_is_exit_1():
        proof = zk.exposure_below(opening, bound, asked.context)
    _say(proof, output, as_json=as_json)


@prove.command(name="sum")
@_context
@click.option(
    "--desk", "desks", type=_file, multiple=True, required=True, help="A desk's opening, in order."
)
@_limit
@_output
@json_option
def sum_(
    *, question: Path, desks: tuple[Path, ...], limit: Path | None, output: Path, as_json: bool
) -> None:
    """Prove that hidden exposures of desks add up to at most a limit."""
    asked = _asked(question, "sum")
    openings = _openings(asked, desks)
    bound = _bound(asked, limit)
    with _false_is_exit_1():
        proof = zk.desks_sum_below(openings, bound, asked.context)
    _say(proof, output, as_json=as_json)


@prove.command()
@click.argument("first", type=_file)
@click.argument("second", type=_file)
@_context
@_output
@json_option
def equal(*, first: Path, second: Path, question: Path, output: Path, as_json: bool) -> None:
    """Prove that the openings FIRST and SECOND are of one number."""
    asked = _asked(question, "equal")
    openings = _openings(asked, [first, second])
    with _false_is_exit_1():
        proof = zk.equal(openings[0], openings[1], asked.context)
    _say(proof, output, as_json=as_json)


@prove.command()
@click.argument("proof", type=_file)
@_context
@json_option
@click.pass_context
def verify(ctx: click.Context, *, proof: Path, question: Path, as_json: bool) -> None:
    """Tell whether PROOF answers the question.

    Exit codes: 0 it does; 1 it does not; 2 the bytes are no such proof, or no question.
    """
    asked = Question.load(question)
    found = read_bounded(proof, PROOF_BYTES_MAX)
    told = zk.facts(found)
    holds = asked.verify(found)
    if as_json:
        context = asked.context
        write_json(
            {
                "holds": holds,
                "kind": told["kind"],
                "role": context.role,
                "subject": context.subject,
                "as_of_seq": context.as_of_seq,
                "epoch": context.epoch,
                "context": context.digest.hex(),
                "about": asked.about,
            }
        )
    else:
        click.echo(_verdict(asked, holds=holds))
    ctx.exit(0 if holds else FOUND_WRONG)


def _verdict(asked: Question, *, holds: bool) -> str:
    context, about = asked.context, asked.about
    who = one_line(f"{context.role} {context.subject}, as of entry {context.as_of_seq:,}")
    limit = about.get("limit_amount") or f"the limit in {about.get('limit')}"
    statement = {
        "exposure": f"the exposure in {about.get('exposure')} is at most {limit}",
        "sum": f"{len(asked.commitments)} desks together are at most {limit}",
        "equal": " and ".join(about.get("equal", [])) + " hold one number",
    }[asked.kind]
    if holds:
        return f"true: {who}: {statement}"
    return f"false: this proof does not show for {who}: {statement}"


def _asked(path: Path, kind: str) -> Question:
    asked = Question.load(path)
    if asked.kind != kind:
        raise input_error(f"{path}: asks about {asked.kind}; use `cwts prove {asked.kind}`")
    return asked


def _openings(asked: Question, paths: Sequence[Path]) -> list[zk.Opening]:
    """Read openings, each of the commitment that is asked about."""
    if len(paths) != len(asked.commitments):
        wanted = len(asked.commitments)
        raise input_error(f"{len(paths)} openings, and the question is about {wanted}")
    return [
        _opening(path, commitment)
        for path, commitment in zip(paths, asked.commitments, strict=True)
    ]


def _opening(path: Path, commitment: bytes) -> zk.Opening:
    opening = zk.Opening.load(os.fspath(path))
    if opening.commitment != commitment:
        raise input_error(f"{path}: opens another commitment than the one that is asked about")
    return opening


def _bound(asked: Question, path: Path | None) -> zk.Opening | int:
    if isinstance(asked.limit, bytes):
        if path is None:
            raise input_error("the limit is hidden: give its opening with --limit")
        return _opening(path, asked.limit)
    if path is not None or asked.limit is None:
        raise input_error("the question names the limit: leave --limit away")
    return asked.limit


@contextmanager
def _false_is_exit_1() -> Iterator[None]:
    try:
        yield
    except zk.ProofError as error:
        if error.code not in _FALSE:
            raise
        click.echo(f"cwts: {error} [{error.code}]", err=True)
        raise click.exceptions.Exit(FOUND_WRONG) from None


def _beside(name: Path, ending: str) -> Path:
    return name.with_name(name.name + ending)


def _write_new(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)


def _say(proof: bytes, output: Path, *, as_json: bool) -> None:
    _write_new(output, proof)
    if as_json:
        write_json({"file": str(output), **zk.facts(proof)})
    else:
        click.echo(f"wrote {output}: {len(proof):,} bytes")
