"""What a caller may rely on once `submit` has answered."""

from __future__ import annotations

import wal
from desk import Desk, buy

SPOKEN = 40


def test_an_order_released_durably_is_in_the_log_whatever_dies_next(desk: Desk) -> None:
    """The order left for the venue, the power went: the log must know of it."""
    with desk.running("trade_durably") as trader:
        said = [trader.says() for _ in range(SPOKEN)]
        said += trader.power_cut()
    decided = {row.seq: row for row in wal.decided(wal.entries(desk.log))}
    for line in said:
        row = decided[line["seq"]]
        assert (row.order_id, row.verdict) == (line["order_id"], wal.ACCEPT)
        assert line["durable"] > line["seq"] + 1, "it answered before order and decision were safe"

    gateway = desk.open(None)
    assert gateway.state()["accepted"] == len(decided)
    assert gateway.submit(buy()).order_id == max(row.order_id for row in decided.values()) + 1
    gateway.close()
    verdict = desk.verified()
    assert verdict["counts"]["CLOSE"] == 1


def test_an_asynchronous_release_is_durable_after_sync(desk: Desk) -> None:
    gateway = desk.open()
    for _ in range(500):
        assert gateway.submit(buy()).accepted
    gateway.sync()
    assert gateway.durable == gateway.next_index
    # Read from disk while the gateway still runs.
    assert len(wal.decided(wal.entries(desk.log))) == 500
    gateway.close()
    desk.verified()


def test_a_gateway_that_died_is_told_apart_from_one_that_was_closed(desk: Desk) -> None:
    with desk.running("trade_durably") as trader:
        trader.says()
        trader.power_cut()
    desk.verified(clean=False)
    desk.open(None).close()
    desk.verified(clean=True)
