"""Terms out of what is at hand: members' public halves, and the output before."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from cwts._core import ceremony_output
from cwts.committee.members import Member, Terms, chain_of, read_member
from cwts.errors import input_error

__all__ = ["another_key", "following", "make_new", "new_key"]

_NOTHING: Final = bytes(32)
_CHAIN_DIGITS: Final = 64


def new_key(members: Path, origin: str, chain: str | None, number: int) -> Terms:
    """The terms of a new key, for the ``[sequencer]`` and ``[[player]]`` tables of a file.

    Raises
    ------
    InputError
        The file or the chain id is malformed; the field and the reason are named.
    """
    try:
        found = tomllib.loads(members.read_text(encoding="utf-8"))
        sequencer, players = _tables(found)
        chain_id = chain_of(origin) if chain is None else _chain(chain)
        return make_new(origin, chain_id, number, sequencer, players)
    except OSError as error:
        raise input_error(f"members {members}: {error.strerror}") from None
    except ValueError as error:
        raise input_error(f"members {members}: {' '.join(map(str, error.args))}") from None


def _tables(found: dict[str, Any]) -> tuple[Member, list[Member]]:
    if unknown := found.keys() - {"sequencer", "player"}:
        raise ValueError(min(unknown), "is not known")
    tables = found.get("player")
    if not isinstance(tables, list):
        raise ValueError("player", "is no list of tables")  # noqa: TRY004 - of a file
    players = [read_member(table, f"player[{at}]") for at, table in enumerate(tables)]
    return read_member(found.get("sequencer"), "sequencer"), players


def _chain(chain: str) -> bytes:
    if len(chain) != _CHAIN_DIGITS or chain != chain.lower():
        raise ValueError("chain", f"is not {_CHAIN_DIGITS} hex digits in lower case")
    return bytes.fromhex(chain)


def make_new(
    origin: str, chain: bytes, number: int, sequencer: Member, players: list[Member]
) -> Terms:
    """The terms of a first key."""
    all_of_them = tuple(sorted(players, key=lambda member: member.vote))
    return Terms(origin, "new", chain, number, 0, _NOTHING, sequencer, all_of_them, all_of_them)


def another_key(before: Terms, output: bytes, number: int) -> Terms:
    """The terms of a new key for the same members, in the epoch behind an output's."""
    epoch = int(ceremony_output(output)[0]["epoch"])
    first = make_new(before.origin, before.chain, number, before.sequencer, list(before.players))
    return replace(first, old_epoch=epoch)


def following(before: Terms, output: bytes, number: int, players: list[Member]) -> Terms:
    """The terms that go on from an output: a refresh for the same members, else a reshare."""
    facts, _ = ceremony_output(output)
    dealers = before.players
    kept = tuple(sorted(players, key=lambda member: member.vote))
    kind = "refresh" if kept == dealers else "reshare"
    previous = bytes.fromhex(facts["digest"])
    return Terms(
        *(before.origin, kind, before.chain, number, int(facts["epoch"]), previous),
        *(before.sequencer, dealers, kept),
    )
