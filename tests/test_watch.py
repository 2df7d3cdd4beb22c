"""`cwts status --watch`: what runs, again and again, at the price of what is new."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cli_run import cli
from cwts import _core
from cwts.cli.watch import Rates, _view
from desk import Desk, buy

WATCH = [sys.executable, "-c", "from cwts.cli import main; main()", "status"]


@contextmanager
def watching(desk: Desk, *args: str) -> Iterator[subprocess.Popen[str]]:
    """A watch in a process of its own, ended whatever the test does."""
    command = [*WATCH, str(desk.log), "--watch", "--interval", "0.05", *args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def line_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    told: dict[str, Any] = json.loads(process.stdout.readline())
    return told


def test_a_watch_writes_an_object_a_line_while_a_gateway_runs_and_ends_on_ctrl_c(
    desk: Desk,
) -> None:
    with desk.running("trade_until_halted", "10") as strategy, watching(desk, "--json") as watch:
        strategy.says()
        first = line_of(watch)
        assert first["running"]
        assert (first["entries_per_s"], first["bytes_per_s"]) == (0.0, 0.0)
        grown = line_of(watch)
        while grown["entries"] == first["entries"]:
            grown = line_of(watch)
        assert grown["entries_per_s"] > 0 < grown["bytes_per_s"]
        _core.request_halt(str(desk.log), "account:alpha", reason="look", actor="ana")
        while not line_of(watch)["holds"]:
            continue
        assert strategy.told()[-1]["done"]
        last = line_of(watch)
        while not last["closed"]:
            last = line_of(watch)
        assert last["holds"][0]["scope"] == "account:alpha"
        # Ten after the first; the first may have been accepted, and held back at its release.
        assert last["rejections"]["KILL_HALTED"] >= 10 - 1
        watch.send_signal(signal.SIGINT)
        watch.stdout.read() if watch.stdout else None
        assert watch.wait(30) == 0
    # The same as from zero.
    whole = _core.status(str(desk.log))
    for key in ("orders", "accepted", "usage", "rejections", "holds", "entries", "bytes"):
        assert whole[key] == last[key], key


def test_a_follower_tells_what_a_status_tells(desk: Desk) -> None:
    gateway = desk.open()
    follower = _core.Follower(str(desk.log))
    for round_ in range(4):
        for _ in range(round_ * 50):
            gateway.submit(buy(1))
        if round_ == 2:
            gateway.halt("account:beta", reason="look", actor="ana")
        gateway.sync()
        assert follower.status() == _core.status(str(desk.log))
        assert follower.status()["running"], "asked again, nothing new: its lock tells"
    gateway.close()
    assert follower.status() == _core.status(str(desk.log))
    assert not follower.status()["running"]


def test_rates_are_of_the_time_between_two_looks() -> None:
    rates = Rates()
    assert rates.of({"entries": 10, "bytes": 100}, 5.0) == {
        "entries_per_s": 0.0,
        "bytes_per_s": 0.0,
    }
    assert rates.of({"entries": 30, "bytes": 600}, 7.0) == {
        "entries_per_s": 10.0,
        "bytes_per_s": 250.0,
    }


def test_a_person_sees_states_bars_and_refusals(desk: Desk) -> None:
    from io import StringIO

    from rich.console import Console

    gateway = desk.open()
    gateway.submit(buy(100, account="beta"))
    gateway.submit(buy(100, account="beta"))
    gateway.halt("strategy:default", reason="[bold]look", actor="ana", reduce_only=True)
    gateway.halt("strategy:default", reason="look", actor="ben")
    gateway.sync()
    found = _core.Follower(str(desk.log)).status() | {"entries_per_s": 0.0, "bytes_per_s": 0.0}
    out = Console(file=StringIO(), width=160)
    out.print(_view(found))
    shown = out.file.getvalue()  # type: ignore[attr-defined]
    assert "[bold]look" in shown, "names are text, not markup"
    for words in ("firm", "ACTIVE", "strategy:default", "HALTED", "MAX_POSITION", "━", "50.0"):
        assert words in shown, words
    gateway.close()


def test_on_a_terminal_it_draws_in_place_and_ends_with_0(desk: Desk) -> None:
    desk.open().close()
    parent, child = pty.openpty()
    command = [*WATCH, str(desk.log), "--watch", "--interval", "0.05"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
    with subprocess.Popen(command, stdout=child, stderr=child, env=environment) as process:
        os.close(child)
        seen = b""
        until = time.monotonic() + 60
        # It moves the cursor up to draw over what it drew.
        while b"\x1b[1A" not in seen and time.monotonic() < until:
            seen += os.read(parent, 65_536)
        process.send_signal(signal.SIGINT)
        while True:
            try:
                if not os.read(parent, 65_536):
                    break
            except OSError:
                break
        assert process.wait(30) == 0
    os.close(parent)
    assert b"closed" in seen


def test_bad_usage_is_exit_2(desk: Desk) -> None:
    desk.open().close()
    assert cli("status", desk.log, "--watch", "--interval", "0").returncode == 2
    assert cli("status", desk.root / "nowhere", "--watch").returncode == 2
    assert cli("status", desk.keys, "--watch", "--json").returncode == 2
