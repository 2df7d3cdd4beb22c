"""The log: how fast entries are on disk, provable, checked, and how little of them is kept.

What Python would blur is measured in Rust (``rust/audit/benches/log``), in one run for all of it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import cwts
from cwts import _core, archives, audit
from cwts.bench import cargo, flow, ours
from cwts.bench.scene import Measured, Scene, against, alone, same
from cwts.bench.timing import Job, cpu, quiet, wall
from cwts.bench.trees import Parquet, Pymerkle

__all__ = ["LOG"]


def native(scene: Scene, name: str) -> dict[str, Any]:
    """A line of the Rust benchmark, over a log that a gateway has just written.

    Raises
    ------
    PeerMissing
        The benchmark cannot be built here.
    """
    directory = scene.scratch / "log-native"
    if not directory.exists():
        directory.mkdir()
        _live(scene, directory / "live", QUICK_ROUNDS if scene.is_quick else ROUNDS)
    quick = ("--quick",) if scene.is_quick else ()
    lines = cargo.run("cwts-audit", "log", str(directory), *quick)
    return next(line for line in lines if line["name"] == name)


def _live(scene: Scene, log: Path, rounds: int) -> None:
    """A closed log of orders, their decisions and cancels, as a gateway makes it."""
    orders = scene.desk.orders()
    with scene.desk.gateway(str(log)) as gateway:
        for _ in range(rounds):
            ours.cancel_all(gateway, ours.submit_all(gateway, orders))


def _of(line: dict[str, Any]) -> Measured:
    known = {"name", "peer", "unit", "ours", "ours_min", "peer_value", "peer_min", "ratio"}
    return Measured(
        ours=line["ours"],
        ours_min=line["ours_min"],
        peer=line["peer_value"],
        peer_min=line["peer_min"],
        ratio=line["ratio"],
        detail={key: value for key, value in line.items() if key not in known},
    )


def _beside(line: dict[str, Any], them: Job, pairs: int) -> Measured:
    """Ours as it was measured in Rust, and a peer in Python in the same run."""
    found = alone(them, pairs)
    theirs = found.ours or 0.0
    ratio = theirs / line["ours"]
    return Measured(line["ours"], line["ours_min"], theirs, found.ours_min, ratio)


def durable_ns(scene: Scene) -> Measured:
    """Entries until they are on disk, with tiles and bundles, 4,096 a frame."""
    line = native(scene, "durable")
    return Measured(line["ours"], line["ours_min"], detail=_of(line).detail)


def durable_half(scene: Scene) -> Measured:
    """The same, against hashing alone or the disk alone, whichever is slower."""
    return _of(native(scene, "durable"))


def durable_sqlite(scene: Scene) -> Measured:
    """The same, against rows in sqlite: its log synced at each transaction of 5,000."""
    line = native(scene, "durable")
    if scene.peer is None:
        return Measured(line["ours"], line["ours_min"])
    entries = 2 * SQLITE_ROWS if scene.is_quick else SQLITE_ENTRIES
    rows = [(index, bytes(ENTRY_BYTES)) for index in range(SQLITE_ROWS)]

    def them() -> float:
        path = scene.scratch / scene.new_log()
        with sqlite3.connect(path, isolation_level=None) as base:
            base.execute("pragma journal_mode = wal")
            base.execute("pragma synchronous = full")
            base.execute("create table entries (at integer, entry blob)")
            start = wall()
            for _ in range(entries // SQLITE_ROWS):
                base.execute("begin")
                base.executemany("insert into entries values (?, ?)", rows)
                base.execute("commit")
            elapsed = wall() - start
        base.close()
        for file in scene.scratch.glob(f"{path.name}*"):
            file.unlink()
        return elapsed / entries

    return _beside(line, them, scene.pairs)


def acknowledge(scene: Scene) -> Measured:
    """A note from the call until it is on disk, against one write and its fdatasync."""
    waits = 20 if scene.is_quick else 200
    file = os.open(scene.scratch / "one-file", os.O_RDWR | os.O_CREAT, 0o600)
    os.pwrite(file, bytes(waits * SECTOR), 0)
    os.fdatasync(file)
    log = cwts.AuditLog.open(scene.scratch / scene.new_log(), keys=scene.keys)

    def median_us(each: Any) -> float:
        times = []
        for number in range(waits):
            start = wall()
            each(number)
            times.append(wall() - start)
        return sorted(times)[waits // 2] / 1e3

    def them(number: int) -> None:
        os.pwrite(file, b"\1" * SECTOR, number * SECTOR)
        os.fdatasync(file)

    try:
        note = audit.Note("a note")
        us: Job = lambda: median_us(lambda _number: log.append(note))  # noqa: E731
        if scene.peer is None:
            return alone(us, scene.pairs)
        return against(us, lambda: median_us(them), scene.pairs)
    finally:
        log.close()
        os.close(file)


def append_ct_merkle(scene: Scene) -> Measured:
    """A leaf and its place in the tree, in Rust."""
    return _of(native(scene, "append"))


def append_pymerkle(scene: Scene) -> Measured:
    """The same beside a tree in Python; ours is the time of the Rust benchmark."""
    line = native(scene, "append")
    peer = scene.peer_as(Pymerkle)
    if peer is None:
        return Measured(line["ours"], line["ours_min"])
    count = 1_000 if scene.is_quick else 20_000
    entries = [index.to_bytes(8, "little") + bytes(ENTRY_BYTES - 8) for index in range(count)]

    def them() -> float:
        with quiet():
            start = cpu()
            peer.append(entries)
            return (cpu() - start) / count

    return _beside(line, them, scene.pairs)


def verify_hashes(scene: Scene) -> Measured:
    """Every byte of a gateway's log checked, against hashing its entries and a node for each."""
    return _of(native(scene, "verify"))


def watch_ms(scene: Scene) -> Measured:
    """From an order's being on disk to the verdict of who watches, 99 of 100.

    The verdict on a false entry comes from the same look as that on a true one. One that comes
    before the writer itself is told counts as 0.
    """
    count = 20 if scene.is_quick else 1_000
    seen: list[tuple[int, int]] = []
    log = scene.scratch / scene.new_log()
    with scene.desk.gateway(log.name) as gateway:
        gateway.flush()
        end = threading.Event()

        def watch() -> None:
            for look in audit.watch(log):
                same("findings", look.findings, expected=[])
                seen.append((look.size, look.mono_ns))
                if end.is_set():
                    return

        watcher = threading.Thread(target=watch)
        watcher.start()
        order = scene.desk.orders()[0]
        written = []
        for _ in range(count):
            decision = gateway.submit(order)
            gateway.flush()
            written.append((decision.seq + 1, time.monotonic_ns()))
            gateway.cancel(decision.order_id)
            time.sleep(0.001)
        while seen[-1][0] < written[-1][0]:
            time.sleep(0.001)
        end.set()
        watcher.join()
    late = [
        max(0, next(at for size, at in seen if size >= wanted) - told) / 1e6
        for wanted, told in written
    ]
    late.sort()
    return Measured(late[-(-count * 99 // 100) - 1], late[0], detail={"orders": count})


def _cold(scene: Scene) -> tuple[Path, dict[str, Any], int]:
    """A generated day's log, what its cold blocks are, and how many orders it has."""
    log, cold = scene.scratch / "cold-log", scene.scratch / "cold"
    day = scene.scratch / "cold.csv"
    if not log.exists():
        events = 20_000 if scene.is_quick else COLD_EVENTS
        _core.generate(str(day), "csv", profile=flow.PROFILE, events=events, seed=flow.SEED)
        ours.replay(day, log, scene.keys)
        day.unlink()
    if cold.exists():
        shutil.rmtree(cold)
    made = archives.archive(log, cold)
    return log, made, int(_core.verify(str(log), [], "full")["counts"]["DECISION"])


def cold_event(scene: Scene) -> Measured:
    """Bytes of cold blocks for an order with its decision; what else happened is shared out."""
    _log, made, decisions = _cold(scene)
    size = made["bytes"] / decisions
    detail = {"entries": made["entries"], "events": decisions}
    return Measured(size, size, is_generated=True, detail=detail)


def cold_parquet(scene: Scene) -> Measured:
    """Bytes of cold blocks for an entry, against Parquet of the same entries."""
    log, made, _ = _cold(scene)
    size = made["bytes"] / made["entries"]
    peer = scene.peer_as(Parquet)
    if peer is None:
        return Measured(size, size, is_generated=True)
    folder = scene.scratch / scene.new_log()
    folder.mkdir()
    theirs = peer.write(log, folder) / made["entries"]
    shutil.rmtree(folder)
    return Measured(size, size, theirs, theirs, theirs / size, is_generated=True)


def restore_s(scene: Scene) -> Measured:
    """From cold blocks to a log that verifies, at the pace of a generated day."""
    log, _, _ = _cold(scene)
    key = (log / "log.vkey").read_text(encoding="utf-8").strip()
    drills = [archives.drill(scene.scratch / "cold", [key]) for _ in range(3)]
    same("drills that verify", [drill.verdict.ok for drill in drills], expected=[True] * 3)
    days = sorted(drill.day_s for drill in drills)
    return Measured(days[1], days[0], is_generated=True)


LOG = {
    "durable_ns": durable_ns,
    "durable_half": durable_half,
    "durable_sqlite": durable_sqlite,
    "acknowledge": acknowledge,
    "append_ct_merkle": append_ct_merkle,
    "append_pymerkle": append_pymerkle,
    "verify_hashes": verify_hashes,
    "watch_ms": watch_ms,
    "cold_event": cold_event,
    "cold_parquet": cold_parquet,
    "restore_s": restore_s,
}

#: Of each order of the desk, in the log that is verified: 100,000 entries.
ROUNDS = 25
QUICK_ROUNDS = 1
ENTRY_BYTES = 118
#: The rows of a transaction that suit sqlite best here, and of a run.
SQLITE_ROWS = 5_000
SQLITE_ENTRIES = 500_000
SECTOR = 512
COLD_EVENTS = 1_000_000
