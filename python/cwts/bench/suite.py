"""The benchmarks behind the goals, and the rows that come of them.

Every benchmark is one entry of `BENCHES`, under its goal's name; a test holds the two together.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cwts.bench import kill, openpit, ours
from cwts.bench.flow import Flow, flow_of_the_day
from cwts.bench.goals import Goal
from cwts.bench.openpit import OpenPit, PeerMissing
from cwts.bench.timing import PAIRS, PAIRS_MIN, Clock, Job, alternate, cpu, cpu_of_all, quiet, wall

__all__ = ["BENCHES", "KEYS", "Measured", "Row", "Scene", "WorkDiffersError", "measure", "rows"]

Note = Callable[[str], None]


class WorkDiffersError(RuntimeError):
    """The two sides did not do the same work: their times must not be compared."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a benchmark found; `peer` and `ratio` are None where no peer ran.

    `ours` and `peer` are medians, `ours_min` and `peer_min` the best runs.
    """

    ours: float
    ours_min: float | None = None
    peer: float | None = None
    peer_min: float | None = None
    ratio: float | None = None
    is_generated: bool = False


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


class Scene:
    """What the benchmarks of one run share: a directory, the peer, the flow.

    Parameters
    ----------
    scratch : Path
        An empty directory; logs are written and synced here.
    peer : OpenPit or None
        The peer, if it is to be measured.
    pairs : int
        How often each side runs.
    """

    def __init__(self, scratch: Path, peer: OpenPit | None, pairs: int = PAIRS) -> None:
        self.scratch = scratch
        self.peer = peer
        self.pairs = pairs
        self.desk = ours.Desk(scratch)
        self._numbers = itertools.count()

    @cached_property
    def flow(self) -> Flow:
        """The flow of the replays, parsed at its first use."""
        return flow_of_the_day(self.scratch)

    def new_log(self) -> str:
        """A name in `scratch` that nobody has used."""
        return f"log-{next(self._numbers)}"


def rows(
    goals: Iterable[Goal], peers: bool, note: Note, scratch: str | None = None
) -> Iterator[Row]:
    """Measures the goals one after the other.

    Parameters
    ----------
    goals : iterable of Goal
        What to measure.
    peers : bool
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
        missing = None if peers else "peers are measured only with --peers"
        peer: OpenPit | None = None
        if peers:
            try:
                peer = openpit.find()
            except PeerMissing as error:
                missing = str(error)
        scene = Scene(Path(directory), peer)
        for goal in goals:
            if goal.peer is not None and missing is not None:
                note(f"{goal.name}: no ratio: {missing}")
            yield Row(goal, peer.name if peer and goal.peer else goal.peer, measure(goal, scene))


def measure(goal: Goal, scene: Scene) -> Measured:
    """Runs the benchmark of a goal."""
    return BENCHES[goal.name](scene)


def check_prebuilt(scene: Scene) -> Measured:
    """One built order through every control, against execute and roll back."""
    with scene.desk.gateway() as gateway:
        orders = scene.desk.orders()
        ours.submit_all(gateway, orders)  # a desk at work: a working order in every holding
        order = orders[0]
        _same("check_prebuilt", gateway.check(order).accepted, expected=True)
        us = _timed(cpu, CHECKS, lambda: ours.check_many(gateway, order, _times(CHECKS)))
        peer = scene.peer
        if peer is None:
            return _alone(us, scene.pairs)
        engine, theirs = peer.engine(), peer.order(True, ours.QTY, ours.PRICE)
        _same("check_prebuilt", peer.accepts(engine, theirs), expected=True)
        them = _timed(cpu, CHECKS, lambda: peer.check_many(engine, theirs, _times(CHECKS)))
        return _against(us, them, scene.pairs)


def build_and_check(scene: Scene) -> Measured:
    """The same from plain values: the price is text on both sides."""
    with scene.desk.gateway() as gateway:
        ours.submit_all(gateway, scene.desk.orders())
        us = _timed(cpu, BUILDS, lambda: ours.build_and_check_many(gateway, _times(BUILDS)))
        peer = scene.peer
        if peer is None:
            return _alone(us, scene.pairs)
        engine = peer.engine()
        fields = (True, ours.QTY, 0)
        them = _timed(
            cpu,
            BUILDS,
            lambda: peer.build_and_check_many(engine, fields, ours.PRICE, _times(BUILDS)),
        )
        return _against(us, them, scene.pairs)


def replay_durable(scene: Scene) -> Measured:
    """The day from file to report, every decision on disk, against the peer's loop."""
    return _replay(scene, has_log=True)


def replay_no_log(scene: Scene) -> Measured:
    """The day folded without a log, against the peer's loop."""
    return _replay(scene, has_log=False)


def _replay(scene: Scene, *, has_log: bool) -> Measured:
    flow, peer = scene.flow, scene.peer
    # The peer stays on one thread and waits for nobody: both clocks agree on it.
    clock = wall if has_log else cpu_of_all
    count = len(flow.orders)
    within = flow.within
    if flow.within_expected is not None:
        _same("orders within the peer's limits", within, expected=flow.within_expected)

    def us() -> float:
        log = scene.scratch / scene.new_log() if has_log else None
        with quiet():
            start = clock()
            result = ours.replay(flow, log, scene.scratch / "keys")
            elapsed = clock() - start
        _same("orders replayed", result.json["orders"], expected=count)
        _same("orders within size limits", _within(result.json), expected=within)
        _same(
            "durable", bool(result.json["log"] and result.json["log"]["durable"]), expected=has_log
        )
        return elapsed / count

    if peer is None:
        return _alone(us, scene.pairs, is_generated=flow.is_generated)

    def them() -> float:
        engine = peer.engine()
        with quiet():
            start = clock()
            accepted = peer.replay(engine, flow.orders)
            elapsed = clock() - start
        _same("orders that the peer accepts", accepted, expected=within)
        return elapsed / count

    return _against(us, them, scene.pairs, is_generated=flow.is_generated)


def _within(result: Mapping[str, Any]) -> int:
    """Orders of our replay that violated neither size limit: the peer's notion of accepted."""
    size = {"MAX_ORDER_QTY", "MAX_ORDER_NOTIONAL"}
    masks: dict[str, int] = result["by_mask"]
    return sum(n for mask, n in masks.items() if not size & set(mask.split("|")))


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
                _same("orders accepted", sum(d.accepted for d in decisions), expected=len(orders))
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


def _alone(us: Job, pairs: int, *, is_generated: bool = False) -> Measured:
    us()
    times = [us() for _ in range(max(pairs, PAIRS_MIN))]
    return Measured(statistics.median(times), min(times), is_generated=is_generated)


def _against(us: Job, them: Job, pairs: int, *, is_generated: bool = False) -> Measured:
    found = alternate(us, them, pairs)
    return Measured(
        ours=statistics.median(found.a),
        ours_min=min(found.a),
        peer=statistics.median(found.b),
        peer_min=min(found.b),
        ratio=found.ratio,
        is_generated=is_generated,
    )


def _same(what: str, value: object, *, expected: object) -> None:
    if value != expected:
        raise WorkDiffersError(f"{what}: {value}, expected {expected}")


def _rounded(value: float | None) -> float | None:
    """Six significant digits: more would be noise."""
    return None if value is None else float(f"{value:.6g}")


#: The benchmark of each goal, by its name.
BENCHES: dict[str, Callable[[Scene], Measured]] = {
    "check_prebuilt": check_prebuilt,
    "build_and_check": build_and_check,
    "replay_durable": replay_durable,
    "replay_no_log": replay_no_log,
    "log_cost_ns": log_cost_ns,
    "accepted_after_kill": accepted_after_kill,
}

#: Keys of a row's JSON, in order.
KEYS = ("name", "area", "ours", "peer", "peer_value", "unit", "ratio", "goal", "met")
GENERATED = ", generated flow"

CHECKS = 20_000
BUILDS = 5_000
SUBMIT_PAIRS = 101
THREAD_TRIALS = 20
PROCESS_TRIALS = 5
