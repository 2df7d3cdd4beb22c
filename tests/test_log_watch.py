"""`cwts log watch`: a log checked while it is written."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import cwts
from cli_run import cli

WORDS = (sys.executable, "-c", "from cwts.cli import main; main()", "log", "watch")


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def watched(log: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return cli("log", "watch", log, *words)


def test_a_log_is_watched_until_it_is_closed(tmp_path: Path, keys: Path) -> None:
    log = tmp_path / "log"
    with cwts.AuditLog.open(log, keys=keys) as written:
        watcher = subprocess.Popen(
            [*WORDS, str(log), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for number in range(20):
            written.append(cwts.audit.Note(f"note {number}"))
    out, err = watcher.communicate(timeout=60)
    assert watcher.returncode == 0, err
    found = json.loads(out)
    verdict = cwts.audit.verify(log)
    assert found["ok"]
    assert found["closed"]
    assert found["findings"] == []
    assert found["size"] == verdict.size


def test_who_stops_the_watch_is_told_where_it_stands(tmp_path: Path, keys: Path) -> None:
    log = tmp_path / "log"
    with cwts.AuditLog.open(log, keys=keys) as written:
        written.append(cwts.audit.Note("one"))
        watcher = subprocess.Popen(
            [*WORDS, str(log)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert watcher.stderr is not None
        assert watcher.stderr.read(1), "it has looked"
        watcher.send_signal(signal.SIGINT)
        out, _ = watcher.communicate(timeout=60)
    assert watcher.returncode == 0
    assert "still written" in out


def test_a_changed_entry_and_a_head_by_another_key_are_named(tmp_path: Path, keys: Path) -> None:
    log = tmp_path / "log"
    with cwts.AuditLog.open(log, keys=keys) as written:
        place = written.append(cwts.audit.Note("the note"))
    other = tmp_path / "other"
    cwts.AuditLog.open(other, keys=keys).close()
    assert watched(log, "--vkey", str(log / "log.vkey")).returncode == 0
    result = watched(log, "--vkey", str(other / "log.vkey"))
    assert result.returncode == 1
    assert "BAD_SIGNATURE" in result.stdout
    segment = next((log / "wal").iterdir())
    data = segment.read_bytes()
    at = data.index(b"the note")
    segment.write_bytes(data[:at] + b"T" + data[at + 1 :])
    result = watched(log, "--json")
    assert result.returncode == 1
    found = json.loads(result.stdout)
    assert not found["ok"]
    assert found["size"] <= place
    assert [finding["kind"] for finding in found["findings"]] == ["WAL_FRAME"]


def test_a_watch_from_python_ends_behind_close(tmp_path: Path, keys: Path) -> None:
    log = tmp_path / "log"
    written = cwts.AuditLog.open(log, keys=keys)
    looks = cwts.audit.watch(log)
    first = next(looks)
    assert not first.closed
    assert first.mono_ns <= time.monotonic_ns()
    written.append(cwts.audit.Note("one"))
    written.close()
    last = list(looks)[-1]
    assert last.closed
    assert last.size > first.size


def test_a_watch_from_python_ends_behind_its_first_finding(tmp_path: Path, keys: Path) -> None:
    log, other = tmp_path / "log", tmp_path / "other"
    for made in (log, other):
        cwts.AuditLog.open(made, keys=keys).close()
    looks = cwts.audit.watch(log, (other / "log.vkey").read_text(encoding="utf-8").strip())
    assert [finding["kind"] for finding in next(looks).findings] == ["BAD_SIGNATURE"]
    with pytest.raises(StopIteration):
        next(looks)


def test_entries_that_were_archived_are_watched_too(tmp_path: Path, keys: Path) -> None:
    log = tmp_path / "log"
    with cwts.AuditLog.open(log, keys=keys) as written:
        written.append(cwts.audit.Note("one"))
    cwts._core.archive_before(str(log), 2**62, keys=str(keys))
    assert not (log / "wal" / f"{0:020}.wal").exists(), "the first segment is a block now"
    last = list(cwts.audit.watch(log))[-1]
    assert last.closed
    assert last.findings == []
    assert last.size == cwts.audit.verify(log).size


def test_what_is_no_log_and_no_key_is_refused(tmp_path: Path, keys: Path) -> None:
    log = tmp_path / "log"
    cwts.AuditLog.open(log, keys=keys).close()
    assert watched(tmp_path / "absent").returncode == 2
    (tmp_path / "empty").mkdir()
    empty = watched(tmp_path / "empty")
    assert (empty.returncode, "no log" in empty.stderr) == (2, True), empty.stderr
    full = watched(keys)
    assert (full.returncode, "no log" in full.stderr) == (2, True), full.stderr
    assert watched(log, "--vkey", "a", "--vkey", "b").returncode == 2
    assert watched(log, "--vkey", "nonsense").returncode == 2
    with pytest.raises(ValueError, match="no time"):
        cwts._core.LogWatch(str(log)).look(-1.0)
