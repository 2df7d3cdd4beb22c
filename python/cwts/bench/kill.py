"""Orders accepted after a kill: there must be none, whoever kills and however busy the gateway is.

One thread submits as fast as it can; the kill comes from a second thread, or from a second process
through the log's directory. A decision's ``seq`` and the hold's ``seq`` are indexes of one log, so
"after" needs no clock: an accepted decision behind the hold's entry is an order that got out.
"""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cwts
from cwts.bench.ours import Desk, submit_all

__all__ = ["KillTrialError", "accepted_after", "by_process", "by_thread", "trial"]

Killer = Callable[["cwts.Gateway", Path], "threading.Thread | subprocess.Popen[bytes]"]


class KillTrialError(RuntimeError):
    """A trial that shows nothing: no order before the kill, or none after it."""


def accepted_after(decisions: list[cwts.Decision], kill_seq: int) -> int:
    """How many accepted decisions stand behind the kill's entry.

    Raises
    ------
    KillTrialError
        No decision was accepted before the kill, or none was asked for after it.
    """
    before = sum(d.accepted for d in decisions if d.seq < kill_seq)
    after = [d.accepted for d in decisions if d.seq > kill_seq]
    if not before or not after:
        raise KillTrialError(
            f"{before} orders accepted before entry {kill_seq} and {len(after)} decided after it: "
            "the trial needs both"
        )
    return sum(after)


def trial(desk: Desk, log: str, killer: Killer) -> int:
    """Submit until a kill shows and a while longer; count what was accepted after it."""
    orders = desk.orders()
    with desk.gateway(log) as gateway:
        # They count: on a busy machine the kill may come before the loop has its first turn.
        decisions = submit_all(gateway, orders[:WARM_UP])
        agent = killer(gateway, desk.scratch / log)
        deadline = time.monotonic() + PATIENCE_S
        at = 0
        try:
            for number in itertools.count(1):
                if gateway.holds():
                    break
                if time.monotonic() > deadline:
                    raise KillTrialError(f"no hold within {PATIENCE_S} s of the kill")
                decisions += submit_all(gateway, orders[at : at + CHUNK])
                at = (at + CHUNK) % len(orders)
                if number % CHUNKS_A_FLUSH == 0:
                    # Else a full queue to the log could refuse what the kill should.
                    gateway.flush()
            decisions += submit_all(gateway, orders)
        finally:
            _join(agent)
        # The first hold is the kill; a second could only come from a request that came twice.
        return accepted_after(decisions, gateway.holds()[0].seq)


def by_thread(gateway: cwts.Gateway, _log: Path) -> threading.Thread:
    """The kill from a second thread, at a time that differs from trial to trial."""
    delay_s = random.uniform(0.001, 0.02)  # noqa: S311 - no secret, a moment

    def kill() -> None:
        time.sleep(delay_s)
        gateway.halt(reason="benchmark", actor="bench")

    thread = threading.Thread(target=kill, name="cwts-bench-kill")
    thread.start()
    return thread


def by_process(_gateway: cwts.Gateway, log: Path) -> subprocess.Popen[bytes]:
    """The kill from a second process, through the log's directory."""
    return subprocess.Popen([sys.executable, "-c", KILL_FROM_OUTSIDE, str(log)])  # noqa: S603


def _join(agent: threading.Thread | subprocess.Popen[bytes]) -> None:
    if isinstance(agent, threading.Thread):
        agent.join(PATIENCE_S)
        return
    if status := agent.wait(PATIENCE_S):
        raise KillTrialError(f"the killing process ended with status {status}")


KILL_FROM_OUTSIDE = """\
import sys
from cwts import _core
_core.request_halt(sys.argv[1], "firm", reason="benchmark", actor="bench")
"""

#: Orders before the killer starts, and between two looks for a hold.
WARM_UP = 64
CHUNK = 64
#: 8,192 orders: a quarter of the queue to the log.
CHUNKS_A_FLUSH = 128
#: The longest wait for a kill.
PATIENCE_S = 30.0
