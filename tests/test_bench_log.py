"""The benchmarks of the log: their own logic, and no figure."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

import cwts
from cwts.bench import log as bench_log
from cwts.bench import peers
from cwts.bench.goals import load_goals
from cwts.bench.suite import BENCHES, Measured, Scene


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setitem(cwts.__dict__, "BUILD_PROFILE", "release")
    return Scene(tmp_path, None, is_quick=True)


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The Rust benchmark's lines, and with which words it was asked for them."""
    asked: list[tuple[str, ...]] = []

    def run(*words: str) -> tuple[dict[str, object], ...]:
        asked.append(words)
        given = {"ours": 100.0, "ours_min": 90.0, "peer_value": 50.0, "peer_min": 40.0}
        return tuple(
            given | {"name": name, "peer": "p", "unit": "ns", "ratio": 0.5, "entries": 7}
            for name in ("append", "verify", "durable")
        )

    monkeypatch.setattr(bench_log.cargo, "run", run)
    return asked


def test_the_bars_are_those_of_the_design() -> None:
    bars = {goal.name: (goal.sense, goal.goal) for goal in load_goals() if goal.area == "log"}
    assert bars == {
        "log_cost_ns": ("value <=", 50),
        "durable_ns": ("value <=", 500),
        "durable_half": ("ratio >=", 0.8),
        "durable_sqlite": ("ratio >=", 4),
        "acknowledge": ("ratio >=", 0.667),
        "append_ct_merkle": ("ratio >=", 4),
        "append_pymerkle": ("ratio >=", 25),
        "verify_hashes": ("ratio >=", 0.8),
        "watch_ms": ("value <=", 1),
        "cold_event": ("value <=", 15),
        "cold_parquet": ("ratio >=", 1.82),
        "restore_s": ("value <=", 300),
    }


def test_the_rust_benchmark_gets_a_log_that_verifies(
    scene: Scene, lines: list[tuple[str, ...]]
) -> None:
    found = BENCHES["verify_hashes"](scene)
    assert (found.ours, found.peer, found.ratio) == (100, 50, 0.5)
    assert found.detail == {"entries": 7}
    package, name, directory, quick = lines[0]
    assert (package, name, quick) == ("cwts-audit", "log", "--quick")
    verdict = cwts.audit.verify(Path(directory) / "live")
    assert verdict.ok
    assert verdict.clean
    assert verdict.counts["DECISION"] > 1_000
    assert BENCHES["durable_ns"](scene).ratio is None, "a value has no peer"


@pytest.mark.usefixtures("lines")
def test_peers_of_the_log_do_the_work_that_is_timed(scene: Scene) -> None:
    for name, peer in (("durable_sqlite", "sqlite3"), ("append_pymerkle", "pymerkle")):
        scene.peer = peers.find(peer)
        found = BENCHES[name](scene)
        assert found.peer is not None
        assert found.ratio == pytest.approx(found.peer / 100)
    assert not list(scene.scratch.glob("log-*-wal")), "what sqlite left is gone"


def test_a_tree_of_the_peer_has_the_root_of_ours(scene: Scene, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with cwts.AuditLog.open(log, keys=scene.keys) as written:
        for number in range(5):
            written.append(cwts.audit.Note(f"note {number}"))
    size = cwts._core.checkpoint(str(log))["size"]
    data, ends, _ = cwts._core.entries_raw(str(log), 0, size, 1 << 20)
    stops = memoryview(ends).cast("i").tolist()
    entries = [data[a:b] for a, b in itertools.pairwise(stops)]
    root = peers.find("pymerkle").append(entries)
    assert root.hex() == cwts.audit.verify(log).root


def test_every_look_of_a_watch_is_counted_from_the_disk(scene: Scene) -> None:
    found = BENCHES["watch_ms"](scene)
    assert found.ours is not None
    assert found.ours >= 0
    assert found.detail == {"orders": 20}


def test_cold_blocks_and_parquet_hold_the_same_entries(scene: Scene) -> None:
    scene.peer = peers.find("pyarrow")
    event, entry = BENCHES["cold_event"](scene), BENCHES["cold_parquet"](scene)
    assert event.detail is not None
    assert event.ours == pytest.approx(
        entry.ours * event.detail["entries"] / event.detail["events"]
    )
    assert entry.peer > entry.ours
    found: Measured = BENCHES["restore_s"](scene)
    assert found.ours is not None
    assert found.ours > 0
