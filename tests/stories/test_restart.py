"""What a gateway knows after it died, and what it refuses to believe."""

from __future__ import annotations

from pathlib import Path

import pytest

import wal
from cwts import _core
from desk import LIMITS, Desk, buy, reasons

PAGE_BYTES = 16 * 1024


def test_state_after_a_power_cut_equals_the_state_before_it(desk: Desk, tmp_path: Path) -> None:
    """Positions, windows, reservations, holds and versions: the same bytes, out of the log."""
    kept = tmp_path / "snapshot"
    with desk.running("half_a_day", str(kept)) as gateway_process:
        said = gateway_process.says()
        gateway_process.power_cut()
    assert said["entries"] == said["durable"]
    assert said["position"] > 0

    gateway = desk.open(None, references=False)
    assert gateway.snapshot() == kept.read_bytes()
    assert gateway.position("alpha", "ACME") == said["position"]
    assert gateway.holds() == said["holds"]
    assert gateway.limits_version == 1
    state = gateway.state()
    for key in ("orders", "accepted", "cancels", "working", "rejections", "usage"):
        assert state[key] == said["state"][key], key
    assert reasons(gateway.submit(buy(account="beta"))) >= ["KILL_HALTED"]
    gateway.close()
    desk.verified()

    found = wal.entries(desk.log)
    assert found[-1].kind == wal.CLOSE
    wal.assert_gapless(found)


def test_the_rate_window_is_not_forgiven_by_a_restart(desk: Desk) -> None:
    """Beta may send five messages an hour: killing the gateway gives it no new five."""
    gateway = desk.open()
    for _ in range(5):
        assert gateway.submit(buy(1, account="beta")).accepted
    assert reasons(gateway.submit(buy(1, account="beta"))) == ["MESSAGE_RATE"]
    gateway.close()
    gateway = desk.open()
    assert reasons(gateway.submit(buy(1, account="beta"))) == ["MESSAGE_RATE"]
    gateway.close()


def test_order_ids_go_on_after_a_restart(desk: Desk) -> None:
    gateway = desk.open()
    before = [gateway.submit(buy()).order_id for _ in range(3)]
    gateway.close()
    gateway = desk.open()
    assert gateway.submit(buy()).order_id == before[-1] + 1
    gateway.close()


def test_changed_limits_are_version_2_as_entries(desk: Desk) -> None:
    gateway = desk.open()
    assert gateway.limits_version == 1
    assert gateway.submit(buy(500)).limits_version == 1
    gateway.close()

    tighter = LIMITS.replace("max_order_qty = 1_000", "max_order_qty = 400", 1)
    gateway = desk.open(tighter)
    assert gateway.limits_version == 2
    refused = gateway.submit(buy(500))
    assert (reasons(refused), refused.limits_version) == (["MAX_ORDER_QTY"], 2)
    gateway.close()

    # The same text again is no new version, and neither is "as it was".
    for limits in (tighter, None):
        gateway = desk.open(limits)
        assert gateway.limits_version == 2
        gateway.close()
    found = wal.entries(desk.log)
    activated = [entry for entry in found if entry.kind == wal.LIMIT_ACTIVATE]
    assert len(activated) == 2
    assert found[activated[1].index - 1].kind == wal.CONFIG
    assert tighter.encode() in b"".join(e.body for e in found if e.kind == wal.CONFIG)
    assert [row.limits_version for row in wal.decided(found)] == [1, 2]
    desk.verified()


def torn_state(desk: Desk) -> None:
    path = desk.log / "kill.state"
    path.write_bytes(path.read_bytes()[:-5])


def lost_state(desk: Desk) -> None:
    (desk.log / "kill.state").unlink()


def lost_page(desk: Desk) -> None:
    (desk.log / "kill.page").unlink()


def short_page(desk: Desk) -> None:
    path = desk.log / "kill.page"
    path.write_bytes(path.read_bytes()[:-1])


def corrupt_page(desk: Desk) -> None:
    path = desk.log / "kill.page"
    raw = bytearray(path.read_bytes())
    raw[0] ^= 1
    path.write_bytes(raw)


def raised_page(desk: Desk) -> None:
    """A halter died between the page and its request: the cell alone is believed."""
    path = desk.log / "kill.page"
    raw = bytearray(path.read_bytes())
    raw[16] += 1
    raw[64] = 2
    path.write_bytes(raw)


def unreadable_request(desk: Desk) -> None:
    folder = desk.log / "requests"
    folder.mkdir(exist_ok=True)
    (folder / "00000000000000000001-1.req").write_text("cwts kill request v1\nkind ha")


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (torn_state, "kill.state at start"),
        (lost_state, "kill.state at start"),
        (lost_page, "kill.page at start"),
        (short_page, "kill.page at start"),
        (corrupt_page, "kill.page at start"),
        (raised_page, "without a request"),
        (unreadable_request, "unreadable kill request"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_kill_files_that_cannot_be_believed_halt_the_firm(
    desk: Desk, damage: object, why: str
) -> None:
    desk.open().close()
    assert len((desk.log / "kill.page").read_bytes()) == PAGE_BYTES
    assert callable(damage)
    damage(desk)
    gateway = desk.open()
    (hold,) = gateway.holds()
    assert (hold["scope"], hold["state"], hold["actor"]) == ("firm", "HALTED", "gateway")
    assert why in hold["reason"]
    assert reasons(gateway.submit(buy())) == ["KILL_HALTED"]
    gateway.close()
    # The damage is gone, the hold is not: two people look at it first.
    gateway = desk.open()
    assert [row["id"] for row in gateway.holds()] == [hold["id"]]
    gateway.resume(hold["id"], actor="ana", approver="ben", reason="looked at it")
    assert gateway.submit(buy()).accepted
    gateway.close()
    desk.verified()


def test_a_hold_that_only_the_kill_file_has_still_stands(desk: Desk) -> None:
    """Somebody takes a log without the halt and puts it under a `kill.state` that has it."""
    gateway = desk.open()
    gateway.close()
    before = {path: path.read_bytes() for path in desk.log.rglob("*") if path.is_file()}
    gateway = desk.open()
    gateway.halt("account:alpha", reason="fat finger", actor="ana")
    gateway.close()
    after = (desk.log / "kill.state").read_bytes()
    for path in sorted(desk.log.rglob("*"), reverse=True):
        if path.is_file() and path not in before:
            path.unlink()
    for path, raw in before.items():
        path.write_bytes(raw)
    (desk.log / "kill.state").write_bytes(after)

    gateway = desk.open()
    (hold,) = gateway.holds()
    assert hold["scope"] == "firm"
    assert "kill.state holds more than the log" in hold["reason"]
    assert reasons(gateway.submit(buy())) == ["KILL_HALTED"]
    gateway.close()


def test_a_log_in_use_is_refused_and_stays_as_it_is(desk: Desk) -> None:
    with desk.running("stand") as owner:
        entries = owner.says()["entries"]
        with pytest.raises(_core.LogInUseError, match="another writer holds the log") as caught:
            desk.open()
        assert caught.value.code == "LOG_IN_USE"
        assert str(desk.log) in str(caught.value)
        with pytest.raises(_core.LogInUseError):
            _core.apply_requests(str(desk.log), str(desk.keys))
        assert _core.status(str(desk.log))["running"] is True
        owner.go()
        assert owner.says()["closed"]
    assert len(wal.entries(desk.log)) == entries + 1, "its own CLOSE and nothing of ours"
    status = _core.status(str(desk.log))
    assert (status["running"], status["closed"]) == (False, True)
    desk.verified()


def test_a_tampered_log_does_not_open_and_a_resume_cannot_hide_it(desk: Desk) -> None:
    gateway = desk.open()
    for _ in range(20):
        gateway.submit(buy())
    gateway.close()
    (segment,) = (desk.log / "wal").glob("*.wal")
    raw = bytearray(segment.read_bytes())
    raw[len(raw) // 4 if raw[len(raw) // 4] else 700] ^= 1
    segment.write_bytes(raw)
    with pytest.raises(_core.TamperError) as caught:
        desk.open()
    assert caught.value.code == "TAMPER"
    assert segment.name in str(caught.value)
    assert segment.read_bytes() == bytes(raw), "opening changed nothing"
    assert not _core.verify(str(desk.log), [], "full")["ok"]
