"""What tests let another process do: `python child.py WHAT LOG KEYS [ARG...]`.

Each function says one JSON object a line; `wait` stops until the parent says go.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from threading import Thread
from typing import Any

from cwts import _core
from desk import PX_E9, buy, reasons, sell, set_references


def say(**words: Any) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def wait() -> None:
    sys.stdin.readline()


def opened(log: str, keys: str, release: str = "async") -> _core.Gateway:
    limits = Path(os.environ["CWTS_TEST_LIMITS"]).read_bytes()
    gateway = _core.Gateway(limits, "limits.toml", log, keys=keys, release=release)
    set_references(gateway)
    return gateway


def trade_until_halted(log: str, keys: str, refusals: str) -> None:
    """Submit as fast as it goes; end `refusals` orders after the first that a halt refused."""
    gateway = opened(log, keys)
    accepted = refused = 0
    order = buy(1)
    while refused < int(refusals):
        decision = gateway.submit(order)
        if decision.accepted:
            assert refused == 0, f"order {decision.order_id} passed after a halt refused one"
            accepted += 1
            if accepted % 1_000 == 0:
                say(accepted=accepted)
        elif "KILL_HALTED" in reasons(decision):
            refused += 1
        else:
            assert reasons(decision) == ["AUDIT_BACKPRESSURE"], reasons(decision)
    gateway.close()
    say(accepted=accepted, done=True)


def trade_and_tell_versions(log: str, keys: str) -> None:
    """Submit until told to stop; say which limits versions the decisions named, in order."""
    gateway = opened(log, keys)
    stop: list[int] = []
    Thread(target=lambda: (wait(), stop.append(1)), daemon=True).start()
    versions: list[int] = []
    orders = 0
    while not stop:
        decision = gateway.submit(buy(1))
        orders += 1
        if not versions or versions[-1] != decision.limits_version:
            versions.append(decision.limits_version)
            say(version=versions[-1])
        # Enough to race with, and a log that verifies in no time.
        time.sleep(0.0005)
    gateway.close()
    say(versions=versions, orders=orders)


def trade_durably(log: str, keys: str) -> None:
    """Say every order that was released, right after it was."""
    gateway = opened(log, keys, release="durable")
    while True:
        decision = gateway.submit(buy(1))
        if decision.accepted:
            say(order_id=decision.order_id, seq=decision.order_seq, durable=gateway.durable)


def produce_for_ever(log: str, keys: str, *names: str) -> None:
    """Send from a thread for each name; say now and then how many orders were answered."""
    gateway = opened(log, keys)
    answered = [0] * len(names)

    def send(at: int, producer: _core.Producer) -> None:
        while True:
            producer.submit(buy(1 + at))
            answered[at] += 1

    for at, name in enumerate(names):
        Thread(target=send, args=(at, gateway.producer(name)), daemon=True).start()
    while True:
        time.sleep(0.01)
        say(answered=min(answered))


def stand(log: str, keys: str) -> None:
    """Hold the log and do nothing."""
    gateway = opened(log, keys)
    say(entries=gateway.next_index)
    wait()
    gateway.close()
    say(closed=True)


def stand_with_orders(log: str, keys: str, orders: str) -> None:
    """Let some orders work, do nothing until told, then say how many cancels are to be sent."""
    gateway = opened(log, keys)
    for _ in range(int(orders)):
        assert gateway.submit(buy(1)).accepted
    gateway.sync()
    say(entries=gateway.next_index)
    wait()
    say(taken=len(_core.take_cancels(gateway)))
    gateway.close()
    say(closed=True)


def halt_and_stand(log: str, keys: str, scope: str, actor: str) -> None:
    """Halt, say that it is acknowledged, and do nothing more."""
    gateway = opened(log, keys)
    assert gateway.submit(buy(1)).accepted
    hold = gateway.halt(scope, reason="fat finger", actor=actor)
    say(hold=hold)
    wait()


def half_a_day(log: str, keys: str, snapshot: str) -> None:
    """Trade, fill, cancel and halt one account; keep the state that is durable by then."""
    gateway = opened(log, keys)
    ids = []
    for at in range(200):
        maker = buy if at % 3 else sell
        symbol = "ZINC" if at % 2 else "ACME"
        decision = gateway.submit(maker(1 + at % 7, symbol))
        if decision.accepted:
            ids.append(decision.order_id)
    for at, order_id in enumerate(ids):
        if at % 2:
            gateway.on_execution_report(order_id, "fill", PX_E9, 1, 1, exec_id=f"x{at}")
        if at % 5 == 0:
            gateway.cancel(order_id)
            gateway.on_execution_report(order_id, "canceled", 0, 0, at % 2)
    for _ in range(7):
        gateway.submit(buy(1, account="beta"))
    gateway.halt("account:beta", reason="over its rate", actor="ana")
    gateway.sync()
    Path(snapshot).write_bytes(gateway.snapshot())
    say(
        entries=gateway.next_index,
        durable=gateway.durable,
        position=gateway.position("alpha", "ACME"),
        holds=gateway.holds(),
        state=gateway.state(),
    )
    wait()


def fill_the_disk(log: str, keys: str, file_bytes: str) -> None:
    """Trade until the log cannot grow: RLIMIT_FSIZE stands for a disk without room."""
    gateway = opened(log, keys)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    bound = int(file_bytes)
    if bound:
        resource.setrlimit(resource.RLIMIT_FSIZE, (bound, bound))
    accepted = 0
    while True:
        try:
            decision = gateway.submit(buy(1))
        except _core.LogFailedError as error:
            first = error
            break
        accepted += decision.accepted
    again = []
    for call in (
        lambda: gateway.submit(buy(1)),
        lambda: gateway.check(buy(1)),
        lambda: gateway.submit_batch(bytes(64)),
        lambda: gateway.resume(1, actor="ana", approver="ben", reason="try"),
        gateway.sync,
    ):
        try:
            call()
        except _core.LogFailedError as error:
            again.append(error.code)
    say(accepted=accepted, code=first.code, why=str(first), again=again)


def peak_of_replay(log: str, keys: str, path: str) -> None:
    """Replay a file that is wrong; say the error and how much memory that took at most."""
    del log
    limits = Path(os.environ["CWTS_TEST_LIMITS"]).read_bytes()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        _core.Replay(limits, "limits.toml", path=path, format="csv", keys=keys).run()
    except _core.InputError as error:
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        say(why=str(error), code=error.code, grown_kib=after - before)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
