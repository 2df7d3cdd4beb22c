"""A log that is looked at by whoever writes it, and says so."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import cwts
from cwts import _core, audit
from desk import LIMITS


def fscks(log: Path) -> list[dict[str, Any]]:
    size = int(_core.checkpoint(str(log))["size"])
    return [row for row in _core.read_entries(str(log), 0, size) if row["type"] == "FSCK"]


def test_a_check_of_a_live_log_stands_in_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with cwts.AuditLog.open(log, keys=tmp_path / "keys") as written:
        written.append(audit.Note("one"))
        written.receipt(2)  # waits until a checkpoint covers it
        verdict = written.check_log(actor="risk anna")
        assert verdict.ok
        deeper = asyncio.run(written.acheck_log(level="replay"))
    rows = fscks(log)
    assert [row["body"]["level"] for row in rows] == [1, 2]
    assert [int(row["body"]["size"]) for row in rows] == [verdict.size, deeper.size]
    assert [row["body"]["root"] for row in rows] == [verdict.root, deeper.root]
    assert all(int(row["body"]["findings"]) == 0 for row in rows)
    assert rows[0]["header"]["actor"] != 0
    assert audit.verify(log, level="replay").ok


def test_what_is_found_is_counted_in_the_entry(tmp_path: Path) -> None:
    limits, log = tmp_path / "limits.toml", tmp_path / "log"
    limits.write_text(LIMITS, encoding="utf-8")
    order = cwts.Order("ACME", "buy", 1, "10", "alpha", "default")
    with cwts.Gateway(limits, log, keys=tmp_path / "keys", clock=None) as gateway:
        gateway.set_reference("ACME", last="10")
        gateway.submit(order)
        gateway.flush()
        (log / "stranger").write_bytes(b"no file of a log")
        verdict = gateway.check_log()
        assert [finding["kind"] for finding in verdict.findings] == ["UNKNOWN_FILE"]
        (log / "stranger").unlink()
        assert gateway.submit(order).accepted, "checking decides nothing"
    assert [int(row["body"]["findings"]) for row in fscks(log)] == [1]
    assert audit.verify(log, level="replay").ok


def test_without_a_log_there_is_nothing_to_check(tmp_path: Path) -> None:
    limits = tmp_path / "limits.toml"
    limits.write_text(LIMITS, encoding="utf-8")
    with cwts.Gateway(limits) as gateway, pytest.raises(cwts.errors.LogError, match="none"):
        gateway.check_log()
