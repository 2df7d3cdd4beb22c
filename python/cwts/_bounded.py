"""Files of others, read up to a bound."""

from __future__ import annotations

from pathlib import Path

from cwts.errors import input_error

__all__ = ["read"]


def read(path: Path, bytes_max: int) -> bytes:
    """The bytes of a file.

    Raises
    ------
    InputError
        It cannot be read, or has more than `bytes_max` bytes.
    """
    try:
        with path.open("rb") as file:
            data = file.read(bytes_max + 1)
    except OSError as error:
        raise input_error(f"{path}: {error.strerror}") from None
    if len(data) > bytes_max:
        raise input_error(f"{path}: has more than {bytes_max:,} bytes")
    return data
