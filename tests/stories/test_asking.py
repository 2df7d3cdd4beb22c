"""What a person finds out afterwards: one order's story, and the state of the desk."""

from __future__ import annotations

import pytest

from cwts import _core
from desk import PX_E9, Desk, buy, reasons


def test_a_refused_order_tells_its_whole_story(desk: Desk) -> None:
    """A client asks why order 7 did not go out; the log answers, the program is gone."""
    gateway = desk.open()
    good = gateway.submit(buy(100, order_id=6))
    refused = gateway.submit(buy(2_000, price="106.00", order_id=7))
    assert not refused.accepted
    assert reasons(refused) == ["MAX_ORDER_QTY", "MAX_ORDER_NOTIONAL", "PRICE_COLLAR"]
    # The live answer names observed value, limit, place and rule.
    text = refused.explain()
    for word in ("2000", "1000", "212000", "50000", "106", "105", "alpha"):
        assert word in text.replace(",", "").replace("_", ""), f"{word} is missing in {text}"
    gateway.on_execution_report(good.order_id, "fill", PX_E9, 40, 40, "f1")
    gateway.cancel(6)
    gateway.on_execution_report(good.order_id, "canceled", 0, 0, 40)
    gateway.close()

    found = _core.explain(str(desk.log), 7)
    assert found["found"] == 1
    (story,) = found["stories"]
    assert story["order"]["symbol"] == "ACME"
    assert (story["order"]["qty"], story["order"]["price"]) == (2_000, "106.00")
    assert story["order"]["seq"] == refused.order_seq
    decision = story["decision"]
    assert (decision["seq"], decision["verdict"]) == (refused.seq, "rejected")
    assert [row["control"] for row in story["violations"]] == reasons(refused)
    assert story["violations"] == refused.violations
    assert all(row["citation"] for row in story["violations"])
    assert story["reference"]["px"] == "100.00"
    said = " ".join(story["text"])
    assert "rejected" in said
    assert "The reference price was 100" in said

    (story,) = _core.explain(str(desk.log), 6)["stories"]
    assert story["decision"]["verdict"] == "accepted"
    assert [row["what"] for row in story["later"]] == [
        "fill of 40 at 100.00",
        "cancel passed",
        "canceled",
    ]
    assert _core.explain(str(desk.log), 8)["found"] == 0


def test_a_person_reads_the_same_on_the_command_line(desk: Desk) -> None:
    gateway = desk.open()
    gateway.submit(buy(2_000, order_id=7))
    gateway.close()
    done = desk.cli("explain", str(desk.log), "7", code=0)
    assert "MAX_ORDER_QTY" in done.stdout
    assert "rejected" in done.stdout
    desk.cli("explain", str(desk.log), "8", code=1)


def test_status_shows_use_of_limits_holds_and_refusals(desk: Desk) -> None:
    gateway = desk.open()
    for _ in range(2):
        assert gateway.submit(buy(50, account="beta")).accepted
    assert "CREDIT_LIMIT" in reasons(gateway.submit(buy(101, account="beta")))
    gateway.halt("account:alpha", reason="fat finger", actor="ana")
    live = gateway.state()
    gateway.sync()
    running = _core.status(str(desk.log))
    gateway.close()

    status = _core.status(str(desk.log))
    assert (running["running"], status["running"], status["closed"]) == (True, False, True)
    for key in ("orders", "accepted", "rejections", "usage", "limits_version"):
        assert status[key] == running[key] == live[key], key
    use = {(row["scope"], row["limit"]): row for row in status["usage"]}
    credit = use["account:beta", "credit"]
    assert (credit["used"], credit["max"], credit["money"]) == (
        10_000 * 10**6,
        20_000 * 10**6,
        True,
    )
    rate = use["account:beta", "message_rate"]
    assert (rate["used"], rate["max"], rate["money"]) == (2, 5, False)
    assert status["rejections"]["CREDIT_LIMIT"] == 1
    (hold,) = status["holds"]
    assert (hold["scope"], hold["actor"], hold["reason"]) == ("account:alpha", "ana", "fat finger")
    assert hold["utc_ns"] > 1_700_000_000 * 10**9

    shown = desk.cli("status", str(desk.log), code=0).stdout
    assert "fat finger" in shown
    line = next(x for x in shown.splitlines() if "account:beta" in x and "credit" in x)
    assert "50.0" in line, "10,000 of 20,000 is half"
    assert "40.0" in next(x for x in shown.splitlines() if "beta" in x and "message_rate" in x)


@pytest.mark.parametrize("ask", ["status", "verify"])
def test_a_directory_without_a_log_is_no_log(desk: Desk, ask: str) -> None:
    with pytest.raises(_core.LogError, match=str(desk.root)):
        _core.status(str(desk.root)) if ask == "status" else _core.verify(str(desk.root), [])
    args = ("status",) if ask == "status" else ("log", "verify")
    assert desk.cli(*args, str(desk.root), code=2).stderr
