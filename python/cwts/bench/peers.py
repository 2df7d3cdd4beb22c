"""The peers: what is measured beside us, each in the version that the goals are set against."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from typing import Any

__all__ = ["ALONE", "BROUGHT", "VERSIONS", "PeerMissing", "find", "pinned"]

#: A ratio against a moving version is not a figure.
VERSIONS = {
    "databento": "0.87.0",
    "itchfeed": "1.6.4",
    "openpit": "0.10.0",
    "polars": "2.1.0",
}

#: Those that no extra of ours installs, for their size and licence: `make bench` brings them.
BROUGHT = {"blspy": "2.0.3", "nautilus_trader": "1.221.0", "pymerkle": "7.0.0"}

#: Peers without a package to look for: parts of us, and what a Rust benchmark is built with.
ALONE = (
    *("the log alone", "one worker", "own scalar", "openpit crate", "ct-merkle"),
    *("raw hash loop", "the slower half", "one fdatasync", "sqlite3"),
    *("commonware", "own verify", "own verify each", "own loop"),
)


class PeerMissing(Exception):  # noqa: N818 - a state of the machine, not a fault
    """The peer cannot be measured here; the text says why and what to do."""


def pinned(distribution: str, installed: Callable[[str], str] = metadata.version) -> str:
    """A peer's name with its version, if it is the one that the goals are set against.

    Raises
    ------
    PeerMissing
        It is not installed, or in another version.
    """
    wanted = (VERSIONS | BROUGHT)[distribution]
    extra = "" if distribution in BROUGHT else "the extra cwts[bench] or "
    hint = f"install {extra}{distribution}=={wanted}"
    if not extra:
        hint += ", or run `make bench` in a checkout"
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
    from cwts.bench import decoders, nautilus, openpit, rings, threshold, trees

    if name in ALONE:
        return Alone(name)
    if name == "numpy":
        return Alone(f"numpy {metadata.version('numpy')}")
    by_name: dict[str, Callable[[], Any]] = {
        "blspy": threshold.blspy,
        "nautilus_trader": nautilus.find,
        "openpit": openpit.find,
        "pyarrow": trees.parquet,
        "pymerkle": trees.pymerkle,
    }
    if name in by_name:
        return by_name[name]()
    return rings.find(name) if name in rings.PEERS else decoders.find(name)


class Alone:
    """A peer that needs nothing but its name."""

    def __init__(self, name: str) -> None:
        self.name = name
