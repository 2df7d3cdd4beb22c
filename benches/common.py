"""What the suite shares: a directory for the run, and the refusal of debug builds."""

from __future__ import annotations

import tempfile
from pathlib import Path

from cwts.bench import openpit, ours
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

    def scene(self, *, with_peer):
        """The scene of `cwts bench`; without the pinned peer a ratio is skipped."""
        if not with_peer:
            return Scene(self.scratch, None)
        try:
            return Scene(self.scratch, openpit.find())
        except openpit.PeerMissing as error:
            raise NotImplementedError(str(error)) from error

    def ratio(self, name):
        """The peer's time over ours, for the goal `name`."""
        return BENCHES[name](self.scene(with_peer=True)).ratio

    def figure(self, name):
        """Our own figure for the goal `name`."""
        return BENCHES[name](self.scene(with_peer=False)).ours
