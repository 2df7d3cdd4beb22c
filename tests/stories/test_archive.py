"""Seven years on: a cold copy of a log gives back the log that was signed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli_run import cli, invoke
from cwts import AuditLog, archives, audit, serving
from desk import Desk, buy


@pytest.fixture
def kept(desk: Desk) -> Desk:
    """A closed log with orders that pass and one that does not."""
    gateway = desk.open()
    for qty in (10, 2_000, *range(1, 400)):
        gateway.submit(buy(qty))
    gateway.close()
    return desk


def _key(desk: Desk) -> str:
    return (desk.log / "log.vkey").read_text(encoding="utf-8").strip()


def test_a_log_comes_back_from_its_archive_bit_for_bit(kept: Desk, tmp_path: Path) -> None:
    cold, plain = tmp_path / "cold", tmp_path / "plain"
    done = invoke("log", "archive", kept.log, "-o", cold, "--json")
    made = json.loads(done.stdout)
    verdict = audit.verify(kept.log, [_key(kept)])
    assert (made["entries"], made["blocks"]) == (verdict.size, 1)
    size = sum(path.stat().st_size for path in (cold / "archive").iterdir())
    assert size * 5 < sum(path.stat().st_size for path in (kept.log / "wal").iterdir())
    # The log is gone: the archive verifies by itself, and gives it back.
    kept.log.rename(tmp_path / "gone")
    assert invoke("log", "verify", cold, "--vkey", verdict_key(tmp_path)).exit_code == 0
    again = audit.verify(cold, [verdict_key(tmp_path)])
    assert (again.ok, again.size, again.root) == (True, verdict.size, verdict.root)
    assert invoke("log", "unpack", cold, "-o", plain).exit_code == 0
    back = audit.verify(plain, [verdict_key(tmp_path)])
    assert (back.ok, back.size, back.root) == (True, verdict.size, verdict.root)
    for name in ("checkpoint", "log.vkey"):
        assert (plain / name).read_bytes() == (tmp_path / "gone" / name).read_bytes()
    bundles = sorted(
        path.relative_to(plain) for path in (plain / "tile").rglob("*") if path.is_file()
    )
    assert bundles
    for path in bundles:
        assert (plain / path).read_bytes() == (tmp_path / "gone" / path).read_bytes()
    done = invoke("log", "drill", cold, "--json")
    found = json.loads(done.stdout)
    assert (found["ok"], found["entries"], found["root"]) == (True, verdict.size, verdict.root)


def verdict_key(root: Path) -> str:
    """The log's key, from where the log was put."""
    return (root / "gone" / "log.vkey").read_text(encoding="utf-8").strip()


def test_damage_is_named_by_every_command(kept: Desk, tmp_path: Path) -> None:
    cold = tmp_path / "cold"
    archives.archive(kept.log, cold)
    (block,) = (cold / "archive").glob("*.cwz")
    good = block.read_bytes()
    for at in range(0, len(good), len(good) // 40):
        block.write_bytes(good[:at] + bytes([good[at] ^ 4]) + good[at + 1 :])
        verdict = audit.verify(cold, [_key(kept)])
        assert not verdict.ok
        assert [row["kind"] for row in verdict.findings] == ["ARCHIVE_DIFFERS"]
        assert verdict.findings[0]["file"].startswith("archive/"), f"byte {at}"
    done = invoke("log", "verify", cold, "--vkey", _key(kept))
    assert done.exit_code == 1
    assert f"ARCHIVE_DIFFERS in `archive/{block.name}`" in done.stdout
    assert invoke("log", "drill", cold).exit_code == 1
    assert not (tmp_path / "plain" / "checkpoint").exists()
    block.write_bytes(good)
    # A key of somebody else's.
    other = "other.example/log+a8f0e1c3+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
    assert invoke("log", "verify", cold, "--vkey", other).exit_code != 0
    assert audit.verify(cold, [_key(kept)]).ok


def test_bad_places_are_refused_and_nothing_is_written(kept: Desk, tmp_path: Path) -> None:
    before = sorted(kept.log.rglob("*"))
    assert invoke("log", "archive", kept.log, "-o", kept.log / "cold").exit_code == 2
    full = tmp_path / "full"
    full.mkdir()
    (full / "x").write_text("mine")
    assert cli("log", "archive", kept.log, "-o", full).returncode == 2
    assert [path.name for path in full.iterdir()] == ["x"]
    assert sorted(kept.log.rglob("*")) == before
    done = cli("log", "drill", full)
    assert done.returncode == 2
    assert "is no archive" in done.stderr


FUTURE = "2100-01-01T00:00Z"


def test_older_entries_move_into_the_logs_own_blocks_and_nobody_notices(
    kept: Desk, tmp_path: Path
) -> None:
    before = audit.verify(kept.log, [_key(kept)], level="replay")
    plain = {
        path.relative_to(kept.log): path.read_bytes()
        for path in (kept.log / "tile").rglob("*")
        if path.is_file() and path.parent.suffix != ".p"
    }
    first = kept.log / "wal" / f"{0:020}.wal"
    frames = first.read_bytes()
    nothing = json.loads(
        invoke("log", "archive", kept.log, "--before", "2001-01-01T00:00Z", "--json").stdout
    )
    assert (nothing["blocks"], nothing["before"]) == (0, 0)
    done = invoke("log", "archive", kept.log, "--before", FUTURE, "--json")
    made = json.loads(done.stdout)
    assert made["entries"] >= before.size
    assert made["freed"] > 5 * made["bytes"]
    assert not first.exists()
    after = audit.verify(kept.log, [_key(kept)], level="replay")
    assert (after.ok, after.clean) == (True, True), after.findings
    assert after.counts["DECISION"] == before.counts["DECISION"]
    assert after.counts["ARCHIVE"] == made["blocks"]
    assert any("archived blocks alone" in note for note in after.notes)
    # Who reads the log reads it as before: receipts, entries, queries of state, a mirror.
    for index in (0, 5, before.size - 1):
        receipt = tmp_path / f"{index}.tlog-proof"
        assert invoke("log", "receipt", kept.log, str(index), "-o", receipt).exit_code == 0
        assert invoke("log", "verify", receipt, "--vkey", _key(kept)).exit_code == 0
    shown = json.loads(invoke("log", "show", kept.log, "5", "--json").stdout)
    assert shown
    assert audit.status(kept.log)["holds"] == []
    for name, content in plain.items():
        assert serving._content(kept.log.resolve(), str(name)) == content, name
    gateway = kept.open(None)
    gateway.submit(buy(1))
    gateway.close()
    cold = tmp_path / "cold"
    assert archives.archive(kept.log, cold)["entries"] > before.size
    assert archives.drill(cold, [_key(kept)]).verdict.ok
    undone = invoke("log", "unpack", kept.log, "--json")
    assert json.loads(undone.stdout)["files"] > 0
    assert first.read_bytes() == frames
    assert not list((kept.log / "archive").iterdir())
    assert audit.verify(kept.log, [_key(kept)]).ok


def test_a_running_gateway_keeps_its_log_and_damage_in_a_block_is_named(kept: Desk) -> None:
    gateway = kept.open(None)
    refused = cli("log", "archive", kept.log, "--before", FUTURE)
    assert (refused.returncode, "another writer" in refused.stderr) == (2, True)
    assert cli("log", "unpack", kept.log).returncode == 2
    gateway.close()
    invoke("log", "archive", kept.log, "--before", FUTURE)
    block = min((kept.log / "archive").glob("*.cwz"))
    good = block.read_bytes()
    for at in range(0, len(good), len(good) // 20):
        block.write_bytes(good[:at] + bytes([good[at] ^ 4]) + good[at + 1 :])
        verdict = audit.verify(kept.log, [_key(kept)])
        (finding,) = verdict.findings
        assert finding["kind"] == "ARCHIVE_DIFFERS"
        assert finding["file"].partition(".")[0] == f"archive/{block.stem}"
        assert cli("log", "unpack", kept.log).returncode == 2
    block.unlink()
    assert not audit.verify(kept.log, [_key(kept)]).ok
    block.write_bytes(good)
    assert audit.verify(kept.log, [_key(kept)]).ok
    both = cli("log", "archive", kept.log)
    assert "give -o OUTPUT" in both.stderr


def test_a_log_of_records_archives_its_earlier_days_while_it_is_open(tmp_path: Path) -> None:
    with AuditLog.open(tmp_path / "log", keys=tmp_path / "keys") as log:
        log.append(audit.Note("one"))
        # All in the segment that is being written: it stays.
        assert log.archive(FUTURE)["blocks"] == 0
