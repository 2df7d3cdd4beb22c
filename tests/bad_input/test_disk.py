"""A disk without room: the log stops for good, nothing is released, the prefix stands."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import wal
from cwts import _core
from desk import Desk

#: Far less than the 4 MiB that a segment is zeroed ahead by.
ROOM_BYTES = 6 << 20


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Desk]:
    """A desk on a disk of a few megabytes."""
    root = tmp_path / "small"
    root.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={ROOM_BYTES}", "tmpfs", str(root)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs here: {mounted.stderr.decode().strip()}")
    try:
        yield Desk(root)
    finally:
        subprocess.run(["umount", "-l", str(root)], check=True)


def assert_stopped(desk: Desk, said: dict[str, object]) -> None:
    """After the first error every call says the same, and what the log has verifies."""
    assert said["code"] == "LOG_FAILED"
    assert said["again"] == ["LOG_FAILED"] * 5
    found = wal.entries(desk.log)
    released = wal.released(found)
    accepted = said["accepted"]
    assert isinstance(accepted, int)
    assert 0 < len(released) <= accepted
    wal.assert_gapless(found)
    desk.verified(clean=False)


def test_a_file_that_cannot_grow_stops_the_gateway(desk: Desk) -> None:
    with desk.running("fill_the_disk", str(1 << 20)) as child:
        said = child.says()
        assert child.told() == []
        assert child.process.wait() == 0
    assert "File too large" in str(said["why"])
    assert_stopped(desk, said)
    # With room again the log goes on behind what was durable.
    gateway = desk.open(None)
    gateway.close()
    desk.verified()


def test_a_full_disk_stops_the_gateway(small: Desk) -> None:
    with small.running("fill_the_disk", "0") as child:
        said = child.says()
        child.told()
    assert "No space left" in str(said["why"])
    assert_stopped(small, said)


def test_a_full_disk_at_the_start_makes_no_gateway(small: Desk) -> None:
    small.root.joinpath("ballast").write_bytes(bytes(ROOM_BYTES - (256 << 10)))
    with pytest.raises(_core.CwtsError, match="No space left"):
        small.open()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a mount")
def test_a_read_only_directory_is_refused(small: Desk) -> None:
    small.open().close()
    subprocess.run(["mount", "-o", "remount,ro", str(small.root)], check=True)
    before = _core.verify(str(small.log), [], "full")
    assert before["ok"]
    with pytest.raises(_core.CwtsError, match="Read-only"):
        small.open()
    assert _core.status(str(small.log))["closed"] is True
    with pytest.raises(_core.CwtsError, match="Read-only"):
        _core.request_halt(str(small.log), "firm", reason="", actor="ana")


@pytest.mark.parametrize("files", [1, 2])
def test_a_full_disk_ends_a_replay_with_what_was_durable(
    small: Desk, tmp_path: Path, files: int
) -> None:
    """The log of a replay is evidence: half of one must not pass for a whole one."""
    path = tmp_path / "flow.csv"
    _core.generate(str(path), "csv", profile="equity-liquid", events=100_000, seed=1)
    done = small.cli("replay", *[str(path)] * files, "--log", str(small.root / "run"), code=1)
    assert "No space left" in done.stderr
    assert "[LOG_FAILED]" in done.stderr
    assert "Traceback" not in done.stderr
    first = small.root / "run" / "0001" if files > 1 else small.root / "run"
    verdict = _core.verify(str(first), [], "full")
    assert (verdict["ok"], verdict["clean"]) == (True, False)
    assert verdict["size"] > 1_000
