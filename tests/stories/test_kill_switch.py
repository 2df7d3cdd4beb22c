"""The kill switch, pulled from another process while orders flow."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import wal
from cwts import _core
from desk import Desk, buy, reasons, sell, until

HALTED = 2
REFUSALS = 2_000


@pytest.mark.parametrize("by", ["cli", "api"])
def test_an_order_storm_stops_at_the_halt_and_nothing_passes_after_it(desk: Desk, by: str) -> None:
    """A strategy runs wild; Ana pulls the switch from her own shell."""
    with desk.running("trade_until_halted", str(REFUSALS)) as strategy:
        for _ in range(3):
            strategy.says()
        if by == "cli":
            done = desk.cli("halt", str(desk.log), "--reason", "runaway", "--as", "ana", code=0)
            assert "halted, hold 1" in done.stdout
        else:
            asked = _core.request_halt(str(desk.log), "firm", reason="runaway", actor="ana")
            assert asked["running"] is True
            until(lambda: not Path(asked["request"]).exists(), "the gateway takes the halt in")
        # The request is gone, so the hold is durable: it can be read while the storm goes on.
        assert [hold.actor for hold in wal.kills(wal.entries(desk.log))] == ["ana"]
        said = strategy.told()
    assert said[-1]["done"]
    assert desk.requests == []

    found = wal.entries(desk.log)
    (kill,) = wal.kills(found)
    assert (kill.state, kill.scope_kind, kill.reason) == (HALTED, 0, "runaway")
    decided = wal.decided(found)
    after = [row for row in decided if row.seq > kill.index]
    # The first refusal may be an order that was decided before the halt and held at its release.
    assert len(after) >= REFUSALS - 1
    assert [row for row in after if row.verdict == wal.ACCEPT] == [], "accepted after the halt"
    halted = sum(1 << row["bit"] for row in _core.controls() if row["name"] == "KILL_HALTED")
    assert all(row.reasons & halted and row.kill_epoch == kill.epoch for row in after)

    released = wal.released(found)
    assert len(released) == said[-1]["accepted"] >= 3_000
    assert all(row.seq < kill.index for row in released)
    wal.assert_gapless(found)
    desk.verified()


def test_a_halt_survives_a_power_cut_and_needs_two_people_to_lift(desk: Desk) -> None:
    """Ana halts alpha; the machine dies; Ben has to agree before alpha trades again."""
    with desk.running("halt_and_stand", "account:alpha", "ana") as gateway_process:
        said = gateway_process.says()
        gateway_process.power_cut()

    gateway = desk.open()
    assert [hold["id"] for hold in gateway.holds()] == [said["hold"]]
    refused = gateway.submit(buy(100))
    assert reasons(refused) == ["KILL_HALTED"]
    assert refused.violations[0]["scope"] == "account:alpha"
    assert gateway.submit(buy(1, account="beta")).accepted, "beta was never halted"

    with pytest.raises(_core.PermissionDeniedError, match="second person"):
        gateway.resume(said["hold"], actor="ana", approver="ana", reason="fixed")
    assert reasons(gateway.submit(buy(100))) == ["KILL_HALTED"]
    gateway.resume(said["hold"], actor="ana", approver="ben", reason="fixed")
    assert gateway.submit(buy(100)).accepted
    gateway.close()

    found = wal.entries(desk.log)
    (kill,), (resume,) = wal.kills(found), wal.resumes(found)
    assert (resume.hold, resume.actor, resume.approver) == (kill.hold, "ana", "ben")
    desk.verified()


def test_two_people_who_halted_need_two_resumes(desk: Desk) -> None:
    gateway = desk.open()
    first = gateway.halt("firm", reason="prices look wrong", actor="ana")
    second = gateway.halt("firm", reason="so do positions", actor="ben")
    gateway.resume(first, actor="ana", approver="cyd", reason="prices are right")
    assert reasons(gateway.submit(buy())) == ["KILL_HALTED"]
    with pytest.raises(_core.PermissionDeniedError, match=f"hold {first} is not in force"):
        gateway.resume(first, actor="ana", approver="cyd", reason="again")
    gateway.resume(second, actor="ben", approver="cyd", reason="positions are right")
    assert gateway.submit(buy()).accepted
    gateway.close()
    desk.verified()


def test_with_no_gateway_running_the_next_start_is_halted(desk: Desk) -> None:
    """The gateway is down for the night; Ana sees to it that it does not trade tomorrow."""
    desk.open().close()
    done = desk.cli("halt", str(desk.log), "--as", "ana", code=0)
    assert "no gateway runs here; the next start is halted" in done.stdout
    (pending,) = _core.status(str(desk.log))["pending"]
    assert (pending["action"], pending["scope"], pending["actor"]) == ("halt", "firm", "ana")

    gateway = desk.open()
    assert desk.requests == []
    assert reasons(gateway.submit(buy())) == ["KILL_HALTED"]
    gateway.close()
    desk.verified()

    # Lifting it needs no running gateway either, but two people and the hold's number.
    alone = desk.cli(
        "resume", str(desk.log), "1", "--as", "ana", "--approve-as", "ana", "--reason", "ok", code=2
    )
    assert "second person" in alone.stderr
    assert [hold["id"] for hold in _core.status(str(desk.log))["holds"]] == [1]
    desk.cli(
        "resume", str(desk.log), "1", "--as", "ana", "--approve-as", "ben", "--reason", "ok", code=0
    )
    gateway = desk.open()
    assert gateway.submit(buy()).accepted
    gateway.close()


def test_halt_alone_stops_the_firm_on_every_directory_even_if_one_is_no_log(
    tmp_path: Path,
) -> None:
    desks = [Desk(tmp_path / "a"), Desk(tmp_path / "b")]
    for desk in desks:
        desk.root.mkdir()
        desk.open().close()
    logs = [str(desk.log) for desk in desks]
    done = desks[0].cli("halt", logs[0], str(tmp_path / "nowhere"), logs[1], "--as", "ana", code=2)
    assert "nowhere" in done.stdout + done.stderr
    for desk in desks:
        gateway = desk.open()
        assert [hold["scope"] for hold in gateway.holds()] == ["firm"]
        gateway.close()


def test_an_unknown_scope_halts_nothing_and_says_how_to_halt_everything(desk: Desk) -> None:
    desk.open().close()
    before = (desk.log / "kill.page").read_bytes()
    done = desk.cli("halt", str(desk.log), "--scope", "account:alpa", "--as", "ana", code=2)
    assert "account:alpha" in done.stderr
    assert f"cwts halt {desk.log}" in done.stderr
    assert desk.requests == []
    assert (desk.log / "kill.page").read_bytes() == before
    with pytest.raises(_core.ScopeError) as caught:
        _core.request_halt(str(desk.log), "account:alpa", reason="", actor="ana")
    assert caught.value.nearest == "account:alpha"
    assert {"firm", "account:alpha", "instrument:ACME"} <= set(caught.value.known)
    assert caught.value.code == "UNKNOWN_SCOPE"
    gateway = desk.open()
    assert gateway.holds() == []
    with pytest.raises(_core.ScopeError, match="alpa"):
        gateway.halt("account:alpa", reason="", actor="ana")
    assert gateway.submit(buy()).accepted
    gateway.close()


@pytest.mark.parametrize("options", [[], ["--as", "ana", "--approve-as", "ben"], ["--reason", "x"]])
def test_a_resume_without_reason_or_people_is_refused(desk: Desk, options: list[str]) -> None:
    gateway = desk.open()
    hold = gateway.halt("firm", reason="test", actor="ana")
    gateway.close()
    desk.cli("resume", str(desk.log), str(hold), *options, code=2)
    assert "HOLD" in desk.cli("resume", str(desk.log), code=2).stderr
    assert [row["id"] for row in _core.status(str(desk.log))["holds"]] == [hold]


def test_an_idle_gateway_acknowledges_too(desk: Desk) -> None:
    """No order comes, and still the hold is written: nobody waits for the next order."""
    with desk.running("stand") as idle:
        entries = idle.says()["entries"]
        asked = _core.request_halt(
            str(desk.log), "instrument:ACME", reason="halted by the venue", actor="ana"
        )
        until(lambda: not Path(asked["request"]).exists(), "an idle gateway takes the halt in")
        (kill,) = wal.kills(wal.entries(desk.log))
        assert kill.index == entries
        idle.go()
        assert idle.says()["closed"]
    desk.verified()


def test_nobody_disarms_the_switch_of_a_running_gateway_by_removing_its_page(desk: Desk) -> None:
    with desk.running("stand") as idle:
        idle.says()
        (desk.log / "kill.page").unlink()
        asked = _core.request_halt(str(desk.log), "firm", reason="look", actor="ana")
        until(lambda: not Path(asked["request"]).exists(), "the halt is taken in without a page")
        assert [hold.actor for hold in wal.kills(wal.entries(desk.log))] == ["ana"]
        idle.go()
        assert idle.says()["closed"]
    # The next start finds no page: that is a hold of its own.
    gateway = desk.open()
    assert [hold["actor"] for hold in gateway.holds()] == ["ana", "gateway"]
    gateway.close()


def test_a_raise_that_lags_behind_its_request_is_no_false_alarm(desk: Desk) -> None:
    """The halter is slow: its hold is written before it has moved all its numbers."""
    with desk.running("stand") as idle:
        idle.says()
        asked = _core.request_halt(str(desk.log), "firm", reason="look", actor="ana")
        until(lambda: not Path(asked["request"]).exists(), "the halt is taken in")
        with (desk.log / "kill.page").open("r+b") as page:
            page.seek(16)
            epoch = int.from_bytes(page.read(8), "little") + 1
            for at in (64 + 8, 16):
                page.seek(at)
                page.write(epoch.to_bytes(8, "little"))
        idle.go()
        assert idle.says()["closed"]
    desk.verified()
    assert len(wal.kills(wal.entries(desk.log))) == 1


def test_a_damaged_log_does_not_keep_its_gateway_from_being_halted(desk: Desk) -> None:
    with desk.running("trade_until_halted", "10") as strategy:
        strategy.says()
        (segment,) = (desk.log / "wal").glob("*.wal")
        with segment.open("r+b") as file:
            file.seek(100)
            file.write(b"?")
        asked = _core.request_halt(str(desk.log), "firm", reason="runaway", actor="ana")
        assert strategy.told()[-1]["done"]
        assert not Path(asked["request"]).exists()
    assert not _core.verify(str(desk.log), [], "full")["ok"]


def test_a_reduced_scope_lets_exits_pass_and_nothing_else(desk: Desk) -> None:
    gateway = desk.open()
    order = gateway.submit(buy(10))
    gateway.on_execution_report(order.order_id, "fill", 100 * 10**9, 10, 10, "f1")
    gateway.halt("account:alpha", reason="too long", actor="ana", reduce_only=True)
    assert reasons(gateway.submit(buy(1))) == ["KILL_REDUCE_ONLY"]
    assert gateway.submit(sell(4)).accepted
    assert "KILL_REDUCE_ONLY" in reasons(gateway.submit(sell(7))), "4 work already: 7 would cross"
    assert gateway.submit(sell(6)).accepted
    gateway.close()
    desk.verified()


def test_a_halt_with_an_exit_lets_reducing_orders_out(desk: Desk) -> None:
    gateway = desk.open()
    order = gateway.submit(buy(10))
    gateway.on_execution_report(order.order_id, "fill", 100 * 10**9, 10, 10, "f1")
    gateway.halt("firm", reason="wind down", actor="ana", allow_reduce=True)
    assert reasons(gateway.submit(buy(1))) == ["KILL_HALTED"]
    assert gateway.submit(sell(10)).accepted
    gateway.halt("firm", reason="no more", actor="ben")
    assert "KILL_HALTED" in reasons(gateway.submit(sell(1)))
    gateway.close()
    desk.verified()


def test_every_halt_of_many_threads_gets_its_own_hold(desk: Desk) -> None:
    """Eight people pull the switch at once: each is told the number of the own hold."""
    from concurrent.futures import ThreadPoolExecutor

    gateway = desk.open()

    def pull(number: int) -> tuple[int, str]:
        actor = f"person {number}"
        return gateway.halt("firm", reason="now", actor=actor), actor

    with ThreadPoolExecutor(8) as people:
        told = dict(people.map(pull, range(64)))
    assert told == {hold["id"]: hold["actor"] for hold in gateway.holds()}
    assert len(told) == 64
    gateway.close()
    desk.verified()


def test_a_copy_of_the_log_is_as_halted_as_the_original(desk: Desk, tmp_path: Path) -> None:
    """The backup is restored on another machine: the holds come with it."""
    gateway = desk.open()
    gateway.halt("firm", reason="end of day", actor="ana")
    gateway.close()
    other = Desk(tmp_path / "restored")
    other.root.mkdir()
    shutil.copytree(desk.log, other.log)
    shutil.copytree(desk.keys, other.keys)
    restored = other.open()
    assert reasons(restored.submit(buy())) == ["KILL_HALTED"]
    restored.close()
    other.verified()


def test_nobody_resumes_without_a_reason(desk: Desk) -> None:
    gateway = desk.open()
    hold = gateway.halt("firm", reason="look", actor="ana")
    for reason in ("", "  "):
        with pytest.raises(_core.PermissionDeniedError, match="takes a reason"):
            gateway.resume(hold, actor="ana", approver="ben", reason=reason)
        with pytest.raises(_core.PermissionDeniedError, match="takes a reason"):
            _core.request_resume(str(desk.log), hold, actor="ana", approver="ben", reason=reason)
    assert [held["id"] for held in gateway.holds()] == [hold]
    gateway.close()
