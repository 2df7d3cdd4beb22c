"""`cwts doctor`: a row for everything that a host gives, and what to do about what it does not."""

from __future__ import annotations

import json
import os
import resource
import socket
from pathlib import Path
from typing import Any

import pytest

from cli_run import cli, invoke
from cwts._doctor import clock, cpu, disk, examine, memory, sandbox, software


def rows_of(*args: object) -> tuple[int, dict[str, dict[str, Any]]]:
    done = invoke("doctor", *args, "--json")
    told = json.loads(done.stdout)
    assert told["ok"] == (done.exit_code == 0)
    return done.exit_code, {row["name"]: row for row in told["rows"]}


def test_every_question_has_a_row_and_this_machine_lacks_nothing(tmp_path: Path) -> None:
    code, rows = rows_of(tmp_path / "not/there/yet")
    assert code == 0
    assert set(rows) >= {
        *("cwts", "Python", "numpy", "pandas", "polars", "pyarrow", "keys folder"),
        *("vector instructions", "SHA-256 instructions", "cores"),
        *("memory", "huge pages", "open files", "locked memory", "file size"),
        *("synchronised", "resolution", "source"),
        *("directory", "file system", "space", "fdatasync", "kill page", "lock"),
        *("Landlock", "seccomp", "user namespaces", "cgroup v2"),
    }
    assert {row["state"] for row in rows.values()} <= {"ok", "warn"}
    assert all(row["value"] for row in rows.values())
    assert all(row["todo"] for row in rows.values() if row["state"] != "ok")
    assert "over 64 writes" in rows["fdatasync"]["value"] or rows["fdatasync"]["state"] == "warn"
    assert list(tmp_path.iterdir()) == [], "it leaves nothing behind"


def test_a_person_gets_a_table_and_the_count() -> None:
    done = cli("doctor")
    assert done.returncode == 0, done.stderr
    assert "fdatasync" in done.stdout
    assert "looked at" in done.stdout.splitlines()[-1]


def test_what_cwts_cannot_do_without_is_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(software, "_NEEDED", {"no-such-library": (1, 2)})
    code, rows = rows_of(tmp_path)
    assert code == 1
    assert rows["no-such-library"]["state"] == "missing"
    assert rows["no-such-library"]["todo"] == "pip install 'no-such-library>=1.2'"
    assert cli("doctor", "/proc/1/nowhere").returncode == 1


def test_it_asks_nobody_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the doctor opened a socket")

    monkeypatch.setattr(socket, "socket", refuse)
    assert examine(tmp_path)


@pytest.mark.parametrize(
    ("flags", "path"),
    [
        ("avx512f avx512dq avx512bw avx512vl avx2", "AVX-512"),
        ("avx512f avx512bw avx512vl avx2", "AVX2"),
        ("sse4_2", "scalar"),
        ("", "scalar"),
    ],
)
def test_the_widest_path_needs_all_of_its_instructions(flags: str, path: str) -> None:
    assert cpu.vector_path(frozenset(flags.split())) == path


def test_a_file_limit_that_is_too_low_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for bound, state in ((32, "missing"), (512, "warn"), (4_096, "ok")):
        monkeypatch.setattr(resource, "getrlimit", lambda _, bound=bound: (bound, 8_192))
        files = next(row for row in memory.rows() if row.name == "open files")
        assert files.state == state, bound


def test_a_disk_that_is_slow_or_full_or_in_memory_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "_timed", lambda _: [50_000_000] * 64)
    monkeypatch.setattr(disk, "_filesystem", lambda _: "tmpfs")
    monkeypatch.setattr(disk, "_FREE_NEEDED", 1 << 62)
    states = {row.name: row.state for row in disk.rows(tmp_path)}
    assert states["fdatasync"] == "warn"
    assert states["file system"] == "warn"
    assert states["space"] == "missing"


def test_a_kill_page_that_cannot_be_mapped_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(19, "no such device")

    monkeypatch.setattr(disk.mmap, "mmap", refuse)
    page = next(row for row in disk.rows(tmp_path) if row.name == "kill page")
    assert page.state == "missing"
    assert "cannot be mapped" in page.value


def test_a_clock_that_nobody_disciplines_or_that_is_far_off_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for told, state in (
        ((True, 10, 1), "ok"),
        ((False, 10, 1), "warn"),
        ((True, 1 << 30, 1), "warn"),
    ):
        monkeypatch.setattr(clock, "_adjtimex", lambda told=told: told)
        row = next(row for row in clock.rows() if row.name == "synchronised")
        assert row.state == state, told


def test_percentiles_are_values_that_were_measured() -> None:
    values = list(range(100, 0, -1))
    assert (disk.percentile(values, 0.5), disk.percentile(values, 0.99)) == (51, 100)
    assert disk.percentile([7], 0.99) == 7


def test_the_clock_without_adjtimex_asks_whoever_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "_adjtimex", lambda: None)
    tool = tmp_path / "timedatectl"
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(clock, "_chrony", lambda: ("", False))
    for answer, state in (("yes", "ok"), ("no", "warn")):
        tool.write_text(f"#!/bin/sh\necho {answer}\n")
        tool.chmod(0o755)
        assert clock._synchronised().state == state
    monkeypatch.setenv("PATH", os.devnull)
    assert "not told" in clock._synchronised().value
    monkeypatch.setattr(clock, "_adjtimex", lambda: (True, 5_000_000, 12))
    assert clock._synchronised().state == "warn"
    monkeypatch.setattr(clock, "_adjtimex", lambda: (True, 5_000, 12))
    assert clock._synchronised().state == "ok"


def test_landlock_is_a_version_or_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(sandbox.landlock_abi(), int)
    for found, words in ((3, "ABI 3"), (-38, "has none"), (-95, "switched off"), (-7, "error 7")):
        monkeypatch.setattr(sandbox, "landlock_abi", lambda found=found: found)
        assert words in sandbox._landlock().value
