"""Many callers of one gateway: threads, an event loop, a caller without a log."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import cwts
import wal
from cwts import _core
from desk import PX_E9, Desk, buy, reasons, set_references

THREADS = 4
EACH = 5_000


def test_four_threads_leave_one_gapless_log(desk: Desk) -> None:
    """Four strategies share a gateway; nobody's order is lost, doubled or numbered twice."""
    gateway = desk.open()

    def trade(number: int) -> list[tuple[int, int]]:
        order = buy(1 + number)
        told = []
        while len(told) < EACH:
            decision = gateway.submit(order)
            if decision.accepted:
                told.append((decision.order_seq, decision.order_id))
            else:
                # The log's queue was full: an answer, and not in the log.
                assert reasons(decision) == ["AUDIT_BACKPRESSURE"]
        return told

    with ThreadPoolExecutor(THREADS) as strategies:
        told = list(strategies.map(trade, range(THREADS)))
    gateway.close()

    found = wal.entries(desk.log)
    wal.assert_gapless(found)
    decided = {row.seq: row for row in wal.decided(found)}
    assert len(decided) == THREADS * EACH
    for number, rows in enumerate(told):
        assert [seq for seq, _ in rows] == sorted(seq for seq, _ in rows)
        for seq, order_id in rows:
            assert (decided[seq].order_id, decided[seq].qty) == (order_id, 1 + number)
    assert len({row.order_id for row in decided.values()}) == THREADS * EACH
    verdict = desk.verified()
    assert verdict["counts"]["ORDER"] == verdict["counts"]["DECISION"] == THREADS * EACH


def test_threads_that_submit_check_halt_and_ask_never_deadlock(desk: Desk) -> None:
    gateway = desk.open()
    records = np.zeros(200, cwts.ORDER_DTYPE)
    records["px"], records["qty"], records["kind"] = PX_E9, 1, 1
    records["side"], records["type_tif"] = 1, 2
    for field, kind, name in (
        ("instrument", "instrument", "ACME"),
        ("account", "account", "alpha"),
        ("strategy", "strategy", "default"),
    ):
        records[field] = gateway.handle(kind, name)
    raw = records.view(np.uint8)
    calls = [
        lambda: gateway.submit_batch(raw),
        lambda: gateway.check_batch(raw),
        lambda: [gateway.submit(buy()) for _ in range(200)],
        lambda: [gateway.check(buy()) for _ in range(200)],
        gateway.state,
        gateway.sync,
        lambda: gateway.resume(
            gateway.halt("account:beta", reason="r", actor="a"),
            actor="a",
            approver="b",
            reason="r",
        ),
        lambda: gateway.set_reference("ACME", PX_E9),
    ]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(10):
            for done in [pool.submit(call) for call in calls]:
                done.result(timeout=60)
    gateway.close()
    wal.assert_gapless(wal.entries(desk.log))
    desk.verified()


def test_inside_a_running_event_loop(desk: Desk) -> None:
    """A notebook has a loop already: the async twins work in it, and it goes on meanwhile."""
    limits = desk.root / "limits.toml"
    limits.write_text(desk.text)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    async def day() -> None:
        async with cwts.Gateway(limits, desk.log, release="durable", keys=desk.keys) as gateway:
            await gateway.aset_reference("ACME", last="100")
            ticking = asyncio.create_task(tick())
            decisions = await asyncio.gather(*(gateway.asubmit(buy()) for _ in range(20)))
            assert all(decisions)
            assert ticks > 0, "the loop stood still while orders waited for the disk"
            assert (await gateway.acheck(buy(2_000))).first == "MAX_ORDER_QTY"
            hold = await gateway.ahalt(reason="look", actor="ana")
            assert reasons(await gateway.asubmit(buy())) == ["KILL_HALTED"]
            assert (await gateway.acancel(decisions[0].order_id)).verdict == "cancel_passed"
            await gateway.aresume(hold, actor="ana", approver="ben", reason="looked")
            assert await gateway.asubmit(buy())
            ticking.cancel()

    asyncio.run(day())
    desk.verified()
    assert len(wal.released(wal.entries(desk.log))) == 21


def test_a_gateway_without_a_log_decides_the_same_and_leaves_nothing(desk: Desk) -> None:
    logged = desk.open()
    bare = _core.Gateway(desk.text.encode(), "limits.toml")
    set_references(bare)
    orders = [buy(q, price=p) for q in (1, 999, 1_001) for p in ("100", "94.99", "100.001")]
    for order in orders:
        ours, theirs = bare.submit(order), logged.submit(order)
        assert (ours.mask, ours.accepted) == (theirs.mask, theirs.accepted)
    hold = bare.halt("firm", reason="look", actor="ana")
    assert reasons(bare.submit(buy())) == ["KILL_HALTED"]
    with pytest.raises(_core.PermissionDeniedError):
        bare.resume(hold, actor="ana", approver="ana", reason="x")
    bare.resume(hold, actor="ana", approver="ben", reason="looked")
    assert bare.submit(buy()).accepted
    assert bare.durable == 0
    assert bare.close() is None
    assert bare.is_closed
    with pytest.raises(_core.CwtsError, match="closed") as caught:
        bare.submit(buy())
    assert caught.value.code == "CLOSED"
    logged.close()
    assert {path.name for path in desk.root.iterdir()} == {"log", "keys"}


def test_check_reserves_and_logs_nothing(desk: Desk) -> None:
    gateway = desk.open()
    before, at = gateway.snapshot(), gateway.next_index
    for _ in range(50):
        assert gateway.check(buy(1_000, price="50.00")).first == "PRICE_COLLAR"
        assert gateway.check(buy(100, account="beta")).accepted
    assert gateway.next_index == at
    assert gateway.snapshot() == before
    assert gateway.submit(buy(100, account="beta")).accepted, "fifty checks used no credit"
    gateway.close()
