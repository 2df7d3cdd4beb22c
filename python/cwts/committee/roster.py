"""Enrolments: the keys that members bring to a ceremony, each signed with its vote key.

An encryption key is fresh for each ceremony, so it cannot stand in the terms. Whoever hands the
keys round could put its own in the place of another's; hence each is signed, over the terms too.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from cwts._core import absent_keys, ceremony_info, verify_enrolment
from cwts.committee.members import MEMBERS_MAX, Terms
from cwts.errors import CeremonyFailedError

__all__ = ["Enrolment", "absent", "info_of", "read_roster", "write_roster"]

_KEYS_BYTES: Final = 144
_SIGNATURE_BYTES: Final = 64
_COUNT: Final = struct.Struct("<H")
ENROLMENT_BYTES: Final = _KEYS_BYTES + _SIGNATURE_BYTES


@dataclass(frozen=True, slots=True)
class Enrolment:
    """One member's keys for one ceremony, and its signature over them and the terms."""

    keys: bytes
    signature: bytes

    @property
    def vote(self) -> bytes:
        """Whose they are; it counts once the signature was checked."""
        return self.keys[:32]

    def to_bytes(self) -> bytes:
        """192 bytes."""
        return self.keys + self.signature

    @classmethod
    def read(cls, data: bytes, terms: Terms) -> Enrolment:
        """Read and check one.

        Raises
        ------
        CeremonyFailedError
            It is malformed, of nobody in the terms, or not signed for them (``ENROLMENT``).
        """
        if len(data) != ENROLMENT_BYTES:
            raise _wrong(f"has {len(data)} bytes, not {ENROLMENT_BYTES}")
        found = cls(data[:_KEYS_BYTES], data[_KEYS_BYTES:])
        member = terms.member(found.vote)
        if member is None:
            raise _wrong("is of nobody in the terms")
        if found == absent(terms, found.vote):
            return found
        if not verify_enrolment(found.vote, terms.digest, found.keys, found.signature):
            raise _wrong(f"of {member.name} is not signed by it, for these terms")
        return found


def absent(terms: Terms, vote: bytes) -> Enrolment | None:
    """What stands for a dealer who did not come; none for a player, to whom shares are sent."""
    if any(player.vote == vote for player in terms.players):
        return None
    return Enrolment(absent_keys(vote, terms.chain, terms.number), bytes(_SIGNATURE_BYTES))


def write_roster(enrolments: dict[bytes, Enrolment]) -> bytes:
    """All of them, in the order of their keys."""
    rows = [enrolments[vote].to_bytes() for vote in sorted(enrolments)]
    return _COUNT.pack(len(rows)) + b"".join(rows)


def read_roster(data: bytes, terms: Terms) -> dict[bytes, Enrolment]:
    """Read and check all of them.

    Raises
    ------
    CeremonyFailedError
        One is wrong, absent, or there twice (``ENROLMENT``).
    """
    count = _COUNT.unpack_from(data)[0] if len(data) >= _COUNT.size else 0
    if count > 2 * MEMBERS_MAX or len(data) != _COUNT.size + count * ENROLMENT_BYTES:
        raise _wrong(f"list has {len(data)} bytes")
    rows = (
        data[at : at + ENROLMENT_BYTES] for at in range(_COUNT.size, len(data), ENROLMENT_BYTES)
    )
    found = [Enrolment.read(row, terms) for row in rows]
    votes = [one.vote for one in found]
    if votes != [member.vote for member in terms.everybody]:
        raise _wrong("list has not each member once, in the order of their keys")
    return dict(zip(votes, found, strict=True))


def info_of(terms: Terms, enrolments: dict[bytes, Enrolment]) -> tuple[bytes, bytes]:
    """The ceremony's information and its digest, the same for all who have the same roster."""
    return ceremony_info(
        kind=terms.kind,
        chain=terms.chain,
        number=terms.number,
        old_epoch=terms.old_epoch,
        previous=terms.previous,
        sequencer=terms.sequencer.vote,
        dealers=[enrolments[member.vote].keys for member in terms.dealers],
        players=[enrolments[member.vote].keys for member in terms.players],
    )


def _wrong(why: str) -> CeremonyFailedError:
    error = CeremonyFailedError(f"enrolment {why}")
    error.code = "ENROLMENT"
    return error
