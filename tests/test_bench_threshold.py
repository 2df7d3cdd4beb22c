"""The benchmarks of threshold signatures: their own logic, and no figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cwts.bench import threshold as bench_threshold
from cwts.bench.goals import load_goals
from cwts.bench.peers import PeerMissing
from cwts.bench.scene import Scene, WorkDiffersError
from cwts.bench.suite import BENCHES


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path, None, is_quick=True)


def test_the_bars_are_those_of_the_design() -> None:
    goals = [goal for goal in load_goals() if goal.area == "threshold"]
    assert {goal.name: (goal.peer, goal.sense, goal.goal) for goal in goals} == {
        "recover": ("commonware", "ratio >=", 2.3),
        "recover_small": ("commonware", "ratio >=", 5),
        "certificate": ("own verify", "ratio >=", 0.77),
        "certificate_large": ("own verify each", "ratio >=", 15),
        "verify_batch": ("own loop", "ratio >=", 5),
        "verify_batch_blspy": ("blspy", "ratio >=", 7),
        "sign_blspy": ("blspy", "ratio >=", 2),
        "sigma_us": (None, "value <=", 500),
        "range_ms": (None, "value <=", 50),
        "ceremony_cpu": ("commonware", "ratio >=", 2),
        "refresh_s": (None, "value <=", 5),
    }


def test_each_goal_takes_its_own_line(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    rust = [
        ("recover", "commonware"),
        ("recover_small", "commonware"),
        ("certificate_7_of_10", "own verify"),
        ("certificate_7_of_10", "own verify each"),
        ("certificate_67_of_100", "own verify"),
        ("certificate_67_of_100", "own verify each"),
        ("verify_batch", "own loop"),
    ]
    lines = tuple(
        {"name": name, "peer": peer, "ours": float(at), "ours_min": 1.0}
        | {"peer_value": 2.0, "peer_min": 1.0, "ratio": 3.0}
        for at, (name, peer) in enumerate(rust)
    )
    asked: list[tuple[str, ...]] = []

    def run(*words: str) -> tuple[dict[str, Any], ...]:
        asked.append(words)
        return lines

    monkeypatch.setattr(bench_threshold.cargo, "run", run)
    monkeypatch.setattr(bench_threshold.cargo, "run_apart", run)
    with pytest.raises(PeerMissing, match="--peers"):
        BENCHES["recover"](scene)
    scene.peer = object()
    names = ("recover", "recover_small", "certificate", "certificate_large", "verify_batch")
    assert [BENCHES[name](scene).ours for name in names] == [0, 1, 2, 5, 6]
    apart = ("benches/threshold", "--quick")
    assert asked == [apart, apart, *[("cwts-threshold", "threshold", "--quick")] * 3]


class Peer:
    """A library that signs and verifies as it is told."""

    def __init__(self, is_right: bool) -> None:
        self.is_right = is_right

    def sign(self, message: bytes) -> bytes:
        return message

    def verify(self, message: bytes, signature: bytes) -> bool:
        return self.is_right and message == signature


def test_both_sides_do_the_work_that_is_timed(scene: Scene) -> None:
    assert BENCHES["verify_batch_blspy"](scene).ratio is None
    scene.peer = Peer(is_right=True)
    for name in ("verify_batch_blspy", "sign_blspy"):
        found = BENCHES[name](scene)
        assert found.ours is not None
        assert found.ours > 0
        assert found.ratio is not None
    scene.peer = Peer(is_right=False)
    with pytest.raises(WorkDiffersError, match="signatures that hold"):
        BENCHES["verify_batch_blspy"](scene)
