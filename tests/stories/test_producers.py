"""Many senders of one gateway: each with its own number in the log, none in another's way."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import cwts
import wal
from cwts import _core
from desk import PX_E9, Desk, bit, buy, reasons, until

SENDERS = 4
EACH = 5_000


def named(found: list[wal.Entry], producer: int) -> list[wal.Decided]:
    """The orders of one producer, decided, in the order of the log."""
    seqs = {entry.index for entry in found if entry.producer == producer}
    return [row for row in wal.decided(found) if row.seq in seqs]


def records(gateway: Any, quantities: list[int]) -> Any:
    out = np.zeros(len(quantities), cwts.ORDER_DTYPE)
    out["px"], out["qty"], out["kind"], out["side"], out["type_tif"] = PX_E9, quantities, 1, 1, 2
    for field, name in (("instrument", "ACME"), ("account", "alpha"), ("strategy", "default")):
        out[field] = gateway.handle(field, name)
    return out


def test_four_producers_and_a_direct_caller_share_one_log(desk: Desk) -> None:
    """Four feeds and a person trade; somebody halts in mid-flow. Nothing is lost or reordered."""
    gateway = desk.open()
    producers = [gateway.producer(f"feed-{number}") for number in range(SENDERS)]
    halfway = threading.Barrier(SENDERS + 2)

    def feed(number: int) -> list[_core.Decision]:
        producer, told = producers[number], []
        for at in range(EACH):
            if at == EACH // 2:
                halfway.wait()
            told.append(producer.submit(buy(1 + at % 900, order_id=(number + 1) * 10**6 + at)))
        return told

    def direct() -> list[_core.Decision]:
        told = []
        for at in range(EACH):
            if at == EACH // 2:
                halfway.wait()
            told.append(gateway.submit(buy(1, order_id=9 * 10**6 + at)))
        return told

    with ThreadPoolExecutor(SENDERS + 1) as pool:
        feeds = [pool.submit(feed, number) for number in range(SENDERS)]
        person = pool.submit(direct)
        halfway.wait()
        gateway.halt("firm", reason="enough", actor="ana")
        told = [done.result() for done in feeds]
        by_person = person.result()
    gateway.close()

    found = wal.entries(desk.log)
    wal.assert_gapless(found)
    (kill,) = wal.kills(found)
    released = {row.seq for row in wal.released(found)}
    assert max(released) < kill.index, "an order was accepted after the halt"
    halted = bit("KILL_HALTED")
    for number, decisions in enumerate(told):
        rows = named(found, producers[number].id)
        logged = [d for d in decisions if "AUDIT_BACKPRESSURE" not in reasons(d)]
        # Decided once, in this producer's order, and told what the log says.
        assert [row.order_id for row in rows] == [d.order_id for d in logged]
        assert [row.seq for row in rows] == [d.order_seq for d in logged]
        assert [row.seq in released for row in rows] == [d.accepted for d in logged]
        assert all(row.reasons & halted for row in rows if row.seq > kill.index)
        assert any(d.accepted for d in logged)
        assert not logged[-1].accepted
    assert [d.order_seq for d in by_person] == sorted(d.order_seq for d in by_person)
    assert len(wal.decided(found)) == sum(
        "AUDIT_BACKPRESSURE" not in reasons(d) for rows in [*told, by_person] for d in rows
    )
    desk.verified()
    desk.cli("log", "verify", str(desk.log), code=0)


def test_what_is_posted_is_answered_in_order_and_a_refusal_says_why(desk: Desk) -> None:
    gateway = desk.open()
    producer = gateway.producer("feed-1")
    assert [producer.post(buy(q)) for q in (1, 2_000, 3)] == [0, 1, 2]
    assert producer.post_batch(records(gateway, [4, 5_000]).view(np.uint8)) == (3, 5)
    answers: list[tuple[int, _core.Decision]] = []
    until(lambda: answers.extend(producer.decisions(100, 1.0)) or len(answers) == 5, "answers")
    assert [ticket for ticket, _ in answers] == [0, 1, 2, 3, 4]
    assert [d.accepted for _, d in answers] == [True, False, True, True, False]
    for at in (1, 4):
        assert "MAX_ORDER_QTY" in reasons(answers[at][1])
        assert "2000" in answers[1][1].explain().replace(",", "").replace("_", "")
    unknown = producer.submit(buy(1, symbol="NONE"))
    assert reasons(unknown) == ["UNKNOWN_HANDLE"]
    assert "NONE" in unknown.explain()
    assert producer.decisions(100) == []
    working = answers[0][1].order_id
    assert producer.post_cancel(working) == 6
    ((ticket, cancelled),) = producer.decisions(100, 60.0)
    assert (ticket, cancelled.verdict) == (6, "cancel_passed")
    gateway.close()
    desk.verified()


def test_a_full_queue_refuses_its_caller_and_loses_nothing(desk: Desk) -> None:
    gateway = desk.open()
    producer = gateway.producer("feed-1")
    many = records(gateway, [1] * 7_000).view(np.uint8)
    assert producer.post_batch(many) == (0, 7_000)
    with pytest.raises(_core.QueueFullError, match="feed-1") as caught:
        producer.post_batch(many)
    assert (caught.value.code, caught.value.wanted) == ("QUEUE_FULL", 7_000)
    assert caught.value.bound < 14_000
    taken = 0
    while taken < 7_000:
        taken += len(producer.decision_records(8_192, 60.0)[0]) // 8
    assert (taken, producer.open) == (7_000, 0)
    assert producer.post_batch(many) == (7_000, 14_000)
    gateway.close()
    # What was sent before the close was decided before it.
    assert len(producer.decision_records(8_192)[1]) == 64 * 7_000
    with pytest.raises(_core.CwtsError, match="closed"):
        producer.submit(buy(1))
    desk.verified()


def test_a_name_keeps_its_number_through_a_close_and_a_crash(desk: Desk) -> None:
    """The process is killed while two producers send; the log goes on where each of them was."""
    with desk.running("produce_for_ever", "feed-a", "feed-b") as child:
        until(lambda: child.says()["answered"] >= 2_000, "orders")
        child.power_cut()
    crashed = wal.entries(desk.log)

    gateway = desk.open()
    again = [gateway.producer(name) for name in ("feed-b", "new", "feed-a")]
    for producer in again:
        for _ in range(10):
            producer.submit(buy(1))
        producer.close()
    ids = {producer.name: producer.id for producer in again}
    assert sorted(ids.values()) == [16, 17, 18]
    gateway.close()
    found = wal.entries(desk.log)
    wal.assert_gapless(found)
    for name, count in (("feed-a", None), ("feed-b", None), ("new", 0)):
        before = sum(entry.producer == ids[name] for entry in crashed)
        after = [entry.producer_seq for entry in found if entry.producer == ids[name]]
        assert after == list(range(len(after)))
        assert before > 100 if count is None else before == count
        assert len(after) >= 10
    desk.verified()


@pytest.mark.parametrize("way", ["producer", "batch"])
def test_no_order_leaves_behind_one_that_a_halt_stopped(desk: Desk, way: str) -> None:
    """Orders that share one wait for the disk are decided together: a halt stops all that are left.

    Where the halt falls is chance, so there are several; each must leave a clean cut.
    """
    gateway = desk.open(release="durable")
    orders = records(gateway, [1] * 640)
    told = []
    for delay_ms in range(12):
        go = threading.Event()

        def halt(go: threading.Event = go, wait_s: float = delay_ms / 2_000) -> int:
            go.wait()
            time.sleep(wait_s)
            return gateway.halt("firm", reason="runaway", actor="ana")

        with ThreadPoolExecutor(1) as pool:
            hold = pool.submit(halt)
            go.set()
            if way == "batch":
                raw = gateway.submit_batch(orders.view(np.uint8))
                verdicts = np.frombuffer(raw, cwts.DECISION_DTYPE)["verdict"].tolist()
            else:
                producer = gateway.producer(f"feed-{delay_ms}")
                producer.post_batch(orders.view(np.uint8))
                verdicts = []
                while len(verdicts) < len(orders):
                    answers = producer.decisions(8_192, 60.0)
                    verdicts += [1 if decision.accepted else 2 for _, decision in answers]
                producer.close()
        accepted = [verdict == 1 for verdict in verdicts]
        cut = accepted.index(False) if False in accepted else len(accepted)
        assert not any(accepted[cut:]), f"{sum(accepted[cut:])} left after the halt was felt"
        told.append(cut)
        gateway.resume(hold.result(), actor="ana", approver="ben", reason="next")
    gateway.close()
    assert len(wal.released(wal.entries(desk.log))) == sum(told)
    desk.verified()


def test_the_public_names_say_the_same(desk: Desk) -> None:
    limits = desk.root / "limits.toml"
    limits.write_text(desk.text)

    async def day() -> None:
        async with cwts.Gateway(limits, desk.log, release="durable", keys=desk.keys) as gateway:
            await gateway.aset_reference("ACME", last="100")
            with gateway.producer("feed-1") as producer:
                assert isinstance(producer, cwts.Producer)
                decisions = await asyncio.gather(*(producer.asubmit(buy()) for _ in range(20)))
                assert all(decisions)
                assert producer.post_batch(records(gateway, [1, 2])) == range(20, 22)
                tickets: list[int] = []
                while len(tickets) < 2:
                    ready, answers = producer.decision_batch(wait_s=60.0)
                    tickets += ready.tolist()
                    assert (answers["verdict"] == 1).all()
                assert tickets == [20, 21]
                assert await producer.adecisions() == []
                with pytest.raises(cwts.errors.ProducerError, match="open already"):
                    gateway.producer("feed-1")
            assert producer.is_closed
            with pytest.raises(cwts.errors.ProducerError, match="closed"):
                producer.post(buy())

    asyncio.run(day())
    desk.verified()
