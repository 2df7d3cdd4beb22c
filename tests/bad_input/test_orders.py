"""Orders that nobody should send: each is refused with its reason, or cannot be built at all."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from cwts import _core
from desk import PX_E9, Desk, buy, reasons

I64_MIN, I64_MAX = -(2**63), 2**63 - 1


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"qty": 0}, {"MALFORMED"}),
        ({"qty": -1}, {"MALFORMED"}),
        ({"qty": I64_MIN}, {"MALFORMED"}),
        ({"qty": I64_MAX}, {"MAX_ORDER_QTY", "MAX_ORDER_NOTIONAL", "MAX_POSITION"}),
        ({"price": "0"}, {"MALFORMED"}),
        ({"price": "-100"}, {"MALFORMED"}),
        ({"price": "100.001"}, {"TICK_SIZE"}),
        ({"price": "94.99"}, {"PRICE_COLLAR"}),
        ({"price": "105.01"}, {"PRICE_COLLAR"}),
        ({"price": None, "price_e9": I64_MAX}, {"PRICE_COLLAR", "TICK_SIZE"}),
        ({"price": None, "price_e9": I64_MIN}, {"MALFORMED"}),
        ({"symbol": "NOPE"}, {"UNKNOWN_HANDLE"}),
        ({"account": "nobody"}, {"UNKNOWN_HANDLE"}),
        ({"strategy": "none"}, {"UNKNOWN_HANDLE"}),
        ({"replaces": 77}, {"UNKNOWN_ORDER"}),
    ],
    ids=str,
)
def test_it_is_refused_with_a_reason_and_reserves_nothing(
    desk: Desk, changed: dict[str, Any], expected: set[str]
) -> None:
    gateway = desk.open()
    words = {"symbol": "ACME", "side": "buy", "qty": 1, "price": "100", "account": "alpha"}
    order = _core.Order(**(words | changed))
    usage = [(row["scope"], row["limit"], row["used"]) for row in gateway.state()["usage"]]
    for decide in (gateway.check, gateway.submit):
        decision = decide(order)
        assert not decision.accepted
        assert expected <= set(reasons(decision)), reasons(decision)
        if len(expected) == 1:
            assert set(reasons(decision)) == expected
        assert decision.explain()
    after = [(row["scope"], row["limit"], row["used"]) for row in gateway.state()["usage"]]
    assert after == usage
    gateway.close()
    desk.verified()


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (buy(symbol="NOPE"), ('"NOPE"', "[instrument]", "NOPE = {")),
        (buy(account="nobody"), ('"nobody"', "[account.nobody]")),
        (buy(strategy="none"), ('"none"', "[strategy.none]")),
    ],
    ids=["instrument", "account", "strategy"],
)
def test_an_unknown_name_comes_with_the_line_to_add(
    desk: Desk, order: _core.Order, words: tuple[str, ...]
) -> None:
    gateway = desk.open()
    text = gateway.submit(order).explain()
    for word in words:
        assert word in text
    gateway.close()


@pytest.mark.parametrize(
    ("words", "error", "field"),
    [
        ({"price": 100.0}, TypeError, "price"),
        ({"price": float("nan")}, TypeError, "price"),
        ({"price": "nan"}, ValueError, "price"),
        ({"price": "1e3"}, ValueError, "price"),
        ({"price": "0.0000000001"}, ValueError, "price"),
        ({"price": Decimal("NaN")}, ValueError, "price"),
        ({"price": Decimal("Infinity")}, ValueError, "price"),
        ({"price": 2**63}, OverflowError, "price"),
        ({"price": 10**10}, OverflowError, "price"),
        ({"price": True}, TypeError, "price"),
        ({"price": b"100"}, TypeError, "price"),
        ({"price": "100", "price_e9": 1}, TypeError, "price_e9"),
        ({"qty": 1.0}, TypeError, "qty"),
        ({"qty": float("nan")}, TypeError, "qty"),
        ({"qty": True}, TypeError, "qty"),
        ({"qty": "1"}, TypeError, "qty"),
        ({"qty": 2**63}, OverflowError, "qty"),
        ({"side": "by"}, ValueError, "side"),
        ({"type": "iceberg"}, ValueError, "type"),
        ({"tif": "forever"}, ValueError, "tif"),
        ({"flags": 64}, ValueError, "flags"),
        ({"symbol": ""}, ValueError, "name"),
        ({"symbol": "A\0"}, ValueError, "name"),
        ({"account": "x" * 129}, ValueError, "name"),
        ({"order_id": -1}, OverflowError, "negative"),
    ],
    ids=str,
)
def test_it_cannot_be_built_and_the_field_is_named(
    words: dict[str, Any], error: type[Exception], field: str
) -> None:
    good = {"symbol": "ACME", "side": "buy", "qty": 1, "price": "100", "account": "alpha"}
    with pytest.raises(error, match=field):
        _core.Order(**(good | words))


def test_a_reference_of_an_unknown_symbol_changes_nothing(desk: Desk) -> None:
    gateway = desk.open()
    at = gateway.next_index
    with pytest.raises(ValueError, match="NOPE"):
        gateway.set_reference("NOPE", PX_E9)
    assert gateway.next_index == at
    gateway.close()


@pytest.mark.parametrize(
    "report",
    [
        (1, "filled", 0, 0, 0),
        (1, "fill", PX_E9, -1, 1),
        (1, "fill", PX_E9, 1, -1),
    ],
    ids=str,
)
def test_a_report_that_makes_no_sense_is_not_logged(
    desk: Desk, report: tuple[int, str, int, int, int]
) -> None:
    gateway = desk.open()
    order = gateway.submit(buy(10))
    at = gateway.next_index
    with pytest.raises(ValueError, match=r"exec_type|qty"):
        gateway.on_execution_report(order.order_id, *report[1:])
    assert gateway.next_index == at
    assert gateway.position("alpha", "ACME") == 0
    gateway.close()


def test_fills_of_extreme_size_never_wrap_a_position(desk: Desk) -> None:
    gateway = desk.open()
    first = gateway.submit(buy(10))
    assert gateway.on_execution_report(first.order_id, "fill", PX_E9, I64_MAX, I64_MAX, "a")
    second = gateway.submit(buy(10))
    gateway.on_execution_report(second.order_id, "fill", I64_MAX, I64_MAX, I64_MAX, "b")
    assert gateway.position("alpha", "ACME") >= 0
    assert not gateway.submit(buy(1)).accepted
    gateway.close()
    desk.verified()
    # What was logged can be folded again.
    desk.open(None).close()


def test_a_long_name_of_an_actor_is_cut_and_two_spellings_are_one_person(desk: Desk) -> None:
    """`ana` and `ana` with an invisible byte are one person, and do not poison the log."""
    gateway = desk.open()
    hold = gateway.halt("firm", reason="r" * 5_000, actor="a" * 5_000)
    assert len(gateway.holds()[0]["reason"]) == 1_024
    for actor, approver in (("ana", "ana\0"), ("b" * 2_000, "b" * 1_500), ("\0", "ben")):
        with pytest.raises(_core.PermissionDeniedError):
            gateway.resume(hold, actor=actor, approver=approver, reason="x")
    gateway.resume(hold, actor="ana", approver="ben", reason="x")
    assert gateway.submit(buy()).accepted
    gateway.close()
    desk.verified()
    desk.open(None).close()
