"""The benchmarks behind the goals, and the rows that come of them.

Every benchmark is one entry of `BENCHES`, under its goal's name; a test holds the two together.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cwts.bench import ours, peers
from cwts.bench.feeds import FEEDS
from cwts.bench.goals import Goal
from cwts.bench.kill import KILLS
from cwts.bench.log import LOG
from cwts.bench.peers import PeerMissing
from cwts.bench.risk import RISK
from cwts.bench.scene import Measured, Scene, WorkDiffersError, same
from cwts.bench.threshold import THRESHOLD
from cwts.bench.timing import Job, alternate, cpu, quiet

__all__ = ["BENCHES", "KEYS", "Measured", "Row", "Scene", "WorkDiffersError", "measure", "rows"]

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the result; a quick one is no figure."""

    goal: Goal
    peer: str | None
    measured: Measured
    is_quick: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where it could not be judged."""
        if self.is_quick:
            return None
        return self.goal.is_met(self.measured.ours, self.measured.ratio)

    @property
    def unit(self) -> str:
        """The unit, which says when the flow was not the public day."""
        generated = GENERATED if self.measured.is_generated else ""
        return self.goal.unit + generated + (", quick" if self.is_quick else "")

    def to_json(self) -> dict[str, Any]:
        """The row under the keys of `KEYS`, in that order."""
        found = self.measured
        values = (
            self.goal.name,
            self.goal.area,
            _rounded(found.ours),
            self.peer,
            _rounded(found.peer),
            self.unit,
            _rounded(found.ratio),
            self.goal.goal,
            self.met,
            _rounded(found.ours_min),
            _rounded(found.peer_min),
            found.detail,
        )
        return dict(zip(KEYS, values, strict=True))


def rows(
    goals: Iterable[Goal],
    peers_wanted: bool,
    note: Note,
    scratch: str | None = None,
    *,
    quick: bool = False,
) -> Iterator[Row]:
    """Measures the goals one after the other.

    Parameters
    ----------
    goals : iterable of Goal
        What to measure.
    peers_wanted : bool
        Whether to run the peers beside us. Without, ratios are None.
    note : callable
        Takes each sentence on what was left out, and why.
    scratch : str, optional
        Where logs go. Default: the system's temporary directory.
    quick : bool
        Whether to run as little as shows that it runs; nothing is judged then.

    Raises
    ------
    DebugBuildError
        The core is a debug build.
    """
    ours.refuse_debug_build()
    with tempfile.TemporaryDirectory(prefix="cwts-bench-", dir=scratch) as directory:
        scene = Scene(Path(directory), None, is_quick=quick)
        for goal in goals:
            scene.peer, missing = _peer(goal, wanted=peers_wanted)
            name = goal.peer if scene.peer is None else scene.peer.name
            try:
                found = measure(goal, scene)
            except PeerMissing as error:
                found, missing = Measured(ours=None), str(error)
            if missing is not None:
                what = "not measured" if found.ours is None else "no ratio"
                note(f"{goal.name}: {what}: {missing}")
            yield Row(goal, name, found, quick)


def _peer(goal: Goal, *, wanted: bool) -> tuple[Any, str | None]:
    """The goal's peer, or why there is none."""
    if goal.peer is None:
        return None, None
    if not wanted:
        return None, "peers are measured only with --peers"
    try:
        return peers.find(goal.peer), None
    except PeerMissing as error:
        return None, str(error)


def measure(goal: Goal, scene: Scene) -> Measured:
    """Runs the benchmark of a goal."""
    return BENCHES[goal.name](scene)


def log_cost_ns(scene: Scene) -> Measured:
    """Submit with a log less submit without, on the submitting thread."""
    orders = scene.desk.orders()
    desk = scene.desk
    with desk.gateway() as plain, desk.gateway(scene.new_log()) as logging:

        def submit(gateway: Any) -> Job:
            def run() -> float:
                with quiet():
                    start = cpu()
                    decisions = ours.submit_all(gateway, orders)
                    elapsed = cpu() - start
                same("orders accepted", sum(d.accepted for d in decisions), expected=len(orders))
                ours.cancel_all(gateway, decisions)
                return elapsed / len(orders)

            return run

        # Short runs, so many of them: the queue must not fill within one.
        count = scene.pairs if scene.is_quick else max(SUBMIT_PAIRS, scene.pairs)
        pairs = alternate(submit(plain), submit(logging), count)
    return Measured(ours=pairs.difference, ours_min=min(pairs.b) - min(pairs.a))


def _rounded(value: float | None) -> float | None:
    """Six significant digits: more would be noise."""
    return None if value is None else float(f"{value:.6g}")


#: The benchmark of each goal, by its name.
BENCHES: dict[str, Callable[[Scene], Measured]] = {
    **RISK,
    "log_cost_ns": log_cost_ns,
    **LOG,
    **THRESHOLD,
    **KILLS,
    **FEEDS,
}

#: Keys of a row's JSON, in order.
KEYS = (
    *("name", "area", "ours", "peer", "peer_value", "unit", "ratio", "goal", "met"),
    *("ours_min", "peer_min", "detail"),
)
GENERATED = ", generated flow"

SUBMIT_PAIRS = 101
