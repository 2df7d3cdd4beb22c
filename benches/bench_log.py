"""What proving costs."""

from __future__ import annotations

import itertools

from cwts import _core
from cwts.bench import flow, ours

from .common import Benched


class LogCost(Benched):
    """On the order's own path."""

    def track_log_cost_ns(self):
        return self.figure("log_cost_ns")

    track_log_cost_ns.unit = "ns/order"


class Verify(Benched):
    """Afterwards: every byte of a day's log, checked."""

    def setup(self):
        super().setup()
        day = flow.generated_day(self.scratch)
        self.log = self.scratch / "log"
        ours.replay(day.path, self.log, self.scratch / "keys")
        assert _core.verify(str(self.log), [], "full")["ok"]

    def time_verify_full(self):
        _core.verify(str(self.log), [], "full")


class Durable(Benched):
    """One order, from the call until it is on disk."""

    def setup(self):
        super().setup()
        self.gateway = self.desk.gateway("log")
        self.orders = itertools.cycle(self.desk.orders())

    def teardown(self):
        if hasattr(self, "gateway"):
            self.gateway.close()
        super().teardown()

    def time_submit_and_sync(self):
        self.gateway.submit(next(self.orders))
        self.gateway.flush()
