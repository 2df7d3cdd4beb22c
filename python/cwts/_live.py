"""A log under watch while it is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from cwts import _core

__all__ = ["Seen", "watch"]

#: A look that finds nothing new ends after so long, seconds: an interrupt is heard then.
_PATIENCE_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look at a growing log found.

    Attributes
    ----------
    size : int
        Entries that were checked so far.
    root : str
        The root over them, base64.
    closed : bool
        Whether the last of them is CLOSE.
    mono_ns : int
        When the look ended, as `time.monotonic_ns` tells it.
    findings : list of dict
        What is wrong, as in `Verdict.findings`. Behind the first nothing more is looked at.
    """

    size: int
    root: str
    closed: bool
    mono_ns: int
    findings: list[dict[str, Any]]


def watch(log: str | os.PathLike[str], key: str | None = None) -> Iterator[Seen]:
    """Check a log while it is written: each entry as it comes, and every decision made again.

    It ends behind the first finding, and behind CLOSE. It reads without the log's lock, from the
    first entry on, and costs the writer nothing.

    Parameters
    ----------
    log : path-like
        The log's directory.
    key : str, optional
        The log's verification key in the C2SP form. Without it the root of a new checkpoint is
        compared, and not whose signature it bears.

    Yields
    ------
    Seen
        After each look, with new entries or after 0.2 s without.

    Raises
    ------
    LogError
        There is no log, or a file cannot be read.
    """
    core = _core.LogWatch(os.fspath(log), key)
    while True:
        seen = Seen(**core.look(_PATIENCE_S))
        yield seen
        if seen.closed or seen.findings:
            return
