"""Peers of the log in Python: a Merkle tree, and columns of entries in Parquet."""

from __future__ import annotations

import itertools
import json
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from cwts import _core
from cwts.bench.peers import PeerMissing, pinned

__all__ = ["Parquet", "Pymerkle", "parquet", "pymerkle"]


def pymerkle() -> Pymerkle:
    """The tree, ready to measure.

    Raises
    ------
    PeerMissing
        It is not installed, or in another version than the goals are set against.
    """
    return Pymerkle(pinned("pymerkle"))


def parquet() -> Parquet:
    """The columns, ready to write.

    Raises
    ------
    PeerMissing
        pyarrow is not installed.
    """
    try:
        return Parquet(f"pyarrow {metadata.version('pyarrow')}")
    except metadata.PackageNotFoundError:
        raise PeerMissing(
            "pyarrow is not installed; install the extra cwts[analytics] or pyarrow==26.0.1"
        ) from None


class Pymerkle:
    """A tree in memory. It is under the GPL, so no extra of ours brings it: ``make bench`` does."""

    def __init__(self, name: str) -> None:
        import pymerkle

        self.name = name
        self._tree = pymerkle.InmemoryTree

    def append(self, entries: list[bytes]) -> Any:
        """The root over the entries, appended one by one to a new tree."""
        tree = self._tree(algorithm="sha256")
        for entry in entries:
            tree.append_entry(entry)
        return tree.get_root()


class Parquet:
    """The entries of a log as an analyst would keep them: one table for each type.

    Every field is a column of its own, in integers where it is a number, delta encoded; zstd 3;
    row groups of 65,536. In its favour: no index, no dictionary, no statistics, and what has no
    fixed length (text, violations) is one binary column.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def write(self, log: Path, folder: Path) -> int:
        """The bytes of all files."""
        return sum(
            _write(folder / f"{code}-{length}.parquet", rows, length)
            for (code, length), rows in _by_type(log).items()
        )


def _by_type(log: Path) -> dict[tuple[int, int], bytes]:
    """The entries by type and length, in order."""
    found: dict[tuple[int, int], list[bytes]] = {}
    size = int(_core.checkpoint(str(log))["size"])
    for first in range(0, size, RUN):
        data, ends, _ = _core.entries_raw(str(log), first, min(size, first + RUN), BYTES_MAX)
        stops = np.frombuffer(ends, "<i4").tolist()
        for start, stop in itertools.pairwise(stops):
            entry = data[start:stop]
            found.setdefault((entry[0], len(entry)), []).append(entry)
    return {key: b"".join(entries) for key, entries in found.items()}


def _write(path: Path, rows: bytes, length: int) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = np.frombuffer(rows, _dtype(rows[0], length))
    names = columns.dtype.names or ()
    numbers = {name for name in names if columns[name].dtype.kind in "iu"}
    arrays = {
        name: pa.array(columns[name])
        if name in numbers
        else pa.array(columns[name].tolist(), pa.binary(columns[name].dtype.itemsize))
        for name in names
    }
    pq.write_table(
        pa.table(arrays),
        path,
        compression="zstd",
        compression_level=3,
        row_group_size=RUN,
        use_dictionary=False,
        write_statistics=False,
        column_encoding={
            name: "DELTA_BINARY_PACKED" if name in numbers else "PLAIN" for name in names
        },
    )
    return path.stat().st_size


def _dtype(code: int, length: int) -> np.dtype[Any]:
    schema = json.loads(_core.entry_schema())
    body = next(each["fields"] for each in schema["types"] if each["type"] == code)
    fields: list[tuple[str, str]] = []
    for name, of in [*schema["header"], *((f"body_{name}", of) for name, of in body)]:
        if of not in NUMPY:
            break
        fields.append((name, NUMPY[of]))
    rest = length - np.dtype(fields).itemsize
    return np.dtype([*fields, ("rest", f"V{rest}")] if rest else fields)


#: Entries of a row group, and read at once; and their bytes.
RUN = 65_536
BYTES_MAX = 256 << 20
#: Numbers of the schema that numpy has.
NUMPY = {f"{sign}{8 * size}": f"<{sign}{size}" for sign in "ui" for size in (1, 2, 4, 8)}
