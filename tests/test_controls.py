"""Controls that need to be told of the world, through the gateway as a user has it."""

from __future__ import annotations

from pathlib import Path

import pytest

import cwts
from cwts import audit

LIMITS = """\
schema = 1
[firm]
base_currency = "USD"
credit = "1_000_000_000"
[account.ACC1]
max_order_qty = 1_000
max_order_notional = "1_000_000"
credit = "900_000_000"
message_rate = { max = 60_000, window = "1ms" }
max_position = { long = 1_000_000, short = 1_000_000 }
loss_limit = { day = "500", confirm_marks = 1 }
[strategy.mm-1]
session = "FIX1"
[session.FIX1]
message_rate = "none"
[group.us]
tick = "0.01"
lot = 1
price_collar = { bps = 5000, reference = "external", on_missing = "deny" }
[instrument]
AAPL = { group = "us", venue = "XNAS", reg_sho = true }
"""


@pytest.fixture
def limits(tmp_path: Path) -> Path:
    path = tmp_path / "limits.toml"
    path.write_text(LIMITS)
    return path


def order(side: str = "buy", qty: int = 10, price: str = "100.00") -> cwts.Order:
    return cwts.Order("AAPL", side, qty, price, account="ACC1", strategy="mm-1")


def refused(decision: cwts.Decision) -> list[str]:
    """Names of the violated controls."""
    return sorted(row["control"] for row in decision.violations)


def filled(gateway: cwts.Gateway, decision: cwts.Decision, qty: int, price: str) -> None:
    gateway.on_execution_report(
        cwts.ExecReport(
            decision.order_id, "fill", last_px=price, last_qty=qty, cum_qty=qty, exec_id="E1"
        )
    )


def test_a_loss_becomes_a_hold_that_two_people_lift(limits: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with cwts.Gateway(limits, log=log) as gateway:
        gateway.set_reference("AAPL", last="100.00")
        decision = gateway.submit(order(qty=100))
        filled(gateway, decision, 100, "100.00")
        assert gateway.check(order()).accepted
        gateway.set_reference("AAPL", last="94.99")
        found = gateway.submit(order())
        assert refused(found) == ["KILL_REDUCE_ONLY", "LOSS_LIMIT"]
        assert gateway.check(order("sell", 100, "94.99")).accepted, "an exit passes"
        [hold] = gateway.state()["holds"]
        assert hold["scope"] == "account:ACC1"
        assert hold["state"] == "REDUCE_ONLY"
        assert hold["actor"] == "gateway"
        assert hold["reason"].startswith("LOSS_LIMIT: observed 501.00, limit 500.00")
    # After a restart it is still there; the same latch makes no second hold.
    with cwts.Gateway(limits, log=log) as gateway:
        assert refused(gateway.check(order())) == ["KILL_REDUCE_ONLY", "LOSS_LIMIT"]
        [hold] = gateway.state()["holds"]
        gateway.set_reference("AAPL", last="99.00")
        gateway.resume(hold["id"], actor="anna", approver="bo", reason="reviewed")
        assert gateway.check(order()).accepted
    assert audit.verify(log).ok


def test_what_the_market_says_bounds_orders(limits: Path) -> None:
    with cwts.Gateway(limits, log=None) as gateway:
        gateway.set_reference("AAPL", last="100.00")
        gateway.set_phase("instrument:AAPL", "halted")
        assert refused(gateway.check(order())) == ["INSTRUMENT_HALTED"]
        gateway.set_phase("instrument:AAPL", "trading")
        gateway.set_phase("venue:XNAS", "halted")
        assert refused(gateway.check(order())) == ["MARKET_WIDE_HALT"]
        gateway.set_phase("venue:XNAS", "reconciling")
        assert refused(gateway.check(order())) == ["RECONCILING"]
        gateway.set_phase("venue:XNAS", "trading")
        gateway.set_phase("session:FIX1", "closed")
        assert refused(gateway.check(order())) == ["SESSION_CLOSED"]
        gateway.set_phase("session:FIX1", "trading")
        gateway.set_market("AAPL", band=("90.00", "110.00"))
        assert gateway.check(order(price="110.00")).accepted
        assert refused(gateway.check(order(price="110.01"))) == ["LULD_BAND"]
        gateway.set_market("AAPL", band="none")
        assert gateway.check(order(price="110.01")).accepted


def test_short_sales_are_marked_located_and_above_the_bid(limits: Path) -> None:
    with cwts.Gateway(limits, log=None) as gateway:
        gateway.set_reference("AAPL", last="100.00")
        assert refused(gateway.check(order("sell"))) == ["SHORT_MARK"]
        assert refused(gateway.check(order("short"))) == ["LOCATE"]
        gateway.locate("ACC1", "AAPL", 10, actor="desk")
        assert gateway.check(order("short")).accepted
        assert refused(gateway.check(order("short", 11))) == ["LOCATE"]
        gateway.set_market("AAPL", bid="99.99", short_restricted=True)
        assert gateway.check(order("short", price="100.00")).accepted
        assert refused(gateway.check(order("short", price="99.99"))) == ["SHORT_SALE_RESTRICTION"]


def test_a_phase_or_a_name_that_is_none_is_refused(limits: Path) -> None:
    with cwts.Gateway(limits, log=None) as gateway:
        with pytest.raises(ValueError, match=r"lunch.*is not one of quoting"):
            gateway.set_phase("instrument:AAPL", "lunch")  # type: ignore[arg-type]
        with pytest.raises(cwts.errors.ScopeError):
            gateway.set_phase("instrument:AAPPL", "trading")
        with pytest.raises(
            cwts.errors.PermissionDeniedError, match="only an instrument, a venue or a session"
        ):
            gateway.set_phase("account:ACC1", "trading")
        with pytest.raises(cwts.errors.PermissionDeniedError, match="never reconciling"):
            gateway.set_phase("instrument:AAPL", "reconciling")
        with pytest.raises(ValueError, match="not in the limits file"):
            gateway.locate("ACC2", "AAPL", 10, actor="desk")
        with pytest.raises(ValueError, match="below 0"):
            gateway.locate("ACC1", "AAPL", -1, actor="desk")
        with pytest.raises(OverflowError):
            gateway.locate("ACC1", "AAPL", 1 << 63, actor="desk")
        with pytest.raises(ValueError, match="give bid, prior_close, band"):
            gateway.set_market("AAPL")
        with pytest.raises(ValueError, match=r"lower edge 110.00 is above"):
            gateway.set_market("AAPL", band=("110.00", "90.00"))
        with pytest.raises(ValueError, match="bid: 0 is no price"):
            gateway.set_market("AAPL", bid="0")
        with pytest.raises(TypeError, match="float"):
            gateway.set_market("AAPL", bid=1.5)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="not in the limits file"):
            gateway.set_market("AAPPL" * 1_000, bid="1")
