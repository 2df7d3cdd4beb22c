"""The peers: what is measured beside us, each in the version that the goals are set against."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from typing import Any

__all__ = ["ALONE", "VERSIONS", "PeerMissing", "find", "pinned"]

#: A ratio against a moving version is not a figure.
VERSIONS = {
    "databento": "0.87.0",
    "itchfeed": "1.6.4",
    "openpit": "0.10.0",
    "polars": "2.1.0",
}

#: Peers that are part of us: the log without decoding and deciding, and one worker.
ALONE = ("the log alone", "one worker")


class PeerMissing(Exception):  # noqa: N818 - a state of the machine, not a fault
    """The peer cannot be measured here; the text says why and what to do."""


def pinned(distribution: str, installed: Callable[[str], str] = metadata.version) -> str:
    """A peer's name with its version, if it is the one that the goals are set against.

    Raises
    ------
    PeerMissing
        It is not installed, or in another version.
    """
    wanted = VERSIONS[distribution]
    hint = f"install the extra cwts[bench] or {distribution}=={wanted}"
    try:
        version = installed(distribution)
    except metadata.PackageNotFoundError:
        raise PeerMissing(f"{distribution} is not installed; {hint}") from None
    if version != wanted:
        raise PeerMissing(
            f"{distribution} is {version}, the goals are set against {wanted}; {hint}"
        )
    return f"{distribution} {version}"


def find(name: str) -> Any:
    """The peer of a goal, ready to measure; `name` is what it is called in a table.

    Raises
    ------
    PeerMissing
        It cannot be measured here.
    """
    from cwts.bench import decoders, openpit, rings

    if name in ALONE:
        return Alone(name)
    if name in rings.PEERS:
        return rings.find(name)
    if name == "openpit":
        return openpit.find()
    return decoders.find(name)


class Alone:
    """A part of us, as the peer of the whole."""

    def __init__(self, name: str) -> None:
        self.name = name
