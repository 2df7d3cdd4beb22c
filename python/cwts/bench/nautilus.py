"""The peer: NautilusTrader's risk engine, through its own message.

It is 100 MB and LGPL-3.0, so no extra of ours brings it: ``make bench`` does. Written in its
favour where there is a choice: the order is built once, the message bus hands it to a list,
logging is off. The command is built for each check, as the engine's own ``Strategy.submit_order``
does: it has an id of its own. The account is a margin account: the fewest checks that this engine
makes, and no notional among them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import metadata
from typing import Any

from cwts.bench.peers import pinned

__all__ = ["Nautilus", "find"]


def find(installed: Callable[[str], str] = metadata.version) -> Nautilus:
    """The peer, ready to measure.

    Raises
    ------
    PeerMissing
        It is not installed, or in another version than the goals are set against.
    """
    return Nautilus(pinned("nautilus_trader", installed))


class Nautilus:
    """A risk engine with one instrument and one margin account."""

    def __init__(self, name: str) -> None:
        from nautilus_trader.accounting.factory import AccountFactory
        from nautilus_trader.common.component import MessageBus, TestClock
        from nautilus_trader.common.factories import OrderFactory
        from nautilus_trader.model.identifiers import AccountId, StrategyId
        from nautilus_trader.portfolio.portfolio import Portfolio
        from nautilus_trader.risk.config import RiskEngineConfig
        from nautilus_trader.risk.engine import RiskEngine
        from nautilus_trader.test_kit.providers import TestInstrumentProvider
        from nautilus_trader.test_kit.stubs.component import TestComponentStubs
        from nautilus_trader.test_kit.stubs.events import TestEventStubs
        from nautilus_trader.test_kit.stubs.identifiers import TestIdStubs

        self.name = name
        clock, self._trader = TestClock(), TestIdStubs.trader_id()
        bus = MessageBus(trader_id=self._trader, clock=clock)
        cache = TestComponentStubs.cache()
        portfolio = Portfolio(msgbus=bus, cache=cache, clock=clock)
        self._instrument = TestInstrumentProvider.equity("AMZN", "XNAS")
        cache.add_instrument(self._instrument)
        account = TestEventStubs.margin_account_state(AccountId("XNAS-001"))
        cache.add_account(AccountFactory.create(account))
        self._sent: list[Any] = []
        self._denied: list[str] = []
        bus.register(endpoint="ExecEngine.execute", handler=self._sent.append)
        bus.register(endpoint="ExecEngine.process", handler=lambda e: self._denied.append(e.reason))
        config = RiskEngineConfig(max_order_submit_rate="1000000000/00:00:01")
        self._risk = RiskEngine(
            portfolio=portfolio, msgbus=bus, cache=cache, clock=clock, config=config
        )
        self._risk.start()
        self._orders = OrderFactory(
            trader_id=self._trader, strategy_id=StrategyId("S-1"), clock=clock
        )

    def order(self, qty: int, price: str) -> Any:
        """One limit order to buy."""
        from nautilus_trader.model.enums import OrderSide
        from nautilus_trader.model.objects import Price, Quantity

        return self._orders.limit(
            self._instrument.id, OrderSide.BUY, Quantity.from_int(qty), Price.from_str(price)
        )

    def accepts(self, order: Any) -> bool:
        """Whether the order goes on to execution."""
        self._sent.clear()
        self._denied.clear()
        self.check_many(order, (None,), keep=True)
        return bool(self._sent) and not self._denied

    def check_many(self, order: Any, times: Iterable[None], *, keep: bool = False) -> None:
        """One built order, once an item of `times`; what went on is forgotten."""
        from nautilus_trader.core.uuid import UUID4
        from nautilus_trader.execution.messages import SubmitOrder

        execute, trader, strategy = self._risk.execute, self._trader, order.strategy_id
        for _ in times:
            execute(
                SubmitOrder(
                    trader_id=trader,
                    strategy_id=strategy,
                    order=order,
                    command_id=UUID4(),
                    ts_init=0,
                )
            )
        if not keep:
            self._sent.clear()

    def execute_many(self, order: Any, times: Iterable[None]) -> None:
        """The same with one command for all: less than anyone can do."""
        from nautilus_trader.core.uuid import UUID4
        from nautilus_trader.execution.messages import SubmitOrder

        command = SubmitOrder(
            trader_id=self._trader,
            strategy_id=order.strategy_id,
            order=order,
            command_id=UUID4(),
            ts_init=0,
        )
        execute = self._risk.execute
        for _ in times:
            execute(command)
        self._sent.clear()
