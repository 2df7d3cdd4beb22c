"""The Python names: types, laziness, and what they refuse."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cwts
from cwts import _core, audit, errors
from cwts.orders import price_e9

LIMITS = """
schema = 1
[firm]
credit = "10_000_000"
[account.default]
max_order_qty = 1_000
max_order_notional = "250_000"
credit = "2_000_000"
message_rate = { max = 1_000, window = "1s" }
max_position = { long = 5_000, short = 0 }
[strategy.default]
[instrument]
AAPL = { tick = "0.01", lot = 1, price_collar = { bps = 500, reference = "external" } }
"""


@pytest.fixture
def limits(tmp_path: Path) -> Path:
    path = tmp_path / "limits.toml"
    path.write_text(LIMITS, encoding="utf-8")
    return path


@pytest.fixture
def gateway(limits: Path, tmp_path: Path) -> Any:
    with cwts.Gateway(limits, log=tmp_path / "log") as opened:
        opened.set_reference("AAPL", last="585.30")
        yield opened


def buy(qty: int = 100, price: object = "585.33") -> cwts.Order:
    return cwts.Order("AAPL", "buy", qty=qty, price=price)


def orders(gateway: cwts.Gateway, quantities: list[int]) -> Any:
    out = np.zeros(len(quantities), cwts.ORDER_DTYPE)
    out["px"], out["qty"] = 585_330_000_000, quantities
    for name in ("instrument", "account", "strategy"):
        out[name] = gateway.handle(name, "AAPL" if name == "instrument" else "default")
    out["kind"], out["side"], out["type_tif"] = 1, 1, 2
    return out


# What an import costs.


def test_an_import_loads_neither_numpy_nor_rich_nor_click() -> None:
    script = (
        "import cwts, sys, json;"
        "heavy = {'numpy', 'rich', 'click', 'asyncio', 'typing', 'cwts._core'};"
        "print(json.dumps(sorted(heavy & set(sys.modules))))"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert json.loads(out.stdout) == []


def test_the_kill_switch_and_the_verifier_never_load_numpy() -> None:
    script = (
        "import sys, cwts.cli.halt, cwts.cli.resume, cwts.cli.log, cwts.cli.app as app;"
        "app.run(['--help']);"
        "sys.exit('numpy' in sys.modules or 'rich' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)


def test_every_public_name_is_there_and_no_other() -> None:
    script = "import cwts; [getattr(cwts, n) for n in cwts.__all__]; print(sorted(dir(cwts)))"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == str(sorted(cwts.__all__))
    with pytest.raises(AttributeError, match="nonsense"):
        _ = cwts.nonsense  # type: ignore[attr-defined]


def test_replay_stays_a_function_whatever_was_imported_before() -> None:
    script = "import cwts._replay, cwts.cli.replay, cwts; assert callable(cwts.replay)"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_version_is_the_cores() -> None:
    assert cwts.__version__ == _core.VERSION


# The controls.


def test_the_flags_are_the_cores_table() -> None:
    rows = {row["name"]: row for row in _core.controls()}
    assert {reason.name: int(reason) for reason in cwts.RejectReason} == {
        name: 1 << row["bit"] for name, row in rows.items()
    }
    for reason in cwts.RejectReason:
        row = rows[str(reason.name)]
        assert (reason.citation, reason.fix103, reason.text) == (
            row["citation"],
            row["fix103"],
            row["text"],
        )


def test_a_set_of_reasons_is_not_one_control() -> None:
    both = cwts.RejectReason.MAX_ORDER_QTY | cwts.RejectReason.PRICE_COLLAR
    with pytest.raises(ValueError, match="MAX_ORDER_QTY"):
        _ = both.citation


# Prices.


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("585.33", 585_330_000_000),
        (" 0.000000001 ", 1),
        ("-1.5", -1_500_000_000),
        ("1.0000000000000", 1_000_000_000),
        ("1e2", 100_000_000_000),
        ("9223372036.854775807", 2**63 - 1),
        (Decimal("585.330"), 585_330_000_000),
        (Decimal("1E+3"), 1_000_000_000_000),
        (585, 585_000_000_000),
        (np.int64(3), 3_000_000_000),
        ("0", 0),
        ("-0.00", 0),
    ],
)
def test_a_price_is_exact(value: object, expected: int) -> None:
    assert price_e9(value) == expected


@pytest.mark.parametrize(
    ("value", "error", "says"),
    [
        (585.33, TypeError, "'585.33'"),
        (0.1 + 0.2, TypeError, "float"),
        (np.float64(1.5), TypeError, "'1.5'"),
        (np.float32(1.5), TypeError, "float32"),
        (float("nan"), TypeError, "float"),
        ("NaN", ValueError, "finite"),
        ("Infinity", ValueError, "finite"),
        (Decimal("sNaN"), ValueError, "finite"),
        ("0.0000000001", ValueError, "9 digits"),
        ("1e-999999999", ValueError, "9 digits"),
        ("9223372036.854775808", ValueError, "64 bits"),
        ("1e999999999", ValueError, "64 bits"),
        ("12,5", ValueError, "'12,5'"),
        ("", ValueError, "decimal number"),
        (True, TypeError, "bool"),
        (None, TypeError, "NoneType"),
        (b"1", TypeError, "bytes"),
    ],
)
def test_a_price_that_is_not_exact_is_refused(
    value: object, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        price_e9(value)


def test_a_float_price_of_an_order_is_refused_with_the_text_to_write() -> None:
    with pytest.raises(TypeError, match=r"585\.33"):
        buy(price=585.33)


def test_a_float_reference_changes_nothing(gateway: cwts.Gateway) -> None:
    with pytest.raises(TypeError, match=r"last 600\.5 is a float"):
        gateway.set_reference("AAPL", last=600.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="bid"):
        gateway.set_reference("AAPL", last="600.5", bid="nan")
    assert gateway.check(buy()).accepted, "the collar is still around 585.30"
    with pytest.raises(ValueError, match="give last"):
        gateway.set_reference("AAPL", bid="585.29")
    with pytest.raises(ValueError, match="around a price: give last"):
        gateway.set_reference("AAPL", bid="585.29", ask="585.31")


def test_a_collar_around_the_middle_takes_bid_and_ask(limits: Path, tmp_path: Path) -> None:
    limits.write_text(LIMITS.replace('"external"', '"mid"'), encoding="utf-8")
    log = tmp_path / "log"
    with cwts.Gateway(limits, log=log) as gateway:
        with pytest.raises(ValueError, match="give bid and ask"):
            gateway.set_reference("AAPL", last="585.30")
        missing = gateway.check(buy())
        assert missing.first == "REFERENCE_MISSING"
        assert 'bid="...", ask="..."' in missing.explain()
        # 5 % of 585.30, the middle, are 29.265; the last trade is another collar's business.
        gateway.set_reference("AAPL", last="700", bid="585.20", ask="585.40")
        assert gateway.check(buy(price="614.56")).accepted
        assert gateway.check(buy(price="614.57")).first == "PRICE_COLLAR"
        # An offer below the bid is no market: the middle stays.
        gateway.set_reference("AAPL", bid="600", ask="599")
        assert gateway.check(buy(price="614.57")).first == "PRICE_COLLAR"
        gateway.set_reference("AAPL", bid="600", ask="600")
        assert gateway.check(buy(price="614.57")).accepted
    with cwts.Gateway(limits, log=log) as gateway:
        assert gateway.check(buy(price="630.00")).accepted, "the log keeps the middle"
        assert gateway.check(buy(price="630.01")).first == "PRICE_COLLAR"


# One order.


def test_ten_lines_decide_and_explain(gateway: cwts.Gateway) -> None:
    decision = gateway.submit(buy())
    assert decision
    assert decision.accepted
    assert decision.violations == []
    refused = gateway.submit(buy(qty=2_000, price="700"))
    assert not refused
    assert refused.first == "MAX_ORDER_QTY"
    assert cwts.RejectReason(refused.mask) == (
        cwts.RejectReason.MAX_ORDER_QTY
        | cwts.RejectReason.MAX_ORDER_NOTIONAL
        | cwts.RejectReason.PRICE_COLLAR
    )
    assert [row["control"] for row in refused.violations] == [
        "MAX_ORDER_QTY",
        "MAX_ORDER_NOTIONAL",
        "PRICE_COLLAR",
    ]
    assert "15c3-5" in refused.explain()


def test_a_check_is_the_cores_own_method(gateway: cwts.Gateway) -> None:
    assert gateway.check.__self__ is gateway._core  # type: ignore[attr-defined]
    before = gateway.state()["orders"]
    assert gateway.check(buy()).accepted
    assert gateway.state()["orders"] == before


def test_a_fill_moves_the_position_once(gateway: cwts.Gateway) -> None:
    decision = gateway.submit(buy())
    report = cwts.ExecReport(
        decision.order_id, "fill", last_px="585.33", last_qty=40, cum_qty=40, exec_id="E1"
    )
    gateway.on_execution_report(report)
    gateway.on_execution_report(report)
    assert gateway.position("default", "AAPL") == 40
    assert gateway.cancel(decision.order_id).verdict != "reject"


def test_limits_that_are_wrong_name_line_and_key(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("schema = 1\n[account.A]\nmax_order_qyt = 5\n", encoding="utf-8")
    with pytest.raises(errors.LimitsError, match="did you mean `max_order_qty`") as caught:
        cwts.Gateway(path, log=tmp_path / "never")
    assert (caught.value.line, caught.value.key) == (3, "account.A.max_order_qyt")
    assert not (tmp_path / "never").exists(), "nothing is made under limits that are wrong"


def test_a_release_mode_that_is_none_is_refused(limits: Path) -> None:
    with pytest.raises(ValueError, match="durable"):
        cwts.Gateway(limits, release="sometimes")  # type: ignore[arg-type]


# Many orders.


def test_a_batch_decides_as_the_single_calls_do(gateway: cwts.Gateway) -> None:
    quantities = [100, 2_000, 0, 5]
    batch = orders(gateway, quantities)
    shadow = gateway.check_batch(batch)
    assert shadow.dtype == cwts.DECISION_DTYPE
    assert gateway.state()["orders"] == 0
    kept = gateway.submit_batch(batch)
    for name in ("reasons", "observed", "limit", "first", "verdict"):
        assert shadow[name].tolist() == kept[name].tolist()
    assert kept["verdict"].tolist() == [1, 2, 2, 1]
    assert [bool(mask & cwts.RejectReason.MAX_ORDER_QTY) for mask in kept["reasons"].tolist()] == [
        False,
        True,
        False,
        False,
    ]
    assert gateway.state()["orders"] == len(quantities)


def test_an_empty_batch_is_fine(gateway: cwts.Gateway) -> None:
    assert gateway.submit_batch(np.empty(0, cwts.ORDER_DTYPE)).shape == (0,)


def test_a_batch_of_another_shape_is_refused_by_name(gateway: cwts.Gateway) -> None:
    good = orders(gateway, [1, 2, 3, 4])
    fields = [(name, cwts.ORDER_DTYPE.fields[name][0]) for name in cwts.ORDER_DTYPE.names or ()]
    float_px = np.zeros(2, [(n, "<f8" if n == "px" else kind) for n, kind in fields])
    missing = np.zeros(2, [(n, kind) for n, kind in fields if n != "side"])
    swapped = np.zeros(2, [fields[1], fields[0], *fields[2:]])
    more = np.zeros(2, [*fields, ("venue", "<u4")])
    for wrong, error, says in (
        (float_px, TypeError, r"orders\['px'\] is float64"),
        (missing, TypeError, "no field 'side'"),
        (swapped, TypeError, r"orders\['seq'\] is at byte 8"),
        (more, TypeError, "'venue'"),
        (np.zeros(3), TypeError, "float64"),
        ([1, 2], TypeError, "list"),
        (good.reshape(2, 2), ValueError, "ndim is 2"),
        (good[::2], ValueError, "ascontiguousarray"),
    ):
        for call in (gateway.check_batch, gateway.submit_batch):
            with pytest.raises(error, match=says):
                call(wrong)
    assert gateway.state()["orders"] == 0


def test_an_arrow_table_is_taken_as_it_is(gateway: cwts.Gateway) -> None:
    pa = pytest.importorskip("pyarrow")
    table = pa.table(
        {
            "ts": pa.array([1, 2], pa.int64()),
            "kind": ["add", "add"],
            "order_id": pa.array([11, 12], pa.uint64()),
            "account": ["default", "default"],
            "strategy": ["default", "default"],
            "instrument": ["AAPL", "AAPL"],
            "side": ["buy", "buy"],
            "qty": pa.array([100, 2_000], pa.int64()),
            "price": ["585.33", "585.33"],
        }
    )
    assert gateway.check_batch(table)["verdict"].tolist() == [1, 2]


# Inside a running loop.


def test_the_async_twins_work_inside_a_running_loop(limits: Path, tmp_path: Path) -> None:
    async def story() -> list[str]:
        async with cwts.Gateway(limits, log=tmp_path / "log", release="durable") as gateway:
            await gateway.aset_reference("AAPL", last="585.30")
            shadow, kept = await asyncio.gather(gateway.acheck(buy()), gateway.asubmit(buy()))
            hold = await gateway.ahalt("account:default", reason="test", actor="ana")
            refused = await gateway.asubmit(buy())
            cancel = await gateway.acancel(kept.order_id)
            await gateway.aresume(hold, actor="ana", approver="ben", reason="done")
            again = await gateway.asubmit(buy())
            batch = await gateway.acheck_batch(orders(gateway, [1]))
            await gateway.aflush()
            assert batch["verdict"].tolist() == [1]
        return [str(d.accepted) for d in (shadow, kept, refused, cancel, again)]

    assert asyncio.run(story()) == ["True", "True", "False", "True", "True"]
    assert audit.verify(tmp_path / "log").ok


# The kill switch.


def test_a_halt_is_a_hold_and_survives_a_restart(limits: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with cwts.Gateway(limits, log=log) as gateway:
        gateway.set_reference("AAPL", last="585.30")
        hold = gateway.halt("account:default", reason="fat finger", actor="ana")
        assert (hold.scope, hold.state, hold.actor) == ("account:default", "HALTED", "ana")
        assert gateway.holds() == [hold]
    assert repr(gateway) == "<cwts.Gateway, closed>"
    with cwts.Gateway(limits, log=log) as gateway:
        gateway.set_reference("AAPL", last="585.30")
        assert gateway.submit(buy()).first == "KILL_HALTED"
        with pytest.raises(errors.PermissionDeniedError, match="second person"):
            gateway.resume(hold, actor="ana", approver="ana", reason="mine")
        with pytest.raises(errors.PermissionDeniedError, match="not in force"):
            gateway.resume(hold.id + 1, actor="ana", approver="ben", reason="which?")
        gateway.resume(hold, actor="ana", approver="ben", reason="reviewed")
        assert gateway.submit(buy()).accepted
        assert gateway.holds() == []
    assert audit.verify(log).ok


def test_an_unknown_scope_halts_nothing_and_names_the_nearest(gateway: cwts.Gateway) -> None:
    with pytest.raises(errors.ScopeError) as caught:
        gateway.halt("account:defualt", reason="", actor="ana")
    assert caught.value.nearest == "account:default"
    assert gateway.holds() == []


def test_reduce_lets_an_exit_pass(gateway: cwts.Gateway) -> None:
    decision = gateway.submit(buy())
    gateway.on_execution_report(
        cwts.ExecReport(decision.order_id, "fill", "585.33", last_qty=100, cum_qty=100)
    )
    assert gateway.reduce("account:default", reason="risk", actor="ana").state == "REDUCE_ONLY"
    assert gateway.submit(buy()).first == "KILL_REDUCE_ONLY"
    assert gateway.submit(cwts.Order("AAPL", "sell", qty=100, price="585.33")).accepted


# The end.


def test_a_closed_gateway_says_so(limits: Path, tmp_path: Path) -> None:
    gateway = cwts.Gateway(limits, log=tmp_path / "log")
    checkpoint = gateway.close()
    assert checkpoint is not None
    assert gateway.close() is None
    assert gateway.is_closed
    with pytest.raises(errors.CwtsError, match="closed"):
        gateway.check(buy())


def test_a_second_gateway_on_one_log_is_refused(gateway: cwts.Gateway, limits: Path) -> None:
    log = next(path for path in limits.parent.iterdir() if path.name == "log")
    with pytest.raises(errors.LogInUseError):
        cwts.Gateway(limits, log=log)
    assert gateway.check(buy()).accepted
