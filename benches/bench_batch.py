"""Many orders in one call, as an array of `ORDER_DTYPE`."""

from __future__ import annotations

import numpy as np

import cwts
from cwts.bench import ours

from .common import Benched


class Batch(Benched):
    """Batches of one size after another: what a call costs is shared by its orders."""

    params = (64, 4_096, 65_536)
    param_names = ("orders",)

    def setup(self, count):
        super().setup()
        self.gateway = self.desk.gateway()
        self.orders = np.zeros(count, cwts.ORDER_DTYPE)
        rows = np.arange(count)
        accounts = [self.gateway.handle("account", name) for name in ours.ACCOUNTS]
        symbols = [self.gateway.handle("instrument", name) for name in ours.SYMBOLS]
        self.orders["account"] = np.take(accounts, rows % len(accounts))
        self.orders["instrument"] = np.take(symbols, rows // len(accounts) % len(symbols))
        self.orders["strategy"] = self.gateway.handle("strategy", ours.STRATEGY)
        self.orders["px"] = 223_810_000_000
        self.orders["qty"] = ours.QTY
        self.orders["kind"] = 1
        self.orders["side"] = 1
        self.orders["type_tif"] = 2
        decisions = self.gateway.check_batch(self.orders[: ours.ORDERS_PER_RUN])
        assert (decisions["verdict"] == 1).all(), "a batch of refusals measures something else"

    def teardown(self, _count):
        if hasattr(self, "gateway"):
            self.gateway.close()
        super().teardown()

    def time_check_batch(self, _count):
        self.gateway.check_batch(self.orders)
