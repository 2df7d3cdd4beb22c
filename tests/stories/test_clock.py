"""The clock in the log: read each second, told when it is not shown to be right, acted on."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest

import cwts
from cwts import _adjtimex, _core
from desk import Desk, until

GOOD = _adjtimex.Reading(
    status=0, flags=0x2001, maxerror_us=60, esterror_us=3, offset_ns=-400, freq=7, tai=37
)
LOST = _adjtimex.Reading(
    status=5, flags=0x40, maxerror_us=16_000_000, esterror_us=0, offset_ns=0, freq=0, tai=0
)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the kernel says: the last one of the list."""
    said: list[Any] = [GOOD]
    monkeypatch.setattr(_adjtimex, "read", lambda: said[-1])
    return said


def _open(desk: Desk, **more: Any) -> cwts.Gateway:
    limits = desk.root / "limits.toml"
    limits.write_text(desk.text)
    return cwts.Gateway(limits, desk.log, keys=desk.keys, **more)


def _clocks(log: Path) -> int:
    counts: dict[str, int] = cwts.audit.verify(log).counts
    return counts.get("CLOCK", 0)


def test_a_lost_clock_is_told_and_restricts_until_two_people_lift_it(
    desk: Desk, kernel: list[Any]
) -> None:
    gateway = _open(desk, clock=cwts.ClockSync(max_divergence_us=100, policy="reduce_only"))
    assert gateway.alerts() == []
    assert gateway.holds() == []
    kernel.append(LOST)
    until(gateway.holds, "a reading each second")
    (hold,) = gateway.holds()
    assert (hold.scope, hold.state) == ("firm", "REDUCE_ONLY")
    assert "not shown within 100 us of UTC; the kernel says 16000000 us" in hold.reason
    (alert,) = gateway.alerts()
    assert (alert.kind, alert.observed, alert.limit) == ("clock", "16000000", "100")
    gateway.resume(hold, actor="anna", approver="bo", reason="chrony is back")
    gateway.close()
    desk.verified()
    assert _clocks(desk.log) >= 2


def test_a_kernel_that_says_nothing_shows_nothing(desk: Desk, kernel: list[Any]) -> None:
    kernel.append(None)
    with _open(desk) as gateway:
        assert [alert.kind for alert in gateway.alerts()] == ["clock"]
        assert gateway.holds() == []
    desk.verified()


def test_without_it_no_reading_is_logged_and_a_bad_bound_is_refused(
    desk: Desk, kernel: list[Any]
) -> None:
    kernel.append(LOST)
    with _open(desk, clock=None) as gateway:
        assert gateway.alerts() == []
    desk.verified()
    assert _clocks(desk.log) == 0
    with pytest.raises(ValueError, match="max_divergence_us is 0"):
        cwts.ClockSync(max_divergence_us=0)
    core = desk.open()
    with pytest.raises(ValueError, match='policy: "stop"'):
        _core.record_clock(core, None, (0, 0, 0, 0), bound_us=1, raw_ns=1, policy="stop")
    core.close()
    with pytest.raises(ValueError, match="policy is 'stop'"):
        cwts.ClockSync(policy="stop")  # type: ignore[arg-type]


def test_the_thread_keeps_no_gateway_alive(desk: Desk, kernel: list[Any]) -> None:
    gateway = _open(desk)
    del gateway, kernel
    gc.collect()
    # Its log is free: nothing holds the lock any more.
    _open(desk, clock=None).close()


def test_this_machines_kernel_is_asked() -> None:
    said = _adjtimex.read()
    assert said is None or 0 <= said.status <= 5
