"""Knight Capital, 2012-08-01: what the SEC's order says its controls lacked, one test each.

Source: SEC Release No. 34-70694 (2013-10-16).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cwts import ExecReport, Gateway, Order, RejectReason, audit
from desk import PATIENCE_S

AUCTION = 32
LIMITS = """
schema = 1
[firm]
base_currency = "USD"
credit = "100_000"
[customer]
retail = { credit = "60_000" }
[account.A]
customer = "retail"
max_order_qty = 1_000
max_order_notional = "50_000"
credit = "60_000"
message_rate = { max = 10_000, window = "1s" }
max_position = { long = 100_000, short = 100_000 }
[account.B]
max_order_qty = 1_000
max_order_notional = "50_000"
credit = "100_000"
message_rate = { max = 10_000, window = "1s" }
max_position = { long = 100_000, short = 100_000 }
[strategy.default]
[instrument.RLP]
venue = "XNYS"
tick = "0.01"
lot = 1
price_collar = { bps = 500, reference = "external", max_age = "10s" }
"""


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gateway]:
    """A broker with two accounts, one share, and a log."""
    path = tmp_path / "limits.toml"
    path.write_text(LIMITS)
    with Gateway(path, log=tmp_path / "log", keys=tmp_path / "keys", clock=None) as made:
        made.set_reference("RLP", last="10.00")
        yield made


def reasons(gate: Gateway, order: Order) -> RejectReason:
    """All that an order violates; it is sent if it violates nothing."""
    return RejectReason(gate.submit(order).mask)


@pytest.mark.parametrize(("tif", "flags"), [("opg", 0), ("day", AUCTION), ("opg", AUCTION)])
def test_the_collar_holds_for_opening_auction_orders(gate: Gateway, tif: str, flags: int) -> None:
    """Knight's collars looked at orders of the continuous session only."""
    for price, wanted in [
        ("10.50", RejectReason(0)),
        ("10.51", RejectReason.PRICE_COLLAR),
        ("9.49", RejectReason.PRICE_COLLAR),
    ]:
        order = Order("RLP", "buy", 10, price, "A", tif=tif, flags=flags)
        assert reasons(gate, order) == wanted


def test_outstanding_orders_are_exposure_before_they_fill(gate: Gateway) -> None:
    """Knight measured what was filled, while its router kept orders coming.

    Nothing fills here: each order alone is small, and their sum is stopped at the customer's
    credit, then over several accounts at the firm's.
    """
    sent = 0
    while not (found := reasons(gate, Order("RLP", "buy", 500, "10.00", "A"))):
        sent += 1
    assert (sent, found) == (12, RejectReason.CREDIT_LIMIT)
    while not (found := reasons(gate, Order("RLP", "sell", 500, "10.00", "B"))):
        sent += 1
    assert (sent, found) == (20, RejectReason.CREDIT_LIMIT)
    assert gate.position("A", "RLP") == gate.position("B", "RLP") == 0


def test_what_fills_stays_exposure(gate: Gateway) -> None:
    """Credit comes back when an order ends unfilled, and not when it fills."""
    first = gate.submit(Order("RLP", "buy", 1_000, "10.00", "A"))
    gate.on_execution_report(ExecReport(first.order_id, "fill", "10.00", 1_000, 1_000, "E1"))
    sent = 0
    while not reasons(gate, Order("RLP", "buy", 500, "10.00", "A")):
        sent += 1
    assert sent == 10


def test_stale_data_stops(gate: Gateway) -> None:
    """A price from before says nothing of now: no order leaves on it, not even a good one."""
    order = Order("RLP", "buy", 10, "10.00", "A")
    assert reasons(gate, order) == RejectReason(0)
    gate.set_reference("RLP", last="10.00", ts_ns=1)
    assert reasons(gate, order) == RejectReason.REFERENCE_STALE
    assert reasons(gate, Order("RLP", "sell", 10, None, "A")) == RejectReason.REFERENCE_STALE
    gate.set_reference("RLP", last="10.00")
    assert reasons(gate, order) == RejectReason(0)


def test_a_halt_of_the_firm_stops_every_account_and_lets_cancels_out(gate: Gateway) -> None:
    """On the day nobody could tell 4 million orders to stop; the router was disconnected late."""
    works = gate.submit(Order("RLP", "buy", 10, "10.00", "A"))
    gate.halt("firm", reason="runaway router", actor="risk.anna")
    for account in ("A", "B"):
        order = Order("RLP", "buy", 10, "10.00", account)
        assert reasons(gate, order) == RejectReason.KILL_HALTED
    assert gate.cancel(works.order_id).verdict == "cancel_passed"


def test_a_loss_of_the_firm_blocks_it_by_itself_and_for_longer_than_the_process(
    tmp_path: Path,
) -> None:
    """Knight's account 33 had a limit that nothing enforced: a screen showed it.

    Here the third mark beyond the firm's limit is a hold at the firm. Another account is refused,
    an exit passes, and a restart changes nothing: it takes two people.
    """
    path = tmp_path / "limits.toml"
    credit = 'credit = "100_000"\n[customer]'
    assert credit in LIMITS
    loss = 'credit = "100_000"\nloss_limit = { day = "500" }\n[customer]'
    path.write_text(LIMITS.replace(credit, loss))
    both = RejectReason.LOSS_LIMIT | RejectReason.KILL_REDUCE_ONLY
    with Gateway(path, log=tmp_path / "log", keys=tmp_path / "keys", clock=None) as gate:
        gate.set_reference("RLP", last="10.00")
        sent = gate.submit(Order("RLP", "buy", 1_000, "10.00", "A"))
        gate.on_execution_report(ExecReport(sent.order_id, "fill", "10.00", 1_000, 1_000, "E1"))
        for _ in range(2):
            gate.set_reference("RLP", last="9.49")
        assert gate.holds() == []
        gate.set_reference("RLP", last="9.49")
        (hold,) = gate.holds()
        assert (hold.scope, hold.state, hold.actor) == ("firm", "REDUCE_ONLY", "gateway")
        assert reasons(gate, Order("RLP", "buy", 1, "9.49", "B")) == both
        assert reasons(gate, Order("RLP", "sell", 500, "9.49", "A")) == RejectReason(0)
    with Gateway(None, log=tmp_path / "log", keys=tmp_path / "keys", clock=None) as gate:
        assert gate.holds() == [hold]
        assert reasons(gate, Order("RLP", "buy", 1, "9.49", "B")) == both
        gate.resume(hold, actor="risk.anna", approver="risk.bo", reason="hedged")
        assert gate.holds() == []
        assert reasons(gate, Order("RLP", "buy", 1, "9.49", "B")) == RejectReason(0)


def test_orders_out_are_compared_with_orders_in(gate: Gateway, tmp_path: Path) -> None:
    """Knight's router sent millions of child orders for 212 parents, and nobody compared.

    Here whoever has the session says how many messages left. As many as were released pass; one
    more halts the firm within a comparison, by the gateway itself, and two people lift it.
    """
    sent = [gate.submit(Order("RLP", "buy", 10, "10.00", "A")) for _ in range(3)]
    gate.cancel(sent[0].order_id)
    counts = gate.in_out(4)
    assert (counts.accepted, counts.released, counts.held_back) == (4, 4, 0)
    until(lambda: has(tmp_path / "log", "TICK"))
    assert gate.holds() == []
    gate.in_out(5)
    until(lambda: gate.holds() != [])
    (hold,) = gate.holds()
    assert (hold.scope, hold.state, hold.actor) == ("firm", "HALTED", "gateway")
    assert hold.reason == "IN_OUT_COMPARE: 5 messages out, 4 expected"
    assert reasons(gate, Order("RLP", "buy", 10, "10.00", "B")) == RejectReason.KILL_HALTED
    (alert,) = gate.alerts()
    assert (alert.kind, alert.observed, alert.limit) == ("in_out", "5", "4")


def test_an_alert_is_emitted_unasked(tmp_path: Path) -> None:
    """97 mails said "Power Peg disabled" before the open: nobody was meant to read them.

    Here nobody has to ask and nothing has to be read in time: what comes near a limit is an entry
    of the log with the order that brought it there, and stands in the status that a desk watches.
    """
    path = tmp_path / "limits.toml"
    path.write_text(LIMITS + "[control]\nstaged = { alert = 70 }\n")
    with Gateway(path, log=tmp_path / "log", keys=tmp_path / "keys", clock=None) as gate:
        gate.set_reference("RLP", last="10.00")
        while not reasons(gate, Order("RLP", "buy", 500, "10.00", "A")):
            pass
        told = [(row.control, row.scope, row.percent) for row in gate.alerts()]
        credit = "CREDIT_LIMIT"
        # 12 orders of 5,000: 45,000 are 75 % of 60,000, 55,000 are 92 %.
        assert told == [
            (credit, "account:A", 70),
            (credit, "customer:retail", 70),
            (credit, "account:A", 90),
            (credit, "customer:retail", 90),
        ]
    found = audit.status(tmp_path / "log")
    assert [row["percent"] for row in found["alerts"]] == [70, 70, 90, 90]
    assert audit.verify(tmp_path / "log").counts["ALERT"] == 4


def has(log: Path, kind: str) -> bool:
    """Whether the log has an entry of this type."""
    return bool(audit.verify(log).counts.get(kind))


def until(true: Callable[[], bool]) -> None:
    """Wait for what another thread does about once a second."""
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
