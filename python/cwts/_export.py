"""Exports: a log's views as files, and a manifest that proves them complete.

Source: RFC 6962 (leaf and node hashes), C2SP checkpoint; CWE-1236 and OWASP, "CSV injection".
Invariant: the rows of `entries` are consecutive leaves of the tree that the checkpoint signs. Their
hashes, the subtrees left of them and those right of them fold to its root, so no row can be left
out, changed or put between.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Literal

from cwts import _core, _views
from cwts.audit import one_log
from cwts.errors import input_error

__all__ = [
    "FORMATS",
    "MANIFEST",
    "Format",
    "digest",
    "export",
    "hex_text",
    "manifest_bytes",
    "nanoseconds_of",
    "neutral",
    "written",
]

Format = Literal["parquet", "csv", "jsonl"]
FORMATS: Final = ("parquet", "csv", "jsonl")
MANIFEST: Final = "manifest.json"
SCHEMA: Final = "cwts/export/v1"
#: Types whose texts may name people.
PERSONAL: Final = ("REGISTER", "ALIAS", "SEALED", "NOTE", "AMEND", "ACCESS")
#: What a spreadsheet takes for the start of a formula, or to strip before one.
_FORMULA: Final = "^[=+@\\-\t\r\n＝＋－＠]"  # noqa: RUF001 - full-width forms are meant
#: Types that readers of JSON round.
_WIDE: Final = ("int64", "uint64")
#: What a person may be asked for: how the range follows from times.
HOW: Final = (
    "the smallest range of log indices that covers every entry whose utc_ns is in [from_ns, to_ns);"
    " entries stand by index, so some in it may be of other times"
)


def export(
    log: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    format: Format = "parquet",  # noqa: A002 - the command line's word
    start: int | str | None = None,
    end: int | str | None = None,
) -> dict[str, Any]:
    """Write a log's views as files, with a manifest that proves them complete.

    A file for each view that has rows: ``entries`` (all of the range), ``orders``, ``decisions``,
    ``execs``, ``limits``, ``kills``, ``overrides``, ``alerts``, ``denials``, ``gaps``, ``opens``,
    ``clock``, ``registers``, ``aliases``. Each row has ``index``, ``utc``, ``leaf_hash`` and
    ``entry``, the entry's bytes, beside its fields. `verify` checks the folder without the log;
    docs/export.md has the fields.

    Parameters
    ----------
    log : path-like
        The log's directory. A live log is read without its lock, up to its checkpoint.
    output : path-like
        A folder, absent or empty, outside the log. It appears when it is complete.
    format : {"parquet", "csv", "jsonl"}
        In CSV every value is text, and text that a spreadsheet would run has an apostrophe in
        front; in JSON lines 64-bit numbers and times are text, because JSON readers round them.
    start, end : int or str, optional
        UTC epoch nanoseconds, or RFC 3339 text: from `start` on, before `end`. Written is the
        smallest range of log indices that covers all entries of that time.

    Returns
    -------
    dict
        The manifest.

    Raises
    ------
    InputError
        The output is in use, or lies in the log; a time is none; pyarrow is not installed; the log
        has no entry in that time, or its entries are not a gateway's.
    CwtsError
        An entry is not readable; ``cwts log verify`` says more.
    """
    _views.arrow()
    if format not in FORMATS:
        raise input_error(f"format {format!r} is none of {', '.join(FORMATS)}")
    directory, target = one_log(log), Path(output)
    _check_target(target, directory)
    from_ns, to_ns = nanoseconds_of(start, "start"), nanoseconds_of(end, "end")
    source = os.fspath(directory)
    schema = _views.schema_text(source)
    size = int(_core.checkpoint(source)["size"])
    first, behind = _views.time_range(source, size, from_ns, to_ns)
    if first == behind:
        raise input_error(f"{log}: no entry of this log is in that time")
    proof = _core.range_proof(source, first, behind)
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    partial.mkdir(parents=True)
    try:
        head = _head(format, (first, behind), proof, (from_ns, to_ns))
        manifest = _write(source, schema, partial, head)
        if target.exists():
            target.rmdir()
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return manifest


def _check_target(target: Path, log: Path) -> None:
    if target.resolve().is_relative_to(log.resolve()):
        raise input_error(f"{target} lies in the log: a log holds nothing but its own files")
    if target.is_symlink() or target.is_file():
        raise input_error(f"{target} is no folder; name one that is absent or empty")
    if target.exists() and any(target.iterdir()):
        raise input_error(f"{target} exists and is not empty; name another folder")


def _head(
    form: Format, bounds: tuple[int, int], proof: dict[str, Any], times: tuple[Any, Any]
) -> dict[str, Any]:
    """Give a manifest but for its files."""
    return {
        "schema": SCHEMA,
        "format": form,
        "origin": proof["origin"],
        "size": proof["size"],
        "root": proof["root"],
        "checkpoint": proof["checkpoint"],
        "first": bounds[0],
        "last": bounds[1] - 1,
        "from_ns": None if times[0] is None else str(times[0]),
        "to_ns": None if times[1] is None else str(times[1]),
        "how": HOW,
        "left": proof["left"],
        "subtrees": proof["subtrees"],
        "right": proof["right"],
    }


def _write(log: str, schema: str, folder: Path, head: dict[str, Any]) -> dict[str, Any]:
    """Write the files and the manifest."""
    form: Format = head["format"]
    rows: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    with ExitStack() as stack:
        sinks: dict[str, Callable[[Any], None]] = {}
        for run in _views.runs(log, head["first"], head["last"] + 1):
            for view, table in _tables(schema, run):
                if view == "entries":
                    kinds.update(
                        {row["values"]: row["counts"] for row in
                         table["type"].combine_chunks().value_counts().to_pylist()}
                    )  # fmt: skip
                if table.num_rows == 0:
                    continue
                if view not in sinks:
                    path = folder / f"{view}.{form}"
                    sinks[view] = stack.enter_context(_Sink(path, view, form, table.schema, head))
                sinks[view](written(table, form))
                rows[view] += table.num_rows
    head["files"] = [
        {"view": view, "file": f"{view}.{form}", "rows": rows[view],
         "sha256": digest(folder / f"{view}.{form}")}
        for view in _views.VIEWS if rows[view]
    ]  # fmt: skip
    head["personal"] = {name: kinds[name] for name in PERSONAL if kinds[name]}
    (folder / MANIFEST).write_bytes(manifest_bytes(head))
    return head


def _tables(schema: str, run: _views.Run) -> Iterator[tuple[str, Any]]:
    for view in _views.VIEWS:
        try:
            yield view, _views.derive(schema, run, view)
        except ValueError as error:
            why = f"entries {run.first} to {run.end - 1}: {error}; `cwts log verify` says more"
            raise input_error(why) from None


class _Sink:
    """A file of one view, to which tables are appended."""

    def __init__(
        self, path: Path, view: str, form: Format, schema: Any, head: dict[str, Any]
    ) -> None:
        self.form = form
        if form == "parquet":
            import pyarrow.parquet as pq

            notes = {
                "cwts.view": view,
                **{f"cwts.{name}": str(head[name]) for name in ("origin", "size", "root")},
                "cwts.checkpoint": head["checkpoint"],
                "cwts.first": str(head["first"]),
                "cwts.last": str(head["last"]),
            }
            if view == "entries":
                parts = {name: head[name] for name in ("left", "subtrees", "right")}
                notes["cwts.proof"] = json.dumps(parts, separators=(",", ":"))
            schema = schema.with_metadata(notes)
            whole = [field.name for field in schema if str(field.type) in _WIDE]
            self.schema = schema
            self.writer: Any = pq.ParquetWriter(
                path,
                schema,
                compression="zstd",
                use_dictionary=[field.name for field in schema if field.type == "string"],
                column_encoding=dict.fromkeys([*whole, "utc"], "DELTA_BINARY_PACKED"),
                write_page_checksum=True,
            )
        elif form == "csv":
            import pyarrow.csv as pc_csv

            self.schema = written(schema.empty_table(), form).schema
            self.writer = pc_csv.CSVWriter(path, self.schema)
        else:
            self.writer = path.open("wb")

    def __enter__(self) -> Callable[[Any], None]:
        return self.append

    def __exit__(self, *_: object) -> None:
        self.writer.close()

    def append(self, table: Any) -> None:
        if self.form == "jsonl":
            self.writer.write(_json_lines(table))
        else:
            self.writer.write_table(table.cast(self.schema))


def written(table: Any, form: str) -> Any:
    """Give a table as it stands in a file of this form: of text forms, what is text there."""
    if form == "parquet":
        return table
    pa = _views.arrow()
    spelled = {name: _spelled(table, name, form) for name in table.column_names}
    # CSV has no null: an empty cell is both.
    return pa.table(
        {name: one.fill_null("") if form == "csv" else one for name, one in spelled.items()}
    )


def _spelled(table: Any, name: str, form: str) -> Any:
    pa = _views.arrow()
    column = table[name]
    kind = column.type
    if name == "utc":
        # All nine digits, and no time zone database.
        text = table["utc_ns"].cast(pa.timestamp("ns")).cast(pa.string())
        return _joined(_replaced(text, " ", "T"), "", "Z")
    if pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return hex_text(column)
    if form == "csv" and pa.types.is_string(kind):
        return neutral(column)
    return column.cast(pa.string()) if form == "csv" or str(kind) in _WIDE else column


def neutral(column: Any) -> Any:
    """Put an apostrophe before text that a spreadsheet would run (CWE-1236)."""
    import pyarrow.compute as pc

    pa = _views.arrow()
    risky = pc.match_substring_regex(column, _FORMULA)
    return pc.if_else(risky, pc.binary_join_element_wise(pa.scalar("'"), column, ""), column)


def hex_text(column: Any) -> Any:
    """Give bytes as lower-case hex; whole buffers at once."""
    pa = _views.arrow()
    import numpy as np

    chunks = []
    for chunk in column.chunks:
        values = chunk.cast(pa.binary())
        valid = values.is_valid()
        ends = np.frombuffer(values.buffers()[1], "<i4")[values.offset :][: len(values) + 1]
        data = values.buffers()[2]
        raw = data.to_pybytes()[ends[0] : ends[-1]].hex() if data is not None and len(ends) else ""
        offsets = ((ends - (ends[0] if len(ends) else 0)).astype(np.int64) * 2).astype("<i4")
        buffers = [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(raw.encode())]
        text = pa.Array.from_buffers(pa.string(), len(values), buffers)
        chunks.append(text if values.null_count == 0 else _masked(text, valid))
    return pa.chunked_array(chunks, pa.string())


def _masked(text: Any, valid: Any) -> Any:
    import pyarrow.compute as pc

    pa = _views.arrow()
    return pc.if_else(valid, text, pa.scalar(None, pa.string()))


def _json_lines(table: Any) -> bytes:
    """One object a row, made column by column."""
    pa = _views.arrow()
    import pyarrow.compute as pc

    parts: list[Any] = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        key = ("{" if not parts else ",") + json.dumps(name) + ":"
        if pa.types.is_string(column.type):
            value = _joined(_escaped(column), '"', '"')
        else:
            value = column.cast(pa.string())
        parts += [pa.scalar(key), value.fill_null("null")]
    rows = pc.binary_join_element_wise(*parts, pa.scalar("}\n"), "")
    # The values lie one behind the other: nothing is joined a second time.
    whole = rows.combine_chunks() if isinstance(rows, pa.ChunkedArray) else rows
    chunks = whole.chunks if isinstance(whole, pa.ChunkedArray) else [whole]
    made = b""
    for chunk in chunks:
        if len(chunk):
            data = chunk.buffers()[2].to_pybytes()
            ends = memoryview(chunk.buffers()[1]).cast("B").cast("i")
            made += data[ends[chunk.offset] : ends[chunk.offset + len(chunk)]]
    return made


def _escaped(column: Any) -> Any:
    import pyarrow.compute as pc

    column = _replaced(_replaced(column, "\\", "\\\\"), '"', '\\"')
    if pc.any(
        pc.match_substring_regex(column, "[\x01-\x1f\x7f]").fill_null(fill_value=False)
    ).as_py():
        for code in (*range(1, 32), 127):
            column = _replaced(column, chr(code), f"\\u{code:04x}")
    return column


def _replaced(column: Any, old: str, new: str) -> Any:
    import pyarrow.compute as pc

    return pc.replace_substring(column, pattern=old, replacement=new)


def _joined(column: Any, before: str, behind: str) -> Any:
    import pyarrow.compute as pc

    pa = _views.arrow()
    return pc.binary_join_element_wise(pa.scalar(before), column, pa.scalar(behind), "")


def manifest_bytes(manifest: dict[str, Any]) -> bytes:
    """Spell a manifest, with the digest over its own other fields last."""
    plain = {name: value for name, value in manifest.items() if name != "sha256"}
    own = hashlib.sha256(json.dumps(plain, indent=1).encode()).hexdigest()
    return (json.dumps(plain | {"sha256": own}, indent=1) + "\n").encode()


def digest(path: Path) -> str:
    """Give the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def nanoseconds_of(value: int | str | None, what: str) -> int | None:
    """Give a moment as UTC epoch nanoseconds: itself, or RFC 3339 text of up to nine digits.

    Raises
    ------
    InputError
        It is neither, or a time without an offset: that is another time elsewhere.
    """
    if value is None or isinstance(value, int):
        return value
    from datetime import UTC, datetime

    text = value.strip()
    if text.lstrip("-").isdecimal():
        return int(text)
    head, digits = text, ""
    if "." in text:
        head, rest = text.split(".", 1)
        digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
        head += rest[len(digits) :]
    try:
        at = datetime.fromisoformat(head)
    except ValueError:
        at = None
    if at is None or len(digits) > _NANO_DIGITS:
        why = 'is no time such as "2026-11-23T21:00Z", and no UTC epoch nanoseconds'
        raise input_error(f"{what} {value!r} {why}")
    if at.tzinfo is None and "T" not in text and len(text) == len("2026-11-23"):
        at = at.replace(tzinfo=UTC)
    if at.tzinfo is None:
        raise input_error(f'{what} {value!r} needs an offset, as in "2026-11-23T21:00Z"')
    since = at - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 10**9 + int(digits.ljust(_NANO_DIGITS, "0"))


_NANO_DIGITS: Final = 9
