"""A whole file: the public day where its data is, else generated flow of its size."""

from __future__ import annotations

import itertools

from cwts.bench import flow, ours

from .common import Benched


class Replay(Benched):
    """Generated flow, so that a figure over commits does not depend on what lies where."""

    number = 1  # a log's directory is used once

    def setup(self):
        super().setup()
        self.flow = flow.generated_day(self.scratch)
        self.logs = (self.scratch / f"run-{i}" for i in itertools.count())

    def time_no_log(self):
        ours.replay(self.flow, None, self.scratch / "keys")

    def time_durable(self):
        ours.replay(self.flow, next(self.logs), self.scratch / "keys")


class ReplayAgainstPeer(Benched):
    """The ratios that `benches/goals.toml` bounds."""

    def track_replay_durable(self):
        return self.ratio("replay_durable")

    def track_replay_no_log(self):
        return self.ratio("replay_no_log")

    track_replay_durable.unit = track_replay_no_log.unit = "x"
