"""A fat finger is blocked softly; two people look at it, and exactly that order goes out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli_run import cli
from cwts import Gateway, Order, RejectReason, audit
from cwts.errors import PermissionDeniedError
from desk import LIMITS

CONTROL = """
[control]
severity = { MAX_ORDER_QTY = "soft", PRICE_COLLAR = "alert" }
staged = { alert = 70 }
"""
SOFT = LIMITS + CONTROL
BIG = Order("ACME", "buy", 1_001, "10.00", "alpha")


@pytest.fixture
def limits(tmp_path: Path) -> Path:
    path = tmp_path / "limits.toml"
    path.write_text(SOFT)
    return path


def said(*args: object) -> Any:
    """What a command says as JSON."""
    return json.loads(cli(*args, "--json").stdout)


def opened(limits: Path | None, tmp_path: Path) -> Gateway:
    gateway = Gateway(limits, log=tmp_path / "log", keys=tmp_path / "keys", clock=None)
    gateway.set_reference("ACME", last="10.00")
    return gateway


def test_a_soft_block_is_lifted_by_two_people_for_one_order_once(
    limits: Path, tmp_path: Path
) -> None:
    with opened(limits, tmp_path) as gateway:
        blocked = gateway.submit(BIG)
        assert (blocked.verdict, blocked.first) == ("soft_block", "MAX_ORDER_QTY")
        assert not blocked
        assert gateway.resubmit(blocked.order_id).verdict == "soft_block"
        with pytest.raises(PermissionDeniedError, match="second person"):
            gateway.override(blocked.order_id, actor="anna", approver="anna", reason="r")
        with pytest.raises(PermissionDeniedError, match="no control that can be overridden"):
            gateway.override(
                blocked.order_id,
                actor="anna",
                approver="bo",
                reason="r",
                controls=[RejectReason.KILL_HALTED],
            )
        word = gateway.override(blocked.order_id, actor="anna", approver="bo", reason="rebalance")
        assert (word.controls, word.authenticated) == (["MAX_ORDER_QTY"], False)
        passed = gateway.resubmit(blocked.order_id)
        assert (passed.verdict, passed.order_id) == ("accept", blocked.order_id)
        with pytest.raises(PermissionDeniedError, match="no soft block"):
            gateway.resubmit(blocked.order_id)
        assert gateway.submit(BIG).verdict == "soft_block"
        (alert,) = gateway.alerts()
        assert (alert.kind, alert.control) == ("overridden", "MAX_ORDER_QTY")
        assert (alert.order_id, alert.observed, alert.limit) == (passed.order_id, "1001", "1000")
    verdict = audit.verify(tmp_path / "log")
    assert verdict.ok
    assert verdict.counts["OVERRIDE"] == 1
    assert any("1 change, resume, override or hold is unauthenticated" in n for n in verdict.notes)
    story = audit.explain(tmp_path / "log", passed.order_id)["stories"]
    assert [row["decision"]["verdict"] for row in story] == ["soft block", "soft block", "accepted"]
    told = [row["what"] for one in story for row in one["later"]]
    assert any(what.startswith("anna and bo let it pass MAX_ORDER_QTY") for what in told)


def test_an_override_from_a_shell_waits_for_its_second_key_and_survives_a_restart(
    limits: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    lines = ""
    for name in ("anna", "bo"):
        made = said("operator", "new", name)
        lines += f'[operator.{name}]\nkey = "{made["key"]}"\nmay = ["override"]\n'
    limits.write_text(SOFT + lines)
    with opened(limits, tmp_path) as gateway:
        blocked = gateway.submit(BIG)
    order = str(blocked.order_id)
    half = said("override", log, order, "--reason", "index", "--as", "anna")
    assert half["waits"]
    alone = cli("override", log, order, "--approve-as", "anna")
    assert alone.returncode == 2
    assert "second person" in alone.stderr
    done = said("override", log, order, "--approve-as", "bo")
    assert done["overridden"]
    assert done["authenticated"]
    assert done["controls"] == ["MAX_ORDER_QTY"]
    with opened(None, tmp_path) as gateway:
        assert gateway.resubmit(blocked.order_id).accepted
    verdict = audit.verify(log)
    assert verdict.ok
    assert any("1 change, resume, override or hold is signed" in note for note in verdict.notes)


def test_an_unknown_order_and_a_refused_override_are_told(limits: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with opened(limits, tmp_path) as gateway:
        passed = gateway.submit(Order("ACME", "buy", 10, "10.00", "alpha"))
        found = cli(
            *("override", log, str(passed.order_id), "--reason", "r"),
            *("--as", "anna", "--approve-as", "bo"),
        )
        assert found.returncode == 2
        assert "no soft block of it is known" in found.stderr


def test_alerts_and_the_counts_of_the_day_are_there_without_being_asked_for(
    limits: Path, tmp_path: Path
) -> None:
    with opened(limits, tmp_path) as gateway:
        # beta's credit is 20,000.
        for _ in range(3):
            assert gateway.submit(Order("ACME", "buy", 30, "10.00", "beta"))
        assert not gateway.submit(Order("ACME", "buy", 30, "10.00", "beta"))
        stages = [(row.control, row.percent, row.scope) for row in gateway.alerts()]
        assert stages == [
            ("MAX_POSITION", 70, "account:beta/ACME"),
            ("MAX_POSITION", 90, "account:beta/ACME"),
        ]
        today = gateway.state()["today"]
        assert (today["orders"], today["accepted"]) == (4, 3)
    (day,) = audit.trigger_counts(tmp_path / "log")
    assert (day["orders"], day["accepted"], day["cancels"]) == (4, 3, 0)
    assert day["controls"] == [
        {"control": "MAX_POSITION", "refused": 1, "soft": 0, "alerts": 0, "overridden": 0}
    ]
    found = audit.status(tmp_path / "log")
    assert found["alert_count"] == 2
    assert [row["percent"] for row in found["alerts"]] == [70, 90]
    assert "90 %" in cli("status", tmp_path / "log").stdout


def test_the_register_of_triggers_has_what_the_days_entry_counts(
    limits: Path, tmp_path: Path
) -> None:
    with opened(limits, tmp_path) as gateway:
        blocked = gateway.submit(BIG)
        gateway.submit(BIG)
        gateway.override(blocked.order_id, actor="anna", approver="bo", reason="r")
        assert gateway.resubmit(blocked.order_id)
        assert gateway.submit(Order("ACME", "buy", 1, "11.00", "alpha"))
        assert not gateway.submit(Order("ACME", "buy", 1, "10.001", "alpha"))
    (day,) = audit.trigger_counts(tmp_path / "log")
    (register,) = audit.registers(tmp_path / "log", "triggers")
    entry = [
        (
            row["control"],
            row["refused"] - row["soft"],
            row["soft"],
            row["alerts"],
            row["overridden"],
        )
        for row in day["controls"]
    ]
    keys = ("control", "refused", "soft_blocked", "alerted", "overridden")
    assert [tuple(row[key] for key in keys) for row in register["rows"]] == entry
    assert entry == [
        ("MAX_ORDER_QTY", 0, 2, 0, 1),
        ("TICK_SIZE", 1, 0, 0, 0),
        ("PRICE_COLLAR", 0, 0, 1, 0),
    ]


def test_a_lost_session_and_a_crossing_order_give_cancels_to_send(tmp_path: Path) -> None:
    path = tmp_path / "limits.toml"
    text = LIMITS.replace("[strategy.default]", '[strategy.default]\nsession = "FIX1"')
    own = text.replace("[account.alpha]", '[account.alpha]\nself_trade = "cancel_oldest"')
    # Shorts, so that both sides can work.
    own = own.replace("short = 0", "short = 1_000_000")
    path.write_text(own + "[session.FIX1]\ncancel_on_disconnect = true\n")
    with opened(path, tmp_path) as gateway:
        rest = gateway.submit(Order("ACME", "sell", 10, "10.00", "alpha"))
        assert gateway.submit(Order("ACME", "buy", 10, "10.00", "alpha")).accepted
        assert [cancel.order_id for cancel in gateway.take_cancels()] == [rest.order_id]
        gtc = gateway.submit(Order("ACME", "buy", 10, "9.00", "alpha", tif="gtc"))
        gateway.set_phase("session:FIX1", "closed")
        cancels = {cancel.order_id for cancel in gateway.take_cancels()}
        assert rest.order_id in cancels
        assert gtc.order_id not in cancels
        assert len(cancels) == 2
