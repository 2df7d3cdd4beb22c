"""A new key that the old one vouches for: what outsiders need to follow a committee that rotated.

Each member signs, with its old share and before that is wiped, which key comes next. Seven such
parts make one signature under the old key.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cwts import _bounded, threshold
from cwts._core import Partial, PublicKey, Share, ceremony_output
from cwts.committee.members import write_public
from cwts.errors import input_error

__all__ = ["Rotation", "certify", "part_of", "read_part"]

_DOMAIN: Final = b"cwts/rotate/v1\0"
_BYTES_MAX: Final = 65_536
_PART_BYTES_MAX: Final = 128


def _message(old_output: bytes, new_output: bytes) -> bytes:
    old, _ = ceremony_output(old_output)
    new, _ = ceremony_output(new_output)
    parts = (old["digest"], new["digest"], old["key"], new["key"])
    return _DOMAIN + b"".join(map(bytes.fromhex, parts))


@dataclass(frozen=True, slots=True)
class Rotation:
    """The old key's word for the new one.

    Attributes
    ----------
    old_output, new_output : bytes
        The results of the two ceremonies, which are public.
    signature : bytes
        48 bytes, under the old key.
    """

    old_output: bytes
    new_output: bytes
    signature: bytes

    def verify(self) -> bool:
        """Whether the old key vouches for the new one.

        Raises
        ------
        CwtsError
            An output or the signature is malformed.
        """
        _, old = ceremony_output(self.old_output)
        message = _message(self.old_output, self.new_output)
        return threshold.verify(old.key, message, self.signature)

    def to_json(self) -> dict[str, Any]:
        """As an object."""
        fields = ("old_output", "new_output", "signature")
        return {"schema": 1, **{name: getattr(self, name).hex() for name in fields}}

    @classmethod
    def load(cls, path: Path) -> Rotation:
        """Read a file of one.

        Raises
        ------
        InputError
            It is no such file.
        """
        try:
            return cls(*_fields(_bounded.read(path, _BYTES_MAX)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise input_error(f"rotation {path}: {error}") from None


def _fields(data: bytes) -> tuple[bytes, bytes, bytes]:
    found = json.loads(data)
    if found.keys() != {"schema", "old_output", "new_output", "signature"}:
        raise ValueError("has other fields than a rotation")
    if found["schema"] != 1:
        raise ValueError(f"schema is {found['schema']!r}, must be 1")
    old, new, signature = (
        bytes.fromhex(found[name]) for name in ("old_output", "new_output", "signature")
    )
    return old, new, signature


def part_of(share: Share, old_output: bytes, new_output: bytes) -> str:
    """One member's part, as a line for a public file."""
    partial = threshold.partial_sign(share, _message(old_output, new_output))
    return f"{partial.index} {bytes(partial).hex()}\n"


def read_part(path: Path, old_output: bytes) -> Partial:
    """A member's part out of its file.

    Raises
    ------
    InputError
        The file is absent, too long or malformed.
    ThresholdError
        It holds no point, or an index that no member has.
    """
    facts, _ = ceremony_output(old_output)
    try:
        index, value = _bounded.read(path, _PART_BYTES_MAX).decode("ascii").split()
        return threshold.Partial(bytes.fromhex(value), int(index), int(facts["epoch"]))
    except (ValueError, OverflowError) as error:
        raise input_error(f"part of a rotation {path}: {error}") from None


def certify(
    path: Path, old_output: bytes, new_output: bytes, parts: list[Partial]
) -> tuple[PublicKey, PublicKey]:
    """Put parts together and write the rotation; gives the old key and the new one.

    Raises
    ------
    NotEnoughSharesError
        Fewer than t parts are good.
    """
    _, old = ceremony_output(old_output)
    _, new = ceremony_output(new_output)
    signature, _ = threshold.recover(old, _message(old_output, new_output), parts)
    made = Rotation(old_output, new_output, signature)
    write_public(path, json.dumps(made.to_json(), indent=1) + "\n")
    return old.key, new.key
