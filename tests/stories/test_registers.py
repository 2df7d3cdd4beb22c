"""A supervisor asks: which limits, by whose word; who stopped what; what was refused?"""

from __future__ import annotations

import csv
import io
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest

import cwts
import wal
from cwts import _core, audit
from desk import LIMITS, Desk, buy, reasons, set_references, until
from report_run import assert_inert

SCHEMA = Path(cwts.__file__).parent / "schemas" / "report-v1.json"
LOSSES = LIMITS.replace("[account.beta]", 'loss_limit = { day = "500" }\n\n[account.beta]')


def told(desk: Desk, *args: str, code: int = 0) -> str:
    return desk.cli("report", str(desk.log), *args, code=code).stdout


def a_day(desk: Desk) -> list[str]:
    """A temporary raise that goes back, a tightening, two holds, a trip; gives what was refused."""
    path = desk.root / "limits.toml"
    path.write_text(LOSSES)
    more, less = desk.root / "more.toml", desk.root / "less.toml"
    more.write_text(LOSSES.replace("max_order_qty = 1_000", "max_order_qty = 2_000"))
    less.write_text(LOSSES.replace("max_order_qty = 1_000", "max_order_qty = 700"))
    refused = []

    def sent(order: _core.Order) -> _core.Decision:
        decision = gateway.submit(order)
        refused.extend(reasons(decision))
        return decision

    with cwts.Gateway(path, log=desk.log, keys=desk.keys) as gateway:
        set_references(gateway._core)
        first = sent(buy(100))
        assert first.accepted
        sent(buy(1_500, price="10.00"))
        ends = datetime.now(UTC) + timedelta(seconds=1.0)
        asked = gateway.propose_limits(more, maker="ana", reason="rebalance", expires=ends)
        gateway.approve_limits(asked, checker="ben")
        until(lambda: gateway.limits_version == 3, "the raise went back")
        void = gateway.propose_limits(more, maker="carl", reason="for good")
        assert not void.active
        assert gateway.propose_limits(less, maker="ana", reason="=HYPERLINK()").active
        hold = gateway.halt("account:beta", reason="fat finger", actor="ana")
        gateway.reduce("strategy:default", reason="end of day", actor="ben")
        sent(buy(1, account="beta"))
        gateway.resume(hold, actor="ana", approver="carl", reason="reviewed")
        gateway.on_execution_report(
            cwts.ExecReport(first.order_id, "fill", last_px="100", last_qty=100, cum_qty=100,
                            exec_id="E1")
        )  # fmt: skip
        for _ in range(3):
            gateway.set_reference("ACME", last="90.00")
        sent(buy(1, symbol="ZINC"))
    return refused


def test_the_registers_of_a_day_are_told_as_records_tables_and_a_page(desk: Desk) -> None:
    refused = a_day(desk)
    by_kind = {one["kind"]: one for one in json.loads(told(desk, "--format", "json"))}
    assert list(by_kind) == list(audit.REGISTERS)
    for register in by_kind.values():
        jsonschema.validate(register, json.loads(SCHEMA.read_text(encoding="utf-8")))
        assert register["authenticated"] is False
        assert "not verified" in register["how"]

    limits = by_kind["limits"]["rows"]
    assert [(row["version"], row["how"], row["state"]) for row in limits] == [
        (1, "start", "replaced"),
        (2, "proposal", "replaced"),
        (3, "expiry", "replaced"),
        (4, "proposal", "void"),
        (4, "proposal", "in force"),
    ]
    raised = limits[1]
    assert (raised["proposed_by"], raised["approved_by"]) == ("ana", "ben")
    assert (raised["direction"], raised["authenticated"]) == ("raise", False)
    key = "account.alpha.max_order_qty"
    assert [(row["key"], row["old"], row["new"]) for row in raised["changed"]] == [
        (key, "1000", "2000"),
        ("account.beta.max_order_qty", "1000", "2000"),
    ]
    assert limits[2]["ends_proposal"] == raised["proposal"]
    assert limits[2]["in_force_ns"] >= raised["expires_ns"]

    kills = by_kind["kills"]["rows"]
    assert [(row["scope"], row["state"], row["automatic"], row["lifted"]) for row in kills] == [
        ("account:beta", "HALTED", False, True),
        ("strategy:default", "REDUCE_ONLY", False, False),
        ("account:alpha", "REDUCE_ONLY", True, False),
    ]
    assert kills[0]["lifted_approved_by"] == "carl"
    assert kills[2]["reason"].startswith("LOSS_LIMIT: observed 1000.00")

    # Every source names an entry of its type, as another reader sees them.
    names = {row["type"]: row["name"] for row in json.loads(_core.schema())["types"]}
    types = {entry.index: names[entry.kind] for entry in wal.entries(desk.log)}
    for register in by_kind.values():
        for row in register["rows"]:
            assert set(row["sources"]) <= set(row)
            for source in row["sources"].values():
                assert types[source["entry"]] == source["type"]

    counted = {}
    for row in by_kind["triggers"]["rows"]:
        counted[row["control"]] = counted.get(row["control"], 0) + row["refused"]
    assert counted == {name: refused.count(name) for name in set(refused)}
    assert {"MAX_ORDER_QTY", "KILL_HALTED", "LOSS_LIMIT"} <= set(counted)


def test_a_register_is_a_csv_that_no_spreadsheet_runs(desk: Desk) -> None:
    a_day(desk)
    out = desk.root / "limits.csv"
    told(desk, "--kind", "limits", "--format", "csv", "-o", str(out))
    rows = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8"))))
    assert [row["version"] for row in rows] == ["1", "2", "3", "4", "4"]
    assert rows[4]["reason"] == "'=HYPERLINK()"
    assert "account.alpha.max_order_qty: 1000 -> 2000" in rows[1]["changed"]
    assert "proposed_by=" in rows[1]["sources"]
    assert "LIMIT_PROPOSE" in rows[1]["sources"]
    assert rows[0]["proposed_by"] == ""
    told(desk, "--format", "csv", code=2)
    told(desk, "--kind", "nothing", code=2)


def test_tables_and_page_say_what_the_records_say(desk: Desk) -> None:
    a_day(desk)
    said = told(desk)
    for word in ("LOSS_LIMIT", "rebalance", "expiry", "fat finger", "reviewed", "not verified"):
        assert word in said, word
    page = desk.root / "page.html"
    told(desk, "--format", "html", "-o", str(page))
    seen = assert_inert(page.read_text(encoding="utf-8"))
    for word in ("Limits register", "Kill register", "Triggers by day", "automatic", "Not verified",
                 "LOSS_LIMIT", "rebalance", "void", "unauthenticated"):  # fmt: skip
        assert word in seen.said, word


def test_with_a_key_the_log_is_verified_first(desk: Desk) -> None:
    a_day(desk)
    vkey = desk.log / "log.vkey"
    told_json = json.loads(told(desk, "--kind", "kills", "--json", "--vkey", str(vkey)))
    assert told_json["authenticated"] is True

    story = desk.cli("explain", str(desk.log), "1", code=0).stdout
    assert "unauthenticated" in story
    story = desk.cli("explain", str(desk.log), "1", "--vkey", str(vkey), code=0).stdout
    assert "unauthenticated" not in story
    assert "verified with the key" in story
    found = json.loads(desk.cli("explain", str(desk.log), "1", "--json", code=0).stdout)
    assert found["authenticated"] is False

    # A copy in which one byte of an entry is another: with the key both refuse to tell.
    broken = desk.root / "broken"
    shutil.copytree(desk.log, broken)
    wal = next(broken.glob("wal/*"))
    data = bytearray(wal.read_bytes())
    at = data.index(b"fat finger")
    data[at] ^= 1
    wal.write_bytes(data)
    for command in (("report", str(broken)), ("explain", str(broken), "1")):
        done = desk.cli(*command, "--vkey", str(vkey), code=1)
        assert "TAMPER" in done.stderr


FLOW = """\
ts,kind,order_id,account,strategy,instrument,side,qty,price
{0},add,1,alpha,default,ACME,buy,10,100.00
{0},add,2,alpha,default,ACME,buy,1001,10.00
{1},add,3,alpha,default,ACME,buy,1001,10.00
{1},add,4,alpha,default,ACME,buy,1002,100.00
"""


def test_a_replays_own_registers_are_those_of_its_log(desk: Desk) -> None:
    """Refusals over a day roll: the fold that writes the log and a reader of it count alike."""
    noon = int(datetime(2024, 2, 28, 12, tzinfo=UTC).timestamp()) * 10**9
    flow, limits = desk.root / "flow.csv", desk.root / "limits.toml"
    flow.write_text(FLOW.format(noon, noon + 86_400 * 10**9))
    own = LIMITS.replace("[strategy.default]", '[strategy."*"]').replace(
        "[group.us]", "[group.replay]"
    )
    own = own.replace(
        'reference = "external", max_age = "24h", on_missing = "deny"', 'on_missing = "allow"'
    )
    limits.write_text(own.split("[instrument]")[0])
    run = cwts.replay(flow, limits, log=desk.log)
    read = {one["kind"]: one for one in audit.registers(desk.log)}
    for kind, register in run.json["registers"].items():
        assert audit.dated(register)["rows"] == read[kind]["rows"], kind
    days = [(row["day"], row["control"], row["refused"]) for row in read["triggers"]["rows"]]
    assert days == [
        ("2024-02-28", "MAX_ORDER_QTY", 1),
        ("2024-02-29", "MAX_ORDER_QTY", 2),
        ("2024-02-29", "MAX_ORDER_NOTIONAL", 1),
    ]
    page = desk.root / "run.html"
    run.report(page)
    said = assert_inert(page.read_text(encoding="utf-8")).said
    assert "Triggers by day" in said
    # One version from the start, and no hold: nothing to show.
    assert "Limits register" not in said
    assert "Kill register" not in said


@pytest.mark.parametrize("kind", audit.REGISTERS)
def test_a_log_that_says_nothing_of_a_kind_has_an_empty_register(desk: Desk, kind: str) -> None:
    desk.open(references=False).close()
    (register,) = audit.registers(desk.log, kind)
    assert len(register["rows"]) == (1 if kind == "limits" else 0)
    assert told(desk, "--kind", kind, "--format", "csv").splitlines()[0].endswith("sources")
