"""Verifying an export, with no log at hand: every row against the root that the log's key signed.

What is checked, in this order: the manifest's spelling, its checkpoint's signatures, that its
hashes lead to the signed root, each file's digest, each entry's hash, that none of the range is
missing or added, and that every column of every view is what the entry's bytes say.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cwts import _core, _export, _views
from cwts._export_rows import UNREADABLE, Rows, first_difference, first_gap, plain
from cwts.audit import Verdict
from cwts.errors import input_error

__all__ = ["is_export", "verify_export"]

#: The longest manifest that is read: hashes over more than 300 million entries.
_MANIFEST_BYTES_MAX: Final = 64 << 20
#: Findings that one verification tells; what is found behind them is found again when they are
#: mended.
_FINDINGS_MAX: Final = 1_000
_PARQUET: Final = b"PAR1"


def is_export(path: Path) -> bool:
    """Tell whether a path is an export's folder, or one of its Parquet files."""
    if path.is_dir():
        return (path / _export.MANIFEST).is_file() and not (path / "wal").exists()
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_PARQUET)) == _PARQUET


def verify_export(path: str | os.PathLike[str], keys: Iterable[str]) -> Verdict:
    """Verify an export's folder, or a Parquet file of one, by the log's key alone.

    A file in a folder with a manifest is verified with it. ``entries.parquet`` carries its proof
    and stands alone; the rows of another view are some of the range's, so they need
    ``entries.parquet`` and the manifest beside them.

    Raises
    ------
    ValueError
        No key was given, or one is none.
    InputError
        pyarrow is not installed, or a file of a view lies there without what proves it.
    """
    given, keys = Path(path), list(keys)
    if not keys:
        why = "an export holds no key of its own: pass the log's key, --vkey KEY or its log.vkey"
        raise ValueError(why)
    _views.arrow()
    check = _Check(given if given.is_dir() else given.parent)
    manifest = check.manifest(given)
    if manifest is not None and check.head(manifest, keys):
        views = None if given.is_dir() else {"entries", given.stem}
        check.rows(manifest, views)
    return check.verdict(manifest)


@dataclass
class _Check:
    """What a verification knows so far."""

    folder: Path
    findings: list[dict[str, Any]] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    #: Rows that were taken, by view; and views of which enough is told.
    taken: Counter[str] = field(default_factory=Counter)
    seen: set[str] = field(default_factory=set)
    #: Whether every entry so far is one of the schema's, and whether rows no longer line up.
    readable: bool = True
    stopped: bool = False

    def found(
        self,
        kind: str,
        file: str,
        expected: str,
        got: str,
        *,
        index: int | None = None,
        last: int | None = None,
        proved_by: str = "the signed root",
    ) -> None:
        """Keep a finding, in the form that those of a log have."""
        if len(self.findings) >= _FINDINGS_MAX:
            return
        place = "" if index is None else f"entry {index}, "
        if index is not None and last not in (None, index):
            place = f"entries {index} to {last}, "
        self.findings.append(
            {
                "kind": kind,
                "file": file,
                "offset": None,
                "index": index,
                "index_end": last,
                "expected": expected,
                "got": got,
                "proved_by": proved_by,
                "text": f"{kind}: {place}file {file}: expected {expected}, got {got}",
            }
        )

    def manifest(self, given: Path) -> dict[str, Any] | None:
        """Read the manifest, or what stands in the file's footer in its place."""
        path = self.folder / _export.MANIFEST
        if not path.is_file():
            return self._footer(given)
        with path.open("rb") as file:
            raw = file.read(_MANIFEST_BYTES_MAX + 1)
        if len(raw) > _MANIFEST_BYTES_MAX:
            raise input_error(f"{path}: longer than {_MANIFEST_BYTES_MAX:,} bytes")
        try:
            manifest = json.loads(raw)
            _whole(manifest)
            spelled = _export.manifest_bytes(manifest)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            self.found("MANIFEST_CHANGED", path.name, "a manifest of an export", f"{error}",
                       proved_by="its form")  # fmt: skip
            return None
        if spelled != raw:
            self.found(
                "MANIFEST_CHANGED",
                path.name,
                "the digest over its own fields, and their one spelling",
                "other bytes",
                proved_by="its own digest, which is not signed",
            )
        return dict(manifest)

    def _footer(self, given: Path) -> dict[str, Any]:
        import pyarrow.parquet as pq

        if given.is_dir():
            raise input_error(f"{given}: has no {_export.MANIFEST}")
        try:
            notes = pq.read_schema(given).metadata or {}
        except (OSError, ValueError) as error:
            raise input_error(f"{given}: its footer cannot be read: {error}") from None
        held = {
            key.decode(errors="replace").removeprefix("cwts."): value.decode(errors="replace")
            for key, value in notes.items()
            if key.startswith(b"cwts.")
        }
        if "checkpoint" not in held:
            raise input_error(f"{given}: is no export of a log: its footer has no cwts.checkpoint")
        if held.get("view") != "entries":
            raise input_error(
                f"{given}: some rows of a range; what proves them is {_export.MANIFEST} and "
                "entries.parquet of their export: keep them in one folder"
            )
        self.not_checked.append("other views, and what the manifest says: the file stands alone")
        try:
            manifest = {
                "format": "parquet",
                "origin": held["origin"],
                "size": int(held["size"]),
                "root": held["root"],
                "checkpoint": held["checkpoint"],
                "first": int(held["first"]),
                "last": int(held["last"]),
                **json.loads(held["proof"]),
                "files": [{"view": "entries", "file": given.name, "rows": None, "sha256": None}],
            }
            _whole(manifest, footer=True)
        except (ValueError, TypeError, KeyError) as error:
            raise input_error(f"{given}: its footer is not an export's: {error}") from None
        return manifest

    def head(self, manifest: dict[str, Any], keys: list[str]) -> bool:
        """Check the checkpoint, what the manifest repeats of it, and the proof."""
        name = _export.MANIFEST if (self.folder / _export.MANIFEST).is_file() else "footer"
        said = _core.check_note(manifest["checkpoint"].encode(), keys)
        if said["why"] is not None:
            self.found("BAD_SIGNATURE", name, "a checkpoint that the given keys signed",
                       str(said["why"]), proved_by="the keys")  # fmt: skip
            return False
        for key in ("origin", "size", "root"):
            if manifest[key] != said[key]:
                self.found("MANIFEST_CHANGED", name, f"{key} {said[key]}", f"{manifest[key]}",
                           proved_by="the signed checkpoint")  # fmt: skip
        parts = (manifest[part] for part in ("left", "subtrees", "right"))
        try:
            self.fold = _core.RangeCheck(
                manifest["first"], manifest["last"] + 1, said["size"], *parts
            )
        except (ValueError, OverflowError) as error:
            self.found("PROOF_CHANGED", name, "hashes of the range", str(error))
            return False
        if self.fold.root != said["root"]:
            self.found("PROOF_CHANGED", name, f"hashes that lead to the signed root {said['root']}",
                       str(self.fold.root or "hashes that lead to no root"))  # fmt: skip
            return False
        return True

    def rows(self, manifest: dict[str, Any], views: set[str] | None) -> None:
        """Check the files' digests and rows."""
        form, listed = manifest["format"], {row["view"]: row for row in manifest["files"]}
        readers: dict[str, Rows] = {}
        for view, row in listed.items():
            path = self.folder / row["file"]
            if views is not None and view not in views:
                continue
            if not path.is_file():
                self.found("FILE_MISSING", row["file"], "the file", "none")
                continue
            if row["sha256"] is not None and _export.digest(path) != row["sha256"]:
                self.found(
                    "FILE_CHANGED",
                    row["file"],
                    f"SHA-256 {row['sha256']}",
                    _export.digest(path),
                    proved_by="the manifest",
                )
            readers[view] = Rows(path, form, view)
        if "entries" not in readers:
            self.found("FILE_MISSING", f"entries.{form}", "the file that holds every entry", "none")
            return
        try:
            self._every_row(manifest, readers, views)
        finally:
            for reader in readers.values():
                reader.close()
        beside = {path.name for path in self.folder.iterdir()} - {_export.MANIFEST}
        if views is None and (more := sorted(beside - {row["file"] for row in listed.values()})):
            self.notes.append(f"files beside the export, not looked at: {', '.join(more[:5])}")

    def _every_row(
        self, manifest: dict[str, Any], readers: dict[str, Rows], views: set[str] | None
    ) -> None:
        entries, schema = readers.pop("entries"), _core.schema()
        listed = {row["view"]: row for row in manifest["files"]}
        # A view that is listed and cannot be opened was told of already.
        gone = {view for view in listed if view not in {*readers, "entries"}}
        wanted = [
            view
            for view in _views.VIEWS
            if view != "entries" and (views is None or view in views) and view not in gone
        ]
        while (run := self._entries(entries, manifest, schema)) is not None:
            for view in wanted if self.readable else ():
                self._view(view, _views.derive(schema, run, view), readers, manifest["format"])
        if self.stopped:
            return
        if not self.fold.complete:
            at = int(self.fold.next_index)
            self.found("ROW_MISSING", entries.name, f"rows up to entry {manifest['last']}",
                       f"an end before entry {at}", index=at, last=manifest["last"])  # fmt: skip
            return
        if not self.readable:
            self.not_checked.append("columns of the other views: an entry is not readable")
            return
        self.taken["entries"] = manifest["last"] - manifest["first"] + 1
        for view, reader in readers.items():
            if view not in self.seen and reader.take(1) is not None:
                self.found("ROW_ADDED", reader.name, f"{self.taken[view]} rows", "more")
        for view in ("entries", *readers):
            count, got = listed[view]["rows"], self.taken[view]
            if count is not None and got != count:
                self.found("MANIFEST_CHANGED", _export.MANIFEST, f"{got} rows of {view}",
                           f"{count}", proved_by="the rows")  # fmt: skip

    def _entries(self, entries: Rows, manifest: dict[str, Any], schema: str) -> _views.Run | None:
        """Check the next rows of `entries`; `None` where there is nothing to go on with."""
        first, last = int(self.fold.next_index), manifest["last"]
        try:
            run, table = entries.run(first)
        except UNREADABLE as error:
            self.stopped = True
            self.found("FILE_CHANGED", entries.name, "rows that can be read", str(error),
                       index=first, last=last)  # fmt: skip
            return None
        if run is None:
            return None
        faults = self.fold.rows(run.data, run.offsets, run.hashes)
        gap = first_gap(table, run) if faults else None
        if gap is not None and first + gap <= last:
            self.stopped = True
            got = f"one for {table['index'][gap].as_py()}"
            self.found("ROW_MISSING", entries.name, f"a row for entry {first + gap}", got,
                       index=first + gap)  # fmt: skip
            return None
        for kind, low, high in faults:
            self.found(kind, entries.name, *_EXPECTED[kind], index=low, last=high)
            self.stopped |= kind == "ROW_ADDED"
        if self.stopped:
            return None
        try:
            derived = _views.derive(schema, run, "entries")
            # The other views hold bodies: of all types, so that an unreadable one is found here.
            _core.decode_columns(schema, run.data, run.offsets, bytes(range(256)))
        except ValueError as error:
            self.readable = False
            if not faults:
                why = f"columns of entries {run.first} to {run.end - 1}: {error}"
                self.not_checked.append(why)
            return run
        self.stopped |= self._compare("entries", entries.name, derived, table, manifest["format"])
        counted = derived["type"].combine_chunks().value_counts().to_pylist()
        self.counts.update({row["values"]: row["counts"] for row in counted})
        return None if self.stopped else run

    def _view(self, view: str, wanted: Any, readers: dict[str, Rows], form: str) -> None:
        if wanted.num_rows == 0 or view in self.seen:
            return
        reader, file, at = readers.get(view), f"{view}.{form}", wanted["index"][0].as_py()
        if reader is None:
            self.seen.add(view)
            self.found("FILE_MISSING", file, "the rows of its entries", "no such file", index=at)
            return
        try:
            table = reader.take(wanted.num_rows)
        except UNREADABLE as error:
            self.seen.add(view)
            self.found("FILE_CHANGED", file, "rows that can be read", str(error), index=at)
            return
        self.taken[view] += 0 if table is None else table.num_rows
        if self._compare(view, file, wanted, table, form):
            self.seen.add(view)

    def _compare(self, view: str, file: str, derived: Any, table: Any, form: str) -> bool:
        """Hold a file's rows against what the entries say; whether rows are missing or added."""
        wanted = _export.written(derived, form)
        if table is not None and table.schema.remove_metadata() != wanted.schema:
            self.found("COLUMNS_CHANGED", file, f"columns {', '.join(wanted.column_names)}",
                       ", ".join(table.column_names))  # fmt: skip
            return True
        have = 0 if table is None else table.num_rows
        head = wanted.slice(0, have)
        # No table at all is a file that has come to its end: rows are missing, as after equal ones.
        if table is None or head.equals(table):
            if have == wanted.num_rows:
                return False
            at = derived["index"][have].as_py()
            self.found("ROW_MISSING", file, f"a row for entry {at}", "none", index=at)
            return True
        first, columns = first_difference(head, table)
        at = derived["index"][first].as_py()
        if view != "entries" and {"index", "entry"} <= set(columns):
            got = str(table["index"][first].as_py())
            self.found("ROW_MISSING", file, f"a row for entry {at}", f"one for {got}", index=at)
            return True
        for column in columns:
            want, got = plain(head[column][first]), plain(table[column][first])
            if column in {"entry", "leaf_hash"} and view == "entries":
                continue
            self.found("COLUMN_CHANGED", file, f"{column} {_short(want)}", _short(got),
                       index=at, proved_by="the entry's bytes")  # fmt: skip
        return False

    def verdict(self, manifest: dict[str, Any] | None) -> Verdict:
        """Say it in the form of every verification."""
        given = manifest or {}
        ok = not self.findings
        text = []
        if ok:
            first, last = given["first"], given["last"]
            rows = f"{last - first + 1:,} rows, none missing, none changed"
            text = [
                f"Entries {first} to {last} of the {given['size']:,} of {given['origin']}: {rows}."
            ]
            names = ", ".join(row["view"] for row in given["files"])
            text.append(f"The columns are what the entries say: {names}.")
        return Verdict(
            ok=ok,
            clean=None,
            origin=str(given.get("origin", "")),
            size=int(given.get("size", 0)) if isinstance(given.get("size"), int) else 0,
            root=str(given.get("root", "")),
            findings=self.findings,
            not_checked=self.not_checked,
            notes=self.notes,
            counts=dict(self.counts),
            text=text,
        )


def _short(value: Any) -> str:
    text = value.hex() if isinstance(value, bytes) else str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _whole(manifest: Any, *, footer: bool = False) -> None:
    """Refuse a manifest that is not of the form of one, before anything of it is used."""
    if not isinstance(manifest, dict):
        raise TypeError("it is no object")
    if not footer and manifest.get("schema") != _export.SCHEMA:
        raise ValueError(f"schema is {manifest.get('schema')!r}, not {_export.SCHEMA}")
    for name, kind in _FIELDS.items():
        if type(manifest.get(name)) is not kind:
            raise TypeError(f"{name} is no {kind.__name__}")
    if manifest["format"] not in _export.FORMATS:
        raise ValueError(f"format {manifest['format']!r} is none of an export's")
    if not 0 <= manifest["first"] <= manifest["last"] < min(manifest["size"], 1 << 63):
        raise ValueError("first, last and size are not in order")
    for part in ("left", "subtrees", "right"):
        if not all(isinstance(one, str) for one in manifest[part]):
            raise TypeError(f"{part} holds what is no hash")
    for row in manifest["files"]:
        _own_file(row, manifest["format"], footer=footer)


def _own_file(row: Any, form: str, *, footer: bool) -> None:
    """Refuse a name that is not of the folder's own, so that no other file is read."""
    view, file, digest = row["view"], row["file"], row["sha256"]
    listed = file == f"{view}.{form}" and type(row["rows"]) is int and isinstance(digest, str)
    if view not in _views.VIEWS or not (listed or footer):
        raise ValueError(f"file {file!r} is not one of an export")


_FIELDS: Final[dict[str, type]] = {
    "format": str,
    "origin": str,
    "size": int,
    "root": str,
    "checkpoint": str,
    "first": int,
    "last": int,
    "left": list,
    "subtrees": list,
    "right": list,
    "files": list,
}
_EXPECTED: Final = {
    "ENTRY_CHANGED": ("the entry that the root covers", "another"),
    "LEAF_HASH_CHANGED": ("the leaf hash of the entry", "another"),
    "RANGE_CHANGED": ("the entries that the root covers", "another, with a hash that fits it"),
    "ROW_ADDED": ("the end", "another row"),
}
_SHOWN: Final = 80
