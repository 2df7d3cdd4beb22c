"""What the suite shares: a directory for the run, and the refusal of debug builds."""

from __future__ import annotations

import tempfile
from pathlib import Path

from cwts.bench import ours, peers
from cwts.bench.goals import load_goals
from cwts.bench.suite import BENCHES, Scene


class Benched:
    """A benchmark with a scratch directory; asv calls `setup` and `teardown` round each."""

    timeout = 300

    def setup(self):
        try:
            ours.refuse_debug_build()
        except ours.DebugBuildError as error:
            raise NotImplementedError(str(error)) from error  # asv: skipped, not failed
        self._directory = tempfile.TemporaryDirectory(prefix="cwts-asv-")
        self.scratch = Path(self._directory.name)
        self.desk = ours.Desk(self.scratch)

    def teardown(self):
        directory = getattr(self, "_directory", None)
        if directory is not None:
            directory.cleanup()

    def scene_of(self, name, *, is_quick=False):
        """The scene of `cwts bench` with a goal's peer; where the peer is missing, skipped."""
        goal = {goal.name: goal for goal in load_goals()}.get(name)
        peer = goal.peer if goal else None
        try:
            return Scene(self.scratch, peers.find(peer) if peer else None, is_quick=is_quick)
        except peers.PeerMissing as error:
            raise NotImplementedError(str(error)) from error

    def sample(self, path):
        """A public file; where it is absent, skipped."""
        try:
            return self.scene_of(None).sample(path)
        except peers.PeerMissing as error:
            raise NotImplementedError(str(error)) from error

    def ratio(self, name):
        """The peer's time over ours, for the goal `name`."""
        return self._measured(name).ratio

    def figure(self, name, *, is_quick=False):
        """Our own figure for the goal `name`; a quick one takes few trials."""
        return self._measured(name, is_quick=is_quick).ours

    def _measured(self, name, *, is_quick=False):
        try:
            return BENCHES[name](self.scene_of(name, is_quick=is_quick))
        except peers.PeerMissing as error:  # a sample is absent, say
            raise NotImplementedError(str(error)) from error
