"""Replays and generated flow, through the public command and the public function."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import cwts
from cli_run import AMZN, DATA, ES, P1, P4, check_schema, cli, needs_amzn, needs_es
from cwts import audit, datasets
from cwts._replay_request import midnight_ns, said_by_name
from cwts.cli.app import run
from cwts.cli.fingerprint import differences, letter_counts, mask_counts


@pytest.fixture(scope="session")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generated flow with its anomalies and labels.ndjson beside it."""
    path = tmp_path_factory.mktemp("flow") / "flow.parquet"
    assert run(["gen", "-n", "60000", "--anomalies", "-o", str(path)]) == 0
    return path


@needs_amzn
def test_the_default_limits_deny_nothing_of_a_real_day() -> None:
    """Every control that ships as a safety default lets untouched flow pass."""
    result = cwts.replay(AMZN, keep=False)
    assert result.json["orders"] == 27_845
    assert result.first == {"accepted": 27_845}
    assert result.json["mapping"]["account"] == "all"


@pytest.mark.parametrize("seed", [1, 7, 2024])
def test_the_default_limits_deny_nothing_of_ordinary_flow_and_find_every_anomaly(
    seed: int, tmp_path: Path
) -> None:
    path = tmp_path / "ordinary.csv"
    assert datasets.synth(path, 100_000, seed=seed) == []
    ordinary = cwts.replay(path, keep=False)
    assert ordinary.json["mapping"]["account"] == "file"
    assert ordinary.first == {"accepted": ordinary.json["orders"]}
    labels = datasets.synth(path, 100_000, seed=seed, anomalies=True)
    assert len(labels) == 9
    found = cwts.replay(path, keep=True)
    by_id = dict(
        zip(found.decisions["order_id"].tolist(), found.decisions["reasons"].tolist(), strict=True)
    )
    for label in labels:
        seen = {"TIME_BACK"} if found.json["anomalies"]["TIME_BACK"] else set()
        if found.json["anomalies"]["UNKNOWN_ORDER"]:
            seen.add("UNKNOWN_ORDER")
        for order_id in label["order_ids"]:
            mask = cwts.RejectReason(by_id.get(order_id, 0))
            seen |= {str(reason.name) for reason in mask}
        assert seen & set(label["expect"]), label


# replay.


@needs_amzn
def test_the_public_command_gives_the_published_fingerprint(tmp_path: Path) -> None:
    expected = AMZN.with_name("AMZN_expected_P1.json")
    out = tmp_path / "out.csv"
    found = cli("replay", AMZN, "--limits", P1, "--expect", expected, "--decisions", out, "--json")
    assert found.returncode == 0, found.stderr
    result = json.loads(found.stdout)
    check_schema(result, "replay-v1.json")
    assert result["orders"] == 27_845
    assert result["accepted"] == 24_808
    # The fingerprint again, from the rows that anybody can read.
    letters = {"MAX_ORDER_QTY": "Q", "MAX_ORDER_NOTIONAL": "N", "PRICE_COLLAR": "C"}
    letters |= {"MESSAGE_RATE": "R", "DUPLICATE_ORDER": "D", "": "A"}
    with out.open(encoding="utf-8", newline="") as rows:
        text = "".join(letters[row["first_reason"]] for row in csv.DictReader(rows))
    published = json.loads(expected.read_text(encoding="utf-8"))
    assert hashlib.sha256(text.encode()).hexdigest() == published["decisions_sha256"]


@needs_es
def test_a_dbn_file_gives_the_published_fingerprint_and_its_masks(tmp_path: Path) -> None:
    published = ES.with_name("ESH4_expected_P4.json")
    found = cli("replay", ES, "--limits", P4, "--expect", published, "--json")
    assert found.returncode == 0, found.stderr
    result = json.loads(found.stdout)
    check_schema(result, "replay-v1.json")
    assert result["inputs"][0]["format"] == "dbn"
    assert (result["orders"], result["accepted"]) == (20_491, 14_830)
    # A fingerprint may say which controls each order violates, not only the first.
    finer = tmp_path / "finer.json"
    masks = {"A": 14_830, "Q+N": 109, "Q+N+C": 12, "Q+N+R": 1, "C": 2_021, "C+R": 298}
    masks |= {"R": 834, "R+D": 2, "D": 2_384}
    fingerprint = json.loads(published.read_text(encoding="utf-8")) | {"masks": masks}
    finer.write_text(json.dumps(fingerprint), encoding="utf-8")
    same = cli("replay", ES, "--format", "dbn", "--limits", P4, "--expect", finer)
    assert same.returncode == 0, same.stderr
    fingerprint["masks"] = masks | {"R": 833, "R+D": 3}
    finer.write_text(json.dumps(fingerprint), encoding="utf-8")
    other = cli("replay", ES, "--limits", P4, "--expect", finer)
    assert other.returncode == 1
    assert "masks: expected" in other.stderr


@needs_amzn
def test_a_fingerprint_that_differs_is_exit_code_1(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    published = json.loads(AMZN.with_name("AMZN_expected_P1.json").read_text(encoding="utf-8"))
    other.write_text(json.dumps(published | {"submits": 27_846}), encoding="utf-8")
    found = cli("replay", AMZN, "--limits", P1, "--expect", other)
    assert found.returncode == 1
    assert "submits: expected 27846, got 27845" in found.stderr


def test_the_comparison_sees_every_part() -> None:
    by_mask = {
        "ACCEPT": 5,
        "MAX_ORDER_QTY|MAX_ORDER_NOTIONAL": 2,
        "MESSAGE_RATE|DUPLICATE_ORDER": 1,
        "MAX_POSITION": 3,
    }
    assert letter_counts(by_mask) == {"A": 5, "Q": 2, "R": 1, "X": 3}
    masks = {"A": 5, "Q+N": 2, "R+D": 1, "X": 3}
    assert mask_counts(by_mask) == masks
    assert mask_counts({"MAX_ORDER_QTY|LOT_SIZE": 1, "TICK_SIZE|LOT_SIZE": 2}) == {"Q+X": 1, "X": 2}
    result = {"orders": 11, "by_mask": by_mask, "decisions_sha256": "00"}
    same = {"submits": 11, "counts": {"A": 5, "Q": 2, "R": 1, "X": 3}, "decisions_sha256": "00"}
    assert differences(result, same) == []
    assert differences(result, same | {"masks": masks}) == []
    changes = [{"submits": 1}, {"counts": {"A": 11}}, {"decisions_sha256": "ff"}]
    for change in [*changes, {"masks": {"A": 11}}]:
        assert len(differences(result, same | change)) == 1


def test_a_replay_writes_log_run_rows_and_report(flow: Path, tmp_path: Path) -> None:
    log, out, page = tmp_path / "run1", tmp_path / "out.csv", tmp_path / "report.html"
    found = cli("replay", flow, "--log", log, "--decisions", out, "--report", page, "--json")
    assert found.returncode == 0, found.stderr
    result = json.loads(found.stdout)
    check_schema(result, "replay-v1.json")
    assert result["log"]["dir"] == str(log)
    assert out.read_text(encoding="utf-8").count("\n") == result["orders"] + 1
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    facts = json.loads((tmp_path / "run1.run" / "run.json").read_text(encoding="utf-8"))
    assert facts["result"] == result
    verdict = audit.verify(log)
    assert (verdict.ok, verdict.clean) == (True, True)
    assert (verdict.size, verdict.root) == (result["log"]["entries"], result["log"]["root"])
    again = json.loads(cli("replay", flow, "--log", tmp_path / "run2", "--json").stdout)
    assert again["log"]["root"] == result["log"]["root"], "the same input gives the same root"


def test_a_result_is_handy_in_a_notebook(flow: Path, tmp_path: Path) -> None:
    seen: list[int] = []
    result = cwts.replay(flow, progress=seen.append)
    assert seen[-1] == result.json["events"] == 60_000
    assert result.counts["accepted"] == result.json["accepted"]
    assert len(result.decisions) == len(result.orders) == result.json["orders"]
    assert (result.decisions["verdict"] == 1).sum() == result.json["accepted"]
    assert (result.decisions["order_id"] == result.orders["order_id"]).all()
    assert result.log_head is None
    assert "<table" in result._repr_html_()
    assert f"{result.json['orders']:,} orders" in repr(result)
    assert result.report(tmp_path / "r.html") == (tmp_path / "r.html").stat().st_size
    frame = pytest.importorskip("pandas") and result.to_pandas()
    assert frame["reasons"].tolist() == result.decisions["reasons"].tolist()


def test_a_lobster_file_without_a_day_says_so(tmp_path: Path) -> None:
    path = tmp_path / "day.csv"
    path.write_text("34200.1,5,0,1,1000000,-1\n34200.2,1,7,10,1000000,1\n", encoding="utf-8")
    result = cwts.replay(path)
    assert any("neither the file's name nor --date" in text for text in result.warnings)
    assert result.orders["ts"].tolist() == [34_200_200_000_000]
    dated = cwts.replay(path, date="2012-06-21")
    assert dated.warnings == []
    assert dated.orders["ts"].tolist() == [1_340_251_200_000_000_000 + 34_200_200_000_000]


def test_midnight_is_the_zones_own() -> None:
    assert midnight_ns("2012-06-21", "America/New_York") == 1_340_251_200 * 10**9
    assert midnight_ns("2012-12-21", "America/New_York") == 1_356_066_000 * 10**9
    assert midnight_ns("2012-12-21", "UTC") == 1_356_048_000 * 10**9


def test_an_async_replay_can_be_cancelled(tmp_path: Path) -> None:
    path = tmp_path / "flow.csv"
    datasets.synth(path, 300_000)

    async def story() -> float:
        task = asyncio.create_task(cwts.areplay(path, keep=False))
        await asyncio.sleep(0.06)
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return time.monotonic() - began

    assert asyncio.run(story()) < 1
    whole = asyncio.run(cwts.areplay(path, keep=False))
    assert whole.json["events"] == 300_000


def test_an_interrupt_leaves_a_shorter_log_that_verifies_as_not_closed(tmp_path: Path) -> None:
    path = tmp_path / "flow.csv"
    datasets.synth(path, 1_500_000)
    log = tmp_path / "log"
    command = [sys.executable, "-c", "from cwts.cli import main; main()"]
    ran = subprocess.Popen([*command, "replay", path, "--log", log], stderr=subprocess.PIPE)
    until = time.monotonic() + 30
    while not (log / "wal").is_dir() and time.monotonic() < until:
        time.sleep(0.01)
    ran.send_signal(signal.SIGINT)
    _, said = ran.communicate(timeout=60)
    assert (ran.returncode, said.strip()) == (130, b"cwts: cancelled")
    verdict = audit.verify(log)
    assert (verdict.ok, verdict.clean) == (True, False)


def test_an_error_names_file_record_and_byte(tmp_path: Path) -> None:
    path = tmp_path / "broken.csv"
    datasets.synth(path, 100)
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[50] = lines[50].replace(",", ",x", 3)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = cli("replay", path)
    assert found.returncode == 2
    assert str(path) in found.stderr
    assert "record" in found.stderr
    assert "byte" in found.stderr


# gen.


@pytest.mark.parametrize("suffix", ["csv", "parquet", "arrow"])
def test_gen_writes_what_replay_reads(suffix: str, tmp_path: Path) -> None:
    roots = []
    for name in ("a", "b"):
        path = tmp_path / f"{name}.{suffix}"
        made = cli("gen", "-n", 20_000, "--seed", 3, "--anomalies", "-o", path, "--json")
        assert made.returncode == 0, made.stderr
        assert json.loads(made.stdout)["anomalies"] == 9
        roots.append(hashlib.sha256(path.read_bytes()).hexdigest())
    assert roots[0] == roots[1], "a seed gives the same bytes"
    labels = (tmp_path / "labels.ndjson").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["kind"] for line in labels} >= {"fat-finger-qty", "oversell"}
    result = cwts.replay(tmp_path / f"a.{suffix}", keep=False)
    assert result.json["events"] == 20_000
    assert result.json["inputs"][0]["format"] == suffix


def test_gen_writes_itch_without_what_itch_cannot_show(tmp_path: Path) -> None:
    path = tmp_path / "flow_2025-01-02.itch"
    made = cli("gen", "-n", 20_000, "--seed", 3, "--anomalies", "-o", path, "--json")
    assert made.returncode == 0, made.stderr
    labels = (tmp_path / "labels.ndjson").read_text(encoding="utf-8").splitlines()
    kinds = {json.loads(line)["kind"] for line in labels}
    assert len(kinds) == json.loads(made.stdout)["anomalies"] == 7
    assert not kinds & {"restricted", "oversell"}
    result = cwts.replay(path)
    check_schema(dict(result.json), "replay-v1.json")
    source = result.json["inputs"][0]
    # The start and the end of messages, and a directory message for each of nine instruments.
    assert (source["format"], source["records"]) == ("itch", 20_000 + 11)
    assert source["skipped"]["NO_FLOW"] == 11
    assert result.json["events"] == 20_000
    assert result.json["mapping"]["account"] == "all"
    assert not any("says the day" in text for text in result.warnings)
    # The flow opens at half past nine in New York.
    assert int(result.orders["ts"][0]) // 10**9 == 1_735_828_200


def test_itch_that_runs_past_midnight_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "flow.itch"
    made = cli("gen", "-n", 3_000_000, "-o", path)
    assert made.returncode == 2
    assert "write fewer events" in made.stderr
    assert not path.exists()


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("AMZN_2012-06-21_from_lobster.itch50.gz", "2012-06-21"),
        ("20200130.BX_ITCH_50", "2020-01-30"),
        ("day-20200130.itch50.zst", "2020-01-30"),
        ("01302020.NASDAQ_ITCH50.gz", "2020-01-30"),
        ("S013020-v50.txt.gz", "2020-01-30"),
        ("flow.itch", None),
        ("120200130.itch", None),
        ("20201330.itch", None),
        ("01302020.csv", None),
    ],
)
def test_the_day_of_an_itch_file_is_in_its_name(name: str, day: str | None) -> None:
    assert said_by_name(name) == (None, day)


@needs_amzn
def test_the_day_in_itch_gives_the_published_fingerprint() -> None:
    day = DATA / "orderflow/itch50/AMZN_2012-06-21_from_lobster.itch50.gz"
    expected = AMZN.with_name("AMZN_expected_P1.json")
    found = cli("replay", day, "--limits", P1, "--expect", expected, "--json")
    assert found.returncode == 0, found.stderr
    result = json.loads(found.stdout)
    check_schema(result, "replay-v1.json")
    assert result["accepted"] == 24_808
    assert not any("says the day" in text for text in result["warnings"])


# FIX logs.


def fix(fields: str) -> str:
    """Give a message with the right length and checksum, as a log shows it."""
    body = f"{fields}|52=20240102-03:04:05|"
    head = f"8=FIX.4.2|9={len(body)}|"
    total = sum((head + body).replace("|", "\x01").encode()) % 256
    return f"03:04:05 -> {head}{body}10={total:03}|\n"


def test_a_fix_log_is_replayed_with_its_accounts(tmp_path: Path) -> None:
    order = "35=D|49=ME|56=V|11={}|{}55=AAPL|54=1|38=10.00|40=2|44=5.25"
    path = tmp_path / "fix.log"
    good = fix(order.format("x1", "1=ACC|")) + fix(order.format("x2", "")) + fix("35=0|49=ME|56=V")
    path.write_text(good + fix("35=D|49=ME").replace("49", "48"), encoding="utf-8")
    result = cwts.replay(path)
    check_schema(dict(result.json), "replay-v1.json")
    source = result.json["inputs"][0]
    assert (source["format"], source["records"]) == ("fix", 3)
    assert (source["skipped"]["SESSION"], source["skipped"]["BAD_CHECKSUM"]) == (1, 1)
    assert result.json["anomalies"]["BAD_CHECKSUM"] == 1
    assert any("wrong checksum" in text for text in result.warnings)
    assert result.json["mapping"]["account"] == "file"
    assert result.orders["qty"].tolist() == [10, 10]
    assert result.orders["account"].tolist()[0] != result.orders["account"].tolist()[1]
    strict = cli("replay", path, "--strict")
    assert strict.returncode == 2
    assert f"BAD_CHECKSUM at record 3, byte {len(good) + len('03:04:05 -> ')}" in strict.stderr
    path.write_text(good, encoding="utf-8")
    assert cli("replay", path, "--strict").returncode == 0


@needs_amzn
@needs_es
def test_futures_and_shares_in_one_run_need_limits_that_somebody_chose() -> None:
    refused = cli("replay", ES, AMZN)
    assert refused.returncode == 2
    assert "some files say that they hold future" in refused.stderr
    assert cli("replay", ES, AMZN, "--limits", P1).returncode == 0
