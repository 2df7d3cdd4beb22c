"""What a verifier asks for, as a file: the context of a proof, and the commitments it is about.

The verifier writes it and keeps it; the prover answers it. A proof carries no statement of its
own, so there is none that a verifier could be talked into.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal

from cwts import zk
from cwts.errors import input_error

__all__ = ["PROOF_BYTES_MAX", "Kind", "Question", "commitment_of", "read_bounded"]

#: Bytes of the largest proof: of eight desks, 1,616; beyond that a file is no proof.
PROOF_BYTES_MAX: Final = 4_096
_QUESTION_BYTES_MAX: Final = 16_384
_HEX_DIGITS: Final = 64
_CONTEXT_KEYS: Final = {"chain", "epoch", "role", "subject", "as_of_seq", "nonce"}

#: What can be asked.
Kind = Literal["exposure", "sum", "equal"]


@dataclass(frozen=True, slots=True)
class Question:
    """One question: which statement about which commitments, in which context.

    Attributes
    ----------
    context : zk.Context
        What the proof must be bound to.
    kind : str
        ``"exposure"``, ``"sum"`` or ``"equal"``.
    commitments : tuple of bytes
        The exposure's; one a desk; or the two that are to one number.
    limit : bytes, int or None
        The limit's commitment, or its number in units of 0.01; ``None`` of an equality.
    """

    context: zk.Context
    kind: Kind
    commitments: tuple[bytes, ...]
    limit: bytes | int | None

    @classmethod
    def load(cls, path: Path) -> Question:
        """Read a question.

        Raises
        ------
        InputError
            The file is none; the error names file and field.
        """
        try:
            told = json.loads(read_bounded(path, _QUESTION_BYTES_MAX))
            return cls._of(told)
        except (ValueError, TypeError, OverflowError, zk.ProofError, RecursionError) as error:
            raise input_error(f"{path}: is no context of a proof: {error}") from None

    @classmethod
    def _of(cls, told: object) -> Question:
        fields = _object(told, _CONTEXT_KEYS | {"about"}, "the file")
        context = zk.Context(
            chain=_hex(fields["chain"], "chain"),
            epoch=_int(fields["epoch"], "epoch"),
            role=_text(fields["role"], "role"),
            subject=_text(fields["subject"], "subject"),
            as_of_seq=_int(fields["as_of_seq"], "as_of_seq"),
            nonce=_hex(fields["nonce"], "nonce"),
        )
        about = fields["about"]
        if not isinstance(about, dict):
            raise TypeError("about must be an object")
        if "equal" in about:
            pair = _commitments(_object(about, {"equal"}, "about")["equal"], "about.equal")
            if len(pair) != 2:  # noqa: PLR2004 - two commitments are equal, or are not
                raise ValueError("about.equal must have two commitments")
            return cls(context, "equal", pair, None)
        ours: Kind = "sum" if "desks" in about else "exposure"
        what = "desks" if ours == "sum" else "exposure"
        how = "limit_amount" if "limit_amount" in about else "limit"
        named = _object(about, {what, how}, "about")
        limit: bytes | int
        if how == "limit":
            limit = _hex(named[how], "about.limit")
        else:
            limit = zk.limit_amount(_text(named[how], "about.limit_amount"))
        if ours == "exposure":
            return cls(context, ours, (_hex(named[what], "about.exposure"),), limit)
        desks = _commitments(named[what], "about.desks")
        if not 1 <= len(desks) <= zk.DESKS_MAX:
            raise ValueError(f"about.desks must have 1 to {zk.DESKS_MAX} commitments")
        return cls(context, ours, desks, limit)

    def to_json(self) -> dict[str, Any]:
        """Give it as its file has it."""
        return {
            "chain": self.context.chain.hex(),
            "epoch": self.context.epoch,
            "role": self.context.role,
            "subject": self.context.subject,
            "as_of_seq": self.context.as_of_seq,
            "nonce": self.context.nonce.hex(),
            "about": self.about,
        }

    @property
    def about(self) -> dict[str, Any]:
        """The commitments, and the limit."""
        found = [commitment.hex() for commitment in self.commitments]
        if self.kind == "equal":
            return {"equal": found}
        told: dict[str, Any] = {"desks": found} if self.kind == "sum" else {"exposure": found[0]}
        if isinstance(self.limit, int):
            told["limit_amount"] = f"{Decimal(self.limit).scaleb(-2):.2f}"
        elif self.limit is not None:
            told["limit"] = self.limit.hex()
        return told

    def verify(self, proof: bytes) -> bool:
        """Tell whether a proof answers the question.

        Raises
        ------
        ProofError
            These bytes are no proof, or one of something else.
        """
        if self.limit is None:
            first, second = self.commitments
            return zk.verify_equal(proof, first, second, self.context)
        if self.kind == "sum":
            return zk.verify_desks_sum_below(proof, self.commitments, self.limit, self.context)
        return zk.verify_exposure_below(proof, self.commitments[0], self.limit, self.context)


def commitment_of(text: str) -> bytes:
    """Take a commitment from 64 hexadecimal digits, or from a file that holds them.

    Raises
    ------
    InputError
        The text is neither.
    """
    told = text
    if len(text) != _HEX_DIGITS:
        told = read_bounded(Path(text), _HEX_DIGITS + 2).decode("ascii", "replace").strip()
    try:
        return _hex(told, "a commitment")
    except (TypeError, ValueError):
        shown = text[:200]
        raise input_error(f"{shown}: holds no commitment of 64 hexadecimal digits") from None


def read_bounded(path: Path, bytes_max: int) -> bytes:
    """Read a file of at most so many bytes.

    Raises
    ------
    InputError
        It has more.
    """
    with path.open("rb") as file:
        found = file.read(bytes_max + 1)
    if len(found) > bytes_max:
        raise input_error(f"{path}: has more than {bytes_max} bytes")
    return found


def _object(told: object, keys: set[str], name: str) -> dict[str, Any]:
    if not isinstance(told, dict):
        raise TypeError(f"{name} must be an object")
    if set(told) != keys:
        raise ValueError(f"{name} must have the keys {', '.join(sorted(keys))}, and no other")
    return told


def _commitments(told: object, name: str) -> tuple[bytes, ...]:
    if not isinstance(told, list):
        raise TypeError(f"{name} must be a list")
    return tuple(_hex(one, f"{name}[{at}]") for at, one in enumerate(told))


def _hex(told: object, name: str) -> bytes:
    if isinstance(told, str) and len(told) == _HEX_DIGITS and told.isascii():
        try:
            found = bytes.fromhex(told)
        except ValueError:
            found = b""
        if found.hex() == told:
            return found
    raise ValueError(f"{name} must be 64 hexadecimal digits in lower case")


def _int(told: object, name: str) -> int:
    if isinstance(told, bool) or not isinstance(told, int) or not 0 <= told < 1 << 64:
        raise ValueError(f"{name} must be a whole number from 0 to 2^64 - 1")
    return told


def _text(told: object, name: str) -> str:
    if not isinstance(told, str):
        raise TypeError(f"{name} must be text")
    return told
