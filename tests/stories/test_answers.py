"""A supervisor asks of each order: when, who, what, under which limit, and what became of it."""

from __future__ import annotations

import csv
import io
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import cwts
import wal
from cli_run import DATA, invoke
from cwts import _answers, _cat, _core, _views, audit
from desk import LIMITS, Desk, buy, set_references
from report_run import assert_inert

CAT_COLUMNS = DATA / "reporting" / "cat_im_event_columns.json"
SOFT = LIMITS + '\n[control]\nseverity = { PRICE_COLLAR = "soft" }\n'
ORDER, DECISION, EXEC, KILL = 0x10, 0x11, 0x12, 0x25


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """One of each: filled, cancelled, refused, blocked and overridden, replaced; a drill."""
    desk = Desk(tmp_path_factory.mktemp("day"))
    limits = desk.root / "limits.toml"
    limits.write_text(SOFT)
    with cwts.Gateway(limits, log=desk.log, keys=desk.keys) as gateway:
        set_references(gateway._core)
        filled = gateway.submit(buy(100, price="100.01"))
        for qty, cum in ((40, 40), (60, 100)):
            gateway.on_execution_report(
                cwts.ExecReport(filled.order_id, "fill", last_px="100.000000001", last_qty=qty,
                                cum_qty=cum, exec_id=f"E{cum}")
            )  # fmt: skip
        cancelled = gateway.submit(buy(7, symbol="ZINC"))
        assert gateway.cancel(cancelled.order_id).accepted
        assert not gateway.submit(buy(2_000)).accepted
        blocked = gateway.submit(buy(1, price="150.00"))
        assert not blocked.accepted
        gateway.override(blocked.order_id, reason="=known", actor="ana", approver="ben")
        assert gateway.resubmit(blocked.order_id).accepted
        hold = gateway.halt("account:beta", reason="drill of November", actor="ana")
        gateway.resume(hold, actor="ana", approver="ben", reason="done")
    return desk


def given(desk: Desk, kind: str, *args: object) -> dict[str, Any]:
    done = invoke("report", desk.log, "--kind", kind, "--json", *args)
    assert done.exit_code == 0, done.output
    said: dict[str, Any] = json.loads(done.stdout)
    assert said["kind"] == kind
    assert "supports" in said["notes"][-1]
    assert "complies" not in done.stdout
    return said


def held(desk: Desk) -> dict[int, Any]:
    return {entry.index: entry for entry in wal.entries(desk.log)}


def test_each_orders_life_stands_in_one_row_with_its_entries(day: Desk) -> None:
    said = given(day, "orders")
    entries = held(day)
    rows = said["rows"]
    assert [int(row["order_entry"]) for row in rows] == [
        index for index, entry in entries.items() if entry.kind == ORDER
    ]
    assert [one["field"] for one in said["columns"]] == list(rows[0])
    assert all(one["rule"] and one["source"] for one in said["columns"])
    for row in rows:
        assert int(row["received_ns"]) == entries[int(row["order_entry"])].utc_ns
        for name, kind in (("decision_entry", DECISION), ("last_report_entry", EXEC)):
            assert row[name] is None or entries[int(row[name])].kind == kind
    filled, cancelled, cancel, refused, blocked, passed = rows
    assert (filled["account"], filled["instrument"], filled["price"]) == ("alpha", "ACME", "100.01")
    assert (filled["fills"], filled["filled_qty"]) == ("2", "100")
    assert filled["executions"].startswith("40 at 100.000000001 (entry ")
    assert cancelled["cancel_entry"] == cancel["order_entry"]
    assert cancelled["cancel_ns"] == cancel["received_ns"]
    assert cancel["kind"] == "cancel"
    assert cancel["ref_id"] == cancelled["order_id"]
    assert (refused["verdict"], refused["control"]) == ("reject", "MAX_ORDER_QTY")
    assert (blocked["verdict"], blocked["control"]) == ("soft_block", "PRICE_COLLAR")
    assert entries[int(blocked["override_entry"])].kind == 0x27
    assert passed["verdict"] == "accept"


def test_an_override_names_what_was_blocked_and_what_it_let_pass(day: Desk) -> None:
    (row,) = given(day, "overrides")["rows"]
    orders = given(day, "orders")["rows"]
    assert row["blocked_entry"] == orders[4]["order_entry"]
    assert row["passed_entry"] == orders[5]["order_entry"]
    assert (row["asked_by"], row["approved_by"]) == ("ana", "ben")
    assert (row["controls"], row["passed_controls"]) == ("PRICE_COLLAR", "PRICE_COLLAR")
    assert row["authenticated"] is False
    entries = held(day)
    assert all(entries[int(at)].kind == 0x2F for at in row["alert_entries"].split())


def test_cat_events_have_exactly_their_columns_in_order(day: Desk) -> None:
    said = given(day, "cat")
    by_event: dict[str, list[dict[str, Any]]] = {}
    for row in said["rows"]:
        by_event.setdefault(row["event"], []).append(row)
    for event in _cat.EVENTS:
        listed = [one["field"] for one in said["columns"] if one["event"] == event]
        assert listed == _cat.layouts()[event]
        assert all(len(row["values"]) == len(listed) for row in by_event.get(event, []))
    assert {event: len(rows) for event, rows in by_event.items()} == {
        "MENO": 5,
        "MEOR": 3,
        "MEOC": 1,
    }
    entries, new = held(day), {row["sources"]["order_entry"] for row in by_event["MENO"]}
    # A refused order is MENO without MEOR.
    assert len(new - {row["sources"]["order_entry"] for row in by_event["MEOR"]}) == 2
    first = dict(zip(_cat.layouts()["MENO"], by_event["MENO"][0]["values"], strict=True))
    at = int(by_event["MENO"][0]["sources"]["order_entry"])
    ns = entries[at].utc_ns
    assert first["eventTimestamp"].endswith(f".{ns % 10**9:09}")
    assert len(first["eventTimestamp"]) == len("20260102T093000.123456789")
    assert (first["side"], first["price"], first["quantity"]) == ("B", "100.01", "100")
    assert (first["firmDesignatedID"], first["symbol"]) == ("alpha", "ACME")
    assert first["CATReporterIMID"] is None
    unknown = [one for one in said["columns"] if one["source"] is None]
    assert {"event": "MENO", "field": "CATReporterIMID", "rule": "CAT IM MENO, column 5",
            "source": None} in unknown  # fmt: skip


def test_cat_times_are_eastern_on_both_sides_of_a_change_of_clocks() -> None:
    for day, hour in (("2026-01-15", "09"), ("2026-07-15", "10")):
        ns = int(datetime.fromisoformat(f"{day}T14:30:00Z").timestamp()) * 10**9 + 5
        table = _core_sql(f"SELECT eastern({ns}::BIGINT) AS t, exact(-5::BIGINT) AS p")
        assert table == [{"t": f"{day.replace('-', '')}T{hour}3000.000000005", "p": "-0.000000005"}]


def _core_sql(sql: str) -> list[dict[str, Any]]:
    from cwts._query import rows_after

    empty = {view: _views.layout(_core.schema(), view).empty_table() for view in _views.VIEWS}
    rows: list[dict[str, Any]] = rows_after(
        empty, _answers.MACROS + _answers.DECIDED + _cat._SETUP, sql
    ).to_pylist()
    return rows


@pytest.mark.skipif(not CAT_COLUMNS.is_file(), reason=f"{CAT_COLUMNS} is absent; set CWTS_DATA")
def test_the_shipped_columns_are_the_published_ones() -> None:
    listed = json.loads(CAT_COLUMNS.read_text(encoding="utf-8"))
    for event in _cat.EVENTS:
        assert _cat.layouts()[event] == [*listed["common_order"], *listed[event]]


def test_rts24_events_are_cut_to_microseconds_and_ordered_by_index(day: Desk) -> None:
    said = given(day, "rts24")
    rows, entries = said["rows"], held(day)
    assert [row["event"] for row in rows] == [
        "NEWO", "PARF", "FILL", "NEWO", "CAME", "REMO", "REMO", "NEWO",
    ]  # fmt: skip
    numbers = [int(row["sequence_number"]) for row in rows]
    assert numbers == sorted(numbers)
    for row, number in zip(rows, numbers, strict=True):
        ns = entries[number].utc_ns
        second = datetime.fromtimestamp(ns // 10**9, UTC)
        assert row["date_and_time"] == f"{second:%Y-%m-%dT%H:%M:%S}.{ns % 10**9 // 1000:06}Z"
    assert [row["remaining_quantity"] for row in rows[:3]] == ["100", "60", "0"]
    assert [row["traded_quantity"] for row in rows[:3]] == [None, "40", "60"]
    assert any("truncated" in note for note in said["notes"])


def clock_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    zero = ("status", "flags", "offset_ns", "freq", "raw_ns", "utc_minus_mono_ns")
    good = dict.fromkeys(zero, 0)
    good |= {"maxerror_us": 100, "esterror_us": 1, "tai": 37, "bound_us": 100, "source": 1}
    made = [good | {"index": 10 + at, "utc_ns": 10**9 * at} | row for at, row in enumerate(rows)]
    found = _answers.run(_answers.CLOCK, {"clock": pa.Table.from_pylist(made)})
    told: list[dict[str, Any]] = found["table"].to_pylist()
    return told


def test_a_second_counts_as_shown_only_where_the_clock_shows_it() -> None:
    told = clock_rows([
        {},
        {"maxerror_us": 101},
        {"flags": 64},
        {"status": 5},
        {"source": 0},
        {"maxerror_us": 0, "flags": 1, "utc_ns": 7 * 10**9},
    ])  # fmt: skip
    assert [row["shown_within"] for row in told] == [True, False, False, False, False, True]
    assert [row["since_last_ns"] for row in told][-1] == 3 * 10**9
    assert [row["clock_entry"] for row in told] == [10, 11, 12, 13, 14, 15]


def test_a_log_without_clock_entries_says_so(day: Desk) -> None:
    said = given(day, "clock")
    clocks = [entry for entry in wal.entries(day.log) if entry.kind == 0x05]
    assert len(said["rows"]) == len(clocks)
    if not clocks:
        annual = given(day, "annual")["rows"]
        assert [row["value"] for row in annual if row["section"] == "clock"] == ["none"]


def test_the_years_material_names_limits_triggers_holds_drills_and_ends(day: Desk) -> None:
    said = given(day, "annual")
    rows = {(row["section"], row["fact"]): row for row in said["rows"]}
    assert "not verified" in rows["verification", "the log"]["value"]
    assert "start" in rows["limits", "version 1, in force"]["value"]
    assert rows["triggers", "MAX_ORDER_QTY"]["value"] == "1 refused"
    assert rows["orders", "reject"]["value"] == "1"
    drill = rows["kills and drills", "drill: hold 1, HALTED account:beta"]
    assert "lifted by ana and ben" in drill["value"]
    assert held(day)[int(drill["first_entry"])].kind == KILL
    assert rows["overrides", "asked by ana, approved by ben, unauthenticated"]["value"] == "1"
    assert rows["alerts", "overridden of PRICE_COLLAR"]["value"] == "1"
    assert rows["opens", "closed cleanly"]["value"] == "1"
    key = day.log / "log.vkey"
    told = given(day, "annual", "--vkey", key)
    assert told["authenticated"] is True
    assert "every byte was verified" in told["rows"][0]["value"]


def test_an_unclean_end_is_in_the_years_material(desk: Desk) -> None:
    with desk.running("stand") as child:
        child.says()
        child.kill()
    desk.open(None, references=False).close()
    rows = given(desk, "annual")["rows"]
    (row,) = [row for row in rows if "unclean end" in row["fact"]]
    assert held(desk)[int(row["first_entry"])].kind == 0x03


@pytest.mark.parametrize("kind", audit.REPORTS)
def test_every_report_comes_as_text_csv_and_a_page(day: Desk, tmp_path: Path, kind: str) -> None:
    shown = invoke("report", day.log, "--kind", kind)
    assert shown.exit_code == 0
    assert "not verified" in shown.stdout
    out = tmp_path / "out.csv"
    done = invoke("report", day.log, "--kind", kind, "--format", "csv", "-o", out)
    assert done.exit_code == 0
    rows = list(csv.reader(io.StringIO(out.read_text(encoding="utf-8"))))
    beside = (tmp_path / "out.columns.csv").read_text(encoding="utf-8")
    columns = list(csv.DictReader(io.StringIO(beside)))
    if kind == "cat":
        for row in rows:
            assert len(row) == len(_cat.layouts()[row[3]])
    else:
        assert rows[0] == [one["field"] for one in columns]
    said = {cell for row in rows for cell in row}
    assert "=known" not in said
    page = tmp_path / "page.html"
    assert invoke("report", day.log, "--kind", kind, "--format", "html", "-o", page).exit_code == 0
    seen = assert_inert(page.read_text(encoding="utf-8"))
    assert "Which rule asks for each" in seen.said
    assert "Not verified" in seen.said


def test_a_report_is_asked_for_alone_and_a_broken_log_is_refused(day: Desk, tmp_path: Path) -> None:
    assert invoke("report", day.log, "--kind", "orders", "--kind", "cat").exit_code == 2
    assert invoke("report", day.log, "--kind", "orders", "--kind", "limits").exit_code == 2
    broken = tmp_path / "broken"
    shutil.copytree(day.log, broken)
    frames = next(broken.glob("wal/*"))
    raw = bytearray(frames.read_bytes())
    raw[raw.index(b"=known")] ^= 1
    frames.write_bytes(raw)
    done = day.cli("report", str(broken), "--kind", "orders", "--vkey", str(day.log / "log.vkey"))
    assert done.returncode == 1
    assert "TAMPER" in done.stderr
