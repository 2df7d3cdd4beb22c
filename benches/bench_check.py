"""One order at a time: checked, built and checked, and stopped by a kill."""

from __future__ import annotations

import cwts
from cwts.bench import ours

from .common import Benched


class CheckOne(Benched):
    """One built order through every control, beside the peer, in one process."""

    def setup(self):
        super().setup()
        self.gateway = self.desk.gateway()
        orders = self.desk.orders()
        ours.submit_all(self.gateway, orders)  # a desk at work
        self.order = orders[0]

    def teardown(self):
        if hasattr(self, "gateway"):
            self.gateway.close()
        super().teardown()

    def time_check(self):
        self.gateway.check(self.order)

    def time_build_and_check(self):
        self.gateway.check(
            cwts.Order("S00", "buy", ours.QTY, ours.PRICE, "A00", strategy=ours.STRATEGY)
        )


class CheckAgainstPeer(Benched):
    """The ratios that `benches/goals.toml` bounds."""

    def track_check_prebuilt(self):
        return self.ratio("check_prebuilt")

    def track_build_and_check(self):
        return self.ratio("build_and_check")

    track_check_prebuilt.unit = track_build_and_check.unit = "x"


class Kill(Benched):
    """Orders accepted behind a kill's entry: 0, or the kill switch is none. Few kills a commit."""

    def track_accepted_after_kill(self):
        return self.figure("accepted_after_kill", is_quick=True)

    def track_halt_command_ms(self):
        return self.figure("halt_command_ms", is_quick=True)

    track_accepted_after_kill.unit = "orders"
    track_halt_command_ms.unit = "ms"
