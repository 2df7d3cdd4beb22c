"""What-if and suggested limits: an independent model, the laws, the schemas, the command line."""

from __future__ import annotations

import asyncio
import csv
import json
import random
from pathlib import Path
from typing import Any

import pytest

import cwts
from cli_run import ES, check_schema, cli, invoke
from cwts._suggest import share_ppb
from cwts.errors import CwtsError, InputError, LimitsError
from whatif_model import Row, Rules, flips

HEADER = "ts,kind,order_id,account,strategy,instrument,side,qty,price"
LOOSE = Rules(max_qty=500, max_notional=50_000, bps=300, rate=9, duplicates=3, position=2_500)
TIGHT = Rules(max_qty=350, max_notional=30_000, bps=150, rate=6, duplicates=2, position=1_500)


def market(seed: int, rows: int = 3_000) -> list[Row]:
    """A small market of three accounts, with bursts, repeats and orders far from the price."""
    rng = random.Random(seed)
    ts, cents, live = 1_700_000_000 * 10**9, 10_000, dict[int, Row]()
    out = [Row(ts, "trade", 0, "", "none", 1, cents)]
    last: Row | None = None
    for number in range(1, rows):
        ts += rng.choice((0, 100_000, 900_000, 60_000_000, 400_000_000))
        draw = rng.random()
        if draw < 0.1:
            cents += rng.randint(-40, 40)
            out.append(Row(ts, "trade", 0, "", "none", 1, cents))
        elif draw < 0.45 and live:
            gone = live.pop(rng.choice(sorted(live)))
            out.append(Row(ts, "delete", gone.order_id, gone.account, gone.side, 0, 0))
        else:
            away = rng.choice((0, 5, 20, 100, 200, 250, 400)) * rng.choice((-1, 1))
            row = Row(
                ts,
                "add",
                number,
                rng.choice("ABC"),
                rng.choice(("buy", "sell")),
                rng.choice((1, 50, 100, 200, 300, 400, 600)),
                cents + away,
            )
            if last is not None and rng.random() < 0.4:
                row = Row(ts, "add", number, last.account, last.side, last.qty, last.cents)
            last = live[number] = row
            out.append(row)
    return out


def written(path: Path, rows: list[Row]) -> Path:
    path.write_text("\n".join([HEADER, *(row.csv() for row in rows)]) + "\n", encoding="utf-8")
    return path


def limits(path: Path, rules: Rules) -> Path:
    path.write_text(rules.toml(), encoding="utf-8")
    return path


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("old", "new"), [(LOOSE, TIGHT), (TIGHT, LOOSE)], ids=["tight", "loose"])
def test_the_flips_are_those_of_an_independent_model(
    tmp_path: Path, seed: int, old: Rules, new: Rules
) -> None:
    rows = market(seed)
    flow = written(tmp_path / "flow.csv", rows)
    ours = cwts.whatif(
        flow, limits(tmp_path / "new.toml", new), old=limits(tmp_path / "old.toml", old)
    )
    wanted, left_out = flips(rows, old, new)
    bits = {reason.name: reason.value for reason in cwts.RejectReason}
    mask = {flip.order_id: (flip.old, flip.new) for flip in wanted}
    got = {
        int(row["order_id"]): tuple(
            frozenset(name for name, bit in bits.items() if int(row[side]) & bit)
            for side in ("old", "new")
        )
        for row in ours.flips
    }
    assert got == mask
    assert len(mask) > 50, "a flow that flips little shows little"
    assert ours.json["denied_upstream"]["entries"] == left_out
    micros = {row.order_id: row.qty * row.cents * 10_000 for row in rows if row.kind == "add"}
    for key, side in (("newly_rejected", 1), ("newly_accepted", 0)):
        ids = [flip.order_id for flip in wanted if (flip.new if side else flip.old)]
        ids = [i for i in ids if not mask[i][1 - side]]
        assert ours.json[key]["orders"] == len(ids)
        assert ours.notional_micros[key] == sum(micros[i] for i in ids)
    check_schema(dict(ours.json), "whatif-v1.json")


def test_a_replays_log_a_folder_that_holds_it_and_its_run_folder_are_one_question(
    tmp_path: Path,
) -> None:
    flow = written(tmp_path / "flow.csv", market(1))
    old, new = limits(tmp_path / "old.toml", LOOSE), limits(tmp_path / "new.toml", TIGHT)
    cwts.replay(flow, old, log=tmp_path / "run" / "log")
    of_file = cwts.whatif(flow, new, old=old)
    for place in ("run/log", "run", "run/log.run"):
        of_log = cwts.whatif(tmp_path / place, new)
        assert of_log.counts == of_file.counts
        assert of_log.flip_records == of_file.flip_records
        assert of_log.follows_own_limits is True
    assert of_file.follows_own_limits is None
    cwts.replay([flow, flow], old, log=tmp_path / "several")
    with pytest.raises(InputError, match="several/0001"):
        cwts.whatif(tmp_path / "several", new)
    assert cwts.whatif(tmp_path / "several" / "0001", new).counts == of_file.counts
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="neither a log"):
        cwts.whatif(tmp_path / "empty", new)
    with pytest.raises(InputError, match="has its own limits"):
        cwts.whatif(tmp_path / "run", new, old=old)
    with pytest.raises(InputError, match="format is for files"):
        cwts.whatif(tmp_path / "run", new, format="csv")


def test_limits_that_come_with_cwts_are_named_and_chosen_as_a_replay_does(tmp_path: Path) -> None:
    flow = written(tmp_path / "flow.csv", market(1, rows=300))
    found = cwts.whatif(flow, "future", old="equity").json
    assert found["old"]["path"] == "cwts/defaults/equity.toml"
    assert found["new"]["path"] == "cwts/defaults/future.toml"
    result = invoke("whatif", flow, "--limits", "future", "--old", "equity", "--json")
    assert json.loads(result.stdout)["flips"] == found["flips"]
    if not ES.is_file():
        pytest.skip(f"NO MARKET DATA: {ES} is absent; set CWTS_DATA")
    alone = cwts.replay(ES, log=tmp_path / "log").json
    of_file, of_log = cwts.whatif(ES, "equity"), cwts.whatif(tmp_path / "log", "equity")
    assert alone["limits"]["path"] == of_file.json["old"]["path"] == "cwts/defaults/future.toml"
    assert of_file.counts == of_log.counts
    assert of_file.counts["old_accepted"] == alone["accepted"]
    assert of_file.counts["newly_rejected"] > 0


def test_flips_are_columns_frames_and_rows(tmp_path: Path) -> None:
    flow = written(tmp_path / "flow.csv", market(2))
    old, new = limits(tmp_path / "old.toml", LOOSE), limits(tmp_path / "new.toml", TIGHT)
    found = cwts.whatif(flow, new, old=old, flips=tmp_path / "flips.csv")
    columns = found.columns()
    assert len(columns["seq"]) == found.json["flips"]
    assert set(columns["account"]) <= set("ABC")
    assert set(columns["instrument"]) == {"X"}
    with (tmp_path / "flips.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["order_id"]) for row in rows] == columns["order_id"].tolist()
    assert [row["account"] for row in rows] == columns["account"].tolist()
    assert {row["old"] for row in rows} | {row["new"] for row in rows} == {"accept", "reject"}
    for to in ("to_pandas", "to_polars"):
        module = pytest.importorskip(to.removeprefix("to_"))
        assert len(getattr(found, to)()) == len(rows), module
    few = cwts.whatif(flow, new, old=old, keep=3)
    assert (len(few.flips), few.json["flips"]) == (3, len(rows))
    assert "newly rejected" in repr(found)


def test_the_async_twins_answer_the_same_and_can_be_cancelled(tmp_path: Path) -> None:
    flow = written(tmp_path / "flow.csv", market(3))
    new = limits(tmp_path / "new.toml", TIGHT)

    async def ask() -> tuple[cwts.WhatIfResult, cwts.SuggestedLimits]:
        return await cwts.awhatif(flow, new), await cwts.asuggest_limits(flow)

    whatif, suggested = asyncio.run(ask())
    assert whatif.json == cwts.whatif(flow, new).json
    assert suggested.text == cwts.suggest_limits(flow).text

    async def stop() -> None:
        task = asyncio.ensure_future(cwts.awhatif(flow, new))
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(stop())


def test_the_command_says_what_flips_and_why_not_all_is_known(tmp_path: Path) -> None:
    flow = written(tmp_path / "flow.csv", market(4))
    old, new = limits(tmp_path / "old.toml", TIGHT), limits(tmp_path / "new.toml", LOOSE)
    done = cli("whatif", "--limits", new, "--old", old, flow, "--show", "2")
    assert done.returncode == 0, done.stderr
    found = cwts.whatif(flow, new, old=old).json
    assert f"{found['newly_accepted']['orders']:,}  notional" in done.stdout
    assert "has no known fate" in done.stdout
    assert f"the first 2 of {found['flips']:,} flips" in done.stdout
    told = invoke("whatif", "--limits", new, "--old", old, flow, "--json")
    assert json.loads(told.stdout) == dict(found) | {"kept": min(200, found["flips"])}
    assert cli("whatif", "--limits", flow, flow).returncode == 2
    assert cli("whatif", "--limits", new, tmp_path).returncode == 2
    with pytest.raises(LimitsError):
        cwts.whatif(flow, flow)


@pytest.mark.parametrize(
    ("text", "ppb"),
    [("0.01%", 100_000), ("0.0001", 100_000), ("0", 0), ("100 %", 10**9), ("0.00000019%", 1)],
)
def test_a_share_is_read_exactly(text: str, ppb: int) -> None:
    assert share_ppb(text) == ppb


@pytest.mark.parametrize("text", ["", "x", "-1%", "nan", "101%", "2", "inf"])
def test_a_share_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="false_rejects"):
        share_ppb(text)


def test_a_float_share_is_refused_with_the_text_to_write() -> None:
    with pytest.raises(TypeError, match=r"0\.0001"):
        share_ppb(0.0001)


def test_suggested_limits_are_a_whole_file_that_keeps_its_promise(tmp_path: Path) -> None:
    flow = written(tmp_path / "flow.csv", market(5))
    out = tmp_path / "limits.toml"
    done = cli("limits", "suggest", flow, "--false-rejects", "1%", "-o", out)
    assert done.returncode == 0, done.stderr
    assert "measured" in done.stdout
    assert cli("limits", "check", out).returncode == 0
    found = cwts.suggest_limits(flow, false_rejects="0.01")
    assert out.read_text() == found.text, "the same flow gives the same bytes"
    again = cwts.replay(flow, out)
    orders, accepted = again.json["orders"], again.json["accepted"]
    assert orders - accepted == found.refused
    assert found.refused * 100 <= orders
    text = found.text
    for key in ("max_order_qty", "max_order_notional", "message_rate", "duplicate_order",
                "max_position", "max_open_notional", "credit"):  # fmt: skip
        line = next(line for line in text.splitlines() if line.startswith(f"{key} ="))
        assert "# observed: p50 " in line, line
    assert 'tick = "0.01"' in text
    check_schema(dict(found.json), "suggest-v1.json")
    told = cli("limits", "suggest", flow, "-o", out)
    assert told.returncode == 2
    assert "--force" in told.stderr
    told = cli("limits", "suggest", flow, "--false-rejects", "1%", "-o", out, "--force", "--json")
    assert json.loads(told.stdout)["refused"] == found.refused


def test_a_flow_without_an_order_teaches_nothing(tmp_path: Path) -> None:
    flow = written(tmp_path / "flow.csv", market(5, rows=1))
    with pytest.raises(CwtsError, match="no order to learn from"):
        cwts.suggest_limits(flow)


def test_the_result_says_what_was_compared_with_limits_or_that_nothing_was(
    tmp_path: Path,
) -> None:
    flow = written(tmp_path / "flow.csv", market(6))
    new = limits(tmp_path / "new.toml", TIGHT)
    run = cwts.replay(flow, new)
    check_schema(dict(run.json), "replay-v1.json")
    against = run.json["against_limits"]
    curves = {(row["control"], row["level"]): row for row in against["curves"]}
    adds = [row for row in market(6) if row.kind == "add"]
    curve = curves["MAX_ORDER_QTY", "account"]
    assert curve["orders"] == len(adds)
    assert curve["limit_min"] == curve["limit_max"] == TIGHT.max_qty
    for x, rejected in zip(curve["x"], curve["rejected"], strict=True):
        assert rejected == sum(row.qty > x for row in adds), x
    accepted = {int(d["order_id"]) for d in run.decisions if d["verdict"] == 1}
    peak: dict[str, Any] = next(
        row
        for row in against["peaks"]
        if row["control"] == "MAX_ORDER_QTY" and row["scope"] == "account:A"
    )
    mine = [row for row in adds if row.account == "A" and row.order_id in accepted]
    assert peak["value"] == max(row.qty for row in mine)
    first = next(row for row in mine if row.qty == peak["value"])
    assert (peak["order_id"], peak["ts_ns"]) == (first.order_id, first.ts)
    assert peak["near"] == sum(row.qty * 10 >= TIGHT.max_qty * 9 for row in mine)
    assert against["near"]["orders"] >= peak["near"]
    bare = cwts.replay(flow, new, observe=False)
    assert bare.json["against_limits"] == {"measured": False}
    assert bare.json["decisions_sha256"] == run.json["decisions_sha256"]
