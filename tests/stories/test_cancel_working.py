"""A halt that also takes the orders out of the market."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import cwts
import wal
from cwts import _core
from desk import LIMITS, Desk, buy, until

GATEWAY, CANCEL = 0, 3


def cancels(log: Path) -> list[wal.Entry]:
    """The ORDER entries that are cancels of the gateway's own."""
    found = []
    for entry in wal.entries(log):
        if entry.kind == wal.ORDER and entry.producer == GATEWAY:
            assert wal._ORDER.unpack_from(entry.body)[9] == CANCEL
            found.append(entry)
    return found


def test_ana_halts_an_account_and_its_orders_are_cancelled(desk: Desk, tmp_path: Path) -> None:
    limits = tmp_path / "limits.toml"
    limits.write_text(LIMITS)
    with cwts.Gateway(limits, log=desk.log, keys=desk.keys) as gateway:
        for symbol in ("ACME", "ZINC"):
            gateway.set_reference(symbol, last="100")
        alphas = [gateway.submit(buy(1)).order_id for _ in range(4)]
        beta = gateway.submit(buy(1, account="beta")).order_id
        hold = gateway.halt("account:alpha", reason="fat finger", actor="ana", cancel_working=True)
        assert (hold.scope, hold.state, hold.cancels) == ("account:alpha", "HALTED", 4)
        taken = gateway.take_cancels()
        assert [decision.order_id for decision in taken] == alphas
        assert all(decision.accepted for decision in taken)
        assert gateway.take_cancels() == []
        # The venue confirms; what is left works on.
        for order_id in alphas:
            gateway.on_execution_report(cwts.ExecReport(order_id, "canceled"))
        assert gateway.state()["working"] == 1
        other = gateway.reduce(reason="wind down", actor="ben", cancel_working=True)
        assert (other.state, other.cancels) == ("REDUCE_ONLY", 1)
        assert [decision.order_id for decision in gateway.take_cancels()] == [beta]
        again = asyncio.run(gateway.ahalt(reason="all", actor="cyd", cancel_working=True))
        assert again.cancels == 1, "beta's order works until the venue says that it does not"
        assert len(asyncio.run(gateway.atake_cancels())) == 1
        assert gateway.halt(reason="more", actor="dan").cancels == 0
    assert len(cancels(desk.log)) == 6
    wal.assert_gapless(wal.entries(desk.log))
    desk.verified()


def test_another_process_asks_for_it_and_is_told_how_many(desk: Desk) -> None:
    with desk.running("stand_with_orders", "5") as gateway_process:
        gateway_process.says()
        args = ("halt", str(desk.log), "--cancel-working", "--reason", "look", "--as", "ana")
        done = desk.cli(*args, code=0)
        assert "halted, hold 1" in done.stdout
        assert "5 cancels of working orders" in done.stdout
        told = json.loads(desk.cli(*args, "--json", code=0).stdout)
        # Once more by the same person: the same hold, and what still works is cancelled again.
        assert (told[0]["hold"]["id"], told[0]["cancels"]) == (1, 10)
        gateway_process.go()
        assert gateway_process.says()["taken"] == 5, "one cancel an order is left to send"
        assert gateway_process.says()["closed"]
    (kill,) = wal.kills(wal.entries(desk.log))
    assert all(entry.index > kill.index for entry in cancels(desk.log))
    desk.verified()


def test_with_no_gateway_running_the_next_start_cancels(desk: Desk) -> None:
    gateway = desk.open()
    order_id = gateway.submit(buy(1)).order_id
    gateway.close()
    desk.cli("reduce", str(desk.log), "--cancel-working", "--as", "ana", code=0)
    (pending,) = _core.status(str(desk.log))["pending"]
    assert (pending["action"], pending["cancel_working"]) == ("reduce", True)
    gateway = desk.open()
    assert [decision.order_id for decision in _core.take_cancels(gateway)] == [order_id]
    assert [hold["state"] for hold in gateway.holds()] == ["REDUCE_ONLY"]
    gateway.close()
    desk.verified()


def test_a_power_cut_before_the_request_is_taken_in_loses_no_cancel(desk: Desk) -> None:
    """The machine dies the moment after Ana has pressed the key."""
    with desk.running("stand_with_orders", "5") as gateway_process:
        gateway_process.says()
        _core.request_halt(str(desk.log), "firm", reason="look", actor="ana", cancel_working=True)
        gateway_process.power_cut()
    gateway = desk.open()
    assert len(gateway.holds()) == 1
    assert desk.requests == []
    assert len({entry.body[32:40] for entry in cancels(desk.log)}) == 5
    gateway.close()
    desk.verified()


def test_a_damaged_list_of_scopes_keeps_nobody_from_halting_the_firm(desk: Desk) -> None:
    with desk.running("stand") as idle:
        idle.says()
        (desk.log / "kill.scopes").write_bytes(b"torn")
        asked = _core.request_halt(str(desk.log), "firm", reason="look", actor="ana")
        until(lambda: not Path(asked["request"]).exists(), "the halt is taken in")
        idle.go()
        assert idle.says()["closed"]
    assert [kill.actor for kill in wal.kills(wal.entries(desk.log))] == ["ana"]
    desk.verified()


def test_an_unknown_scope_is_offered_the_nearest(desk: Desk) -> None:
    desk.open().close()
    done = desk.cli("halt", str(desk.log), "--scope", "account:alpah", "--json", code=2)
    assert json.loads(done.stdout)[0]["nearest"][0] == "account:alpha"
    assert "--scope account:alpha" in done.stderr
    done = desk.cli("halt", str(desk.log), "--scope", "instrument:ZIN", code=2)
    assert "--scope instrument:ZINC" in done.stderr
