"""Many orders in one call, as an array of `ORDER_DTYPE`."""

from __future__ import annotations

import time

import numpy as np

import cwts
from cwts.bench import ours, wide

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


class WideBatch(Benched):
    """A thousand instruments and accounts, with few controls and with all of them."""

    params = ("common", "every")
    param_names = ("controls",)

    def setup(self, controls):
        super().setup()
        width = wide.Width(1_000, 1_000, 65_536)
        limits = self.scratch / "limits.toml"
        named = {"common": wide.COMMON, "every": wide.EVERY}[controls]
        limits.write_text(wide.limits_text(width, named), encoding="utf-8")
        self.gateway = cwts.Gateway(limits)
        for number in range(width.instruments):
            self.gateway.set_reference(f"I{number}", last="100")
        self.orders = wide.orders(width)
        # A microsecond apart: an array of one time would be one burst.
        self.orders["ts"] = time.time_ns() + np.arange(width.orders) * 1_000
        assert (self.gateway.check_batch(self.orders)["verdict"] == 1).all()

    def teardown(self, _controls):
        if hasattr(self, "gateway"):
            self.gateway.close()
        super().teardown()

    def time_check_batch(self, _controls):
        self.gateway.check_batch(self.orders)
