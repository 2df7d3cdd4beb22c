"""The peer: OpenPit's Python package, through its own public calls.

Written in its favour where there is a choice: no synchronisation, the fewest policies that do the
job, instrument and account built once, results not kept.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from cwts.bench.flow import LOBSTER_SUBMIT, NOTIONAL_MAX, QTY_MAX, PeerOrder
from cwts.bench.peers import pinned

__all__ = ["OpenPit", "find"]


def find(installed: Callable[[str], str] = metadata.version) -> OpenPit:
    """The peer, ready to measure.

    Parameters
    ----------
    installed : callable, optional
        Gives a distribution's version.

    Raises
    ------
    PeerMissing
        It is not installed, or in another version than the goals are set against.
    """
    return OpenPit(pinned("openpit", installed))


class OpenPit:
    """An engine with three policies: validation, order rate, order size."""

    def __init__(self, name: str) -> None:
        import openpit
        from openpit import param
        from openpit.pretrade import policies

        self.name = name
        self._openpit = openpit
        self._param = param
        self._policies = policies
        self._instrument = openpit.Instrument("AMZN", "USD")
        self._account = param.AccountId.from_int(1)

    def engine(self) -> Any:
        """A fresh engine."""
        policies, param = self._policies, self._param
        rate = policies.RateLimit(RATE_MAX, dt.timedelta(seconds=1))
        size = policies.OrderSizeLimit(
            max_quantity=param.Quantity(str(QTY_MAX)), max_notional=param.Volume(str(NOTIONAL_MAX))
        )
        return (
            self._openpit.Engine.builder()
            .no_sync()
            .builtin(policies.build_order_validation())
            .builtin(
                policies.build_rate_limit().broker_barrier(policies.RateLimitBrokerBarrier(rate))
            )
            .builtin(
                policies.build_order_size_limit().broker_barrier(
                    policies.OrderSizeBrokerBarrier(limit=size)
                )
            )
            .build()
        )

    def order(self, is_buy: bool, qty: int, price: str) -> Any:
        """One order, built as a user would from parsed fields."""
        openpit, param = self._openpit, self._param
        return openpit.Order(
            operation=openpit.OrderOperation(
                instrument=self._instrument,
                account_id=self._account,
                side=param.Side.BUY if is_buy else param.Side.SELL,
                trade_amount=param.TradeAmount.quantity(qty),
                price=param.Price(price),
            )
        )

    def accepts(self, engine: Any, order: Any) -> bool:
        """Whether one order passes; nothing stays reserved."""
        result = engine.execute_pre_trade(order=order)
        if result.ok:
            result.reservation.rollback()
        return bool(result.ok)

    def check_many(self, engine: Any, order: Any, times: Iterable[None]) -> None:
        """One built order, checked and rolled back, once an item of `times`."""
        check = engine.execute_pre_trade
        for _ in times:
            check(order=order).reservation.rollback()

    def build_and_check_many(
        self, engine: Any, fields: PeerOrder, price: str, times: Iterable[None]
    ) -> None:
        """As `check_many`, with the order built anew each time."""
        openpit, param = self._openpit, self._param
        make, operation, quantity = (
            openpit.Order,
            openpit.OrderOperation,
            param.TradeAmount.quantity,
        )
        as_price, instrument, account = param.Price, self._instrument, self._account
        is_buy, qty, _ = fields
        side = param.Side.BUY if is_buy else param.Side.SELL
        check = engine.execute_pre_trade
        for _ in times:
            order = make(
                operation=operation(
                    instrument=instrument,
                    account_id=account,
                    side=side,
                    trade_amount=quantity(qty),
                    price=as_price(price),
                )
            )
            check(order=order).reservation.rollback()

    def replay(self, engine: Any, orders: Iterable[PeerOrder]) -> int:
        """Build, check and commit every order of parsed rows, and give the number accepted."""
        openpit, param = self._openpit, self._param
        make, operation, quantity = (
            openpit.Order,
            openpit.OrderOperation,
            param.TradeAmount.quantity,
        )
        price, buy, sell = param.Price, param.Side.BUY, param.Side.SELL
        instrument, account = self._instrument, self._account
        check = engine.execute_pre_trade
        accepted = 0
        for is_buy, qty, price_e4 in orders:
            order = make(
                operation=operation(
                    instrument=instrument,
                    account_id=account,
                    side=buy if is_buy else sell,
                    trade_amount=quantity(qty),
                    price=price(str(price_e4 / 10_000)),
                )
            )
            result = check(order=order)
            if result.ok:
                result.reservation.commit()
                accepted += 1
        return accepted

    def replay_file(self, engine: Any, path: Path) -> int:
        """The same from an unpacked LOBSTER file, read as a user would read it."""
        with path.open(newline="", encoding="ascii") as file:
            rows = csv.reader(file)
            next(rows)  # the header: the sample has one
            return self.replay(
                engine,
                (
                    (direction == "1", int(qty), int(price))
                    for _, kind, _, qty, price, direction in rows
                    if kind == LOBSTER_SUBMIT
                ),
            )


#: So many orders a second that the policy runs and never refuses.
RATE_MAX = 1_000_000
