"""SQL over a log: DuckDB on the views of `_views`, read-only, with nothing outside in reach.

Source: DuckDB's "Securing DuckDB" (enable_external_access, lock_configuration). A query sees the
tables that are handed to it, and neither files, nor the network, nor variables of this process.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from cwts import _core, _views
from cwts._export import hex_text, nanoseconds_of, neutral
from cwts.audit import one_log
from cwts.errors import input_error

__all__ = ["SQL_BYTES_MAX", "json_rows", "query", "rows_after", "rows_of", "text_table", "views"]

#: The longest SQL text.
SQL_BYTES_MAX: Final = 65_535
#: Set in this order; the last one locks the others.
_SETTINGS: Final = (
    "SET TimeZone = 'UTC'",
    "SET temp_directory = ''",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET allow_community_extensions = false",
    "SET python_enable_replacements = false",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)
#: Statements that write, or reach outside, and what to say of each.
_REFUSED: Final = {
    "ATTACH": "it attaches another database",
    "CALL": "it calls a procedure",
    "COPY": "it reads or writes a file",
    "EXPORT": "it writes files",
    "LOAD": "it installs or loads an extension",
    "SET": "it changes a setting",
}
#: A derived view that is no export's: a row a violated control.
_VIOLATIONS: Final = "violations"


def query(
    log: str | os.PathLike[str],
    sql: str,
    *,
    start: int | str | None = None,
    end: int | str | None = None,
    memory: str = "2GB",
) -> Any:
    """Run one SELECT over a log's views, and give its relation.

    Parameters
    ----------
    log : path-like
        The log's directory. A live log is read without its lock, up to its checkpoint. Nothing is
        proved by reading: `verify` does that.
    sql : str
        One SELECT over ``entries``, ``orders``, ``decisions``, ``violations``, ``execs``,
        ``limits``, ``kills``, ``overrides``, ``alerts``, ``denials``, ``gaps``, ``opens``,
        ``clock``, ``registers``, ``aliases``; docs/query.md has the columns. At most 65,535 bytes.
    start, end : int or str, optional
        As for `export`: only the smallest range of indices that covers this time is read.
    memory : str
        What DuckDB may use beside the views, which are held in memory.

    Returns
    -------
    duckdb.DuckDBPyRelation
        Take ``.to_arrow_table()``, which keeps nanoseconds; ``fetchall()`` cuts them to
        microseconds.

    Raises
    ------
    InputError
        The SQL is not one SELECT, names what is not there, or reaches for a file; a time is none;
        duckdb or pyarrow is not installed.
    """
    duckdb = _duckdb()
    _views.arrow()
    if len(sql.encode()) > SQL_BYTES_MAX:
        size = len(sql.encode())
        raise input_error(f"the SQL has {size:,} bytes, and at most {SQL_BYTES_MAX:,} are read")
    source = os.fspath(one_log(log))
    connection = duckdb.connect(":memory:")
    try:
        connection.execute("SET memory_limit = $1", [memory])
        statement = _one_select(duckdb, connection, sql)
        for name, table in _tables(source, sql, start, end).items():
            connection.register(name, table)
        for setting in _SETTINGS:
            connection.execute(setting)
        return connection.sql(statement)
    except duckdb.Error as error:
        raise input_error(_said(error)) from None


def rows_of(relation: Any) -> Any:
    """Give a relation's rows as an Arrow table.

    Raises
    ------
    InputError
        What the query asks for fails while its rows are made.
    """
    try:
        return relation.to_arrow_table()
    except _duckdb().Error as error:
        raise input_error(_said(error)) from None


def _duckdb() -> Any:
    try:
        import duckdb
    except ModuleNotFoundError:
        raise input_error(
            "this needs duckdb, which is not installed; run: pip install 'cwts[analytics]'"
        ) from None
    return duckdb


def _one_select(duckdb: Any, connection: Any, sql: str) -> str:
    """Give the statement, if DuckDB's own parser says that it is one SELECT and nothing else."""
    found = connection.extract_statements(sql)
    if len(found) != 1:
        raise input_error(f"{len(found)} statements, where one SELECT is run: a log is only read")
    if found[0].type != duckdb.StatementType.SELECT:
        kind = str(found[0].type).rsplit(".", 1)[-1]
        why = _REFUSED.get(kind, "a log is only read")
        raise input_error(f"a {kind} statement is refused: {why}; write one SELECT")
    return str(found[0].query)


def _tables(log: str, sql: str, start: int | str | None, end: int | str | None) -> dict[str, Any]:
    """Derive the views that the text names; the others are there without rows."""
    # A name in a text or a comment costs memory and no more.
    words = {word.lower() for word in re.findall(r"\w+", sql)}
    named = {view for view in _views.VIEWS if view in words}
    if _VIOLATIONS in words:
        named.add("decisions")
    tables = views(log, named, start, end)
    return tables | {_VIOLATIONS: _views.violations(tables["decisions"])}


def views(
    log: str | os.PathLike[str],
    named: Iterable[str],
    start: int | str | None = None,
    end: int | str | None = None,
) -> dict[str, Any]:
    """Derive these views of a log as Arrow tables; the others come without rows.

    Raises
    ------
    InputError
        A time is none, pyarrow is not installed, or an entry is not by the log's schema.
    """
    pa, source, named = _views.arrow(), os.fspath(one_log(log)), set(named)
    schema = _views.schema_text(source)
    size = int(_core.checkpoint(source)["size"])
    bounds = (nanoseconds_of(start, "start"), nanoseconds_of(end, "end"))
    first, behind = _views.time_range(source, size, *bounds) if named else (0, 0)
    parts: dict[str, list[Any]] = {view: [] for view in _views.VIEWS}
    for run in _views.runs(source, first, behind):
        for view in named:
            try:
                parts[view].append(_views.derive(schema, run, view))
            except ValueError as error:
                why = f"entries {run.first} to {run.end - 1}: {error}; `cwts log verify` says more"
                raise input_error(why) from None
    return {
        view: pa.concat_tables([_views.layout(schema, view).empty_table(), *held])
        for view, held in parts.items()
    }


def rows_after(tables: Mapping[str, Any], setup: str, sql: str) -> Any:
    """Run our own SQL over tables, after statements that prepare it, and give its rows."""
    pa, connection = _views.arrow(), _duckdb().connect(":memory:")
    names = _core.controls()
    controls = {key: pa.array([row[key] for row in names]) for key in ("bit", "name")}
    for name, table in (dict(tables) | {"controls": pa.table(controls)}).items():
        connection.register(name, table)
    for statement in (*_SETTINGS, *([setup] if setup else [])):
        connection.execute(statement)
    return connection.sql(sql).to_arrow_table()


def _said(error: Exception) -> str:
    """Say what DuckDB says, and of what is out of reach, why."""
    text = str(error).strip()
    if "disabled by configuration" in text or "configuration has been locked" in text:
        text += "; a query reads the log's views and nothing else"
    return text


def text_table(table: Any, *, formulas: bool = False) -> Any:
    """Give a result with every value as text; what a spreadsheet would run is neutralised."""
    pa = _views.arrow()
    columns = [_text(column, formulas=formulas) for column in table.columns]
    names = pa.array(table.column_names)
    return pa.Table.from_arrays(columns, names=(neutral(names) if formulas else names).to_pylist())


def json_rows(table: Any) -> list[dict[str, Any]]:
    """Give a result as objects; times and 64-bit numbers are text, because JSON readers round."""
    pa = _views.arrow()
    kinds = pa.types
    columns = []
    for column in table.columns:
        kind = column.type
        plain = kinds.is_integer(kind) and kind.bit_width < _WIDE_BITS
        whole = kinds.is_floating(kind) and _is_finite(column)
        columns.append(
            column if plain or whole or kinds.is_boolean(kind) or kinds.is_null(kind)
            else _text(column)
        )  # fmt: skip
    rows: list[dict[str, Any]] = pa.Table.from_arrays(columns, names=table.column_names).to_pylist()
    return rows


def _text(column: Any, *, formulas: bool = False) -> Any:
    pa = _views.arrow()
    kinds, kind = pa.types, column.type
    if kinds.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if kinds.is_timestamp(kind):
        zone = "Z" if kind.tz else ""
        text = column.cast(pa.int64()).cast(pa.timestamp(kind.unit)).cast(pa.string())
        text = pa.compute.replace_substring(text, pattern=" ", replacement="T")
        return pa.compute.binary_join_element_wise(text, pa.scalar(zone), "")
    if kinds.is_binary(kind) or kinds.is_fixed_size_binary(kind) or kinds.is_large_binary(kind):
        return hex_text(column.cast(pa.binary()))
    if kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_boolean(kind):
        return column.cast(pa.string())
    if kinds.is_decimal(kind):
        return column.cast(pa.string())
    if kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind):
        text = column.cast(pa.string())
        return neutral(text) if formulas else text
    said = [None if cell is None else str(cell) for cell in column.to_pylist()]
    text = pa.chunked_array([pa.array(said, pa.string())])
    return neutral(text) if formulas else text


def _is_finite(column: Any) -> bool:
    import pyarrow.compute as pc

    return bool(pc.all(pc.is_finite(column), min_count=0).as_py())


_WIDE_BITS: Final = 64
