"""The benchmarks behind the goals, and the rows that come of them.

Every benchmark is one entry of `BENCHES`, under its goal's name; a test holds the two together.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cwts.bench import kill, ours, peers
from cwts.bench.feeds import FEEDS
from cwts.bench.goals import Goal
from cwts.bench.openpit import OpenPit
from cwts.bench.peers import PeerMissing
from cwts.bench.scene import Measured, Scene, WorkDiffersError, against, alone, same
from cwts.bench.timing import Clock, Job, alternate, cpu, quiet

__all__ = ["BENCHES", "KEYS", "Measured", "Row", "Scene", "WorkDiffersError", "measure", "rows"]

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the result."""

    goal: Goal
    peer: str | None
    measured: Measured

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where it could not be judged."""
        return self.goal.is_met(self.measured.ours, self.measured.ratio)

    @property
    def unit(self) -> str:
        """The unit, which says when the flow was not the public day."""
        return self.goal.unit + (GENERATED if self.measured.is_generated else "")

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
        )
        return dict(zip(KEYS, values, strict=True))


def rows(
    goals: Iterable[Goal], peers_wanted: bool, note: Note, scratch: str | None = None
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

    Raises
    ------
    DebugBuildError
        The core is a debug build.
    """
    ours.refuse_debug_build()
    with tempfile.TemporaryDirectory(prefix="cwts-bench-", dir=scratch) as directory:
        scene = Scene(Path(directory), None)
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
            yield Row(goal, name, found)


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


def check_prebuilt(scene: Scene) -> Measured:
    """One built order through every control, against execute and roll back."""
    with scene.desk.gateway() as gateway:
        orders = scene.desk.orders()
        ours.submit_all(gateway, orders)  # a desk at work: a working order in every holding
        order = orders[0]
        same("check_prebuilt", gateway.check(order).accepted, expected=True)
        us = _timed(cpu, CHECKS, lambda: ours.check_many(gateway, order, _times(CHECKS)))
        peer = scene.peer_as(OpenPit)
        if peer is None:
            return alone(us, scene.pairs)
        engine, theirs = peer.engine(), peer.order(True, ours.QTY, ours.PRICE)
        same("check_prebuilt", peer.accepts(engine, theirs), expected=True)
        them = _timed(cpu, CHECKS, lambda: peer.check_many(engine, theirs, _times(CHECKS)))
        return against(us, them, scene.pairs)


def build_and_check(scene: Scene) -> Measured:
    """The same from plain values: the price is text on both sides."""
    with scene.desk.gateway() as gateway:
        ours.submit_all(gateway, scene.desk.orders())
        us = _timed(cpu, BUILDS, lambda: ours.build_and_check_many(gateway, _times(BUILDS)))
        peer = scene.peer_as(OpenPit)
        if peer is None:
            return alone(us, scene.pairs)
        engine = peer.engine()
        fields = (True, ours.QTY, 0)
        them = _timed(
            cpu,
            BUILDS,
            lambda: peer.build_and_check_many(engine, fields, ours.PRICE, _times(BUILDS)),
        )
        return against(us, them, scene.pairs)


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
        pairs = alternate(submit(plain), submit(logging), max(SUBMIT_PAIRS, scene.pairs))
    return Measured(ours=pairs.difference, ours_min=min(pairs.b) - min(pairs.a))


def accepted_after_kill(scene: Scene) -> Measured:
    """Orders accepted behind a kill's entry, over all trials."""
    killers = [kill.by_thread] * THREAD_TRIALS + [kill.by_process] * PROCESS_TRIALS
    return Measured(ours=sum(kill.trial(scene.desk, scene.new_log(), k) for k in killers))


def _timed(clock: Clock, count: int, work: Callable[[], None]) -> Job:
    def run() -> float:
        with quiet():
            start = clock()
            work()
            return (clock() - start) / count

    return run


def _times(count: int) -> Iterable[None]:
    """As the standard library's `timeit`: the cheapest loop that Python has."""
    return itertools.repeat(None, count)


def _rounded(value: float | None) -> float | None:
    """Six significant digits: more would be noise."""
    return None if value is None else float(f"{value:.6g}")


#: The benchmark of each goal, by its name.
BENCHES: dict[str, Callable[[Scene], Measured]] = {
    "check_prebuilt": check_prebuilt,
    "build_and_check": build_and_check,
    "log_cost_ns": log_cost_ns,
    "accepted_after_kill": accepted_after_kill,
    **FEEDS,
}

#: Keys of a row's JSON, in order.
KEYS = ("name", "area", "ours", "peer", "peer_value", "unit", "ratio", "goal", "met")
GENERATED = ", generated flow"

CHECKS = 20_000
BUILDS = 5_000
SUBMIT_PAIRS = 101
THREAD_TRIALS = 20
PROCESS_TRIALS = 5
