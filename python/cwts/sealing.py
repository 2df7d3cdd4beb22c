"""Archives, exports and receipts sealed to whoever may read them.

The format is age (``age-encryption.org/v1``), by its Rust implementation: each file by itself,
under its name with ``.age`` behind it. Any age program opens it. The files are sealed as they
are, so roots, proofs and manifests are the same before and after.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from cwts import _bounded
from cwts.errors import CwtsError, input_error

__all__ = ["FILES_MAX", "SealError", "new_identity", "seal", "unseal"]

#: Files of a folder that is sealed: blocks and manifests of 65,536 entries, for three billion.
FILES_MAX: Final = 100_000
#: A file of identities is read up to here.
IDENTITIES_BYTES_MAX: Final = 64 << 10
SUFFIX: Final = ".age"


class SealError(CwtsError):
    """What was sealed cannot be opened: another's, or not what was sealed."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = "SEAL"


def new_identity(path: str | os.PathLike[str]) -> str:
    """Make an identity, which opens what is sealed to its recipient, and give the recipient.

    Parameters
    ----------
    path : path-like
        A file that is not there yet; made with mode 0600, in the form of ``age-keygen``.

    Returns
    -------
    str
        The recipient, ``age1...``, which anyone may have.

    Raises
    ------
    InputError
        The file is there.
    """
    identity = _age().x25519.Identity.generate()
    recipient = str(identity.to_public())
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise input_error(
            f"{os.fspath(path)}: is there; an identity is never overwritten"
        ) from None
    with os.fdopen(file, "w", encoding="ascii") as out:
        out.write(f"# public key: {recipient}\n{identity}\n")
        out.flush()
        os.fsync(out.fileno())
    return recipient


def seal(
    source: str | os.PathLike[str], output: str | os.PathLike[str], recipients: Iterable[str]
) -> int:
    """Seal a file, or every file of a folder, so that each of `recipients` can open it.

    Parameters
    ----------
    source : path-like
        A receipt or another file, or the folder of an archive or export. It is only read.
    output : path-like
        What is made; it must not be there, and not be in `source`. It is whole or absent.
    recipients : iterable of str
        ``age1...``, at least one.

    Returns
    -------
    int
        How many files were sealed.

    Raises
    ------
    InputError
        A recipient is none, `output` is there, or `source` holds something but plain files.
    """
    age = _age()
    keys = [_recipient(age, text) for text in recipients]
    if not keys:
        raise input_error("recipients: none; at least one must be able to open it")

    def one(plain: Path, sealed: Path) -> None:
        age.encrypt_file(os.fspath(plain), os.fspath(sealed), keys)

    return _each(Path(source), Path(output), lambda name: name + SUFFIX, one)


def unseal(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    identities: Iterable[str | os.PathLike[str]],
) -> int:
    """Open what `seal` made.

    Parameters
    ----------
    source : path-like
        The sealed file or folder. It is only read.
    output : path-like
        What is made; it must not be there. It is whole or absent.
    identities : iterable of path-like
        Files with lines ``AGE-SECRET-KEY-1...``, as ``age-keygen`` writes them.

    Returns
    -------
    int
        How many files were opened.

    Raises
    ------
    SealError
        None of the identities opens a file, or it was changed since it was sealed.
    InputError
        A file of identities holds none, `output` is there, or a file is not sealed.
    """
    age = _age()
    keys = [key for path in identities for key in _identities(age, Path(path))]
    if not keys:
        raise input_error("identities: none; nothing can be opened without one")

    def plain_name(name: str) -> str:
        if not name.endswith(SUFFIX) or name == SUFFIX:
            raise input_error(f"{name}: is not sealed; sealed files end in {SUFFIX}")
        return name.removesuffix(SUFFIX)

    def one(sealed: Path, plain: Path) -> None:
        try:
            age.decrypt_file(os.fspath(sealed), os.fspath(plain), keys)
        except (age.DecryptError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk's, not the seal's
            raise SealError(f"{sealed}: {error}") from None

    return _each(Path(source), Path(output), plain_name, one)


def _each(
    source: Path, output: Path, name: Callable[[str], str], one: Callable[[Path, Path], None]
) -> int:
    """Make `output` of `source`, file by file, beside its place, and put it there in one step."""
    if os.path.lexists(output):
        raise input_error(f"{output}: is there; name a place where nothing is")
    if output.resolve().is_relative_to(source.resolve()):
        raise input_error(f"{output}: lies in {source}, which is read; name a place outside")
    pairs = _files(source, name)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".cwts-seal-", dir=output.parent) as scratch:
        made = Path(scratch) / "made"
        for path, place in pairs:
            target = made / place if source.is_dir() else made
            target.parent.mkdir(parents=True, exist_ok=True)
            one(path, target)
            with target.open("rb") as file:
                os.fsync(file.fileno())
        made.rename(output)
    return len(pairs)


def _files(source: Path, name: Callable[[str], str]) -> list[tuple[Path, str]]:
    """Every file below a folder, or the file itself, and what it is called on the other side."""
    if source.is_file() and not source.is_symlink():
        return [(source, name(source.name))]
    if not source.is_dir():
        raise input_error(f"{source}: is no file and no folder")
    found: list[tuple[Path, str]] = []
    for folder, folders, files in os.walk(source):
        folders.sort()
        for each in sorted(files) + [f for f in folders if (Path(folder) / f).is_symlink()]:
            path = Path(folder) / each
            if path.is_symlink() or not path.is_file():
                raise input_error(f"{path}: is a link or no plain file, and is not followed")
            place = path.parent.relative_to(source) / name(each)
            found.append((path, os.fspath(place)))
            if len(found) > FILES_MAX:
                raise input_error(f"{source}: holds more than {FILES_MAX:,} files")
    if not found:
        raise input_error(f"{source}: holds no file")
    return found


def _recipient(age: Any, text: str) -> Any:
    try:
        return age.x25519.Recipient.from_str(text.strip())
    except (age.RecipientError, ValueError):
        raise input_error(f"recipient {text[:80]!r}: is no age recipient, age1...") from None


def _identities(age: Any, path: Path) -> list[Any]:
    data = _bounded.read(path, IDENTITIES_BYTES_MAX)
    found = []
    for number, line in enumerate(data.decode("ascii", "replace").splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            found.append(age.x25519.Identity.from_str(text))
        except (age.IdentityError, ValueError):
            # Never the line itself: it may be a key with a slip of the pen in it.
            raise input_error(f"{path}: line {number} is no age identity") from None
    return found


def _age() -> Any:
    try:
        import pyrage
    except ImportError:
        raise input_error(
            "sealing needs the extra: pip install 'cwts[seal]', or use age itself"
        ) from None
    return pyrage
