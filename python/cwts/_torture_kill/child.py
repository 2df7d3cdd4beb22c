"""The gateway that is killed: a process of its own, under the load of several producers.

It says one JSON object a line: ``started``, then ``state`` again and again, each with a digest of
the state after a number of entries that are on disk by then, and the newest order that any producer
was told is accepted, by account, strategy and symbol.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

from cwts import _core
from cwts._torture_kill.plan import ACCOUNTS, LIMITS, STRATEGIES, SYMBOLS

__all__ = ["main"]

#: A price of 100.00, the reference of every instrument here.
_PX_E9: Final = 100 * 10**9
_PRODUCERS: Final = 3
#: Between two reports of the state.
_REPORT_S: Final = 0.03
#: Orders that a producer sends before it looks for answers, at most: beyond what it may have open.
_FLOOD_ORDERS: Final = 20_000
#: A steady producer pauses this long after each order: a few thousand a second, all together.
_STEADY_PAUSE_S: Final = 0.0005


def main() -> None:
    """Run the gateway that the arguments describe until stdin ends, then close it."""
    asked = json.loads(sys.argv[1])
    log, keys = Path(asked["log"]), Path(asked["keys"])
    planted = asked["planted"]
    if planted == "mend":
        _mend(log)
    gateway = _core.Gateway(LIMITS.encode(), "limits.toml", str(log), keys=str(keys))
    if planted == "forget":
        for hold in gateway.holds():
            gateway.resume(hold["id"], actor="bug", approver="other bug", reason="planted")
    size, digest = _core.torture_state(gateway)
    gateway.sync()
    _say(what="started", size=size, digest=digest, holds=gateway.holds())
    steps = list(asked["clock_ns"])
    if steps:
        _core.torture_clock(gateway, steps.pop(0))
    for symbol in SYMBOLS:
        gateway.set_reference(symbol, _PX_E9)
    load = _Load(gateway, asked["seed"], asked["mode"])
    load.start()
    ended = threading.Event()
    threading.Thread(target=_read_to_end, args=(ended,), daemon=True).start()
    while not ended.wait(_REPORT_S):
        if steps:
            _core.torture_clock(gateway, steps.pop(0))
        load.report(planted)
    load.stop()
    gateway.close()
    _say(what="closed")


def _read_to_end(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


def _say(**words: Any) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


class _Load:
    """Several producers, each a thread with a name in the log."""

    def __init__(self, gateway: _core.Gateway, seed: int, mode: str) -> None:
        self._gateway = gateway
        self._seed = seed
        self._mode = mode
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        #: Newest accepted order by what it belongs to, as its sender was told. One key a thread
        #: at a time, or the same value twice: a plain dictionary is enough.
        self._accepted: list[dict[str, int]] = [{} for _ in range(_PRODUCERS)]
        self._said_full = threading.Event()

    def start(self) -> None:
        """Open the producers and let them send."""
        run = self._flood if self._mode == "flood" else self._steady
        for at in range(_PRODUCERS):
            producer = self._gateway.producer(f"sender-{at}")
            draw = random.Random(f"{self._seed} {at}")  # noqa: S311 - repeatable, no key
            thread = threading.Thread(target=_quietly, args=(run, producer, draw, at), daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Let nobody send any more."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def report(self, planted: str) -> None:
        """Say a state that is on disk, and what producers were told before it."""
        accepted: dict[str, int] = {}
        for told in self._accepted:
            for key, seq in list(told.items()):
                accepted[key] = max(seq, accepted.get(key, 0))
        size, digest = _core.torture_state(self._gateway)
        holds = self._gateway.holds()
        self._gateway.sync()
        if planted == "state" and size % 2:
            digest = digest[::-1]
        if planted == "late" and holds:
            accepted = dict.fromkeys(accepted, size)
        _say(what="state", size=size, digest=digest, accepted=accepted)

    def _steady(self, producer: _core.Producer, draw: random.Random, at: int) -> None:
        working: list[int] = []
        while not self._stopping.is_set():
            account, strategy, symbol = _drawn(draw)
            side = draw.choice(("buy", "sell"))
            qty = draw.randint(1, 9)
            decision = producer.submit(_order(account, strategy, symbol, side, qty))
            if decision.accepted:
                self._told(at, account, strategy, symbol, decision.seq)
                working.append(decision.order_id)
            if working and draw.getrandbits(1):
                self._answer(producer, draw, working.pop(draw.randrange(len(working))))
            time.sleep(_STEADY_PAUSE_S * draw.random())

    def _answer(self, producer: _core.Producer, draw: random.Random, order_id: int) -> None:
        """Let the venue say something of an order, or cancel it."""
        what = draw.choice(("fill", "fill", "canceled", "cancel", "twice"))
        if what == "cancel":
            producer.post_cancel(order_id)
            producer.decisions(1_000, 0.0)
            return
        kind = "fill" if what == "twice" else what
        for _ in range(2 if what == "twice" else 1):
            self._gateway.on_execution_report(
                order_id, kind, _PX_E9, 1, 1, exec_id=f"{order_id}-{kind}"
            )

    def _flood(self, producer: _core.Producer, draw: random.Random, at: int) -> None:
        """Fill the queues to the brim, then take the answers; all orders of a wave are alike."""
        while not self._stopping.is_set():
            account, strategy, symbol = _drawn(draw)
            order = _order(account, strategy, symbol, "buy", draw.randint(1, 9))
            try:
                for _ in range(_FLOOD_ORDERS):
                    producer.post(order)
            except _core.QueueFullError:
                if not self._said_full.is_set():
                    self._said_full.set()
                    _say(what="full")
            while producer.open and not self._stopping.is_set():
                for _, decision in producer.decisions(4_096, 0.05):
                    if decision.accepted:
                        self._told(at, account, strategy, symbol, decision.seq)

    def _told(self, at: int, account: str, strategy: str, symbol: str, seq: int) -> None:
        mine, key = self._accepted[at], f"{account}/{strategy}/{symbol}"
        mine[key] = max(seq, mine.get(key, 0))


def _quietly(run: Any, *args: Any) -> None:
    """Run until the gateway closes: its senders are told so, and that is no fault."""
    try:
        run(*args)
    except _core.CwtsError as error:
        _say(what="sender ended", why=str(error))


def _drawn(draw: random.Random) -> tuple[str, str, str]:
    return draw.choice(ACCOUNTS), draw.choice(STRATEGIES), draw.choice(SYMBOLS)


def _order(account: str, strategy: str, symbol: str, side: str, qty: int) -> _core.Order:
    return _core.Order(symbol, side, qty, "100.00", account, strategy)


def _mend(log: Path) -> None:
    """The planted bug of a gateway that makes damaged kill files anew, all active."""
    page = log / "kill.page"
    if (log / "wal").is_dir() and (not page.is_file() or page.stat().st_size != 16 * 1024):
        image = bytearray(16 * 1024)
        image[:8], image[8], image[16] = b"CWTSKILL", 1, 1
        page.write_bytes(image)
