"""SQL over a log: what it answers, that nanoseconds survive, and that it can do nothing else."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest

import wal
from cli_run import cli, invoke
from cwts import _core, audit, errors
from desk import Desk, buy, reasons


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    desk = Desk(tmp_path_factory.mktemp("query"))
    gateway = desk.open()
    seen: Counter[str] = Counter()
    for number in range(60):
        qty, price = (2_000, "200.00") if number % 3 == 0 else (10, "100.00")
        decision = gateway.submit(buy(qty, price=price, order_id=(1 << 63) + number))
        seen.update(reasons(decision))
    gateway.halt("account:beta", reason="=1+1", actor="ana")
    gateway.close()
    (desk.root / "seen.json").write_text(json.dumps(seen))
    return desk


def rows(kept: Desk, sql: str, *args: str) -> list[dict[str, Any]]:
    done = invoke("log", "query", kept.log, sql, "--json", *args)
    assert done.exit_code == 0, done.exception
    said: list[dict[str, Any]] = json.loads(done.stdout)
    return said


def test_refusals_by_control_are_those_that_callers_saw(kept: Desk) -> None:
    found = rows(kept, "select control, count(*) as n from violations group by all")
    seen = json.loads((kept.root / "seen.json").read_text())
    assert {row["control"]: int(row["n"]) for row in found} == seen
    assert len(seen) > 1
    (first,) = rows(kept, "select count(*) n from decisions where verdict = 'reject'")
    assert first == {"n": "20"}
    table = audit.query(kept.log, "select count(distinct order_id) n from orders").to_arrow_table()
    assert table["n"].to_pylist() == [60]


def test_nanoseconds_and_64_bits_are_kept_everywhere(kept: Desk) -> None:
    entries = {entry.index: entry.utc_ns for entry in wal.entries(kept.log)}
    sql = "select index, utc, utc_ns, epoch_ns(utc) ns, order_id from orders order by index"
    table = audit.query(kept.log, sql).to_arrow_table()
    assert str(table["utc"].type) == "timestamp[ns, tz=UTC]"
    for row in table.to_pylist():
        assert entries[row["index"]] == row["utc_ns"] == row["ns"]
    said = rows(kept, sql)
    assert [row["ns"] for row in said] == [str(ns) for ns in table["ns"].to_pylist()]
    for row in said:
        assert row["utc"].endswith(f"{int(row['ns']) % 10**9:09}Z")
    assert said[0]["order_id"] == str(1 << 63)
    text = invoke("log", "query", kept.log, sql, "--csv").stdout
    assert [row["ns"] for row in csv.DictReader(io.StringIO(text))] == [r["ns"] for r in said]


def test_a_row_proves_itself_in_plain_sql(kept: Desk) -> None:
    leaf = "sha256('\\x00'::BLOB || entry)"
    sql = f"select count(*) n from entries where {leaf} <> lower(hex(leaf_hash))"  # noqa: S608
    assert rows(kept, sql) == [{"n": "0"}]
    size = len(list(wal.entries(kept.log)))
    assert rows(kept, "select count(*) n from entries") == [{"n": str(size)}]


def test_only_a_time_is_read(kept: Desk) -> None:
    orders = [entry for entry in wal.entries(kept.log) if entry.kind == 0x10]
    start, end = orders[10].utc_ns, orders[20].utc_ns
    (row,) = rows(kept, "select count(*) n from orders", "--from", str(start), "--to", str(end))
    assert int(row["n"]) == sum(start <= order.utc_ns < end for order in orders)


def test_a_live_log_is_asked_up_to_its_checkpoint(desk: Desk) -> None:
    gateway = desk.open()
    gateway.submit(buy())
    size = int(_core.checkpoint(str(desk.log))["size"])
    (row,) = rows(desk, "select count(*) n from entries")
    assert size <= int(row["n"])
    gateway.close()
    (row,) = rows(desk, "select count(*) n from orders")
    assert row == {"n": "1"}


@pytest.mark.parametrize(
    "sql",
    [
        "insert into orders select * from orders",
        "delete from orders",
        "update orders set qty = 1",
        "create table t as select 1",
        "drop view orders",
        "copy orders to 'OUT'",
        "copy (select 1) to 'OUT'",
        "export database 'OUT'",
        "attach 'OUT'",
        "install httpfs",
        "load httpfs",
        "set threads = 1",
        "pragma threads = 1",
        "call pragma_version()",
        "checkpoint",
        "vacuum",
        "begin",
        "prepare p as select 1",
        "explain analyze select 1",
        "select 1; select 2",
        "select 1; copy orders to 'OUT'",
        "",
        "-- nothing",
        "selec",
        "select * from 'FILE'",
        "select * from read_csv('FILE')",
        "select * from read_text('FILE')",
        "select * from read_blob('FILE')",
        "select * from glob('FILE')",
        "select * from sniff_csv('FILE')",
        "select * from read_parquet('FILE')",
        "select * from read_csv('https://example.com/x')",
        "select * from query('copy orders to ''OUT''')",
        "select * from enable_logging()",
        "select * from kept",
        "select * from nothing",
        "select qty + 'x' from orders",
        "select 1 /* " + "x" * 65_535 + " */",
    ],
)
def test_what_is_no_reading_is_refused_with_a_reason(
    kept: Desk, tmp_path: Path, sql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    text = sql.replace("OUT", str(tmp_path / "out")).replace("FILE", str(secret))
    with pytest.raises((errors.InputError, duckdb.Error)) as error:
        audit.query(kept.log, text).to_arrow_table()
    assert len(str(error.value)) > 10
    assert os.listdir(tmp_path) == ["secret.csv"]  # noqa: PTH208 - names
    assert audit.verify(kept.log).ok


def test_the_command_says_why_and_exits_2(kept: Desk) -> None:
    done = cli("log", "query", kept.log, "copy orders to 'x.csv'")
    assert done.returncode == 2
    assert "COPY statement is refused: it reads or writes a file" in done.stderr
    done = cli("log", "query", kept.log, "select * from read_text('/etc/passwd')")
    assert done.returncode == 2
    assert "reads the log's views and nothing else" in done.stderr
    done = cli("log", "query", kept.root, "select 1")
    assert done.returncode in (0, 2)
    assert cli("log", "query", kept.root / "nowhere", "select 1").returncode == 2
    # An error while rows are made, and not before.
    done = cli("log", "query", kept.log, "select error('no ' || qty) from orders")
    assert done.returncode == 2
    assert "no 2000" in done.stderr


def test_tables_and_csv_run_nothing(kept: Desk) -> None:
    sql = 'select reason, -5 as n, actor as "=1" from kills'
    text = invoke("log", "query", kept.log, sql, "--csv").stdout
    assert list(csv.reader(io.StringIO(text))) == [["reason", "n", "'=1"], ["'=1+1", "-5", "ana"]]
    shown = invoke("log", "query", kept.log, "select chr(27) || '[2J' as x").stdout
    assert "\x1b[2J" not in shown
    shown = invoke("log", "query", kept.log, "select index from entries").stdout
    assert "of which 100 are shown" in shown
    assert "1 row" in invoke("log", "query", kept.log, "select {'a': [1, 2]} x, null y").stdout
    (row,) = rows(
        kept, "select 1.5 f, 'nan'::double nan, sum(qty) q, true b, null n, [1] l from orders"
    )
    assert row == {"f": "1.5", "nan": "nan", "q": "40400", "b": True, "n": None, "l": "[1]"}


def test_without_duckdb_it_says_what_to_install(kept: Desk) -> None:
    code = "import sys; sys.modules['duckdb'] = None\nfrom cwts.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "log", "query", str(kept.log), "select 1"],
                          capture_output=True, text=True, check=False, timeout=60)  # fmt: skip
    assert done.returncode == 2
    assert "pip install 'cwts[analytics]'" in done.stderr
