"""The benchmarks of what a user has: files in, decisions or columns out.

Each holds both sides to the same work, by the number of records or of accepted orders, before it
says how long they took.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import cwts
from cwts import _core
from cwts.bench import memory, ours
from cwts.bench.decoders import Databento, Itchfeed, Polars
from cwts.bench.flow import DBN_PATH, ITCH_PATH, Flow, many_days, unpacked
from cwts.bench.openpit import OpenPit
from cwts.bench.rings import Queues
from cwts.bench.scene import Measured, Scene, against, alone, same
from cwts.bench.timing import PAIRS_MIN, Job, cpu_of_all, quiet, wall

__all__ = ["FEEDS"]


def replay_no_log(scene: Scene) -> Measured:
    """The day folded without a log; the peer gets its rows parsed beforehand."""
    return _replay(scene, has_log=False, peer_parses=False)


def replay_no_log_parsing(scene: Scene) -> Measured:
    """The same; the peer reads the file too."""
    return _replay(scene, has_log=False, peer_parses=True)


def replay_durable(scene: Scene) -> Measured:
    """The day with every decision on disk; the peer, without a log, gets parsed rows."""
    return _replay(scene, has_log=True, peer_parses=False)


def replay_durable_parsing(scene: Scene) -> Measured:
    """The same; the peer reads the file too."""
    return _replay(scene, has_log=True, peer_parses=True)


def _replay(scene: Scene, *, has_log: bool, peer_parses: bool) -> Measured:
    flow = scene.flow
    us = _replayed(scene, flow, has_log=has_log)
    peer = scene.peer_as(OpenPit)
    if peer is None or (peer_parses and flow.is_generated):
        # The peer's reader takes LOBSTER's columns.
        return alone(us, scene.pairs, is_generated=flow.is_generated)
    # The peer stays on one thread and waits for nobody: both clocks agree on it.
    clock = wall if has_log else cpu_of_all

    def them() -> float:
        engine = peer.engine()
        with quiet():
            start = clock()
            if peer_parses:
                accepted = peer.replay_file(engine, flow.path)
            else:
                accepted = peer.replay(engine, flow.orders)
            elapsed = clock() - start
        same("orders that the peer accepts", accepted, expected=flow.within)
        return elapsed / len(flow.orders)

    return against(us, them, scene.pairs, is_generated=flow.is_generated)


def _replayed(scene: Scene, flow: Flow, *, has_log: bool) -> Job:
    """Our replay of the day, in ns an order."""
    clock = wall if has_log else cpu_of_all
    count, within = len(flow.orders), flow.within
    if flow.within_expected is not None:
        same("orders within the peer's limits", within, expected=flow.within_expected)

    def job() -> float:
        log = scene.scratch / scene.new_log() if has_log else None
        with quiet():
            start = clock()
            result = ours.replay(flow.path, log, scene.keys)
            elapsed = clock() - start
        same("orders replayed", result.json["orders"], expected=count)
        same("orders within size limits", within_size_limits(result.json), expected=within)
        head = result.json["log"]
        same("durable", bool(head and head["durable"]), expected=has_log)
        if log is not None:
            shutil.rmtree(log)
        return elapsed / count

    return job


def within_size_limits(result: Mapping[str, Any]) -> int:
    """Orders of our replay that violated neither size limit: the peer's notion of accepted."""
    size = {"MAX_ORDER_QTY", "MAX_ORDER_NOTIONAL"}
    masks: dict[str, int] = result["by_mask"]
    return sum(n for mask, n in masks.items() if not size & set(mask.split("|")))


def durable_over_log(scene: Scene) -> Measured:
    """The day's durable replay, against the log alone with the same entries in hand."""
    flow = scene.flow
    us = _replayed(scene, flow, has_log=True)
    if scene.peer is None:
        return alone(us, scene.pairs, is_generated=flow.is_generated)
    source = scene.scratch / scene.new_log()
    head = ours.replay(flow.path, source, scene.keys).json["log"]

    def them() -> float:
        copy = scene.scratch / scene.new_log()
        with quiet():
            found = _core.append_again(os.fspath(source), os.fspath(copy), os.fspath(scene.keys))
        same("entries of the copy", found["entries"], expected=head["entries"])
        same("root of the copy", found["root"], expected=head["root"])
        shutil.rmtree(copy)
        return float(found["ns"]) / len(flow.orders)

    return against(us, them, scene.pairs, is_generated=flow.is_generated)


def dbn_decisions(scene: Scene) -> Measured:
    """A packed DBN file to decisions, against the peer's decoding of it to an array."""
    path = scene.sample(DBN_PATH)
    peer = scene.peer_as(Databento)
    records: int = 0

    def us() -> float:
        nonlocal records
        with quiet():
            start = wall()
            result = ours.replay(path, None, scene.keys)
            elapsed = wall() - start
        records = int(result.json["inputs"][0]["records"])
        return elapsed / records

    if peer is None:
        return alone(us, scene.pairs)

    def them() -> float:
        with quiet():
            start = wall()
            array = peer.decode(path)
            elapsed = wall() - start
        same("records of the peer", len(array), expected=records)
        return elapsed / records

    return against(us, them, scene.pairs)


def itch_columns(scene: Scene) -> Measured:
    """ITCH messages to columns, against the peer's message objects."""
    path = unpacked(scene.sample(ITCH_PATH), scene.scratch)
    data = path.read_bytes()
    peer = scene.peer_as(Itchfeed)
    messages: int = 0

    def us() -> float:
        nonlocal messages
        with quiet():
            start = wall()
            found = cwts.datasets.read(data)
            found.__arrow_c_stream__()
            elapsed = wall() - start
        messages = int(found.facts["records"])
        return elapsed / messages

    if peer is None:
        return alone(us, scene.pairs)

    def them() -> float:
        with quiet():
            start = wall()
            count = peer.decode(data)
            elapsed = wall() - start
        same("messages of the peer", count, expected=messages)
        return elapsed / count

    return against(us, them, PAIRS_MIN)


def lobster_columns(scene: Scene) -> Measured:
    """Unpacked LOBSTER text in memory to Arrow: exact integers here, floats there."""
    flow = scene.flow
    if flow.is_generated:
        raise scene.missing("the public day is absent, and generated flow is no LOBSTER text")
    data = flow.path.read_bytes()
    peer = scene.peer_as(Polars)
    found: Any = None

    def us() -> float:
        nonlocal found
        with quiet():
            start = wall()
            found = cwts.datasets.read(data)
            found.__arrow_c_stream__()
            elapsed = wall() - start
        return elapsed / len(found)

    # Short runs, so many of them.
    pairs = max(COLUMN_PAIRS, scene.pairs)
    if peer is None:
        return alone(us, pairs)

    def them() -> float:
        with quiet():
            start = wall()
            frame = peer.decode(data)
            elapsed = wall() - start
        same("rows of the peer", frame.height, expected=len(found))
        return elapsed / int(frame.height)

    measured = against(us, them, pairs)
    _same_columns(found, peer.decode(data), data)
    return measured


def _same_columns(events: Any, theirs: Any, text: bytes) -> None:
    """Our columns hold what the text says, and what the peer read of it, to the last digit."""
    import polars as pl

    mine = pl.DataFrame(events)
    times = [line.split(b",", 1)[0].decode() for line in text.split()[1:]]
    exact = [int(Fraction(time) * 10**9) for time in times]
    same("times to the nanosecond", mine["ts"].to_list(), expected=exact)
    for name, column, scale in (("qty", "Size", 1), ("price", "Price", 100_000)):
        expected = [value * scale for value in theirs[column].to_list()]
        same(name, mine[name].to_list(), expected=expected)


def two_workers(scene: Scene) -> Measured:
    """Eight copies of a generated day over two workers, against one worker."""
    days = many_days(scene.scratch, WORKER_DAYS, WORKER_EVENTS)
    orders: int = 0
    decided: list[str] = []

    def with_workers(count: int) -> Job:
        def job() -> float:
            nonlocal orders, decided
            with quiet():
                start = wall()
                result = ours.replay_files(days, count)
                elapsed = wall() - start
            sha256 = [one["decisions_sha256"] for one in result.json["files"]]
            same("files", len(sha256), expected=len(days))
            same("decisions of each file", sha256, expected=decided or sha256)
            decided, orders = sha256, int(result.json["orders"])
            return elapsed / orders

        return job

    if scene.peer is None:
        return replace(alone(with_workers(2), scene.pairs), is_generated=True)
    return replace(against(with_workers(2), with_workers(1), PAIRS_MIN), is_generated=True)


def memory_growth(_scene: Scene) -> Measured:
    """What a hundred times the orders add to the resident memory, in MB."""
    growth = [memory.growth_mb(few=MEMORY_FEW, many=MEMORY_MANY) for _ in range(MEMORY_RUNS)]
    return Measured(ours=max(growth), ours_min=min(growth), is_generated=True)


def _queue(queue: str, theirs: str) -> Callable[[Scene], Measured]:
    def measured(scene: Scene) -> Measured:
        peer = scene.peer_as(Queues)
        if peer is None:
            raise scene.missing("our queues are measured beside the peer's, in one process")
        ours_ns, peer_ns, ratio = peer.against(queue, theirs)
        return Measured(ours_ns, ours_ns, peer_ns, peer_ns, ratio)

    measured.__doc__ = f"The Rust benchmark's {queue} against {theirs}, in ns a record."
    return measured


#: The benchmark of each goal, by its name.
FEEDS: dict[str, Callable[[Scene], Measured]] = {
    "replay_no_log": replay_no_log,
    "replay_no_log_parsing": replay_no_log_parsing,
    "replay_durable": replay_durable,
    "replay_durable_parsing": replay_durable_parsing,
    "durable_over_log": durable_over_log,
    "dbn_decisions": dbn_decisions,
    "itch_columns": itch_columns,
    "lobster_columns": lobster_columns,
    "two_workers": two_workers,
    "memory_growth": memory_growth,
    "spsc_rtrb": _queue("ring_spsc", "rtrb"),
    "spsc_array_queue": _queue("ring_spsc", "crossbeam ArrayQueue"),
    "mpsc_array_queue": _queue("ring_mpsc_2", "crossbeam ArrayQueue"),
}

COLUMN_PAIRS = 51
#: Long enough that starting a process is little beside it.
WORKER_DAYS = 8
WORKER_EVENTS = 2_000_000
MEMORY_FEW = 1_000_000
MEMORY_MANY = 100_000_000
MEMORY_RUNS = 1
