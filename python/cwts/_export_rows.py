"""The rows of an export's files, read a bounded number at a time, and where they differ."""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any, BinaryIO, Final

from cwts import _core, _export, _views

__all__ = ["UNREADABLE", "Rows", "first_difference", "first_gap", "plain"]

#: What readers of Parquet, CSV and JSON raise over a damaged file.
UNREADABLE: Final = (ValueError, OSError, EOFError, KeyError, TypeError, NotImplementedError)
#: What the readers of text take at once; the longest row has to fit.
_BLOCK_BYTES: Final = 16 << 20
#: Whole lines of JSON of so many bytes are read at once.
_JSON_BYTES: Final = 8 << 20
#: An entry in hex, and texts of it that may be escaped, fit twice.
_LINE_BYTES_MAX: Final = 2 << 20
#: What of a line is told.
_SHOWN: Final = 60
#: What stands behind a field's name: text, a number, a word.
_VALUE: Final = rb"(?:%s|-?[0-9]{1,20}|true|false|null)"


class Rows:
    """The rows of one file, taken a bounded number at a time."""

    def __init__(self, path: Path, form: str, view: str) -> None:
        self.name = path.name
        self.batches = _batches(path, form, view)
        self.held: list[Any] = []
        self.count = 0

    def close(self) -> None:
        """Let go of the file."""
        self.batches.close()

    def take(self, count: int) -> Any:
        """Give the next rows, fewer at the end; ``None`` behind it."""
        pa = _views.arrow()
        while self.count < count:
            batch = next(self.batches, None)
            if batch is None:
                break
            self.held.append(batch)
            self.count += batch.num_rows
        if not self.count:
            return None
        whole = pa.Table.from_batches(self.held)
        out = whole.slice(0, count)
        rest = whole.slice(count)
        self.held, self.count = rest.to_batches(), rest.num_rows
        return out.combine_chunks()

    def run(self, first: int) -> tuple[_views.Run | None, Any]:
        """Give the next rows of `entries`, and the entries in them."""
        pa = _views.arrow()
        import numpy as np

        table = self.take(_views.RUN_ENTRIES_MAX)
        if table is None:
            return None, None
        if not {"entry", "leaf_hash"} <= set(table.column_names):
            raise ValueError("it has no columns entry and leaf_hash")
        entry, hashes = (column_bytes(table[name]) for name in ("entry", "leaf_hash"))
        if entry.null_count or hashes.null_count:
            raise ValueError("an entry or a leaf hash is empty")
        ends = np.frombuffer(entry.buffers()[1], "<i4")[entry.offset :][: len(entry) + 1]
        data = entry.buffers()[2]
        raw = hashes.cast(pa.binary(32)) if hashes.type != pa.binary(32) else hashes
        start = raw.offset * 32
        return (
            _views.Run(
                first,
                b"" if data is None else data.to_pybytes(),
                ends.tobytes(),
                raw.buffers()[1].to_pybytes()[start : start + len(raw) * 32],
            ),
            table,
        )


def column_bytes(column: Any) -> Any:
    """Give a column of bytes; hex is read back, whole buffers at once."""
    pa = _views.arrow()
    import numpy as np

    one = pa.concat_arrays(column.chunks)
    if not pa.types.is_string(one.type):
        return one
    ends = np.frombuffer(one.buffers()[1], "<i4")[one.offset :][: len(one) + 1]
    text = one.buffers()[2].to_pybytes() if one.buffers()[2] is not None else b""
    if np.any(ends % 2):
        raise ValueError("an entry or a leaf hash is no hex")
    raw = bytes.fromhex(text.decode("ascii", errors="replace"))
    buffers = [pa.py_buffer((ends // 2).astype("<i4").tobytes()), pa.py_buffer(raw)]
    return pa.Array.from_buffers(pa.binary(), len(one), [None, *buffers])


def _batches(path: Path, form: str, view: str) -> Generator[Any]:
    schema = _export.written(_views.layout(_core.schema(), view).empty_table(), form).schema
    if form == "parquet":
        import pyarrow.parquet as pq

        with pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False) as file:
            yield from file.iter_batches(batch_size=_views.RUN_ENTRIES_MAX)
    elif form == "csv":
        import pyarrow.csv as pc_csv

        convert = pc_csv.ConvertOptions(
            column_types=schema, strings_can_be_null=False, include_columns=schema.names
        )
        parse = pc_csv.ParseOptions(newlines_in_values=True)
        read = pc_csv.ReadOptions(block_size=_BLOCK_BYTES)
        with pc_csv.open_csv(path, read, parse, convert) as reader:
            yield from reader
    else:
        yield from _json_batches(path, schema)


def _json_batches(path: Path, schema: Any) -> Generator[Any]:
    """Read JSON lines, some megabytes at once.

    Arrow's reader dies on a line that is `null`, and keeps all that it has read. So it gets lines
    of one form only, objects of these fields in this order, and a buffer at a time.
    """
    import pyarrow.json as pj

    pa, form = _views.arrow(), _line_form(schema.names)
    parse = pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error")
    with path.open("rb") as file:
        while whole := b"".join(_lines(file, form)):
            read = pj.ReadOptions(block_size=len(whole) + 1, use_threads=False)
            yield from pj.read_json(pa.BufferReader(whole), read, parse).to_batches()


def _lines(file: BinaryIO, form: re.Pattern[bytes]) -> Generator[bytes]:
    """Give lines of this form, as many as are read at once."""
    count = 0
    while count < _JSON_BYTES and (line := file.readline(_LINE_BYTES_MAX)):
        if form.fullmatch(line) is None:
            shown = line[:_SHOWN].decode(errors="replace")
            raise ValueError(f"a line is no object with the fields of this view: {shown!r}")
        count += len(line)
        yield line


def _line_form(names: list[str]) -> re.Pattern[bytes]:
    plain = rb'[^"\\\x00-\x1f]*+'
    text = rb'"%s(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})%s)*+"' % (plain, plain)
    fields = (re.escape(json.dumps(name)).encode() + rb":" + _VALUE % text for name in names)
    return re.compile(rb"\{" + b",".join(fields) + rb"\}\n")


def first_difference(wanted: Any, table: Any) -> tuple[int, list[str]]:
    """Give the first row that differs, and the columns that do in it."""
    import pyarrow.compute as pc

    found: dict[str, int] = {}
    for name in wanted.column_names:
        left, right = wanted[name], table[name]
        if left.equals(right):
            continue
        both = pc.and_(left.is_null(), right.is_null())
        differs = pc.fill_null(pc.not_equal(left, right), fill_value=True)
        at = pc.index(pc.and_(differs, pc.invert(both)), value=True).as_py()
        if at >= 0:
            found[name] = at
    first = min(found.values())
    return first, [name for name, at in found.items() if at == first]


def plain(scalar: Any) -> Any:
    """Give a value of a column as it is shown."""
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        return "bytes that are no text"


def first_gap(table: Any, run: _views.Run) -> int | None:
    """Give the first row whose `index` is not the next one."""
    pa = _views.arrow()
    import numpy as np

    try:
        held = table["index"].cast(pa.uint64()).fill_null(0).to_numpy()
    except (KeyError, ValueError):
        return None
    wrong = np.flatnonzero(held != np.arange(run.first, run.end, dtype=np.uint64))
    return int(wrong[0]) if len(wrong) else None
