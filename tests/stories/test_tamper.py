"""Somebody with access to the disk changes the log; the verifier finds and names it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import wal
from cwts import _core
from desk import Desk, buy


@pytest.fixture
def kept(desk: Desk) -> Desk:
    """A closed log of a short day: orders, refusals, a halt, a resume, changed limits."""
    gateway = desk.open()
    for at in range(300):
        gateway.submit(buy(1 + at * 7 % 1_200))
    hold = gateway.halt("account:alpha", reason="look", actor="ana")
    gateway.submit(buy())
    gateway.resume(hold, actor="ana", approver="ben", reason="looked")
    gateway.close()
    gateway = desk.open(desk.text.replace("max_order_qty = 1_000", "max_order_qty = 900"))
    gateway.submit(buy(950))
    gateway.close()
    desk.verified()
    return desk


def flip(path: Path, at: int, mask: int = 1) -> None:
    raw = bytearray(path.read_bytes())
    raw[at] ^= mask
    path.write_bytes(raw)


def test_a_flipped_byte_of_any_file_is_found(kept: Desk) -> None:
    """One bit at eight places of every file; each time it is put back."""
    rng = random.Random(20260101)
    files = [p for p in sorted(kept.log.rglob("*")) if p.is_file() and p.stat().st_size]
    names = {str(p.relative_to(kept.log)) for p in files}
    assert {"checkpoint", "wal.head", "log.vkey", "kill.state", "kill.page"} <= names
    for path in files:
        raw = path.read_bytes()
        for at in {0, len(raw) - 1, *(rng.randrange(len(raw)) for _ in range(6))}:
            flip(path, at, 1 << rng.randrange(8))
            verdict = _core.verify(str(kept.log), [], "full")
            assert not verdict["ok"], f"byte {at} of {path.name} was changed and nobody saw it"
            assert all(finding["text"] for finding in verdict["findings"])
            path.write_bytes(raw)
    kept.verified()


def test_a_flipped_byte_of_an_order_names_the_entry(kept: Desk) -> None:
    """Order 17 is made to look smaller: the finding says which entry that was."""
    found = wal.entries(kept.log)
    target = [entry for entry in found if entry.kind == wal.ORDER][17]
    (segment,) = (kept.log / "wal").glob("*.wal")
    at = segment.read_bytes().index(target.body)
    flip(segment, at + 24)
    verdict = _core.verify(str(kept.log), [], "full")
    assert not verdict["ok"]
    named = [f for f in verdict["findings"] if f["index"] is not None]
    assert any(f["index"] <= target.index <= (f["index_end"] or f["index"]) for f in named)
    assert any(f["file"] == f"wal/{segment.name}" for f in verdict["findings"])
    done = kept.cli("log", "verify", str(kept.log), code=1)
    assert segment.name in done.stdout + done.stderr
    with pytest.raises(_core.TamperError):
        kept.open()


def test_a_missing_tail_is_a_rollback(kept: Desk) -> None:
    """Yesterday's copy of the segment is put under today's checkpoint."""
    (segment,) = (kept.log / "wal").glob("*.wal")
    raw = segment.read_bytes()
    last = raw.rindex(b"CWTSWAL1")
    segment.write_bytes(raw[:last])
    verdict = _core.verify(str(kept.log), [], "full")
    assert not verdict["ok"]
    with pytest.raises(_core.TamperError) as caught:
        kept.open()
    assert caught.value.code in ("ROLLBACK", "TAMPER")
    segment.unlink()
    assert not _core.verify(str(kept.log), [], "full")["ok"]


def test_an_extra_file_is_named(kept: Desk) -> None:
    (kept.log / "notes.txt").write_text("nothing to see")
    verdict = _core.verify(str(kept.log), [], "full")
    said = str(verdict["findings"]) + str(verdict["notes"]) + str(verdict["not_checked"])
    assert "notes.txt" in said


def test_another_key_does_not_verify_this_log(kept: Desk, tmp_path: Path) -> None:
    """The whole log is rewritten by somebody with another key: the key that we hold tells."""
    other = Desk(tmp_path / "other")
    other.root.mkdir()
    gateway = other.open()
    gateway.close()
    own = (kept.log / "log.vkey").read_text().strip()
    theirs = (other.log / "log.vkey").read_text().strip()
    assert _core.verify(str(kept.log), [own], "full")["ok"]
    assert not _core.verify(str(kept.log), [theirs], "full")["ok"]
    with pytest.raises(ValueError, match="vkey"):
        _core.verify(str(kept.log), ["not a key"], "full")
    without = _core.verify(str(kept.log), [], "full")
    said = [*without["notes"], *without["not_checked"]]
    assert any("consistency, not origin" in line for line in said)
