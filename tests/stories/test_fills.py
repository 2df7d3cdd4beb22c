"""What the venue says: fills move positions, ends of orders free what they had reserved."""

from __future__ import annotations

from cwts import _core
from desk import PX_E9, Desk, buy, reasons, sell


def used(gateway: _core.Gateway, scope: str, limit: str) -> int:
    rows = gateway.state()["usage"]
    return int(next(r["used"] for r in rows if (r["scope"], r["limit"]) == (scope, limit)))


def test_a_fill_moves_the_position_and_a_cancel_gives_credit_back(desk: Desk) -> None:
    """Beta has credit for 200 shares: it gets it back share by share, and no share twice."""
    gateway = desk.open()
    order = gateway.submit(buy(100, account="beta"))
    assert used(gateway, "account:beta", "credit") == 10_000 * 10**6
    assert gateway.on_execution_report(order.order_id, "fill", PX_E9, 30, 30, "a") == "applied"
    assert gateway.position("beta", "ACME") == 30
    assert gateway.on_execution_report(order.order_id, "fill", PX_E9, 30, 30, "a") == "duplicate"
    assert gateway.position("beta", "ACME") == 30
    assert gateway.on_execution_report(order.order_id, "canceled", 0, 0, 30) == "applied"
    # 30 are held, 70 came back.
    assert used(gateway, "account:beta", "credit") == 3_000 * 10**6
    assert used(gateway, "firm", "credit") == 3_000 * 10**6
    assert reasons(gateway.submit(buy(71, account="beta"))) == ["MAX_POSITION"]
    assert gateway.submit(buy(70, account="beta")).accepted
    assert gateway.on_execution_report(999, "fill", PX_E9, 1, 1, "z") == "unknown_order"
    gateway.close()
    desk.verified()


def test_an_order_that_the_venue_rejects_has_cost_nothing(desk: Desk) -> None:
    gateway = desk.open()
    for kind in ("rejected", "expired", "done"):
        order = gateway.submit(buy(100, account="beta"))
        assert order.accepted
        assert gateway.on_execution_report(order.order_id, kind) == "applied"
        assert used(gateway, "account:beta", "credit") == 0
    gateway.close()


def test_an_overfill_is_booked_and_told(desk: Desk) -> None:
    gateway = desk.open()
    order = gateway.submit(buy(10))
    assert gateway.on_execution_report(order.order_id, "fill", PX_E9, 12, 12, "a") == "overfill"
    assert gateway.position("alpha", "ACME") == 12, "the venue's word counts"
    gateway.close()
    desk.verified()


def test_positions_are_the_logs_after_a_restart(desk: Desk) -> None:
    gateway = desk.open()
    bought = gateway.submit(buy(100))
    gateway.on_execution_report(bought.order_id, "fill", PX_E9, 100, 100, "a")
    sold = gateway.submit(sell(40))
    gateway.on_execution_report(sold.order_id, "fill", PX_E9, 25, 25, "b")
    gateway.close()
    gateway = desk.open(None)
    assert gateway.position("alpha", "ACME") == 75
    # What is told again after the restart counts once.
    assert gateway.on_execution_report(sold.order_id, "fill", PX_E9, 25, 25, "b") == "duplicate"
    assert gateway.position("alpha", "ACME") == 75
    assert reasons(gateway.submit(sell(61))) == ["MAX_POSITION"], "15 work, 75 are there"
    assert gateway.submit(sell(60)).accepted
    gateway.close()
    desk.verified()


def test_cancels_pass_under_a_halt_and_with_a_spent_rate(desk: Desk) -> None:
    """Beta has used its five messages and the firm is halted: its orders must still come down."""
    gateway = desk.open()
    orders = [gateway.submit(buy(1, account="beta")) for _ in range(5)]
    assert reasons(gateway.submit(buy(1, account="beta"))) == ["MESSAGE_RATE"]
    gateway.halt("firm", reason="look", actor="ana")
    for order in orders:
        cancel = gateway.cancel(order.order_id)
        assert (cancel.verdict, cancel.mask) == ("cancel_passed", 0)
    for _ in range(100):
        assert gateway.cancel(12_345).verdict == "cancel_passed", "even of an order nobody knows"
    assert set(reasons(gateway.submit(buy(1, account="beta")))) == {"KILL_HALTED", "MESSAGE_RATE"}
    assert gateway.state()["cancels"] == 105
    gateway.close()
    assert desk.verified()["counts"]["ORDER"] == 5 + 1 + 105 + 1
