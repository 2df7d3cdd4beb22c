"""Who takes part in a ceremony: a public file that every member reads before it joins.

A member is known by two keys: the Ed25519 key that signs its messages, and the certificate that it
shows on TLS connections. Both stand in the file, so that nobody has to be trusted with saying who
is who; the file's digest is what members read to each other aloud.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cwts._core import ceremony_output
from cwts.errors import input_error
from cwts.threshold import quorum

__all__ = [
    "KINDS",
    "MEMBERS_MAX",
    "Member",
    "Terms",
    "chain_of",
    "keep_output",
    "output_file",
    "read_member",
    "write_public",
]

MEMBERS_MAX: Final = 128
KINDS: Final = ("new", "refresh", "reshare")
_BYTES_MAX: Final = 1 << 20
_DIGEST_BYTES: Final = 32
_CERTIFICATE_BYTES_MAX: Final = 4_096
_PORT_MAX: Final = 65_535
_CHAIN_DOMAIN: Final = b"cwts/chain/v1\0"
_TERMS_DOMAIN: Final = b"cwts/ceremony-terms/v1\0"


@dataclass(frozen=True, slots=True)
class Member:
    """One member, or the sequencer.

    Attributes
    ----------
    name : str
        What people call it.
    vote : bytes
        The Ed25519 key that signs its messages.
    certificate : bytes
        Its TLS certificate, DER.
    host, port : str, int
        Where it listens.
    """

    name: str
    vote: bytes
    certificate: bytes
    host: str
    port: int

    def to_toml(self, table: str) -> str:
        """Its table in a file of terms."""
        rows = {
            "name": self.name,
            "address": f"{self.host}:{self.port}",
            "vote": self.vote.hex(),
            "certificate": base64.b64encode(self.certificate).decode(),
        }
        return f"\n{table}\n" + "".join(
            f"{key} = {json.dumps(value)}\n" for key, value in rows.items()
        )


@dataclass(frozen=True, slots=True)
class Terms:
    """What a ceremony is about, before anybody has joined.

    Attributes
    ----------
    origin : str
        The log whose checkpoints the committee signs, as in desk.example/log.
    kind : {"new", "refresh", "reshare"}
        A new key; new shares of the same key for the same members; or for other ones.
    chain : bytes
        The log's chain id, 32 bytes.
    number : int
        Never used before on this chain.
    old_epoch : int
        The epoch that ends; the new one is the next.
    previous : bytes
        The digest of the output that this goes on from; zeros for a new key.
    sequencer : Member
        Whoever orders the messages.
    dealers : tuple of Member
        Those who deal: the old members, or all where the key is new.
    players : tuple of Member
        Those who get shares.
    """

    origin: str
    kind: str
    chain: bytes
    number: int
    old_epoch: int
    previous: bytes
    sequencer: Member
    dealers: tuple[Member, ...]
    players: tuple[Member, ...]
    digest: bytes = field(init=False)

    def __post_init__(self) -> None:
        _check(self)
        encoded = _TERMS_DOMAIN + self.to_toml().encode()
        object.__setattr__(self, "digest", hashlib.sha256(encoded).digest())

    @property
    def threshold(self) -> int:
        """How many of the players will sign: n - f."""
        return quorum(len(self.players))

    @property
    def everybody(self) -> tuple[Member, ...]:
        """Dealers and players, each once, in the order of their keys."""
        by_key = {member.vote: member for member in (*self.dealers, *self.players)}
        return tuple(by_key[key] for key in sorted(by_key))

    def member(self, vote: bytes) -> Member | None:
        """Whose key this is."""
        return next((member for member in self.everybody if member.vote == vote), None)

    def to_toml(self) -> str:
        """The text of the file: equal terms, equal bytes."""
        head = {
            "schema": 1,
            "origin": self.origin,
            "kind": self.kind,
            "chain": self.chain.hex(),
            "number": self.number,
            "old_epoch": self.old_epoch,
            "previous": self.previous.hex(),
        }
        tables = [self.sequencer.to_toml("[sequencer]")]
        tables += [member.to_toml("[[dealer]]") for member in self.dealers]
        tables += [member.to_toml("[[player]]") for member in self.players]
        rows = "".join(f"{key} = {json.dumps(value)}\n" for key, value in head.items())
        return rows + "".join(tables)

    @classmethod
    def load(cls, path: Path) -> Terms:
        """Read a file of terms.

        Raises
        ------
        InputError
            It is no such file; the field and the reason are named.
        """
        try:
            if path.stat().st_size > _BYTES_MAX:
                raise _wrong(path, "the file", f"is longer than {_BYTES_MAX} bytes")
            found = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise _wrong(path, "the file", str(error.strerror)) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise _wrong(path, "the file", str(error)) from None
        known = {"schema", "origin", "kind", "chain", "number", "old_epoch", "previous"}
        tables = {"sequencer", "dealer", "player"}
        if unknown := found.keys() - known - tables:
            raise _wrong(path, min(unknown), "is not known")
        if found.get("schema") != 1:
            raise _wrong(path, "schema", f"is {found.get('schema')!r}, must be 1")
        try:
            return cls(
                origin=_text(found, "origin"),
                kind=_text(found, "kind"),
                chain=_hex(found, "chain"),
                number=_count(found, "number"),
                old_epoch=_count(found, "old_epoch"),
                previous=_hex(found, "previous"),
                sequencer=read_member(found.get("sequencer"), "sequencer"),
                dealers=_members(found, "dealer"),
                players=_members(found, "player"),
            )
        except ValueError as error:
            raise _wrong(path, *error.args) from None


def chain_of(origin: str) -> bytes:
    """The chain id of a log that has none of its own yet."""
    return hashlib.sha256(_CHAIN_DOMAIN + origin.encode()).digest()


def output_file(folder: Path, epoch: int) -> Path:
    """Where a member keeps the result of the ceremony that began an epoch."""
    return folder / f"output-{epoch}.cwts"


def keep_output(folder: Path, output: bytes) -> None:
    """Put a ceremony's result into a member's folder."""
    facts, _ = ceremony_output(output)
    write_public(output_file(folder, int(facts["epoch"])), output)


def write_public(path: Path, content: str | bytes) -> None:
    """Write a public file whole or not at all, on disk when this returns."""
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_member(table: object, where: str) -> Member:
    """A member out of its table.

    Raises
    ------
    ValueError
        A field is absent, unknown or malformed; `where` and the reason are its arguments.
    """
    if not isinstance(table, dict):
        raise ValueError(where, "is no table")  # noqa: TRY004 - of a file, not of a caller
    if unknown := table.keys() - {"name", "address", "vote", "certificate"}:
        raise ValueError(f"{where}.{min(unknown)}", "is not known")
    host, _, port = _text(table, "address", where).rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) <= _PORT_MAX:
        raise ValueError(f"{where}.address", "is not of the form HOST:PORT")
    try:
        certificate = base64.b64decode(_text(table, "certificate", where), validate=True)
    except ValueError:
        raise ValueError(f"{where}.certificate", "is no base64") from None
    if not 0 < len(certificate) <= _CERTIFICATE_BYTES_MAX:
        raise ValueError(f"{where}.certificate", f"has {len(certificate)} bytes")
    name = _text(table, "name", where)
    return Member(name, _hex(table, "vote", where), certificate, host, int(port))


def _members(found: dict[str, Any], name: str) -> tuple[Member, ...]:
    tables = found.get(name)
    if not isinstance(tables, list) or not 0 < len(tables) <= MEMBERS_MAX:
        raise ValueError(name, f"is no list of 1 to {MEMBERS_MAX} tables")
    return tuple(read_member(table, f"{name}[{at}]") for at, table in enumerate(tables))


def _check(terms: Terms) -> None:
    if not terms.origin or any(c.isspace() or c == "+" for c in terms.origin):
        raise ValueError("origin", "is empty, or has a space or a plus sign")
    if terms.kind not in KINDS:
        raise ValueError("kind", f"is {terms.kind!r}, must be one of {', '.join(KINDS)}")
    for name in ("dealers", "players"):
        members: tuple[Member, ...] = getattr(terms, name)
        votes = [member.vote for member in members]
        if votes != sorted(set(votes)):
            raise ValueError(name, "are not in the order of their keys, each once")
        if len({member.name for member in members}) != len(members):
            raise ValueError(name, "have a name that is there twice")
    if terms.kind != "reshare" and terms.dealers != terms.players:
        raise ValueError("dealers", f"differ from the players; a {terms.kind} has one set")
    shown = [member.certificate for member in (*terms.everybody, terms.sequencer)]
    if len(set(shown)) != len(shown):
        raise ValueError("certificate", "is there twice")


def _wrong(path: Path, name: str, why: str) -> Exception:
    return input_error(f"terms {path}: `{name}` {why}")


def _text(table: dict[str, Any], key: str, where: str = "") -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{where}.{key}".lstrip("."), "is absent or no text")
    return value


def _count(table: dict[str, Any], key: str) -> int:
    value = table.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        raise ValueError(key, "is absent or no number from 0")
    return value


def _hex(table: dict[str, Any], key: str, where: str = "") -> bytes:
    name, text = f"{where}.{key}".lstrip("."), _text(table, key, where)
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != _DIGEST_BYTES or value.hex() != text:
        raise ValueError(name, f"is not {2 * _DIGEST_BYTES} hex digits in lower case")
    return value
