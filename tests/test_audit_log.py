"""`cwts.AuditLog`: anyone's records in a log that anyone can verify."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import cwts
from cwts import AuditLog, audit, errors


def _open(root: Path, **more: object) -> AuditLog:
    return AuditLog.open(root / "log", keys=root / "keys", **more)  # type: ignore[arg-type]


def test_a_note_is_proved_on_another_machine(tmp_path: Path) -> None:
    with _open(tmp_path, origin="cwts.example/gw1") as log:
        index = log.append(audit.Note("desk A opened", actor="u:17"))
        log.wait_durable(index, timeout=10.0)
        receipt = log.receipt(index)
        assert log.entry(index)["body"]["text"] == "desk A opened"
        assert log.entry(index)["header"]["actor"] == 1
        assert log.tail(1)[0]["index"] == index
        assert log.checkpoint()["origin"] == "cwts.example/gw1"
        fixed = log.append(audit.Amend(index, "text", "desk B opened", "wrong desk", "u:3"))
        assert log.entry(fixed)["body"]["index"] == str(index)
        proof = log.inclusion_proof(index, index + 1)
        assert proof["size"] == index + 1
        with pytest.raises(errors.CwtsError, match=f"entry {index} is not covered"):
            log.inclusion_proof(index, index)
        # Over the whole log it is what a receipt of now holds.
        size = int(log.checkpoint()["size"])
        lines = log.receipt(index).decode().split("\n\n")[0].splitlines()[3:]
        assert log.inclusion_proof(index, size)["proof"] == lines != []
        assert log.consistency_proof(index + 1, fixed + 1)["ok"]
        assert log.verify().ok
    verdict = audit.verify_receipt(receipt, keys=[str(tmp_path / "log" / "log.vkey")])
    assert verdict.ok
    assert verdict.index == index
    flipped = receipt.replace(b"index ", b"index 1")
    assert not audit.verify_receipt(flipped, keys=[str(tmp_path / "log" / "log.vkey")])
    assert audit.verify(tmp_path / "log", level="replay").ok


def test_it_goes_on_where_it_stopped_and_one_writes_at_a_time(tmp_path: Path) -> None:
    with _open(tmp_path) as log:
        first = log.append(audit.Note("one"))
        with pytest.raises(errors.LogInUseError):
            _open(tmp_path)
    with _open(tmp_path, durability="async") as log:
        second = log.append(audit.Note("two"))
        assert second > first
        log.wait_durable(second)
        assert [row["body"].get("text") for row in (log.entry(first), log.entry(second))] == [
            "one",
            "two",
        ]
        assert len(log) == second + 1
    verdict = audit.verify(tmp_path / "log")
    assert verdict.ok
    assert verdict.counts["NOTE"] == 2


def test_what_does_not_fit_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with _open(tmp_path) as log:
        size = len(log)
        room = 65_535 - 40 - 16 - 2
        with pytest.raises(errors.EntryTooLongError, match="65536 bytes, at most 65535") as raised:
            log.append(audit.Note("x" * (room + 1)))
        assert raised.value.code == "ENTRY_TOO_LONG"
        with pytest.raises(errors.EntryTooLongError):
            log.append(audit.Note("x" * 10_000_000))
        with pytest.raises(errors.LogError, match="entry 99 is not there"):
            log.append(audit.Amend(99, "qty", "1", "typo"))
        with pytest.raises(errors.LogError, match="NUL"):
            log.append(audit.Note("a\0b"))
        assert len(log) == size
        for call in (log.receipt, log.entry, log.wait_durable):
            with pytest.raises(IndexError, match=f"entry {size} was not appended"):
                call(size)
        assert log.append(audit.Note("x" * room)) == size
    assert audit.verify(tmp_path / "log").ok
    with pytest.raises(ValueError, match="durability is 'certified'"):
        _open(tmp_path, durability="certified")


def test_no_order_passes_in_it(tmp_path: Path) -> None:
    with _open(tmp_path) as log:
        refused = log._core.submit(cwts.Order("ACME", "buy", 1, "1.00"))
        assert not refused.accepted
    assert audit.verify(tmp_path / "log", level="replay").ok


def test_the_twins_do_the_same_on_a_thread(tmp_path: Path) -> None:
    async def run(log: AuditLog) -> bytes:
        index = await log.aappend(audit.Note("later"))
        await log.await_durable(index, timeout=10.0)
        assert (await log.aentry(index))["index"] == index
        assert (await log.averify()).ok
        assert int((await log.acheckpoint())["size"]) > index
        return await log.areceipt(index)

    with _open(tmp_path, clock=cwts.ClockSync()) as log:
        receipt = asyncio.run(run(log))
    assert audit.verify_receipt(receipt, [(tmp_path / "log" / "log.vkey").read_text().strip()])
    assert audit.verify(tmp_path / "log").counts["CLOCK"] >= 1
