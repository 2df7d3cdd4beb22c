"""Somebody kept a checkpoint elsewhere: a log that was cut or rewritten since is found by it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cli_run import cli, invoke
from cwts import audit
from desk import Desk, buy


@pytest.fixture
def kept(desk: Desk, tmp_path: Path) -> tuple[Desk, Path, Path]:
    """A desk, its closed log of one day put aside, and the checkpoint of the second day."""
    gateway = desk.open()
    gateway.submit(buy(10))
    gateway.close()
    first = tmp_path / "first-day"
    shutil.copytree(desk.log, first)
    gateway = desk.open(None)
    gateway.submit(buy(20))
    gateway.close()
    checkpoint = tmp_path / "kept"
    checkpoint.write_bytes((desk.log / "checkpoint").read_bytes())
    return desk, first, checkpoint


def test_a_log_that_goes_on_is_right_and_one_that_was_set_back_is_not(
    kept: tuple[Desk, Path, Path],
) -> None:
    desk, first, checkpoint = kept
    key = desk.log / "log.vkey"
    assert invoke("log", "verify", desk.log, "--vkey", key, "--since", checkpoint).exit_code == 0
    gateway = desk.open(None)
    gateway.submit(buy(30))
    gateway.close()
    done = invoke("log", "verify", desk.log, "--vkey", key, "--since", checkpoint, "--json")
    assert json.loads(done.stdout)["ok"]
    # The copy of the first day is a whole log in itself: only the checkpoint tells.
    assert invoke("log", "verify", first, "--vkey", key).exit_code == 0
    done = invoke("log", "verify", first, "--vkey", key, "--since", checkpoint)
    assert done.exit_code == 1
    assert "ROLLBACK in `checkpoint`: the log has " in done.stdout
    done = invoke("log", "consistency", first, checkpoint, "--vkey", key)
    assert done.exit_code == 1
    assert "were signed before" in done.stdout


def test_a_log_that_was_written_again_is_told(kept: tuple[Desk, Path, Path]) -> None:
    desk, first, checkpoint = kept
    # Whoever has the keys goes on from the first day with another second day, and longer.
    shutil.rmtree(desk.log)
    shutil.copytree(first, desk.log)
    gateway = desk.open(None)
    for qty in range(50, 60):
        gateway.submit(buy(qty))
    gateway.close()
    key = (desk.log / "log.vkey").read_text().strip()
    assert audit.verify(desk.log, [key]).ok
    verdict = audit.verify(desk.log, [key], since=checkpoint.read_bytes())
    assert [finding["kind"] for finding in verdict.findings] == ["INCONSISTENT"]


def test_what_is_no_checkpoint_of_it_is_refused(
    kept: tuple[Desk, Path, Path], tmp_path: Path
) -> None:
    desk, _, checkpoint = kept
    text = checkpoint.read_bytes()
    for bad in (b"", text[:-3], text.replace(b"\n", b"\r\n"), b"x" * 70_000):
        checkpoint.write_bytes(bad)
        done = cli("log", "verify", desk.log, "--since", checkpoint)
        assert done.returncode == 2, bad[:40]
    checkpoint.write_bytes(text)
    receipt = tmp_path / "r.tlog-proof"
    assert invoke("log", "receipt", desk.log, 3, "-o", receipt).exit_code == 0
    key = desk.log / "log.vkey"
    done = cli("log", "verify", receipt, "--vkey", key, "--since", checkpoint)
    assert done.returncode == 2
    assert "this is none" in done.stderr
