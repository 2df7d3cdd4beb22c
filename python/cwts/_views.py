"""A log's entries as Arrow tables, a table a kind of entry: the views that SQL and exports read.

Every column is decoded from the entry's own bytes by the log's schema, a run of entries at a time;
no Python loop runs over entries. A view is derived and never the record: `entry` and `leaf_hash`
stand in each row, so whoever has the log's key checks the row.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from cwts import _core
from cwts.errors import input_error

__all__ = ["VIEWS", "Run", "arrow", "derive", "layout", "runs", "schema_text", "time_range"]

#: Entry types of each view; `entries` has all. `violations` is a row a violated control.
VIEWS: Final[Mapping[str, tuple[str, ...]]] = {
    "entries": (),
    "orders": ("ORDER",),
    "decisions": ("DECISION",),
    "execs": ("EXEC",),
    "limits": ("LIMIT_PROPOSE", "LIMIT_APPROVE", "LIMIT_ACTIVATE", "LIMIT_EXPIRE"),
    "kills": ("KILL", "RESUME"),
    "overrides": ("OVERRIDE",),
    "alerts": ("ALERT",),
    "denials": ("RELEASE_DENIED",),
    "gaps": ("GAP",),
    "opens": ("GENESIS", "CLOSE", "RECOVERY"),
    "clock": ("CLOCK",),
    "registers": ("REGISTER",),
    "aliases": ("ALIAS",),
}
#: Entries, and bytes of them, that are held at once: 64 MiB hold the longest 1,024.
RUN_ENTRIES_MAX: Final = 65_536
RUN_BYTES_MAX: Final = 64 << 20
#: Header fields that every view has, by the names that they have there.
_HEADER: Final = {
    "mono_ns": "mono_ns",
    "producer": "producer",
    "producer_seq": "producer_seq",
    "actor": "actor_handle",
    "flags": "entry_flags",
    "clock_state": "clock_state",
    "release_mode": "release_mode",
}
#: Words for the numbers of a field; the schema has those of controls and levels.
_WORDS: Final[Mapping[tuple[str, str], Mapping[int, str]]] = {
    ("", "clock_state"): {0: "unknown", 1: "synced", 2: "holdover", 3: "unsynced", 4: "leap"},
    ("", "release_mode"): {0: "none", 1: "async", 2: "durable", 3: "certified"},
    ("ORDER", "kind"): {1: "new", 2: "replace", 3: "cancel", 4: "mass_cancel"},
    ("ORDER", "side"): {0: "none", 1: "buy", 2: "sell", 5: "short", 6: "short_exempt"},
    ("DECISION", "verdict"): {1: "accept", 2: "reject", 3: "soft_block", 4: "cancel_passed"},
    ("EXEC", "exec_type"): {code: chr(code) for code in range(33, 127)},
    ("EXEC", "ord_status"): {code: chr(code) for code in range(33, 127)},
    ("LIMIT_PROPOSE", "direction"): {1: "tighten", 2: "raise"},
    ("KILL", "state"): {1: "REDUCE_ONLY", 2: "HALTED"},
    ("ALERT", "kind"): {1: "violated", 2: "overridden", 3: "stage", 4: "in_out"},
    ("RECOVERY", "cause"): {1: "torn_tail", 2: "no_close"},
    ("ALIAS", "kind"): {1: "ClOrdID", 2: "OrderID", 3: "ExecID", 4: "TradeID"},
    ("REGISTER", "kind"): {
        1: "desk",
        2: "customer",
        3: "account",
        4: "strategy",
        5: "instrument",
        6: "venue",
        7: "actor",
        8: "session",
    },
}
_CONTROLS: Final = {("DECISION", "first"), ("ALERT", "control")}
_LEVELS: Final = {("DECISION", "level"), ("ALERT", "level")}
#: `Decision.first` and `Alert.control` where there is none.
_NO_CONTROL: Final = 255


@dataclass(frozen=True)
class Run:
    """Entries one behind the other, as bytes; `offsets` are 32 bits each."""

    first: int
    data: bytes
    offsets: bytes
    hashes: bytes

    @property
    def count(self) -> int:
        """How many entries."""
        return len(self.offsets) // 4 - 1

    @property
    def end(self) -> int:
        """The index behind the last."""
        return self.first + self.count


def arrow() -> Any:
    """Give pyarrow, or say how to install it."""
    try:
        import pyarrow as pa
    except ModuleNotFoundError:
        raise input_error(
            "this needs pyarrow, which is not installed; run: pip install 'cwts[analytics]'"
        ) from None
    return pa


def schema_text(log: str) -> str:
    """Give the text of the log's first SCHEMA, with the types that this release has beside it.

    Raises
    ------
    InputError
        Entry 0 is no SCHEMA: the log is not a gateway's.
    """
    first = _core.read_entries(log, 0, 1)[0]
    if first["type"] != "SCHEMA":
        raise input_error(f"{log}: entry 0 is no SCHEMA, so nothing says what the entries hold")
    schema = json.loads(first["body"]["json"])
    known = {row["type"] for row in schema["types"]}
    # A type that was added later has a code that nobody had; its layout is this release's.
    own = json.loads(_core.schema())["types"]
    schema["types"] += [row for row in own if row["type"] not in known]
    return json.dumps(schema, separators=(",", ":"))


def runs(log: str, first: int, end: int) -> Iterator[Run]:
    """Read entries ``first`` to ``end`` in runs of bounded size."""
    while first < end:
        run = Run(first, *_core.entries_raw(log, first, min(end, first + RUN_ENTRIES_MAX),
                                            RUN_BYTES_MAX))  # fmt: skip
        yield run
        first = run.end


def time_range(log: str, size: int, start_ns: int | None, end_ns: int | None) -> tuple[int, int]:
    """Give the smallest index range that covers all entries with ``start_ns <= utc_ns < end_ns``.

    Entries stand by index and not by time: within the range there may be some of other times.
    """
    if start_ns is None and end_ns is None:
        return 0, size
    import numpy as np

    low, high = (-(1 << 63) if start_ns is None else start_ns, end_ns)
    found: tuple[int, int] | None = None
    for run in runs(log, 0, size):
        offsets = np.frombuffer(run.offsets, "<u4")[:-1].astype(np.int64)
        data = np.frombuffer(run.data, np.uint8)
        # The header is 40 bytes, the time at byte 16 of it.
        at = offsets[:, None] + np.arange(16, 24)
        utc = np.ascontiguousarray(data[at]).view("<i8")[:, 0]
        held = utc >= low
        if high is not None:
            held &= utc < high
        rows = np.flatnonzero(held)
        if len(rows):
            found = (found[0] if found else run.first + int(rows[0]), run.first + int(rows[-1]) + 1)
    return found or (0, 0)


@cache
def layout(schema: str, view: str) -> Any:
    """Give the Arrow schema of a view."""
    pa = arrow()
    names, parsed = _parsed(schema)
    fields = [
        ("index", pa.uint64()),
        ("utc", pa.timestamp("ns", "UTC")),
        ("utc_ns", pa.int64()),
        ("type", pa.string()),
    ]
    header = dict(parsed["header"])
    fields += [(ours, _type("", name, header[name])) for name, ours in _HEADER.items()]
    for kind in VIEWS[view]:
        held = {name for name, _ in fields}
        own = parsed["types"][names[kind]] if kind in names else []
        fields += [
            (name, _type(kind, name, spelled))
            for name, spelled in own
            if name != "zero" and name not in held
        ]
    fields += [("leaf_hash", pa.binary(32)), ("entry", pa.binary())]
    return pa.schema(fields)


def derive(schema: str, run: Run, view: str) -> Any:
    """Derive a view of a run: a table with a row for each of its entries of the view's types.

    Raises
    ------
    ValueError
        An entry is not of a type of the schema; its position is named.
    """
    pa = arrow()
    import numpy as np

    names, parsed = _parsed(schema)
    if not VIEWS[view]:
        return _entries(schema, run)
    codes = [names[name] for name in VIEWS[view] if name in names]
    decoded = _core.decode_columns(schema, run.data, run.offsets, bytes(codes))
    fields = layout(schema, view)
    entries, hashes = _raw(run)
    tables, order = [], []
    for name, raw_rows, columns in decoded.values():
        rows = np.frombuffer(raw_rows, "<u4")
        made = {
            ours: _column(parsed, "", of, columns[f"header.{of}"], len(rows))
            for of, ours in _HEADER.items()
        }
        utc = _column(parsed, "", "utc_ns", columns["header.utc_ns"], len(rows))
        made |= {
            "index": pa.array(rows.astype(np.uint64) + np.uint64(run.first)),
            "utc": utc.cast(pa.timestamp("ns", "UTC")),
            "utc_ns": utc,
            "type": pa.repeat(name, len(rows)),
            "leaf_hash": hashes.take(pa.array(rows)),
            "entry": entries.take(pa.array(rows)),
        }
        made |= {
            of: _column(parsed, name, of, column, len(rows))
            for of, column in columns.items()
            if not of.startswith("header.") and of not in made
        }
        blank = (pa.nulls(len(rows), field.type) for field in fields)
        columns_in_order = [
            made.get(field.name, empty) for field, empty in zip(fields, blank, strict=True)
        ]
        tables.append(pa.Table.from_arrays(columns_in_order, schema=fields))
        order.append(rows)
    if not tables:
        return fields.empty_table()
    if len(tables) == 1:
        return tables[0]
    merged = np.argsort(np.concatenate(order), kind="stable")
    return pa.concat_tables(tables).take(pa.array(merged)).combine_chunks()


def _raw(run: Run) -> tuple[Any, Any]:
    """Give a run's entries and leaf hashes as columns, without a copy."""
    pa = arrow()
    ends, data = pa.py_buffer(run.offsets), pa.py_buffer(run.data)
    entries = pa.Array.from_buffers(pa.binary(), run.count, [None, ends, data])
    return entries, pa.Array.from_buffers(
        pa.binary(32), run.count, [None, pa.py_buffer(run.hashes)]
    )


def _entries(schema: str, run: Run) -> Any:
    """Derive the view of all entries: what every header has."""
    pa = arrow()
    import numpy as np

    names, parsed = _parsed(schema)
    starts = np.frombuffer(run.offsets, "<u4").astype(np.int64)
    header = np.dtype([(name, _NUMPY[kind]) for name, kind in parsed["header"]])
    short = np.flatnonzero(np.diff(starts) < header.itemsize)
    data = np.frombuffer(run.data, np.uint8)
    if len(short):
        raise ValueError(f"the entry at position {short[0]} of the run has no header")
    heads = np.ascontiguousarray(data[starts[:-1, None] + np.arange(header.itemsize)])
    heads = heads.view(header)[:, 0] if run.count else np.zeros(0, header)
    unknown = np.flatnonzero(~np.isin(heads["type"], list(names.values())))
    if len(unknown):
        raise ValueError(f"the entry at position {unknown[0]} of the run has an unknown type")
    kinds: list[str | None] = [None] * 256
    for name, code in names.items():
        kinds[code] = name
    made = {
        ours: _column(parsed, "", of, (kind, np.ascontiguousarray(heads[of]).tobytes(), b""),
                      run.count)
        for of, kind in parsed["header"]
        if (ours := _HEADER.get(of))
    }  # fmt: skip
    utc = pa.array(np.ascontiguousarray(heads["utc_ns"]))
    entries, hashes = _raw(run)
    made |= {
        "index": pa.array(np.arange(run.first, run.end, dtype=np.uint64)),
        "utc": utc.cast(pa.timestamp("ns", "UTC")),
        "utc_ns": utc,
        "type": pa.array(kinds, pa.string()).take(pa.array(np.ascontiguousarray(heads["type"]))),
        "leaf_hash": hashes,
        "entry": entries,
    }
    fields = layout(schema, "entries")
    return pa.Table.from_arrays([made[field.name] for field in fields], schema=fields)


def violations(decisions: Any) -> Any:
    """Unfold the violations of decisions: a row each, 24 bytes in the decision's tail."""
    pa = arrow()
    import numpy as np

    blob = decisions["violations"].combine_chunks()
    if isinstance(blob, pa.ChunkedArray):
        blob = pa.concat_arrays(blob.chunks) if blob.num_chunks else pa.array([], pa.binary())
    lengths = np.diff(np.frombuffer(blob.buffers()[1], "<i4")[blob.offset :][: len(blob) + 1])
    start = int(np.frombuffer(blob.buffers()[1], "<i4")[blob.offset]) if len(blob) else 0
    raw = blob.buffers()[2].to_pybytes() if len(blob) and blob.buffers()[2] else b""
    layout = np.dtype(_VIOLATION)
    rows = np.frombuffer(raw[start : start + int(lengths.sum())], layout)
    of = pa.array(np.repeat(np.arange(len(blob)), lengths // layout.itemsize))
    controls = [row["name"] for row in _core.controls()]
    levels = json.loads(_core.schema())["levels"]
    out = decisions.select(["index", "utc", "utc_ns", "order_id", "order_seq", "verdict"]).take(of)
    for name, column in (
        ("control", pa.array(controls).take(pa.array(rows["control"]))),
        ("level", pa.array(levels).take(pa.array(rows["level"]))),
        ("scope", pa.array(np.ascontiguousarray(rows["scope"]))),
        ("observed", pa.array(np.ascontiguousarray(rows["observed"]))),
        ("limit", pa.array(np.ascontiguousarray(rows["limit"]))),
    ):
        out = out.append_column(name, column)
    return out


@cache
def _parsed(schema: str) -> tuple[dict[str, int], dict[str, Any]]:
    """Type codes by name; fields of the header and of each code, words of the schema."""
    read = json.loads(schema)
    names = {row["name"]: row["type"] for row in read["types"]}
    fields = {row["type"]: row["fields"] for row in read["types"]}
    words = {"controls": read["controls"], "levels": read["levels"]}
    return names, {"header": read["header"], "types": fields, **words}


def _type(kind: str, name: str, spelled: str) -> Any:
    pa = arrow()
    if (kind, name) in _WORDS or (kind, name) in _CONTROLS | _LEVELS:
        return pa.string()
    if spelled in _FIXED:
        return getattr(pa, _FIXED[spelled])()
    if spelled.startswith("bytes["):
        return pa.binary(int(spelled[6:-1]))
    return pa.string() if spelled == "str" else pa.binary()


def _column(
    parsed: dict[str, Any], kind: str, name: str, column: tuple[str, bytes, bytes], count: int
) -> Any:
    pa = arrow()
    spelled, values, offsets = column
    if spelled not in _FIXED:
        made = pa.binary(int(spelled[6:-1])) if spelled.startswith("bytes[") else (
            pa.string() if spelled == "str" else pa.binary()
        )  # fmt: skip
        ends = [pa.py_buffer(offsets)] if offsets else []
        return pa.Array.from_buffers(made, count, [None, *ends, pa.py_buffer(values)])
    made = getattr(pa, _FIXED[spelled])()
    raw = pa.Array.from_buffers(made, count, [None, pa.py_buffer(values)])
    if words := _words(parsed, kind, name):
        return pa.array(words, pa.string()).take(raw)
    return raw


def _words(parsed: dict[str, Any], kind: str, name: str) -> list[str | None] | None:
    """Give a word for each of the 256 codes; of what has none, the number."""
    if (kind, name) in _CONTROLS:
        known = dict(enumerate(parsed["controls"]))
    elif (kind, name) in _LEVELS:
        known = dict(enumerate(parsed["levels"]))
    elif (kind, name) in _WORDS:
        known = dict(_WORDS[kind, name])
    else:
        return None
    words: list[str | None] = [known.get(code, str(code)) for code in range(256)]
    if (kind, name) in _CONTROLS:
        words[_NO_CONTROL] = None
    return words


#: `rust/types/src/record.rs`, Violation.
_VIOLATION: Final = [
    ("control", "u1"),
    ("level", "u1"),
    ("zero", "<u2"),
    ("scope", "<u4"),
    ("observed", "<i8"),
    ("limit", "<i8"),
]
_NUMPY: Final = {"u8": "u1", "u16": "<u2", "u32": "<u4", "u64": "<u8", "i64": "<i8"}
_FIXED: Final = {
    "u8": "uint8",
    "u16": "uint16",
    "u32": "uint32",
    "u64": "uint64",
    "i32": "int32",
    "i64": "int64",
}
