"""Our decisions against two other engines', on what both have.

OpenPit 0.10.0 (Apache-2.0): order size, order rate, a bound on the loss. NautilusTrader 1.221.0
(LGPL-3.0): the largest notional of an order, and its trading state. OpenPit is in the development
group; NautilusTrader is 100 MB, so ``make peers-test`` brings it along and other runs skip it.

Where they differ by design, the test says so in its name or beside the comparison.
"""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import cwts
from cwts import ORDER_DTYPE, RejectReason

ORDERS = 100_000
CENT = 10**7
LIMITS = """
schema = 1
[firm]
base_currency = "USD"
credit = "none"
[account.A]
max_order_qty = {qty}
max_order_notional = "{notional}"
credit = "none"
message_rate = {rate}
max_position = "none"
{account}
[strategy.default]
{strategy}
[instrument.AMZN]
venue = "XNAS"
tick = "0.01"
lot = 1
qty_decimals = 2
price_collar = {{ absolute = "1_000_000", reference = "external" }}
"""


def gateway(
    folder: Path,
    *,
    qty: str = '"none"',
    notional: str = "none",
    rate: str = '"none"',
    account: str = "",
    strategy: str = "",
) -> cwts.Gateway:
    """A gateway with one instrument, whose quantities have two decimals."""
    path = folder / "limits.toml"
    text = LIMITS.format(qty=qty, notional=notional, rate=rate, account=account, strategy=strategy)
    path.write_text(text)
    made = cwts.Gateway(path)
    made.set_reference("AMZN", last="100.00")
    return made


def drawn(rng: random.Random, n: int) -> list[tuple[bool, int, int]]:
    """Orders by chance: whether it buys, hundredths of a unit, cents."""
    edges = (9_999, 10_000, 10_001)
    out = []
    for _ in range(n):
        qty = rng.choice(edges) if rng.random() < 0.2 else rng.randint(1, 20_000)
        cents = rng.choice(edges) if rng.random() < 0.2 else rng.randint(1, 20_000)
        if rng.random() < 0.05:  # at the notional limit of 10,000, or next to it
            qty = rng.choice([1_000, 2_000, 4_000, 5_000, 8_000])
            cents = 100_000_000 // qty + rng.choice([-1, 0, 1])
        out.append((rng.random() < 0.5, qty, cents))
    return out


def records(gate: cwts.Gateway, orders: list[tuple[bool, int, int]]) -> npt.NDArray[Any]:
    """The same orders as our records."""
    out = np.zeros(len(orders), ORDER_DTYPE)
    out["px"] = [cents * CENT for _, _, cents in orders]
    out["qty"] = [qty for _, qty, _ in orders]
    out["side"] = [1 if is_buy else 2 for is_buy, _, _ in orders]
    out["kind"], out["type_tif"] = 1, 2
    out["account"] = gate.handle("account", "A")
    out["strategy"] = gate.handle("strategy", "default")
    out["instrument"] = gate.handle("instrument", "AMZN")
    return out


def hundredths(n: int) -> str:
    """An integer of hundredths as the peers read it."""
    return str(Decimal(n).scaleb(-2))


# OpenPit.

PIT = "0.10.0"
OF_PIT = {
    "OrderQtyExceedsLimit": RejectReason.MAX_ORDER_QTY,
    "OrderNotionalExceedsLimit": RejectReason.MAX_ORDER_NOTIONAL,
    "OrderExceedsLimit": RejectReason.MAX_ORDER_QTY | RejectReason.MAX_ORDER_NOTIONAL,
}


class Pit:
    """The peer, through its public calls."""

    def __init__(self) -> None:
        openpit = pytest.importorskip("openpit", reason=f"openpit {PIT} is not installed")
        from openpit import param
        from openpit.pretrade import policies

        self.pit, self.param, self.policies = openpit, param, policies
        self.instrument = openpit.Instrument("AMZN", "USD")
        self.account = param.AccountId.from_int(1)

    def engine(self, *policies: Any) -> Any:
        builder = self.pit.Engine.builder().no_sync()
        for policy in policies:
            builder = builder.builtin(policy)
        return builder.build()

    def size(self, qty: str, notional: str) -> Any:
        limit = self.policies.OrderSizeLimit(
            max_quantity=self.param.Quantity(qty), max_notional=self.param.Volume(notional)
        )
        barrier = self.policies.OrderSizeBrokerBarrier(limit=limit)
        return self.policies.build_order_size_limit().broker_barrier(barrier)

    def rate(self, most: int) -> Any:
        """Counted exactly for an account; an hour never ends within a test."""
        limit = self.policies.RateLimit(most, dt.timedelta(hours=1))
        barrier = self.policies.RateLimitAccountBarrier(limit, self.account)
        return self.policies.build_rate_limit().account_barriers(barrier)

    def loss(self, most: str) -> Any:
        barrier = self.policies.PnlBoundsBrokerBarrier(
            self.param.Asset("USD"), lower_bound=self.param.Pnl(f"-{most}")
        )
        of_account = self.policies.PnlBoundsAccountAssetBarrier(
            barrier, self.account, self.param.Pnl("0")
        )
        return self.policies.build_pnl_bounds_killswitch().account_barriers(of_account)

    def order(self, *, is_buy: bool, qty: str, price: str) -> Any:
        param = self.param
        return self.pit.Order(
            operation=self.pit.OrderOperation(
                instrument=self.instrument,
                account_id=self.account,
                side=param.Side.BUY if is_buy else param.Side.SELL,
                trade_amount=param.TradeAmount.quantity(qty),
                price=param.Price(price),
            )
        )

    def submit(self, engine: Any, *, is_buy: bool, qty: str, price: str) -> list[str]:
        """The codes of a refusal; none if it was accepted and went out."""
        result = engine.execute_pre_trade(order=self.order(is_buy=is_buy, qty=qty, price=price))
        if result.ok:
            result.reservation.commit()
            return []
        codes = [str(reject.code) for reject in result.rejects]
        assert codes
        return codes

    def settle(self, engine: Any, result: Decimal) -> None:
        """A result that was realised."""
        pit, param = self.pit, self.param
        engine.apply_execution_report(
            report=pit.ExecutionReport(
                operation=pit.ExecutionReportOperation(
                    instrument=self.instrument, account_id=self.account, side=param.Side.SELL
                ),
                financial_impact=pit.FinancialImpact(
                    pnl=param.Pnl(str(result)), fee=param.Fee("0")
                ),
            )
        )


@pytest.fixture(scope="module")
def pit() -> Pit:
    return Pit()


def test_openpit_refuses_the_same_sizes(pit: Pit, tmp_path: Path) -> None:
    """100,000 orders; its reason is among ours, and ours are all of its."""
    orders = drawn(random.Random(1), ORDERS)
    gate = gateway(tmp_path, qty="10_000", notional="10_000")
    reasons = gate.check_batch(records(gate, orders))["reasons"]
    engine = pit.engine(pit.size("100", "10000"))
    seen: Counter[str] = Counter()
    for (is_buy, qty, cents), mask in zip(orders, reasons.tolist(), strict=True):
        codes = pit.submit(engine, is_buy=is_buy, qty=hundredths(qty), price=hundredths(cents))
        theirs = RejectReason(0)
        for code in codes:
            theirs |= OF_PIT[code]
        assert mask == theirs, (is_buy, qty, cents, codes)
        seen.update(codes or ["accepted"])
    assert min(seen[code] for code in [*OF_PIT, "accepted"]) > 1_000, seen


@pytest.mark.parametrize(
    ("qty", "price", "fits"),
    [
        ("100", "100.00", True),
        ("100.00000001", "1.00", False),
        ("99.99999999", "100.00", True),
        ("98", "102.05", False),
        ("98", "102.04", True),
        ("100", "100.01", False),
    ],
)
def test_openpit_has_the_same_boundaries(
    pit: Pit, tmp_path: Path, qty: str, price: str, *, fits: bool
) -> None:
    """At 100 units and 10,000 of notional, and next to it; the notional is not rounded down."""
    text = LIMITS.replace("qty_decimals = 2", "qty_decimals = 8").format(
        qty=100 * 10**8, notional="10_000", rate='"none"', account="", strategy=""
    )
    (tmp_path / "limits.toml").write_text(text)
    gate = cwts.Gateway(tmp_path / "limits.toml")
    gate.set_reference("AMZN", last="100.00")
    order = cwts.Order("AMZN", "buy", qty=int(Decimal(qty).scaleb(8)), price=price, account="A")
    engine = pit.engine(pit.size("100", "10000"))
    assert bool(gate.check(order)) is fits
    assert (pit.submit(engine, is_buy=True, qty=qty, price=price) == []) is fits


def test_openpit_lets_as_many_out(pit: Pit, tmp_path: Path) -> None:
    """Where nothing else refuses, its rate is our MESSAGE_RATE: exactly so many leave."""
    rng = random.Random(2)
    for _ in range(200):
        most = rng.randint(1, 40)
        gate = gateway(tmp_path, rate=f'{{ max = {most}, window = "1h" }}')
        orders = [(rng.random() < 0.5, rng.randint(1, 9_999), 10_000) for _ in range(50)]
        reasons = gate.submit_batch(records(gate, orders))["reasons"].tolist()
        engine = pit.engine(pit.rate(most))
        for (is_buy, qty, cents), mask in zip(orders, reasons, strict=True):
            codes = pit.submit(engine, is_buy=is_buy, qty=hundredths(qty), price=hundredths(cents))
            assert mask == (RejectReason.MESSAGE_RATE if codes else 0)
        assert reasons.count(0) == most


def test_openpit_counts_what_it_refuses_as_our_attempts(pit: Pit, tmp_path: Path) -> None:
    """100,000 orders beside a size limit: its rate counts refused orders too."""
    rng = random.Random(3)
    length = 100
    for _ in range(ORDERS // length):
        most = rng.randint(1, length)
        gate = gateway(
            tmp_path,
            qty="10_000",
            notional="10_000",
            strategy=f'attempt_rate = {{ max = {most}, window = "1h" }}',
        )
        orders = drawn(rng, length)
        reasons = gate.submit_batch(records(gate, orders))["reasons"].tolist()
        engine = pit.engine(pit.size("100", "10000"), pit.rate(most))
        for (is_buy, qty, cents), mask in zip(orders, reasons, strict=True):
            codes = pit.submit(engine, is_buy=is_buy, qty=hundredths(qty), price=hundredths(cents))
            theirs = RejectReason(0)
            for code in codes:
                theirs |= OF_PIT.get(code, RejectReason.ATTEMPT_RATE)
            assert mask == theirs, codes


def test_openpit_stops_at_the_same_loss(pit: Pit, tmp_path: Path) -> None:
    """Settled results only: bought and sold, so that both know the same; then the next order."""
    rng = random.Random(4)
    stopped = 0
    for _ in range(150):
        most = rng.randint(0, 40)
        gate = gateway(tmp_path, account=f'loss_limit = {{ day = "{most}" }}')
        engine = pit.engine(pit.loss(str(most)))
        for trip in range(12):
            gate.set_reference("AMZN", last="100.00")
            order = cwts.Order("AMZN", "buy", qty=1_000, price="100.00", account="A")
            bought = gate.submit(order)
            codes = pit.submit(engine, is_buy=True, qty="10", price="100")
            assert bool(bought) is (codes == [])
            if codes:
                assert codes == ["PnlKillSwitchTriggered"]
                # The latch, and the hold that the gateway makes of it.
                wanted = RejectReason.LOSS_LIMIT | RejectReason.KILL_REDUCE_ONLY
                assert cwts.RejectReason(bought.mask) == wanted
                stopped += 1
                break
            price = Decimal(rng.choice([-200, -100, -1, 0, 1, 50, rng.randint(-150, 100)]))
            price = 100 + price.scaleb(-2)
            gate.on_execution_report(
                cwts.ExecReport(bought.order_id, "fill", "100.00", 1_000, 1_000, f"B{trip}")
            )
            sold = gate.submit(cwts.Order("AMZN", "sell", qty=1_000, price=str(price), account="A"))
            gate.on_execution_report(
                cwts.ExecReport(sold.order_id, "fill", str(price), 1_000, 1_000, f"S{trip}")
            )
            pit.settle(engine, 10 * (price - 100))
    assert 50 < stopped < 150


# NautilusTrader.

NAUTILUS = "1.221.0"


class Nautilus:
    """The peer's risk engine with what it needs around it."""

    def __init__(self) -> None:
        pytest.importorskip(
            "nautilus_trader", reason=f"nautilus_trader {NAUTILUS}: make peers-test"
        )
        from nautilus_trader.accounting.factory import AccountFactory
        from nautilus_trader.common.component import MessageBus, TestClock
        from nautilus_trader.common.factories import OrderFactory
        from nautilus_trader.config import RiskEngineConfig
        from nautilus_trader.model.identifiers import AccountId, StrategyId
        from nautilus_trader.portfolio.portfolio import Portfolio
        from nautilus_trader.risk.engine import RiskEngine
        from nautilus_trader.test_kit.providers import TestInstrumentProvider
        from nautilus_trader.test_kit.stubs.component import TestComponentStubs
        from nautilus_trader.test_kit.stubs.events import TestEventStubs
        from nautilus_trader.test_kit.stubs.identifiers import TestIdStubs

        clock, trader = TestClock(), TestIdStubs.trader_id()
        bus = MessageBus(trader_id=trader, clock=clock)
        self.cache = TestComponentStubs.cache()
        self.portfolio = Portfolio(msgbus=bus, cache=self.cache, clock=clock)
        self.instrument = TestInstrumentProvider.equity("AMZN", "XNAS")
        self.cache.add_instrument(self.instrument)
        # A cash account: for margin accounts this release checks no notional at all.
        account = TestEventStubs.cash_account_state(AccountId("XNAS-001"))
        self.cache.add_account(AccountFactory.create(account))
        self.answers: list[str] = []
        bus.register(endpoint="ExecEngine.execute", handler=lambda _: self.answers.append(""))
        bus.register(endpoint="ExecEngine.process", handler=lambda e: self.answers.append(e.reason))
        self.risk = RiskEngine(
            portfolio=self.portfolio,
            msgbus=bus,
            cache=self.cache,
            clock=clock,
            config=RiskEngineConfig(
                max_notional_per_order={str(self.instrument.id): 10_000},
                max_order_submit_rate="1000000000/00:00:01",
            ),
        )
        self.risk.start()
        self.trader = trader
        self.factory = OrderFactory(trader_id=trader, strategy_id=StrategyId("S-1"), clock=clock)

    def limit(self, *, is_buy: bool, qty: int, cents: int) -> Any:
        from nautilus_trader.model.enums import OrderSide
        from nautilus_trader.model.objects import Price, Quantity

        return self.factory.limit(
            self.instrument.id,
            OrderSide.BUY if is_buy else OrderSide.SELL,
            Quantity.from_int(qty),
            Price.from_str(f"{cents // 100}.{cents % 100:02}"),
        )

    def submit(self, *, is_buy: bool, qty: int, cents: int) -> str:
        """Why an order was denied; empty if it went out."""
        from nautilus_trader.core.uuid import UUID4
        from nautilus_trader.execution.messages import SubmitOrder

        order = self.limit(is_buy=is_buy, qty=qty, cents=cents)
        self.answers.clear()
        self.risk.execute(
            SubmitOrder(
                trader_id=self.trader,
                strategy_id=order.strategy_id,
                order=order,
                command_id=UUID4(),
                ts_init=0,
            )
        )
        (answer,) = self.answers
        return answer

    def hold(self, qty: int) -> None:
        """Have a position; negative is short."""
        from nautilus_trader.model.enums import OmsType
        from nautilus_trader.model.identifiers import PositionId
        from nautilus_trader.model.position import Position
        from nautilus_trader.test_kit.stubs.events import TestEventStubs

        order = self.limit(is_buy=qty > 0, qty=abs(qty), cents=10_000)
        fill = TestEventStubs.order_filled(
            order, instrument=self.instrument, position_id=PositionId("P-1")
        )
        position = Position(instrument=self.instrument, fill=fill)
        self.cache.add_position(position, OmsType.NETTING)
        self.portfolio.initialize_positions()

    def become(self, state: str) -> None:
        from nautilus_trader.model.enums import TradingState

        self.risk.set_trading_state(TradingState[state])


def test_nautilus_refuses_the_same_notionals(tmp_path: Path) -> None:
    peer = Nautilus()
    orders = [(b, 1 + q // 100, c) for b, q, c in drawn(random.Random(5), ORDERS // 5)]
    gate = gateway(tmp_path, notional="10_000")
    ours = [(is_buy, qty * 100, cents) for is_buy, qty, cents in orders]
    reasons = gate.check_batch(records(gate, ours))["reasons"].tolist()
    seen: Counter[bool] = Counter()
    for (is_buy, qty, cents), mask in zip(orders, reasons, strict=True):
        reason = peer.submit(is_buy=is_buy, qty=qty, cents=cents)
        assert mask == (RejectReason.MAX_ORDER_NOTIONAL if reason else 0), (qty, cents, reason)
        assert not reason or reason.startswith("NOTIONAL_EXCEEDS_MAX_PER_ORDER")
        seen[bool(reason)] += 1
    assert min(seen.values()) > ORDERS // 50


@pytest.mark.parametrize("held", [0, 10, -10])
def test_nautilus_stops_what_we_stop_and_we_stop_more(tmp_path: Path, held: int) -> None:
    """HALTED is the same. Its REDUCING denies less: it looks at the side alone, and not when flat.

    So what it denies we deny; we also deny what opens a position, or goes through zero.
    """
    peer = Nautilus()
    gate = gateway(tmp_path)
    if held:
        peer.hold(held)
        side = "buy" if held > 0 else "sell"
        sent = gate.submit(
            cwts.Order("AMZN", side, qty=abs(held) * 100, price="100.00", account="A")
        )
        gate.on_execution_report(
            cwts.ExecReport(sent.order_id, "fill", "100.00", abs(held) * 100, abs(held) * 100, "E")
        )
        assert gate.position("A", "AMZN") == held * 100

    def both(*, is_buy: bool, qty: int) -> tuple[bool, RejectReason]:
        order = cwts.Order(
            "AMZN", "buy" if is_buy else "sell", qty=qty * 100, price="100.00", account="A"
        )
        denied = peer.submit(is_buy=is_buy, qty=qty, cents=10_000)
        return denied != "", cwts.RejectReason(gate.check(order).mask)

    sizes = [(is_buy, qty) for is_buy in (True, False) for qty in (1, 9, 10, 11)]
    assert [both(is_buy=b, qty=q) for b, q in sizes] == [(False, RejectReason(0))] * len(sizes)
    hold = gate.reduce(reason="test", actor="ana")
    peer.become("REDUCING")
    for is_buy, qty in sizes:
        denied, reasons = both(is_buy=is_buy, qty=qty)
        away = held != 0 and is_buy == (held > 0)
        exits = held != 0 and not away and qty <= abs(held)
        assert denied is away, (is_buy, qty)
        assert reasons == (RejectReason(0) if exits else RejectReason.KILL_REDUCE_ONLY)
        assert not (denied and not reasons)
    gate.resume(hold, actor="ana", approver="bo", reason="test")
    gate.halt(reason="test", actor="ana")
    peer.become("HALTED")
    for is_buy, qty in sizes:
        assert both(is_buy=is_buy, qty=qty) == (True, RejectReason.KILL_HALTED)
