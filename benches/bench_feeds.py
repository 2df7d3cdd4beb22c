"""What a user has: files, in every format, to decisions or to columns."""

from __future__ import annotations

import itertools

import cwts
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
        ours.replay(self.flow.path, None, self.scratch / "keys")

    def time_durable(self):
        ours.replay(self.flow.path, next(self.logs), self.scratch / "keys")

    def time_columns(self):
        cwts.datasets.read(self.flow.path)


class Samples(Benched):
    """The public files, where they are."""

    def setup(self):
        super().setup()
        self.lobster = flow.unpacked(self.sample(flow.AMZN_PATH), self.scratch).read_bytes()
        self.itch = flow.unpacked(self.sample(flow.ITCH_PATH), self.scratch).read_bytes()
        self.dbn = self.sample(flow.DBN_PATH)

    def time_lobster_columns(self):
        cwts.datasets.read(self.lobster)

    def time_itch_columns(self):
        cwts.datasets.read(self.itch)

    def time_dbn_columns(self):
        cwts.datasets.read(self.dbn)


class AgainstPeers(Benched):
    """The ratios that `benches/goals.toml` bounds; memory, which takes minutes, is left out."""

    def track_replay_no_log(self):
        return self.ratio("replay_no_log")

    def track_replay_durable(self):
        return self.ratio("replay_durable")

    def track_durable_over_log(self):
        return self.ratio("durable_over_log")

    def track_dbn_decisions(self):
        return self.ratio("dbn_decisions")

    def track_itch_columns(self):
        return self.ratio("itch_columns")

    def track_lobster_columns(self):
        return self.ratio("lobster_columns")

    track_replay_no_log.unit = track_replay_durable.unit = track_durable_over_log.unit = "x"
    track_dbn_decisions.unit = track_itch_columns.unit = track_lobster_columns.unit = "x"
