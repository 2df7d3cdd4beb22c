"""The peers that only decode: each reads the same bytes as we do, through its own public calls."""

from __future__ import annotations

from collections import deque
from importlib import import_module
from pathlib import Path
from typing import Any

from cwts.bench.peers import PeerMissing, pinned

__all__ = ["Databento", "Itchfeed", "Polars", "find"]


class Databento:
    """DBN to a NumPy array of records: `DBNStore.to_ndarray`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._store = import_module("databento").DBNStore

    def decode(self, path: Path) -> Any:
        """Every record of the file."""
        return self._store.from_file(path).to_ndarray()


class Itchfeed:
    """ITCH 5.0 to message objects: `MessageParser.parse_stream`."""

    def __init__(self, name: str) -> None:
        if import_module("itch._backend").USING_CPP_BACKEND:
            raise PeerMissing(
                "itchfeed runs on another package's C++ parser here; uninstall itchcpp"
            )
        self.name = name
        self._parser = import_module("itch.parser").MessageParser

    def decode(self, data: bytes) -> int:
        """How many messages there were; none is kept."""
        messages = enumerate(self._parser().parse_stream(data), start=1)
        last = deque(messages, maxlen=1)
        return last[0][0] if last else 0


class Polars:
    """Delimited text to columns: `read_csv`, on as many threads as it likes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._read = import_module("polars").read_csv

    def decode(self, data: bytes) -> Any:
        """The frame; its times are floats."""
        return self._read(data)


#: By distribution.
DECODERS = {"databento": Databento, "itchfeed": Itchfeed, "polars": Polars}


def find(name: str) -> Any:
    """A peer by its distribution's name, ready to measure.

    Raises
    ------
    PeerMissing
        It is not installed, or in another version.
    """
    return DECODERS[name](pinned(name))
