"""Kills of a gateway under load: what was accepted after them, and how long they take to be felt.

One thread submits as fast as it can; the kill comes from a second thread, from a second process
through the log's directory, or from ``cwts halt`` itself. A decision's ``seq`` and the hold's
``seq`` are indexes of one log, so "after" needs no clock: an accepted decision behind the hold's
entry is an order that got out. Times are differences of the machine's monotonic clock, which all
processes share, from just before the call that halts to the answer of the first order refused.
"""

from __future__ import annotations

import random
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cwts
from cwts.bench import native
from cwts.bench.ours import Desk, submit_all
from cwts.bench.scene import Measured, Scene

__all__ = ["KILLS", "Felt", "KillTrialError", "accepted_after", "kills"]

#: Arms a kill of the gateway whose log is here; what it gives waits for it, and says when it came.
Killer = Callable[["cwts.Gateway", Path], Callable[[], int]]


class KillTrialError(RuntimeError):
    """A trial that shows nothing: no order before the kill, or none after it."""


@dataclass(frozen=True, slots=True)
class Felt:
    """What one kill did.

    Attributes
    ----------
    accepted_after : int
        Orders accepted behind the kill's entry.
    ns : int
        From the call that halts to the answer of the first order refused.
    """

    accepted_after: int
    ns: int


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


def kills(scene: Scene, killer: Killer, count: int) -> list[Felt]:
    """So many kills one after the other, each lifted by two people before the next.

    A new log is begun now and then: what a trial leaves behind slows no later one.
    """
    found: list[Felt] = []
    while len(found) < count:
        log = scene.new_log()
        with scene.desk.gateway(log) as gateway:
            for _ in range(min(KILLS_A_LOG, count - len(found))):
                found.append(_trial(scene.desk, gateway, killer, scene.scratch / log))
                for hold in gateway.holds():
                    gateway.resume(hold, actor="anna", approver="bo", reason="benchmark")
                gateway.flush()
        shutil.rmtree(scene.scratch / log)
    return found


def _trial(desk: Desk, gateway: cwts.Gateway, killer: Killer, log: Path) -> Felt:
    """Submit until a kill refuses an order and a while longer."""
    orders = desk.orders()
    # They count: on a busy machine the kill may come before the loop has its first turn.
    decisions = submit_all(gateway, orders[:WARM_UP])
    came = killer(gateway, log)
    deadline = time.monotonic_ns() + PATIENCE_NS
    submit, clock, at, refused = gateway.submit, time.monotonic_ns, 0, 0
    while not refused:
        for order in orders[at : at + CHUNK]:
            decision = submit(order)
            decisions.append(decision)
            # A log without room refuses too, which says nothing of a kill.
            if not decision.accepted and decision.first == "KILL_HALTED":
                refused = clock()
                break
        at = (at + CHUNK) % len(orders)
        if clock() > deadline:
            came()
            raise KillTrialError(f"no refusal within {PATIENCE_NS / 1e9:.0f} s of the kill")
    decisions += submit_all(gateway, orders)
    halted = came()
    # The first hold is the kill; a second could only come from a request that came twice.
    return Felt(accepted_after(decisions, gateway.holds()[0].seq), max(refused - halted, 0))


def by_thread(gateway: cwts.Gateway, _log: Path) -> Callable[[], int]:
    """The kill from a second thread, at a time that differs from trial to trial."""
    delay_s, told = random.uniform(0.0002, 0.004), [0]  # noqa: S311 - no secret, a moment

    def kill() -> None:
        time.sleep(delay_s)
        told[0] = time.monotonic_ns()
        gateway.halt(reason="benchmark", actor="bench")

    thread = threading.Thread(target=kill, name="cwts-bench-kill")
    thread.start()

    def came() -> int:
        thread.join(PATIENCE_NS / 1e9)
        return told[0]

    return came


@contextmanager
def another_process() -> Iterator[Killer]:
    """Kills from a second process that lives as long as the block, through the log's directory."""
    command = [sys.executable, "-c", KILL_FROM_OUTSIDE]
    with subprocess.Popen(  # noqa: S603 - our own text
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        if child.stdin is None or child.stdout is None:
            raise KillTrialError("the killing process has no pipes")
        ask, answer = child.stdin, child.stdout

        def killer(_gateway: cwts.Gateway, log: Path) -> Callable[[], int]:
            delay_s = random.uniform(0.0002, 0.004)  # noqa: S311 - no secret, a moment
            ask.write(f"{delay_s} {log}\n")
            ask.flush()
            return lambda: int(answer.readline())

        yield killer
        ask.close()


@dataclass(slots=True)
class Command:
    """Kills from ``cwts halt``, each from a process of its own; how long each of them took."""

    wall_ns: list[int]

    def __call__(self, _gateway: cwts.Gateway, log: Path) -> Callable[[], int]:
        """Start the command."""
        told: list[str] = []
        began = time.monotonic_ns()
        child = subprocess.Popen(  # noqa: S603 - our own text
            [sys.executable, "-c", HALT_COMMAND, "halt", str(log), "--reason", "benchmark"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

        def wait() -> None:
            told.append(child.communicate()[1])
            self.wall_ns.append(time.monotonic_ns() - began)

        # The command waits for the gateway to write the hold: somebody must see it end meanwhile.
        thread = threading.Thread(target=wait, name="cwts-bench-halt")
        thread.start()

        def came() -> int:
            thread.join()
            if child.returncode != 0:
                raise KillTrialError(f"cwts halt ended with {child.returncode}: {told[0]}")
            return int(told[0])

        return came


def accepted_after_kill(scene: Scene) -> Measured:
    """Orders accepted behind a kill's entry, over all trials: threads and processes."""
    count = QUICK_KILLS if scene.is_quick else TRIALS
    by_others = count // OF_PROCESSES
    found = kills(scene, by_thread, count - by_others)
    with another_process() as killer:
        found += kills(scene, killer, by_others)
    detail = {"trials": len(found), "by_processes": by_others}
    return Measured(ours=sum(one.accepted_after for one in found), detail=detail)


def halt_process_ms(scene: Scene) -> Measured:
    """From the call inside ``cwts halt`` to the first refusal, p99."""
    found = _commands(scene)[0]
    return _late([ns / 1e6 for ns in found])


def halt_command_ms(scene: Scene) -> Measured:
    """From starting ``cwts halt`` to its end: the hold is on disk then."""
    walls = [ns / 1e6 for ns in _commands(scene)[1]]
    detail = {"commands": len(walls), "p99": _p99(walls)}
    return Measured(ours=statistics.median(walls), ours_min=min(walls), detail=detail)


def _commands(scene: Scene) -> tuple[list[int], list[int]]:
    """One run of commands serves both figures."""
    if scene.halts is None:
        command = Command([])
        found = kills(scene, command, QUICK_KILLS if scene.is_quick else COMMANDS)
        if any(one.accepted_after for one in found):
            raise KillTrialError("an order was accepted after `cwts halt`")
        scene.halts = [one.ns for one in found], command.wall_ns
    return scene.halts


def _late(times: list[float]) -> Measured:
    detail: dict[str, Any] = {"kills": len(times), "p50": statistics.median(times)}
    return Measured(ours=_p99(times), ours_min=min(times), detail=detail | {"max": max(times)})


def _p99(times: list[float]) -> float:
    """By nearest rank."""
    return sorted(times)[max(0, -(-99 * len(times) // 100) - 1)]


def halt_page_ms(scene: Scene) -> Measured:
    """From another process's store into the page to the first refusal, in Rust, p99."""
    line = native.line(scene, "kill_page", "log")
    return Measured(line["p99"] / 1e6, line["ours_min"] / 1e6, detail=native.detail(line))


def halt_thread_us(scene: Scene) -> Measured:
    """From a halt by a second thread to the first refusal, in Rust, p50."""
    line = native.line(scene, "kill_thread", "no log")
    logged = native.line(scene, "kill_thread", "log")
    detail = native.detail(line)
    detail |= {"with_a_log_p50": logged["ours"], "with_a_log_p99": logged["p99"]}
    return Measured(line["ours"] / 1e3, line["ours_min"] / 1e3, detail=detail)


KILL_FROM_OUTSIDE = """\
import sys, time
from cwts import _core
for line in sys.stdin:
    delay_s, log = line.rstrip("\\n").split(" ", 1)
    time.sleep(float(delay_s))
    at = time.monotonic_ns()
    _core.request_halt(log, "firm", reason="benchmark", actor="bench")
    print(at, flush=True)
"""
#: The command as it is, and on stderr when it called for the halt.
HALT_COMMAND = """\
import sys, time
from cwts import _core
ask = _core.request_halt
def timed(*args, **names):
    sys.stderr.write(f"{time.monotonic_ns()}\\n")
    return ask(*args, **names)
_core.request_halt = timed
from cwts.cli import main
main()
"""

#: The benchmark of each goal, by its name.
KILLS: dict[str, Callable[[Scene], Measured]] = {
    "accepted_after_kill": accepted_after_kill,
    "halt_thread_us": halt_thread_us,
    "halt_page_ms": halt_page_ms,
    "halt_process_ms": halt_process_ms,
    "halt_command_ms": halt_command_ms,
}

TRIALS = 1_000
#: One trial in so many is another process's.
OF_PROCESSES = 4
COMMANDS = 100
QUICK_KILLS = 4
KILLS_A_LOG = 100
#: Orders before the killer starts, and between two looks at the clock.
WARM_UP = 64
CHUNK = 64
#: The longest wait for a kill.
PATIENCE_NS = 30_000_000_000
