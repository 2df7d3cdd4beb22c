"""The newest checkpoint is also on another disk: copies and old states of a log are found by it."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

import cwts
from cli_run import invoke
from cwts import _core, audit, errors
from desk import PATIENCE_S, Desk, buy


def opened(desk: Desk, anchor: Path | None, log: Path | None = None) -> _core.Gateway:
    """A gateway on the desk's log or on a copy of it."""
    text = None if (log or desk.log).exists() else desk.text.encode()
    where = str(log or desk.log)
    kept = None if anchor is None else str(anchor)
    gateway = _core.Gateway(text, "limits.toml", where, keys=str(desk.keys), anchor=kept)
    gateway.set_reference("ACME", 100 * 10**9)
    return gateway


def size_of(note: Path) -> int:
    return int(note.read_text().splitlines()[1])


def until_anchored(gateway: _core.Gateway, anchor: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while size_of(anchor) < gateway.next_index:
        assert time.monotonic() < deadline, "no checkpoint came"
        time.sleep(0.005)


@pytest.fixture
def anchored(desk: Desk, tmp_path: Path) -> tuple[Desk, Path]:
    """A desk whose closed log has an anchor."""
    folder = tmp_path / "another-disk"
    folder.mkdir()
    anchor = folder / "gw1.checkpoint"
    gateway = opened(desk, anchor)
    gateway.submit(buy(10))
    gateway.close()
    return desk, anchor


def test_of_two_gateways_on_copies_the_second_to_publish_is_at_its_end(
    anchored: tuple[Desk, Path], tmp_path: Path
) -> None:
    desk, anchor = anchored
    copy = tmp_path / "copy"
    shutil.copytree(desk.log, copy)
    first, second = opened(desk, anchor), opened(desk, anchor, copy)
    # Both have a reference price more than what is signed, so one is refused from here on.
    gateways = {desk.log: first, copy: second}
    dead: dict[Path, errors.LogFailedError] = {}
    deadline = time.monotonic() + PATIENCE_S
    while not dead:
        assert time.monotonic() < deadline, "both go on"
        for log, gateway in gateways.items():
            try:
                gateway.submit(buy(1))
            except errors.LogFailedError as error:
                dead[log] = error
        time.sleep(0.005)
    ((loser, error),) = dead.items()
    (winner,) = gateways.keys() - dead.keys()
    assert (error.code, "another copy of this log is written" in str(error)) == ("LOG_FAILED", True)
    checkpoint = (loser / "checkpoint").read_bytes()
    with pytest.raises(errors.LogFailedError):
        gateways[loser].submit(buy(1))
    with pytest.raises(errors.LogFailedError):
        gateways[loser].close()
    assert (loser / "checkpoint").read_bytes() == checkpoint, "nothing was signed"
    assert gateways[winner].submit(buy(1)).accepted
    gateways[winner].close()
    assert anchor.read_bytes() == (winner / "checkpoint").read_bytes()
    del gateways, first, second, gateway
    with pytest.raises(errors.RollbackError):
        opened(desk, anchor, loser)
    opened(desk, anchor, winner).close()


def test_an_old_copy_is_not_opened_and_nothing_in_it_is_changed(
    anchored: tuple[Desk, Path], tmp_path: Path
) -> None:
    desk, anchor = anchored
    old = tmp_path / "backup"
    shutil.copytree(desk.log, old)
    gateway = opened(desk, anchor)
    gateway.submit(buy(20))
    gateway.close()
    before = {path: path.read_bytes() for path in old.rglob("*") if path.is_file()}
    with pytest.raises(errors.RollbackError, match="were kept by the anchor") as caught:
        opened(desk, anchor, old)
    assert caught.value.code == "ROLLBACK"
    assert {path: path.read_bytes() for path in old.rglob("*") if path.is_file()} == before
    key = desk.log / "log.vkey"
    told = invoke("log", "verify", old, "--vkey", key, "--since", anchor)
    assert told.exit_code == 1
    assert "ROLLBACK" in told.stdout
    # Without the anchor nobody can tell: it is a whole log.
    assert audit.verify(old).ok
    opened(desk, None, old).close()
    # And a folder that was emptied begins no second log.
    with pytest.raises(errors.RollbackError, match="there is no log here"):
        opened(desk, anchor, tmp_path / "nothing")


def test_a_crash_between_anchor_and_checkpoint_is_no_rollback(
    anchored: tuple[Desk, Path], tmp_path: Path
) -> None:
    desk, anchor = anchored
    checkpoint = (desk.log / "checkpoint").read_bytes()
    gateway = opened(desk, anchor)
    gateway.submit(buy(20))
    gateway.sync()
    until_anchored(gateway, anchor)
    crashed = tmp_path / "crashed"
    shutil.copytree(desk.log, crashed)
    gateway.close()
    anchor.write_bytes((crashed / "checkpoint").read_bytes())
    (crashed / "checkpoint").write_bytes(checkpoint)

    verdict = audit.verify(crashed, since=anchor.read_bytes(), level="full")
    assert not [row for row in verdict.findings if row["kind"] in ("ROLLBACK", "INCONSISTENT")]
    assert any("goes on from the checkpoint that was kept" in note for note in verdict.notes)
    gateway = opened(desk, anchor, crashed)
    gateway.submit(buy(30))
    gateway.close()
    assert anchor.read_bytes() == (crashed / "checkpoint").read_bytes()
    assert audit.verify(crashed, since=anchor.read_bytes()).ok
    # A frame less, and it is one.
    assert size_of(anchor) > size_of(tmp_path / "log" / "checkpoint")
    shorter = audit.verify(tmp_path / "log", since=anchor.read_bytes())
    assert shorter.findings[-1]["kind"] in ("ROLLBACK", "INCONSISTENT")


def test_an_anchor_that_is_not_there_is_asked_for_and_one_in_the_log_is_none(
    anchored: tuple[Desk, Path], tmp_path: Path
) -> None:
    desk, anchor = anchored
    anchor.unlink()
    with pytest.raises(errors.LogError, match="cwts log checkpoint DIR > ANCHOR") as caught:
        opened(desk, anchor)
    assert caught.value.code == "ANCHOR"
    assert not anchor.exists()
    anchor.write_text(invoke("log", "checkpoint", desk.log).stdout)
    opened(desk, anchor).close()
    with pytest.raises(errors.CwtsError, match="outside of its log"):
        opened(desk, desk.log / "anchor")
    with pytest.raises(errors.CwtsError, match="No such file"):
        opened(desk, tmp_path / "not-mounted" / "anchor")
    anchor.write_bytes(b"torn")
    with pytest.raises(errors.LogError, match="keeps no checkpoint of this log") as caught:
        opened(desk, anchor)
    assert caught.value.code == "ANCHOR"


def test_the_facade_and_a_command_move_the_anchor(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anchor = tmp_path / "anchor"
    limits = tmp_path / "limits.toml"
    limits.write_text(desk.text)
    with cwts.Gateway(limits, desk.log, keys=desk.keys, anchor=anchor, clock=None) as gateway:
        hold = gateway.halt(reason="test", actor="ana")
    assert anchor.read_bytes() == (desk.log / "checkpoint").read_bytes()
    monkeypatch.setenv("CWTS_KEYS", str(desk.keys))
    monkeypatch.setenv("CWTS_ANCHOR", str(anchor))
    words = ("--as", "ana", "--approve-as", "ben", "--reason", "over", "--json")
    done = invoke("resume", desk.log, hold.id, *words)
    assert json.loads(done.stdout)["lifted"], done.output
    assert anchor.read_bytes() == (desk.log / "checkpoint").read_bytes()
    done = invoke("log", "archive", desk.log, "--before", "2100-01-01T00:00Z", "--json")
    assert json.loads(done.stdout)["blocks"] > 0, done.output
    assert anchor.read_bytes() == (desk.log / "checkpoint").read_bytes()
    notes, kept = tmp_path / "notes", tmp_path / "notes.anchor"
    with cwts.AuditLog.open(notes, keys=desk.keys, anchor=kept) as log:
        log.append(audit.Note("a"))
    assert kept.read_bytes() == (notes / "checkpoint").read_bytes()
