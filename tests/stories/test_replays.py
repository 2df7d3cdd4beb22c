"""A replay is evidence: the same input gives the same decisions and the same root anywhere."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

import wal
from cwts import _core
from cwts.datasets import default_limits

EVENTS = 30_000


def replay(tmp_path: Path, name: str, **more: Any) -> dict[str, Any]:
    run = _core.Replay(
        default_limits(),
        "equity.toml",
        path=str(tmp_path / "flow.csv"),
        log=str(tmp_path / name / "log"),
        keys=str(tmp_path / name / "keys"),
        **more,
    )
    (tmp_path / name).mkdir()
    found: dict[str, Any] = json.loads(run.run())
    return found


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    """Generated order flow with nine planted mistakes."""
    path = tmp_path / "flow.csv"
    labels = _core.generate(
        str(path), "csv", profile="equity-liquid", events=EVENTS, seed=7, anomalies=True
    )
    assert len(labels.splitlines()) == 9
    return path


def test_two_firms_with_two_keys_reach_one_root(tmp_path: Path, flow: Path) -> None:
    """The desk and its auditor replay the same file on their own machines."""
    del flow
    ours, theirs = replay(tmp_path, "ours"), replay(tmp_path, "theirs")
    assert ours["log"]["root"] == theirs["log"]["root"]
    assert ours["decisions_sha256"] == theirs["decisions_sha256"]
    keys = [(tmp_path / name / "log" / "log.vkey").read_text() for name in ("ours", "theirs")]
    assert keys[0] != keys[1], "two key stores, two signatures"
    for name, found in (("ours", ours), ("theirs", theirs)):
        verdict = _core.verify(str(tmp_path / name / "log"), [], "full")
        assert (verdict["ok"], verdict["clean"]) == (True, True)
        assert (verdict["root"], verdict["size"]) == (found["log"]["root"], found["log"]["entries"])


def test_another_seed_another_root(tmp_path: Path, flow: Path) -> None:
    first = replay(tmp_path, "first")
    _core.generate(str(flow), "csv", profile="equity-liquid", events=EVENTS, seed=8, anomalies=True)
    assert replay(tmp_path, "second")["log"]["root"] != first["log"]["root"]


def test_decisions_as_rows_are_those_of_the_log(tmp_path: Path, flow: Path) -> None:
    del flow
    out = tmp_path / "out.csv"
    found = replay(tmp_path, "run", decisions=str(out))
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert out.read_text().splitlines()[0] == "seq,order_id,decision,first_reason,reasons"
    assert len(rows) == found["orders"]
    assert sum(row["decision"] == "accept" for row in rows) == found["accepted"]
    assert found["orders"] - found["accepted"] > 0, "the planted mistakes are refused"
    names = {1 << row["bit"]: row["name"] for row in _core.controls()}
    logged = [row for row in wal.decided(wal.entries(tmp_path / "run" / "log")) if row.kind < 3]
    assert len(logged) == len(rows)
    for row, entry in zip(rows, logged, strict=True):
        assert (int(row["seq"]), int(row["order_id"])) == (entry.seq, entry.order_id)
        assert (row["decision"] == "accept") is (entry.verdict == wal.ACCEPT)
        expected = [name for mask, name in sorted(names.items()) if entry.reasons & mask]
        assert row["reasons"] == "|".join(expected)
        assert row["first_reason"] == (expected[0] if expected else "")


def test_a_halt_in_the_middle_lets_nothing_pass(tmp_path: Path, flow: Path) -> None:
    del flow
    found = replay(tmp_path, "halted", halt_at=EVENTS // 2)
    assert found["halt"]["accepted_after"] == 0
    assert found["halt"]["orders_before"] > 1_000
    entries = wal.entries(tmp_path / "halted" / "log")
    (kill,) = wal.kills(entries)
    assert [r for r in wal.decided(entries) if r.seq > kill.index and r.verdict == wal.ACCEPT] == []
    assert _core.verify(str(tmp_path / "halted" / "log"), [], "full")["ok"]


def test_a_replays_log_is_not_continued_by_a_gateway(tmp_path: Path, flow: Path) -> None:
    del flow
    replay(tmp_path, "run")
    log, keys = str(tmp_path / "run" / "log"), str(tmp_path / "run" / "keys")
    before = {p: p.read_bytes() for p in (tmp_path / "run" / "log").rglob("*") if p.is_file()}
    with pytest.raises(_core.CwtsError):
        _core.Gateway(None, "", log, keys=keys)
    after = {p: p.read_bytes() for p in (tmp_path / "run" / "log").rglob("*") if p.is_file()}
    assert {p.name for p in after if before.get(p) != after[p]} <= {"lock"}
