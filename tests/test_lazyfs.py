"""Power cuts on a file system that keeps only what was synced: nothing acknowledged is lost."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import cwts
import lazy
from cwts import _core, audit

LAZYFS, WHY_NOT = lazy.program()
pytestmark = pytest.mark.skipif(LAZYFS is None, reason=WHY_NOT)

#: Kills of a writer, each with a power cut behind it.
CYCLES = int(os.environ.get("CWTS_LAZYFS_CYCLES", "20"))
#: Appends durably until it is killed, and says of each note that it is on disk.
WRITER = """
import sys
import cwts
from cwts import audit
log = cwts.AuditLog.open(sys.argv[1], keys=sys.argv[2])
print("open", flush=True)
for number in range(100_000):
    index = log.append(audit.Note(f"{sys.argv[3]} {number}"))
    print(index, number, flush=True)
"""
#: Syncs that claim to have worked: what every test below must notice.
NO_SYNC = """
int fsync(int fd) { (void)fd; return 0; }
int fdatasync(int fd) { (void)fd; return 0; }
int syncfs(int fd) { (void)fd; return 0; }
"""


def live(log: Path, keys: Path, life: int, wait_s: float, **env: str) -> dict[int, str]:
    """One life of a writer; the notes that it was told are on disk, by index."""
    command = [sys.executable, "-c", WRITER, log, keys, str(life)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | env
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    if first:
        time.sleep(wait_s)
    process.kill()
    out, err = process.communicate()
    assert first == b"open\n", err.decode()
    # A line that the kill cut short acknowledged nothing.
    lines = out.rpartition(b"\n")[0].splitlines()
    acknowledged = (line.split() for line in lines)
    return {int(index): f"{life} {int(number)}" for index, number in acknowledged}


def lost(log: Path, told: dict[int, str]) -> list[int]:
    """The acknowledged notes that are not in the log any more."""
    size = int(_core.checkpoint(str(log))["size"])
    rows = {row["index"]: row for row in _core.read_entries(str(log), 0, size)}
    return [i for i, text in told.items() if rows.get(i, {}).get("body", {}).get("text") != text]


def test_no_acknowledged_note_is_lost_in_power_cuts(tmp_path: Path) -> None:
    assert LAZYFS is not None
    random_waits, told = random.Random(7), dict[int, str]()
    keys = tmp_path / "keys"
    with lazy.mounted(LAZYFS, tmp_path) as disk:
        log = disk.mount / "log"
        for life in range(CYCLES):
            told |= live(log, keys, life, random_waits.uniform(0.0, 0.3))
            disk.power_cut()
            with cwts.AuditLog.open(log, keys=keys):
                pass
            verdict = audit.verify(log)
            assert verdict.findings == []
            assert verdict.clean
            assert lost(log, told) == [], f"in life {life}"
        assert len(told) > CYCLES, "notes were acknowledged"


def test_a_writer_whose_syncs_do_nothing_is_found_out(tmp_path: Path) -> None:
    """The mutant: the same campaign, where the system calls lie."""
    assert LAZYFS is not None
    cc = shutil.which("cc")
    assert cc is not None, "a compiler makes the lie"
    lie, source = tmp_path / "lie.so", tmp_path / "lie.c"
    source.write_text(NO_SYNC, encoding="ascii")
    subprocess.run([cc, "-shared", "-fPIC", "-o", lie, source], check=True)
    with lazy.mounted(LAZYFS, tmp_path) as disk:
        log, keys = disk.mount / "log", tmp_path / "keys"
        told = live(log, keys, 0, 0.3, LD_PRELOAD=str(lie))
        assert told, "it told of notes on disk"
        disk.power_cut()
        try:
            with cwts.AuditLog.open(log, keys=keys):
                pass
            found = bool(lost(log, told))
        except (cwts.errors.CwtsError, OSError):
            found = True
        assert found, "a lost sync was not noticed"
