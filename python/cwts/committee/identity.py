"""A member's folder: secrets that the core keeps, and the TLS key with its certificate."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import Final

from cwts._core import MemberSecrets
from cwts.committee.members import Member, read_member, write_public
from cwts.errors import input_error

__all__ = ["TLS_FILE", "create", "load", "own"]

#: The TLS key and its certificate, PEM.
TLS_FILE: Final = "tls.pem"
#: The public half of all: what others put into their terms.
MEMBER_FILE: Final = "member.toml"
_EXTRA: Final = "member identities need the extra cwts[committee]: pip install 'cwts[committee]'"
#: A certificate names a key and nobody else; terms say until when it counts.
_VALID_FROM: Final = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_VALID_TO: Final = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)
_PRIVATE: Final = 0o600


def create(
    folder: Path, name: str, host: str, port: int, passphrase: bytes | None = None
) -> Member:
    """Make a member's keys in a folder that is absent or empty.

    Parameters
    ----------
    folder : Path
        Where its secrets go, mode 0700.
    name : str
        What people call it.
    host, port : str, int
        Where it will listen.
    passphrase : bytes, optional
        Locks its share (Argon2id). Without one a key file beside it does.

    Raises
    ------
    InputError
        The folder has something in it, or `cryptography` is not installed.
    """
    if folder.exists() and any(folder.iterdir()):
        raise input_error(f"{folder}: is not empty; an identity is made once")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    secrets = MemberSecrets.create(os.fspath(folder), passphrase)
    pem, certificate = _certificate(name)
    file = os.open(folder / TLS_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
    with os.fdopen(file, "wb") as opened:
        opened.write(pem)
        opened.flush()
        os.fsync(opened.fileno())
    member = Member(name, secrets.vote, certificate, host, port)
    write_public(folder / MEMBER_FILE, member.to_toml("[member]").lstrip())
    return member


def own(folder: Path) -> Member:
    """The public half of the identity in a folder.

    Raises
    ------
    InputError
        There is none, or it is malformed.
    """
    import tomllib

    path = folder / MEMBER_FILE
    try:
        return read_member(tomllib.loads(path.read_text(encoding="utf-8")).get("member"), "member")
    except OSError as error:
        why = f"{path}: {error.strerror}; make an identity with `cwts committee identity`"
        raise input_error(why) from None
    except (ValueError, UnicodeDecodeError) as error:
        raise input_error(f"{path}: {' '.join(map(str, error.args))}") from None


def load(folder: Path, passphrase: bytes | None = None) -> tuple[Member, MemberSecrets]:
    """The identity in a folder, with its secrets.

    Raises
    ------
    InputError
        There is none, or its public half is of another key.
    LogError
        A secret cannot be read, or others may read it.
    """
    member = own(folder)
    secrets = MemberSecrets(os.fspath(folder), passphrase)
    if secrets.vote != member.vote:
        raise input_error(f"{folder / MEMBER_FILE}: its vote key is not that of vote.key")
    return member, secrets


def _certificate(name: str) -> tuple[bytes, bytes]:
    """A new Ed25519 key with a certificate that it signs itself: PEM of both, DER of the latter."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError:
        raise input_error(_EXTRA) from None
    key = Ed25519PrivateKey.generate()
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_VALID_FROM)
        .not_valid_after(_VALID_TO)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, None)
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = made.public_bytes(serialization.Encoding.PEM)
    return private + public, made.public_bytes(serialization.Encoding.DER)
